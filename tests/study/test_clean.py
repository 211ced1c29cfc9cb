"""What jobs left behind goes when nobody needs it, and never before."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelworks.cli import main
from modelworks.errors import ModelworksError
from modelworks.jobs import Capacity
from modelworks.study import clean, leftovers, order_study, queue_around, worker_around
from modelworks.study.jobs._clean import clean_daily

LATER = datetime.now(UTC) + timedelta(days=31)


def aged(repository: Path) -> None:
    """All copies are a month old."""
    past = time.time() - 31 * 86_400
    for kind in ("pins", "code", "branches", "environments"):
        for each in (repository / ".modelworks" / kind).glob("*"):
            os.utime(each, (past, past))


@pytest.fixture
def two(repository: Path, quick: Path) -> tuple[str, str]:
    """A job that failed, with an attempt, and one that waits, of another edition of the study."""
    first = order_study(quick, until="simulate")
    readme = quick / "parameters.yaml"
    readme.write_text(f"# another edition\n{readme.read_text(encoding='utf-8')}", encoding="utf-8")
    second = order_study(quick, until="simulate", priority=-1)
    with queue_around(repository) as queue:
        queue.submit([first, second])
        (claim,) = queue.claim(queue.enter("here"), Capacity(("process",), 100, 100.0, jobs=1))
        folder = repository / ".modelworks" / "jobs" / first.id / "attempt-1"
        folder.mkdir(parents=True)
        (folder / "output.txt").write_text("x" * 1000, encoding="utf-8")
        queue.finish(claim, "failed", {"reason": "exit", "text": "broken"})
    aged(repository)
    return first.id, second.id


def kinds(repository: Path, now: datetime | None = None) -> dict[str, int]:
    found = [each.kind for each in leftovers(repository, now=now) if not each.why]
    return {kind: found.count(kind) for kind in set(found)}


@pytest.mark.slow
def test_what_may_still_be_retried_stays(repository: Path, two: tuple[str, str]) -> None:
    assert kinds(repository) == {}


def test_what_nobody_needs_goes_and_the_rest_can_be_carried_out(repository: Path, two: tuple[str, str]) -> None:
    """The code and the list of packages are those of the job that waits, too."""
    assert kinds(repository, LATER) == {"attempts": 1, "pins": 1}
    gone = clean(repository, now=LATER)
    assert sum(each.bytes for each in gone if each.kind == "attempts") == 1000
    assert not any(each.path.exists() for each in gone)
    with queue_around(repository) as queue:
        with pytest.raises(ModelworksError, match="cleared away"):
            queue.retry(two[0])
        assert Path(queue.get(two[1]).order.task["study"]).is_dir()
    assert kinds(repository, LATER) == {}


@pytest.mark.slow
def test_what_was_made_just_now_may_be_of_a_job_that_is_being_submitted(repository: Path, quick: Path) -> None:
    order_study(quick, until="simulate")
    assert kinds(repository, LATER) == {}
    aged(repository)
    assert set(kinds(repository, LATER)) == {"pins", "code", "environments"}


@pytest.mark.slow
def test_a_worker_cleans_once_a_day_where_the_team_says_so(repository: Path, two: tuple[str, str]) -> None:
    attempts = repository / ".modelworks" / "jobs" / two[0]
    clean_daily(repository)
    with (repository / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write("\n[jobs]\nkeep_days = 0\n")
    assert attempts.is_dir()
    clean_daily(repository)
    assert not attempts.exists()
    attempts.mkdir()
    clean_daily(repository)
    assert attempts.is_dir()


@pytest.mark.slow
def test_the_command_shows_sizes_and_touches_nothing_when_it_is_tried(
    repository: Path, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    for words, said in (
        (["jobs", "clean", "--days", "0", "--dry-run"], "would be freed"),
        (["jobs", "clean", "--days", "0"], "freed"),
        (["jobs", "clean", "--days", "0"], "0"),
        (["jobs"], "waiting"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 0
        told = capsys.readouterr()
        assert said in told.out + told.err
    assert not (repository / ".modelworks" / "jobs" / two[0]).exists()


@pytest.mark.slow
def test_a_job_is_carried_out_after_others_were_cleaned_away(repository: Path, two: tuple[str, str]) -> None:
    clean(repository, now=LATER)
    worker_around(repository, cores=4, memory_gb=8.0).run(threading.Event(), until_idle=True)
    with queue_around(repository) as queue:
        assert queue.get(two[1]).state == "done"
