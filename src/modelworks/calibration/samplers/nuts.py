"""The no-U-turn sampler of nutpie, started at the optimum in coordinates in which the posterior is round.

Where a sampler starts and in which coordinates matters ten to a hundred times more than which sampler it
is. So the optimum is searched for first, from several starts; the Laplace approximation there gives
coordinates z with u = optimum + L z in which the posterior is nearly a standard normal; and nutpie
samples z. Chains start scattered around every optimum worth visiting, more widely than the posterior, so
that two modes show as chains that disagree.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._enough import FEWEST_DRAWS, Enough, cut_short, looks
from modelworks.calibration.samplers._map import Search, find_map
from modelworks.calibration.samplers._nutpie import Begun, MachineCode, begin
from modelworks.calibration.samplers._sampler import Density, Draws, TimeIsUp
from modelworks.calibration.samplers._turns import Turns
from modelworks.errors import fail

Array = NDArray[np.float64]

# How far from an optimum chains start, in standard deviations of the Laplace approximation: wider than
# the posterior, or chains that agree would prove nothing. Where that is impossible it is narrowed.
START_SPREAD = 1.5
START_TRIES = 60
START_NARROWING = 0.9

# Smaller steps than the usual 0.8: posteriors of epidemics are curved, and a trajectory that breaks off
# costs the verdict more than a fifth of the time.
TARGET_ACCEPT = 0.9
# Where importance sampling found it to be nearly round, none breaks off, and the usual costs a fifth less.
ACCEPT_WHERE_ROUND = 0.8

POLL_SECONDS = 0.02

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
    enough: Enough | None = None,
) -> Draws:
    """Draws by NUTS; the density must have its gradient."""
    if not density.has_gradient:
        fail("C503", "NUTS needs the gradient of the model, which this one does not have", hint="choose `demcz`")
    of_search, of_chains = key.spawn(2)
    progress.start("search for the optimum")
    search = find_map(density, np.random.default_rng(of_search), cores=cores)
    progress.finish()
    return confirm(
        density,
        search,
        chains=chains,
        draws=draws,
        warmup=warmup,
        key=of_chains,
        cores=cores,
        progress=progress,
        enough=enough,
    )


def confirm(
    density: Density,
    search: Search,
    *,
    chains: int,
    draws: int,
    warmup: int,
    key: np.random.SeedSequence,
    cores: int,
    progress: Progress,
    enough: Enough | None,
    target_accept: float = TARGET_ACCEPT,
) -> Draws:
    """Draws by NUTS around the optima of a search, in the coordinates of its shape."""
    # One with a memory has what the one within has, which `isinstance` would not see.
    native: Callable[[], Callable[..., Machine] | None] | None = getattr(density, "native", None)
    machine = native() if native is not None else None
    # Machine code knows no lock.
    used = _worth_using(density, search, cores) if machine is None else cores
    white = _White(density, search, Turns(chains, used, warmup, looks(draws, enough)), machine)
    batches = _drawn(white, chains, draws, warmup, target_accept, key, enough, progress)
    progress.finish()
    batches, number = _kept(white, batches, warmup)
    kept = slice(warmup, warmup + number)
    drawn = np.stack([_positions(batch, density)[kept] for batch, _ in batches])
    positions = search.shape.from_white(drawn)
    notes: dict[str, Any] = {"starts_agree": search.agree, "starts": search.in_words()}
    if white.made is not None:
        notes |= cut_short(number, draws, len(batches), chains)
    elif enough is not None:
        # Where it ended before, it was at a look of which all have heard.
        mixing = enough.look(positions, progress if number == draws else None)
        notes["stopped"] = enough.in_words(number, draws, mixing)
    return Draws(
        positions=positions,
        stats={
            ours: np.stack([_column(batch, theirs)[kept] for _, batch in batches]) for theirs, ours in STATS.items()
        },
        optimum=search.positions[0],
        notes=notes,
        warnings=search.warnings(density.parameters),
    )


def _kept(white: _White, batches: list[tuple[Any, Any]], warmup: int) -> tuple[list[tuple[Any, Any]], int]:
    """The chains that are kept and how many draws of each: all, but those that make most where the time was up."""
    if white.made is None:
        return batches, white.turns.draws
    drawn = [_positions(batch, white.density) for batch, _ in batches]
    lengths = np.array([min(len(z), white.made.get(z[:1].tobytes(), 0)) - warmup for z in drawn])
    order = np.argsort(-lengths, kind="stable")
    last = int(np.argmax(lengths[order] * np.arange(1, len(order) + 1)))
    number = int(lengths[order[last]])
    if number < FEWEST_DRAWS:
        raise TimeIsUp
    return [batches[k] for k in sorted(order[: last + 1])], number


def _worth_using(density: Density, search: Search, cores: int) -> int:
    """How many of the cores make it quicker; the draws are the same on any number."""
    seconds = []
    worked_out = getattr(density, "afresh", density)
    for _ in range(TRIED):
        began = time.perf_counter()
        worked_out.value_and_gradient(search.positions[0])
        seconds.append(time.perf_counter() - began)
    return cores if min(seconds) > WORTH_A_THREAD else 1


class Machine(MachineCode, Protocol):
    def stop(self) -> None:
        """Ask Python from now on."""
        ...


class _White:
    """The density in the coordinates of the search, as nutpie calls it.

    An exception that left this class would end the process inside nutpie's threads. So the first is kept
    in `error`, and from then on the density is a standard normal, which costs nothing and upsets nobody,
    until `_awaited` sees the error, stops the chains and raises it. So it is too for the draws that chains make
    between the decision that there are enough and their end; they are not kept.
    """

    def __init__(self, density: Density, search: Search, turns: Turns, machine: Callable[..., Machine] | None) -> None:
        self.density = density
        self.search = search
        self.turns = turns
        self.error: Exception | None = None
        # What nutpie calls in its place where there is machine code, which comes back to it in case of doubt.
        self.machine = (
            None
            if machine is None
            else machine(search.shape.position, search.shape.factor, self.value_and_gradient, turns.chains)
        )
        # By the first draw of each chain, how many draws it had made when the time was up.
        self.made: dict[bytes, int] | None = None
        self._lock = threading.Lock()

    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        if self.error is None and not self.turns.ended:
            try:
                value, gradient = self.density.value_and_gradient(self.search.shape.from_white(z))
            except Exception as error:  # noqa: BLE001 (it is raised again by `_awaited`, outside nutpie's threads)
                self._stop(error)
            else:
                return value, gradient @ self.search.shape.factor
        return -0.5 * float(z @ z), -z

    def _stop(self, error: Exception) -> None:
        with self._lock:
            if self.error is None:
                # Counted before anybody can make a draw of what is no longer the density.
                self.made = self.turns.made_so_far() if isinstance(error, TimeIsUp) else None
                self.error = error
                if self.machine is not None:
                    self.machine.stop()

    def look_at_the_clock(self) -> None:
        """Stop if the time is up: of machine code nobody asks it at each point."""
        time_is_up: Callable[[], bool] | None = getattr(self.density, "time_is_up", None)
        if self.machine is not None and time_is_up is not None and time_is_up():
            self._stop(TimeIsUp())

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

    def keeping(self, _seed: int, _other_seed: int, _chain: int) -> Callable[..., dict[str, Array]]:
        """What nutpie keeps of each draw of a chain: a function of its own, called once for each draw.

        nutpie 0.16 calls every chain number 0, and asks for one function more, which it never calls.
        """
        mine: list[Array] = []

        def keep(z: Array) -> dict[str, Array]:
            mine.append(z.copy())
            if len(mine) == 1:
                self.turns.joined_by(mine)
            self.turns.made(mine)
            return {"z": z.copy()}

        return keep


def _drawn(
    white: _White,
    chains: int,
    draws: int,
    warmup: int,
    target_accept: float,
    key: np.random.SeedSequence,
    enough: Enough | None,
    progress: Progress,
) -> list[tuple[Any, Any]]:
    """nutpie's tables of draws and of statistics, one of each a chain, warm-up included."""
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    begun = begin(
        white.density.dimension,
        white.machine or white.value_and_gradient,
        white.keeping,
        white.start,
        chains=chains,
        draws=draws,
        warmup=warmup,
        target_accept=target_accept,
        seed=int(key.generate_state(1, np.uint32)[0]),
    )
    try:
        return _awaited(begun, white, enough, progress)
    except BaseException:
        white.turns.end()
        # Threads that outlive the interpreter crash it.
        begun.stop()
        raise


