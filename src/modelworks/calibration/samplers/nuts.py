"""The no-U-turn sampler of nutpie, started at the optimum in coordinates in which the posterior is round.

Where a sampler starts and in which coordinates matters ten to a hundred times more than which sampler it
is. So the optimum is searched for first, from several starts; the Laplace approximation there gives
coordinates z with u = optimum + L z in which the posterior is nearly a standard normal; and nutpie
samples z. Chains start scattered around every optimum worth visiting, more widely than the posterior, so
that two modes show as chains that disagree.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._map import Search, find_map
from modelworks.calibration.samplers._sampler import Density, Draws
from modelworks.errors import fail

Array = NDArray[np.float64]

# How far from an optimum chains start, in standard deviations of the Laplace approximation: wider than
# the posterior, or chains that agree would prove nothing. Where that is impossible it is narrowed.
START_SPREAD = 1.5
START_TRIES = 60
START_NARROWING = 0.9

POLL_SECONDS = 0.05

# A gradient quicker than this many seconds is mostly Python, whose lock lets one thread work at a time: several
# would spend more time on taking turns than they save.
WORTH_A_THREAD = 3e-4
TRIED = 5

# nutpie's names → those of ArviZ.
STATS = {
    "logp": "lp",
    "diverging": "diverging",
    "depth": "tree_depth",
    "n_steps": "n_steps",
    "energy": "energy",
    "mean_tree_accept": "acceptance_rate",
    "step_size": "step_size",
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
) -> Draws:
    """Draws by NUTS; the density must have its gradient."""
    if not density.has_gradient:
        fail("C503", "NUTS needs the gradient of the model, which this one does not have", hint="choose `demcz`")
    of_search, of_chains = key.spawn(2)
    progress.start("search for the optimum")
    search = find_map(density, np.random.default_rng(of_search), cores=cores)
    progress.finish()
    batches = _drawn(
        _White(density, search), chains, draws, warmup, of_chains, _worth_using(density, search, cores), progress
    )
    progress.finish()
    white = np.stack([_column(batch, "z")[warmup:].reshape(-1, density.dimension) for batch, _ in batches])
    stats = {
        ours: np.stack([_column(batch, theirs)[warmup:] for _, batch in batches]) for theirs, ours in STATS.items()
    }
    return Draws(
        positions=search.shape.from_white(white),
        stats=stats,
        optimum=search.positions[0],
        notes={"starts_agree": search.agree, "starts": search.in_words()},
        warnings=search.warnings(density.parameters),
    )


def _worth_using(density: Density, search: Search, cores: int) -> int:
    """How many of the cores make it quicker; the draws are the same on any number."""
    seconds = []
    for _ in range(TRIED):
        began = time.perf_counter()
        density.value_and_gradient(search.positions[0])
        seconds.append(time.perf_counter() - began)
    return cores if min(seconds) > WORTH_A_THREAD else 1


class _White:
    """The density in the coordinates of the search, as nutpie calls it.

    An exception that left this class would end the process inside nutpie's threads. So the first is kept
    in `error`, and from then on the density is a standard normal, which costs nothing and upsets nobody,
    until `_awaited` sees the error, stops the chains and raises it.
    """

    def __init__(self, density: Density, search: Search) -> None:
        self.density = density
        self.search = search
        self.error: Exception | None = None
        self.done = 0

    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        if self.error is None:
            try:
                value, gradient = self.density.value_and_gradient(self.search.shape.from_white(z))
            except Exception as error:  # noqa: BLE001 (it is raised again by `_awaited`, outside nutpie's threads)
                self.error = error
            else:
                return value, gradient @ self.search.shape.factor
        return -0.5 * float(z @ z), -z

    def start(self, seed: int) -> Array:
        """Where one chain starts: near an optimum, wider than the posterior, possible."""
        random = np.random.default_rng(seed)
        optima = self.search.shape.to_white(self.search.worth_visiting)
        around = optima[random.integers(len(optima))]
        spread = START_SPREAD
        for _ in range(START_TRIES):
            z = np.asarray(around + spread * random.standard_normal(around.size))
            if self.value_and_gradient(z)[0] > -np.inf:
                return z
            spread *= START_NARROWING
        return np.asarray(around)

    def kept(self, z: Array) -> dict[str, Array]:
        """What nutpie keeps of a draw; called once for each, so it is also the count of draws."""
        self.done += 1
        return {"z": z.copy()}


def _drawn(
    white: _White,
    chains: int,
    draws: int,
    warmup: int,
    key: np.random.SeedSequence,
    cores: int,
    progress: Progress,
) -> list[tuple[Any, Any]]:
    """nutpie's tables of draws and of statistics, one of each a chain, warm-up included."""
    with warnings.catch_warnings():
        # nutpie brings ArviZ along, which once a day announces a version we do not use.
        warnings.filterwarnings("ignore", category=FutureWarning, module="arviz")
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc

    # Begun only now: nutpie takes seconds to import, and the time left is told by the pace from here.
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    size = white.density.dimension
    model = from_pyfunc(
        size,
        lambda: white.value_and_gradient,
        _ignoring_arguments(white.kept),
        [np.dtype(np.float64)],
        [(size,)],
        ["z"],
        make_initial_point_fn=white.start,
    )
    sampler = nutpie.sample(
        model,
        draws=draws,
        tune=warmup,
        chains=chains,
        cores=cores,
        # Smaller steps than the usual 0.8: posteriors of epidemics are curved, and a trajectory that breaks off
        # costs the verdict more than a fifth of the time.
        target_accept=0.9,
        seed=int(key.generate_state(1, np.uint32)[0]),
        progress_bar=False,
        return_raw_trace=True,
        blocking=False,
    )
    try:
        trace = _awaited(sampler, white, progress)
    except BaseException:
        # Threads that outlive the interpreter crash it.
        sampler.cancel()
        raise
    found, stats = trace.get_arrow_trace()
    return list(zip(found, stats, strict=True))


def _ignoring_arguments(function: Callable[[Array], dict[str, Array]]) -> Callable[..., Callable[..., Any]]:
    """nutpie asks for the function of each chain, with two seeds and the chain's number."""

    def make(_seed: int, _other_seed: int, _chain: int) -> Callable[[Array], dict[str, Array]]:
        return function

    return make


def _awaited(sampler: Any, white: _White, progress: Progress) -> Any:
    """nutpie's trace when it is there; raises what went wrong in one of its threads."""
    trace = None
    while trace is None and white.error is None:
        try:
            trace = sampler.wait(timeout=POLL_SECONDS)
        except TimeoutError:
            progress.update(white.done)
    if white.error is not None:
        raise white.error
    progress.update(white.done)
    return trace


def _column(batch: Any, name: str) -> NDArray[Any]:
    """A column of nutpie's table as an array (draw, …) laid out flat by draw."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    values: NDArray[Any] = (column.flatten() if hasattr(column, "flatten") else column).to_numpy(zero_copy_only=False)
    return values.reshape(batch.num_rows, -1).squeeze() if values.size != batch.num_rows else values
