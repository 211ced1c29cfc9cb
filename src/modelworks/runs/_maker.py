"""Who made a run, as far as is known, and whether two names are one person's."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelworks.runs._words import Word

# What stands for a person whom neither git nor the machine knows, and before the name of a schedule.
UNKNOWN, BY_SCHEDULE = "unknown", "the schedule "


@dataclass(frozen=True, slots=True)
class Someone:
    """A person by the name that is shown, and by the one they sign in with, where they do."""

    name: str
    login: str = ""

    def is_same(self, other: Someone) -> bool:
        """Whether two are one person: by what both sign in with, or else by whatever name they have in common."""
        if self.login and other.login:
            return alike(self.login) == alike(other.login)
        return bool(self._names & other._names)

    @property
    def _names(self) -> set[str]:
        return {alike(each) for each in (self.name, self.login) if each}


def alike(name: str) -> str:
    """What names have in common that nobody can tell apart by looking: capitals, spaces, how an accent is stored.

    >>> alike("Zoe\u0308  ADA\u200b") == alike("Zoë Ada")
    True
    """
    seen = "".join(each for each in name if unicodedata.category(each) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold()).split())


def who_said(word: Word) -> Someone:
    """The person of a word."""
    return Someone(word.by, word.login)


def maker_of(record: Mapping[str, Any]) -> Someone | None:
    """Who made a run, by its record; None where no person is known, as of a run that a schedule asked for."""
    known = record.get("provenance") or {}
    name = str(known.get("person") or "")
    if name in ("", UNKNOWN) or name.startswith(BY_SCHEDULE):
        return None
    return Someone(name, str(known.get("login") or ""))


def counts_as_maker(who: Someone, record: Mapping[str, Any], proposal: Word) -> bool:
    """Whether somebody made a run; where it is not known who did, whoever put it forward answers for it."""
    return who.is_same(maker_of(record) or who_said(proposal))
