"""What people found by exploring runs and gave a name: where the controls stood, for everybody of the workspace."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sql

from modelworks.errors import fail
from modelworks.logs import stamp, utc_now
from modelworks.website._house import no_such_place
from modelworks.website.access.people import People
from modelworks.website.access.tables import SCENARIOS

LONGEST_TITLE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A scenario under a name: of which run (its key), what its address says (`query`), and who saved it when (UTC)."""

    id: str
    workspace: str
    run: str
    title: str
    query: str
    person: str
    since: str

    @property
    def run_id(self) -> str:
        return self.run.rpartition("-")[2]

    @property
    def study(self) -> str:
        return self.run.partition("/")[0]

    @property
    def moved(self) -> str:
        """Where the controls stand, whichever output was looked at."""
        return moved_in(self.query)


def moved_in(query: str) -> str:
    """What an address says of controls; the output that it shows comes first in it."""
    return query.partition("&")[2]


def save(people: People, workspace: str, run: str, title: str, query: str, by: str) -> str:
    """Keep where the controls stand under a name, and give its id.

    Raises
    ------
    ModelworksError
        W126 for a name that is none or is taken, or where nothing was moved.
    """
    title = " ".join(title.split())
    if not 0 < len(title) <= LONGEST_TITLE:
        fail("W126", f"a name has one letter to {LONGEST_TITLE}", hint="write what was moved, as in: half the contacts")
    if not moved_in(query):
        fail("W126", "nothing was moved, so there is no scenario to save", hint="move a slider first")
    made = Found(secrets.token_hex(4), workspace, run, title, query, by, stamp(utc_now()))
    with people.change() as connection:
        same = (SCENARIOS.c.workspace == workspace, SCENARIOS.c.run == run, SCENARIOS.c.title == title)
        if connection.execute(sql.select(SCENARIOS.c.id).where(*same)).first():
            fail("W126", f"a scenario of this run is called `{title}` already", hint="give this one another name")
        row = {name: getattr(made, name) for name in Found.__dataclass_fields__}
        connection.execute(sql.insert(SCENARIOS).values(row))
    return made.id


def saved(people: People, workspace: str, run: str | None = None) -> list[Found]:
    """What was saved in a workspace, or of one of its runs; the latest first."""
    asked = sql.select(SCENARIOS).where(SCENARIOS.c.workspace == workspace)
    if run is not None:
        asked = asked.where(SCENARIOS.c.run == run)
    with people.look() as connection:
        rows = connection.execute(asked.order_by(SCENARIOS.c.since.desc(), SCENARIOS.c.id)).all()
    return [Found(**row._mapping) for row in rows]


def saved_one(people: People, workspace: str, scenario: str) -> Found:
    """A scenario by its id; W104 where there is none in this workspace."""
    found = next((each for each in saved(people, workspace) if each.id == scenario), None)
    return found or no_such_place()


def remove(people: People, workspace: str, scenario: str) -> None:
    """Forget a scenario; the runs that were made of it stay."""
    with people.change() as connection:
        mine = (SCENARIOS.c.workspace == workspace, SCENARIOS.c.id == scenario)
        connection.execute(sql.delete(SCENARIOS).where(*mine))


def named(found: Collection[Found], query: str) -> Found | None:
    """The scenario in which the controls stand where this address says, if it was saved."""
    stands = moved_in(query)
    return next((each for each in found if stands and each.moved == stands), None)
