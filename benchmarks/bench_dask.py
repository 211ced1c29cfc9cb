"""A sensitivity of a slow model by the two workers of a scheduler of dask, against the same here.

The model is a function of a team's own that moves 225,000 people by chance, about 50 ms a run. The time elsewhere has
all of it: runs that are tried first, connecting, and the workers' reading of the study.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from measurement import Measurement, compared

from modelworks.study import Sensitivity, sensitivity

RUNS = 400
FILES = {
    "modelworks.toml": "",
    "models/agents.py": """
import numpy as np
from modelworks.model import FunctionModel, FunctionOutput, Parameter

PEOPLE = 225_000


def simulate(values, times, key):
    is_susceptible, is_infectious = np.ones(PEOPLE, dtype=bool), np.zeros(PEOPLE, dtype=bool)
    is_infectious[:200] = True
    is_susceptible[:200] = False
    new = np.zeros(times.size)
    for day in range(1, times.size):
        chance = -np.expm1(-values["contact_rate"] * is_infectious.mean())
        infected = is_susceptible & (key.random(PEOPLE) < chance)
        is_infectious &= key.random(PEOPLE) > values["recovery"]
        is_infectious |= infected
        is_susceptible &= ~infected
        new[day] = infected.sum()
    return {"infections": new}


model = FunctionModel(
    "agents",
    simulate,
    [Parameter("contact_rate", "per day", lower=0), Parameter("recovery", "probability", lower=0, upper=1)],
    {"infections": FunctionOutput("people", counts_events=True)},
)
""",
    "studies/agents/study.yaml": """
title: Agents
question: How many are infected?
model: models/agents.py
time: {unit: days, start: 2021-01-01, end: 2021-02-15, every: 1}
quantities:
  infected: {title: Infected in all, output: infections, statistic: sum, unit: people}
""",
    "studies/agents/parameters.yaml": """
contact_rate: {prior: {log_normal: {median: 0.4, sigma: 0.2}}, unit: per day, source: a benchmark}
recovery: {prior: {beta: {a: 20, b: 80}}, unit: probability, source: a benchmark}
""",
    "studies/agents/targets.yaml": """
infections:
  output: infections
  values: {2021-01-05: 150}
  unit: people
  covers: day
  source: a benchmark
  likelihood: poisson
""",
}


def measure() -> Iterator[Measurement]:
    if find_spec("distributed") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        (root / "data").mkdir()
        here = _asked(root)
        elsewhere = _by_workers(root)
        if not elsewhere.table.equals(here.table):
            raise RuntimeError("two workers found other numbers than this process")
        yield Measurement("dask: a run of the model here", here.seconds / here.runs, "s")
        name = f"dask: a sensitivity of {here.runs} runs, by two workers"
        yield compared(name, elsewhere.seconds, "s", "the same here, in one thread", here.seconds)


def _by_workers(root: Path) -> Sensitivity:
    import dask
    import distributed

    # As usual dask has every array given back to the system at once, which takes longer than these runs.
    kept = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
    with (
        dask.config.set(kept),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
    ):
        (root / "modelworks.toml").write_text(f'dask = "{cluster.scheduler_address}"\n', encoding="utf-8")
        return _asked(root)


def _asked(root: Path) -> Sensitivity:
    return sensitivity(root / "studies" / "agents", method="prcc", runs=RUNS, quiet=True)
