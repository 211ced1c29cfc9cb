"""What people say on the way to an approval, each word under a name that only one of them can have.

A word is created once and never changed. Its name says of which run it is and in which round, and what it is: so of
two who put the same run forward or withdraw it at the same time, one does. Signatures are numbered: whoever gives one
has seen all before it, so that what is told of it stays true.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelworks.runs._atomic import attempt
from modelworks.runs._trash import names_in

WORDS = ".promotions"
PROPOSED, SIGNED, WITHDRAWN = "proposed", "signed", "withdrawn"
_BETWEEN = "~"
_FILE = "said.json"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that must hold of a run before the team stands behind it, whether it does, and in words."""

    name: str
    holds: bool
    words: str


@dataclass(frozen=True, slots=True)
class Word:
    """One thing said of a run (its key) in one of its rounds, by whom and when (UTC).

    `seal` is the SHA-256 of the run's list of checksums, as whoever spoke saw it: it stands for every byte of the run.
    `role` is the one a signature is given in; `text` a comment, or why a run is withdrawn. Who proposes says also whose
    signatures are needed, what was found to hold, and which run it takes the place of, if any.
    """

    run: str
    round: int
    kind: str
    by: str
    when: str
    seal: str
    role: str = ""
    text: str = ""
    needs: tuple[str, ...] = ()
    found: tuple[Requirement, ...] = ()
    supersedes: str = ""
    # Of a signature: how many were given in its round before it.
    place: int = 0
    # What `by` signs in with, where they do: two people may be called the same.
    login: str = ""

    @property
    def name(self) -> str:
        """The name that nobody else's word can have."""
        moment, folder = self.run.split("/")[-2:]
        place = [f"{self.place:04d}"] if self.kind == SIGNED else []
        return _BETWEEN.join([moment, folder, f"{self.round:04d}", self.kind, *place])

    def as_text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"


def word_of(text: str | bytes) -> Word:
    """A word from what its file says."""
    said: Mapping[str, Any] = json.loads(text)
    known = {name: said[name] for name in Word.__dataclass_fields__ if name in said}
    found = tuple(Requirement(**each) for each in known.get("found", ()))
    return Word(**{**known, "needs": tuple(known.get("needs", ())), "found": found})


def write_word(root: Path, word: Word) -> bool:
    """Add a word to a folder of runs, at one stroke; False where its name is taken."""
    with attempt(root, "word") as made:
        (made.folder / _FILE).write_text(word.as_text(), encoding="utf-8")
        return made.publish(root / WORDS / word.name)


def read_words(root: Path, names: Collection[str] | None = None) -> Iterator[tuple[str, Word]]:
    """Words with their names, all of them or those named."""
    for name in sorted(word_names(root) if names is None else names):
        yield name, word_of((root / WORDS / name / _FILE).read_text(encoding="utf-8"))


def word_names(root: Path) -> set[str]:
    """The names of all words in a folder of runs."""
    return set(names_in(root / WORDS))
