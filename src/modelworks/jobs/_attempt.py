"""The folder of one attempt: all that the two sides of a job tell each other, by files that appear whole.

    order.json     what is to be done; written before the attempt begins
    claim.json     who carries it out: the first process that says so, and no other
    pulse          a number that grows as long as that process is alive
    log.jsonl      what happened and how far it is, one JSON object a line
    output.txt     what the command printed
    outcome.json   what came of it; the first word counts, whoever says it

The one who carries the attempt out and the one who watches it may be on different machines and need only this folder
in common. `outcome.json` is the fence: a watcher that gives an attempt up says so there first, and what a lost
attempt says afterwards is not heard.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelworks.errors import DISK_IS_FULL, ModelworksError
from modelworks.jobs._job import Claim, Resources
from modelworks.logs import Log, stamp, utc_now, without_secrets
from modelworks.processes import Process

PULSE_SECONDS = 2.0
# A process ends with this status where the disk was full: it could not say so in its folder. (EX_IOERR of sysexits.h)
DISK_STATUS = 74
# And with this one where another carries the attempt out: what came of that one is not said by it. (EX_TEMPFAIL)
OTHERS_STATUS = 75
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class NotOursError(Exception):
    """Somebody else carries the attempt out, or it was given up before it began."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job, by its folder."""

    folder: Path

    # -- the side that watches -----------------------------------------------------------------------

    @classmethod
    def prepare(cls, home: Path, claim: Claim, *, retried: int = 0) -> Attempt:
        """The folder of a claim's attempt, with its order; what is there already stays.

        `retried` is how often somebody let the job begin anew.
        """
        attempt = cls.of(home, claim)
        attempt.folder.mkdir(parents=True, exist_ok=True)
        told = {
            "job": claim.job,
            "attempt": claim.attempt,
            "retried": retried,
            "title": claim.order.title,
            "task": claim.order.task,
            "resources": asdict(claim.order.resources),
        }
        # Nobody needs it after a power cut, which ends the attempt.
        _create(attempt.folder / "order.json", told, lasting=False)
        return attempt

    @classmethod
    def of(cls, home: Path, claim: Claim) -> Attempt:
        return cls(home / claim.job / f"attempt-{claim.attempt}")

    def process(self) -> Process | None:
        """Who carries it out, if anybody has begun."""
        said = _read(self.folder / "claim.json")
        return Process(said["place"], said["pid"], said["started"]) if said and "pid" in said else None

    def pulse(self) -> str:
        try:
            return (self.folder / "pulse").read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def outcome(self) -> Mapping[str, Any] | None:
        """What came of it, once somebody has said so."""
        return _read(self.folder / "outcome.json")

    def close(self, state: str, reason: str, text: str) -> Mapping[str, Any]:
        """Give the attempt up, unless its outcome is known already; gives the outcome that counts from now on."""
        # On a disk that was full there may not even be a folder.
        self.folder.mkdir(parents=True, exist_ok=True)
        _create(self.folder / "claim.json", {"closed": stamp(utc_now())})
        _create(self.folder / "outcome.json", {"state": state, "reason": reason, "text": without_secrets(text)})
        outcome = self.outcome()
        if outcome is None:
            raise RuntimeError(f"{self.folder}/outcome.json was written but is not there")
        return outcome

    # -- the side that carries it out ----------------------------------------------------------------

    def order(self) -> Mapping[str, Any]:
        return json.loads((self.folder / "order.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    def resources(self) -> Resources:
        return Resources(**self.order()["resources"])

    @property
    def log(self) -> Log:
        return Log(self.folder / "log.jsonl")

    @contextlib.contextmanager
    def at_work(self) -> Iterator[dict[str, Any]]:
        """Carry the attempt out; what the block puts into the mapping it is given becomes the job's result.

        A letter that the block raises is the outcome too, and is not raised again: it is told where the job is looked
        at. Anything else ends the process without an outcome, and the watcher finds that out. A full disk, which can
        pass, ends it with a status of its own, and so does an attempt that another process has begun or that was
        given up.
        """
        began = time.monotonic()
        with _or_status(), self._claimed():
            result: dict[str, Any] = {}
            try:
                yield result
            except ModelworksError as error:
                if DISK_IS_FULL in error.codes:
                    raise
                self._end({**_refused(error), "took": _took(began)})
            else:
                self._end({**_done(result), "took": _took(began)})

    @contextlib.contextmanager
    def here(self) -> Iterator[dict[str, Any]]:
        """As `at_work`, in the process of somebody who waits for it: what is raised becomes the outcome and goes on."""
        began = time.monotonic()
        with self._claimed():
            result: dict[str, Any] = {}
            try:
                yield result
            except ModelworksError as error:
                self._end(_refused(error))
                raise
            except KeyboardInterrupt:
                self._end({"state": "cancelled", "reason": "cancelled", "text": "interrupted"})
                raise
            except Exception as error:
                self._end({"state": "failed", "reason": "exit", "text": f"{type(error).__name__}: {error}"})
                raise
            else:
                self._end({**_done(result), "took": _took(began)})

    @contextlib.contextmanager
    def _claimed(self) -> Iterator[None]:
        """This process carries the attempt out, as everybody can see."""
        me = Process.current()
        if not _create(self.folder / "claim.json", {**asdict(me), "host": os.uname().nodename}):
            raise NotOursError(f"{self.folder} is carried out by another process, or was given up")
        with self._beating():
            self.log.event("begun", pid=me.pid, host=os.uname().nodename)
            yield

    def is_given_up(self) -> bool:
        """Whether nobody waits for the outcome any more."""
        return (self.folder / "outcome.json").exists()

    def _end(self, outcome: Mapping[str, Any]) -> None:
        said = json.loads(without_secrets(json.dumps(outcome, default=str)))
        counts = _create(self.folder / "outcome.json", said)
        level = "info" if said["state"] == "done" else "error"
        self.log.event("ended", level=level, state=said["state"], text=said.get("text", ""), counts=counts)

    @contextlib.contextmanager
    def _beating(self) -> Iterator[None]:
        """The pulse of this process, as long as the block lasts."""
        over = threading.Event()
        thread = threading.Thread(target=_beat, args=(self.folder / "pulse", over), daemon=True, name="pulse")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextlib.contextmanager
def _or_status() -> Iterator[None]:
    try:
        yield
    except NotOursError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(OTHERS_STATUS) from error
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise SystemExit(DISK_STATUS) from error
    except ModelworksError as error:
        raise SystemExit(DISK_STATUS) from error


def _beat(path: Path, over: threading.Event) -> None:
    number = 0
    while True:
        number += 1
        # A full disk does not stop the work; without a pulse the watcher asks others.
        with contextlib.suppress(OSError):
            path.write_text(str(number), encoding="ascii")
        if over.wait(PULSE_SECONDS):
            return


def _took(began: float) -> dict[str, float]:
    """What this process and those it started used, by the system's own count; memory in GB (10⁹ bytes), at its most."""
    mine, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": round(time.monotonic() - began, 3),
        "cpu_seconds": round(sum(each.ru_utime + each.ru_stime for each in (mine, children)), 3),
        "memory_gb": round(max(_most_memory() or mine.ru_maxrss, children.ru_maxrss) * unit / 1e9, 3),
    }


def _most_memory() -> int | None:
    """The most memory that this program had, in KiB, where Linux tells; `ru_maxrss` is also that of who began it."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return None


def _done(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": "done", "reason": "done", "text": "", "result": result}


def _refused(error: ModelworksError) -> dict[str, Any]:
    letters = [letter.as_dict() for letter in error.letters]
    return {"state": "failed", "reason": "letters", "text": str(error.letters[0]), "letters": letters}


def _create(path: Path, value: Mapping[str, Any], *, lasting: bool = True) -> bool:
    """Write a file that was not there, whole and to the disk; False where there was one, which stays."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with draft.open("x", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, default=str)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        # A link is made or not, even between machines; a rename would replace what is there.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except FileNotFoundError:
        return None