def _awaited(begun: Begun, white: _White, enough: Enough | None, progress: Progress) -> list[tuple[Any, Any]]:
    """nutpie's tables when they are there; raises what went wrong in one of its threads."""
    turns, note = white.turns, ""
    total = turns.most if enough is None else turns.in_all(enough.at_first(turns.chains, turns.most_draws))
    while not begun.is_finished and white.error is None:
        if enough is not None and not turns.is_last and turns.all_wait():
            mixing = enough.look(white.search.shape.from_white(turns.drawn()), progress)
            note = mixing.in_words()
            if enough.met_by(mixing):
                break
            total = turns.in_all(enough.expected(turns.draws, turns.most_draws, mixing))
            turns.go_on()
        progress.update(turns.done, total, note)
        white.look_at_the_clock()
        turns.wait(POLL_SECONDS)
    if white.error is not None and white.made is None:
        raise white.error
    turns.end()
    tables = begun.tables(whole=turns.is_last and white.error is None)
    progress.update(turns.most, note=note)
    return tables


def _positions(batch: Any, density: Density) -> Array:
    """The draws (draw, parameter) of a chain in white coordinates, warm-up included."""
    return _column(batch, "z").reshape(-1, density.dimension)


def _column(batch: Any, name: str) -> NDArray[Any]:
    """A column of nutpie's table as an array (draw, …) laid out flat by draw."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    values: NDArray[Any] = (column.flatten() if hasattr(column, "flatten") else column).to_numpy(zero_copy_only=False)
    return values.reshape(batch.num_rows, -1).squeeze() if values.size != batch.num_rows else values
