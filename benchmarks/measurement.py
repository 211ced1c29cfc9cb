"""What a benchmark says, and how it takes the time."""

from __future__ import annotations

import json
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measurement:
    """One line: `value` in `unit` is ours.

    `peer` names what it was measured against, in the same run, and `ratio` is the peer's value over ours: above 1,
    ours is the faster. `error` is the largest error of our answer, relative to the largest true value.
    All three are null where they do not apply or the peer is not installed.
    """

    name: str
    value: float
    unit: str
    peer: str | None = None
    ratio: float | None = None
    error: float | None = None

    def as_json(self) -> str:
        rounded = {key: _rounded(value) for key, value in asdict(self).items()}
        return json.dumps(rounded)


def _rounded(value: object) -> object:
    """Four significant digits: more than a shared machine repeats."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def compared(
    name: str, ours: float, unit: str, peer: str, theirs: float | None, error: float | None = None
) -> Measurement:
    """Ours next to a peer's; `theirs` is None where the peer is not there."""
    if theirs is None:
        return Measurement(name, ours, unit, None, None, error)
    return Measurement(name, ours, unit, peer, theirs / ours, error)


def seconds_each(
    work: Callable[[], object],
    *,
    at_least: float = 0.2,
    tries: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Seconds of the processor for one call: the fastest of several tries, each long enough for the clock.

    The fastest, because whatever else the machine does can only add. Work in several threads wants the `clock` on the
    wall, `time.perf_counter`.
    """
    calls = 1
    while True:
        taken = _timed(work, calls, clock)
        if taken >= at_least / 4:
            break
        calls *= 4
    calls = max(1, round(calls * at_least / taken / tries))
    return min(_timed(work, calls, clock) for _ in range(tries)) / calls


def _timed(work: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        work()
    return clock() - start


def seconds_of_command(
    command: Sequence[str], *, tries: int = 7, environment: Mapping[str, str] | None = None
) -> float:
    """Seconds of the processor for a whole process and those it starts: the fastest of several tries."""
    found = []
    for _ in range(tries):
        before = seconds_of_children()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found.append(seconds_of_children() - before)
    return min(found)


def seconds_of_children() -> float:
    """Seconds of the processor that all processes took that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
