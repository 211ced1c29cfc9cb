"""Numbers as a reader is told them."""

from __future__ import annotations

from typing import Any

import numpy as np


def in_words(number: float) -> str:
    """A number with three meaningful digits, or whole above a thousand.

    >>> in_words(3.2218), in_words(0.01234), in_words(48212.3), in_words(9.996), in_words(-0.0)
    ('3.22', '0.0123', '48,200', '10.0', '0')
    """
    if number == 0 or not np.isfinite(number):
        return f"{abs(number) if number == 0 else number:g}"
    rounded = float(f"{number:.3g}")
    digits = 2 - int(np.floor(np.log10(abs(rounded))))
    return f"{rounded:,.{max(digits, 0)}f}"


def chance(title: str, probability: float) -> dict[str, Any]:
    """A probability as a named number: the share of draws in which something is so."""
    rounded = min(max(round(100 * probability), 1), 99) if 0 < probability < 1 else round(100 * probability)
    same = dict.fromkeys(("median", "low", "high", "mean"), probability)
    return {"title": title, "unit": "probability", **same, "text": f"{rounded}%"}
