"""Approximate Bayesian computation: draws whose simulated data lie near those that were seen.

Nothing but simulations is needed, so it takes any model that runs by chance. Draws of the priors are moved and
weighted, generation by generation; the tolerance falls to the median distance of each, and the end is where hardly
any move comes nearer (Lenormand, Jabot and Deffuant 2013, doi:10.1007/s00180-013-0428-3; the moves have the
covariance of Filippi, Barnes, Cornebise and Stumpf 2013, doi:10.1515/sagmb-2012-0069). What is found is the posterior
given data within the tolerance, which is wider than the posterior given the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._distance import Settled
from modelworks.calibration._imitate import Imitations
from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._enough import Enough
from modelworks.calibration.samplers._importance import resampled
from modelworks.calibration.samplers._sampler import Density, Draws, SimulatedDensity, TimeIsUp, can_be_imitated
from modelworks.calibration.samplers._starts import tell_of_nowhere
from modelworks.errors import fail

Array = NDArray[np.float64]

# Particles that are kept of each generation, and new ones in each: half and half is the paper's choice.
KEPT = 1000
# The end is where fewer of the new ones than this come nearer than the tolerance, or after so many generations.
LEAST_SHARE, MOST_GENERATIONS = 0.03, 60


@dataclass(frozen=True, slots=True)
class _Generation:
    """Positions (particle, parameter), their weights, distances and log priors (particle,), and their runs."""

    positions: Array
    weights: Array
    distances: Array
    log_priors: Array
    runs: Imitations

    def nearest(self, number: int) -> _Generation:
        """So many of them; of equals those that are there for longer."""
        return self.taken(np.argsort(self.distances, kind="stable")[:number])

    def taken(self, places: NDArray[np.intp]) -> _Generation:
        return _Generation(
            self.positions[places],
            self.weights[places],
            self.distances[places],
            self.log_priors[places],
            self.runs.taken(places),
        )

    def and_(self, other: _Generation) -> _Generation:
        return _Generation(
            np.concatenate([self.positions, other.positions]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.distances, other.distances]),
            np.concatenate([self.log_priors, other.log_priors]),
            Imitations.joined([self.runs, other.runs]),
        )


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
    """Draws by population Monte Carlo with a tolerance that adapts; there is no warm-up."""
    if not can_be_imitated(density):
        fail("C504", "ABC needs a density whose data can be simulated", hint="choose another sampler")
    random = np.random.default_rng(key)
    total = chains * (warmup + draws)
    progress.start("draw from the posterior", total=total)
    here, distance = _first(density, chains * -(-KEPT // chains), random, cores)
    share, generations, wanted = 1.0, 1, density.tolerance
    simulated = 2 * len(here.positions)
    out_of_time = False
    while share > LEAST_SHARE and generations < MOST_GENERATIONS and not _near_enough(here, wanted):
        tolerance = here.distances.max()
        try:
            new = _moved(here, density, distance, random, cores)
        except TimeIsUp:
            out_of_time = True
            break
        share = float((new.distances < tolerance).mean())
        simulated, generations = simulated + len(new.positions), generations + 1
        here = here.and_(new).nearest(len(here.positions))
        progress.update(total * (1 - max(share, LEAST_SHARE)), note=f"tolerance {here.distances.max():.3g}")
    progress.update(total)
    progress.finish()
    notes = _notes(here, share, generations, simulated, wanted)
    if out_of_time:
        nearest = f"{here.distances.max():.3g}"
        notes |= {"stopped": f"stopped by the time limit after {generations} generations, at a distance of {nearest}"}
        notes |= {"is_short": True}
    return _as_draws(here, chains, draws, random, notes)


def _first(
    density: SimulatedDensity, number: int, random: np.random.Generator, cores: int
) -> tuple[_Generation, Settled]:
    """The nearer half of twice so many draws of the priors, and the distance with its scales."""
    positions = density.prior_positions(random, 2 * number)
    runs = density.imitate(positions, random, cores)
    ran = np.isfinite(runs.summaries).all(axis=1)
    if ran.sum() < number:
        if not ran.any():
            tell_of_nowhere(density, len(positions))
        number = int(ran.sum())
    distance = density.distance_of(runs.summaries[ran])
    first = _Generation(
        positions, np.ones(len(positions)), distance.to(runs.summaries), density.log_prior(positions), runs
    )
    return first.nearest(number), distance


def _moved(
    here: _Generation, density: SimulatedDensity, distance: Settled, random: np.random.Generator, cores: int
) -> _Generation:
    """As many new particles as there are, each a step away from one that was drawn by its weight."""
    shares = here.weights / here.weights.sum()
    away = here.positions - shares @ here.positions
    covariance = 2.0 * (away * shares[:, np.newaxis]).T @ away
    factor = np.linalg.cholesky(covariance + 1e-12 * np.diag(np.diag(covariance)) + 1e-300 * np.eye(len(covariance)))
    number, size = here.positions.shape
    chosen = random.choice(number, size=number, p=shares)
    positions = here.positions[chosen] + random.standard_normal((number, size)) @ factor.T
    log_priors = density.log_prior(positions)
    runs = density.imitate(positions, random, cores)
    # Of the prior over that of having been proposed, whichever particle it came from.
    white, centres = (np.linalg.solve(factor, each.T).T for each in (positions, here.positions))
    squared = np.square(white[:, np.newaxis] - centres).sum(axis=2)
    proposed = np.exp(-0.5 * squared) @ shares / np.prod(np.diag(factor)) / (2 * np.pi) ** (size / 2)
    weights = np.exp(log_priors) / np.maximum(proposed, np.finfo(float).tiny)
    distances = np.where(np.isfinite(log_priors), distance.to(runs.summaries), np.inf)
    return _Generation(positions, weights, distances, log_priors, runs)


def _near_enough(here: _Generation, wanted: float | None) -> bool:
    return bool(here.distances.max() <= (0.0 if wanted is None else wanted))


def _notes(
    here: _Generation, share: float, generations: int, simulated: int, wanted: float | None
) -> dict[str, object]:
    tolerance = float(here.distances.max())
    if _near_enough(here, wanted):
        why = f"stopped after {generations} generations: every draw lies within {tolerance:.3g} of the data"
    elif share <= LEAST_SHARE:
        why = f"stopped after {generations} generations: {share:.1%} of the moves came nearer than {tolerance:.3g}"
    else:
        why = f"stopped after {generations} generations, the most there are, at a distance of {tolerance:.3g}"
    effective = float(here.weights.sum() ** 2 / np.square(here.weights).sum())
    notes = {"tolerance": tolerance, "stopped": why, "simulations": simulated, "effective_draws": round(effective, 1)}
    return notes if wanted is None else {**notes, "tolerance_wanted": wanted}


def _as_draws(
    here: _Generation, chains: int, draws: int, random: np.random.Generator, notes: dict[str, object]
) -> Draws:
    """Draws of equal weight (chain, draw), those of each chain from its own part of the particles."""
    order = random.permutation(len(here.positions))
    places = []
    for part in np.array_split(order, chains):
        weights = here.weights[part]
        places.append(part[resampled(weights / weights.sum(), draws, random)])
    chosen = np.array(places)
    wanted, warnings = notes.get("tolerance_wanted"), tuple[str, ...]()
    if isinstance(wanted, float) and here.distances.max() > wanted:
        warnings = (
            f"The tolerance of {wanted:g} was not reached: the draws lie within {here.distances.max():.3g} of the "
            "data. Choose fewer summaries, or ask whether the model can make the data at all.",
        )
    return Draws(
        here.positions[chosen],
        {"lp": here.log_priors[chosen], "distance": here.distances[chosen]},
        predicted=tuple(each[chosen] for each in here.runs.predicted),
        notes=notes,
        warnings=warnings,
    )
