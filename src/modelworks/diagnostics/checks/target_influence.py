"""What does each target add, and do the targets agree?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics._check import Check, Limits, listed
from modelworks.diagnostics.checks.influence import K_HAT
from modelworks.diagnostics.pareto import pareto_k, smoothed

Floats = NDArray[np.float64]

# How hard one target pulls a parameter, in the standard deviation that the pull has when all targets are of one truth,
# as in the test of Hausman 1978 (doi:10.2307/1913827). Three and a half, not two: dozens of pulls are looked at. It
# never stops: both targets may be right, and the model too simple for both.
MOVE = Limits(look=3.5, stop=np.inf)

# The variance of a pull, as a share of the parameter's own: below it the target knows the parameter alone, or not at
# all, and what is left is the noise of the draws.
SHARED = 0.05

TITLE = "Targets that agree"


@dataclass(frozen=True, slots=True)
class Without:
    """A posterior without one target: each parameter's move in its standard deviations; and `tests`, its pull.

    `k` is the warrant: above 0.7 these draws can not say what would come out, and there are no moves.
    """

    target: str
    k: float
    shifts: Mapping[str, float]
    tests: Mapping[str, float]


def without(target: str, draws: Mapping[str, Floats], log_likelihood: Floats) -> Without:
    """How far each parameter would move without a target, by importance weights.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    log_likelihood : float array, shape (sample,)
        Of all of the target's observations together, under each draw.
    """
    k = pareto_k(-log_likelihood)
    tests = pulls(draws, log_likelihood)
    if K_HAT.verdict(k) != "fine":
        return Without(target, k, {}, tests)
    weights = smoothed(-log_likelihood)
    shifts = {}
    for name, chains in draws.items():
        values, spread = np.ravel(chains), float(chains.std())
        shifts[name] = float((weights @ values - values.mean()) / spread) if spread > 0 else 0.0
    return Without(target, k, shifts, tests)


def pulls(draws: Mapping[str, Floats], log_likelihood: Floats) -> dict[str, float]:
    r"""How hard a target pulls each parameter, in the standard deviation that the pull has when all targets agree.

    Counting the target's log likelihood $\ell$ a little more moves the mean by $\operatorname{cov}(x, \ell)$ and the
    covariance $\Sigma$ by $-A$. Where all is normal and of one truth, the variance of the first is
    $A - A \Sigma^{-1} A$. What the target alone knows, or knows nothing of, it can not pull.
    """
    values = np.stack([np.ravel(chains) for chains in draws.values()])
    values = values - values.mean(axis=1, keepdims=True)
    gain = (log_likelihood - log_likelihood.mean()) / log_likelihood.size
    covariance = np.atleast_2d(np.cov(values))
    narrowing = -(values * gain) @ values.T
    variance = np.diag(narrowing - narrowing @ np.linalg.pinv(covariance) @ narrowing)
    pull, own = values @ gain, np.diag(covariance)
    return {
        name: float(pull[k] / np.sqrt(variance[k])) for k, name in enumerate(draws) if variance[k] > SHARED * own[k]
    }


def target_influence(draws: Mapping[str, Floats], log_likelihood: Mapping[str, Floats]) -> Check:
    """Whether one target pulls a parameter away from where the others have it.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)
    log_likelihood : mapping of target to float array, shape (sample, point)

    >>> random = np.random.default_rng(1)
    >>> draws = {"rate": random.normal(size=(4, 1000))}
    >>> level = {"cases": np.zeros((4000, 1)), "deaths": -draws["rate"].reshape(-1, 1) ** 2 / 8}
    >>> target_influence(draws, level).verdict
    'fine'
    """
    found = [without(name, draws, values.sum(axis=1)) for name, values in log_likelihood.items()]
    pulls = {(each.target, name): abs(test) for each in found for name, test in each.tests.items()}
    largest = max(pulls.values(), default=0.0)
    if MOVE.verdict(largest) != "fine":
        target, name = max(pulls, key=lambda pair: pulls[pair])
        reason = f"The targets disagree: {target} pulls {name} away from where the others have it."
        return Check("target_influence", TITLE, "look", reason, largest, MOVE.words, (target, name))
    return Check("target_influence", TITLE, "fine", in_words(found), largest, MOVE.words)


def in_words(found: list[Without]) -> str:
    """The largest move of all, and for which targets none can be said."""
    moves = [(abs(shift), each.target, name) for each in found for name, shift in each.shifts.items()]
    unsaid = [each.target for each in found if not each.shifts]
    told = []
    if moves:
        shift, target, name = max(moves)
        most = f"{name} would move most: by {shift:.1f} standard deviations"
        told.append(f"no target pulls against the others (without {target}, {most})")
    if unsaid:
        told.append(f"what comes out without {listed(unsaid)} can not be said from these draws")
    words = "; ".join(told)
    return f"{words[0].upper()}{words[1:]}."
