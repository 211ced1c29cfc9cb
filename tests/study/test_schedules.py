"""Studies that are run by themselves: once for each time that is due, whoever looks, and whatever is killed."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelworks.cli import main
from modelworks.errors import ModelworksError
from modelworks.inputs import Repository, add_schedule, find_schedule, remove_schedule
from modelworks.jobs import Attempt, Claim, Job, Pace
from modelworks.study import (
    carry_out,
    look_at_schedules,
    order_studies,
    queue_around,
    runs_of_repository,
    worker_around,
)

MONDAY = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
# Nobody is lost here, so that a machine that stands still for seconds loses nobody either.
QUICK = Pace(lease=60.0, backoff=0.01, poll=0.02)
GIT = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")


def declared(repository: Path, text: str) -> None:
    with (repository / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


def look(repository: Path, now: datetime) -> None:
    look_at_schedules(repository, lambda: now)


def jobs(repository: Path) -> list[Job]:
    with queue_around(repository) as queue:
        return queue.jobs()


def worked(repository: Path) -> None:
    worker_around(repository, cores=4, memory_gb=8.0, pace=QUICK).run(threading.Event(), until_idle=True)


@pytest.fixture
def daily(repository: Path) -> Path:
    declared(repository, '[schedule.daily]\nat = "0 6 * * *"\nstage = "simulate"')
    look(repository, MONDAY)
    return repository


def test_what_was_due_before_anybody_looked_is_not_made_up_for(daily: Path) -> None:
    assert jobs(daily) == []


def test_each_time_that_is_due_makes_one_job_however_many_look_at_once(daily: Path) -> None:
    for day in range(1, 4):
        now = MONDAY + timedelta(days=day, hours=-6)
        threads = [threading.Thread(target=look, args=(daily, now)) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert [each.title for each in jobs(daily)] == [
        f"schedule daily: due 2026-03-0{day}T06:00:00.000Z" for day in (5, 4, 3)
    ]


def test_times_that_passed_unseen_make_one_job_that_tells_of_them(daily: Path) -> None:
    look(daily, MONDAY + timedelta(days=3))
    (job,) = jobs(daily)
    assert "2026-03-03T06:00" in job.order.task["missed"]
    assert "2026-03-04T06:00" in job.order.task["missed"]
    assert job.title.endswith("due 2026-03-05T06:00:00.000Z")


def test_a_clock_that_is_set_back_repeats_nothing(daily: Path) -> None:
    look(daily, MONDAY + timedelta(days=1))
    look(daily, MONDAY + timedelta(hours=20))
    look(daily, MONDAY + timedelta(days=1, minutes=5))
    assert len(jobs(daily)) == 1


def test_a_clock_that_was_years_ahead_is_not_waited_for(daily: Path) -> None:
    look(daily, MONDAY + timedelta(days=900))
    look(daily, MONDAY + timedelta(days=1))
    look(daily, MONDAY + timedelta(days=2))
    assert [each.title[-24:-14] for each in jobs(daily)] == ["2026-03-04", "2028-08-18"]


def test_it_is_due_by_the_clock_of_its_place(repository: Path) -> None:
    """Six in the morning in Kuala Lumpur is ten in the evening before in Greenwich."""
    declared(repository, '[schedule.daily]\nat = "0 6 * * *"\ntime_zone = "Asia/Kuala_Lumpur"')
    look(repository, datetime(2026, 3, 2, 21, 59, tzinfo=UTC))
    look(repository, datetime(2026, 3, 2, 21, 59, 59, tzinfo=UTC))
    assert jobs(repository) == []
    look(repository, datetime(2026, 3, 2, 22, 0, 0, tzinfo=UTC))
    assert len(jobs(repository)) == 1


def test_it_is_due_once_on_the_day_whose_hour_comes_twice(repository: Path) -> None:
    """In the night of 25 October 2026 half past two comes twice in Berlin."""
    declared(repository, '[schedule.night]\nat = "30 2 * * *"\ntime_zone = "Europe/Berlin"')
    now = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    for _ in range(24):
        look(repository, now)
        now += timedelta(minutes=30)
    assert len(jobs(repository)) == 1


def due_job(repository: Path) -> Job:
    return next(each for each in jobs(repository) if "schedule" in each.order.task)


@pytest.mark.slow
def test_what_is_due_is_handed_over_once_however_often_it_is_tried(daily: Path, quick: Path) -> None:
    """The first attempt was given up and comes to its end all the same."""
    look(daily, MONDAY + timedelta(days=1))
    order = due_job(daily).order
    home = daily / ".modelworks" / "jobs"
    for number in (1, 2):
        attempt = Attempt.prepare(home, Claim(order.id, "a worker", number, number, 3, order))
        carry_out(attempt.folder)
        outcome = attempt.outcome()
        assert outcome is not None
        assert outcome["state"] == "done", outcome
    made = [each for each in jobs(daily) if each.id != order.id]
    assert [(each.title, each.order.by) for each in made] == [("boarding-school: simulate", "the schedule daily")]
    assert Path(made[0].order.task["study"]).is_relative_to(daily / ".modelworks" / "pins")
    assert made[0].order.task["maker"] == {"person": "the schedule daily"}


@pytest.mark.slow
def test_workers_that_are_killed_hand_over_once(daily: Path, quick: Path) -> None:
    """Three workers, whose clocks run a day a look and are days apart; each is killed somewhere on the way."""
    program = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from modelworks.study import look_at_schedules
root, now = Path(sys.argv[1]), datetime(2026, 3, 3, 12, tzinfo=UTC)
for day in range(400):
    look_at_schedules(root, lambda: now + timedelta(days=day))
    print(day, flush=True)
"""
    workers = [
        subprocess.Popen([sys.executable, "-c", program, str(daily)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for worker, last in zip(workers, (3, 6, 9), strict=True):
        assert worker.stdout is not None
        while int(worker.stdout.readline()) < last:
            pass
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
    found = [each.title[-24:-14] for each in jobs(daily)]
    assert len(found) == len(set(found)) >= 5


@pytest.mark.slow
def test_a_study_that_can_not_be_read_is_a_letter_of_the_job(daily: Path, quick: Path) -> None:
    (quick / "parameters.yaml").write_text("contact_rate: {value: 3}", encoding="utf-8")
    look(daily, MONDAY + timedelta(days=1))
    worked(daily)
    # The worker's own clock is another one, and finds more that is due.
    *_, job = jobs(daily)
    assert (job.state, job.outcome["reason"]) == ("failed", "letters")


@pytest.mark.slow
@pytest.mark.needs("git")
def test_a_branch_that_moved_is_run_as_it_is_there(repository: Path, quick: Path) -> None:
    """Whatever is checked out, and whatever lies there uncommitted."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), *GIT, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    declared(repository, '[schedule.main]\non_branch = "main"\nstage = "simulate"')
    (repository / ".gitignore").write_text("data/raw/\n.modelworks/\nruns/\n", encoding="utf-8")
    git("init")
    git("add", "-A")
    git("commit", "-m", "a study")
    look(repository, MONDAY)
    look(repository, MONDAY)
    assert jobs(repository) == []
    readme = quick / "parameters.yaml"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(f"# of the branch\n{text}", encoding="utf-8")
    git("commit", "-am", "another")
    readme.write_text("nothing: [of, use", encoding="utf-8")
    look(repository, MONDAY)
    look(repository, MONDAY)
    worked(repository)
    found = jobs(repository)
    assert len(found) == 2, [(each.state, each.outcome) for each in found]
    made, due = found
    assert (due.state, made.state) == ("done", "done"), (due.outcome, made.outcome)
    copied = Path(made.order.task["study"]) / "parameters.yaml"
    assert copied.read_text(encoding="utf-8").startswith("# of the branch")
    (run,) = runs_of_repository(repository)
    assert run.record["provenance"]["commit"] == git("rev-parse", "HEAD")
    assert not run.record["provenance"]["dirty"]


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Path]:
    """A folder that is published at an address, which is in the file `address` of it."""
    folder = tmp_path / "published"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, directory=str(folder), **more)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (folder / "address").write_text(f"http://127.0.0.1:{server.server_port}", encoding="utf-8")
        yield folder
        server.shutdown()


@pytest.mark.slow
def test_data_that_changed_are_run_and_news_are_told_once(repository: Path, quick: Path, publisher: Path) -> None:
    raw, name = repository / "data/raw/boarding-school-1978.csv", "boarding-school-1978"
    catalogue = repository / "data" / "catalogue.yaml"
    (publisher / "school.csv").write_bytes(raw.read_bytes())
    address = f"{(publisher / 'address').read_text(encoding='utf-8')}/school.csv"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace(f"{name}:\n", f"{name}:\n  url: {address}\n"), encoding="utf-8")
    declared(repository, '[schedule.data]\non_data = true\nstage = "simulate"')
    look(repository, MONDAY)

    def looked(hour: int) -> Any:
        look(repository, MONDAY + timedelta(hours=hour))
        job = max((each for each in jobs(repository) if "schedule" in each.order.task), key=lambda each: each.number)
        attempt = Attempt.prepare(repository / ".modelworks" / "jobs", Claim(job.id, "a worker", 1, 1, 3, job.order))
        carry_out(attempt.folder)
        outcome = attempt.outcome()
        assert outcome is not None
        assert outcome["state"] == "done", outcome
        return outcome["result"]

    assert looked(1) == {"news": [], "handed_over": [], "answer": "the data are as they were"}
    changed = raw.read_text(encoding="utf-8").rstrip() + "\n"
    (publisher / "school.csv").write_text(f"# newer\n{changed}", encoding="utf-8")
    assert looked(2)["news"] == [name]
    assert looked(3)["news"] == []
    # Somebody looked at it and takes it, in their own form.
    raw.write_text(changed.replace("\n", "\r\n"), encoding="utf-8", newline="")
    mark = hashlib.sha256(raw.read_bytes()).hexdigest()
    text = catalogue.read_text(encoding="utf-8")
    before = next(line.split(":")[1].strip() for line in text.splitlines() if line.strip().startswith("sha256:"))
    catalogue.write_text(text.replace(before, mark), encoding="utf-8")
    assert len(looked(4)["handed_over"]) == 1
    assert looked(5)["handed_over"] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('at = "0 6 * *"', "five fields"),
        ('at = "0 26 * * *"', "Bad hour"),
        ('at = "0 0 30 2 *"', "day"),
        ('at = "0 6 * * *"\ntime_zone = "Mars"', "time zone"),
        ("", "when it is due"),
        ('at = "0 6 * * *"\non_branch = "main"', "twice"),
        ('att = "0 6 * * *"', "`at`"),
        ("at = 6", "text"),
        ('on_data = "yes"', "true or false"),
    ],
)
def test_a_schedule_with_a_mistake_is_a_letter(repository: Path, text: str, word: str) -> None:
    declared(repository, f"[schedule.daily]\n{text}")
    with pytest.raises(ModelworksError) as raised:
        Repository.around(repository)
    assert set(raised.value.codes) == {"Y132"}
    assert word in str(raised.value)


def test_what_is_added_can_be_taken_away_and_the_rest_stays(repository: Path) -> None:
    before = (repository / "modelworks.toml").read_text(encoding="utf-8")
    add_schedule(Repository.around(repository), "daily", {"at": "0 6 * * *", "studies": ["boarding-school"]})
    add_schedule(Repository.around(repository), "data", {"on_data": True})
    found = Repository.around(repository)
    assert find_schedule(found, "daily").studies == ("boarding-school",)
    assert find_schedule(found, "data").at == "0 * * * *"
    with pytest.raises(ModelworksError, match="already"):
        add_schedule(found, "daily", {"at": "0 7 * * *"})
    with pytest.raises(ModelworksError, match="did you mean `daily`"):
        remove_schedule(found, "dayly")
    remove_schedule(found, "daily")
    remove_schedule(Repository.around(repository), "data")
    assert (repository / "modelworks.toml").read_text(encoding="utf-8").strip() == before.strip()


def test_the_command_line_says_when_it_is_due(
    repository: Path, quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(quick)

    def said(*words: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["schedule", *words])
        assert ended.value.code == status
        told = capsys.readouterr()
        return told.out + told.err

    assert "nothing is run by itself" in said("list")
    assert "next at" in said("add", "daily", "--at", "0 6 * * *", "--study", "boarding-school")
    assert "06:00" in said("list")
    assert "Y132" in said("add", "odd", "--at", "6", status=1)
    assert "Y148" in said("remove", "odd", status=1)
    assert "no longer" in said("remove", "daily")
    for words in (["--scenario", "isolaton"], ["--scenario", "isolation", "--stage", "diagnose"]):
        assert "J132" in said("add", "alone", "--at", "0 6 * * *", *words, status=1)
    said("add", "alone", "--at", "0 6 * * *", "--study", "boarding-school", "--scenario", "isolation")
    assert find_schedule(Repository.around(repository), "alone").scenarios == ("isolation",)
    assert "boarding-school, in isolation" in said("list")


def test_a_schedule_runs_only_the_scenarios_that_it_names(repository: Path, quick: Path) -> None:
    """Of a study that has none of them, nothing."""
    shutil.copytree(quick, other := quick.with_name("other"))
    text = (other / "study.yaml").read_text(encoding="utf-8")
    (other / "study.yaml").write_text(text.replace("isolation", "quarantine"), encoding="utf-8")
    declared(repository, '[schedule.daily]\nat = "0 6 * * *"\nstage = "project"\nscenarios = ["isolation"]')
    look(repository, MONDAY)
    look(repository, MONDAY + timedelta(days=1))
    order = due_job(repository).order
    attempt = Attempt.prepare(repository / ".modelworks" / "jobs", Claim(order.id, "a worker", 1, 1, 3, order))
    carry_out(attempt.folder)
    outcome = attempt.outcome()
    assert outcome is not None
    assert outcome["state"] == "done", outcome
    made = [each for each in jobs(repository) if each.id != order.id]
    assert [each.title for each in made] == ["boarding-school: project, in isolation"]


def test_several_studies_are_refused_with_all_their_mistakes(
    repository: Path, decay: Callable[..., Path], study: Path
) -> None:
    other = decay(repository, "start: 2021-01-01, end: 2021-01-10")
    for folder in (study, other):
        (folder / "parameters.yaml").write_text("nobody: {value: 3}", encoding="utf-8")
    with pytest.raises(ModelworksError) as raised:
        order_studies([study, other])
    assert {letter.file for letter in raised.value.letters} >= {
        "studies/boarding-school/parameters.yaml",
        "studies/decay/parameters.yaml",
    }
