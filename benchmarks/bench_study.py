"""The boarding school from its files to a report, and how many effective draws a second its calibration gives.

The peer is what one writes first: random-walk Metropolis on SciPy's solver, started at the answer with the answer's own
covariance, which flatters it.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from bench_simulate import Array, by_scipy_at
from measurement import Measurement, compared, seconds_of_command
from scipy.special import gammaln

from modelworks.diagnostics import ess_bulk
from modelworks.runs import Run
from modelworks.study import explorer_of

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = str(Path(sysconfig.get_path("scripts")) / "modelworks")
STUDY = "boarding-school"

# Boys in bed, 22 January to 4 February 1978 (British Medical Journal, 4 March 1978, page 587).
IN_BED = np.array([3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4], dtype=float)

# Mean of the basic reproduction number by Stan, with the same priors (Grinsztajn and others 2021,
# doi:10.1002/sim.9164).
STAN_REPRODUCTION_NUMBER = 3.224


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "studies"
        ignored = shutil.ignore_patterns("runs", "site", ".*", "__pycache__")
        shutil.copytree(ROOT / "examples", repository, ignore=ignored)
        yield from measure_in(repository)


def measure_in(repository: Path) -> Iterator[Measurement]:
    before = Path.cwd()
    os.chdir(repository)
    try:
        yield Measurement("study: check", seconds_of_command([PROGRAM, "check", STUDY], tries=3), "s")
        cold = seconds_of_command([PROGRAM, "run", STUDY, "--quiet"], tries=1)
        yield Measurement("study: files to report", cold, "s")
        again = seconds_of_command([PROGRAM, "run", STUDY, "--quiet"], tries=3)
        yield compared("study: files to report, nothing changed", again, "s", "everything new", cold)
        run = next((repository / "runs").rglob("run.json")).parent
        yield effective_draws(run)
        yield explored(run)
    finally:
        os.chdir(before)


def explored(folder: Path) -> Measurement:
    """An answer of the explorer with a slider moved: 200 draws, with all quantiles and differences of all outputs."""
    run = Run(folder, "", folder.name[-6:], json.loads((folder / "run.json").read_text(encoding="utf-8")))
    explorer = explorer_of(run)
    values = np.linspace(0.4, 0.6, 20)
    ours = min(explorer.answer({"times.contact_rate": each}, explorer.outputs).seconds for each in values)
    model, rows = explorer.study.compiled(explorer.study.report_times), explorer.study.spread()
    began = time.perf_counter()
    for k in range(200):
        model.run(rows[k % len(rows)])
    return compared("study: a moved slider", ours, "s", "the runs alone, one by one", time.perf_counter() - began)


def effective_draws(run: Path) -> Measurement:
    """The fewest effective draws of any parameter, for each second of the calibration stage."""
    posterior = xr.load_dataset(run / "calibrate" / "posterior.nc", group="posterior")
    stages = pd.read_csv(run / "tables" / "stages.csv").set_index("name")["seconds"]
    draws = {str(name): np.asarray(posterior[name]) for name in posterior.data_vars}
    ours = min(ess_bulk(values) for values in draws.values()) / float(stages["calibrate"])
    reproduction = float(np.mean(draws["contact_rate"] / draws["recovery_rate"]))
    error = abs(reproduction - STAN_REPRODUCTION_NUMBER) / STAN_REPRODUCTION_NUMBER

    names = ("contact_rate", "recovery_rate", "overdispersion")
    sample = np.stack([draws[name].ravel() for name in names])
    theirs = metropolis(log_density, sample.mean(axis=1), np.cov(sample), steps=4000)
    # More is better here, so the ratio is ours over the peer's.
    peer = "Metropolis on SciPy, from the answer"
    return Measurement("study: effective draws a second", ours, "1/s", peer, ours / theirs, error)


def log_density(values: Array) -> float:
    """Log of prior times likelihood, up to a constant, of contact rate, recovery rate and overdispersion."""
    if np.any(values <= 0):
        return -np.inf
    contact_rate, recovery_rate, overdispersion = values
    prior = -((contact_rate - 2) ** 2) / 2 - (recovery_rate - 0.4) ** 2 / (2 * 0.5**2) - 5 * overdispersion
    expected = np.maximum(by_scipy_at(contact_rate, recovery_rate), 1e-9)
    size = 1 / overdispersion
    likelihood = gammaln(IN_BED + size) - gammaln(size) + size * np.log(size) + IN_BED * np.log(expected)
    return float(prior + np.sum(likelihood - (IN_BED + size) * np.log(expected + size)))


def metropolis(target: Callable[[Array], float], start: Array, covariance: Array, *, steps: int) -> float:
    """The fewest effective draws a second of any parameter."""
    random = np.random.default_rng(1978)
    # 2.38 / sqrt(dimension): the best scale for a normal target (Gelman, Roberts and Gilks 1996).
    leap = np.linalg.cholesky(covariance) * 2.38 / np.sqrt(start.size)
    chain = np.empty((start.size, steps))
    here, height = start, target(start)
    began = time.perf_counter()
    for step in range(steps):
        there = here + leap @ random.normal(size=start.size)
        proposed = target(there)
        if np.log(random.uniform()) < proposed - height:
            here, height = there, proposed
        chain[:, step] = here
    seconds = time.perf_counter() - began
    return min(ess_bulk(values[None, :]) for values in chain) / seconds
