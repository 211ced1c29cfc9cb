"""Two people who clone the repository and run its quick studies get the same results, to the last bit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelworks.runs import Run, Store

EXAMPLES = Path(__file__).parents[2] / "examples"
# What says when and where something was done, and its checksums.
ABOUT_THE_MOMENT = {"README.txt", "run.json", "checksums.json", "log.jsonl", "execution.json", "stage.json"}


def results(run: Run) -> dict[str, str]:
    """The checksum of every file of a run, by name, but of those that speak of the moment."""
    files = (each for each in run.path.rglob("*") if each.is_file() and each.name not in ABOUT_THE_MOMENT)
    return {each.relative_to(run.path).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


@pytest.mark.slow
@pytest.mark.parametrize(("study", "until"), [("boarding-school", "project"), ("outbreak-ml", "train")])
def test_the_results_are_the_same_in_two_places(study: str, until: str, tmp_path: Path) -> None:
    """In a folder of another name, with nothing kept from before, and with other numbers of cores."""
    found = []
    for cores, place in enumerate(("here", "elsewhere/deeper"), start=1):
        root = tmp_path / place / "examples"
        shutil.copytree(EXAMPLES, root, ignore=shutil.ignore_patterns("runs", "site", ".modelworks"))
        command = [sys.executable, "-m", "modelworks", "run", study, "--until", until, "--quiet", "--cores", str(cores)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 3), done.stderr
        (run,) = Store(root / "runs").runs(study)
        found.append(results(run))
    one, other = found
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} == set()
