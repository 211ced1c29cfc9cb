"""Studies calibrated on a real cluster, by the commands that a person gives; and many attempts at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelworks.calibration import Posterior
from modelworks.study import queue_around, run_study, runs_of_repository

pytestmark = [pytest.mark.slow, pytest.mark.needs("slurm")]

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_SECONDS = 300


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """The example repository as it is, of a team that has a cluster."""
    root = tmp_path / "examples"
    shutil.copytree(EXAMPLES, root, ignore=shutil.ignore_patterns("runs", ".modelworks", "site"))
    with (root / "modelworks.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[slurm]\npartition = "main"\nbefore = ["export OF_THE_SITE=yes"]\n')
    return root


def command(folder: Path, *words: str) -> str:
    """What a command of modelworks prints, which has to end well."""
    ended = subprocess.run(
        [sys.executable, "-m", "modelworks", *words],
        cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def draws(run_folder: Path) -> np.ndarray:
    posterior = Posterior.read(run_folder / "calibrate" / "posterior.nc")
    return np.stack([np.asarray(posterior.draws(name)) for name in posterior.parameters])


@pytest.mark.usefixtures("slurm")
def test_a_study_calibrated_on_the_cluster_has_the_draws_of_the_command(team: Path) -> None:
    """To the last bit; and it was a node that did it."""
    told = command(team, "submit", "boarding-school", "--stage", "calibrate", "--executor", "slurm", "--json")
    job = json.loads(told)["job"]
    command(team, "worker", "--until-idle")
    (done,) = (each for each in json.loads(command(team, "jobs", "--json")) if each["id"] == job)
    assert (done["state"], done["attempt"]) == ("done", 1), done
    script = team / ".modelworks" / "jobs" / job / "attempt-1" / "job.sh"
    assert "--partition=main" in script.read_text(encoding="utf-8")
    (made,) = runs_of_repository(team)
    assert made.id == done["outcome"]["result"]["run"]
    for kept in ("stages", "densities"):
        (team / ".modelworks" / kept).rename(team / ".modelworks" / f"gone-{kept}")
    inline = run_study(team / "studies" / "boarding-school", until="calibrate", quiet=True)
    assert inline.run is not None
    assert np.array_equal(draws(made.path), draws(inline.run.path))


# A model that counts its runs, and for which the time on the cluster is not enough: one of them does not end before
# somebody has opened the gate.
HINDERED = """
import os
import threading
from pathlib import Path
import numpy as np
from modelworks.model import FunctionModel, FunctionOutput, Parameter

HERE = Path({here!r})


def simulate(values, times):
    with (HERE / "runs").open("a") as file:
        file.write(".")
    if not (HERE / "gate").exists() and (HERE / "runs").stat().st_size >= {enough}:
        threading.Event().wait()
    return {{"here": 100 * np.exp(-values["rate"] * times)}}


rate = Parameter("rate", "per day", lower=0)
model = FunctionModel("hindered", simulate, [rate], {{"here": FunctionOutput("people")}})
"""
LEFT = """
title: People who leave
question: How fast do they leave?
model: models/hindered.py
time: {unit: days, start: 2021-01-01, end: 2021-01-10, every: 1}
calibration: {sampler: demcz, chains: 3, draws: 200, warmup: 200}
"""
SEEN = """
here:
  output: here
  unit: people
  values: {2021-01-02: 88, 2021-01-04: 73, 2021-01-06: 62, 2021-01-09: 45}
  source: a test
  likelihood: poisson
"""
# Runs at which the first attempt comes to a halt; three hundred foretell the data before the calibration begins.
ENOUGH = 1000


@pytest.fixture
def hindered(tmp_path: Path) -> Path:
    """The folder of a study whose calibration does not end in its first time on the cluster."""
    files = {
        "modelworks.toml": '[slurm]\npartition = "main"\n',
        "models/hindered.py": HINDERED.format(here=str(tmp_path), enough=ENOUGH),
        "studies/left/study.yaml": LEFT,
        "studies/left/targets.yaml": SEEN,
        "studies/left/parameters.yaml": "rate: {prior: {gamma: {mean: 0.2, sd: 0.1}}, unit: per day, source: a test}\n",
    }
    root = tmp_path / "team"
    (root / "data").mkdir(parents=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root / "studies" / "left"


def test_a_calibration_whose_time_is_up_goes_on_and_has_the_draws_of_one_that_was_not_interrupted(
    slurm: Any, hindered: Path, tmp_path: Path
) -> None:
    """In the middle of its chains; that what was worked out is remembered over a kill is a test of calibrations."""
    root, runs, gate = hindered.parents[1], tmp_path / "runs", tmp_path / "gate"
    told = command(root, "submit", "left", "--stage", "calibrate", "--executor", "slurm", "--minutes", "60", "--json")
    job = json.loads(told)["job"]
    jobs = [sys.executable, "-m", "modelworks", "worker", "--until-idle"]
    with (tmp_path / "worker.log").open("wb") as log, queue_around(root) as queue:
        worker = subprocess.Popen(jobs, cwd=root, stdout=log, stderr=log)

        def wait_for(condition: Callable[[], bool]) -> None:
            end, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
            while not condition():
                assert worker.poll() is None, (tmp_path / "worker.log").read_text()
                assert time.monotonic() < end, (queue.events(job), slurm.last_words())
                pause.wait(0.1)

        try:
            wait_for(lambda: runs.exists() and runs.stat().st_size >= ENOUGH)
            # The shortest time that Slurm knows: half a minute of it is for being told.
            slurm.ask("scontrol", "update", f"JobName=modelworks-{job}-1", "TimeLimit=1")
            wait_for(lambda: any(each.what == "walltime" for each in queue.events(job)))
            gate.touch()
            assert worker.wait(PATIENCE_SECONDS) == 0
        finally:
            worker.kill()
            worker.wait()
        done = queue.get(job)
    assert (done.state, done.attempt) == ("done", 2), done
    (made,) = runs_of_repository(root)
    (root / ".modelworks").rename(root / "gone")
    inline = run_study(hindered, until="calibrate", quiet=True)
    assert inline.run is not None
    assert np.array_equal(draws(made.path), draws(inline.run.path))
