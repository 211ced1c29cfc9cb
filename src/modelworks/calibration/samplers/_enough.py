"""When there are draws enough: looked at after fixed numbers of draws, so that no clock and no core has a say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.diagnostics import ess_bulk, ess_tail, r_hat

Array = NDArray[np.float64]

# Fewer draws than this are no answer, also when the time is up.
FEWEST_DRAWS = 4
# Draws of each chain between two looks. Each look is a chance to stop by luck, and takes time of its own: so they are
# not more frequent, and rarer where there are many draws.
BLOCK = 50
RARER = 8


def _as_they_are(positions: Array) -> Array:
    return positions


# So many effective draws, in the tails, is a draw of NUTS worth; the examples end after 300 to 400 of each chain.
USUAL_WORTH = 0.3


@dataclass(frozen=True, slots=True)
class Enough:
    """The limits that every parameter must meet for a calibration to end before its last draw.

    R-hat lies below `r_hat`, and both bulk and tail are worth more than `effective_draws` (Vehtari and others
    2021, doi:10.1214/20-BA1221). `values` gives the parameters of positions, both (chain, draw, parameter).
    """

    r_hat: float = 1.01
    effective_draws: float = 400.0
    values: Callable[[Array], Array] = field(default=_as_they_are, repr=False, compare=False)

    def look(self, positions: Array, progress: Progress | None = None) -> Mixing:
        """How well the chains have mixed; `progress` hears of it."""
        each = np.moveaxis(self.values(positions), 2, 0)
        mixing = Mixing(max(r_hat(draws) for draws in each), _least_worth(each))
        if progress is not None:
            # By their worth: which chain is which, NUTS only says in the end.
            by_chain = sorted(_least_worth(each[:, chain : chain + 1]) for chain in range(each.shape[1]))
            progress.mixed(each.shape[2], mixing.r_hat, mixing.effective_draws, by_chain)
        return mixing

    def met_by(self, mixing: Mixing) -> bool:
        """Whether the chains agree and are worth enough independent draws."""
        return mixing.r_hat < self.r_hat and mixing.effective_draws > self.effective_draws

    def at_first(self, chains: int, most: int) -> int:
        """After how many draws of each chain it is met as a rule, while none was made.

        >>> Enough().at_first(4, 5000), Enough().at_first(4, 300)
        (350, 300)
        """
        return min(most, BLOCK * math.ceil(self.effective_draws / (USUAL_WORTH * chains) / BLOCK))

    def expected(self, draws: int, most: int, mixing: Mixing) -> int:
        """After how many draws of each chain it will be met, by what so many draws were worth.

        >>> Enough().expected(200, 5000, Mixing(1.02, 150.0)), Enough().expected(200, 5000, Mixing(1.02, 900.0))
        (550, 250)
        """
        times = self.effective_draws / max(mixing.effective_draws, 1.0)
        return min(most, max(BLOCK * math.ceil(draws * times / BLOCK), draws + BLOCK))

    def in_words(self, draws: int, most: int, mixing: Mixing) -> str:
        """Why a calibration ended after so many draws of each chain."""
        if self.met_by(mixing):
            return f"stopped after {draws:,} of {most:,} draws a chain: the target was met ({mixing.in_words()})"
        return (
            f"made all {most:,} draws a chain: the target of R-hat below {self.r_hat:g} and more than "
            f"{self.effective_draws:,.0f} effective draws was not met ({mixing.in_words()})"
        )


def _least_worth(each: Array) -> float:
    """The least of the effective draws, bulk and tail, of all parameters (parameter, chain, draw)."""
    return min(min(ess_bulk(draws), ess_tail(draws)) for draws in each)


def cut_short(draws: int, most: int, chains: int, asked: int) -> dict[str, Any]:
    """The notes of a calibration whose time was up after so many draws of so many of the chains."""
    of = f"{chains} of {asked} chains" if chains < asked else f"{asked} chains"
    return {"stopped": f"stopped by the time limit after {draws:,} of {most:,} draws of {of}", "is_short": True}


@dataclass(frozen=True, slots=True)
class Mixing:
    """The worst R-hat of all parameters, and the least of their effective draws, bulk and tail."""

    r_hat: float
    effective_draws: float

    def in_words(self) -> str:
        """A note for the line of progress."""
        return f"R-hat {self.r_hat:.3f}, {self.effective_draws:,.0f} effective draws"


def looks(most: int, enough: Enough | None) -> tuple[int, ...]:
    """After how many draws of each chain it is looked whether they are enough; the last is the most.

    The look before leaves at least two draws to make: chains wait for it one draw later.

    >>> looks(300, Enough()), looks(300, None)
    ((50, 100, 150, 200, 250, 300), (300,))
    >>> looks(1100, Enough())[-3:], looks(101, Enough())
    ((900, 1000, 1100), (50, 101))
    """
    if enough is None:
        return (most,)
    found = [BLOCK]
    while found[-1] < most - 1:
        found.append(found[-1] + BLOCK * max(1, found[-1] // (RARER * BLOCK)))
    return (*(each for each in found if each < most - 1), most)
