"""How often something may be tried: passwords that did not fit, links asked for by mail, sign-ins by a provider.

What is counted is what was typed, whether or not anybody has that name: a refusal tells nothing about who there is.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sql

from modelworks.errors import fail
from modelworks.website.access.tables import FAILURES

SECONDS = 900.0
# So many in so many seconds, of one name from one address, of one address, and of one name from anywhere.
MOST_FAILURES = {"pair": 8, "address": 40, "name": 80}
# Each may send a mail to somebody who did not ask for it.
MOST_ASKED = {"asked-address": 20, "asked-name": 3}
# Each is a question to the provider, which counts passwords itself.
MOST_BY_PROVIDER = {"provider": 40}


def refuse_too_many(
    connection: sql.Connection, now: float, watched: Mapping[str, str], most: Mapping[str, int]
) -> None:
    """W114 where one of these was tried as often as it may; `watched` says of what and of whom."""
    connection.execute(sql.delete(FAILURES).where(FAILURES.c.time < now - SECONDS))
    for what, about in watched.items():
        asked = sql.select(sql.func.count()).where(FAILURES.c.about == f"{what} {about}")
        if connection.execute(asked).scalar_one() >= most[what]:
            fail("W114", "that was tried too often", hint=f"try again in {round(SECONDS / 60)} minutes")


def count(connection: sql.Connection, now: float, watched: Mapping[str, str]) -> None:
    """One more of each."""
    rows = [{"about": f"{what} {about}", "time": now} for what, about in watched.items()]
    connection.execute(sql.insert(FAILURES), rows)


def take_back(connection: sql.Connection, now: float, watched: Mapping[str, str]) -> None:
    """What was counted at that moment was none that failed."""
    about = FAILURES.c.about.in_([f"{what} {about}" for what, about in watched.items()])
    connection.execute(sql.delete(FAILURES).where(about, FAILURES.c.time == now))


def forget(connection: sql.Connection, what: str, about: str) -> None:
    """What was counted of this is of no account any more."""
    connection.execute(sql.delete(FAILURES).where(FAILURES.c.about == f"{what} {about}"))
