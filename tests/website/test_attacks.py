"""What somebody tries who means harm, or whose program is broken: it is answered, in words, and changes nothing."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import servers
from fastapi import params
from fastapi.routing import APIRoute
from starlette.testclient import TestClient
from visitors import PASSWORD, Site, let_in, token_on

from modelworks.inputs import Repository
from modelworks.runs import Run
from modelworks.study import new_repository
from modelworks.website import create_app, read_settings
from modelworks.website._app import ROUTERS
from modelworks.website._guard import FILES, MOST_WRITTEN_BYTES
from modelworks.website.access.people import People

ADDRESS = "http://127.0.0.1:8420"
HTML = {"accept": "text/html"}


def fresh(site: Site) -> TestClient:
    return TestClient(site.app, base_url=ADDRESS, follow_redirects=False, raise_server_exceptions=False)


def invite(site: Site, **said: str) -> Any:
    admin = site.browsers["admin"]
    form = {"role": "viewer", **said, "form_token": token_on(admin, f"{site.at}/people")}
    return admin.post(f"{site.at}/people", data=form, headers=HTML)


# -- addresses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/w/ours/runs/", "//evil.example/", "///evil.example//"])
def test_a_slash_too_many_leads_to_this_site_whatever_host_was_named(site: Site, place: str) -> None:
    """What keeps answers for others would send all of them elsewhere."""
    answer = fresh(site).get(f"{ADDRESS}{place}?a=1", headers={"host": "evil.example"})
    assert answer.status_code in (303, 307)
    assert answer.headers["location"].startswith(("/w/ours/runs?a=1", "/evil.example?a=1", "/sign-in"))


LONG = "a" * 5000


@pytest.mark.parametrize(
    "place", [f"/studies/{LONG}/run", f"/runs/{{run}}/files/{LONG}", f"/data/{LONG}", f"/jobs/{LONG}", f"/runs/{LONG}"]
)
def test_a_name_that_no_disk_takes_is_that_of_nothing(site: Site, place: str) -> None:
    admin = TestClient(
        site.app, base_url=ADDRESS, cookies=site.browsers["admin"].cookies, raise_server_exceptions=False
    )
    assert admin.get(site.at + place.format(run=site.run.id)).status_code == 404


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
def test_a_line_of_the_trail_that_can_not_be_is_a_letter(site: Site, number: int) -> None:
    admin = site.browsers["admin"]
    assert admin.get(f"{site.at}/settings", params={"before": number}).status_code == 422
    assert admin.get(f"{site.at}/settings", params={"before": 2**31 - 1}).status_code == 200


def test_what_members_may_see_lies_in_nobodys_cache(site: Site) -> None:
    """A proxy before the site keeps what it is not told to leave alone."""
    for place in (
        "/api/v1/workspaces",
        "/api/v1/workspaces/ours/runs",
        "/metrics",
        site.at,
        f"{site.at}/feeds/schema.json",
    ):
        assert site.browsers["admin"].get(place).headers["cache-control"] == "no-store", place
    assert "immutable" in fresh(site).get(stylesheet(site)).headers["cache-control"]


def stylesheet(site: Site) -> str:
    return "/static/" + fresh(site).get("/sign-in").text.partition('href="/static/')[2].partition('"')[0]


# -- what is sent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/api/v1/workspaces/ours/jobs", "application/json"), ("/sign-in", "application/x-www-form-urlencoded")],
)
def test_only_files_may_be_large(site: Site, place: str, kind: str) -> None:
    """JSON of a hundred megabytes would take three gigabytes and as many seconds, of nobody in particular."""
    answer = fresh(site).post(place, content=b"[" * (MOST_WRITTEN_BYTES + 1), headers={"content-type": kind})
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["mistakes"][0]["message"]


def form_of(size: int) -> tuple[bytes, dict[str, str]]:
    """A form with files of which one field, which is kept in memory, is so many bytes."""
    field = f'--x\r\nContent-Disposition: form-data; name="reason"\r\n\r\n{"a" * size}\r\n--x--\r\n'
    return field.encode(), {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("place", "who", "status"),
    [("/sign-in", "admin", 413), ("/w/ours/new-data", "nobody", 401), ("/w/ours/new-data", "modeller", 403)],
)
def test_what_is_large_is_read_where_files_are_taken_and_of_whom_we_know(
    site: Site, place: str, who: str, status: int
) -> None:
    """Ten strangers, each with a hundred fields of a megabyte, took a gigabyte: all that stands in a form is kept."""
    sent, headers = form_of(MOST_WRITTEN_BYTES - 500)
    small = fresh(site) if who == "nobody" else site.browsers[who]
    # As large as a form may be it is read, and refused for what it says.
    assert small.post(place, content=sent, headers=headers).status_code == (401 if status == 401 else 403)
    sent, headers = form_of(MOST_WRITTEN_BYTES - 50)
    assert small.post(place, content=sent, headers=headers).status_code == status


def test_what_is_large_is_read_wherever_a_file_is_taken_and_nowhere_else() -> None:
    """A route for a file that the guard does not know of would refuse all but the smallest."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    taking = {
        route.path
        for route in routes
        if any(isinstance(each.field_info, params.File) for each in route.dependant.body_params)
    }
    assert taking
    assert taking == {route.path for route in routes if FILES.fullmatch(re.sub(r"\{[^}]*\}", "a", route.path))}


def test_what_says_twice_how_long_it_is_is_not_read_and_ends_the_connection(site: Site) -> None:
    """A proxy may have taken the other length, and what follows for a question of somebody else."""
    headers = {"transfer-encoding": "chunked", "content-length": "5"}
    told = site.browsers["admin"].post("/w/ours/first-study", content=b"0\r\n\r\n", headers=headers)
    assert (told.status_code, told.headers["connection"]) == (400, "close")
    assert "send Content-Length, or Transfer-Encoding" in told.text


