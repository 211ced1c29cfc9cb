"""Which combination of parameters do the data not know?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, listed, percent

Floats = NDArray[np.float64]

# The posterior's standard deviation along a combination, as a share of the prior's; 0.8 is where `prior_overlap` draws
# the line for a single parameter (narrowed by less than a fifth). It never stops: what is asked may depend on
# what is known alone.
WIDTH = Limits(look=0.8, stop=np.inf)

# A parameter of which the data say nothing is no combination, and is left to `prior_overlap`: so much of its own
# direction lies within what is not known. Of two that are traded one for one it is a half, of n 1 - 1/n.
ALONE = 0.9
# A parameter that moves less than this along the direction, of its prior's spread times the whole, is not named.
NAMED = 0.3

# Correlations of prior draws below this, times one over the root of their number, are taken for chance.
CHANCE = 4.0
# Parameters that are one and the same before the data have no line between them.
RIDGE = 1e-9

TITLE = "Parameters told apart"


@dataclass(frozen=True, slots=True)
class Direction:
    """A way in which parameters move together: `moves` are signed, in prior standard deviations, of length 1.

    `width` is the posterior's standard deviation along it as a share of the prior's.
    """

    moves: Mapping[str, float]
    width: float

    @property
    def named(self) -> tuple[str, ...]:
        """The parameters that move most, two at least: one alone is no combination."""
        second = sorted(map(abs, self.moves.values()))[-2]
        return tuple(name for name, move in self.moves.items() if abs(move) >= min(NAMED, second))

    @property
    def in_words(self) -> str:
        """The parameters that move most, and whither, the first upwards."""
        # Of parameters that move about as far, the first is told first.
        names = sorted(self.named, key=lambda name: -round(abs(self.moves[name]), 1))
        upwards = [name for name in names if self.moves[name] * self.moves[names[0]] > 0]
        downwards = [name for name in names if name not in upwards]
        more = f"higher {listed(upwards)}"
        return f"a {more} with a lower {listed(downwards)}" if downwards else f"a {more} together"


def identifiability(
    draws: Mapping[str, Floats], prior_draws: Mapping[str, Floats], bounds: Mapping[str, tuple[float, float]]
) -> Check:
    """Whether parameters can be traded for each other without the data noticing.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    prior_draws : mapping of name to float array, shape (draw,)
        Draws of each parameter's prior; a parameter without is not judged.
    bounds : mapping of name to (lower, upper)

    >>> random = np.random.default_rng(1)
    >>> prior = {name: random.lognormal(size=2000) for name in ("contact_rate", "detection")}
    >>> contact_rate = random.lognormal(0, 0.7, size=(4, 500))
    >>> found = identifiability({"contact_rate": contact_rate, "detection": 1 / contact_rate}, prior, {})
    >>> found.verdict, found.reason.split(":")[0]
    ('look', 'A higher contact_rate with a lower detection fits as well')
    """
    names = [name for name in draws if name in prior_draws and np.ptp(prior_draws[name]) > 0]
    found = least_known(
        {name: on_line(draws[name], prior_draws[name], bounds.get(name)) for name in names} if len(names) > 1 else {}
    )
    if found is None:
        return Check("identifiability", TITLE, "fine", "No two parameters can be traded for each other.")
    verdict = WIDTH.verdict(found.width)
    about: tuple[str, ...] = ()
    reason = f"No combination of parameters is as unknown as it was assumed (at most {percent(found.width)} as wide)."
    if verdict != "fine":
        about = found.named
        words = found.in_words
        reason = (
            f"{words[0].upper()}{words[1:]} fits as well: the data do not tell them apart "
            f"(the range in which they can be traded is {percent(found.width)} of the one assumed)."
        )
    return Check("identifiability", TITLE, verdict, reason, found.width, f"{WIDTH.words} of the prior's width", about)


def on_line(draws: Floats, prior: Floats, bounds: tuple[float, float] | None) -> tuple[Floats, Floats]:
    """Posterior and prior draws of one parameter, where a product of rates is a sum: logarithm, or log odds."""
    low, high = bounds or (-np.inf, np.inf)
    posterior = np.ravel(draws)
    if np.isfinite(low) and np.isfinite(high):
        least = np.finfo(np.float64).tiny
        moved = [np.log(np.maximum(x - low, least) / np.maximum(high - x, least)) for x in (posterior, prior)]
    elif prior.min() > 0 and posterior.min() > 0:
        moved = [np.log(posterior), np.log(prior)]
    else:
        moved = [posterior, prior]
    centre, scale = moved[1].mean(), moved[1].std()
    return (moved[0] - centre) / scale, (moved[1] - centre) / scale


def least_known(scaled: Mapping[str, tuple[Floats, Floats]]) -> Direction | None:
    r"""The combination of parameters of which the data taught least; None of fewer than two parameters.

    Combinations $b^\top x$ whose variance the data left largest solve
    $\Sigma_\text{posterior} b = \lambda \Sigma_\text{prior} b$; to change one and nothing else that is known, the
    parameters move along $\Sigma_\text{prior} b$.
    """
    from scipy.linalg import eigh

    names = list(scaled)
    while len(names) > 1:
        after = np.cov(np.stack([scaled[name][0] for name in names]))
        before = prior_covariance(np.stack([scaled[name][1] for name in names]))
        variances, combinations = eigh(after, before)
        unknown = variances >= min(WIDTH.look**2, variances[-1])
        # In these coordinates the prior is a unit ball, and combinations are perpendicular.
        root = np.linalg.cholesky(before)
        directions = (root.T @ combinations)[:, unknown]
        shares = (directions**2).sum(axis=1)
        least = int(np.argmax(shares))
        width = float(np.sqrt(variances[-1]))
        if shares[least] < ALONE or WIDTH.verdict(width) == "fine":
            # Of several such combinations, the one that moves the least known parameter most.
            moves = root @ directions @ directions[least]
            return Direction(dict(zip(names, (moves / np.linalg.norm(moves)).tolist(), strict=True)), width)
        names.pop(least)
    return None


def prior_covariance(draws: Floats) -> Floats:
    """The covariance of standardised prior draws (parameter, draw), without correlations that chance makes.

    Of twenty independent priors and a thousand draws, some combination would look a third narrower than it is.
    """
    raw = np.cov(draws)
    found = np.where(np.abs(raw) < CHANCE / np.sqrt(draws.shape[1]), 0.0, raw)
    ridge = RIDGE * np.eye(len(draws))
    least = np.linalg.eigvalsh(found)[0]
    return np.asarray((found if least > 0 else raw) + ridge)
