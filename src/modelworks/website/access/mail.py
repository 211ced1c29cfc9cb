"""Mail to people: what an address is, and letters by the server that a workspace's [notify.mail] names."""

from __future__ import annotations

import re
import secrets
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


def mail_server(repository: Repository) -> Mail | None:
    """The server that takes mail for a repository, where its settings name one."""
    found = channels_of(repository).get("mail")
    return found if isinstance(found, Mail) else None


def send(server: Mail, to: str, subject: str, text: str) -> None:
    """A letter to one person; J151 where the server does not take it."""
    replace(server, to=(to,)).send(Notice(secrets.token_hex(8), "link", subject, text, {}))
