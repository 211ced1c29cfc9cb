"""The way of `auto` where there are gradients: a first answer in seconds, and one that is sure.

The optimum is searched for from several starts. Importance sampling around it gives a first answer, with k-hat as
its warrant; it is told at once. Then NUTS, in the coordinates in which that answer is round, makes the draws that are
kept: k-hat and a short MCMC were both seen to let a strongly bent posterior pass at three quarters of its width.
Where the searches found optima that nothing joins, NUTS would not move between them, and tempered SMC takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress, Silence
from modelworks.calibration.samplers import nuts, smc
from modelworks.calibration.samplers._enough import Enough
from modelworks.calibration.samplers._evaluate import evaluator
from modelworks.calibration.samplers._importance import K_HAT, Weighted, weigh
from modelworks.calibration.samplers._laplace import Laplace, laplace
from modelworks.calibration.samplers._map import Search, find_map
from modelworks.calibration.samplers._sampler import Density, Draws, TimeIsUp
from modelworks.calibration.samplers.laplace_is import places_of

Array = NDArray[np.float64]

# Points behind the first answer: its means are sure to some hundredths of a standard deviation.
POINTS = 1000
# From this k-hat on not even the covariance of the weighted points is worth having (Vehtari and others 2024).
SHAPELESS = 0.7
# Two optima are apart where the density falls between them by more than this factor (e to this) ...
DIP = 3.0
# ... at one of so many points on the way.
ON_THE_WAY = 9
# A search that stopped where the density still rises by so much in a standard deviation has stuck.
STUCK = 0.3
# Draws of each chain at most where SMC takes over, which can not tell when they are enough.
MOST_OF_SMC = 1000
# Parameters that are told of before a long calibration.
TOLD = 6


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What importance sampling found: mean, sd and the ends of a 95% interval, the rows of `values` (4, parameter)."""

    names: tuple[str, ...]
    values: Array
    k_hat: float
    effective: float

    @property
    def is_warranted(self) -> bool:
        return self.k_hat < K_HAT

    @property
    def warrant(self) -> str:
        return f"k-hat {self.k_hat:.2f}, worth {self.effective:,.0f} draws"

    def in_words(self) -> str:
        """For whoever waits."""
        if not self.is_warranted:
            return f"no first answer: importance sampling around the optimum does not do here (k-hat {self.k_hat:.2f})"
        each = [
            f"{name} {mean:.4g} ({low:.4g} to {high:.4g})"
            for name, (mean, _, low, high) in zip(self.names, self.values.T, strict=True)
        ]
        more = f" and {len(each) - TOLD} more" if len(each) > TOLD else ""
        return f"first answer ({self.warrant}; means and 95% intervals): {', '.join(each[:TOLD])}{more}"

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        mean, sd, *_ = self.values.tolist()
        return {
            "mean": dict(zip(self.names, mean, strict=True)),
            "sd": dict(zip(self.names, sd, strict=True)),
            "k_hat": round(self.k_hat, 4),
            "effective_draws": round(self.effective, 1),
            "is_warranted": self.is_warranted,
        }


