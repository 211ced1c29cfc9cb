"""Particle marginal Metropolis-Hastings: MCMC for models that run by chance.

Each density is an estimate by particles. As the estimate is unbiased, and a chain keeps that of the place where it
stands, its draws are of the exact posterior (Andrieu, Doucet and Holenstein 2010,
doi:10.1111/j.1467-9868.2009.00736.x). Steps are those of `demcz`, along differences of earlier draws. The number of
particles is chosen by how much the log likelihood varies where the posterior is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._estimate import Estimates
from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._differences import Archive, difference, snooker
from modelworks.calibration.samplers._enough import FEWEST_DRAWS, Enough, cut_short, looks
from modelworks.calibration.samplers._sampler import Density, Draws, EstimatedDensity, TimeIsUp, can_be_estimated
from modelworks.errors import fail

Array = NDArray[np.float64]

# The standard deviation of the log likelihood that costs least: between 1 and 1.7 (Doucet, Pitt, Deligiannidis and
# Kohn 2015, doi:10.1093/biomet/asu075). It is measured by so many estimates at one place.
WANTED_SD, ACCEPTED_SD = 1.2, 1.5
MEASURED_BY = 40
# With fewer particles the variance no longer falls as one over their number; with more nobody waits for the end.
FEWEST, MOST = 20, 20_000
# Particles while nothing is known, draws of the priors looked at with them in one go, and in all.
AT_FIRST, BATCH, MOST_TRIED = 200, 40, 1000
# Those after which somebody is told that chains stand still.
TOO_NOISY = 2.0

# As in `demcz`, whose steps these are.
STEPS_PER_PARAMETER = 3
SNOOKER_SHARE = 0.1
ARCHIVE_EVERY = 5
ARCHIVE_PER_PARAMETER = 10
FORGETTING = (0.1, 0.2, 0.35, 0.5, 0.75)
# When, in parts of the warm-up, the number of particles is chosen anew where the chains are.
CHOOSING = (0.15, 0.4, 0.75)


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
    """Draws by particle MCMC; the warm-up is discarded."""
    if not can_be_estimated(density):
        fail(
            "C504",
            "particle MCMC needs a model that runs by chance and can be looked at on its way",
            hint="choose `auto`; a function of one's own that runs by chance takes `abc`",
        )
    random = np.random.default_rng(key)
    estimate = _Estimator(density, random)
    steps = STEPS_PER_PARAMETER * density.dimension
    first = max(ARCHIVE_PER_PARAMETER * density.dimension, 2 * chains, 20)
    progress.start("look for runs that agree with the data")
    positions, values = _candidates(estimate, first)
    estimate.choose(positions[0])
    progress.finish()
    archive = Archive(positions, room=chains * (1 + (warmup + draws) * steps // ARCHIVE_EVERY))
    chain = _Chains.at(estimate, positions[_starts(values, chains, random)])
    forget, choose = ({max(1, round(part * warmup)) for part in parts} for parts in (FORGETTING, CHOOSING))
    kept = _Kept()
    looked_at, note, notes = looks(draws, enough), "", dict[str, Any]()
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    try:
        for draw in range(warmup + draws):
            if draw < warmup and draw in forget:
                archive.forget_half(keep=first)
            if draw < warmup and draw in choose:
                estimate.choose(np.median(archive.positions[-chains * steps :], axis=0))
                chain = _Chains.at(estimate, chain.positions)
            moved = np.zeros(chains)
            for step in range(steps):
                moved += chain.step(estimate, archive, random)
                if (draw * steps + step) % ARCHIVE_EVERY == 0:
                    archive.add(chain.positions)
            if draw >= warmup:
                kept.add(chain, moved / steps)
            if enough is not None and draw + 1 - warmup in looked_at:
                mixing = enough.look(np.stack(kept.positions, axis=1), progress)
                note, notes["stopped"] = mixing.in_words(), enough.in_words(len(kept.positions), draws, mixing)
                if enough.met_by(mixing):
                    break
            progress.update(chains * (draw + 1), note=note or f"{estimate.particles} particles")
    except TimeIsUp:
        if len(kept.positions) < FEWEST_DRAWS:
            raise
        notes |= cut_short(len(kept.positions), draws, chains, chains)
    progress.update(chains * (warmup + draws), note=note)
    progress.finish()
    return kept.draws(estimate, {"steps_between_draws": steps, **notes})


class _Estimator:
    """Estimates of the density by the number of particles in use, each with new randomness."""

    def __init__(self, density: EstimatedDensity, random: np.random.Generator) -> None:
        self.density = density
        self.particles = AT_FIRST
        self.sd = math.nan
        self._random = random

    def __call__(self, positions: Array) -> Estimates:
        return self.density.estimate(positions, self.particles, int(self._random.integers(2**63)))

    def draw_priors(self, number: int) -> Array:
        drawn = self.density.prior_positions(self._random, number)
        return drawn[np.isfinite(drawn).all(axis=1)]

    def choose(self, position: Array) -> None:
        """As many particles as let the log likelihood at a position vary by what is wanted."""
        self.sd = self._spread(position)
        # The variance falls about as one over the number.
        if self.sd < WANTED_SD:
            self.particles = max(math.ceil(self.particles * (self.sd / WANTED_SD) ** 2), FEWEST)
            self.sd = self._spread(position)
        while self.sd > ACCEPTED_SD and self.particles < MOST:
            # Where the variance is large it is badly known, and so is how many more would do.
            more = min(max((self.sd / WANTED_SD) ** 2, 1.25), 4.0)
            self.particles = min(math.ceil(self.particles * more), MOST)
            self.sd = self._spread(position)

    def _spread(self, position: Array) -> float:
        """The standard deviation of the log likelihood at one position."""
        found = self(np.repeat(position[np.newaxis], MEASURED_BY, axis=0)).log_densities
        # Where an estimate is nothing at all, the others say little.
        return float(found.std(ddof=1)) if np.isfinite(found).all() else math.inf


def _candidates(estimate: _Estimator, number: int) -> tuple[Array, Array]:
    """Positions (candidate, parameter) from the priors with which some runs agree with the data, best first.

    C505 where no run agrees, whatever the draw of the priors.
    """
    positions: list[Array] = []
    values: list[float] = []
    lost: list[list[int]] = []
    for _ in range(MOST_TRIED // BATCH):
        drawn = estimate.draw_priors(BATCH)
        found = estimate(drawn)
        possible = np.isfinite(found.log_densities)
        positions.extend(drawn[possible])
        values.extend(found.log_densities[possible])
        lost.extend(found.lost[~possible & (found.lost[:, 0] >= 0)].tolist())
        if len(positions) >= number:
            break
    if not positions:
        _tell_of_lost(estimate, lost)
    order = np.argsort(-np.array(values), kind="stable")
    return np.array(positions)[order], np.array(values)[order]


def _tell_of_lost(estimate: _Estimator, lost: list[list[int]]) -> None:
    """The observation that most draws of the priors could go as far as, and no further."""
    where = "every run left what is possible for the model"
    if lost:
        where = "no run agreed with " + estimate.density.observation_in_words(*max(lost))
    fail(
        "C505",
        f"of {MOST_TRIED:,} draws of the priors, each with {estimate.particles} runs, not one can have made the data: "
        f"at best, {where}",
        hint="look at that observation, its unit, and whether the model can make it at all: what comes from outside, "
        "or a likelihood with more scatter, is often what is missing",
    )


def _starts(values: Array, chains: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Chains start at the better half of the candidates, apart from each other."""
    half = max(len(values) // 2, 1)
    return np.asarray(random.permutation(half)[np.arange(chains) % half])


@dataclass
class _Chains:
    """Where the chains are: positions (chain, parameter), and what was estimated there when they came."""

    positions: Array
    found: Estimates

    @classmethod
    def at(cls, estimate: _Estimator, positions: Array) -> _Chains:
        return cls(positions.copy(), estimate(positions))

    def step(self, estimate: _Estimator, archive: Archive, random: np.random.Generator) -> NDArray[np.bool_]:
        """Move every chain that accepts its proposal; says which did."""
        propose = snooker if random.random() < SNOOKER_SHARE else difference
        proposal = propose(self.positions, archive, random)
        there = estimate(proposal.positions)
        with np.errstate(invalid="ignore"):
            # A chain that was put where nothing agrees goes wherever something does.
            chance = there.log_densities - self.found.log_densities + proposal.log_factor
        accepted = (np.log1p(-random.random(len(chance))) < chance) & np.isfinite(there.log_densities)
        places = np.flatnonzero(accepted)
        self.positions[places] = proposal.positions[places]
        self.found.put(places, there.taken(places))
        return accepted


class _Kept:
    """What is kept of each draw."""

    def __init__(self) -> None:
        self.positions: list[Array] = []
        self._log_densities: list[Array] = []
        self._accepted: list[Array] = []
        self._predicted: list[tuple[Array, ...]] = []

    def add(self, chain: _Chains, accepted: Array) -> None:
        self.positions.append(chain.positions.copy())
        self._log_densities.append(chain.found.log_densities.copy())
        self._accepted.append(accepted)
        self._predicted.append(tuple(each.copy() for each in chain.found.predicted))

    def draws(self, estimate: _Estimator, notes: dict[str, Any]) -> Draws:
        return Draws(
            np.stack(self.positions, axis=1),
            {"lp": np.stack(self._log_densities, axis=1), "acceptance_rate": np.stack(self._accepted, axis=1)},
            predicted=tuple(np.stack(each, axis=1) for each in zip(*self._predicted, strict=True)),
            notes={"particles": estimate.particles, "log_likelihood_sd": round(estimate.sd, 3), **notes},
            warnings=_doubts(estimate),
        )


def _doubts(estimate: _Estimator) -> tuple[str, ...]:
    if estimate.sd < TOO_NOISY:
        return ()
    return (
        f"With {estimate.particles:,} particles the log likelihood still varies by {estimate.sd:.1f} between "
        "estimates, so that chains stand still for long: a likelihood with more scatter would help.",
    )
