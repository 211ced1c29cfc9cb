"""Importance sampling with a proposal that learns the posterior's shape in a few rounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._differences import Archive, difference
from modelworks.calibration.samplers._evaluate import Evaluate
from modelworks.calibration.samplers._laplace import laplace
from modelworks.calibration.samplers._map import Search
from modelworks.calibration.samplers._mixture import Mixture
from modelworks.calibration.samplers._sampler import Density
from modelworks.diagnostics.pareto import pareto_k, smoothed

Array = NDArray[np.float64]

# Points of each round of learning. The answer is of the last, whose proposal none of its points had a hand in.
ROUND = 400
ROUNDS = 4
# Posteriors of epidemics are curved: several components follow a curve that one can not.
COMPONENTS = 6
FITTING_STEPS = 5
# Below this the weights have a variance for certain (PSIS, section 3.2.4), and the proposal needs no more learning.
K_HAT = 0.5
GOOD_SHARE = 0.5

# How many of the draws are moved, how often, and how many standard errors they may drift by.
MOVED = 200
MOVES_PER_PARAMETER = 3
DRIFT = 4.0


@dataclass(frozen=True, slots=True)
class Weighted:
    """Points in white coordinates (point, parameter), their log densities (point,) and smoothed weights (point,)."""

    points: Array
    values: Array
    weights: Array
    k_hat: float

    @property
    def effective(self) -> float:
        """How many equally weighted draws the weighted ones are worth (Kish)."""
        return float(1.0 / np.square(self.weights).sum())

    def moments(self) -> tuple[Array, Array]:
        """Means and standard deviations (parameter,)."""
        mean = self.weights @ self.points
        return mean, np.sqrt(self.weights @ np.square(self.points - mean))

    @classmethod
    def of(cls, points: Array, values: Array, proposal: Mixture) -> Weighted:
        log_weights = values - proposal.log_density(points)
        if not np.isfinite(log_weights).any():
            # Not one point is possible: the weights say nothing, and k-hat says so.
            return cls(points, values, np.full(len(points), 1.0 / len(points)), np.inf)
        return cls(points, values, smoothed(log_weights), pareto_k(log_weights))


def weigh(
    density: Density,
    search: Search,
    number: int,
    random: np.random.Generator,
    evaluate: Evaluate,
    progress: Progress,
) -> Weighted:
    """So many weighted points, in the white coordinates of the search, begun at every optimum worth visiting."""
    proposal = first_proposal(density, search)
    done = 0
    for _ in range(ROUNDS):
        drawn = _drawn(search, proposal, ROUND, random, evaluate)
        done += ROUND
        progress.update(done, note=f"learning the shape of the posterior: k-hat {drawn.k_hat:.2f}")
        if drawn.k_hat < K_HAT and drawn.effective > GOOD_SHARE * ROUND:
            break
        if drawn.effective > 1.0 and np.isfinite(drawn.values).any():
            proposal = _learnt(proposal, drawn, random)
    found = _drawn(search, proposal, number, random, evaluate)
    progress.update(done + number)
    return found


def first_proposal(density: Density, search: Search) -> Mixture:
    """The Laplace approximation at each optimum, with the share of the posterior it thinks it has."""
    optima, size = search.worth_visiting, density.dimension
    factors, logs = [], []
    for k, optimum in enumerate(optima):
        shape = search.shape if k == 0 else laplace(density, optimum, search.scale)
        white = np.linalg.solve(search.shape.factor, shape.factor)
        factors.append(np.linalg.cholesky(white @ white.T + 1e-9 * np.eye(size)))
        logs.append(search.log_densities[k] + np.log(np.diag(factors[-1])).sum())
    shares = np.exp(np.array(logs) - max(logs))
    return Mixture(shares / shares.sum(), search.shape.to_white(optima), np.array(factors))


def _drawn(search: Search, proposal: Mixture, number: int, random: np.random.Generator, evaluate: Evaluate) -> Weighted:
    points = proposal.sample(random, number)
    return Weighted.of(points, evaluate(search.shape.from_white(points)), proposal)


def _learnt(proposal: Mixture, drawn: Weighted, random: np.random.Generator) -> Mixture:
    """The proposal drawn closer to the weighted points, with new components where there were few."""
    missing = COMPONENTS - len(proposal.shares)
    if missing > 0:
        new = drawn.points[random.choice(len(drawn.points), size=missing, p=drawn.weights)]
        centres = np.concatenate([proposal.centres, new])
        factors = np.concatenate([proposal.factors, np.repeat(proposal.factors[:1], missing, axis=0)])
        proposal = Mixture(np.full(COMPONENTS, 1.0 / COMPONENTS), centres, factors)
    for _ in range(FITTING_STEPS):
        proposal = proposal.refitted(drawn.points, drawn.weights)
    return proposal


def resampled(weights: Array, number: int, random: np.random.Generator) -> NDArray[np.intp]:
    """So many places of weights (point,), each as often as its weight says, give or take one; in order.

    A point that is taken several times is followed by its own copies. In a chain they are then correlated
    draws, whose effective number is that of the weights, so that nobody takes copies for knowledge.
    """
    ticks = (np.arange(number) + random.random()) / number
    return np.minimum(np.searchsorted(np.cumsum(weights), ticks), len(weights) - 1)


def drift(search: Search, found: Weighted, random: np.random.Generator, evaluate: Evaluate) -> float:
    """How far a short MCMC moves draws of the answer away from it, in standard errors of the worst parameter.

    A proposal that missed part of the posterior gives good weights for the rest. Draws that are moved, each many
    times, wander into the part that was missed; draws of the whole posterior stay as they are on average.
    """
    places = random.permutation(resampled(found.weights, MOVED, random))
    begin, values = found.points[places], found.values[places]
    archive = Archive(begin)
    points = begin
    for _ in range(MOVES_PER_PARAMETER * begin.shape[1]):
        points, values, _ = moved(search, points, values, archive, random, evaluate)
    worst = 0.0
    centre, sd = found.moments()
    for after, before in ((points, begin), (np.square((points - centre) / sd), np.square((begin - centre) / sd))):
        change = after - before
        error = change.std(axis=0) / np.sqrt(len(change))
        worst = max(worst, float(np.max(np.abs(change.mean(axis=0)) / np.where(error > 0, error, np.inf))))
    return worst


def moved(
    search: Search, points: Array, values: Array, archive: Archive, random: np.random.Generator, evaluate: Evaluate
) -> tuple[Array, Array, float]:
    """Points after one step along differences of the archive, their log densities, and the share that moved."""
    proposal = difference(points, archive, random)
    there = evaluate(search.shape.from_white(proposal.positions))
    accepted = np.log1p(-random.random(len(points))) < there - values
    return (
        np.where(accepted[:, np.newaxis], proposal.positions, points),
        np.where(accepted, there, values),
        float(accepted.mean()),
    )
