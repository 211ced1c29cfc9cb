"""A team's models are run where they can do no harm: what never ends or dies there, the website survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from visitors import Site, let_in, token_on

from modelworks.errors import ModelworksError, fail
from modelworks.processes import Process
from modelworks.study import new_repository
from modelworks.website import create_app, read_settings
from modelworks.website._house import Workspace
from modelworks.website._team_code import MOST_CHILDREN, MOST_WAITING, OF_FILES, NoAnswerError, TeamCode

PATIENCE_SECONDS = 120.0
HTML = {"accept": "text/html"}


def until(holds: Callable[[], object]) -> None:
    """Wait for what must come to be."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def code() -> Iterator[TeamCode]:
    made = TeamCode(PATIENCE_SECONDS)
    yield made
    made.close()


@pytest.mark.slow
def test_what_never_ends_is_ended_and_told() -> None:
    """And the next who asks has a process that answers."""
    code = TeamCode(patience_seconds=5)
    try:
        with pytest.raises(NoAnswerError) as told:
            code.call("study", 1, exec, "while True: pass")
        assert told.value.letter.code == "W130"
        until(lambda: _answers(code))
    finally:
        code.close()


def _answers(code: TeamCode) -> bool:
    """On a busy machine a process may take longer to begin than it is given here."""
    try:
        return code.call("study", 1, int, "7") == 7
    except NoAnswerError:
        return False


@pytest.mark.parametrize(
    ("what", "how"),
    [("import os; os._exit(3)", "exit status 3"), ("import os; os.kill(os.getpid(), 9)", "signal 9")],
)
def test_a_process_that_ends_is_told_and_begun_anew(code: TeamCode, what: str, how: str) -> None:
    with pytest.raises(NoAnswerError) as told:
        code.call("study", 1, exec, what)
    assert (told.value.letter.code, how in told.value.letter.message) == ("W131", True)
    assert code.call("study", 1, int, "7") == 7


def test_who_takes_all_memory_is_refused_it() -> None:
    """A mistake of one number in a model must not take the server's memory."""
    code = TeamCode(PATIENCE_SECONDS, memory_gb=1.5)
    try:
        with pytest.raises(NoAnswerError) as told:
            code.call("study", 1, exec, "bytearray(10**10)")
        assert told.value.letter.code == "W131"
        assert code.call("study", 1, int, "7") == 7
    finally:
        code.close()


@pytest.mark.parametrize(
    ("what", "said"),
    [("import os; os._exit(3)", "the file was read ended"), ("bytearray(10**10)", "the file takes more than 4 GB")],
)
def test_what_is_said_of_a_file_that_was_sent_speaks_of_the_file(tmp_path: Path, what: str, said: str) -> None:
    """Whoever sent a table has no model to look at."""
    files = TeamCode(PATIENCE_SECONDS, words=OF_FILES)
    try:
        with pytest.raises(NoAnswerError) as told:
            Workspace("ours", tmp_path, files=files).of_data(exec, what)
    finally:
        files.close()
    letter = told.value.letter
    assert letter.code == "W138"
    assert said in letter.message
    assert "model " not in f"{letter.message} {letter.hint}"


def test_a_mistake_comes_back_as_the_letter_that_it_is(code: TeamCode) -> None:
    with pytest.raises(ModelworksError) as told:
        code.call("study", 1, fail, "M124", "no", hint="so")
    assert (told.value.codes, told.value.letters[0].hint) == (("M124",), "so")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        code.call("study", 1, divmod, 1, 0)


def test_each_version_of_each_study_has_a_process_and_there_are_only_so_many(code: TeamCode) -> None:
    """What one model does to a library, another does not see."""
    first = Process.of(code.call("a", 1, os.getpid))
    assert code.call("a", 1, os.getpid) == first.pid
    assert code.call("a", 2, os.getpid) != first.pid
    until(first.is_gone)
    others = [Process.of(code.call(name, 1, os.getpid)) for name in range(MOST_CHILDREN + 1)]
    until(others[0].is_gone)
    assert not any(each.is_gone() for each in others[1:])
    code.close()
    assert all(each.is_gone() for each in others)


