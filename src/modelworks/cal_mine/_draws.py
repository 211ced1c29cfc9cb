"""What a sampler gives back, and how it tells how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Draws on the line, shape (chain, draw, parameter), and what is known of each (chain, draw)."""

    line: Array
    stats: Mapping[str, NDArray[np.generic]]


class Progress(Protocol):
    """Told how far a long step is; any object with these three does."""

    def start(self, name: str, total: float | None = None) -> None: ...

    def update(self, done: float, total: float | None = None, note: str = "") -> None: ...

    def finish(self) -> None: ...


class Silence:
    """Progress that nobody watches."""

    def start(self, name: str, total: float | None = None) -> None:
        """Nothing to say."""

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """Nothing to say."""

    def finish(self) -> None:
        """Nothing to say."""
