"""Runs in a bucket of any S3-compatible store, with the guarantees of a folder.

A log says what happened to runs (`_bucket_log.py`): published, discarded, brought back, erased. A run's files are
uploaded first and the word that it is published comes last, so half a run is never seen; the log alone says which runs
there are. Of several who publish the same run each uploads to a place of its own,
and the first to say which place is the run's has made it. Files come down once, into a mirror folder, and are held to
their checksums there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from modelworks.errors import fail
from modelworks.logs import utc_now
from modelworks.runs._atomic import Attempt, attempt
from modelworks.runs._bucket_log import BACK, DISCARDED, ERASED, PUBLISHED, THERE, BucketLog, last_of
from modelworks.runs._fingerprint import file_hash
from modelworks.runs._marks import Mark, mark_file, mark_of
from modelworks.runs._run import CHECKSUMS, Run, open_run, read_json
from modelworks.runs._store import Changes, Looked, Store
from modelworks.runs._trash import is_recipe, remove, run_folders
from modelworks.runs._words import Word, word_of

RUNS, PLACES, MARKS, WORDS, OUTBOX = "runs", "places", "marks", "promotions", ".outbox"
# Larger files go up in parts, and none is ever whole in memory.
PART_BYTES = 16 * 2**20
STREAMS = 8
RETRIES: Any = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
# The log's time in an index's memory of what was looked at.
_LOG = "log"
# Of the checksum of a run's checksums, which tells the places of several attempts apart.
PLACE_DIGITS = 12


class BucketStore(Store):
    """The runs of a bucket. `mirror` is a folder of this machine's for what was downloaded; it may be deleted."""

    def __init__(self, url: str, mirror: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(mirror, clock=clock)
        self._url = url.rstrip("/")
        self._bucket = _open(url)
        self._log = BucketLog(self._bucket, clock)
        self._places: dict[str, str] = {}

    @property
    def address(self) -> str:
        return self._url

    # -- publishing ----------------------------------------------------------------------------------

    def _release(self, made: Attempt, key: str) -> bool:
        """Keep the finished run where a crash does not lose it, and send it from there."""
        is_first = made.publish(self.root / OUTBOX / key)
        # Where another process of this machine has finished the same run, that one is sent.
        self.deliver()
        return is_first

    def deliver(self) -> None:
        """Send what waits in the outbox; after a broken connection this goes on where it stopped."""
        for folder in run_folders(self.root / OUTBOX):
            key = folder.relative_to(self.root / OUTBOX).as_posix()
            try:
                with self._letters(f"the run {key[-6:]} is complete, and was not sent to"):
                    is_ours = self._send(folder, key)
                self._put_away(folder, key if is_ours else None)
            except FileNotFoundError:
                # Another process of this machine sends the same outbox, and was done with this run first.
                if folder.exists():
                    raise

    def _send(self, folder: Path, key: str) -> bool:
        """Upload a run and say that it is published; False where another attempt at the same run came first."""
        place = f"{RUNS}/{key}/{file_hash(folder / CHECKSUMS)[:PLACE_DIGITS]}"
        if self._place(key) is None:
            self._upload(folder, place)
            with contextlib.suppress(AlreadyExistsError):
                obstore.put(self._bucket, f"{PLACES}/{key}", place.encode("utf-8"), mode="create")
        is_ours = self._place(key) == place
        if not is_ours:
            obstore.delete(self._bucket, [each["path"] for each in self._objects(f"{place}/")])
        if key not in self._log.last():
            # Also for the other attempt, which may have been killed before it could say so itself.
            self._log.publish(key)
        return is_ours

    def _upload(self, folder: Path, place: str) -> None:
        """Every file that is not there yet; an object is there whole or not at all."""
        there = {each["path"]: each["size"] for each in self._objects(f"{place}/")}
        files = [path for path in folder.rglob("*") if path.is_file()]
        names = {path: f"{place}/{path.relative_to(folder).as_posix()}" for path in files}
        missing = [path for path in files if there.get(names[path]) != path.stat().st_size]
        with ThreadPoolExecutor(STREAMS) as pool:
            for _ in pool.map(lambda path: self._put_file(names[path], path), missing):
                pass

    def _put_away(self, folder: Path, key: str | None) -> None:
        """Move a run from the outbox to its place in the mirror, or away where it was not the one."""
        with attempt(self.root, "sent") as made:
            folder.rename(made.folder / "run")
            if key is not None:
                Attempt(made.folder / "run").publish(self.root / key)

    def _put_file(self, name: str, path: Path) -> None:
        obstore.put(self._bucket, name, path, chunk_size=PART_BYTES, max_concurrency=2)

    # -- finding -------------------------------------------------------------------------------------

    def published(self, study: str | None = None) -> Iterator[str]:
        with self._letters("runs can not be listed in"):
            there = sorted(key for key, (kind, _) in self._log.last().items() if kind in THERE)
        return (key for key in there if study is None or key.startswith(f"{study}/"))

    def is_there(self, key: str) -> bool:
        with self._letters("runs can not be listed in"):
            return self._log.last().get(key, ("", ""))[0] in THERE

    def open(self, key: str) -> Run:
        """The run of a key, downloaded where it was not before."""
        if not (self.root / key).is_dir():
            with self._letters("a run can not be downloaded from"):
                self._fetch(key)
        return open_run(self.root / key, key)

    def _fetch(self, key: str) -> None:
        with attempt(self.root, "download") as made:
            self._download(key, made.folder)
            damaged = open_run(made.folder, key).verify()
            if damaged:
                fail(
                    "R103",
                    f"the run {key} in the bucket is not as it was published: {'; '.join(damaged[:3])}",
                    hint="ask who keeps the bucket; the other runs are not affected",
                )
            made.publish(self.root / key)

    def _place(self, key: str) -> str | None:
        """Where the files of a published run are; None where nobody has published it."""
        if key not in self._places:
            try:
                said = obstore.get(self._bucket, f"{PLACES}/{key}").bytes()
            except FileNotFoundError:
                return None
            self._places[key] = bytes(said).decode("utf-8")
        return self._places[key]

    def _prefix(self, key: str) -> str:
        """What the names of a run's objects begin with; before there were several places, a run had the one."""
        return f"{self._place(key) or f'{RUNS}/{key}'}/"

    def _download(self, key: str, folder: Path) -> None:
        prefix = self._prefix(key)
        names = [each["path"] for each in self._objects(prefix)]
        with ThreadPoolExecutor(STREAMS) as pool:
            for _ in pool.map(lambda name: self._get_file(name, folder / name[len(prefix) :]), names):
                pass

    def verify(self, key: str) -> list[str]:
        """What differs in the bucket from what was published; all of it is downloaded for that, and not kept."""
        with self._letters("a run can not be downloaded from"), attempt(self.root, "verify") as made:
            self._download(key, made.folder)
            return open_run(made.folder, key).verify()

    def _get_file(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in obstore.get(self._bucket, name).stream(min_chunk_size=PART_BYTES):
                file.write(chunk)

    def part(self, key: str, name: str) -> Mapping[str, Any]:
        """A file of a run that holds a mapping as JSON, without downloading the rest."""
        if (self.root / key).is_dir():
            return super().part(key, name)
        try:
            content = self.content(key, name)
        except FileNotFoundError:
            content = b""
        with attempt(self.root, "record") as made:
            (made.folder / name).write_bytes(content)
            return read_json(made.folder / name)

    def content(self, key: str, name: str) -> bytes:
        """A file of a run, without downloading the rest."""
        if (self.root / key).is_dir():
            return super().content(key, name)
        with self._letters("a file of a run can not be read in"):
            return bytes(obstore.get(self._bucket, self._prefix(key) + name).bytes())

    def stamp(self, key: str) -> str | None:
        # Nothing changes a published object; what was discarded is in the log.
        return PUBLISHED

    def changes(self, seen: Looked, known: Callable[[str], Collection[str]]) -> Changes:
        """What the log says since it was read last."""
        since = seen.get(_LOG, (0, True))[0]
        with self._letters("runs can not be listed in"):
            events = list(self._log.events(since))
        latest = max((when for when, *_ in events), default=since)
        state = {key: kind for key, (kind, _) in last_of(events).items()}
        before = {region: set(known(region)) for region in {_region(key) for key in state}}
        there = {key for key, kind in state.items() if kind in THERE}
        added = {key for key in there if key not in before[_region(key)]}
        removed = {key for key in state.keys() - there if key in before[_region(key)]}
        looked = {} if latest == since else {_LOG: (latest, True)}
        return Changes(frozenset(added), frozenset(removed), looked, frozenset())

    # -- remarks -------------------------------------------------------------------------------------

    def mark_names(self) -> set[str]:
        with self._letters("remarks can not be read in"):
            return {each["path"].rpartition("/")[2] for each in self._objects(f"{MARKS}/")}

    def marks(self, names: Collection[str] | None = None) -> Iterator[tuple[str, Mark]]:
        with self._letters("remarks can not be read in"):
            for name in sorted(self.mark_names() if names is None else names):
                yield name, mark_of(json.loads(bytes(obstore.get(self._bucket, f"{MARKS}/{name}").bytes())))

    def _write_mark(self, mark: Mark) -> None:
        name, text = mark_file(mark)
        # Nobody else has the name: where it is there already, an attempt that got no answer has arrived.
        with self._letters("a remark can not be written in"), contextlib.suppress(AlreadyExistsError):
            obstore.put(self._bucket, f"{MARKS}/{name}", text.encode("utf-8"), mode="create")

    # -- what the team stands behind -------------------------------------------------------------------

    def seal(self, key: str) -> str | None:
        with self._letters("a run can not be read in"), contextlib.suppress(FileNotFoundError):
            checksums = bytes(obstore.get(self._bucket, self._prefix(key) + CHECKSUMS).bytes())
            return hashlib.sha256(checksums).hexdigest()
        return None

    def word_names(self) -> set[str]:
        with self._letters("approvals can not be read in"):
            return {each["path"].rpartition("/")[2] for each in self._objects(f"{WORDS}/")}

    def words(self, names: Collection[str] | None = None) -> Iterator[tuple[str, Word]]:
        with self._letters("approvals can not be read in"):
            for name in sorted(self.word_names() if names is None else names):
                yield name, self._word(name)

    def _word(self, name: str) -> Word:
        return word_of(bytes(obstore.get(self._bucket, f"{WORDS}/{name}").bytes()))

    def speak(self, word: Word) -> bool:
        with self._letters("an approval can not be written in"):
            try:
                text = word.as_text().encode("utf-8")
                obstore.put(self._bucket, f"{WORDS}/{word.name}", text, mode="create")
            except AlreadyExistsError:
                # An attempt that got no answer may have arrived; then it is ours.
                return self._word(word.name) == word
        return True

    # -- what is kept --------------------------------------------------------------------------------

    def sizes(self, keys: Collection[str], *, trash: bool = False) -> BucketSizes:
        with self._letters("runs can not be measured in"):
            return BucketSizes({key: sum(each["size"] for each in self._objects(f"{RUNS}/{key}/")) for key in keys})

    def discard(self, key: str, by: str, now: datetime) -> None:
        with self._letters("a run can not be discarded in"):
            said = self._log.say(DISCARDED, key, by, now)
        if said:
            remove(self.root / key, self.root)

    def discarded(self) -> Iterator[tuple[dict[str, Any], bool]]:
        with self._letters("runs can not be listed in"):
            for _, (kind, name) in sorted(self._log.last().items()):
                if kind in (DISCARDED, ERASED):
                    yield self._log.told(name), kind == DISCARDED

    def bring_back(self, key: str) -> bool:
        with self._letters("a run can not be brought back in"):
            # Where another brought it back first, it is there as well.
            return self._log.say(BACK, key, "") or self._log.last()[key][0] in THERE

    def erase(self, key: str) -> int:
        with self._letters("a run can not be erased in"):
            why = self._log.told(self._log.last()[key][1])
            # The word comes first: what is half erased is not to be brought back.
            if not self._log.say(ERASED, key, str(why["by"]), datetime.fromisoformat(why["pruned"])):
                return 0
            prefix = self._prefix(key)
            there = self._objects(f"{RUNS}/{key}/")
            gone = [each for each in there if not is_recipe(each["path"].removeprefix(prefix))]
            if gone:
                obstore.delete(self._bucket, [each["path"] for each in gone])
        return sum(each["size"] for each in gone)

    def recipe_of(self, key: str) -> str:
        return f"{self._url}/{self._prefix(key).rstrip('/')}"

    # -- the bucket ----------------------------------------------------------------------------------

    def _objects(self, prefix: str) -> list[Any]:
        return [each for batch in obstore.list(self._bucket, prefix, chunk_size=1000) for each in batch]

    @contextlib.contextmanager
    def _letters(self, what: str) -> Iterator[None]:
        """A bucket that refuses is a letter, in the words of the store and without its keys."""
        try:
            yield
        except BaseError as error:
            said = str(error).strip().splitlines()[0]
            fail(
                "R152",
                f"{what} {self._url}: {said}",
                hint="see whether the store runs, and AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; "
                "then the same command again goes on from there",
            )


class BucketSizes:
    """Bytes of runs in a bucket, where nothing is shared."""

    def __init__(self, of: dict[str, int]) -> None:
        self._of = of

    @property
    def total(self) -> int:
        return sum(self._of.values())

    def without(self, key: str) -> int:
        return self._of.pop(key)


def _region(key: str) -> str:
    return key.rsplit("/", 2)[0]


def _open(url: str) -> S3Store:
    """A bucket by its address, with the endpoint and the keys of the environment."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options: Any = {"allow_http": endpoint.startswith("http://"), "timeout": timedelta(seconds=120)}
    return S3Store.from_url(url, client_options=options, retry_config=RETRIES)
