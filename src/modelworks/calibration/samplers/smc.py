"""Tempered sequential Monte Carlo: many particles, cooled from the priors to the posterior.

It finds modes that are far apart with their weights, and gives the evidence. Particles begin in a heavy-tailed
distribution around the priors; in each stage the density is a weighted geometric mean of that one and the
posterior's, cooled by as much as leaves half the particles effective (Del Moral, Doucet and Jasra 2006,
doi:10.1111/j.1467-9868.2006.00553.x; 2012, doi:10.1007/s11222-011-9271-y). Between stages particles move by
differences of each other, which have the shape of the density at that stage and lead from mode to mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._differences import Archive, difference
from modelworks.calibration.samplers._enough import Enough
from modelworks.calibration.samplers._evaluate import Evaluate, evaluator
from modelworks.calibration.samplers._importance import resampled
from modelworks.calibration.samplers._mixture import Mixture
from modelworks.calibration.samplers._sampler import Density, Draws
from modelworks.calibration.samplers._starts import tell_of_nowhere

Array = NDArray[np.float64]

PARTICLES = 1024
# Draws of the priors behind the distribution that the particles begin in.
PRIOR_DRAWS = 4000
# How many of the particles are effective after each cooling.
EFFECTIVE_SHARE = 0.5
# Moves of every particle in each stage: by steps that come to about a new place.
MOVES_PER_PARAMETER = 4
FEWEST_MOVES = 10


@dataclass
class _Particles:
    """Positions (particle, parameter), log densities (particle,), and those of where they began (particle,)."""

    positions: Array
    values: Array
    references: Array

    def taken(self, places: NDArray[np.intp]) -> _Particles:
        return _Particles(self.positions[places], self.values[places], self.references[places])

    def tempered(self, power: float) -> Array:
        """The log density of a stage: the posterior's to a power, and the beginning's to the rest."""
        return self.values if power == 1.0 else power * self.values + (1.0 - power) * self.references


@dataclass
class _Cooling:
    """How far it has come: the power of the posterior, and the evidence with its variance so far."""

    power: float = 0.0
    log_evidence: float = 0.0
    variance: float = 0.0
    stages: int = 0


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
    """Draws by tempered SMC; the cooling takes the place of the warm-up."""
    random = np.random.default_rng(key)
    number = chains * -(-PARTICLES // chains)
    begin = _beginning(density, random)
    cooling = _Cooling()
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    with evaluator(density, cores) as evaluate:
        positions = begin.sample(random, number)
        particles = _Particles(positions, evaluate(positions), begin.log_density(positions))
        if not np.isfinite(particles.values).any():
            tell_of_nowhere(density, number)
        while cooling.power < 1.0:
            particles = _cooled(particles, cooling, random)
            particles, share = _moved(particles, cooling.power, begin, random, evaluate)
            progress.update(chains * warmup * cooling.power, note=f"temperature {1 / cooling.power:.3g}")
        kept, shares = [particles], [share]
        rounds = -(-chains * draws // number)
        for done in range(1, rounds):
            progress.update(chains * (warmup + draws * done / rounds))
            particles, share = _moved(particles, 1.0, begin, random, evaluate)
            kept.append(particles)
            shares.append(share)
    progress.update(chains * (warmup + draws))
    progress.finish()
    rate = np.repeat(np.array(shares)[np.newaxis], number, axis=0)
    return Draws(
        positions=_as_chains(np.stack([each.positions for each in kept], axis=1), chains, draws),
        stats={
            "lp": _as_chains(np.stack([each.values for each in kept], axis=1), chains, draws),
            "acceptance_rate": _as_chains(rate, chains, draws),
        },
        notes={
            "log_evidence": float(cooling.log_evidence),
            "log_evidence_error": float(np.sqrt(cooling.variance)),
            "stages": cooling.stages,
            "particles": number,
        },
    )


def _beginning(density: Density, random: np.random.Generator) -> Mixture:
    """A heavy-tailed distribution with the priors' means and covariances on the real line."""
    positions = density.prior_positions(random, PRIOR_DRAWS)
    inside = positions[np.isfinite(positions).all(axis=1)]
    return Mixture.around(inside.mean(axis=0), np.atleast_2d(np.cov(inside.T)))


def _cooled(particles: _Particles, cooling: _Cooling, random: np.random.Generator) -> _Particles:
    """The particles that are kept, some of them several times, after the next step of the power."""
    gain = particles.values - particles.references
    enough = EFFECTIVE_SHARE * np.isfinite(gain).sum()
    step = 1.0 - cooling.power
    if _effective(step * gain) < enough:
        low, high = 0.0, step
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if _effective(middle * gain) >= enough else (low, middle)
        step = low
        cooling.power += step
    else:
        cooling.power = 1.0
    log_weights = step * gain
    top = log_weights.max()
    weights = np.exp(log_weights - top)
    cooling.log_evidence += top + float(np.log(weights.mean()))
    # The relative variance of the mean of the weights, as if particles were independent. Moves leave them nearly
    # so; where modes are narrow and far apart they are less so, and the error is rather more than is said.
    cooling.variance += float(weights.var() / weights.mean() ** 2 / len(weights))
    cooling.stages += 1
    return particles.taken(resampled(weights / weights.sum(), len(weights), random))


def _effective(log_weights: Array) -> float:
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / np.square(weights).sum())


def _moved(
    particles: _Particles, power: float, begin: Mixture, random: np.random.Generator, evaluate: Evaluate
) -> tuple[_Particles, float]:
    """Every particle after many steps that leave the density of the stage as it is, and the share accepted."""
    archive = Archive(particles.positions)
    moves = max(FEWEST_MOVES, MOVES_PER_PARAMETER * particles.positions.shape[1])
    share = 0.0
    for _ in range(moves):
        positions = difference(particles.positions, archive, random).positions
        there = _Particles(positions, evaluate(positions), begin.log_density(positions))
        chance = there.tempered(power) - particles.tempered(power)
        accepted = np.log1p(-random.random(len(chance))) < chance
        particles = _Particles(
            np.where(accepted[:, np.newaxis], there.positions, particles.positions),
            np.where(accepted, there.values, particles.values),
            np.where(accepted, there.references, particles.references),
        )
        share += float(accepted.mean()) / moves
    return particles, share


def _as_chains(kept: Array, chains: int, draws: int) -> Array:
    """Of what each particle was in turn (particle, turn, …), draws (chain, draw, …).

    Resampling keeps the order, so relatives are neighbours, and a particle's own turns follow each other: the
    correlation of draws along a chain is then all there is, and their effective number an honest one.
    """
    length = kept.shape[0] // chains * kept.shape[1]
    rows = kept.reshape(chains, length, *kept.shape[2:])
    return rows[:, np.linspace(0, length - 1, draws).round().astype(np.intp)]
