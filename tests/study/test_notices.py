"""Who hears what of jobs that end, as the settings say it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from modelworks.cli import main
from modelworks.errors import ModelworksError
from modelworks.inputs import Repository
from modelworks.jobs import Order, Pace
from modelworks.study import order_studies, queue_around, worker_around

QUICK = Pace(lease=2.0, backoff=0.01, poll=0.02)


def declared(repository: Path, text: str) -> None:
    with (repository / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


@pytest.fixture
def told(repository: Path, tmp_path: Path) -> Path:
    """A file with one line of JSON for each notice, written by the command of the settings."""
    file = tmp_path / "told"
    code = f"import sys; open({str(file)!r}, 'a').write(sys.stdin.read() + chr(10))"
    declared(repository, f"[notify.command]\nrun = {json.dumps([sys.executable, '-c', code])}")
    file.touch()
    return file


def heard(told: Path) -> list[Any]:
    return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]


def worked(repository: Path) -> None:
    worker_around(repository, cores=4, memory_gb=8.0, pace=QUICK).run(threading.Event(), until_idle=True)


@pytest.mark.slow
def test_a_job_that_broke_and_one_that_is_done_are_told(repository: Path, quick: Path, told: Path) -> None:
    worked(repository)
    with queue_around(repository) as queue:
        broken = Order("broken", (sys.executable, "-c", "raise SystemExit('it is the disk')"))
        queue.submit([*order_studies([quick], until="simulate"), broken])
    worked(repository)
    found = {each["occasion"]: each for each in heard(told)}
    assert set(found) == {"failed", "done"}
    assert "it is the disk" in found["failed"]["text"]
    assert found["failed"]["subject"].endswith("broken: failed")
    assert "It made the run" in found["done"]["text"]
    assert found["done"]["about"]["jobs"][0]["run"] in found["done"]["text"]


def test_only_what_is_wanted_is_told(repository: Path, told: Path) -> None:
    """A worker that is there already hears of it while it is there."""
    declared(repository, '[notify]\non = ["failed"]')
    with queue_around(repository) as queue:
        worked(repository)
        queue.submit([Order("fine", (sys.executable, "-c", "pass"))])
        worked(repository)
        assert len(queue.jobs()) == 1
    # A command that says nothing of itself has not ended well.
    assert [each["occasion"] for each in heard(told)] == ["failed"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[notify]\non = ["always"]', "always"),
        ('[notify.mail]\nserver = "a"', "`to`"),
        ('[notify.mail]\nto = ["ada"]\nserver = "a"', "no address"),
        ('[notify.mail]\nto = ["a@b"]\nserver = "a"\ntls = "ssl"', "starttls"),
        ('[notify.mail]\nto = ["a@b"]\nserver = "a"\ntls = "none"\nuser = "me"', "in the clear"),
        ('[notify.mail]\nto = ["a@b"]\nserver = "a"\npassword = "hush"', "`password` is not a setting"),
        ('[notify.webhook]\nurl = "ftp://a"', "https"),
        ('[notify.webhook]\nurl = "https://me:hush@a/b"', "password"),
        ("[notify.command]\n", "which"),
        ("[notify.pigeon]\n", "pigeon"),
        ("notify = 3", "table"),
    ],
)
def test_a_mistake_is_a_letter(repository: Path, text: str, word: str) -> None:
    declared(repository, text) if text.startswith("[") else (repository / "modelworks.toml").write_text(text)
    with pytest.raises(ModelworksError) as raised:
        Repository.around(repository)
    assert set(raised.value.codes) == {"Y132"}
    assert word in str(raised.value)
    assert "hush" not in str(raised.value)


def test_it_can_be_tried(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)

    def said(*words: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["notify", *words])
        assert ended.value.code == status
        told = capsys.readouterr()
        return told.out + told.err

    assert "nobody hears" in said()
    assert "J150" in said("--test", status=1)
    declared(repository, f"[notify.command]\nrun = {json.dumps([sys.executable, '-c', 'pass'])}")
    assert "it was taken" in said("--test")
    assert "by command" in said()
    declared(repository, '[notify.webhook]\nurl = "http://127.0.0.1:9/"')
    assert "J152" in said("--test", status=1)
