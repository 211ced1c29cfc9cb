"""Trees of Python files, by many threads at once."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelworks.sources import parsed


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns as often as they can, which they may do wherever memory is tidied."""
    switch, threshold = sys.getswitchinterval(), gc.get_threshold()

    def tidied(phase: str, info: dict[str, int]) -> None:
        sum(range(50))

    gc.callbacks.append(tidied)
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10, 1000, 1000)
    yield
    gc.set_threshold(*threshold)
    sys.setswitchinterval(switch)
    gc.callbacks.remove(tidied)


@pytest.mark.usefixtures("hasty")
def test_many_threads_read_files_at_once() -> None:
    """Python 3.11 gives up where two trees are made at the same moment (python/cpython#106905)."""
    source = Path(ast.__file__).read_bytes()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: len(parsed(source).body), range(40)))
    assert found == [found[0]] * 40
