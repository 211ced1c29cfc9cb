"""To whom a calibration says how far it is."""

from __future__ import annotations

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
