"""What every command pays before it begins: starting Python, opening the door, reading the commands."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from measurement import Measurement, compared, seconds_of_command

PROGRAM = str(Path(sysconfig.get_path("scripts")) / "modelworks")


def measure() -> Iterator[Measurement]:
    numpy = seconds_of_command([sys.executable, "-c", "import numpy"])
    ours = seconds_of_command([sys.executable, "-c", "import modelworks"])
    yield compared("start: import modelworks", ours, "s", "import numpy", numpy)
    yield compared("start: modelworks --help", seconds_of_command([PROGRAM, "--help"]), "s", "import numpy", numpy)
