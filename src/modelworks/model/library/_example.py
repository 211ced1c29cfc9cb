"""What a model of the library can be tried with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Example:
    """Values of a model's parameters in their own units, how long to run it, and the day it starts on if that matters.

    `until` is in the model's time unit.
    """

    values: Mapping[str, float]
    until: float
    start: date | None = None
