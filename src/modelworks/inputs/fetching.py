"""Getting the raw file of a dataset: from where it was published, or from a mirror that stands in for it.

What comes must have the checksum of the catalogue. Anything else is news, and is laid beside the file for a person
to look at; it never takes the place of data that results were made from.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from modelworks.errors import fail
from modelworks.inputs._downloads import download
from modelworks.inputs._places import Told, get_file, put_file
from modelworks.inputs._pointers import places_of, pointer_at
from modelworks.inputs._writing import replace_file
from modelworks.inputs.catalogue import Catalogue, Dataset
from modelworks.inputs.repository import SETTINGS

LINES_SHOWN = 12
# What is as large, and so many times the file that is here, is no new edition of it.
NEWS_BYTES, NEWS_TIMES = 10**9, 10


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of fetching: `state` is `here` (nothing to do), `fetched`, or `changed` with the news in a file."""

    dataset: str
    state: str
    path: Path
    news: Path | None = None
    difference: tuple[str, ...] = ()


def fetch(dataset: Dataset, mirror: str, told: Told = lambda done, total: None, *, store: str = "") -> Fetched:
    """Bring a dataset's raw file here, going on where an interrupted download stopped.

    Asked are, in this order, the `store` of files too large for git; what DVC or Git LFS keep, where a pointer of
    theirs stands in for the file; the `mirror`, for a file of that name or of that checksum; and where it was
    published. Store and mirror are a folder or the address of a bucket, or empty. `told` hears of the bytes that came,
    and of how many there are where that is known.

    Raises
    ------
    ModelworksError
        D140 when there is nowhere to fetch it from, D141 when nobody answers.
    """
    if dataset.file is None:
        fail("D140", f"`{dataset.name}` is prepared by a function", hint=f"modelworks data prepare {dataset.name}")
    if dataset.path.is_file() and _hash(dataset.path) == dataset.checksum:
        return Fetched(dataset.name, "here", dataset.path)
    dataset.path.parent.mkdir(parents=True, exist_ok=True)
    part = dataset.path.with_name(f".{dataset.path.name}.part")
    if not _from_places(dataset, mirror, store, part, told):
        if not dataset.url:
            _check_pointer(dataset)
            fail(
                "D140",
                f"nothing says where `{dataset.name}` can be fetched from",
                hint="write `url: https://…` into its entry, or put the file into the mirror of modelworks.toml",
                file=dataset.place.file,
                line=dataset.place.line,
            )
        went_on = part.exists()
        download(dataset.url, part, told)
        if went_on and _hash(part) != dataset.checksum:
            # What came before the interruption may be of another edition than what came after it.
            part.unlink()
            download(dataset.url, part, told)
    if _hash(part) == dataset.checksum:
        os.replace(part, dataset.path)
        return Fetched(dataset.name, "fetched", dataset.path)
    return _as_news(dataset, part)


