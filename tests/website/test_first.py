"""Before there is a repository: a page that makes one, and the website in its place."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from ports import free_port
from starlette.testclient import TestClient
from visitors import Site, token_on

from modelworks.errors import ModelworksError
from modelworks.inputs.repository import Repository
from modelworks.runs import ask_git, person
from modelworks.study import check_study, new_repository
from modelworks.website import repository_here, serve_first
from modelworks.website._first import First, made_before, made_in
from modelworks.website._guard import POLICY
from modelworks.website._serve import listening
from modelworks.website._settings import Settings

PATIENCE = 120.0


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept of first starts stays out of the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("modelworks.website._first.cache_folder", lambda kind: folder / kind)


@pytest.fixture
def first(tmp_path: Path) -> First:
    return First(tmp_path, Settings((), "127.0.0.1", 8420, "http://127.0.0.1:8420", "", b""))


@pytest.fixture
def browser(first: First) -> Iterator[TestClient]:
    with TestClient(first, base_url="http://127.0.0.1:8420", follow_redirects=False) as opened:
        yield opened


def test_the_page_says_what_will_be_made_and_where(browser: TestClient, first: First, tmp_path: Path) -> None:
    answer = browser.get(first.place)
    assert answer.status_code == 200
    assert answer.text.count("<li>") == 4
    assert str(tmp_path) in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_one_button_makes_a_repository_and_its_website_answers_there(
    browser: TestClient, first: First, tmp_path: Path
) -> None:
    """At the same address, with its owner signed in and a study that waits to be run."""
    answer = browser.post(first.place, data={"name": " ours "})
    assert [each.name for each in Repository.around(tmp_path / "ours").studies()] == ["first-study"]
    home = browser.get(answer.headers["location"], follow_redirects=True)
    assert home.url.path == "/w/ours"
    assert "Run it as it is" in home.text
    assert json.loads((tmp_path / "ours/.modelworks/website.json").read_text("utf-8"))["address"].endswith(":8420")
    assert browser.get(first.place).status_code == 404


def test_the_page_is_stopped_by_a_button(browser: TestClient, first: First) -> None:
    """Whoever opened it by a click has no terminal to press Ctrl-C in."""
    stopped: list[bool] = []
    assert "Stop this website" not in browser.get(first.place).text
    assert browser.post(f"{first.place}/stop").status_code == 404
    first.stop = lambda: stopped.append(True)
    assert f'action="{first.place}/stop"' in browser.get(first.place).text
    assert browser.post("/begin/guessed/stop").status_code == 404
    assert stopped == []
    assert "The website has stopped" in browser.post(f"{first.place}/stop").text
    assert stopped == [True]


def test_who_clicks_twice_gets_one(browser: TestClient, first: First, tmp_path: Path) -> None:
    """Both ways lead to it, whichever answer the browser shows."""
    with ThreadPoolExecutor() as two:
        answers = list(two.map(lambda _: browser.post(first.place, data={"name": "ours"}), range(2)))
    # The second may come when the website is there already, and the page no more.
    assert sorted(each.status_code for each in answers) in ([303, 303], [303, 404])
    assert [each.name for each in tmp_path.iterdir()] == ["ours"]


@pytest.mark.needs("git")
def test_what_is_made_is_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nothing could be approved; also for somebody whose name git was never told."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    made = made_in(tmp_path, "ours")
    assert ask_git(made, "log", "--format=%an: %s") == f"{person(made)}: A first study"
    assert ask_git(made, "status", "--porcelain") == ""
    # In a folder that is under version control already nobody commits for its owner.
    below = made_in(made, "below")
    assert ask_git(below, "status", "--porcelain") == "?? below/"


@pytest.mark.parametrize(
    ("name", "code"), [("Our Studies", "Y303"), ("", "W123"), ("../out", "W123"), ("there", "Y301")]
)
def test_a_name_that_will_not_do_is_told_beside_it(
    browser: TestClient, first: First, tmp_path: Path, name: str, code: str
) -> None:
    """And what was typed is still there."""
    (tmp_path / "there").mkdir()
    answer = browser.post(first.place, data={"name": name})
    assert answer.status_code == 422
    assert code in answer.text
    assert f'value="{name}"' in answer.text
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_the_folder_may_be_another_which_has_to_be_there(browser: TestClient, first: First, tmp_path: Path) -> None:
    """Whoever clicked on an icon did not choose the folder in which it starts."""
    (tmp_path / "work").mkdir()
    for folder in ("/not/there", "~nobody-of-this-name", "a\0b"):
        answer = browser.post(first.place, data={"name": "ours", "folder": folder})
        assert answer.status_code == 422
        assert "W122" in answer.text
    assert browser.post(first.place, data={"name": "ours", "folder": str(tmp_path / "work")}).status_code == 303
    assert first.made == made_before(tmp_path) == tmp_path / "work" / "ours"


def test_of_several_repositories_one_is_opened_by_a_button(browser: TestClient, first: First, tmp_path: Path) -> None:
    for name in ("one", "two"):
        new_repository(tmp_path / name)
    text = browser.get(first.place).text
    assert text.count(">Open</button>") == 2
    answer = browser.post(first.place, data={"name": "two", "folder": str(tmp_path)})
    assert browser.get(answer.headers["location"], follow_redirects=True).url.path == "/w/two"
    assert first.made == tmp_path / "two"


def test_where_nothing_can_be_written_a_letter_says_so(tmp_path: Path) -> None:
    """A file where the folder should be refuses even those who may write everywhere."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ModelworksError) as told:
        made_in(file, "ours")
    assert "W122" in told.value.codes


