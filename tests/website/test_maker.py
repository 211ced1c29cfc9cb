"""A run that was begun here belongs to whoever began it, and somebody else signs it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from visitors import let_in, token_on

from modelworks.jobs import Attempt, Claim
from modelworks.runs import Requirement, Run, propose
from modelworks.study import carry_out, new_repository
from modelworks.website import create_app, read_settings
from modelworks.website._house import Workspace

FINE = (Requirement("verdict", True, "fine"),)
Team = dict[str, TestClient]
HTML = {"accept": "text/html"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository on a server, whose git has a name of its own."""
    root = new_repository(tmp_path / "ours")
    for words in (("init", "-q"), ("config", "user.name", "The server")):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def team(root: Path) -> Iterator[Team]:
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as program:
        team = {
            name: TestClient(app, base_url="http://127.0.0.1:8420", follow_redirects=False) for name in ("grace", "ada")
        }
        for name, browser in team.items():
            let_in(browser, app, name, "reviewer")
        yield team | {"program": program}


def begun(team: Team, name: str) -> str:
    """The job of a run as the form has it, but for how far."""
    page = "/w/ours/studies/first-study/run"
    ticked = re.findall(r'type="checkbox" name="([^"]+)" value="yes"', team[name].get(page).text)
    data = {"until": "simulate", "form_token": token_on(team[name], page), **dict.fromkeys(ticked, "yes")}
    done = team[name].post(page, data=data, headers=HTML)
    assert done.status_code == 303, done.text
    return str(done.headers["location"].rpartition("/")[2])


def workspace(team: Team) -> Workspace:
    return team["program"].app.state.house.workspaces["ours"]  # type: ignore[attr-defined,no-any-return]


def worked(team: Team, job: str) -> Run:
    """The run that a job leads to, as a worker carries it out."""
    here = workspace(team)
    order = here.queue.get(job).order
    attempt = Attempt.prepare(here.root / ".modelworks/jobs", Claim(order.id, "a worker", 1, 1, 3, order))
    carry_out(attempt.folder)
    outcome = attempt.outcome()
    assert outcome is not None
    assert outcome["state"] == "done", outcome
    return here.run(outcome["result"]["run"])


def signed(team: Team, name: str, run: Run) -> Any:
    page = f"/w/ours/runs/{run.id}"
    said = {"form_token": token_on(team[name], f"{page}/approve"), "seal": str(workspace(team).index.seal(run.key))}
    return team[name].post(f"{page}/sign", data=said, headers=HTML)


@pytest.mark.slow
def test_who_began_a_run_made_it_and_does_not_sign_it(team: Team) -> None:
    run = worked(team, begun(team, "grace"))
    known = run.record["provenance"]
    assert (known["person"], known["login"]) == ("Grace", "grace")
    listed = team["ada"].get("/w/ours/runs?person=Grace", headers=HTML).text
    assert run.id in listed
    # A run that is there already is what the next one is given, and it stays Grace's.
    again = worked(team, begun(team, "ada"))
    assert (again.key, again.record["provenance"]["person"]) == (run.key, "Grace")
    propose(workspace(team).store, run.key, needs=("reviewer",), found=FINE, by="Ada", login="ada")
    refused = signed(team, "grace", run)
    assert refused.status_code == 409
    assert "Grace made the run" in refused.text
    assert signed(team, "ada", run).status_code == 303


def test_a_program_begins_a_run_for_whoever_it_works_for(team: Team) -> None:
    people = team["program"].app.state.house.people  # type: ignore[attr-defined]
    secret = people.make_token(people.find("grace").id, "a script", "ours", "modeller", 1.0)
    done = team["program"].post(
        "/api/v1/workspaces/ours/jobs",
        json={"study": "first-study", "until": "simulate"},
        headers={"authorization": f"Bearer {secret}"},
    )
    assert done.status_code == 201, done.text
    order = workspace(team).queue.get(done.json()["id"]).order
    assert (order.by, order.task["maker"]) == ("Grace", {"person": "Grace", "login": "grace"})
