"""The folder of all runs: one is published by a rename, listed, and found again by a few letters of its id."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.logs import utc_now
from modelworks.runs._assembly import assemble
from modelworks.runs._atomic import Attempt, attempt
from modelworks.runs._fingerprint import file_hash
from modelworks.runs._marks import Mark, mark_names, mark_now, read_marks, write_mark
from modelworks.runs._run import CHECKSUMS, RECORD, Run, id_of, open_run, read_json
from modelworks.runs._trash import PRUNED, TRASH, DiskSizes, bring_back, discard, discarded, erase, names_in
from modelworks.runs._words import Word, read_words, word_names, write_word

# study/model/region/time/commit7-id
DEPTH = 5
ID_DIGITS = 6
NO_COMMIT = "0000000"

# A change in the same tick of a disk's clock as our look would not show in the folder's time.
UNSETTLED_SECONDS = 2.0

# A file of this name, and the moment's, in the folder of a region says that a moment's runs may change for ever.
AGAIN = ".again-"

_FOLDER = re.compile(rf"[0-9a-f]{{7}}-[0-9a-f]{{{ID_DIGITS}}}")

# Folder → when its list of names last changed, in nanoseconds, and whether that was long enough before our look.
Looked: TypeAlias = Mapping[str, tuple[int, bool]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What has come and gone since somebody last looked: keys of runs, and where and when was looked now."""

    added: frozenset[str]
    removed: frozenset[str]
    looked: Looked
    forgotten: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.looked or self.forgotten)


class Sizes(Protocol):
    """Bytes that runs take together; what several share is there once."""

    @property
    def total(self) -> int: ...

    def without(self, key: str, /) -> int:
        """Take a run away; gives the bytes no other had."""
        ...


