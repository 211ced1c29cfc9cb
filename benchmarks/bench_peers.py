"""Models A, B and C, identical in other people's tools: one run, its gradient, and from a cold process to a result.

The peers' equations and their true solutions lie in a folder of their own (`MODELWORKS_PEERS`, or `../shared/peers`
beside the repository), and each peer runs in an interpreter of its own (`MODELWORKS_PEER_PYTHON`): without the
folder there is nothing to measure, without the interpreter the peer's column stays empty. Errors, ours and theirs,
are of daily or yearly rates in every stratum, relative to the largest true value of each series.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from measurement import Measurement, compared, seconds_each, seconds_of_command
from numpy.typing import NDArray
from peer_models import covid, covid_rates, read_spec, tuberculosis, tuberculosis_rates

from modelworks.model import CompiledModel, Model, Outputs, Parameter, run_many, settle_step
from modelworks.model.library.seir import seir

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("MODELWORKS_PEERS", ROOT.parent / "shared" / "peers"))
PEER_PYTHON = os.environ.get("MODELWORKS_PEER_PYTHON")
PEER = "summer2, its defaults"
BATCH = 1000
TRIES = 15
# Enough to keep two threads busy for some hundredths of a second: a shared machine is seldom quiet for longer.
DRAWS = {"A": 4096, "B": 128, "C": 128}


@dataclass(frozen=True)
class Problem:
    """One model: ours, the values of its parameters, when it is looked at, and which true series its outputs are."""

    letter: str
    model: Model
    values: Mapping[str, float]
    times: Array
    truth: Mapping[str, Array]
    accuracy: float

    def error(self, values: Array, compiled: CompiledModel) -> float:
        """The largest error of any series of the peers' that ours has too; their rates are means over a time step."""
        units = {name: output.unit for name, output in self.model.series.items()}
        found = Outputs(values, compiled.times, compiled.columns, units, None, compiled.step, 0.0)
        worst = 0.0
        for name, true in self.truth.items():
            ours = found[name]
            if name.startswith("inc"):
                ours = np.concatenate([ours[:1], (ours[1:] + ours[:-1]) / 2])
            worst = max(worst, float(np.max(np.abs(ours - true).max(axis=0) / np.abs(true).max(axis=0))))
        return worst


def measure() -> Iterator[Measurement]:
    if not (FOLDER / "peer_reference.npz").is_file():
        sys.stderr.write(f"bench_peers: nothing to measure against in {FOLDER}; set MODELWORKS_PEERS\n")
        return
    spec = read_spec(FOLDER)
    with np.load(FOLDER / "peer_reference.npz") as file:
        truth = {name: file[name] for name in file}
    for problem in (of_a(spec, truth), of_b(spec, truth), of_c(spec, truth)):
        yield from of_problem(problem)
    yield from from_a_cold_process()


def of_a(spec: ModuleType, truth: Mapping[str, Array]) -> Problem:
    p = spec.A
    rates = {"contact_rate": p["beta"], "latency_rate": p["sigma"], "recovery_rate": p["gamma"]}
    values = {**rates, "population": p["N"], "first_cases": p["I0"]}
    # The peer gets eight digits of so small a model: no fewer here; and people alone, no events.
    return Problem(
        "A, SEIR", seir().reporting("prevalence"), values, truth["A_t"], {"prevalence": truth["A_y"][:, 2]}, 1e-8
    )


def of_b(spec: ModuleType, truth: Mapping[str, Array]) -> Problem:
    free = ("contact_rate", "r_PI", "r_LR", "wane", "second_dose", "seed", "inf_L", "r_EP", "r_IL", "season_amp")
    model, values = opened(partial(covid, spec=spec), covid_rates, spec.B, free)
    found = {name: truth[f"B_out_{name}"] for name in ("incidence", "prevalence", "prop_recovered", "pop")}
    for name, strata in (("age", spec.AGES), ("strain", spec.STRAINS), ("vaccination", spec.VACC)):
        found[f"incidenceX{name}"] = np.column_stack([truth[f"B_out_incidenceX{name}_{each}"] for each in strata])
    return Problem("B, COVID", model, values, truth["B_t"], found, 1e-5)


