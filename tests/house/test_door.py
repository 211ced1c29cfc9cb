"""The public door: what it exports, what the docs say of it, and how fast it opens."""

from __future__ import annotations

import inspect
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import generate_reference
import pytest

import modelworks

HEAVY = ("altair", "h5netcdf", "llvmlite", "nutpie", "pandas", "pyarrow", "pydantic", "scipy", "vl_convert", "xarray")


def test_every_exported_name_is_there_and_says_what_it_gives() -> None:
    """The door is short and hand-written; each name has a first line that can be shown in a list."""
    for name in modelworks.__all__:
        thing = getattr(modelworks, name)
        if callable(thing) or inspect.ismodule(thing):
            assert inspect.getdoc(thing), f"modelworks.{name} has no docstring"


def test_the_door_is_short() -> None:
    """Some thirty names can be learned; a hundred can not."""
    assert 1 <= len(modelworks.__all__) <= 42
    assert len(set(modelworks.__all__)) == len(modelworks.__all__)


def test_every_exported_name_stands_in_the_order_of_the_work() -> None:
    """A name that is exported and not placed would be missing from the reference, and the other way round."""
    assert set(modelworks._HOME) | {"__version__"} == set(modelworks.__all__)


def test_an_unknown_name_is_told_as_python_tells_it() -> None:
    """A lazy door must still say `AttributeError`, or `hasattr` breaks."""
    assert not hasattr(modelworks, "no_such_name")


def test_the_generated_reference_is_current() -> None:
    """The reference is written from docstrings, commands and codes, and kept for those who read it here."""
    differing = generate_reference.stale()
    assert not differing, "run `make docs` and commit docs/reference\n" + "\n".join(differing.values())


def fastest(command: list[str], tries: int = 7) -> float:
    """Seconds of the fastest of several tries: what the machine's other work adds is only ever more."""
    found = []
    for _ in range(tries):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - start)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        pytest.param([sys.executable, "-c", "import modelworks"], 0.3, id="import modelworks"),
        pytest.param([str(Path(sysconfig.get_path("scripts")) / "modelworks"), "--help"], 0.5, id="modelworks --help"),
    ],
)
def test_it_opens_at_once(command: list[str], seconds: float) -> None:
    """A slow start is paid at every command. A loaded machine is allowed for by timing a bare Python beside it."""
    bare = fastest([sys.executable, "-c", "pass"])
    # A bare Python starts in about 0.02 s; where it takes longer the machine is busy, and so may we be.
    allowed = seconds * max(1.0, bare / 0.02)
    assert fastest(command) < allowed, f"more than {allowed:.2f} s (a bare Python takes {bare:.3f} s)"


def test_opening_the_door_loads_nothing_heavy() -> None:
    """The same promise, told by what is loaded rather than by the clock."""
    program = f"import sys, modelworks; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert not loaded, f"`import modelworks` loads {loaded}: import these inside the functions that use them"