class Store:
    """A folder of runs. What is in it can be read, copied and deleted without us."""

    def __init__(self, root: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.root = root
        self._address = str(root.resolve())
        self._clock = clock

    @property
    def address(self) -> str:
        """What tells this store from others."""
        return self._address

    def publish(
        self,
        key_parts: tuple[str, str, str],
        *,
        stages: Mapping[str, Path],
        record: Mapping[str, Any],
        files: Mapping[str, Path] | None = None,
        front: str = "report",
        name: tuple[datetime, str] | None = None,
    ) -> Run:
        """Put a run together and make it visible by one rename.

        Parameters
        ----------
        key_parts : (study, model, region)
            Written in lower case with hyphens where a folder's name needs it.
        stages : mapping of stage to folder
            What each stage wrote; it becomes the folder of that name, hard-linked where the disk allows.
        record : mapping
            What is said of the run as a whole, as JSON can hold it; `provenance` goes in here.
        files : mapping of name to file
            Copied, because their owner goes on editing them; the name is a path inside the run.
        front : str
            The stage whose files lie at the top of the run, where a person looks first.
        name : (moment, id), optional
            Chosen beforehand by `new_id`, so that of several who publish the same run one does, and all get that one.

        Raises
        ------
        ModelworksError
            R104 for a part of the key without a letter or a digit, R105 when two files would have the same name,
            R120 and R121 when the disk refuses.
        """
        parts = [folder_name(part) for part in key_parts]
        now, run_id = name or (self._clock(), self.new_id())
        now = now.astimezone(UTC)
        commit = str((record.get("provenance") or {}).get("commit") or NO_COMMIT)[:7]
        key = "/".join([*parts, f"{now:%Y%m%dT%H%M%SZ}", f"{commit}-{run_id}"])
        if name is not None and key in self.published(parts[0]):
            return self.open(key)
        with attempt(self.root, "run") as made:
            assemble(made.folder, key, now, stages=stages, record=record, files=files or {}, front=front)
            if not self._release(made, key) and name is None:
                raise RuntimeError(f"{key} exists already, although its id was new")
        return self.open(key)

    def runs(self, study: str | None = None) -> list[Run]:
        """The runs that can be read, the latest first; `damaged` tells of the others."""
        return self._survey(study)[0]

    def damaged(self, study: str | None = None) -> list[Letter]:
        """A letter for each run that can not be read."""
        return self._survey(study)[1]

    def find(self, text: str) -> Run:
        """The run whose id begins with the text, or whose key or folder it is.

        Raises
        ------
        ModelworksError
            R101 where there is none, R102 where there are several, R103 where it can not be read.
        """
        wanted = text.strip().rstrip("/")
        if _is_key(wanted) and self.is_there(wanted):
            # Whoever writes all of it is answered without a look at the others.
            return self.open(wanted)
        keys = list(self.published())
        matching = [key for key in keys if _answers(wanted, key, self.root / key)]
        if not matching:
            ids = [id_of(Path(key)) for key in keys]
            hint = near(wanted, ids) if ids else "nothing has been published here yet: modelworks run"
            fail("R101", f"no run is called `{text}`", hint=hint)
        if len(matching) > 1:
            shown = "; ".join(sorted(matching, reverse=True)[:6])
            fail("R102", f"`{text}` fits {len(matching)} runs", hint=f"give one more digit of the id: {shown}")
        return self.open(matching[0])

    # -- what is kept ----------------------------------------------------------------------------------

    def sizes(self, keys: Collection[str], *, trash: bool = False) -> Sizes:
        """What runs take on the disk, those in the trash if so asked."""
        top = self.root / TRASH if trash else self.root
        return DiskSizes({key: top / key for key in keys})

    def discard(self, key: str, by: str, now: datetime) -> None:
        """Move a run into the trash by one rename, and keep its record and recipe."""
        discard(self.root, key, by, now)

    def discarded(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """What is said of every discarded run (`key`, `pruned`, `by`), and whether it is still in the trash."""
        return discarded(self.root)

    def bring_back(self, key: str) -> bool:
        """Move a run from the trash to where it was; False where it was erased meanwhile."""
        _look_again((self.root / key).parent)
        return bring_back(self.root, key)

    def erase(self, key: str) -> int:
        """Remove a discarded run for good, but for its recipe; gives the bytes that freed."""
        return erase(self.root, key)

    def recipe_of(self, key: str) -> str:
        """Where the record and recipe of a discarded run are."""
        return str(self.root / PRUNED / key)

    # -- what came and went ----------------------------------------------------------------------------

    def stamp(self, key: str) -> str | None:
        """What changes when a run's record is written over; None where there is no such run."""
        try:
            # As a text: of ten thousand runs it is asked each.
            state = os.stat(f"{self.root}/{key}/{RECORD}")
        except FileNotFoundError:
            return "without a record" if (self.root / key).is_dir() else None
        return f"{state.st_mtime_ns} {state.st_size}"

    def open(self, key: str) -> Run:
        """The run of a key; R103 where it can not be read."""
        return open_run(self.root / key, key)

    def verify(self, key: str) -> list[str]:
        """What differs from the moment the run was published, as `Run.verify` says it."""
        return self.open(key).verify()

    def deliver(self) -> None:
        """Send what waits to be sent; a folder has nothing that waits."""

    def record(self, key: str) -> Mapping[str, Any]:
        """What the record of a run says, without the rest of it; R103 where it can not be read."""
        return self.part(key, RECORD)

    def part(self, key: str, name: str) -> Mapping[str, Any]:
        """A file of a run that holds a mapping as JSON, without the rest of it; R103 where it can not be read."""
        return read_json(self.root / key / name)

    def content(self, key: str, name: str) -> bytes:
        """A file of a run, without the rest of it; FileNotFoundError where there is none."""
        return (self.root / key / name).read_bytes()

    def changes(self, seen: Looked, known: Callable[[str], Collection[str]]) -> Changes:
        """What came and went since somebody looked, reading only folders whose list of names changed since.

        `known` gives the keys that were found below a folder `study/model/region`. A run that was taken out of the
        innermost folder by hand, and nothing else, does not show here; `stamp` tells of it.
        """
        look = _Look(self.root, seen)
        for region in self._below(DEPTH - 2):
            look.at(region, known)
        look.at_what_is_gone(known)
        return look.changes()

    def mark_names(self) -> set[str]:
        """The files of all remarks about runs."""
        return mark_names(self.root)

    def marks(self, names: Collection[str] | None = None) -> Iterator[tuple[str, Mark]]:
        """Remarks with the names of their files, in the order of time."""
        return read_marks(self.root, names)

    def remark(self, run: str, kind: str, text: str = "", *, by: str) -> None:
        """Say something of a run that holds from now on: a tag, a pin, a comment."""
        self._write_mark(mark_now(run, kind, text, by, self._clock()))

    def _write_mark(self, mark: Mark) -> None:
        write_mark(self.root, mark)

    # -- what the team stands behind -------------------------------------------------------------------

    def seal(self, key: str) -> str | None:
        """The SHA-256 of a run's list of checksums, which no change of any of its files leaves as it was."""
        try:
            return file_hash(self.root / key / CHECKSUMS)
        except FileNotFoundError:
            return None

    def word_names(self) -> set[str]:
        """The names of all that was said of runs on the way to an approval."""
        return word_names(self.root)

    def words(self, names: Collection[str] | None = None) -> Iterator[tuple[str, Word]]:
        """What was said on the way to an approval, with its names."""
        return read_words(self.root, names)

    def spoken(self) -> list[Word]:
        """All that was said on the way to an approval."""
        return [word for _, word in self.words()]

    def speak(self, word: Word) -> bool:
        """Say something on the way to an approval; False where somebody has said it before."""
        return write_word(self.root, word)

    def now(self) -> datetime:
        return self._clock()

    def _survey(self, study: str | None) -> tuple[list[Run], list[Letter]]:
        found: list[Run] = []
        letters: list[Letter] = []
        for key in self.latest_first(study):
            try:
                found.append(self.open(key))
            except ModelworksError as error:
                letters.extend(error.letters)
        return found, letters

    def latest_first(self, study: str | None = None) -> list[str]:
        """The keys of all runs or of a study's, the latest first; none of them is read for it."""
        keys = self.published(None if study is None else folder_name(study))
        # The time stands in the key; the id decides between two of the same second, so that the order is the same
        # on every machine.
        return sorted(keys, key=lambda key: (key.split("/")[3], id_of(Path(key))), reverse=True)

    def is_there(self, key: str) -> bool:
        """Whether a run was published and not discarded since."""
        return (self.root / key).is_dir()

    def published(self, study: str | None = None) -> Iterator[str]:
        """The key of every published run; attempts and anything hidden are no runs."""
        found = (key for key in self._below(DEPTH, study) if _FOLDER.fullmatch(key.rpartition("/")[2]))
        there = (key for key in found if os.path.isdir(f"{self.root}/{key}"))
        # By each of their names, as folders are listed: a hyphen comes before a slash.
        return iter(sorted(there, key=lambda key: key.split("/")))

    def _release(self, made: Attempt, key: str) -> bool:
        """Make an assembled run visible, at one stroke; False where its place is taken."""
        _look_again((self.root / key).parent)
        return made.publish(self.root / key)

    def _below(self, depth: int, study: str | None = None) -> list[str]:
        """Everything that lies so deep in the store, of one study or of all; nothing hidden.

        By texts alone, for each look at the store begins here.
        """
        found = _names(self.root) if study is None else [study]
        for _ in range(depth - 1):
            found = [f"{above}/{name}" for above in found for name in _names(f"{self.root}/{above}")]
        return found

    def new_id(self) -> str:
        """An id that no published run has."""
        taken = {id_of(Path(key)) for key in self.published()}
        while (candidate := secrets.token_hex(ID_DIGITS // 2)) in taken:
            pass
        return candidate


class _Look:
    """One look at what lies in a store, against what was seen the last time."""

    def __init__(self, root: Path, seen: Looked) -> None:
        self.root, self.seen = root, seen
        self.seen_below: dict[str, set[str]] = {}
        for folder in seen:
            self.seen_below.setdefault(folder.rpartition("/")[0], set()).add(folder)
        self.added: set[str] = set()
        self.removed: set[str] = set()
        self.looked: dict[str, tuple[int, bool]] = {}
        self.there: set[str] = set()
        self.watched: set[str] = set()

    def at(self, region: str, known: Callable[[str], Collection[str]]) -> None:
        """Look at a folder `study/model/region`, and into those folders below it that may have changed."""
        self.there.add(region)
        # Only what had changed just before the last look can have changed again without a trace.
        doubtful = set(self.seen_below.get(region, ()))
        changed = not self._is_as_seen(region)
        if not (changed or doubtful):
            return
        names = names_in(self.root / region) if changed else []
        doubtful |= {f"{region}/{name.removeprefix(AGAIN)}" for name in names if name.startswith(AGAIN)}
        before = set(known(region))
        moments = {key.rpartition("/")[0] for key in before}
        now = {f"{region}/{name}" for name in names if name[0] != "."} if changed else moments | doubtful
        found = {key for key in before if key.rpartition("/")[0] in now - doubtful}
        for folder in (now - moments) | doubtful:
            self.there.add(folder)
            self._is_as_seen(folder)
            if _again(self.root / folder).exists():
                self.watched.add(folder)
            found |= {f"{folder}/{name}" for name in _names(self.root / folder) if _FOLDER.fullmatch(name)}
        self.added |= found - before
        self.removed |= before - found

    def at_what_is_gone(self, known: Callable[[str], Collection[str]]) -> None:
        """Folders that were seen and are no more."""
        for folder in self.seen.keys() - self.there:
            if folder.count("/") == DEPTH - 3:
                self.removed.update(known(folder))

    def changes(self) -> Changes:
        # A settled folder of a moment need not be remembered: its runs are, and it is not looked at again.
        regions = {folder for folder in self.looked if folder.count("/") == DEPTH - 3}
        kept = {f: each for f, each in self.looked.items() if f in regions | self.watched or not each[1]}
        gone = {folder for folder in self.seen if folder not in self.there or folder in self.looked}
        return Changes(frozenset(self.added), frozenset(self.removed), kept, frozenset(gone - kept.keys()))

    def _is_as_seen(self, folder: str) -> bool:
        """Whether a folder's list of names is surely the one of the last look; if not, it is looked at now."""
        try:
            # Asked before the names are read: what changes in between is then found the next time.
            changed = os.stat(f"{self.root}/{folder}").st_mtime_ns
        except FileNotFoundError:
            return False
        if self.seen.get(folder) == (changed, True):
            return True
        age = (time.time_ns() - changed) / 1e9
        self.looked[folder] = (changed, age > UNSETTLED_SECONDS)
        return False


def _names(folder: str | Path) -> list[str]:
    return [name for name in names_in(folder) if not name.startswith(".")]


def _again(moment: Path) -> Path:
    return moment.with_name(AGAIN + moment.name)


def _look_again(moment: Path) -> None:
    """Say that a run may come to a moment that has runs already: of its folder's region nothing else shows that."""
    if moment.is_dir():
        _again(moment).touch()


def folder_name(text: str) -> str:
    """A name that every file system takes, and that is read as it is written.

    >>> folder_name("Marshall Islands"), folder_name("boarding-school"), folder_name("../x")
    ('marshall-islands', 'boarding-school', 'x')
    """
    name = re.sub(r"[^\w.]+", "-", text.strip().lower()).strip("-._")
    if not name:
        fail("R104", f"`{text}` can not be the name of a folder", hint="use letters, digits and hyphens")
    return name[:80]


def _is_key(text: str) -> bool:
    """Whether a text may be the key of a run, and leads to no other place."""
    parts = text.split("/")
    return len(parts) == DEPTH and all(each and each[0] != "." for each in parts) and bool(_FOLDER.fullmatch(parts[-1]))


def _answers(wanted: str, key: str, folder: Path) -> bool:
    """Whether a person who wrote `wanted` may have meant this run."""
    if not wanted:
        return False
    lower = wanted.lower()
    return id_of(folder).startswith(lower) or lower in (key.lower(), folder.name) or Path(wanted) == folder
