"""To whom a calibration says how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Progress(Protocol):
    """Takes reports from one thread; `runs.Progress` is one."""

    def start(self, name: str, total: float | None = None) -> None:
        """Begin a step of `total` parts; None where nobody knows how many there are."""
        ...

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """So many parts are done in all; `note` is a word on what is going on now."""
        ...

    def finish(self) -> None:
        """The step is over."""
        ...

    def mention(self, text: str) -> None:
        """Something good to know while one waits."""
        ...

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        """How well chains have mixed after so many draws of each, and what those of each are worth, from the least."""
        ...


class Silence:
    """Nobody listens."""

    def start(self, name: str, total: float | None = None) -> None:
        pass

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        pass

    def finish(self) -> None:
        pass

    def mention(self, text: str) -> None:
        pass

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        pass
