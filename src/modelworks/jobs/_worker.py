"""The one who carries jobs out: takes them from the queue, hands them to executors, and records what came of them.

All it knows is in the queue and in the attempts' folders, so it may be killed at any moment; another goes on. Time is
measured by a clock that nobody can set.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelworks.errors import ModelworksError
from modelworks.jobs._attempt import Attempt
from modelworks.jobs._chores import Chores
from modelworks.jobs._job import PASSING, Claim
from modelworks.jobs._queue import Capacity, Queue, Worker
from modelworks.jobs.executors import NOT_NOW, Executor, Sight

# A worker, or an attempt nobody can be asked about, that gave no sign of life for so long is given up.
LEASE_SECONDS = 60.0
# A process that is there but was not heard of for so long is stuck, and is ended.
STUCK_SECONDS = 1800.0
BACKOFF_SECONDS = 5.0
POLL_SECONDS = 0.5
# What has just begun or ended is looked at again so soon, and then twice as late each time until `POLL_SECONDS`.
SOONEST_SECONDS = 0.005
# Of its lease, the part after which a worker gives a sign of life.
BEAT = 0.05


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a worker is; all in seconds."""

    lease: float = LEASE_SECONDS
    stuck: float = STUCK_SECONDS
    backoff: float = BACKOFF_SECONDS
    poll: float = POLL_SECONDS


@dataclass
class _Watch:
    """Something that should change as long as somebody is alive, and when it last did."""

    clock: Callable[[], float]
    seen: dict[str, tuple[Any, float]] = field(default_factory=dict)

    def silent_seconds(self, name: str, sign: Any) -> float:
        before, since = self.seen.get(name, (None, self.clock()))
        if name not in self.seen or before != sign:
            since = self.clock()
            self.seen[name] = (sign, since)
        return self.clock() - since

    def forget(self, name: str) -> None:
        self.seen.pop(name, None)


@dataclass(frozen=True, slots=True)
class _Word:
    """Something to be said to the queue, which answers whether it counts; and what follows from the answer."""

    say: Callable[[], bool]
    then: Callable[[bool], None] = lambda _: None


