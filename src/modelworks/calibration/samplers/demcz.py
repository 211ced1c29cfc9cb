"""Differential evolution with past draws and a snooker: MCMC that needs no gradient and no tuning.

Chains move by differences between draws made earlier, which therefore have the posterior's own shape and
size, and can jump between its modes (ter Braak and Vrugt 2008, doi:10.1007/s11222-008-9104-9). What was
made earlier is kept in an archive that all chains share and that grows ever more slowly in comparison, so
the draws converge to the posterior.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._sampler import Density, Draws
from modelworks.calibration.samplers._starts import candidates

Array = NDArray[np.float64]

# Steps between two draws that are kept, for each parameter: neighbouring steps are nearly alike, and
# keeping them all would only make the record longer.
STEPS_PER_PARAMETER = 3
# The paper's choices: one step in ten a snooker, its length between 1.2 and 2.2; one in ten of the others
# at full length, which carries a chain from mode to mode; the archive grows at every tenth step.
SNOOKER_SHARE = 0.1
SNOOKER_LENGTHS = (1.2, 2.2)
FULL_LENGTH_SHARE = 0.1
ARCHIVE_EVERY = 10
# Scatter of a step's length, and of its end in standard deviations of the archive: enough to reach every
# point, too little to matter.
LENGTH_SCATTER = 0.05
END_SCATTER = 1e-3
# The archive begins with this many draws of the priors for each parameter.
ARCHIVE_PER_PARAMETER = 10
# When, in parts of the warm-up, the older half of the archive is forgotten: it remembers the priors.
FORGETTING = (0.1, 0.2, 0.35, 0.5, 0.75)
# Below this, handing an evaluation to a thread costs more than it saves.
WORTH_A_THREAD_SECONDS = 5e-4


def sample(
    density: Density,
    *,
    chains: int,
    draws: int,
    warmup: int,
    key: np.random.SeedSequence,
    cores: int,
    progress: Progress,
) -> Draws:
    """Draws by DE-MC-Z; the warm-up is discarded."""
    random = np.random.default_rng(key)
    steps = STEPS_PER_PARAMETER * density.dimension
    first = max(ARCHIVE_PER_PARAMETER * density.dimension, 2 * chains, 20)
    positions, values = candidates(density, random, first, cores)
    archive = _Archive(positions, room=chains * (1 + (warmup + draws) * steps // ARCHIVE_EVERY))
    # Chains start at the better half of the candidates, apart from each other.
    begin = random.permutation(max(len(positions) // 2, 1))[np.arange(chains) % max(len(positions) // 2, 1)]
    chain = _Chains(positions[begin], values[begin])
    forget = {max(1, round(part * warmup)) for part in FORGETTING}
    kept, log_densities, accepted = [], [], []
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    with _evaluator(density, cores) as evaluate:
        for draw in range(warmup + draws):
            if draw < warmup and draw in forget:
                archive.forget_half(keep=first)
            share = np.zeros(chains)
            for step in range(steps):
                moved = _step(chain, archive, random, evaluate)
                share += moved
                if (draw * steps + step) % ARCHIVE_EVERY == 0:
                    archive.add(chain.positions)
            if draw >= warmup:
                kept.append(chain.positions.copy())
                log_densities.append(chain.values.copy())
                accepted.append(share / steps)
            progress.update(chains * (draw + 1))
    progress.finish()
    stats = {"lp": np.stack(log_densities, axis=1), "acceptance_rate": np.stack(accepted, axis=1)}
    return Draws(np.stack(kept, axis=1), stats, notes={"steps_between_draws": steps})


@dataclass
class _Chains:
    """Where the chains are: positions (chain, parameter) and log densities (chain,)."""

    positions: Array
    values: Array


class _Archive:
    """Past positions (draw, parameter), in an array with room for all that will be added."""

    def __init__(self, positions: Array, room: int) -> None:
        self._all = np.empty((len(positions) + room, positions.shape[1]))
        self._all[: len(positions)] = positions
        self._first, self._end = 0, len(positions)
        self.scale = positions.std(axis=0)

    @property
    def positions(self) -> Array:
        return self._all[self._first : self._end]

    def add(self, positions: Array) -> None:
        self._all[self._end : self._end + len(positions)] = positions
        self._end += len(positions)

    def forget_half(self, keep: int) -> None:
        """Drop the older half, but never to fewer than `keep`."""
        self._first = max(self._first, min((self._first + self._end) // 2, self._end - keep))
        self.scale = self.positions.std(axis=0)


class _Proposal(NamedTuple):
    """Positions (chain, parameter), and the log of each step's chance over that of the step back (chain,)."""

    positions: Array
    log_factor: Array


