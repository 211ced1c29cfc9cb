"""Who may see what: every route of the website, asked by everybody."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from visitors import KINDS, Site

from modelworks.study import propose_file
from modelworks.website._app import ROUTERS
from modelworks.website._render import digest
from modelworks.website.access.people import ROLES
from modelworks.website.access.visits import SAFE, Needs, in_person, person
from modelworks.website.pages.data import EXAMPLE

pytestmark = pytest.mark.needs("git")

# For those who are nobody yet: the door, what is the same for all, and whether the site is alive.
PUBLIC = {
    "/", "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/forgotten", "/enter/{secret}", "/password/{secret}",
    "/static/{version}/{name}", "/healthz", "/readyz",
}  # fmt: skip


# Of what this site has nothing to show even those who may are told so: no run with draws, no scenario of one, and no
# two runs with figures, which `test_explore.py` and `test_compare.py` have; and nobody whose own it is: `test_icon.py`.
NOTHING_THERE = {
    "/w/{workspace}/runs/{run_id}/explore", "/w/{workspace}/runs/{run_id}/explore.json",
    "/w/{workspace}/runs/{run_id}/explore.png", "/w/{workspace}/scenarios/{scenario}",
    "/w/{workspace}/compare/{figure}.svg", "/stop",
}  # fmt: skip


@pytest.fixture(scope="module")
def proposal(site: Site) -> Iterator[str]:
    """A dataset whose file git has, and another file that is proposed for it; gone again afterwards."""
    data, git = site.root / "data", ("git", "-C", str(site.root), "-c", "user.name=Git", "-c", "user.email=g@e.org")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    table = "week,cases\n2021-01-04,10\n"
    (data / "raw").mkdir(exist_ok=True)
    (data / "raw" / "cases.csv").write_text(table, encoding="utf-8")
    entry = EXAMPLE.replace("CHECKSUM", hashlib.sha256(table.encode()).hexdigest())
    (data / "catalogue.yaml").write_text(entry, encoding="utf-8")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=Begin")):
        subprocess.run((*git, *words), check=True, capture_output=True)
    yield propose_file(site.root, "cases", f"{table}2021-01-11,20\n".encode(), why="so", by="Ada", login="ada")
    shutil.rmtree(site.root / ".git")
    for path in {path for path in data.rglob("*") if path.is_file()} - {*before}:
        path.unlink()
    for path, found in before.items():
        path.write_bytes(found)


def routes() -> list[APIRoute]:
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def calls(dependant: Any) -> Iterator[Any]:
    """Everything that a route asks before it answers."""
    for each in dependant.dependencies:
        yield each.call
        yield from calls(each)


def role_of(route: APIRoute) -> str | None:
    """The role that a route needs; `person` where anybody who is signed in will do, None where nobody is asked."""
    asked = list(calls(route.dependant))
    roles = [each.role for each in asked if isinstance(each, Needs)]
    return max(roles, key=ROLES.index) if roles else ("person" if {person, in_person} & {*asked} else None)


def test_every_route_asks_who_comes_unless_it_is_on_the_short_list() -> None:
    """Forgetting it is the commonest hole of all."""
    open_to_all = {route.path for route in routes() if role_of(route) is None}
    assert open_to_all == PUBLIC


def test_every_route_of_a_workspace_asks_for_a_role_in_it() -> None:
    """Being signed in is not enough to see another team's work."""
    unasked = [route.path for route in routes() if route.path.startswith("/w/") and role_of(route) in (None, "person")]
    assert unasked == []


def test_the_walk_leads_past_every_route(site: Site, proposal: str) -> None:
    """A page that is new is asked for as well, or this fails: at an address without anything left open."""
    assert [each.original_router for each in site.app.routes] == [*ROUTERS]
    assert [route for router in ROUTERS for route in router.routes if not isinstance(route, APIRoute)] == []
    walked = [path for route in routes() for _, path in asked_of(site, proposal, route)]
    assert [path for path in walked if "{" in path] == []
    assert {each.path for each in routes()} >= NOTHING_THERE


def asked_of(site: Site, proposal: str, route: APIRoute) -> Iterator[tuple[str, str]]:
    """Each method of a route, with an address that leads to something."""
    known = {
        "workspace": "ours", "run_id": site.run.id, "name": "outputs", "name:path": "run.json", "job_id": site.job,
        "study": "first-study", "dataset": "cases", "person_id": "none", "token_id": "none", "session": "none",
        "scenario": "none", "view": "none", "proposal": proposal, "figure": "compared", "secret": "none",
        "version": digest("style.css"),
    }  # fmt: skip
    known |= {"feed": "approved", "path:path": "runs", "table": "quantities", "form": "csv"}
    if route.path.startswith("/static/"):
        known["name"] = "style.css"
    queries = {"compare": f"?run={site.run.id}&run={site.run.id}", "believed": "?name=contact_rate&text=0.4"}
    path = route.path + queries.get(route.path.rpartition("/")[2], "")
    for name, value in known.items():
        path = path.replace(f"{{{name}}}", value)
    yield from ((method, path) for method in sorted(route.methods))


def expected(kind: str, route: APIRoute, method: str) -> set[int]:
    """What a kind of person gets: a stranger to the workspace learns nothing, a lesser role is told so."""
    role = role_of(route)
    if role is None:
        return set(range(200, 500)) - {401, 403, 404} if method in SAFE else {403}
    if kind == "nobody":
        return {401}
    if role == "person":
        return {403} if method not in SAFE else {404} if route.path in NOTHING_THERE else {200}
    if method not in SAFE:
        # None of these carries the token of a form.
        return {403}
    if kind == "stranger":
        return {404}
    if ROLES.index(kind) < ROLES.index(role):  # type: ignore[arg-type]
        return {403}
    return {404} if route.path in NOTHING_THERE else {200}


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_gets_of_every_route_what_is_theirs(site: Site, proposal: str, kind: str) -> None:
    """One table of answers, made of the roles that the routes themselves ask for."""
    wrong = []
    for route in routes():
        for method, path in asked_of(site, proposal, route):
            got = site.browsers[kind].request(method, path).status_code
            if got not in expected(kind, route, method):
                wrong.append(f"{method} {path} ({role_of(route)}): {got}")
    assert not wrong, "\n".join(wrong)
