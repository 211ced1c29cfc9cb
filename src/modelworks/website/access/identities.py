"""Who of the people here comes from a provider of sign-ins: found once by mail, then by what never changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import sqlalchemy as sql

from modelworks.errors import ModelworksError, fail
from modelworks.logs import stamp, utc_now
from modelworks.website.access import tries
from modelworks.website.access.oidc import Identity
from modelworks.website.access.people import People, Person
from modelworks.website.access.tables import IDENTITIES, PEOPLE


def person_of(people: People, came: Identity, address: str) -> Person:
    """The person to whom an identity belongs. Nobody is made: whoever is not invited does not come in.

    Raises
    ------
    ModelworksError
        W136 for somebody who is not known here, or by an address that is not verified, or that several people have.
    """
    mine = (IDENTITIES.c.issuer == came.issuer, IDENTITIES.c.subject == came.subject)
    with people.change() as connection:
        known = connection.execute(sql.select(IDENTITIES.c.person).where(*mine)).scalar()
        is_new = known is None
        if known is None:
            known = _by_mail(connection, came)
            row = {"issuer": came.issuer, "subject": came.subject, "person": known, "since": stamp(utc_now())}
            connection.execute(sql.insert(IDENTITIES).values(row))
        someone = people.get(known)
        if someone is None or not someone.active:
            _unknown("your account here is closed")
        if is_new:
            people.note(someone.name, "", "is from now on known by", f"{came.issuer} {came.subject}", address)
    return someone


@contextmanager
def counting(people: People, address: str) -> Iterator[None]:
    """Count where a sign-in by a provider fails; W114 after too many from one address.

    What did not begin here costs nothing and is not counted: a page of another site could make somebody send it.
    """
    watched = {"provider": address}
    with people.change() as connection:
        tries.refuse_too_many(connection, time.time(), watched, tries.MOST_BY_PROVIDER)
    try:
        yield
    except ModelworksError as error:
        if {"W135", "W136"} & {*error.codes}:
            with people.change() as connection:
                tries.count(connection, time.time(), watched)
        raise


def forget(people: People, person: str) -> None:
    """Somebody is looked for by their address again when they come the next time."""
    with people.change() as connection:
        connection.execute(sql.delete(IDENTITIES).where(IDENTITIES.c.person == person))


def _by_mail(connection: sql.Connection, came: Identity) -> str:
    """The one who has this address, and is not known by another identity of this provider yet."""
    if not came.mail:
        _unknown("the provider does not say that your address of mail is verified")
    wanted = came.mail.strip().lower()
    called = sql.or_(PEOPLE.c.name == wanted, sql.func.lower(PEOPLE.c.mail) == wanted)
    found = connection.execute(sql.select(PEOPLE.c.id).where(called, PEOPLE.c.active)).scalars().all()
    if len(found) != 1:
        _unknown(f"{'several people here have' if found else 'nobody here has'} the address {wanted}")
    # Addresses are given to others when somebody leaves; their account here is not.
    taken = (IDENTITIES.c.issuer == came.issuer, IDENTITIES.c.person == found[0])
    if connection.execute(sql.select(IDENTITIES.c.subject).where(*taken)).first():
        _unknown(f"whoever has the address {wanted} here came with another account of the provider before")
    return str(found[0])


def _unknown(reason: str) -> NoReturn:
    fail("W136", f"you can not come in: {reason}", hint="an admin of your team invites you, or sets your address anew")
