"""Mail to people: what an address is, and letters by the server that a workspace's [notify.mail] names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import replace

from modelworks.errors import fail
from modelworks.inputs import Repository
from modelworks.jobs.channels import Notice
from modelworks.jobs.channels.mail import Mail
from modelworks.study import channels_of

# One address alone: a list, or a line break, would send a link to somebody else, too.
_ADDRESS = re.compile(r"[^@\s,;:<>()\"\\]{1,64}@[^@\s,;:<>()\"\\]{1,190}")


def one_address(text: str) -> str:
    """An address of mail, or nothing where none is given; W125 for what is neither.

    >>> one_address(" ada@example.org ")
    'ada@example.org'
    """
    text = text.strip()
    if text and not _ADDRESS.fullmatch(text):
        fail("W125", f"`{text}` is no address of mail", hint="write one address, as in ada@example.org")
    return text


def mail_server(repositories: Iterable[Repository]) -> Mail | None:
    """The first server that takes mail for one of these repositories."""
    found = (channels_of(each).get("mail") for each in repositories)
    return next((each for each in found if isinstance(each, Mail)), None)


def send(server: Mail, to: str, subject: str, text: str) -> None:
    """A letter to one person; J151 where the server does not take it."""
    replace(server, to=(to,)).send(Notice(secrets.token_hex(8), "link", subject, text, {}))
