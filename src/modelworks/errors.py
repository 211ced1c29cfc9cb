"""Mistakes as letters to a colleague: what, what we got, the rule, where in their file, what to try.

Every room raises `ModelworksError`, which carries one `Letter` or all the letters of a file at
once. A code is never reused; `error_codes/` holds one page of explanation for each.
"""

from __future__ import annotations

import difflib
import errno
import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn


@dataclass(frozen=True, slots=True)
class Letter:
    """One mistake, told to the person who can mend it."""

    code: str
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None

    @property
    def where(self) -> str:
        """`parameters.yaml, line 12`, `parameters.yaml`, or nothing."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}, line {self.line}"

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        hint = f"\n\nhint: {self.hint}" if self.hint else ""
        return f"{self.code}: {self.message}{place}{hint}"

    def at(self, file: str | None, line: int | None = None) -> Letter:
        """The same letter with the place in the reader's own file."""
        return replace(self, file=file, line=line)

    def as_dict(self) -> dict[str, str | int | None]:
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "file": self.file,
            "line": self.line,
        }


class ModelworksError(Exception):
    """Something a user can mend: one letter, or all the letters of a step."""

    def __init__(self, letters: Iterable[Letter]) -> None:
        self.letters = tuple(letters)
        if not self.letters:
            raise ValueError("a ModelworksError needs at least one letter")
        super().__init__("\n\n".join(map(str, self.letters)))

    def __reduce__(self) -> tuple[Any, ...]:
        # From one process to another it goes as its letters.
        return type(self), (self.letters,)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(letter.code for letter in self.letters)


@dataclass(slots=True)
class Letters:
    """Collects every mistake of a step, so that all are shown together."""

    collected: list[Letter] = field(default_factory=list)

    def add(self, code: str, message: str, *, hint: str = "", file: str | None = None, line: int | None = None) -> None:
        self.collected.append(Letter(code, message, hint, file, line))

    def extend(self, letters: Iterable[Letter]) -> None:
        self.collected.extend(letters)

    def raise_if_any(self) -> None:
        if self.collected:
            raise ModelworksError(self.collected)

    def __iter__(self) -> Iterator[Letter]:
        return iter(self.collected)

    def __bool__(self) -> bool:
        return bool(self.collected)


def fail(code: str, message: str, *, hint: str = "", file: str | None = None, line: int | None = None) -> NoReturn:
    """Raise one letter."""
    raise ModelworksError([Letter(code, message, hint, file, line)])


def near(name: str, known: Iterable[str], alike: float = 0.6) -> str:
    """A hint that lists the known names nearest to a misspelt one; `alike` is how much of both is the same, up to 1.

    >>> near("contact_rat", ["contact_rate", "recovery_rate"])
    'did you mean `contact_rate`?'
    """
    names = list(dict.fromkeys(str(each) for each in known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=alike)
    # Letters that changed places, as in `dya`: in a short word they are most of it.
    close = close or [each for each in names if sorted(each) == sorted(name)]
    if close:
        return "did you mean " + " or ".join(f"`{each}`" for each in close) + "?"
    if not names:
        return "none are declared here yet"
    shown = ", ".join(f"`{each}`" for each in names[:12])
    return f"the names known here are {shown}" + (" and more" if len(names) > 12 else "")


DISK_IS_FULL = "R120"
# What the disk says, in words and with what to try; anything else is told as the system says it.
_REFUSALS = {
    errno.EACCES: ("you may not read or write it", "see who owns it, and its permissions"),
    errno.EPERM: ("you may not read or write it", "see who owns it, and its permissions"),
    errno.EROFS: ("it lies on a disk that can only be read", "name a place that you may write to"),
    errno.ENOENT: ("it, or the folder it would lie in, is not there", "look for a slip in the path; make the folder"),
    errno.ENOTDIR: ("a part of its path is a file and no folder", "look for a slip in the path"),
    errno.EEXIST: ("it is there already, as something else", "name another place, or move that one away"),
    errno.EISDIR: ("it is a folder, but a file is wanted", "name a file inside it"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    errno.ELOOP: ("its links lead round in a circle", "mend the links"),
}


def disk_letter(error: OSError, place: Path | None = None) -> Letter:
    """What the disk refused, where, and what to try; `place` is the name that the user gave it.

    >>> disk_letter(PermissionError(13, "Permission denied", "data/x.csv")).message
    '`data/x.csv` can not be used: you may not read or write it'
    >>> disk_letter(OSError(28, "No space left on device", "mine.yaml", None, "kept/mine.yaml")).message
    'the disk is full: `kept/mine.yaml` was not written'
    """
    # Of two names, as of a copy, the second is the one that was written to.
    where = str(place or error.filename2 or error.filename or "a file")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Letter(DISK_IS_FULL, f"the disk is full: `{where}` was not written", "make room, then try again")
    said = error.strerror or str(error) or type(error).__name__
    reason, hint = _REFUSALS.get(error.errno or 0, (said, "see that the disk is there and the path is right"))
    return Letter("Y119", f"`{_from_here(where)}` can not be used: {reason}", hint)


def _from_here(where: str) -> str:
    """A path as one would write it in the folder one stands in."""
    return os.path.relpath(where) if Path(where).is_absolute() and Path(where).is_relative_to(Path.cwd()) else where


def counted(number: int, noun: str, several: str = "") -> str:
    """A number of things, in words.

    >>> counted(1, "target"), counted(3, "target"), counted(0, "study", "studies")
    ('1 target', '3 targets', '0 studies')
    """
    return f"{number} {noun if number == 1 else several or noun + 's'}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The page behind a code."""

    code: str
    title: str
    rule: str
    example: str
    remedy: str


@functools.cache
def explanations() -> dict[str, Explanation]:
    """Every code this package can say, with its page."""
    import tomllib

    found: dict[str, Explanation] = {}
    for page in sorted(resources.files("modelworks").joinpath("error_codes").iterdir(), key=lambda p: p.name):
        if not page.name.endswith(".toml"):
            continue
        for code, entry in tomllib.loads(page.read_text(encoding="utf-8")).items():
            found[code] = Explanation(code=code, **entry)
    return found


def explain(code: str) -> Explanation:
    """The page of a code; a code that does not exist is itself a letter."""
    known = explanations()
    if code.upper() not in known:
        fail("Y901", f"there is no code `{code}`", hint=near(code.upper(), known))
    return known[code.upper()]