@pytest.mark.slow
def test_only_so_many_wait_for_models(code: TeamCode, tmp_path: Path) -> None:
    """All others are answered at once, so that threads are left for the pages that need no model."""
    gate = tmp_path / "gate"
    waits = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        asked = [pool.submit(code.call, "study", 1, exec, waits) for _ in range(MOST_WAITING)]
        # Looked at and not tried, for who tries has a place for a moment.
        until(lambda: code._room._value == 0)  # type: ignore[attr-defined]
        with pytest.raises(NoAnswerError) as told:
            code.call("study", 1, int, "7")
        gate.touch()
        assert told.value.letter.code == "W132"
        for each in asked:
            each.result(PATIENCE_SECONDS)
    assert code.call("study", 1, int, "7") == 7


@pytest.mark.slow
def test_a_website_that_is_killed_leaves_no_model_behind() -> None:
    """With SIGKILL it can tell nobody, and a model that never ends would take a core for ever."""
    program = (
        "import os, sys; from modelworks.website._team_code import TeamCode; code = TeamCode()\n"
        "print(code.call('a', 1, os.getpid), flush=True); code.call('a', 1, exec, 'while True: pass')"
    )
    website = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert website.stdout is not None
    child = Process.of(int(website.stdout.readline()))
    website.send_signal(signal.SIGKILL)
    website.wait()
    website.stdout.close()
    until(child.is_gone)


# -- the website -------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "ours")


def opened(repository: Path, seconds: float) -> TestClient:
    return TestClient(
        create_app(replace(read_settings(repository), model_seconds=seconds)),
        base_url="http://127.0.0.1:8420",
        follow_redirects=False,
    )


def model_of(repository: Path) -> Path:
    [model] = repository.glob("models/*.py")
    return model


@pytest.mark.slow
def test_a_model_that_ends_its_process_does_not_end_the_website(repository: Path) -> None:
    """And once it is mended its pages are there again, with nothing started anew by hand."""
    model = model_of(repository)
    text = model.read_text(encoding="utf-8")
    model.write_text("import os\nos._exit(3)\n", encoding="utf-8")
    with opened(repository, PATIENCE_SECONDS) as browser:
        let_in(browser, browser.app, "modeller", "modeller")
        asked = browser.get("/w/ours/studies/first-study/run", headers=HTML)
        assert (asked.status_code, asked.headers["retry-after"]) == (503, "5")
        assert "W131" in asked.text
        assert browser.get("/w/ours", headers=HTML).status_code == 200
        model.write_text(text, encoding="utf-8")
        assert browser.get("/w/ours/studies/first-study/run", headers=HTML).status_code == 200


@pytest.mark.slow
def test_while_a_model_never_ends_all_other_pages_answer(repository: Path) -> None:
    model_of(repository).write_text("while True: pass\n", encoding="utf-8")
    with opened(repository, 10) as browser, ThreadPoolExecutor(1) as other:
        let_in(browser, browser.app, "modeller", "modeller")
        asked: Any = other.submit(browser.get, "/w/ours/studies/first-study/run", headers=HTML)
        meanwhile = 0
        while not asked.done():
            assert browser.get("/w/ours/runs", headers=HTML).status_code == 200
            meanwhile += 1
        assert meanwhile > 1
        assert asked.result().status_code == 503
        assert "W130" in asked.result().text


def test_no_page_runs_a_model_in_the_process_of_the_website(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a route asks of a study, the code of its model is run elsewhere."""
    run_here: list[Path] = []
    monkeypatch.setattr("modelworks.study.binding._model_file._imported", lambda path, *_: run_here.append(path))
    admin, reviewer = site.browsers["admin"], site.browsers["reviewer"]
    for place in ("studies/first-study/run", f"runs/{site.run.id}/approve", f"runs/{site.run.id}/explore", "data", ""):
        assert admin.get(f"{site.at}/{place}", headers=HTML).status_code < 500
    token = {"form_token": token_on(reviewer, site.at)}
    for place in ("studies/first-study/run", f"runs/{site.run.id}/approve"):
        assert reviewer.post(f"{site.at}/{place}", data=token, headers=HTML).status_code < 500
    assert run_here == []
