"""What happened to the runs of a bucket: a log of small objects that are created and never changed.

What happens to one run is counted, so that its order needs no clock. Each number is somebody's turn, which is taken by
creating an object; of two who would restore and erase a run at once, say, the second finds the turn taken and looks
again at what may still be done.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from modelworks.logs import stamp

EVENTS, TURNS = "events", "turns"
PUBLISHED, DISCARDED, BACK, ERASED = "published", "discarded", "back", "erased"
THERE = (PUBLISHED, BACK)
# What may happen to a run after what happened last.
_BEFORE = {DISCARDED: THERE, BACK: (DISCARDED,), ERASED: (DISCARDED,)}
# Clocks of two machines differ, and an upload takes its time: so far back the log is read again.
OVERLAP = timedelta(hours=24)
_BETWEEN = "~"

# When (microseconds of Unix time), what, to which run, and the object that says so.
Event: TypeAlias = tuple[int, str, str, str]


class BucketLog:
    """The log of a bucket; `clock` tells the time."""

    def __init__(self, bucket: S3Store, clock: Callable[[], datetime]) -> None:
        self._bucket, self._clock = bucket, clock

    def publish(self, key: str) -> None:
        """Say that a run is published; to say so twice changes nothing."""
        self._write(_told(PUBLISHED, key, "", self._now()), 0)

    def say(self, kind: str, key: str, by: str, moment: datetime | None = None) -> bool:
        """Say that a run is discarded, back or erased; False where that can not be, after what others did."""
        while True:
            last, name = self.last().get(key, ("", ""))
            if last not in _BEFORE[kind]:
                return False
            if self._take(_number(name) + 1, _told(kind, key, by, moment or self._now())):
                return True

    def _take(self, number: int, told: dict[str, Any]) -> bool:
        """Take a turn; where another took it, say what they meant to say, for they may have been killed since."""
        name, turn = f"{TURNS}/{told['key']}/{number:06d}", {**told, "turn": secrets.token_hex(8)}
        self._put(name, turn)
        # Read back instead of trusting the answer to the put: a request whose answer was lost is sent again.
        taken = self.told(name)
        self._write(taken, number)
        return taken == turn

    def _write(self, told: dict[str, Any], number: int) -> None:
        """Add to the log, at the time it is now. The names sort by time, and say all that a list of runs needs."""
        parts = [f"{self._now():%Y%m%dT%H%M%S.%fZ}", told["event"], *told["key"].split("/"), f"{number:06d}"]
        self._put(f"{EVENTS}/{_BETWEEN.join(parts)}", told)

    def events(self, since_microseconds: int = 0) -> Iterator[Event]:
        """The log in the order of time, or what of it is not long before a moment of Unix time."""
        offset = None
        if since_microseconds:
            begin = datetime.fromtimestamp(since_microseconds / 1e6, UTC) - OVERLAP
            offset = f"{EVENTS}/{begin:%Y%m%dT%H%M%S}"
        listed = obstore.list(self._bucket, f"{EVENTS}/", offset=offset, chunk_size=1000)
        for name in sorted(str(each["path"]) for batch in listed for each in batch):
            moment, kind, *parts = name.rpartition("/")[2].split(_BETWEEN)
            when = datetime.strptime(moment, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
            yield round(when.timestamp() * 1e6), kind, "/".join(parts[:-1]), name

    def last(self) -> dict[str, tuple[str, str]]:
        """What happened to each run last, and the name of the object that says so."""
        return last_of(self.events())

    def told(self, name: str) -> dict[str, Any]:
        """What an object of the log says: `key`, `event`, `by` whom, and when it was `pruned`."""
        return dict(json.loads(bytes(obstore.get(self._bucket, name).bytes())))

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)

    def _put(self, name: str, value: dict[str, Any]) -> None:
        with contextlib.suppress(AlreadyExistsError):
            obstore.put(self._bucket, name, json.dumps(value).encode("utf-8"), mode="create")


def last_of(events: Iterable[Event]) -> dict[str, tuple[str, str]]:
    """What happened to each run last, and the object that says so."""
    return {key: (kind, name) for _, kind, key, name in sorted(events, key=lambda event: _number(event[3]))}


def _number(name: str) -> int:
    return int(name.rpartition(_BETWEEN)[2])


def _told(kind: str, key: str, by: str, moment: datetime) -> dict[str, Any]:
    return {"key": key, "event": kind, "by": by, "pruned": stamp(moment)}
