"""What every command pays before it begins: starting Python, opening the door, reading the commands."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measurement import Measurement, compared, seconds_of_command

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "modelworks")


def measure() -> Iterator[Measurement]:
    numpy = seconds_of_command([sys.executable, "-c", "import numpy"])
    ours = seconds_of_command([sys.executable, "-c", "import modelworks"])
    yield compared("start: import modelworks", ours, "s", "import numpy", numpy)
    yield compared("start: modelworks --help", seconds_of_command([PROGRAM, "--help"]), "s", "import numpy", numpy)
    yield from first_result()


FIRST_RESULT = """
from modelworks.model import simulate
from modelworks.model.library.sir import sir
simulate(sir(), dict(contact_rate=1.7, recovery_rate=0.5, population=763, first_cases=1), range(15))
"""


def first_result() -> Iterator[Measurement]:
    """From nothing to the first solved model: with no compiled kernel on disk, and with one from before."""
    command = [sys.executable, "-c", FIRST_RESULT]
    with tempfile.TemporaryDirectory() as folder:
        kept = {**os.environ, "MODELWORKS_CACHE": folder}
        cold = seconds_of_command(command, tries=1, environment=kept)
        warm = seconds_of_command(command, environment=kept)
    yield Measurement("start: process to first result, compiling", cold, "s")
    yield compared("start: process to first result, compiled before", warm, "s", "compiling", cold)