def sample(
    density: Density,
    *,
    chains: int,
    draws: int,
    warmup: int,
    key: np.random.SeedSequence,
    cores: int,
    progress: Progress,
    enough: Enough | None = None,
) -> Draws:
    """Draws by NUTS or by tempered SMC, after a first answer by importance sampling."""
    of_search, of_points, of_chains = key.spawn(3)
    progress.start("search for the optimum")
    search = find_map(density, np.random.default_rng(of_search), cores=cores)
    progress.finish()
    progress.start("look for a first answer")
    with evaluator(density, cores) as evaluate:
        found = weigh(
            density, search, chains * -(-POINTS // chains), np.random.default_rng(of_points), evaluate, Silence()
        )
    progress.finish()
    first = answer(density, search, found)
    progress.mention(first.in_words())
    asked: dict[str, Any] = {
        "chains": chains,
        "draws": draws,
        "warmup": warmup,
        "key": of_chains,
        "cores": cores,
        "progress": progress,
    }
    apart = separate(density, search)
    name = "nuts" if apart == 1 else "smc"
    try:
        if name == "smc":
            why = f"tempered SMC, because the searches found {apart} optima that nothing joins"
            drawn = smc.sample(density, **asked | {"draws": min(draws, MOST_OF_SMC)}, enough=enough)
        else:
            why = f"NUTS, because {_why(first)}"
            shaped = replace(search, shape=shape(search, found))
            accept = nuts.ACCEPT_WHERE_ROUND if first.is_warranted else nuts.TARGET_ACCEPT
            drawn = nuts.confirm(density, shaped, **asked, enough=enough, target_accept=accept)
    except TimeIsUp:
        if not first.is_warranted:
            raise
        name, why = "laplace_is", f"importance sampling, because there was no time to confirm it ({first.warrant})"
        drawn = _unconfirmed(search, found, chains, np.random.default_rng(of_chains))
    notes = {
        **drawn.notes,
        "sampler": name,
        "why": why,
        "starts_agree": search.agree,
        "starts": search.in_words(),
        "first_answer": first.as_dict() | {"is_confirmed": name != "laplace_is"},
    }
    return replace(drawn, optimum=search.positions[0], notes=notes, warnings=search.warnings(density.parameters))


def _unconfirmed(search: Search, found: Weighted, chains: int, random: np.random.Generator) -> Draws:
    """Draws of the first answer, where there was no time for better ones."""
    places = places_of(found, chains, len(found.points) // chains, random)
    notes = {"stopped": "stopped by the time limit: a first answer that was not confirmed", "is_short": True}
    return Draws(search.shape.from_white(found.points[places]), {"lp": found.values[places]}, notes=notes)


def answer(density: Density, search: Search, found: Weighted) -> FirstAnswer:
    """The weighted points in the parameters' own values, where the density knows them."""
    positions = search.shape.from_white(found.points)
    constrain, names = getattr(density, "constrain", None), density.parameters
    if constrain is not None:
        positions, names = constrain(positions), tuple(getattr(density, "free", names))
    mean = found.weights @ positions
    sd = np.sqrt(found.weights @ np.square(positions - mean))
    ends = [[_quantile(column, found.weights, p) for column in positions.T] for p in (0.025, 0.975)]
    return FirstAnswer(names, np.array([mean, sd, *ends]), found.k_hat, found.effective)


def separate(density: Density, search: Search) -> int:
    """How many of the optima are apart from the best, that one included: the density falls on the way between them."""
    best, *others = search.worth_visiting
    number = 1
    for k, other in enumerate(others, 1):
        shares = np.linspace(0.0, 1.0, ON_THE_WAY + 2)[1:-1, np.newaxis]
        lowest = min(density.value(point) for point in best + shares * (other - best))
        number += lowest < search.log_densities[k] - DIP and _is_optimum(density, other, search.scale)
    return number


def _is_optimum(density: Density, position: Array, scale: Array) -> bool:
    """Whether a search came to its end there: in a bent valley it may stick on the way."""
    slope = density.value_and_gradient(position)[1] @ laplace(density, position, scale).factor
    return bool(np.linalg.norm(slope) < STUCK)


def shape(search: Search, found: Weighted) -> Laplace:
    """The coordinates for NUTS: those in which the first answer is round, where there is one."""
    if found.k_hat >= SHAPELESS:
        return search.shape
    away = found.points - found.weights @ found.points
    white = np.linalg.cholesky((away * found.weights[:, np.newaxis]).T @ away)
    return replace(search.shape, factor=search.shape.factor @ white)


def _why(first: FirstAnswer) -> str:
    if first.is_warranted:
        return f"the model has exact gradients and a first answer of importance sampling to confirm ({first.warrant})"
    return (
        "the model has exact gradients and importance sampling around the optimum does not do here "
        f"(k-hat {first.k_hat:.2f})"
    )


def _quantile(values: Array, weights: Array, p: float) -> float:
    order = np.argsort(values)
    return float(np.interp(p, np.cumsum(weights[order]), values[order]))
