"""Numbers as a reader is told them."""

from __future__ import annotations

from typing import Any

# Sums of millions of people in float64 come to no more than this beside what they add up.
ROUNDING_ERROR = 1e-12


def without_rounding_error(numbers: tuple[float, float, float]) -> tuple[float, ...]:
    """The low end of an interval, what is in it, and its high end, without what only rounding makes of 0.

    >>> without_rounding_error((-9.1e-16, 1.07e-13, 0.31)), without_rounding_error((0.0, 1e-13, 2e-13))
    ((0.0, 0.0, 0.31), (0.0, 1e-13, 2e-13))
    """
    error = ROUNDING_ERROR * (numbers[2] - numbers[0])
    return tuple(0.0 if abs(number) < error else number for number in numbers)


def chance(title: str, probability: float) -> dict[str, Any]:
    """A probability as a named number: the share of draws in which something is so."""
    rounded = min(max(round(100 * probability), 1), 99) if 0 < probability < 1 else round(100 * probability)
    same = dict.fromkeys(("median", "low", "high", "mean"), probability)
    return {"title": title, "unit": "probability", **same, "text": f"{rounded}%"}
