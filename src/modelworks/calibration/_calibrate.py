"""From a log density to a posterior with everything needed to judge it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._informed import Informed, known_positions
from modelworks.calibration._log_density import FailedRuns, LogDensity
from modelworks.calibration._memory import Memory, Remembered
from modelworks.calibration._mixing import effective_draws, split_r_hat
from modelworks.calibration._posterior import Posterior
from modelworks.calibration._predictions import Predictions, predictions
from modelworks.calibration._progress import Progress, Silence
from modelworks.calibration._settings import Settings
from modelworks.calibration.samplers import FROM_THE_PRIORS, Draws, choose, sampler, warmup_of
from modelworks.calibration.samplers._sampler import TimeIsUp
from modelworks.errors import fail

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]
# The code of a calibration that has none when its time is up.
NO_ANSWER_IN_TIME = "C510"

PRIOR_DRAWS = 1000
# Each of these needs a run of the model; a few hundred show what the priors allow.
PRIOR_RUNS = 200

# From where on more draws are asked for (Vehtari and others 2021, doi:10.1214/20-BA1221).
R_HAT_WANTED = 1.01
EFFECTIVE_DRAWS_WANTED = 400.0


def calibrate(
    density: LogDensity,
    settings: Settings | None = None,
    progress: Progress | None = None,
    memory: Memory | None = None,
    time_is_up: Callable[[], bool] | None = None,
    known: Mapping[str, Array] | None = None,
) -> Posterior:
    """Draw from the posterior, and predict from prior and posterior.

    The same settings give the same posterior, bit for bit, on any number of cores. With the memory of an earlier
    calibration of the same density, which was killed or asked for fewer draws, what was worked out then is not again.
    When the time is up, the draws that there are by then are the answer. With `known`, draws (draw,) by name of a
    posterior that is like it, a sampler begins among these; `abc` and `sbi`, which learn from the priors, do not.

    Raises
    ------
    ModelworksError
        C401 to C403, C503 and C510: nowhere to start, a model that gives what is not a number, a sampler that
        needs the gradient the model does not have, no answer when the time was up.
    """
    asked = settings if settings is not None else Settings()
    listener = progress if progress is not None else Silence()
    cores = asked.threads()
    # One root key, and a branch for each use, so that a change of one leaves the others as they were.
    of_sampler, of_prior, of_prior_noise, of_noise, of_known = np.random.SeedSequence(asked.seed).spawn(5)
    name, why = choose(asked.sampler, density)
    begins = _beginning(density, name, known, of_known)
    warmup = warmup_of(name, is_informed=len(begins) > 0) if asked.warmup is None else asked.warmup
    density.failed_runs = FailedRuns()
    try:
        drawn = sampler(name)(
            Informed(density, begins, memory, time_is_up) if len(begins) else Remembered(density, memory, time_is_up),
            chains=asked.chains,
            draws=asked.draws,
            warmup=warmup,
            key=of_sampler,
            cores=cores,
            progress=listener,
            enough=None if asked.enough is None else replace(asked.enough, values=density.constrain),
        )
    except TimeIsUp:
        fail(
            NO_ANSWER_IN_TIME,
            "the time of the calibration was up before it had an answer",
            hint="give it more: run the study again with a longer `time_limit`, and it goes on where it stopped",
        )
    failed = density.failed_runs
    values = density.constrain(drawn.positions)
    prior = density.prior_values(np.random.default_rng(of_prior), PRIOR_DRAWS)
    after = _after(density, drawn, values.reshape(-1, len(density.free)), cores, listener)
    before = predictions(density, prior[:PRIOR_RUNS], cores, listener)
    shape = values.shape[:2]
    groups = {
        "posterior": _of_parameters(density, values),
        "sample_stats": _dataset({name: (each, ()) for name, each in drawn.stats.items()}),
        "log_likelihood": _of_points(density, after.log_likelihoods(), shape),
        "posterior_predictive": _of_points(density, after.observations(np.random.default_rng(of_noise)), shape),
        "prior": _of_parameters(density, prior[np.newaxis]),
        "prior_predictive": _of_points(
            density, before.observations(np.random.default_rng(of_prior_noise)), (1, len(before.values))
        ),
        "observed_data": _observed(density),
    }
    attributes = {
        "sampler": name,
        "chains": shape[0],
        "draws": shape[1],
        "warmup": warmup,
        "seed": asked.seed,
        "failed_runs": failed.count,
        "failed_run": None if failed.letter is None else str(failed.letter),
        **drawn.notes,
        "why": str(drawn.notes.get("why", why)) + _begun_among(begins),
        "optimum": _optimum(density, drawn),
        "warnings": _warnings(density, drawn, values, before),
    }
    return Posterior(groups, attributes)


def _beginning(
    density: LogDensity, sampler: str, known: Mapping[str, Array] | None, key: np.random.SeedSequence
) -> Array:
    """The positions (draw, coordinate) that a sampler begins among; none where it begins with the priors."""
    if known is None or sampler in FROM_THE_PRIORS:
        return np.empty((0, density.dimension))
    return known_positions(density, known, np.random.default_rng(key))


def _begun_among(begins: Array) -> str:
    return f"; begun among {len(begins):,} draws of a posterior like it" if len(begins) else ""


def _after(density: LogDensity, drawn: Draws, values: Array, cores: int, listener: Progress) -> Predictions:
    """What is predicted by draws (sample, parameter): of a model that runs by chance, by the run each came with."""
    if drawn.predicted is None:
        return predictions(density, values, cores, listener)
    flat = tuple(each.reshape(len(values), -1) for each in drawn.predicted)
    return Predictions(density, density.all_values(values), flat, 0)


def _optimum(density: LogDensity, drawn: Draws) -> dict[str, float] | None:
    """The parameters at the best optimum that was found, where one was searched for."""
    if drawn.optimum is None:
        return None
    return dict(zip(density.free, density.constrain(drawn.optimum).tolist(), strict=True))


# -- groups ----------------------------------------------------------------------------------------


def _dataset(arrays: Mapping[str, tuple[NDArray[Any], tuple[str, ...]]]) -> xarray.Dataset:
    """Arrays (chain, draw, …) with the names of what follows their draws."""
    import xarray

    coordinates: dict[str, NDArray[np.int64]] = {}
    for values, _ in arrays.values():
        coordinates = {"chain": np.arange(values.shape[0]), "draw": np.arange(values.shape[1])}
    return xarray.Dataset(
        {name: (("chain", "draw", *rest), values) for name, (values, rest) in arrays.items()}, coords=coordinates
    )


def _of_parameters(density: LogDensity, values: Array) -> xarray.Dataset:
    """From values (chain, draw, parameter)."""
    return _dataset({name: (values[..., place], ()) for place, name in enumerate(density.free)})


def _of_points(density: LogDensity, arrays: Sequence[Array], shape: tuple[int, ...]) -> xarray.Dataset:
    """From each target's array (sample, point), the samples laid out as (chain, draw)."""
    return _dataset(
        {
            each.target.name: (array.reshape(*shape, array.shape[1]), (_points(each.target.name),))
            for each, array in zip(density.observations, arrays, strict=True)
        }
    )


