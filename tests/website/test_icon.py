"""An icon for whoever has no terminal: what is written, what a click does, and the button that ends it all."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient
from visitors import token_on

from modelworks.caches import cache_folder
from modelworks.errors import ModelworksError, fail
from modelworks.study import new_repository
from modelworks.website import clicked, create_app, first_running, make_icons, read_settings, sign_in_link
from modelworks.website._icon import MOST_PORTS, _at_a_free_port, desktop_entry
from modelworks.website._settings import PORT

PATIENCE = 120.0


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is kept of first starts stays out of the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("modelworks.website._first.cache_folder", lambda kind: folder / kind)


def values(entry: str) -> dict[str, str]:
    """What a desktop reads: the escapes of a value undone (section 4 of the specification)."""
    assert entry.startswith("[Desktop Entry]\n")
    said = dict(line.split("=", 1) for line in entry.splitlines()[1:])
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    return {key: re.sub(r"\\(.)", lambda found: escapes[found[1]], value) for key, value in said.items()}


@pytest.mark.parametrize(
    "folder", ["/plain", "/with space", "/50% $HOME `x`", "/a \"quote\" \\ and 'one'", "/a\nb;c&d"]
)
def test_a_folder_of_any_name_comes_back_from_the_command(folder: str) -> None:
    """Within double quotes what a shell minds is escaped as for a shell, and a percent sign is doubled."""
    said = values(desktop_entry(f"Ours {folder}", ["python", folder]))
    told = subprocess.run(["sh", "-c", f"printf '%s\\0' {said['Exec']}"], capture_output=True, text=True, check=True)
    assert told.stdout.replace("%%", "%").split("\0")[:-1] == ["python", folder]
    assert said["Name"] == f"Ours {folder}"
    assert Path(said["Icon"]).is_file()


def test_the_icon_is_among_the_programs_and_on_the_desktop_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    root, home = new_repository(tmp_path / "ours"), tmp_path / "home"
    home.mkdir()
    assert [each.parent for each in make_icons(root / "studies", home)] == [home / ".local/share/applications"]
    (home / "Schreibtisch").mkdir()
    (home / ".config").mkdir()
    (home / ".config/user-dirs.dirs").write_text('XDG_DESKTOP_DIR="$HOME/Schreibtisch"\n', encoding="utf-8")
    made = make_icons(root, home)
    assert made[1].parent == home / "Schreibtisch"
    assert {os.access(each, os.X_OK) for each in made} == {True}
    said = values(made[1].read_text(encoding="utf-8"))
    assert shlex.split(said["Exec"]) == [sys.executable, "-m", "modelworks", "serve", "--from-icon", str(root)]


def test_on_a_mac_it_is_a_command_and_elsewhere_a_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    [made] = make_icons(tmp_path, tmp_path)
    assert made == tmp_path / "Desktop" / "modelworks.command"
    shebang, command = made.read_text(encoding="utf-8").splitlines()
    assert shebang == "#!/bin/sh"
    assert shlex.split(command)[-2:] == ["--from-icon", str(tmp_path)]
    (tmp_path / "file").touch()
    with pytest.raises(ModelworksError) as told:
        make_icons(tmp_path, tmp_path / "file")
    assert told.value.codes == ("W128",)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ModelworksError) as told:
        make_icons(tmp_path, tmp_path)
    assert told.value.codes == ("W128",)


def test_a_port_of_another_program_is_left_to_it() -> None:
    """Whoever clicks chooses no port; a letter of any other kind is told at once."""
    tried: list[int | None] = []

    def start(port: int | None) -> None:
        tried.append(port)
        if port is None or port < PORT + 3:
            fail("W119", "taken")

    _at_a_free_port(start)
    assert tried == [None, PORT + 1, PORT + 2, PORT + 3]

    def never(port: int | None) -> None:
        tried.append(port)
        fail("W119", "taken")

    tried.clear()
    with pytest.raises(ModelworksError):
        _at_a_free_port(never)
    assert len(tried) == MOST_PORTS


def test_what_stands_in_the_way_is_a_page(tmp_path: Path) -> None:
    """Who clicked reads no terminal."""
    (tmp_path / "modelworks.toml").write_text("[website\n", encoding="utf-8")
    shown: list[str] = []
    clicked(tmp_path, shown.append)
    text = Path(shown[0].removeprefix("file://")).read_text(encoding="utf-8")
    assert "Y132" in text


# -- the button -----------------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[TestClient, list[str]]]:
    """Somebody's own website, with its owner signed in, and what was done to stop it."""
    root = new_repository(tmp_path / "ours")
    app, stopped = create_app(read_settings(root)), []
    with TestClient(app, base_url="http://127.0.0.1:8420", follow_redirects=True) as browser:
        app.state.stop = lambda: stopped.append("stopped")
        browser.get(sign_in_link(root, ""))
        yield browser, stopped


