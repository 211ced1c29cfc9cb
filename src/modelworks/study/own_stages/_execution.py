"""Running somebody else's program: in its own folder, with nothing undeclared around it, and never for ever."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelworks.errors import fail
from modelworks.processes import group_is_gone, interrupted_by
from modelworks.runs import Progress

STDOUT, STDERR = "stdout.txt", "stderr.txt"
# How often is looked whether it has ended, and what it said last.
LOOK_SECONDS = 0.5
# What a program may do after it was asked to end: write what it has.
GRACE_SECONDS = 5.0
# What the kernel may need to end a killed process; only one that waits for a disk or a network folder needs longer.
KILLED_SECONDS = 60.0
_LAST_BYTES = 8000
# What a program needs of its surroundings to be found and to run at all. Nothing else comes in from the shell that
# modelworks was called in, so that nothing undeclared can decide a result.
_KEPT = (
    "HOME", "USER", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "CONDA_PREFIX",
    "R_HOME", "R_LIBS", "R_LIBS_USER", "R_LIBS_SITE", "JULIA_DEPOT_PATH", "JAVA_HOME", "CLASSPATH",
)  # fmt: skip
# The same order of words, and the same clock, on every machine.
_FIXED = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
SEED = "MODELWORKS_SEED"


def search_path() -> str:
    """Where programs are looked for: first beside the Python at work, so that `python` is this one."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def surroundings(declared: Mapping[str, str], seed: int | None) -> dict[str, str]:
    """The environment variables of a stage."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    seeded = {} if seed is None else {SEED: str(seed)}
    return {**kept, **_FIXED, "PATH": search_path(), **seeded, **declared}


def execute(
    words: Sequence[str],
    folder: Path,
    logs: Path,
    *,
    environment: Mapping[str, str],
    limit_seconds: float | None,
    progress: Progress,
) -> int | None:
    """Run a program to its end; gives its exit status, negative for a signal, or None where it took too long.

    What it says goes into two files of the folder `logs`. Whatever it started is ended with it, also when we are
    interrupted.

    Raises
    ------
    ModelworksError
        Y601 where the system does not run it.
    """
    began = time.monotonic()
    # From before it begins: who asks us to end, asks it too.
    with interrupted_by(signal.SIGTERM), (logs / STDOUT).open("wb") as out, (logs / STDERR).open("wb") as err:
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                # A group of its own, so that it can be ended with all that it started.
                start_new_session=True,
            )
        except OSError as error:
            fail(
                "Y601",
                f"`{words[0]}` can not be run: {error.strerror or error}",
                hint="a program is one for this machine; a script begins with `#!` and its interpreter's path",
            )
        try:
            return _waited(process, began, limit_seconds, progress, logs)
        finally:
            _end(process)


def _waited(
    process: subprocess.Popen[bytes], began: float, limit_seconds: float | None, progress: Progress, logs: Path
) -> int | None:
    while True:
        left = LOOK_SECONDS if limit_seconds is None else began + limit_seconds - time.monotonic()
        if left <= 0:
            return None
        try:
            return process.wait(min(LOOK_SECONDS, left))
        except subprocess.TimeoutExpired:
            progress.update(0, note=" ".join(last_lines(logs / STDOUT, 1))[:60])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a program and of all that it started: asked first, then made to."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal(process, signal.SIGKILL)
    process.wait()
    # What it had started is not ours to wait for, and may be a moment longer about it.
    given_up = time.monotonic() + KILLED_SECONDS
    while not group_is_gone(process.pid) and time.monotonic() < given_up:
        time.sleep(0.01)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # Of a group whose last process has ended nothing is left to be told.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def last_lines(path: Path, number: int) -> list[str]:
    """The last lines of a file that are not empty, however long it is."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_BYTES))
        text = file.read().decode("utf-8", "replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-number:]


def ending_in_words(status: int) -> str:
    """What an exit status means.

    >>> ending_in_words(1)
    'ended with exit status 1'
    >>> ending_in_words(-9)
    'was killed (SIGKILL), which the system does when memory runs out'
    """
    # A shell tells of a signal by 128 and more.
    number = -status if status < 0 else status - 128 if 128 < status < 160 else 0
    if number:
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        why = {
            "SIGKILL": ", which the system does when memory runs out",
            "SIGSEGV": ": it used memory that is not its own",
            "SIGABRT": ": it gave up by itself",
            "SIGFPE": ": it divided by zero, or the like",
            "SIGILL": ": it was built for another processor",
        }.get(name, "")
        return f"was killed ({name}){why}"
    why = {126: ": a program in it can not be run", 127: ": a program in it was not found"}.get(status, "")
    return f"ended with exit status {status}{why}"
