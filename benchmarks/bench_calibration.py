"""Calibrations from a cold process to draws that are enough: R-hat below 1.01 and 400 effective draws, bulk and tail.

All seconds are the processor's. On two cores that nobody else uses a calibration takes between half as long and as
long. The peer's own example is drawn from by each in its own interpreter (`MODELWORKS_PEER_PYTHON`), started before its
clock is; without it that column stays empty.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench_peers import FOLDER, PEER_PYTHON
from bench_study import PROGRAM, ROOT
from measurement import Measurement, seconds_of_children

PROBLEMS = Path(__file__).with_name("calibration_problems.py")
PEER = "estival, DE-Metropolis"
PEER_DRAWS = 2000
# Enough of ours that what a process needs to begin does not count.
OF_SIR = 6000
TIMEOUT = 600
STUDIES = ("boarding-school", "malaysia-covid", "marshall-islands-tb")

# What the peer's script does, timed from where everything is loaded and compiled, its chains one after the other.
OF_PEER = """
import json, sys, time
sys.path.insert(0, ".")
from peer_estival_sir import make
import arviz, pymc
from estival.wrappers.pymc import use_model
number = int(sys.argv[1])
with pymc.Model():
    variables = use_model(make())
    def draw(number):
        return pymc.sample(step=[pymc.DEMetropolis(variables)], draws=number, tune=0, cores=1, chains=4,
                           progressbar=False, random_seed=1, compute_convergence_checks=False)
    draw(10)
    began = time.process_time()
    found = draw(number)
    seconds = time.process_time() - began
ess = arviz.ess(found.isel(draw=slice(number // 4, None)))
print(json.dumps({"seconds": seconds, "effective_draws": min(float(each) for each in ess.values())}))
"""


def measure() -> Iterator[Measurement]:
    if (FOLDER / "peer_reference.npz").is_file():
        yield of_the_peers_sir()
        yield from from_a_cold_process("model-b", "model B, 3 parameters")
        yield from from_a_cold_process("880-states", "880 states, 10 parameters")
    else:
        sys.stderr.write(f"bench_calibration: nothing to measure against in {FOLDER}; set MODELWORKS_PEERS\n")
    for study in STUDIES:
        yield from of_example(study)


def of_the_peers_sir() -> Measurement:
    """Effective draws (bulk) a second; more is better here, so the ratio is ours over the peer's."""
    found = last_line([sys.executable, str(PROBLEMS), "sir", str(FOLDER), str(OF_SIR)])
    ours = found["bulk"] / found["seconds"]
    name = "calibration: effective draws a second, the peer's SIR"
    if PEER_PYTHON is None:
        return Measurement(name, ours, "1/s")
    theirs = last_line([PEER_PYTHON, "-c", OF_PEER, str(PEER_DRAWS)], folder=FOLDER)
    return Measurement(name, ours, "1/s", PEER, ours * theirs["seconds"] / theirs["effective_draws"])


def from_a_cold_process(problem: str, name: str) -> Iterator[Measurement]:
    """With no kernel on the disk: to the first answer, where it has a warrant, and to draws enough."""
    with tempfile.TemporaryDirectory() as cache:
        before, began = seconds_of_children(), time.perf_counter()
        command = [sys.executable, str(PROBLEMS), problem, str(FOLDER)]
        found = last_line(command, environment={"MODELWORKS_CACHE": cache})
        waited, took = time.perf_counter() - began, seconds_of_children() - before
    if not found["is_enough"]:
        raise RuntimeError(f"{name}: R-hat {found['r_hat']:.3f}, {found['effective_draws']:.0f} effective draws")
    if found["first"] is not None:
        yield Measurement(f"calibration: {name}, process to first answer", found["first"], "s")
    yield Measurement(f"calibration: {name}, process to draws enough", took, "s")
    yield Measurement(f"calibration: {name}, the same on the wall beside a load of {load()}", waited, "s")


def of_example(study: str) -> Iterator[Measurement]:
    """`modelworks calibrate` of a study of `examples/`, with no kernel on the disk but what `simulate` compiled."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "studies"
        ignored = shutil.ignore_patterns("runs", "site", ".*", "__pycache__")
        shutil.copytree(ROOT / "examples", repository, ignore=ignored)
        environment = {**os.environ, "MODELWORKS_CACHE": str(Path(folder) / "cache")}
        for stage in ("simulate", "calibrate"):
            before, began = seconds_of_children(), time.perf_counter()
            command = [PROGRAM, stage, study, "--quiet"]
            done = subprocess.run(
                command, cwd=repository, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
            if done.returncode != 0:
                raise RuntimeError(done.stderr[-2000:])
            took, waited = seconds_of_children() - before, time.perf_counter() - began
    yield Measurement(f"calibration: {study}, simulated before", took, "s")
    yield Measurement(f"calibration: {study}, on the wall beside a load of {load()}", waited, "s")


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def last_line(
    command: list[str], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> dict[str, Any]:
    """What a program says in its last line."""
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))
