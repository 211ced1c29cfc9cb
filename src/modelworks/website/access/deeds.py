"""What is done elsewhere than in the database of people, in the trail whenever the website is killed.

It is written down before it is begun and again when it is done, as one does who works where the power may go.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sql

from modelworks.errors import ModelworksError
from modelworks.website.access.people import People
from modelworks.website.access.tables import BEGUN

# Longer than a model is waited for: what was begun before is not under way any more.
UNFINISHED_SECONDS = 900.0
PERHAPS = "perhaps: the website was stopped in the middle"
# Whoever hears that a database does not answer, by these letters, does not know whether it had done what it was asked.
_UNSURE = {"W106": "people", "J101": "the queue of jobs", "R150": "the index of runs"}


@contextmanager
def deed(
    people: People, person: str, workspace: str, what: str, about: str, address: str
) -> Iterator[Callable[[str], None]]:
    """Something that somebody does in this block: its line of the trail is written when it is done.

    What it was about may be told better by calling what is given. What is refused by a letter was not done.
    """
    id, told = secrets.token_hex(8), [about]
    row = {"id": id, "began": time.time(), "person": person, "workspace": workspace, "what": what, "about": about}
    with people.change() as connection:
        connection.execute(sql.insert(BEGUN).values(**row, address=address))
    try:
        yield told.append
    except ModelworksError as error:
        if not _UNSURE.keys() & {*error.codes}:
            with people.change() as connection:
                connection.execute(sql.delete(BEGUN).where(BEGUN.c.id == id))
        raise
    with people.change() as connection:
        connection.execute(sql.delete(BEGUN).where(BEGUN.c.id == id))
        people.note(person, workspace, what, told[-1], address)


def tell_of_unfinished(people: People) -> None:
    """A line for each deed of which nobody knows whether it was done; its time is that of this line."""
    old = BEGUN.c.began < time.time() - UNFINISHED_SECONDS
    with people.look() as connection:
        if connection.execute(sql.select(BEGUN.c.id).where(old)).first() is None:
            return
    with people.change() as connection:
        for each in connection.execute(sql.select(BEGUN).where(old).order_by(BEGUN.c.began)).all():
            connection.execute(sql.delete(BEGUN).where(BEGUN.c.id == each.id))
            people.note(each.person, each.workspace, f"{each.what}, {PERHAPS}", each.about, each.address)
