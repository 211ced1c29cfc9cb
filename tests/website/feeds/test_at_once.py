"""What was approved, superseded or withdrawn is told so by the next answer of every process, whatever is asked for."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from feeds_runs import write_run
from ports import free_port
from starlette.testclient import TestClient

from modelworks.runs import Run, Store, propose
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings
from modelworks.website.access.people import People

# A server is started.
pytestmark = pytest.mark.slow

POSTGRES = pytest.param("postgres", marks=pytest.mark.needs("postgres", "psycopg"))
PATIENCE_SECONDS = 120.0
ATOM = "{http://www.w3.org/2005/Atom}"


@dataclass
class Team:
    """One website in two processes, this one and another, over the same runs."""

    processes: tuple[httpx.Client, httpx.Client]
    store: Store
    runs: list[Run]

    def deed(self, process: int, run: Run, what: str, said: dict[str, str]) -> None:
        path = f"/api/v1/workspaces/ours/promotions/{run.id}/{what}"
        self.processes[process].post(path, json=said).raise_for_status()

    def approve(self, process: int, run: Run) -> None:
        propose(self.store, run.key, needs=("reviewer",), found=(), by="Ada")
        self.deed(process, run, "sign", {"role": "reviewer"})

    def told(self) -> list[dict[str, list[str]]]:
        """By each process, which runs are approved, by what was asked."""
        return [_told(process, self.runs) for process in self.processes]


def _told(process: httpx.Client, runs: list[Run]) -> dict[str, list[str]]:
    def get(path: str) -> httpx.Response:
        return process.get(path, headers={"accept": "*/*"}).raise_for_status()

    feeds, api = "/w/ours/feeds", "/api/v1/workspaces/ours"
    atom = ElementTree.fromstring(get(f"{feeds}/approved.atom").content).iter(f"{ATOM}entry")
    stands = {e.findtext(f"{ATOM}id"): e.find(f"{ATOM}category").get("term") for e in atom}  # type: ignore[union-attr]
    found = {
        "OData, all": [row["id"] for row in get(f"{feeds}/all/odata/runs?$filter=approved").json()["value"]],
        "OData, approved": [row["id"] for row in get(f"{feeds}/approved/odata/runs").json()["value"]],
        "OData, numbers": [row["run"] for row in get(f"{feeds}/approved/odata/quantities").json()["value"]],
        "CSV, all": [
            row["id"] for row in csv.DictReader(get(f"{feeds}/all/runs.csv").text.splitlines())
            if row["approved"] == "true"
        ],
        "CSV, approved": [row["id"] for row in csv.DictReader(get(f"{feeds}/approved/runs.csv").text.splitlines())],
        "Atom": [re.findall(r"(\w+)#", str(name))[0] for name, state in stands.items() if state == "approved"],
        "API": [row["id"] for row in get(f"{api}/runs?approved=true").json()["runs"]],
    }  # fmt: skip
    home = process.get("/w/ours", headers={"accept": "text/html"}).raise_for_status().text
    found["Home"] = re.findall(r'/runs/(\w+)/approve"><span class="state done">Approved', home)
    for run in runs:
        of_run = get(f"{feeds}/runs/{run.id}/odata/runs").json()["value"]
        found.setdefault("OData, of a run", []).extend(row["id"] for row in of_run if row["approved"])
    return {what: sorted(each) for what, each in found.items()}


@pytest.fixture(params=["sqlite", POSTGRES])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    root = new_repository(tmp_path / "ours")
    shutil.copytree(root / "studies" / "first-study", root / "studies" / "flu")
    store = store_around(root)
    runs = [write_run(store, tmp_path / "made", number) for number in range(2)]
    if request.param == "postgres":
        url, file = request.getfixturevalue("postgres_url"), root / "modelworks.toml"
        text = f'index = "{url}"\n{file.read_text(encoding="utf-8")}\n[website]\ndatabase = "{url}"\n'
        file.write_text(text, encoding="utf-8")
    settings = read_settings(root)
    people = People(settings.database, settings.session_days)
    someone = people.add("grace", "Grace")
    people.set_role(someone.id, "ours", "admin")
    token = {"Authorization": f"Bearer {people.make_token(someone.id, 'tests', 'ours', 'admin', 1)}"}
    people.close()
    port = free_port()
    command = [sys.executable, "-m", "modelworks", "serve", "--no-browser", "--no-jobs", "--port", str(port)]
    with ExitStack() as stack:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        other = stack.enter_context(
            subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        stack.callback(other.terminate)
        here = stack.enter_context(TestClient(create_app(settings), base_url="http://127.0.0.1:8420", headers=token))
        there = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=token, timeout=PATIENCE_SECONDS)
        )
        _until_ready(there, other)
        yield Team((here, there), store, runs)


def _until_ready(process: httpx.Client, other: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert other.poll() is None
        assert time.monotonic() < end
        try:
            process.get("/readyz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return


def test_what_is_approved_is_told_at_once_and_alike_by_all(team: Team) -> None:
    first, second = team.runs

    def check(approved: list[Run]) -> None:
        for told in team.told():
            assert {what: runs for what, runs in told.items() if runs != [run.id for run in approved]} == {}

    check([])
    team.approve(0, first)
    check([first])
    team.approve(1, second)
    check([second])
    team.deed(0, second, "withdraw", {"reason": "wrong data"})
    check([])
