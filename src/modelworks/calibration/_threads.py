"""Work on several cores whose results come in the order of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], cores: int) -> Iterator[Result]:
    """The result of each item. Native kernels let go of Python's lock while they run, so threads do help.

    >>> list(in_order(abs, [-3, 2, -1], cores=2))
    [3, 2, 1]
    """
    if cores <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(cores) as pool:
        yield from pool.map(work, items)
