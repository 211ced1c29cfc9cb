"""A study handed over: what it is then is what is carried out, once, by whoever does it, to the same draws."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner

from modelworks.calibration import Posterior
from modelworks.cli import line, main
from modelworks.errors import ModelworksError
from modelworks.jobs import Attempt, Capacity, Claim, Order, Pace, Queue
from modelworks.study import (
    carry_out,
    explain_job,
    order_study,
    queue_around,
    run_study,
    runs_of_repository,
    worker_around,
)

QUICK = Pace(lease=2.0, backoff=0.01, poll=0.02)


def worked(repository: Path) -> None:
    """Everything in the queue, carried out."""
    worker_around(repository, cores=4, memory_gb=8.0, pace=QUICK).run(threading.Event(), until_idle=True)


def draws(run_folder: Path) -> np.ndarray:
    posterior = Posterior.read(run_folder / "calibrate" / "posterior.nc")
    return np.stack([np.asarray(posterior.draws(name)) for name in posterior.parameters])


@pytest.mark.slow
def test_a_job_makes_the_run_that_the_command_would_have_made(quick: Path, repository: Path) -> None:
    """Same draws to the last bit; and what was edited after the submission is not in it."""
    order = order_study(quick, until="calibrate")
    with queue_around(repository) as queue:
        (job,) = queue.submit([order])
        before = (quick / "parameters.yaml").read_text(encoding="utf-8")
        (quick / "parameters.yaml").write_text("nothing: [of, use", encoding="utf-8")
        worked(repository)
        found = queue.get(job)
    assert found.state == "done", found.outcome
    (made,) = runs_of_repository(repository)
    assert made.id == order.task["run"] == found.outcome["result"]["run"]
    assert (made.path / "inputs/studies/boarding-school/parameters.yaml").read_text(encoding="utf-8") == before
    (quick / "parameters.yaml").write_text(before, encoding="utf-8")
    for folder in (repository / ".modelworks" / "stages").iterdir():
        folder.rename(folder.with_name(f"gone-{folder.name}"))
    inline = run_study(quick, until="calibrate", quiet=True)
    assert inline.run is not None
    assert np.array_equal(draws(made.path), draws(inline.run.path))


@pytest.mark.slow
def test_two_attempts_that_both_come_to_an_end_make_one_run(quick: Path, repository: Path) -> None:
    """A frozen attempt was given up, and came back after the next had finished."""
    order = order_study(quick, until="simulate")
    home = repository / ".modelworks" / "jobs"
    for number in (1, 2):
        attempt = Attempt.prepare(home, Claim(order.id, "a worker", number, number, 3, order))
        carry_out(attempt.folder)
        outcome = attempt.outcome()
        assert outcome is not None
        assert outcome["result"]["run"] == order.task["run"]
    assert len(runs_of_repository(repository)) == 1


@pytest.mark.slow
def test_a_calibration_that_was_killed_comes_to_the_same_draws(quick: Path, repository: Path) -> None:
    with queue_around(repository) as queue:
        (job,) = queue.submit([order_study(quick, until="calibrate")])
        worker = worker_around(repository, cores=4, memory_gb=8.0, pace=QUICK)
        attempt = Attempt(repository / ".modelworks" / "jobs" / job / "attempt-1")
        log, pause = attempt.folder / "log.jsonl", threading.Event()
        while not (log.exists() and "draw from the posterior" in log.read_text(encoding="utf-8")):
            worker.tick()
            pause.wait(0.01)
        process = attempt.process()
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        worker.run(threading.Event(), until_idle=True)
        found = queue.get(job)
    assert (found.state, found.attempt) == ("done", 2), found.outcome
    (made,) = runs_of_repository(repository)
    for kept in ("stages", "densities"):
        (repository / ".modelworks" / kept).rename(repository / ".modelworks" / f"gone-{kept}")
    inline = run_study(quick, until="calibrate", quiet=True)
    assert inline.run is not None
    assert np.array_equal(draws(made.path), draws(inline.run.path))


def test_a_mistake_is_told_when_the_study_is_submitted(quick: Path) -> None:
    (quick / "parameters.yaml").write_text("contact_rate: {value: 3}", encoding="utf-8")
    with pytest.raises(ModelworksError):
        order_study(quick)


def test_the_same_study_is_kept_once(quick: Path, repository: Path) -> None:
    first, second = order_study(quick), order_study(quick, changes=())
    assert first.task["study"] == second.task["study"]
    assert len(list((repository / ".modelworks" / "pins").glob("[0-9a-f]*"))) == 1
    assert first.task["run"] != second.task["run"]


def test_it_is_said_why_nothing_happens(
    quick: Path, repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(quick)
    with pytest.raises(SystemExit) as ended:
        main(["submit", "--stage", "simulate"])
    assert ended.value.code == 0
    told = capsys.readouterr()
    assert "modelworks worker" in told.err
    assert "No worker is there" in explain_job(repository, told.out.strip()).text
    with pytest.raises(SystemExit):
        main(["why"])
    assert "No worker is there" in capsys.readouterr().out


def finished(queue: Queue, order: Order, state: Literal["done", "failed"], outcome: dict[str, Any]) -> str:
    """A job that a worker carried out, as one sees it afterwards."""
    (job,) = queue.submit([order])
    [claim] = queue.claim(queue.enter("here"), Capacity((order.executor,), cores=8, memory_gb=64.0))
    assert queue.finish(claim, state, outcome)
    return job


def test_a_run_that_was_there_before_was_not_made_by_the_job(quick: Path, repository: Path) -> None:
    order = order_study(quick, until="simulate")
    with queue_around(repository) as queue:
        made = finished(queue, order, "done", {"result": {"run": order.task["run"]}})
        kept = finished(queue, replace(order, id="a" * 10), "done", {"result": {"run": "0a1b2c"}})
        failed = finished(queue, replace(order, id="b" * 10), "failed", {"reason": "disk", "text": "the disk is full"})
    assert f"It made the run {order.task['run']}, at the first attempt." in explain_job(repository, made).said
    told = explain_job(repository, kept).said
    assert "made the run" not in told
    assert "nothing had changed since the run 0a1b2c" in told
    assert " and failed. the disk is full." in explain_job(repository, failed).said


def test_of_no_job_there_is_nothing_to_say(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(quick)
    result = CliRunner().invoke(line, ["why"])
    assert isinstance(result.exception, ModelworksError)
    assert result.exception.letters[0].message == "there is no job"


def test_a_command_line_that_is_wrong_is_said_to_be(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(quick)
    for words in (["submit", "--set", "rate"], ["why", "nobody"], ["watch", "zz"], ["retry", "zz"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code in (1, 2)


def test_a_job_is_carried_out_by_the_code_it_was_submitted_with(quick: Path) -> None:
    """The copy of the package is found before the one that is installed."""
    order = order_study(quick)
    program = "import modelworks; print(modelworks.__file__)"
    environment = {**os.environ, **order.environment}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(quick.parents[1] / ".modelworks" / "code")
