"""How the cost of a run grows with the number of states, and what ten thousand draws hold in memory.

Two lines of states. One grows along its lanes: an SEIR of sixteen ages in more and more places, 101 steps. One grows in
rows: the skeleton of a national model of COVID-19, 470 steps, with more and more past variants. Ten times the states
should take ten times as long, to compile as well as to run: `ratio` is the time for each state at the smallest size
over that at this.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from bench_peers import FOLDER
from measurement import Measurement, compared, seconds_each
from numpy.typing import NDArray
from peer_models import read_spec, skeleton

from modelworks.model import CompiledModel, Infection, Model, Stratification, Transition, measure_error, people

Array = NDArray[np.float64]

AGES = 16
SIZES = (1_024, 6_144, 16_384, 50_000, 100_000)
# Of the skeleton, which has 3,136 states for each variant, the naive one included.
VARIANTS = (2, 5, 16, 32)
DAYS = np.arange(200.0, 671.0)
DRAWS = (1_000, 10_000)
# MiB: what is less is not told from none.
LEAST = 0.1


def places(states: int) -> Model:
    """An SEIR of about so many states."""
    ages = [f"age {k}" for k in range(AGES)]
    towns = [f"town {k}" for k in range(max(1, states // (4 * AGES)))]
    return Model(
        "places",
        ["susceptible", "exposed", "infectious", "recovered"],
        [
            Infection("infection", "susceptible", "exposed", 0.3, "infectious"),
            Transition("onset", "exposed", "infectious", 0.2),
            Transition("recovery", "infectious", "recovered", 0.2),
        ],
        {"susceptible": 1e6, "infectious": 100},
        {"prevalence": people("infectious")},
        [
            Stratification("age", ages, split=[1 / AGES] * AGES),
            Stratification("town", towns, split=[1 / len(towns)] * len(towns)),
        ],
    )


def measure() -> Iterator[Measurement]:
    yield from line_of_states("places", ((size, places(size)) for size in SIZES), np.arange(101.0))
    if (FOLDER / "peer_spec.py").is_file():
        spec = read_spec(FOLDER)
        skeletons = ((3136 * variants, skeleton(spec, variants)) for variants in VARIANTS)
        yield from line_of_states("skeleton", skeletons, DAYS)
        yield skeleton_with_its_error(spec)
    yield from memory()


def line_of_states(what: str, models: Iterable[tuple[int, Model]], times: Array) -> Iterator[Measurement]:
    first: dict[str, float] = {}
    smallest = 0
    for size, model in models:
        smallest = smallest or size
        found = seconds_to_compile_and_run(model, times)
        for task, seconds in found.items():
            each = 1e6 * seconds / size
            name, peer = f"scale: {what}, {task}, {size:,} states", f"at {smallest:,} states"
            yield compared(name, each, "µs a state", peer, first.setdefault(task, each))


def seconds_to_compile_and_run(model: Model, times: Array) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MODELWORKS_CACHE"] = folder
        began = time.process_time()
        compiled = CompiledModel(model, times, step=1.0)
        compiling = time.process_time() - began
    return {"compile": compiling, "run": seconds_each(partial(compiled.run, compiled.vector({})))}


def skeleton_with_its_error(spec: ModuleType) -> Measurement:
    """The skeleton of 6,272 states; its error is the one that halving the step shows."""
    compiled = CompiledModel(skeleton(spec), DAYS, step=1.0)
    at = compiled.vector({})
    error = measure_error(compiled, at)
    run = seconds_each(partial(compiled.run, at))
    return Measurement("scale: skeleton of 6,272 states, 470 days", run * 1e3, "ms", error=error)


PEAK = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import numpy as np
from peer_models import covid, covid_rates, read_spec
from modelworks.model import CompiledModel, run_in_blocks
spec = read_spec(Path(sys.argv[2]))
compiled = CompiledModel(covid(spec.B, spec, covid_rates(spec.B)), np.arange(501.0), step=1.0)
draws = np.tile(compiled.vector({}), (int(sys.argv[3]), 1))
list(run_in_blocks(compiled, draws[:64]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for block in run_in_blocks(compiled, draws):
    pass
print(len(compiled.columns), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def memory() -> Iterator[Measurement]:
    """By how much a process grows while it goes through draws of model B, next to what all of them would hold."""
    if not (FOLDER / "peer_spec.py").is_file():
        return
    for draws in DRAWS:
        command = [sys.executable, "-c", PEAK, str(Path(__file__).parent), str(FOLDER), str(draws)]
        columns, grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        whole = draws * 501 * int(columns) * 8 / 2**20
        name = f"memory: {draws:,} draws of {columns} outputs of model B, in blocks"
        yield compared(name, max(float(grown), LEAST), "MiB", "all of them held", whole)