def _observed(density: LogDensity) -> xarray.Dataset:
    import xarray

    targets = [each.target for each in density.observations]
    return xarray.Dataset({target.name: ((_points(target.name),), target.exact) for target in targets})


def _points(target: str) -> str:
    """The dimension of a target's points, as ArviZ names one that has no name."""
    return f"{target}_dim_0"


# -- what to be warned of --------------------------------------------------------------------------


def _warnings(density: LogDensity, drawn: Draws, values: Array, before: Predictions) -> list[str]:
    """Sentences for whoever asked for the calibration."""
    said = [*_of_mixing(density.free, values), *drawn.warnings]
    if drawn.notes.get("is_short"):
        said.append(
            f"The calibration was {drawn.notes['stopped']}: "
            "run the study again with a longer `time_limit`, and it goes on."
        )
    if before.failed:
        said.append(
            f"{before.failed} of {PRIOR_RUNS} runs with draws of the priors left what is possible for the model: "
            "the priors reach further than it can go."
        )
    return said


def _of_mixing(names: Sequence[str], values: Array) -> list[str]:
    """Whether more draws are needed, by the worst parameter of values (chain, draw, parameter)."""
    said = []
    r_hats = [split_r_hat(values[..., place]) for place in range(len(names))]
    worths = [effective_draws(values[..., place]) for place in range(len(names))]
    worst, least = int(np.argmax(r_hats)), int(np.argmin(worths))
    if r_hats[worst] > R_HAT_WANTED:
        said.append(
            f"The chains do not agree on `{names[worst]}` (R-hat {r_hats[worst]:.3f}): ask for more warm-up and draws."
        )
    if worths[least] < EFFECTIVE_DRAWS_WANTED:
        times = EFFECTIVE_DRAWS_WANTED / max(worths[least], 1.0)
        said.append(
            f"The draws of `{names[least]}` are worth only {worths[least]:.0f} independent ones: "
            f"about {times:.1f} times as many are needed."
        )
    return said