class JobWorker:
    """Takes on the jobs of a queue whose attempts lie below `home`, as far as `capacity` goes.

    `chores` are done beside them, and once more before a worker leaves because nothing is left. `say` hears of what can
    not be done now and is tried again, such as a queue that does not answer.
    """

    def __init__(
        self,
        queue: Queue,
        home: Path,
        executors: Mapping[str, Executor],
        capacity: Capacity,
        *,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = lambda _: None,
        chores: Chores | None = None,
    ) -> None:
        self._queue, self._home, self._executors, self._capacity = queue, home, executors, capacity
        self._pace = pace or Pace()
        self._say, self._chores = say, chores or Chores()
        self._id: str | None = None
        self._claims: dict[str, Claim] = {}
        self._lives, self._pulses = _Watch(clock), _Watch(clock)
        self._clock = clock
        self._last: dict[str, float] = {}
        self._wishes: set[str] = set()
        self._words: dict[tuple[str, str], _Word] = {}
        self._moved = False

    def run(self, over: threading.Event, *, until_idle: bool = False) -> None:
        """Work until told that it is over, or until nothing waits and nothing runs."""
        pause = self._pace.poll
        try:
            while not over.is_set():
                self._moved = False
                busy = self._tried()
                if until_idle and not busy and self._is_idle():
                    self._chores.finish()
                    return
                self._chores.step()
                pause = SOONEST_SECONDS if self._moved else 2 * pause
                pause = min(pause, self._pace.poll)
                over.wait(pause)
        finally:
            self._leave()

    def tick(self) -> bool:
        """One round: a sign of life, a look at the others, and a step with every job; whether there was any."""
        if self._is_due("beat", BEAT * self._pace.lease):
            self._be_alive()
        if self._is_due("look around", self._pace.poll):
            self._bury_the_dead()
            for claim in self._queue.adopt(self._me, self._capacity):
                self._claims[claim.job] = claim
            self._wishes = self._queue.wishes(self._me)
        self._follow()
        for claim in self._told_and_claimed():
            self._claims[claim.job] = claim
            self._begin(claim)
            self._moved = True
        return bool(self._claims)

    def _is_due(self, what: str, seconds: float) -> bool:
        """Whether something was not done for so long."""
        now = self._clock()
        due = now - self._last.get(what, float("-inf")) >= seconds
        if due:
            self._last[what] = now
        return due

    def _told_and_claimed(self) -> list[Claim]:
        """Say all that there is to say, and take on what there is now room for, in one transaction.

        Where that fails nothing counts as said, and it is said again.
        """
        if not self._words:
            return self._queue.claim(self._me, self._spare())
        with self._queue.together():
            heard = [(word.then, word.say()) for word in self._words.values()]
            claims = self._queue.claim(self._me, self._spare())
        self._words.clear()
        for then, counted in heard:
            then(counted)
        return claims

    # -- being one of several ------------------------------------------------------------------------

    @property
    def _me(self) -> str:
        if self._id is None:
            self._id = self._queue.enter(socket.gethostname())
        return self._id

    def _be_alive(self) -> None:
        if not self._queue.beat(self._me):
            # Given up while frozen, or cut off: what was ours is somebody else's now.
            self._claims.clear()
            self._id = None
            self._queue.beat(self._me)

    def _bury_the_dead(self) -> None:
        for other in self._queue.workers():
            if other.id != self._me and self._is_dead(other):
                self._queue.bury(other)
                self._lives.forget(other.id)

    def _is_dead(self, other: Worker) -> bool:
        if other.process.is_gone():
            return True
        return self._lives.silent_seconds(other.id, other.beat) > self._pace.lease

    def _spare(self) -> Capacity:
        return replace(self._capacity, jobs=self._capacity.jobs - len(self._claims))

    def _leave(self) -> None:
        """Not to be waited for: what is under way goes on, and another takes it over."""
        if self._id is not None:
            try:
                self._queue.leave(self._id)
            except ModelworksError as error:
                self._say(str(error))

    def _tried(self) -> bool:
        try:
            return self.tick()
        except (ModelworksError, OSError) as error:
            # A server that is down or a disk that is full: the jobs go on without us, and we come back to them.
            self._say(f"{error}; trying again")
            return True

    def _is_idle(self) -> bool:
        return not self._queue.jobs(("waiting", "running"), limit=1)

    # -- one job -------------------------------------------------------------------------------------

    def _begin(self, claim: Claim) -> None:
        if claim.cancelled:
            self._drop(claim, "cancelled", {"reason": "cancelled", "text": "cancelled before it began"})
            return
        retried = self._queue.retried(claim.job) if claim.attempt > 1 else 0
        try:
            attempt = Attempt.prepare(self._home, claim, retried=retried)
            self._hand_over(claim, attempt)
        except OSError as error:
            self._once_more(claim, "disk", str(error), counts=False)

    def _hand_over(self, claim: Claim, attempt: Attempt) -> None:
        try:
            handle = self._executors[claim.order.executor].submit(attempt, claim.order)
        except ModelworksError as error:
            # It may have been taken all the same, where only the answer was lost; another attempt is to follow.
            self._give_up(claim, attempt, "away" if NOT_NOW in error.codes else "refused", str(error.letters[0]))
        else:
            self._hold(claim, handle)

    def _hold(self, claim: Claim, handle: str) -> None:
        """Its handle is for those who take it over; who finds none begins the attempt again, which is the same one."""
        held = self._claims[claim.job] = replace(claim, handle=handle)

        def then(is_ours: bool) -> None:
            if not is_ours:
                self._forget(held)

        self._words[claim.job, "handle"] = _Word(lambda: self._queue.note(claim, handle=handle), then)

    def _follow(self) -> None:
        """A step with every job that is under way."""
        for name, executor in self._executors.items():
            ours = {Attempt.of(self._home, each): each for each in self._claims.values() if each.order.executor == name}
            handles = {attempt: claim.handle for attempt, claim in ours.items() if claim.handle}
            sights = executor.poll(handles) if handles else {}
            for attempt, claim in ours.items():
                try:
                    self._step(claim, attempt, executor, sights.get(attempt), claim.job in self._wishes)
                except OSError as error:
                    # What ails one job's folder does not keep us from the others.
                    self._say(f"job {claim.job}: {error}; trying again")

    def _step(self, claim: Claim, attempt: Attempt, executor: Executor, sight: Sight | None, unwanted: bool) -> None:
        outcome = attempt.outcome()
        if outcome is not None:
            self._record(claim, outcome)
        elif sight is None:
            self._not_begun(claim, attempt, unwanted)
        elif sight.standing == "ended":
            self._ended(claim, attempt, sight, unwanted)
        elif unwanted:
            self._unwanted(claim, attempt, executor, sight)
        elif sight.standing in ("lost", "unknown") and self._is_silent(claim, attempt):
            self._give_up(claim, attempt, "lost", sight.text or PASSING["lost"])
        elif sight.standing == "running" and self._silent_seconds(claim, attempt) > self._pace.stuck:
            executor.cancel({attempt: str(claim.handle)})
        elif sight.text:
            self._words[claim.job, "phase"] = _Word(lambda: self._queue.note(claim, phase=sight.text))

    def _is_silent(self, claim: Claim, attempt: Attempt) -> bool:
        return self._silent_seconds(claim, attempt) > self._pace.lease

    def _silent_seconds(self, claim: Claim, attempt: Attempt) -> float:
        return self._pulses.silent_seconds(f"{claim.job} {claim.attempt}", attempt.pulse())

    def _not_begun(self, claim: Claim, attempt: Attempt, unwanted: bool) -> None:
        """A worker died between taking the job and saying where it runs; its executor knows whether it has begun."""
        if unwanted:
            self._record(claim, attempt.close("cancelled", "cancelled", "cancelled before it began"))
        else:
            self._begin(claim)

    def _unwanted(self, claim: Claim, attempt: Attempt, executor: Executor, sight: Sight) -> None:
        if claim.handle:
            executor.cancel({attempt: claim.handle})
        if sight.standing in ("lost", "unknown") and self._is_silent(claim, attempt):
            self._record(claim, attempt.close("cancelled", "cancelled", "cancelled"))

    def _ended(self, claim: Claim, attempt: Attempt, sight: Sight, unwanted: bool) -> None:
        """Its process is no more, and it left no word."""
        if unwanted:
            self._record(claim, attempt.close("cancelled", "cancelled", "cancelled"))
        elif sight.reason in PASSING:
            self._give_up(claim, attempt, sight.reason, sight.text)
        else:
            text = f"{sight.text}, without a word of what it came to; its last lines are in {attempt.folder}/output.txt"
            self._record(claim, attempt.close("failed", sight.reason or "exit", text))

    def _give_up(self, claim: Claim, attempt: Attempt, reason: str, text: str) -> None:
        """No later word of this attempt counts; another one may follow."""
        self._record(claim, attempt.close("died", reason, text))

    def _record(self, claim: Claim, outcome: Mapping[str, Any]) -> None:
        """The outcome that counts, into the queue."""
        state, reason = str(outcome["state"]), str(outcome.get("reason", ""))
        if state == "died" and reason in PASSING:
            self._once_more(claim, reason, str(outcome.get("text") or PASSING[reason]), counts=reason != "away")
        else:
            ends = {"done": "done", "cancelled": "cancelled"}
            self._drop(claim, ends.get(state, "failed"), outcome)

    def _once_more(self, claim: Claim, reason: str, text: str, *, counts: bool = True) -> None:
        if counts and claim.attempt >= claim.allowed:
            tried = f"{text}; tried {claim.attempt} times"
            self._drop(claim, "failed", {"reason": reason, "text": tried})
            return
        delay = self._pace.backoff * 2 ** (min(claim.attempt, 8) - 1)
        self._end(claim, lambda: self._queue.again(claim, reason, text, delay, counts=counts))

    def _drop(self, claim: Claim, state: Any, outcome: Mapping[str, Any]) -> None:
        self._end(claim, lambda: self._queue.finish(claim, state, outcome))

    def _end(self, claim: Claim, say: Callable[[], bool]) -> None:
        self._words[claim.job, "end"] = _Word(say, lambda _: self._forget(claim))

    def _forget(self, claim: Claim) -> None:
        self._moved = True
        self._claims.pop(claim.job, None)
        self._pulses.forget(f"{claim.job} {claim.attempt}")
