"""Compiled kernels on disk and in memory: damaged, unwritable, shared by processes, many in one process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelworks.model import Model, Stratification, Transition, table
from modelworks.model._lower import lower
from modelworks.model.backends import _cache
from modelworks.model.backends.native import Kernel

RUN = """
from modelworks.model import simulate
from modelworks.model.library.sir import sir
values = dict(contact_rate=0.4, recovery_rate=0.2, population=1000, first_cases=10)
print(repr(float(simulate(sir(), values, range(5))["prevalence"][-1])))
"""


def started(folder: Path, seed: str = "0") -> subprocess.Popen[str]:
    environment = {**os.environ, "MODELWORKS_CACHE": str(folder), "PYTHONHASHSEED": seed}
    return subprocess.Popen(
        [sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert err == ""
    return out


def module(number: float) -> str:
    return f"define double @f() {{\n  ret double {float(number):e}\n}}\n"


def test_two_processes_at_once_share_one_kernel(tmp_path: Path) -> None:
    """Both give the same number, whatever order Python hashes in, and leave one whole file behind."""
    answers = [answer(each) for each in [started(tmp_path, "1"), started(tmp_path, "2")]]
    assert answers[0] == answers[1]
    (kept,) = (tmp_path / "kernels").iterdir()
    before = kept.stat().st_mtime_ns
    assert answer(started(tmp_path, "3")) == answers[0]
    assert kept.stat().st_mtime_ns == before


def test_a_model_without_delays_never_waits_for_scipy(tmp_path: Path) -> None:
    """Half of what a process takes to its first result would be the import."""
    asked = f"{RUN}\nimport sys\nassert 'scipy' not in sys.modules"
    environment = {**os.environ, "MODELWORKS_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


DAMAGES = ["empty", "text", "half", "one byte"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_kernel_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    """LLVM would end the process over such a file, so it is never handed one."""
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path))
    # Each its own text: what is in memory already is not read again.
    text = module(DAMAGES.index(damage) + 0.5)
    _cache.compile_module(text)
    (kept,) = (tmp_path / "kernels").iterdir()
    whole = kept.read_bytes()
    flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    kept.write_bytes({"empty": b"", "text": b"hello", "half": whole[: len(whole) // 2], "one byte": flipped}[damage])
    _cache.forget()
    assert _cache.compile_module(text).address("f") != 0
    assert kept.read_bytes() == whole


def test_what_a_kernel_is_looked_up_by_says_as_much_as_its_text(animal: Any) -> None:
    """Lowered twice it is the same; as runs side by side it is another."""
    program = lower(animal.model)
    assert program.content() == lower(animal.model).content()
    if program.width == 1:
        assert len({each.content() for each in (program, program.side_by_side(2), program.side_by_side(3))}) == 3


def test_a_number_in_its_last_digit_is_another_kernel() -> None:
    """But for the numbers of a table, which a kernel reads and does not hold."""

    def content(rate: Any = 0.1, share: float = 0.5) -> str:
        age = Stratification("age", ["a", "b"], split=[share, 1 - share])
        return lower(Model("m", ["s", "r"], [Transition("t", "s", "r", rate)], {"s": 1.0}, {}, [age])).content()

    more = float(np.nextafter(0.1, 1))
    assert len({content(), content(more), content(share=float(np.nextafter(0.5, 1)))}) == 3
    tables = [table([0, 1], [rate, 0.2]) for rate in (0.1, more)]
    assert content(tables[0]) == content(tables[1]) != content()
    kernels = [
        Kernel(lower(Model("m", ["s", "r"], [Transition("t", "s", "r", rate)], {"s": 1.0}, {}))) for rate in tables
    ]
    texts = [str(kernel._writer().forward()) for kernel in kernels]
    assert texts[0] == texts[1]


def test_a_folder_that_can_not_be_written_costs_nothing_but_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the folder should be: nothing can be kept, and everything still runs."""
    (tmp_path / "kernels").write_text("in the way")
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path))
    assert _cache.compile_module(module(1.25)).address("f") != 0


@pytest.mark.slow
def test_more_models_than_memory_keeps_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is forgotten frees what it owns, and nothing that another one uses."""
    monkeypatch.setenv("MODELWORKS_CACHE", str(tmp_path))
    most = _cache.MOST_LOADED
    held = _cache.compile_module(module(1000))
    address = held.address("f")
    for number in range(most + 5):
        _cache.compile_module(module(number))
    gc.collect()
    assert _cache.compile_module(module(most + 5)).address("f") != 0
    assert held.address("f") == address
