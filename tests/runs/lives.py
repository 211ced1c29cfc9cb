"""Many processes live on one store and one index, and are killed: what must be true of what they leave.

Run as a program: `lives.py FOLDER STORE INDEX SECONDS SEED`. Children do one thing after another that people do to
runs, each writing into a journal before it begins and after it is done, and most send themselves SIGKILL just before a
call chosen by chance that touches the disk, the bucket or the database. Then all of the journal is held against the
store. The last line is a report as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from killing import CHANGES, kill_at

from modelworks.errors import ModelworksError
from modelworks.runs import BucketStore, Index, Policy, StageCache, Store, Wanted, empty_trash, plan, prune, pruned
from modelworks.runs import _assembly as assembly

from modelworks.runs import restore  # isort: skip

AT_ONCE, THINGS, RIVALS = 3, 12, 8
CALLS = CHANGES | {"put", "get", "list", "delete", "execute", "executemany", "commit", "__next__"}
# What may be said to somebody whose run another has taken away, or brought back, in the meantime.
HAPPENS = {"R101", "R103", "R141"}
MOMENT = datetime(2026, 11, 21, tzinfo=UTC)
# Of runs discarded on the first day the trash may be emptied, of those of the second not.
LONG_AGO, LATELY, NOW = (datetime(2027, month, 1, tzinfo=UTC) for month in (1, 6, 7))
POLICY = Policy(keep_days=0, keep_latest=0)
Event = dict[str, Any]


class Place:
    """A store and its index, as a process of some machine opens them."""

    def __init__(self, root: Path, store: str, index: str, machine: int) -> None:
        self.journal, self.stages = root / "journal", root / "stages"
        self.store = BucketStore(store, root / f"mirror-{machine}") if "://" in store else Store(Path(store))
        self.index = Index(self.store, index)

    def note(self, what: str, **fields: Any) -> None:
        line = json.dumps({"at": time.monotonic_ns(), "what": what, **fields})
        handle = os.open(self.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(handle, line.encode() + b"\n")
        os.close(handle)

    @contextlib.contextmanager
    def doing(self, what: str, **fields: Any) -> Iterator[None]:
        self.note(what, **fields)
        yield
        self.note(f"{what} done", **fields)

    def events(self) -> list[Event]:
        lines = self.journal.read_text("utf-8").splitlines() if self.journal.exists() else []
        return [json.loads(line) for line in lines]


# -- what people do ----------------------------------------------------------------------------------


def publish(place: Place, chance: random.Random) -> None:
    """A run of its own, or one that others try to publish too, as attempts at a job do."""
    token = f"{chance.getrandbits(64):016x}"
    stage = place.stages / token
    stage.mkdir(parents=True)
    (stage / "table.csv").write_text(content(token), encoding="utf-8")
    study, name = "flu", None
    if chance.random() < 0.4:
        study, name = "rivals", (MOMENT, f"{chance.randrange(RIVALS):06x}")
    place.note("publish", token=token, study=study)
    run = place.store.publish(
        (study, "sir", "uk"),
        stages={"simulate": stage},
        record={"token": token, "parameters": {"rate": 1.0}},
        name=name,
    )
    place.note("publish done", token=token, study=study, key=run.key, got=run.record["token"])


def content(token: str) -> str:
    return f"token\n{token}\n" * 50


def remark(place: Place, chance: random.Random) -> None:
    keys = sorted(place.store.published())
    if keys:
        key, tag = chance.choice(keys), f"{chance.getrandbits(32):08x}"
        kind = chance.choice(["tag", "pin"]) if key.startswith("flu/") else "tag"
        with place.doing(kind, key=key, tag=tag):
            place.store.remark(key, kind, tag, by="Ada")


def throw_away(place: Place, chance: random.Random) -> None:
    began = time.monotonic_ns()
    now = chance.choice([LONG_AGO, LATELY])
    leaving = [each for each in plan(place.store, POLICY, NOW).leaving if each.run.study == "flu"]
    some = chance.sample(leaving, min(2, len(leaving)))
    with place.doing("discard", keys=[each.run.key for each in some], planned=began, lately=now == LATELY):
        prune(place.store, some, StageCache(place.stages / "cache"), by="Ada", now=now)


def bring_back(place: Place, chance: random.Random) -> None:
    gone = sorted(str(why["key"]) for why in pruned(place.store))
    if gone:
        restore(place.store, chance.choice(gone))


def empty(place: Place, _: random.Random) -> None:
    with place.doing("erase"):
        empty_trash(place.store, older_than_days=60, now=NOW)


def look(place: Place, chance: random.Random) -> None:
    """What can be seen is whole."""
    runs = place.store.runs()
    for run in chance.sample(runs, min(3, len(runs))):
        complaints = run.verify() + place.store.verify(run.key)
        # What was thrown away and brought back meanwhile is looked at again.
        if complaints and run.key in place.store.published() and place.store.verify(run.key):
            raise AssertionError(f"{run.key} is seen and is not whole: {complaints}")


def ask(place: Place, _: random.Random) -> None:
    place.index.select(Wanted(limit=20))


def rebuild(place: Place, _: random.Random) -> None:
    place.index.rebuild()


THINGS_TO_DO: list[tuple[Callable[[Place, random.Random], None], int]] = [
    (publish, 6), (remark, 3), (throw_away, 3), (bring_back, 2), (empty, 1), (look, 2), (ask, 3), (rebuild, 1),
]  # fmt: skip


# -- a life --------------------------------------------------------------------------------------------


def live(make: Callable[[int], Place], seed: int) -> None:
    """Do a few things, and perhaps be killed."""
    chance = random.Random(seed)
    place = make(chance.randrange(2))
    if chance.random() < 0.85:
        watch = kill_at(int(chance.expovariate(1 / 150)) + 1, CALLS)
        threading.setprofile(watch)
        sys.setprofile(watch)
    for thing in chance.choices(*zip(*THINGS_TO_DO, strict=True), k=THINGS):
        try:
            thing(place, chance)
        except ModelworksError as error:
            if not set(error.codes) <= HAPPENS:
                place.note("bad", text=f"{thing.__name__}: {error}")
        except Exception:  # noqa: BLE001 - whatever a person would see as a traceback is to be reported
            place.note("bad", text=f"{thing.__name__}: {traceback.format_exc()}")


def child(make: Callable[[int], Place], seed: int) -> int:
    process = os.fork()
    if process == 0:
        try:
            live(make, seed)
        finally:
            os._exit(0)
    return process


# -- what must be true -------------------------------------------------------------------------------


def complaints(place: Place) -> Iterator[str]:
    """Everything that is half there, lost or altered, against the journal."""
    place.store.deliver()
    events = place.events()
    yield from (str(event["text"]) for event in events if event["what"] == "bad")
    yield from (str(letter) for letter in place.store.damaged())
    yield from about_the_index(place)
    runs = {run.key: run for run in place.store.runs()}
    waiting = {str(why["key"]): there for why, there in place.store.discarded()}
    yield from lost_or_pinned(events, set(runs), waiting)
    for key in [key for key, there in waiting.items() if there]:
        runs[key] = restore(place.store, key)
    tokens = {event["token"] for event in events if event["what"] == "publish"}
    for key, run in runs.items():
        yield from (f"{key}: {each}" for each in place.store.verify(key) + run.verify())
        token = str(run.record["token"])
        if token not in tokens or (run.path / "simulate" / "table.csv").read_text("utf-8") != content(token):
            yield f"{key} holds what nobody published"
        said = {event["got"] for event in events if event.get("key") == key and event["what"] == "publish done"}
        if not said <= {token}:
            yield f"{key} was given to somebody with other contents"


def lost_or_pinned(events: list[Event], there: set[str], waiting: dict[str, bool]) -> Iterator[str]:
    discards = [event for event in events if event["what"] == "discard"]
    erasable = {key for event in discards if not event["lately"] for key in event["keys"]}
    discarded = {key for event in discards for key in event["keys"]}
    pins = {event["key"]: event["at"] for event in reversed(events) if event["what"] == "pin done"}
    for key in [event["key"] for event in events if event["what"] == "publish done"]:
        if key not in there and not (waiting.get(key) or (key in waiting and key in erasable)):
            yield f"{key} is lost"
        if key not in there and key not in discarded:
            yield f"{key} went, and nobody discarded it"
    for event in discards:
        yield from (f"{key} was pinned" for key in event["keys"] if pins.get(key, event["planned"]) < event["planned"])


def about_the_index(place: Place) -> Iterator[str]:
    """It says what the folders say, with every remark that was made."""
    found = place.index.select()
    with Index(place.store, "sqlite://") as fresh:
        if fresh.select() != found:
            yield "the index is not what a new one would be"
    there = set(place.store.published())
    yield from (f"{key} is not in the store, or not in the index" for key in there ^ {row.key for row in found.rows})
    tags = {row.key: row.tags for row in found.rows}
    for event in place.events():
        if event["what"] == "tag done" and event["key"] in tags and event["tag"] not in tags[event["key"]]:
            yield f"{event['key']} lost the tag {event['tag']}"


def main(root: Path, store: str, index: str, seconds: float, seed: int) -> None:
    # Looking for every installed package takes most of the time, and what it finds is the same for all.
    assembly.installed = lambda: {"numpy": "2"}
    make = partial(Place, root, store, index)
    chance, killed, lived, alive = random.Random(seed), 0, 0, set[int]()
    ends = time.monotonic() + seconds
    while alive or time.monotonic() < ends:
        while len(alive) < AT_ONCE and time.monotonic() < ends:
            alive.add(child(make, chance.getrandbits(32)))
        process, status = os.wait()
        alive.discard(process)
        killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        lived += 1
    bad = list(complaints(make(0)))
    make(1).store.deliver()
    bad += complaints(make(1))
    done = [event["what"] for event in make(0).events()]
    report = {
        "killed": killed,
        "lived": lived,
        "done": {what: done.count(what) for what in sorted({*done})},
        "bad": bad,
    }
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
