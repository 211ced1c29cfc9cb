"""What a team's own models do when a page asks something of them, in processes of their own.

A model is a file of Python that anybody of the team edits: it may never end, take all memory, or end its process. Each
version of a study has a child here, which has so long and so much memory; one that dies is begun anew for the next who
asks. The pages that ask nothing of a model never notice.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, ParamSpec, TypeVar

from modelworks.errors import Letter, ModelworksError
from modelworks.website._settings import MODEL_GB, MODEL_SECONDS

P = ParamSpec("P")
T = TypeVar("T")

# Studies and runs of which a process of the website has a child; what was not asked for longest goes first.
MOST_CHILDREN = 4
# So many of the forty threads of a process may wait for models; all other pages have the rest.
MOST_WAITING = 12
# A process whose pipe is closed is gone after so long.
GONE_SECONDS = 30.0
# What a child imports, imported once for all of them.
_PRELOADED = ["modelworks.website.pages.explore", "modelworks.website.pages.new_run"]


class NoAnswerError(Exception):
    """No answer came of a model or a file, and that is no mistake that a form could show at a field."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        self.letter = Letter(code, message, hint)
        super().__init__(str(self.letter))


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody hears where no answer came: of each cause a code, a sentence with room for a number, and a hint."""

    late: tuple[str, str, str]
    ended: tuple[str, str, str]
    memory: tuple[str, str, str]


OF_MODELS = Words(
    late=(
        "W130",
        "the model did not answer within {:.0f} seconds, and was stopped",
        "`modelworks check` shows whether it ever ends; `model_seconds` below [website] gives a large one more time",
    ),
    ended=(
        "W131",
        "the process in which the model was run ended without an answer ({})",
        "`modelworks check` shows what the model does; the next who asks begins a new process",
    ),
    memory=(
        "W131",
        "the model takes more than {:g} GB",
        "run it as a job, which may take more; `model_gb` below [website] is what a page's model may",
    ),
)
OF_FILES = Words(
    late=(
        "W138",
        "the file was not read and checked within {:.0f} seconds, and that was stopped",
        "look at it again when less is under way; `model_seconds` below [website] gives large files more time",
    ),
    ended=(
        "W138",
        "the process in which the file was read ended without an answer ({})",
        "send the table as plain CSV; `modelworks data check` where the file lies shows what it holds",
    ),
    memory=(
        "W138",
        "reading and checking the file takes more than {:g} GB",
        "send no more than the table itself; `model_gb` below [website] gives large files more memory",
    ),
)
OF_FIGURES = Words(
    late=(
        "W141",
        "the figure was not drawn within {:.0f} seconds, and that was stopped",
        "its data can be had without it; `model_seconds` below [website] gives a large one more time",
    ),
    ended=(
        "W141",
        "the process that draws figures ended without an answer ({})",
        "look at the page again, which begins a new one",
    ),
    memory=("W141", "to draw the figure takes more than {:g} GB", "its data can be had without it"),
)


class TeamCode:
    """Runs functions that a team's models are part of in child processes; may be used by many threads at once.

    `words` are those for what gives no answer.
    """

    def __init__(
        self, patience_seconds: float = MODEL_SECONDS, memory_gb: float = MODEL_GB, words: Words = OF_MODELS
    ) -> None:
        self._patience, self._memory_gb, self._words = patience_seconds, memory_gb, words
        self._children: OrderedDict[Hashable, tuple[Hashable, _Child]] = OrderedDict()
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_WAITING)

    def call(
        self,
        about: Hashable,
        version: Hashable,
        function: Callable[P, T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """What a function of a module gives, with arguments that can be pickled, in the child that is about this.

        Of another `version` than the last it is another child.

        Raises
        ------
        ModelworksError
            Those of the function.
        NoAnswerError
            As the words say it where it took too long or its process ended; W132 where too many wait.
        """
        if not self._room.acquire(blocking=False):
            raise NoAnswerError(
                "W132", "too many people ask what takes a while to work out at once", "come again in a moment"
            )
        try:
            child = self._child(about, version)
            with child.alone(self._patience) as seconds_left:
                return child.call(function, arguments, named, seconds_left)
        finally:
            self._room.release()

    def close(self) -> None:
        """End all children."""
        with self._lock:
            ended, self._children = list(self._children.values()), OrderedDict()
        for _, child in ended:
            child.end()

    def _child(self, about: Hashable, version: Hashable) -> _Child:
        with self._lock:
            known, child = self._children.pop(about, (None, None))
            gone = []
            if child is not None and (known != version or child.is_over):
                gone.append(child)
                child = None
            child = child or _Child(self._memory_gb, self._words)
            self._children[about] = (version, child)
            if len(self._children) > MOST_CHILDREN:
                gone.append(self._children.popitem(last=False)[1][1])
        for each in gone:
            each.end_when_idle()
        return child


class _Child:
    """A process that does what it is told, one thing after the other; begun when it is first asked."""

    def __init__(self, memory_gb: float, words: Words) -> None:
        self._memory_gb, self._words = memory_gb, words
        self._busy = threading.Lock()
        self._process: Any = None
        self._pipe: Connection | None = None
        self.is_over = self._was_stuck = False

    @contextlib.contextmanager
    def alone(self, seconds: float) -> Iterator[float]:
        """Nobody else asks the child while the block lasts; gives the seconds that are left when its turn comes."""
        began = time.monotonic()
        if not self._busy.acquire(timeout=seconds):
            raise _no_answer(self._words.late, seconds)
        try:
            if self._was_stuck:
                # Who waited behind what never ended does not try it once more.
                raise _no_answer(self._words.late, seconds)
            yield seconds - (time.monotonic() - began)
        finally:
            if self.is_over or self._was_stuck:
                self.end()
            self._busy.release()

    def call(self, function: Callable[..., T], arguments: Any, named: Any, seconds: float) -> T:
        """What the function gives; the child of one that gives nothing is ended."""
        if self._pipe is None:
            self._pipe, self._process = _begun(self._memory_gb)
        try:
            self._pipe.send((function, arguments, named))
            if not self._pipe.poll(max(0.0, seconds)):
                self._was_stuck = True
                raise _no_answer(self._words.late, seconds)
            kind, told = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            # Killed as it ends, it could not say how.
            wait([self._process.sentinel], GONE_SECONDS)
            ended = self._process.exitcode
            self.end()
            raise _no_answer(self._words.ended, _how(ended)) from error
        if kind == "memory":
            raise _no_answer(self._words.memory, self._memory_gb)
        if kind == "letters":
            raise ModelworksError(told)
        if kind == "broken":
            raise RuntimeError(f"in the process of a model:\n{told}")
        given: T = told
        return given

    def end_when_idle(self) -> None:
        """Nobody asks it any more: it ends now, or when it has answered whom it is answering."""
        self.is_over = True
        if self._busy.acquire(blocking=False):
            try:
                self.end()
            finally:
                self._busy.release()

    def end(self) -> None:
        """End the process and what it has started, at once."""
        self.is_over = True
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        pipe.close()


def _no_answer(said: tuple[str, str, str], about: object) -> NoAnswerError:
    code, message, hint = said
    return NoAnswerError(code, message.format(about), hint)


def _how(ended: int | None) -> str:
    return f"signal {-ended}" if ended is not None and ended < 0 else f"exit status {ended}"


# -- in the child ------------------------------------------------------------------------------------------


def _begun(memory_gb: float) -> tuple[Connection, Any]:
    """A new process and the pipe to it."""
    # On Linux one that has imported everything is copied; elsewhere a copy of it may not use the system's libraries.
    context: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(_PRELOADED)
    mine, its = context.Pipe()
    process = context.Process(target=_obey, args=(its, memory_gb), daemon=True)
    process.start()
    its.close()
    return mine, process


def _obey(pipe: Connection, memory_gb: float) -> None:
    """Do what is told until nobody tells any more."""
    if hasattr(os, "setsid"):
        # What the model starts is ended with it, and Ctrl-C is for the website.
        os.setsid()
    _bounded(memory_gb)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            function, arguments, named = pipe.recv()
        except EOFError:
            return
        answer = _answered(function, arguments, named)
        try:
            pipe.send(answer)
        except (TypeError, AttributeError, pickle.PicklingError):
            pipe.send(("broken", traceback.format_exc()))


def _answered(function: Callable[..., Any], arguments: Any, named: Any) -> tuple[str, Any]:
    try:
        return "given", function(*arguments, **named)
    except ModelworksError as error:
        return "letters", error.letters
    except MemoryError:
        return "memory", None
    except Exception:  # noqa: BLE001 - told to the parent, which logs it as a mistake of ours
        return "broken", traceback.format_exc()


def _bounded(memory_gb: float) -> None:
    """No more memory than this; where the system has no such bound, there is none."""
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(memory_gb * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most < 0 else min(wanted, most), most))


def _end_with_parent() -> None:
    """A website that is killed leaves no model behind that goes on for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
