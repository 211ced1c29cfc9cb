"""The no-U-turn sampler (Hoffman and Gelman 2014), by nutpie, on our exact gradient.

It moves in coordinates in which the density is about a standard normal: from the mode, at the scale
of the curvature there. nutpie then adapts a step size and a diagonal metric to what is left.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
from numpy.typing import NDArray

from modelworks.cal_mine._density import LogDensity
from modelworks.cal_mine._draws import Draws, Progress
from modelworks.cal_mine._start import Start
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]

NEEDS_GRADIENT = True


class OutOfModel(ArithmeticError):
    """A place without probability: nutpie ends the trajectory there and goes on."""

    is_recoverable = True


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
    """Draws of every chain after warm-up; the same for a key, whatever the number of cores."""
    import nutpie
    from nutpie import compiled_pyfunc

    size = density.dimension
    fatal: list[ModelworksError] = []
    done = itertools.count(1)
    total = chains * (draws + warmup)

    def make_log_density():  # type: ignore[no-untyped-def]
        def log_density(z: Array) -> tuple[float, Array]:
            try:
                value, gradient = density.value_and_gradient(start.mode + start.scale @ z)
            except ModelworksError as error:
                fatal.append(error)
                raise
            if not np.isfinite(value):
                raise OutOfModel("no probability here")
            return value, start.scale.T @ gradient

        return log_density

    def make_expand(_one: int, _two: int, _chain: int):  # type: ignore[no-untyped-def]
        def expand(z: Array) -> dict[str, Array]:
            progress.update(next(done), total)
            return {"z": np.array(z)}

        return expand

    def initial(seed: int) -> Array:
        # Over-dispersed around the mode, so that chains that agree have found it each by itself.
        return np.random.default_rng(seed).uniform(-1.5, 1.5, size)

    model = compiled_pyfunc.from_pyfunc(
        size, make_log_density, make_expand, [np.dtype("float64")], [(size,)], ["z"], make_initial_point_fn=initial
    )
    progress.start("calibrate", total)
    try:
        trace = nutpie.sample(
            model,
            draws=draws,
            tune=warmup,
            chains=chains,
            cores=min(chains, cores or os.cpu_count() or 1),
            seed=int(key.integers(2**31)),
            progress_bar=False,
            return_raw_trace=True,
        )
    except RuntimeError:
        if fatal:
            raise fatal[0] from None
        raise
    finally:
        progress.finish()
    return _draws(trace, start, draws)


def _draws(trace: object, start: Start, number: int) -> Draws:
    """Draws after warm-up as arrays, from nutpie's tables, a batch a chain."""
    import pyarrow

    positions, statistics = trace.get_arrow_trace()  # type: ignore[attr-defined]
    lines, stats = [], []
    for position, statistic in zip(map(pyarrow.record_batch, positions), map(pyarrow.record_batch, statistics), strict=True):
        kept = ~np.asarray(statistic.column("tuning").to_numpy(zero_copy_only=False), dtype=bool)
        z = np.array(position.column("z").to_pylist(), dtype=float)[kept][:number]
        lines.append(start.mode + z @ start.scale.T)
        stats.append({ours: _column(statistic, theirs)[kept][:number] for ours, theirs in STATISTICS.items()})
    return Draws(np.array(lines), {name: np.array([each[name] for each in stats]) for name in STATISTICS})


# ArviZ's names of what nutpie tells of each draw.
STATISTICS = {
    "diverging": "diverging",
    "lp": "logp",
    "energy": "energy",
    "tree_depth": "depth",
    "n_steps": "n_steps",
    "acceptance_rate": "mean_tree_accept",
    "step_size": "step_size",
}


def _column(table: object, name: str) -> NDArray[np.generic]:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False))  # type: ignore[attr-defined]
