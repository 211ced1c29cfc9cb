"""What was said of a job can be found, whatever was killed; and no secret is anywhere in it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest

from modelworks.cli import main
from modelworks.errors import ModelworksError
from modelworks.inputs.repository import Repository
from modelworks.jobs import Order, Pace
from modelworks.logs import Discreet, without_secrets
from modelworks.study import JobLog, explain_job, log_in_words, log_of_job, order_study, queue_around, worker_around

QUICK = Pace(lease=2.0, backoff=0.01, poll=0.02)
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxR",
    "MODELWORKS_SMTP_PASSWORD": 'horse "battery" \\staple',
    "PGPASSWORD": "p@ss word/of=the?database",
    "GITHUB_TOKEN": "token_0123456789abcdefgh",
}
# As a command of the team's own might, in every way that there is.
TELLS = """
import os, sys
from pathlib import Path
from modelworks.errors import fail
from modelworks.jobs import Attempt
secrets = [os.environ[name] for name in {names!r}]
print(*secrets, flush=True)
attempt = Attempt(Path(sys.argv[1]))
with attempt.at_work() as result:
    for each in secrets:
        attempt.log.event("said", text=f"the password is {{each}}", more={{"key": each}})
    result["found"] = secrets
    if {fails}:
        fail("J101", "the database says: " + " ".join(secrets), hint=secrets[0])
"""


@pytest.fixture
def _given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "hook").write_text("the-secret-of-the-hook\n", encoding="utf-8")
    monkeypatch.setenv("MODELWORKS_WEBHOOK_SECRET_FILE", str(tmp_path / "hook"))


def worked(repository: Path) -> None:
    worker_around(repository, cores=4, memory_gb=8.0, pace=QUICK).run(threading.Event(), until_idle=True)


def written(folder: Path) -> bytes:
    """Every byte below a folder but what a command printed to its own descriptor, which nobody can stop."""
    return b"".join(
        each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file() and each.name != "output.txt"
    )


@pytest.mark.usefixtures("_given")
@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_is_in_a_log_a_job_or_an_error(
    repository: Path, fails: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = TELLS.format(names=list(SECRETS), fails=fails)
    with queue_around(repository) as queue:
        (job,) = queue.submit([Order("tells", (sys.executable, "-c", code))])
    worked(repository)
    with queue_around(repository) as queue:
        assert queue.get(job).state == ("failed" if fails else "done")
    monkeypatch.chdir(repository)
    for words in (
        ["logs", job, "--level", "debug"],
        ["logs", job, "--json"],
        ["why", job],
        ["watch", job],
        ["jobs", "--json"],
    ):
        with pytest.raises(SystemExit):
            main(words)
    told = capsys.readouterr()
    found = written(repository).decode("utf-8", "replace") + told.out + told.err + explain_job(repository, job).text
    assert "the password is …" in found
    for each in SECRETS.values():
        assert each not in found
        assert json.dumps(each)[1:-1] not in found


@pytest.mark.slow
@pytest.mark.usefixtures("_given")
def test_no_secret_is_in_a_run_or_in_what_the_doctor_says(
    repository: Path, quick: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with queue_around(repository) as queue:
        queue.submit([order_study(quick, until="simulate")])
    worked(repository)
    monkeypatch.chdir(repository)
    with pytest.raises(SystemExit):
        main(["doctor", "--json"])
    told = capsys.readouterr()
    found = b"".join(each.read_bytes() for each in repository.rglob("*") if each.is_file())
    assert b"boarding-school: simulate" in found
    for each in SECRETS.values():
        assert each.encode() not in found
        assert each not in told.out + told.err


@pytest.mark.usefixtures("_given")
def test_what_is_printed_is_kept_without_secrets(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w", encoding="utf-8") as file:
        stream = Discreet(file)
        first, second = SECRETS["GITHUB_TOKEN"][:9], SECRETS["GITHUB_TOKEN"][9:]
        print("a token:", first, end="", file=stream, flush=True)
        print(second, "and the-secret-of-the-hook", file=stream)
        print("half a line", end="", file=stream)
        stream.close()
    assert (tmp_path / "said").read_text(encoding="utf-8") == "a token: … and …\nhalf a line"


@pytest.mark.usefixtures("_given")
def test_what_is_no_secret_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_KEY", "on")
    monkeypatch.setenv("SSH_KEY_PATH", "/somewhere/of/ada/key")
    assert without_secrets("on /somewhere/of/ada/key") == "on /somewhere/of/ada/key"


def test_what_was_said_is_found_by_attempt_level_and_word(repository: Path) -> None:
    """The first attempt is killed in the middle of it."""
    code = """
import os, signal, sys, time
from pathlib import Path
from modelworks.jobs import Attempt
print("printed by", sys.argv[1], flush=True)
attempt = Attempt(Path(sys.argv[1]))
with attempt.at_work():
    attempt.log.event("said", text="half way")
    attempt.log.event("said", level="warning", text="the disk is nearly full")
    if sys.argv[1].endswith("attempt-1"):
        os.kill(os.getpid(), signal.SIGKILL)
"""
    with queue_around(repository) as queue:
        (job,) = queue.submit([Order("is killed", (sys.executable, "-c", code))])
    worked(repository)
    everything = log_of_job(repository, job)
    assert [each.attempt for each in everything if each.text == "half way"] == [1, 2]
    assert sum(each.event == "printed" for each in everything) == 2
    assert [each.time for each in everything] == sorted(each.time for each in everything)
    # Each line as `watch` and the website word it.
    (_, begun), *_ = JobLog.of(Repository.around(repository), job).read()
    assert log_in_words(begun).endswith(next(each.text for each in everything if each.event == "begun"))
    assert [each.text for each in everything if each.event == "ended"] == ["ended: done"]
    grave = log_of_job(repository, job, level="warning")
    assert [each.event for each in grave] == ["said", "killed", "said"]
    assert [each.text for each in log_of_job(repository, job, search="NEARLY")] == ["the disk is nearly full"] * 2
    with pytest.raises(ModelworksError, match="J160"):
        log_of_job(repository, job, search="(disk")