def test_the_owner_ends_their_own_website_by_a_button(own: tuple[TestClient, list[str]]) -> None:
    browser, stopped = own
    assert 'href="/stop"' in browser.get("/").text
    assert "No job runs or waits." in browser.get("/stop").text
    assert browser.post("/stop").status_code == 403
    assert stopped == []
    assert "has stopped" in browser.post("/stop", data={"form_token": token_on(browser, "/stop")}).text
    assert stopped == ["stopped"]
    people = browser.app.state.house.people
    assert [each.person for each in people.done("", ("stopped the website",), "")] == ["owner"]


def test_nobody_ends_a_website_that_is_not_their_own(own: tuple[TestClient, list[str]]) -> None:
    browser, stopped = own
    token = token_on(browser, "/stop")
    browser.app.state.stop = None
    assert 'href="/stop"' not in browser.get("/").text
    assert browser.get("/stop").status_code == 404
    assert browser.post("/stop", data={"form_token": token}).status_code == 404
    assert stopped == []


# -- a click ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_of_two_clicks_one_starts_it_and_both_open_it_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the page that makes a repository, wherever its owner wants it; then, at each click, that repository."""
    folder, home = tmp_path / "my 50% folder", tmp_path / "elsewhere"
    folder.mkdir()
    home.mkdir()
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("modelworks.website._first.cache_folder", cache_folder)
    opened, record = tmp_path / "opened", tmp_path / "browser"
    record.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(opened))}\n', encoding="utf-8")
    record.chmod(0o755)
    entry = values(desktop_entry("Ours", [sys.executable, "-m", "modelworks", "serve", "--from-icon", str(folder)]))
    command = [each.replace("%%", "%") for each in shlex.split(entry["Exec"])]

    def click() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env={**os.environ, "BROWSER": f"{record} %s"})

    def links(number: int) -> list[str]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = opened.read_text(encoding="utf-8").splitlines() if opened.exists() else []
            if len(found) >= number:
                return found
            time.sleep(0.1)
        raise AssertionError(f"{number} pages were not opened in time")

    clicks = [click(), click()]
    try:
        first, second = links(2)
        assert first == second == first_running(folder)
        with httpx.Client(follow_redirects=True, timeout=PATIENCE) as browser:
            assert browser.post(first, data={"name": "ours", "folder": str(home)}).url.path == "/w/ours"
            clicks.append(click())
            answer = browser.get(links(3)[2])
            assert answer.url.path == "/w/ours"
            assert json.loads((home / "ours/.modelworks/website.json").read_text("utf-8"))["address"] in str(answer.url)
            form = browser.get(answer.url.join("/stop"))
            token = re.search(r'name="form_token" value="([^"]*)"', form.text)
            assert token is not None
            assert "has stopped" in browser.post(form.url, data={"form_token": token[1]}).text
        assert [each.wait(timeout=PATIENCE) for each in clicks] == [0, 0, 0]
    finally:
        for each in clicks:
            if each.poll() is None:
                each.send_signal(signal.SIGKILL)
            each.wait(timeout=PATIENCE)
