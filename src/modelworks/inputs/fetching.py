"""Getting the raw file of a dataset: from where it was published, or from a mirror that stands in for it.

What comes must have the checksum of the catalogue. Anything else is news, and is laid beside the file for a person
to look at; it never takes the place of data that results were made from.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from modelworks.errors import fail
from modelworks.inputs._writing import replace_file
from modelworks.inputs.catalogue import Catalogue, Dataset

CHUNK_BYTES = 1 << 20
PATIENCE_SECONDS = 60.0
ATTEMPTS = 4
AGENT = "modelworks"
LINES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of fetching: `state` is `here` (nothing to do), `fetched`, or `changed` with the news in a file."""

    dataset: str
    state: str
    path: Path
    news: Path | None = None
    difference: tuple[str, ...] = ()


Told = Callable[[int, int | None], None]


def fetch(dataset: Dataset, mirror: str, told: Told = lambda done, total: None) -> Fetched:
    """Bring a dataset's raw file here, going on where an interrupted download stopped.

    `mirror` is a folder or the address of a bucket that is asked first, for a file of that name or of that checksum;
    empty for none. `told` hears of the bytes that came, and of how many there are where that is known.

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
    if not (mirror and _from_mirror(mirror, dataset, part)):
        if not dataset.url:
            fail(
                "D140",
                f"nothing says where `{dataset.name}` can be fetched from",
                hint="write `url: https://…` into its entry, or put the file into the mirror of modelworks.toml",
                file=dataset.place.file,
                line=dataset.place.line,
            )
        went_on = part.exists()
        _download(dataset.url, part, told)
        if went_on and _hash(part) != dataset.checksum:
            # What came before the interruption may be of another edition than what came after it.
            part.unlink()
            _download(dataset.url, part, told)
    if _hash(part) == dataset.checksum:
        os.replace(part, dataset.path)
        return Fetched(dataset.name, "fetched", dataset.path)
    news = dataset.path.with_name(f"{dataset.path.name}.new")
    os.replace(part, news)
    return Fetched(dataset.name, "changed", dataset.path, news, tuple(_difference(dataset.path, news)))


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
    entry = re.search(rf"(?ms)^{re.escape(name)}:.*?(?=^\S|\Z)", text)
    changed = entry and re.sub(r"(?m)^(\s+sha256:\s*)\S+", rf"\g<1>{checksum}", entry[0])
    if entry is None or not changed or checksum not in changed:
        fail(
            "D142", f"the entry of `{name}` has no line `sha256:` of its own", hint=f"write `sha256: {checksum}` there"
        )
    changed = re.sub(r"(?m)^(\s+retrieved:\s*)\S+", rf"\g<1>{today.isoformat()}", changed)
    # The file first: with the old checksum it is refused until the catalogue follows.
    os.replace(news, dataset.path)
    replace_file(path, (text[: entry.start()] + changed + text[entry.end() :]).encode("utf-8"))
    return checksum


def fetch_new(url: str, folder: Path, told: Told = lambda done, total: None) -> Path:
    """A file that is in no catalogue yet, in a folder, under the name that its address ends with."""
    name = re.sub(r"[^\w.-]", "-", urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2])
    if not name.strip(".-"):
        fail(
            "D143", f"the address {url} does not end with the name of a file", hint="fetch it by hand, and add the file"
        )
    _download(url, folder / name, told)
    return folder / name


def _hash(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()


def _from_mirror(mirror: str, dataset: Dataset, part: Path) -> bool:
    """Whether a mirror has the file, under its name or its checksum; it is then in its place."""
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        store = from_url(mirror if "://" in mirror else Path(mirror).resolve().as_uri(), **_options(mirror))
        for name in (Path(str(dataset.file)).name, str(dataset.checksum)):
            try:
                found = obstore.get(store, name)
            except FileNotFoundError:
                continue
            with part.open("wb") as file:
                for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                    file.write(chunk)
            if _hash(part) == dataset.checksum:
                return True
            part.unlink()
    except BaseError as error:
        said = str(error).strip().splitlines()[0]
        fail("D141", f"the mirror {mirror} does not answer: {said}", hint="see `mirror` in modelworks.toml")
    return False


def _options(mirror: str) -> dict[str, Any]:
    """A team's own bucket may be one without encryption on the way."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    plain = mirror.startswith("s3://") and endpoint.startswith("http://")
    return {"client_options": {"allow_http": True}} if plain else {}


def _download(url: str, part: Path, told: Told) -> None:
    """The bytes of an address in a file, after those that are there already."""
    for attempt in range(ATTEMPTS):
        try:
            for done, total in _rest(url, part):
                told(done, total)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                fail("D141", f"{url} answers {error.code} {error.reason}", hint="see whether the address still holds")
            last = f"{error.code} {error.reason}"
        except (OSError, urllib.error.URLError) as error:
            last = str(getattr(error, "reason", error))
        if attempt == ATTEMPTS - 1:
            fail(
                "D141",
                f"{url} can not be had: {last}",
                hint="see whether the network is there; the same command again goes on from where it stopped",
            )


def _rest(url: str, part: Path) -> Iterator[tuple[int, int | None]]:
    """Ask for what is missing; a server that can not begin in the middle sends all of it anew."""
    there = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": AGENT, **({"Range": f"bytes={there}-"} if there else {})}
    )
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:
            # All of it is there, or it is another file by now: its checksum tells.
            return
        raise
    with answer:
        goes_on = answer.status == 206
        length = answer.headers.get("Content-Length")
        done = there if goes_on else 0
        total = done + int(length) if length is not None else None
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                yield done, total
        if total is not None and done < total:
            raise ConnectionError(f"the connection ended after {done:,} of {total:,} bytes")


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
