"""Age groups by their names, as publishers write them and as we do."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence


def age_limits(label: str) -> tuple[int, float] | None:
    """The youngest and the oldest age of a group, the oldest infinite where it is open.

    >>> age_limits("5-9"), age_limits("75+"), age_limits("all")
    ((5, 9), (75, inf), None)
    """
    found = re.fullmatch(r"(\d+)(?:\s*[-–]\s*(\d+)|\s*(\+|and over))?", label.strip())
    if found is None:
        return None
    youngest = int(found[1])
    return youngest, math.inf if found[3] else int(found[2]) if found[2] else youngest


def band_names(starts: Sequence[int]) -> list[str]:
    """The names of bands that begin at these ages, the last one open.

    >>> band_names([0, 1, 5, 65])
    ['0', '1-4', '5-64', '65+']
    """
    closed = [f"{low}-{high - 1}" if high - low > 1 else str(low) for low, high in itertools.pairwise(starts)]
    return [*closed, f"{starts[-1]}+"]
