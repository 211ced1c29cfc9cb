"""Reading files of a repository, and keeping count of them: what was read, with its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.inputs._nodes import Place


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file something was read from: `name` from the repository's root, and the SHA-256 of its bytes."""

    name: str
    path: Path
    sha256: str


@dataclass(slots=True)
class Reading:
    """Reads files under one root. `files` are those read so far, each once, in the order of reading."""

    root: Path
    files: dict[Path, InputFile] = field(default_factory=dict)

    def shown(self, path: Path) -> str:
        """A file as a reader of the repository knows it."""
        return shown(path, self.root)

    def text_file(self, path: Path, asked_by: Place | None, letters: Letters) -> bytes | None:
        """A file's bytes, or None with a letter. `asked_by` is the line that names it."""
        try:
            content = file_bytes(path, self.root, "Y117")
        except ModelworksError as error:
            where = asked_by or Place(self.shown(path.parent), 0)
            letters.extend(each.at(where.file, where.line or None) for each in error.letters)
            return None
        self.note(path, hashlib.sha256(content).hexdigest())
        return content

    def note(self, path: Path, sha256: str) -> None:
        """Count a file among those read."""
        resolved = resolve(path)
        self.files[resolved] = InputFile(self.shown(path), resolved, sha256)


def shown(path: Path, root: Path) -> str:
    """A path from the repository's root, with forward slashes; `..` and links followed.

    >>> shown(Path("/team/studies/../data/raw"), Path("/team"))
    'data/raw'
    """
    resolved, top = resolve(path), resolve(root)
    return resolved.relative_to(top).as_posix() if resolved.is_relative_to(top) else path.name


def resolve(path: Path) -> Path:
    """A path with `..` and links followed; as it stands where links lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def is_a_path(text: str) -> bool:
    """Whether a text can name a file on any system.

    >>> is_a_path("../base/study.yaml"), is_a_path("a\\0b"), is_a_path("x" * 300)
    (True, False, False)
    """
    short = len(text) <= 1000 and all(len(part.encode(errors="replace")) <= 255 for part in text.split("/"))
    return bool(text.strip()) and short and text.isprintable()


def file_bytes(path: Path, root: Path, missing: str) -> bytes:
    """The bytes of a file that lies in the repository; `missing` is the code for one that is not there."""
    with _opened(path, root, missing) as file:
        return file.read()


def file_sha256(path: Path, root: Path, missing: str) -> str:
    """The SHA-256 of a file that lies in the repository, which may be larger than memory."""
    with _opened(path, root, missing) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path, root: Path, missing: str) -> Iterator[BufferedReader]:
    """The file, open.

    Links are followed first: one that leads outside would make a study nobody else can rebuild, and
    would let a file that was handed in show us any other.
    """
    name = shown(path, root)
    if not resolve(path).is_relative_to(resolve(root)):
        fail(
            "Y115",
            f"`{name}` lies outside the repository",
            hint="copy the file into the repository; links and `..` may not lead out of it",
        )
    if path.is_dir():
        fail(missing, f"`{name}` is a folder, but a file is wanted", hint="name the file, or move the folder away")
    if not path.is_file():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        fail(missing, f"there is no file `{name}`", hint=near(path.name, sorted(beside)))
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        fail(
            "Y119",
            f"`{name}` can not be read: {error.strerror}",
            hint="check who may read the file, and that its disk is there",
        )