def look_for_news(dataset: Dataset, told: Told = lambda done, total: None) -> Fetched:
    """Whether what is published now is what the catalogue was written for; if not, it is laid beside the file.

    Raises
    ------
    ModelworksError
        D141 where nobody answers.
    """
    part = dataset.path.with_name(f".{dataset.path.name}.news")
    part.unlink(missing_ok=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    there = dataset.path.stat().st_size if dataset.path.is_file() else 0
    # Nobody looks on who would end it when a broken server sends for ever.
    download(dataset.url, part, told, most_bytes=max(NEWS_BYTES, NEWS_TIMES * there))
    if _hash(part) == dataset.checksum:
        part.unlink()
        return Fetched(dataset.name, "here", dataset.path)
    return _as_news(dataset, part)


def _as_news(dataset: Dataset, part: Path) -> Fetched:
    news = dataset.path.with_name(f"{dataset.path.name}.new")
    os.replace(part, news)
    return Fetched(dataset.name, "changed", dataset.path, news, tuple(_difference(dataset.path, news)))


def _check_pointer(dataset: Dataset) -> None:
    pointer = pointer_at(dataset.path)
    if pointer is not None:
        message = f"{pointer.kind} keeps the file of `{dataset.name}`, and no copy of it is within reach"
        fail("D104", message, hint=f"`{pointer.command}` fetches it")


def stored_as(checksum: str) -> str:
    """The name of a file in the store of large files: its content's own."""
    return f"sha256/{checksum[:2]}/{checksum}"


def push(dataset: Dataset, store: str) -> bool:
    """Copy a raw file to the store of large files; False where it is there already.

    Raises
    ------
    ModelworksError
        D146 where the settings name no store, D102 to D104 where the file is not what the catalogue says, D141 where
        the store does not answer.
    """
    if not store:
        hint = 'write [data] and then store = "s3://bucket/folder", or a folder'
        fail("D146", "the settings name no store of large files", hint=hint, file=SETTINGS)
    # It is stored under the name of its content; where it is something else, reading it says what.
    if pointer_at(dataset.path) is not None or not dataset.path.is_file() or _hash(dataset.path) != dataset.checksum:
        dataset.content()
    return put_file(store, stored_as(str(dataset.checksum)), dataset.path)


def accept(catalogue: Catalogue, name: str, root: Path, today: date) -> str:
    """Take the news for the dataset: its file, its checksum and its date in the catalogue. Gives the checksum.

    Raises
    ------
    ModelworksError
        D142 when there is no news, or the entry can not be rewritten.
    """
    dataset = catalogue.dataset(name)
    news = dataset.path.with_name(f"{dataset.path.name}.new")
    if not news.is_file():
        fail("D142", f"there is no news of `{name}`", hint=f"modelworks data fetch {name} asks for it")
    checksum = _hash(news)
    path = root / catalogue.file
    text = path.read_text(encoding="utf-8")
    changed = with_another_file(text, name, checksum, today)
    # The file first: with the old checksum it is refused until the catalogue follows.
    os.replace(news, dataset.path)
    replace_file(path, changed.encode("utf-8"))
    return checksum


def with_another_file(text: str, name: str, checksum: str, today: date) -> str:
    """A catalogue's text with another checksum and date for a dataset; D142 where its entry can not be rewritten."""
    entry = re.search(rf"(?ms)^{re.escape(name)}:.*?(?=^\S|\Z)", text)
    changed = entry and re.sub(r"(?m)^(\s+sha256:\s*)\S+", rf"\g<1>{checksum}", entry[0])
    if entry is None or not changed or checksum not in changed:
        fail(
            "D142", f"the entry of `{name}` has no line `sha256:` of its own", hint=f"write `sha256: {checksum}` there"
        )
    changed = re.sub(r"(?m)^(\s+retrieved:\s*)\S+", rf"\g<1>{today.isoformat()}", changed)
    return text[: entry.start()] + changed + text[entry.end() :]


def fetch_new(url: str, folder: Path, told: Told = lambda done, total: None) -> Path:
    """A file that is in no catalogue yet, in a folder, under the name that its address ends with."""
    name = re.sub(r"[^\w.-]", "-", urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2])
    if not name.strip(".-"):
        fail(
            "D143", f"the address {url} does not end with the name of a file", hint="fetch it by hand, and add the file"
        )
    download(url, folder / name, told)
    return folder / name


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_places(dataset: Dataset, mirror: str, store: str, part: Path, told: Told) -> bool:
    """Whether any place has the very file, under its name or a checksum; it is then in `part`."""
    places = [(store, stored_as(str(dataset.checksum)))] if store else []
    pointer = pointer_at(dataset.path)
    if pointer is not None:
        places += places_of(pointer, dataset.path)
    if mirror:
        places += [(mirror, Path(str(dataset.file)).name), (mirror, str(dataset.checksum))]
    for place, name in places:
        # What came before an interruption may be of another file than what comes now: then once more, from its start.
        for _ in range(2 if part.exists() else 1):
            if not get_file(place, name, part, told):
                break
            if _hash(part) == dataset.checksum:
                return True
            part.unlink()
    return False


def _difference(before: Path, after: Path) -> Iterator[str]:
    """Which lines came, went and changed, the first of them, and how many."""
    if not before.is_file():
        yield "there was no file before; this one does not have the checksum of the catalogue"
        return
    old, new = (path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (before, after))
    # As multisets: an order of lines that changed says nothing, and a table may have a million of them.
    gone, came = Counter(old) - Counter(new), Counter(new) - Counter(old)
    yield f"{gone.total():,} lines went and {came.total():,} came, of {len(old):,}"
    changed = [*(f"-{line}" for line in gone), *(f"+{line}" for line in came)]
    changed.sort(key=lambda line: line[1:])
    yield from changed[:LINES_SHOWN]
    if len(changed) > LINES_SHOWN:
        yield f"… and {len(changed) - LINES_SHOWN:,} more"
