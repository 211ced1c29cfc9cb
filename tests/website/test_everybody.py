"""Who may see what: every route of the website, asked by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from visitors import KINDS, Site

from modelworks.website._app import ROUTERS
from modelworks.website.access.people import ROLES
from modelworks.website.access.visits import Needs, in_person, person

# For those who are nobody yet: the door, what is the same for all, and whether the site is alive.
PUBLIC = {
    "/", "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/forgotten", "/enter/{secret}", "/password/{secret}",
    "/static/{version}/{name}", "/healthz", "/readyz",
}  # fmt: skip


# What takes a run with draws, which this site has none of; `test_explore.py` asks it.
OF_DRAWS = ("/explore", "/explore.json", "/explore.png", "/scenarios/{scenario}")

# What takes a dataset whose file git has, which this site has none of; `test_proposals.py` asks it.
OF_DATA = ("{dataset}", "/propose", "/proposals/{proposal}")


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


def asked_of(site: Site, route: APIRoute) -> Iterator[tuple[str, str]]:
    """Each method of a route, with an address that leads to something."""
    known = {
        "workspace": "ours", "run_id": site.run.id, "name": "outputs", "name:path": "run.json", "job_id": site.job,
        "study": "first-study", "dataset": "nothing", "person_id": "none", "token_id": "none", "session": "none",
        "scenario": "none", "proposal": "none",
    }  # fmt: skip
    known |= {"feed": "approved", "path:path": "runs", "table": "quantities", "form": "csv"}
    query = f"?run={site.run.id}&run={site.run.id}" if route.path.endswith("/compare") else ""
    path = f"{route.path}{query}"
    for name, value in known.items():
        path = path.replace(f"{{{name}}}", value)
    yield from ((method, path) for method in sorted(route.methods))


def expected(kind: str, role: str | None, method: str) -> set[int]:
    """What a kind of person gets: a stranger to the workspace learns nothing, a lesser role is told so."""
    if role is None:
        return set(range(200, 500)) - {401, 403, 404} if method == "GET" else {403}
    if kind == "nobody":
        return {401}
    if role == "person":
        return {403} if method != "GET" else {200}
    if method != "GET":
        # None of these carries the token of a form.
        return {403}
    if kind == "stranger":
        return {404}
    return {200} if ROLES.index(kind) >= ROLES.index(role) else {403}  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_everybody_gets_of_every_route_what_is_theirs(site: Site, kind: str) -> None:
    """One table of answers, made of the roles that the routes themselves ask for."""
    wrong = []
    for route in routes():
        if route.path.endswith((*OF_DRAWS, "{secret}", "/static/{version}/{name}", *OF_DATA)):
            continue
        for method, path in asked_of(site, route):
            got = site.browsers[kind].request(method, path).status_code
            if got not in expected(kind, role_of(route), method):
                wrong.append(f"{method} {path} ({role_of(route)}): {got}")
    assert not wrong, "\n".join(wrong)
