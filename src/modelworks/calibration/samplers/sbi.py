"""Simulation-based inference: a method, ours or from outside, learns the posterior from simulations alone.

Where the model has a likelihood, what was learnt is a proposal, corrected by importance weights whose tail says whether
to believe it. Where it has none, new data are simulated with the draws, and the verdict says how near these came.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._distance import Settled
from modelworks.calibration._inference import Simulations, drawn_by, inference
from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._enough import Enough
from modelworks.calibration.samplers._evaluate import evaluator
from modelworks.calibration.samplers._importance import FITTING_STEPS, K_HAT, Weighted, resampled
from modelworks.calibration.samplers._mixture import Mixture
from modelworks.calibration.samplers._sampler import Density, Draws, SimulatedDensity, can_be_imitated
from modelworks.calibration.samplers._starts import tell_of_nowhere
from modelworks.errors import fail

Array = NDArray[np.float64]

SIMULATIONS = 10_000
# Draws of the method to which a proposal is fitted, its components, and points that are weighted for each chain.
LEARNT, COMPONENTS, POINTS_PER_CHAIN = 2000, 4, 1000
# How much wider than the draws the proposal is: weights stay even where the method drew too narrowly.
WIDER = 1.2


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
    """Draws by a method that learns from simulations; there is no warm-up."""
    if not can_be_imitated(density):
        fail("C504", "simulation-based inference needs a density whose data can be simulated", hint="choose another")
    random = np.random.default_rng(key)
    total = chains * (warmup + draws)
    name, method = inference(density.inference)
    progress.start("draw from the posterior", total=total)
    progress.update(0, note="simulating")
    simulations, distance = _simulated(density, random, cores)
    progress.update(0.5 * total, note=f"learning by {name}")
    notes = {"method": name, "simulations": len(simulations.positions)}
    if density.is_random:
        found = _as_they_are(
            density, distance, drawn_by(name, method, simulations, chains * draws, random), random, cores
        )
        found = Draws(
            found.positions.reshape(chains, draws, -1),
            {stat: each.reshape(chains, draws) for stat, each in found.stats.items()},
            predicted=tuple(each.reshape(chains, draws, -1) for each in found.predicted or ()),
            notes=notes,
        )
    else:
        learnt = drawn_by(name, method, simulations, LEARNT, random)
        found = _corrected(density, learnt, chains, draws, random, cores, notes)
    progress.update(total)
    progress.finish()
    return found


def _simulated(density: SimulatedDensity, random: np.random.Generator, cores: int) -> tuple[Simulations, Settled]:
    """Draws of the priors with their data, and the distance that scales these."""
    positions = density.prior_positions(random, SIMULATIONS)
    runs = density.imitate(positions, random, cores)
    ran = np.isfinite(runs.summaries).all(axis=1) & np.isfinite(positions).all(axis=1)
    if not ran.any():
        tell_of_nowhere(density, SIMULATIONS)
    distance = density.distance_of(runs.summaries[ran])
    return Simulations(density.parameters, positions[ran], distance.scaled(runs.summaries[ran])), distance


def _as_they_are(
    density: SimulatedDensity, distance: Settled, positions: Array, random: np.random.Generator, cores: int
) -> Draws:
    """Each draw with data simulated from it, one after the other."""
    runs = density.imitate(positions, random, cores)
    stats = {"lp": density.log_prior(positions), "distance": distance.to(runs.summaries)}
    return Draws(positions, stats, predicted=runs.predicted)


def _corrected(
    density: Density,
    learnt: Array,
    chains: int,
    draws: int,
    random: np.random.Generator,
    cores: int,
    notes: dict[str, Any],
) -> Draws:
    """Draws of the posterior itself, from weighted points of a heavy-tailed distribution around what was learnt."""
    proposal = _around(learnt, random)
    points = proposal.sample(random, chains * POINTS_PER_CHAIN)
    with evaluator(density, cores) as evaluate:
        found = Weighted.of(points, evaluate(points), proposal)
    if not np.isfinite(found.values).any():
        fail(
            "C508",
            f"of what the method `{notes['method']}` drew, nothing is possible under the likelihood",
            hint="choose another sampler: the model has a likelihood",
        )
    places = np.array(
        [
            part[resampled(found.weights[part] / found.weights[part].sum(), draws, random)]
            for part in np.array_split(np.arange(len(points)), chains)
        ]
    )
    warnings: tuple[str, ...] = ()
    if found.k_hat >= K_HAT:
        warnings = (
            f"The method `{notes['method']}` drew too far from the posterior to be corrected (k-hat {found.k_hat:.2f}; "
            f"below {K_HAT:g} is good): choose another sampler.",
        )
    return Draws(
        points[places],
        {"lp": found.values[places], "weight": found.weights[places] * len(points)},
        notes={**notes, "k_hat": round(found.k_hat, 4), "effective_draws": round(found.effective, 1)},
        warnings=warnings,
    )


def _around(learnt: Array, random: np.random.Generator) -> Mixture:
    """A mixture fitted to draws (draw, parameter), and widened."""
    first = Mixture.around(learnt.mean(axis=0), np.atleast_2d(np.cov(learnt.T)))
    centres = np.concatenate([first.centres, learnt[random.integers(len(learnt), size=COMPONENTS - 1)]])
    mixture = Mixture(np.full(COMPONENTS, 1 / COMPONENTS), centres, np.repeat(first.factors, COMPONENTS, axis=0))
    even = np.full(len(learnt), 1.0 / len(learnt))
    for _ in range(FITTING_STEPS):
        mixture = mixture.refitted(learnt, even)
    return Mixture(mixture.shares, mixture.centres, WIDER * mixture.factors)
