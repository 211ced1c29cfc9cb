"""Attempts without a Python of their own: the worker's process is doubled, and the double does what the command says.

What starting Python and loading libraries takes, a third of a second and more, is saved; everything else is as with
`process`. Only a command of this very Python can be carried out so, and only with the code that is loaded here; any
other becomes a process.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from modelworks.jobs._job import Order
from modelworks.jobs.executors.process import ProcessExecutor

PACKAGE = Path(__file__).resolve().parents[2]


class InlineExecutor(ProcessExecutor):
    """Each attempt is a double of this process; its handle says which, so that a later worker finds it."""

    name = "inline"

    def _start(self, words: list[str], order: Order, output: Path) -> int:
        if not _is_of_here(order):
            return super()._start(words, order, output)
        for stream in (sys.stdout, sys.stderr):
            # What is not yet written would be written twice.
            stream.flush()
        pid = os.fork()
        if pid == 0:
            _become(words, order, output)
        return pid


def _is_of_here(order: Order) -> bool:
    """Whether a command asks for the Python and the code that are at work here."""
    first = order.environment.get("PYTHONPATH", "").partition(os.pathsep)[0]
    same_code = not first or (Path(first) / PACKAGE.name).resolve() == PACKAGE
    return same_code and len(order.command) > 2 and order.command[0] == sys.executable and order.command[1] in _KINDS


def _become(words: list[str], order: Order, output: Path) -> NoReturn:
    """Be the command from here on, and end as it ends; nothing of the worker is told to close, for it is not ours."""
    status = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _redirect(output)
        os.environ.update(order.environment)
        _KINDS[words[1]](words[2], list(words[3:]))
        status = 0
    except SystemExit as ended:
        status = _status(ended)
    except BaseException:  # noqa: BLE001 - as Python itself does at its end: told, and a status of 1
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _redirect(output: Path) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _status(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    sys.stderr.write(f"{ended.code}\n")
    return 1


def _text(program: str, arguments: list[str]) -> None:
    sys.argv = ["-c", *arguments]
    exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


def _module(name: str, arguments: list[str]) -> None:
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


_KINDS = {"-c": _text, "-m": _module}
