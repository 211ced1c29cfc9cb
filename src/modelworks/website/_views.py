"""Views of the list of runs that somebody gave a name: what its address asks, for themselves or for the workspace."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import sqlalchemy as sql

from modelworks.errors import fail
from modelworks.logs import stamp, utc_now
from modelworks.website._house import no_such_place
from modelworks.website.access.people import People
from modelworks.website.access.tables import PEOPLE, VIEWS

LONGEST_TITLE = 60
LONGEST_QUERY = 2000
# So many somebody may have in a workspace.
MOST = 100


@dataclass(frozen=True, slots=True)
class View:
    """What an address asks of the runs (`query`), under a name; `person` is the account whose it is, `by` their name.

    Whoever else belongs to the workspace sees it where it is `shared`.
    """

    id: str
    workspace: str
    person: str
    by: str
    title: str
    query: str
    shared: bool
    since: str


def save_view(people: People, workspace: str, person: str, title: str, query: str, *, shared: bool) -> View:
    """Keep what an address asks under a name.

    Raises
    ------
    ModelworksError
        W150 for a name that is none or is one's own already, an address that asks nothing or too much, or one too many.
    """
    title = " ".join("".join(each if each.isprintable() else " " for each in title).split())
    if not 0 < len(title) <= LONGEST_TITLE:
        fail("W150", f"a name has one letter to {LONGEST_TITLE}", hint="write what is in the list: stopped in November")
    if not 0 < len(query) <= LONGEST_QUERY:
        problem = "too much is asked at once" if query else "nothing is asked of the list, so there is no view to save"
        fail("W150", problem, hint="narrow the list, sort it or choose its columns, and give that a name")
    made = secrets.token_hex(4)
    row = {
        "id": made, "workspace": workspace, "person": person, "title": title, "query": query,
        "shared": shared, "since": stamp(utc_now()),
    }  # fmt: skip
    with people.change() as connection:
        own = (VIEWS.c.workspace == workspace, VIEWS.c.person == person)
        titles = set(connection.execute(sql.select(VIEWS.c.title).where(*own)).scalars())
        if title in titles:
            fail("W150", f"a view of yours is called `{title}` already", hint="give this one another name")
        if len(titles) >= MOST:
            fail("W150", f"you have {MOST} views already", hint="remove one that you do not need")
        connection.execute(sql.insert(VIEWS).values(row))
    return one_view(people, workspace, person, made)


def views(people: People, workspace: str, person: str) -> list[View]:
    """What somebody sees: their own by name, and then what others share."""
    named = [each if each.name != "person" else PEOPLE.c.title.label("by") for each in VIEWS.c]
    seen = (VIEWS.c.workspace == workspace, sql.or_(VIEWS.c.person == person, VIEWS.c.shared))
    asked = sql.select(VIEWS.c.person, *named).join(PEOPLE, PEOPLE.c.id == VIEWS.c.person).where(*seen)
    with people.look() as connection:
        found = [View(**row._mapping) for row in connection.execute(asked)]
    return sorted(found, key=lambda each: (each.person != person, each.title.casefold(), each.id))


def one_view(people: People, workspace: str, person: str, view: str) -> View:
    """A view that somebody sees, by its id; W104 where there is none."""
    return next((each for each in views(people, workspace, person) if each.id == view), None) or no_such_place()


def share_view(people: People, view: View, *, shared: bool) -> None:
    """Let everybody of the workspace see a view, or nobody else any more."""
    with people.change() as connection:
        connection.execute(sql.update(VIEWS).where(VIEWS.c.id == view.id).values(shared=shared))


def remove_view(people: People, view: View) -> None:
    """Forget a name; the runs stay."""
    with people.change() as connection:
        connection.execute(sql.delete(VIEWS).where(VIEWS.c.id == view.id))
