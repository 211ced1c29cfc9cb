"""What age bands are called."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def age_bands(youngest: Sequence[float]) -> list[str]:
    """Names of bands by the youngest age in each; the last is open.

    >>> age_bands((0, 1, 5, 15))
    ['0', '1-4', '5-14', '15+']
    """
    named = [f"{a:g}-{b - 1:g}" if b - a >= 2 else f"{a:g}" for a, b in pairwise(youngest)]
    return [*named, f"{youngest[-1]:g}+"]
