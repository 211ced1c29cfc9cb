"""Chains that take turns on the cores, and wait for each other where it is looked whether their draws are enough.

Whether a chain goes on is decided at fixed numbers of its draws and from nothing else, so neither the cores nor
the clock have a say in the draws; and no chain runs far ahead while others have not begun.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Turns:
    """So many chains on so many cores, each in a thread of its own, with looks after so many draws.

    A chain holds a core while it makes draws, gives it up at each look and at its end, and takes one again
    when it was decided that chains go on. It waits one draw after the look: what a chain has not gone beyond
    may be missing in the record of a sampler that is stopped.
    """

    def __init__(self, chains: int, cores: int, warmup: int, looks: Sequence[int]) -> None:
        self.chains = chains
        self._free = cores
        self._warmup = warmup
        self._looks = tuple(looks)
        self._now = 0
        self._drawn: list[list[Array]] = []
        self._changed = threading.Condition()
        self.ended = False

    @property
    def draws(self) -> int:
        """After how many draws of each chain it was looked at last: so many of each are kept."""
        return self._looks[self._now]

    @property
    def is_last(self) -> bool:
        """Whether no look but that at the end is left."""
        return self._now == len(self._looks) - 1

    @property
    def most(self) -> int:
        """How many draws there may be in all, warm-up included."""
        return self.in_all(self._looks[-1])

    @property
    def most_draws(self) -> int:
        """How many draws each chain may make, without warm-up."""
        return self._looks[-1]

    def in_all(self, draws: int) -> int:
        """How many draws all chains have made after so many of each, warm-up included."""
        return self.chains * (self._warmup + draws)

    @property
    def done(self) -> int:
        """How many draws were made in all, warm-up included."""
        return sum(map(len, self._drawn))

    def made_so_far(self) -> dict[bytes, int]:
        """How many draws each chain has made, warm-up included, by its first."""
        with self._changed:
            return {each[0].tobytes(): len(each) for each in self._drawn}

    def joined_by(self, chain: list[Array]) -> None:
        """A chain made its first draw, and waits for a core."""
        with self._changed:
            self._drawn.append(chain)
            self._take(chain)

    def made(self, chain: list[Array]) -> None:
        """A chain made another draw; returns when it may make the next."""
        is_over = len(chain) == self._warmup + self._looks[-1]
        if self.ended or (len(chain) <= self._limit and not is_over):
            return
        with self._changed:
            self._free += 1
            self._changed.notify_all()
            if not is_over:
                self._take(chain)

    def _take(self, chain: list[Array]) -> None:
        self._changed.wait_for(lambda: self.ended or (self._free > 0 and len(chain) <= self._limit))
        self._free -= 1

    def wait(self, seconds: float) -> None:
        """Until something changed, or so long."""
        with self._changed:
            self._changed.wait(seconds)

    def all_wait(self) -> bool:
        """Whether every chain has made the draws of the next look."""
        return len(self._drawn) == self.chains and all(len(each) > self._limit for each in self._drawn)

    def drawn(self) -> Array:
        """The draws so far without warm-up, shape (chain, draw, parameter).

        Chains come in the order of their first draws: that in which they began is the machine's affair, and
        sums would depend on it in their last digit.
        """
        kept = [each[self._warmup : self._limit] for each in self._drawn]
        return np.array(sorted(kept, key=lambda chain: chain[0].tolist()))

    def go_on(self) -> None:
        """The draws are not enough."""
        with self._changed:
            self._now += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Let every chain run out."""
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    @property
    def _limit(self) -> int:
        return self._warmup + self._looks[self._now]