def test_nobody_else_makes_anything_here(browser: TestClient, tmp_path: Path) -> None:
    """Any page that a browser shows can send it a form, but does not know the link."""
    for place in ("/", "/begin/guessed", "/w/ours", "/static/x/nothing.js"):
        assert browser.get(place).status_code == 404
    assert browser.post("/begin/guessed", data={"name": "ours"}).status_code == 404
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_others_reach_shows_no_such_page(tmp_path: Path) -> None:
    with pytest.raises(ModelworksError) as told:
        serve_first(tmp_path, host="0.0.0.0")
    assert "Y133" in told.value.codes


def test_a_study_is_run_as_it_is_by_one_button(site: Site) -> None:
    """Nothing was typed, so nothing is assumed otherwise and no target is left out."""
    place = f"{site.at}/studies/first-study/run"
    browser = site.browsers["modeller"]
    answer = browser.post(place, data={"form_token": token_on(browser, place)})
    assert answer.status_code == 303
    queue = site.app.state.house.workspace("ours").queue
    job = queue.get(answer.headers["location"].rpartition("/")[2])
    assert job.title == "first-study: report"
    queue.cancel(job.id)


def test_an_empty_repository_is_given_a_study_that_runs(browser: TestClient, first: First, tmp_path: Path) -> None:
    """A team may begin with a folder and its settings alone."""
    enter = browser.post(first.place, data={"name": "ours"}).headers["location"]
    browser.get(enter, follow_redirects=True)
    for folder in ("studies", "data", "models"):
        shutil.rmtree(tmp_path / "ours" / folder)
    assert "There is no study here yet" in browser.get("/w/ours").text
    sent = {"form_token": token_on(browser, "/w/ours")}
    assert browser.post("/w/ours/first-study", data=sent).status_code == 303
    assert "Run it as it is" in browser.get("/w/ours").text
    check_study(tmp_path / "ours" / "studies" / "first-study")
    # Once there is one, nobody gets another by a click too many.
    browser.post("/w/ours/first-study", data=sent)
    assert [each.name for each in Repository.around(tmp_path / "ours").studies()] == ["first-study"]


def test_the_repository_directly_below_is_the_one_meant(tmp_path: Path) -> None:
    """Who started in the folder above starts there again; of several one has to be chosen."""
    assert repository_here(tmp_path) is None
    one = new_repository(tmp_path / "one")
    assert repository_here(tmp_path) == repository_here(one / "studies") == one
    new_repository(tmp_path / "two")
    with pytest.raises(ModelworksError) as told:
        repository_here(tmp_path)
    assert "one, two" in str(told.value)


def test_a_port_is_taken_before_anybody_is_answered_there() -> None:
    """Two websites that start at the same moment: the second one says so, and does not end in the middle."""
    port = free_port()
    with listening("127.0.0.1", port), pytest.raises(ModelworksError) as told:
        listening("127.0.0.1", port)
    assert told.value.codes == ("W119",)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """`modelworks serve` in a folder that holds nothing, and the link it says."""
    command = [sys.executable, "-m", "modelworks", "serve", "--no-browser", "--no-jobs", "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    yield tmp_path, next((line.strip() for line in process.stderr if "/begin/" in line), "")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, 130)


@pytest.mark.slow
def test_a_second_start_finds_the_website_of_what_was_made(started: tuple[Path, str]) -> None:
    """In the same folder, for who made it need not know where it went."""
    folder, link = started
    home = httpx.post(link, data={"name": "ours"}, follow_redirects=True, timeout=PATIENCE)
    assert home.url.path == "/w/ours"
    command = [sys.executable, "-m", "modelworks", "serve", "--no-browser"]
    again = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert "it runs already" in again.stderr