class _Evaluate:
    """Log densities of positions, on several cores where one evaluation is worth it."""

    def __init__(self, density: Density, pool: ThreadPoolExecutor | None) -> None:
        self._density = density
        self._pool = pool
        self._seconds = 0.0

    def __call__(self, positions: Array) -> Array:
        if self._pool is not None and self._seconds > WORTH_A_THREAD_SECONDS:
            return np.array(list(self._pool.map(self._density.value, positions)))
        began = time.perf_counter()
        values = np.array([self._density.value(position) for position in positions])
        # The time decides only where the work is done; the numbers are the same.
        self._seconds = (time.perf_counter() - began) / len(positions)
        return values


@contextmanager
def _evaluator(density: Density, cores: int) -> Iterator[_Evaluate]:
    if cores <= 1:
        yield _Evaluate(density, None)
        return
    with ThreadPoolExecutor(cores) as pool:
        yield _Evaluate(density, pool)


def _step(chain: _Chains, archive: _Archive, random: np.random.Generator, evaluate: _Evaluate) -> NDArray[np.bool_]:
    """Move every chain that accepts its proposal; says which did."""
    propose = _snooker if random.random() < SNOOKER_SHARE else _difference
    proposal = propose(chain.positions, archive, random)
    values = evaluate(proposal.positions)
    chance = values - chain.values + proposal.log_factor
    accepted = np.asarray(np.log1p(-random.random(len(values))) < chance)
    chain.positions[accepted] = proposal.positions[accepted]
    chain.values[accepted] = values[accepted]
    return accepted


def _difference(positions: Array, archive: _Archive, random: np.random.Generator) -> _Proposal:
    """A step along the difference of two past draws."""
    chains, size = positions.shape
    one, other, _ = _three(archive.positions, chains, random)
    # 2.38/√(2d) is the best length for a normal posterior.
    length = np.where(random.random(chains) < FULL_LENGTH_SHARE, 1.0, 2.38 / math.sqrt(2 * size))
    length *= 1.0 + LENGTH_SCATTER * (2.0 * random.random(chains) - 1.0)
    scatter = END_SCATTER * archive.scale * random.standard_normal((chains, size))
    return _Proposal(positions + length[:, np.newaxis] * (one - other) + scatter, np.zeros(chains))


def _snooker(positions: Array, archive: _Archive, random: np.random.Generator) -> _Proposal:
    """A step along the line to one past draw, as long as two others are apart in that direction."""
    chains, size = positions.shape
    anchor, one, other = _three(archive.positions, chains, random)
    line = positions - anchor
    squared = np.einsum("cp,cp->c", line, line)
    # A chain that stands on its anchor has no line; it stays where it is.
    stands = squared == 0.0
    along = np.einsum("cp,cp->c", one - other, line) / np.where(stands, 1.0, squared)
    length = random.uniform(*SNOOKER_LENGTHS, chains) * along
    moved = positions + length[:, np.newaxis] * line
    with np.errstate(divide="ignore"):
        log_factor = (size - 1) * np.log(np.abs(1.0 + length))
    return _Proposal(moved, np.where(stands, 0.0, log_factor))


def _three(archive: Array, chains: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Three past draws for each chain, no two of them the same entry."""
    total = len(archive)
    first = random.integers(total, size=chains)
    second = random.integers(total - 1, size=chains)
    second += second >= first
    third = random.integers(total - 2, size=chains)
    third += third >= np.minimum(first, second)
    third += third >= np.maximum(first, second)
    return archive[first], archive[second], archive[third]