def test_half_a_character_in_json_is_a_letter_and_not_silence(site: Site) -> None:
    """JSON can say half of a character of UTF-16, which no encoding can write."""
    people = site.app.state.house.people
    token = people.make_token(people.find("modeller").id, "a program", "ours", "modeller", 1)
    body = json.dumps({"study": "first-study", "changes": ["value x = \ud800"]})
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    answer = fresh(site).post("/api/v1/workspaces/ours/jobs", content=body, headers=headers)
    assert (answer.status_code, answer.json()["mistakes"][0]["code"]) == (422, "W118")


def test_what_no_encoding_can_write_is_still_said_at_the_terminal() -> None:
    """A log that can not be written would end the answer that it tells of."""
    program = "import sys, modelworks.cli as c; c._never_stumble(sys.stderr); sys.stderr.write('\\ud800 \\udcff')"
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONUTF8": "1"}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"\\ud800 \xff")


def test_one_is_called_what_can_be_read(site: Site) -> None:
    assert invite(site, name="long", title="Ada\r\nBcc: x\0\u202e" + "x" * 1000).status_code == 200
    assert site.app.state.house.people.find("long").title == ("AdaBcc: x" + "x" * 1000)[:100]


def test_who_belongs_already_is_not_given_another_role_by_an_invitation(site: Site) -> None:
    """An admin who types their own name would be none any more, and all would read that they were invited."""
    refused = invite(site, name="Reviewer", role="viewer")
    assert (refused.status_code, "W110" in refused.text) == (422, True)
    people = site.app.state.house.people
    assert people.role(people.find("reviewer").id, "ours") == "reviewer"


def test_who_waits_for_a_link_of_another_team_is_let_in_and_gets_none_from_us(site: Site) -> None:
    """What was done is not answered as if it were refused."""
    people = site.app.state.house.people
    nelly = people.add("nelly", "Nelly")
    people.set_role(nelly.id, "theirs", "viewer")
    done = invite(site, name="nelly", role="modeller")
    assert (done.status_code, done.headers["location"]) == (303, f"{site.at}/people")
    assert people.role(nelly.id, "ours") == "modeller"


# -- what runs hold ----------------------------------------------------------------------------------------


@pytest.fixture
def tampered(a_run: Run) -> Iterator[list[str]]:
    """Files in a run's folder that a browser would run, or whose names would break a header."""
    names = ["a.js", "a.mjs", "a.css", "a.xsl", "a.rdf", "a.svg", "a.xhtml", "a.mml", "a.html.gz", "a.wasm", '图 "x.js']
    for name in names:
        (a_run.path / name).write_text("window.broken = 1", encoding="utf-8")
    yield names
    for name in names:
        (a_run.path / name).unlink()


def test_what_a_run_holds_is_no_page_script_or_style_of_this_site(site: Site, tampered: list[str]) -> None:
    """Our policy allows scripts of this site, so that a file of a run may be none."""
    for name in tampered:
        answer = site.browsers["viewer"].get(f"{site.at}/runs/{site.run.id}/files/{name}")
        assert answer.status_code == 200, name
        # As a picture within a page a drawing runs nothing.
        kind = "image/svg+xml" if name.endswith(".svg") else "application/octet-stream"
        assert answer.headers["content-type"] == kind, name
        assert answer.headers["content-disposition"].startswith("attachment;"), name


def test_pictures_and_records_are_still_shown(site: Site) -> None:
    answer = site.browsers["viewer"].get(f"{site.at}/runs/{site.run.id}/files/run.json")
    assert answer.headers["content-type"] == "application/json"
    assert "content-disposition" not in answer.headers


# -- a disk and a database that refuse ---------------------------------------------------------------------


def test_a_full_disk_is_a_letter(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it is found out: the next one who tries may have more room."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run.json")

    monkeypatch.setattr(Repository, "find_study", full)
    browser = site.browsers["modeller"]
    answer = browser.get(f"{site.at}/studies/first-study/run")
    assert (answer.status_code, answer.json()["mistakes"][0]["code"]) == (503, "R120")


@pytest.mark.needs("postgres", "psycopg")
@pytest.mark.slow
def test_what_postgresql_can_not_keep_is_a_letter_about_what_was_sent(tmp_path: Any) -> None:
    """It was said that the database does not answer, which somebody would get up at night for."""
    root = new_repository(tmp_path / "ours")
    with servers.Postgres() as server:
        with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[website]\ndatabase = "{server.url}"\n')
        app = create_app(read_settings(root))
        with TestClient(app, base_url=ADDRESS, follow_redirects=False) as browser:
            people: People = app.state.house.people
            let_in(browser, app, "ada", "admin")
            token = token_on(browser, "/account")
            for place in ("/account/tokens/a%00b/end", "/account/sessions/a%00b/end"):
                assert browser.post(place, data={"form_token": token}).status_code == 422
            stranger = TestClient(app, base_url=ADDRESS, follow_redirects=False)
            form = {"name": "a\0b", "password": PASSWORD, "form_token": token_on(stranger, "/sign-in")}
            assert stranger.post("/sign-in", data=form).json()["mistakes"][0]["code"] == "W118"
            assert [each.person for each in people.trail("ours")] == ["ada"]
            server.kill()
            away = stranger.post("/sign-in", data={**form, "name": "ada"})
            assert (away.status_code, away.json()["mistakes"][0]["code"]) == (503, "W106")
            server.start()
