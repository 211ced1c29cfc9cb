"""The line: what is stale is run, what is not is left alone, and a kill leaves nothing half-done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelworks.runs import Store, lacks
from modelworks.study import run_study


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def fresh(result: object) -> list[str]:
    return [stage["name"] for stage in result.stages if not stage["reused"]]  # type: ignore[attr-defined]


def test_a_study_runs_to_a_report_and_then_has_nothing_to_do(quick: Path) -> None:
    """The second run of an unchanged study makes nothing, publishes nothing, and says so."""
    first = run_study(quick, quiet=True)
    assert fresh(first) == ["simulate", "calibrate", "diagnose", "project", "report"]
    assert first.published
    assert first.run is not None
    assert first.run.file("report.html") is not None
    assert first.run.verify() == []
    assert lacks(first.run) == []
    second = run_study(quick, quiet=True)
    assert fresh(second) == []
    assert not second.published
    assert second.run is not None
    assert second.run.id == first.run.id
    assert "nothing to do" in second.line()


@pytest.mark.slow
def test_only_what_depends_on_a_change_is_run_again(quick: Path) -> None:
    """A new title is no reason to calibrate; a new scenario none either; a new prior is."""
    run_study(quick, quiet=True)
    edit(quick / "study.yaml", "title: Influenza in an English", "title: The influenza in an English")
    assert fresh(run_study(quick, quiet=True)) == ["report"]
    edit(quick / "study.yaml", "{multiply: 0.5}", "{multiply: 0.6}")
    assert fresh(run_study(quick, quiet=True)) == ["project", "report"]
    edit(quick / "parameters.yaml", "{normal: {mean: 2, sd: 1}}", "{normal: {mean: 2, sd: 0.9}}")
    assert "calibrate" in fresh(run_study(quick, quiet=True))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_to_the_last_bit(quick: Path, tmp_path: Path) -> None:
    """Two people who run one study get one answer, whatever the number of cores."""
    from modelworks.calibration import Posterior

    one = run_study(quick, until="calibrate", quiet=True, cores=1)
    other = quick.parents[1]
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(other), str(copy)], check=True)
    subprocess.run(["rm", "-rf", str(copy / ".modelworks"), str(copy / "runs")], check=True)
    two = run_study(copy / "studies" / quick.name, until="calibrate", quiet=True, cores=2)
    assert one.run is not None
    assert two.run is not None
    draws = [Posterior.read(r.run.path / "calibrate" / "posterior.nc").draws("contact_rate") for r in (one, two)]  # type: ignore[union-attr]
    np.testing.assert_array_equal(*draws)


KILLED = """
import os, sys
from pathlib import Path
from modelworks.study import run_study

left = int(sys.argv[2])

def count(event, args):
    # Every file opened for writing, renamed or made is a moment a power cut may choose.
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.link"):
        if event == "open" and not (isinstance(args[1], str) and set(args[1]) & set("wax+")):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

sys.addaudithook(count)
run_study(Path(sys.argv[1]), quiet=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_no_half_run_and_the_next_goes_on(quick: Path) -> None:
    """SIGKILL at the nth time the disk is touched: runs are whole or absent, and work done is not lost."""
    root = quick.parents[1]
    store = Store(root / "runs")
    killed = 0
    moment = 3
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(quick), str(moment)], env=os.environ, capture_output=True, check=False
        )
        for run in store.runs():
            assert run.verify() == []
            assert json.loads((run.path / "run.json").read_text(encoding="utf-8"))["study"] == quick.name
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0, done.stderr.decode()
            break
        killed += 1
        # Later and later: finished stages are skipped, so that each kill falls into new work.
        moment += 5
    assert killed >= 3
    result = run_study(quick, quiet=True)
    assert result.run is not None
    assert result.run.verify() == []
    assert len(store.runs()) == 1


@pytest.mark.slow
def test_what_was_held_out_is_judged(quick: Path) -> None:
    """Data are held back to see whether they are foreseen: the page must say so."""
    edit(quick / "study.yaml", "seed: 1978", "seed: 1978\n  until: 1978-01-31")
    run = run_study(quick, quiet=True).run
    assert run is not None
    diagnosis = json.loads((run.path / "diagnose" / "diagnosis.json").read_text(encoding="utf-8"))
    (found,) = diagnosis["forecasts"]
    assert (found["target"], found["points"]) == ("in_bed", 4)
    assert 0 < found["crps"] < found["naive_crps"]
    (asked,) = [check for check in diagnosis["checks"] if check["name"] == "held_out"]
    page = (run.path / "report.md").read_text(encoding="utf-8")
    assert "## Was the rest foreseen?" in page
    assert asked["reason"].replace("_", "\\_") in page
