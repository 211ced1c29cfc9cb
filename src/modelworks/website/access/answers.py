"""What was answered to forms that were refused, kept for whichever process of the website is asked for it next."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import sqlalchemy as sql

from modelworks.website.access.people import People
from modelworks.website.access.tables import ANSWERS, hashed

# Back is pressed within hours; a browser that was open over night finds the form as it was.
SECONDS = 12 * 3600.0
# Of one person. Whoever sends more has seen the first of them long ago.
MOST_KEPT = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, with the browser and the person (by id; empty for nobody) that it was for."""

    status: int
    headers: dict[str, str]
    body: bytes
    browser: str
    person: str


class Answers:
    """Answers by what their address says, in the database of people; of what says it only a hash is kept."""

    def __init__(self, people: People) -> None:
        self._people = people

    def keep(self, token: str, answer: Answer) -> None:
        """Keep an answer for some hours, and of a person the latest only; W106 where the database does not."""
        now, own = time.time(), ANSWERS.c.person == answer.person
        row = {
            "hash": hashed(token), "person": answer.person, "browser": hashed(answer.browser), "time": now,
            "status": answer.status, "headers": json.dumps(answer.headers), "body": answer.body,
        }  # fmt: skip
        latest = sql.select(ANSWERS.c.hash).where(own).order_by(ANSWERS.c.time.desc()).limit(MOST_KEPT)
        with self._people.change() as connection:
            connection.execute(sql.insert(ANSWERS).values(row))
            kept = list(connection.execute(latest).scalars())
            gone = sql.or_(ANSWERS.c.time < now - SECONDS, sql.and_(own, ANSWERS.c.hash.not_in(kept)))
            connection.execute(sql.delete(ANSWERS).where(gone))

    def find(self, token: str, browser: str) -> Answer | None:
        """The answer of an address that was given to this browser; None where it is kept no more."""
        asked = sql.select(ANSWERS).where(ANSWERS.c.hash == hashed(token), ANSWERS.c.browser == hashed(browser))
        with self._people.look() as connection:
            row = connection.execute(asked.where(ANSWERS.c.time > time.time() - SECONDS)).first()
        return None if row is None else Answer(row.status, json.loads(row.headers), row.body, browser, row.person)
