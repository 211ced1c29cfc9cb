"""Differential evolution with a memory of the past (ter Braak and Vrugt 2008), for models without gradients.

Each chain proposes a jump along the difference of two places some chain has been at before, so that
jumps have the scale and the direction of the posterior without anything to tune. One jump in ten is
a snooker update, through a third place; one in ten is at full length, to cross between modes.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.cal_mine._density import LogDensity
from modelworks.cal_mine._draws import Draws, Progress
from modelworks.cal_mine._start import Start

Array = NDArray[np.float64]

NEEDS_GRADIENT = False

SNOOKER, FULL_LENGTH = 0.1, 0.1
# Small enough not to blur the posterior (whose scale is about one), large enough to reach everywhere.
JITTER = 1e-3
# A place is remembered every so many steps (ter Braak and Vrugt's K); each draw is this many steps.
MEMORY_EVERY = 10
STEPS_PER_DRAW = 10


@dataclass
class _Chains:
    """Where every chain is, (chain, parameter), in whitened coordinates, and the log density there."""

    places: Array
    values: Array


def sample(
    density: LogDensity,
    start: Start,
    *,
    chains: int,
    draws: int,
    warmup: int,
    key: np.random.Generator,
    cores: int | None,
    progress: Progress,
) -> Draws:
    """Draws of every chain, each `STEPS_PER_DRAW` steps after the last; the same for a key on any cores."""
    size = density.dimension
    memory = [2.0 * key.standard_normal((max(10 * size, 20), size))]
    state_places = 1.5 * key.uniform(-1, 1, (chains, size))
    kept = np.empty((chains, draws, size))
    values = np.empty((chains, draws))
    accepted = np.zeros((chains, draws))
    total = (warmup + draws) * STEPS_PER_DRAW
    progress.start("calibrate", total)
    with ThreadPoolExecutor(max_workers=min(chains, cores or os.cpu_count() or 1)) as pool:

        def evaluate(places: Array) -> Array:
            return np.array(list(pool.map(lambda z: density.value(start.mode + start.scale @ z), places)))

        state = _Chains(state_places, evaluate(state_places))
        for step in range(total):
            moved = _step(state, np.concatenate(memory), key, evaluate)
            if step % MEMORY_EVERY == 0:
                memory = [np.concatenate([*memory, state.places])]
            draw, within = divmod(step, STEPS_PER_DRAW)
            if draw >= warmup:
                accepted[:, draw - warmup] += moved / STEPS_PER_DRAW
                if within == STEPS_PER_DRAW - 1:
                    kept[:, draw - warmup], values[:, draw - warmup] = state.places, state.values
            progress.update(step + 1, total)
    progress.finish()
    line = start.mode + kept @ start.scale.T
    return Draws(line, {"lp": values, "acceptance_rate": accepted, "diverging": np.zeros((chains, draws), dtype=bool)})


def _step(state: _Chains, memory: Array, key: np.random.Generator, evaluate) -> Array:  # type: ignore[no-untyped-def]
    """Move every chain once, in place; which of them moved."""
    chains, size = state.places.shape
    proposed = np.empty_like(state.places)
    correction = np.zeros(chains)
    if key.random() < SNOOKER:
        for k in range(chains):
            proposed[k], correction[k] = _snooker(state.places[k], memory, key)
    else:
        length = 1.0 if key.random() < FULL_LENGTH else 2.38 / np.sqrt(2 * size)
        for k in range(chains):
            one, two = key.choice(len(memory), 2, replace=False)
            proposed[k] = state.places[k] + length * (memory[one] - memory[two])
    proposed += JITTER * key.standard_normal(proposed.shape)
    values = evaluate(proposed)
    with np.errstate(invalid="ignore"):
        accept = np.log(key.random(chains)) < values - state.values + correction
    # From a place without probability anything that has some is better.
    accept |= np.isfinite(values) & ~np.isfinite(state.values)
    state.places[accept], state.values[accept] = proposed[accept], values[accept]
    return accept.astype(float)


def _snooker(place: Array, memory: Array, key: np.random.Generator) -> tuple[Array, float]:
    """A jump along the line through a remembered place, and the log of its volume correction."""
    through, one, two = memory[key.choice(len(memory), 3, replace=False)]
    away = place - through
    distance = float(np.linalg.norm(away))
    if distance == 0.0:
        return place.copy(), 0.0
    direction = away / distance
    length = key.uniform(1.2, 2.2)
    moved = place + length * direction * float(direction @ (one - two))
    new_distance = float(np.linalg.norm(moved - through))
    if new_distance == 0.0:
        return place.copy(), 0.0
    return moved, (place.size - 1) * float(np.log(new_distance / distance))
