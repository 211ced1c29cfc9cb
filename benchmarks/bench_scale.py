"""How the cost of a run grows with the number of states, and what ten thousand draws hold in memory.

The line of states: an SEIR of sixteen ages in more and more places, 101 steps. Ten times the states should take ten
times as long, to compile as well as to run: `ratio` is the time for each state at the smallest size over that at this.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from bench_peers import FOLDER
from measurement import Measurement, compared, seconds_each

from modelworks.model import CompiledModel, Infection, Model, Stratification, Transition, people

AGES = 16
# The largest takes minutes to compile: `MODELWORKS_BENCH_STATES=100000` and so on for others.
SIZES = tuple(int(each) for each in os.environ.get("MODELWORKS_BENCH_STATES", "1024 4096 16384").split())
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
    yield from line_of_states()
    yield from memory()


def line_of_states() -> Iterator[Measurement]:
    first: dict[str, float] = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MODELWORKS_CACHE"] = folder
            began = time.process_time()
            compiled = CompiledModel(places(size), np.arange(101.0), step=1.0)
            found = {"compile": time.process_time() - began}
            found["run"] = seconds_each(partial(compiled.run, compiled.vector({})))
        for what, seconds in found.items():
            each = 1e6 * seconds / size
            peer = f"at {SIZES[0]:,} states"
            yield compared(f"scale: {what}, {size:,} states", each, "µs a state", peer, first.setdefault(what, each))


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
