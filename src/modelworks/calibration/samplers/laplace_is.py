"""Importance sampling around the optima: an answer in seconds, with a number that says whether to believe it.

The proposal is begun as a mixture of heavy-tailed Laplace approximations, one at each optimum, and adapted in a
few rounds. Its warrant is k-hat, the tail index of the weights (Vehtari and others 2024, JMLR 25(72)), together
with a short MCMC that must leave the draws where they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._enough import Enough
from modelworks.calibration.samplers._evaluate import evaluator
from modelworks.calibration.samplers._importance import (
    DRIFT,
    K_HAT,
    ROUND,
    ROUNDS,
    Weighted,
    drift,
    resampled,
    weigh,
)
from modelworks.calibration.samplers._map import find_map
from modelworks.calibration.samplers._sampler import Density, Draws

Array = NDArray[np.float64]

# Points behind each chain of draws: each chain is an importance sample of its own, so that they may disagree.
POINTS_PER_CHAIN = 1000


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
    """Draws by importance sampling, resampled to equal weights; there is no warm-up."""
    of_search, of_points = key.spawn(2)
    progress.start("search for the optimum")
    search = find_map(density, np.random.default_rng(of_search), cores=cores)
    progress.finish()
    random = np.random.default_rng(of_points)
    number = chains * POINTS_PER_CHAIN
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    with evaluator(density, cores) as evaluate:
        listener = _Scaled(progress, chains * (warmup + draws) / (ROUNDS * ROUND + number))
        found = weigh(density, search, number, random, evaluate, listener)
        drifted = drift(search, found, random, evaluate) if np.isfinite(found.values).any() else np.inf
    progress.update(chains * (warmup + draws))
    progress.finish()
    places = places_of(found, chains, draws, random)
    return Draws(
        positions=search.shape.from_white(found.points[places]),
        stats={"lp": found.values[places], "weight": found.weights[places] * number},
        optimum=search.positions[0],
        notes={
            "starts_agree": search.agree,
            "starts": search.in_words(),
            "k_hat": round(found.k_hat, 4),
            "effective_draws": round(found.effective, 1),
            "drift": round(drifted, 3),
        },
        warnings=(*search.warnings(density.parameters), *doubts(found, drifted)),
    )


def doubts(found: Weighted, drifted: float) -> list[str]:
    """Why the weighted answer is not to be believed, in sentences."""
    said = []
    if found.k_hat >= K_HAT:
        said.append(
            f"A few of the importance weights carry the answer (k-hat {found.k_hat:.2f}; below {K_HAT:g} is good): "
            "choose `nuts`, or `smc` where there are several optima."
        )
    if drifted >= DRIFT:
        said.append(
            f"A short MCMC moved the draws of importance sampling away by {drifted:.1f} standard errors: "
            "they miss a part of the posterior; choose `nuts` or `smc`."
        )
    return said


def places_of(found: Weighted, chains: int, draws: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Which points the draws (chain, draw) are: those of each chain from its own part of them."""
    parts = np.split(np.arange(len(found.points)), chains)
    chosen = []
    for part in parts:
        weights = found.weights[part]
        # A part without any weight is drawn evenly: its chain will disagree with the others, as it should.
        weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(part), 1.0 / len(part))
        chosen.append(part[resampled(weights, draws, random)])
    return np.array(chosen)


class _Scaled:
    """Tells a listener of parts of another size."""

    def __init__(self, progress: Progress, factor: float) -> None:
        self._progress = progress
        self._factor = factor

    def start(self, name: str, total: float | None = None) -> None:
        self._progress.start(name, total)

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        self._progress.update(self._factor * done, total, note)

    def finish(self) -> None:
        self._progress.finish()

    def mention(self, text: str) -> None:
        self._progress.mention(text)

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        self._progress.mixed(draws, r_hat, effective_draws, by_chain)
