"""Studies calibrated on a real cluster, by the commands that a person gives; and many attempts at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelworks.calibration import Posterior
from modelworks.study import run_study, runs_of_repository

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