def of_c(spec: ModuleType, truth: Mapping[str, Array]) -> Problem:
    free = ("contact_rate", "rr_latent", "rr_recovered", "self_rec", "tb_death", "tx_rec", "tx_relapse", "tx_death")
    model, values = opened(partial(tuberculosis, spec=spec), tuberculosis_rates, spec.C, free)
    found = {name: truth[f"C_out_{name}"] for name in ("population", "prevalence", "perc_latent")}
    found["incXage"] = np.column_stack([truth[f"C_out_incXage_{age}"] for age in spec.TB_AGES])
    return Problem("C, tuberculosis", model, values, truth["C_t"], found, 1e-5)


def opened(
    build: Callable[..., Model],
    outputs: Callable[[Mapping[str, Any]], dict[str, Any]],
    given: Mapping[str, Any],
    free: tuple[str, ...],
) -> tuple[Model, dict[str, float]]:
    """A model some of whose numbers are parameters, and the values of these."""
    p = {**given, **{name: Parameter(name) for name in free}}
    return build(p, outputs=outputs(p)).checked(), {name: float(given[name]) for name in free}


def of_problem(problem: Problem) -> Iterator[Measurement]:
    compiled = CompiledModel(problem.model, problem.times)
    vector = compiled.vector(problem.values)
    settle_step(compiled, vector, problem.accuracy)
    run = seconds_each(partial(compiled.run, vector))
    error = problem.error(compiled.run(vector), compiled)
    theirs = peer(problem.letter[0])
    what = f"model {problem.letter}"
    yield compared(f"{what}: one run", run * 1e3, "ms", PEER, theirs.get("warm_cpu_median_ms"), error)
    if theirs:
        yield Measurement(f"{what}: one run of {PEER}", theirs["warm_cpu_median_ms"], "ms", error=theirs["max_rel_err"])
    draws = np.tile(vector, (BATCH, 1))
    each = seconds_each(partial(compiled.run_batch, draws)) / BATCH
    yield compared(f"{what}: one run of {BATCH:,}", each * 1e3, "ms", PEER, theirs.get("warm_cpu_median_ms"), error)
    yield two_threads(problem, compiled, vector)
    cotangent = np.ones_like(compiled.run(vector))
    both = seconds_each(lambda: compiled.run_with_pullback(vector)[1](cotangent))
    differences = float(len(vector) + 1)
    name = f"{what}: value and gradient by {len(vector)} parameters"
    yield compared(name, both / run, "runs", "one-sided differences", differences)


def two_threads(problem: Problem, compiled: CompiledModel, vector: Array) -> Measurement:
    """Many runs in two threads next to one, by the clock on the wall: it tells of us only where two cores are free."""
    number = DRAWS[problem.letter[0]]
    draws = vector * np.linspace(0.99, 1.01, number)[:, None]
    tries: dict[int, list[float]] = {1: [], 2: []}
    # In turn, so that both meet the same machine.
    for _ in range(TRIES):
        for cores, found in tries.items():
            began = time.perf_counter()
            run_many(compiled, draws, cores=cores)
            found.append(time.perf_counter() - began)
    one, two = (min(found) for found in tries.values())
    return compared(f"model {problem.letter}: {number:,} runs in two threads", two, "s", "in one", one)


def peer(letter: str) -> dict[str, Any]:
    """The peer's own timing of a model, in a process of its own; nothing where there is no peer."""
    if PEER_PYTHON is None:
        return {}
    command = [PEER_PYTHON, "peer_summer2_bench.py", "--one", letter, "default", "15"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("RES "))
    return dict(json.loads(line.removeprefix("RES ")))


FIRST_RESULT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import numpy as np
from peer_models import covid, covid_rates, read_spec
from modelworks.model import simulate
spec = read_spec(Path(sys.argv[2]))
simulate(covid(spec.B, spec, covid_rates(spec.B)), {}, np.arange(501.0))
"""


def from_a_cold_process() -> Iterator[Measurement]:
    """From nothing to the first result of model B: with no compiled kernel on disk, and with one from before."""
    command = [sys.executable, "-c", FIRST_RESULT, str(Path(__file__).parent), str(FOLDER)]
    with tempfile.TemporaryDirectory() as folder:
        kept = {**os.environ, "MODELWORKS_CACHE": folder}
        cold = seconds_of_command(command, tries=1, environment=kept)
        warm = seconds_of_command(command, tries=5, environment=kept)
    yield Measurement("model B: process to first result, compiling", cold, "s")
    yield compared("model B: process to first result, compiled before", warm, "s", "compiling", cold)
