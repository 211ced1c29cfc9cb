"""Who carries attempts out: one file each. An executor is three methods; `Executor` says what they promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from modelworks.jobs._attempt import Attempt
from modelworks.jobs._job import Order

# pending: not begun yet. ended: over, and the outcome is in the attempt's folder or there is none. lost: not known
# here. unknown: could not be asked now, which says nothing about the attempt.
Standing = Literal["pending", "running", "ended", "lost", "unknown"]

# The letter of an executor that can not be reached now, or has no room: that passes, and is no fault of the job's.
NOT_NOW = "J134"


@dataclass(frozen=True, slots=True)
class Sight:
    """What an executor sees of an attempt. `reason` is one of `PASSING`, or another word, where it ended badly."""

    standing: Standing
    text: str = ""
    reason: str = ""


class Executor(Protocol):
    """Carries attempts out somewhere.

    `submit` begins an attempt and gives a handle, by which any later process can ask about it; called again for the
    same attempt it begins nothing new that could come to a second result. It raises a `ModelworksError` where it can
    not, and begins nothing then, with the letter `NOT_NOW` where it may be able to a little later. `poll` tells of
    attempts by their handles; it never raises for a machine that does not answer, but says `unknown`. `cancel` asks
    attempts to end; it may be called again, and for those that have ended. Two attempts may have come by the same
    handle, as where a scheduler gives a number again.
    """

    name: str

    def submit(self, attempt: Attempt, order: Order) -> str: ...

    def poll(self, handles: Mapping[Attempt, str]) -> Mapping[Attempt, Sight]: ...

    def cancel(self, handles: Mapping[Attempt, str]) -> None: ...
