"""From a log density to a posterior: find the top, draw, and predict what would be seen again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.cal_mine._density import LogDensity
from modelworks.cal_mine._draws import Draws, Progress, Silence
from modelworks.cal_mine._posterior import Posterior
from modelworks.cal_mine._start import Start, find_start
from modelworks.cal_mine.samplers import sampler
from modelworks.errors import ModelworksError, fail

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

PRIOR_DRAWS = 2000
PRIOR_PREDICTIVE_DRAWS = 200


@dataclass(frozen=True)
class Settings:
    """How to draw. `sampler` is `auto`, or the name of one; `cores` None means all."""

    sampler: str = "auto"
    chains: int = 4
    draws: int = 1000
    warmup: int = 500
    seed: int = 1
    cores: int | None = None


def calibrate(density: LogDensity, settings: Settings, progress: Progress | None = None) -> Posterior:
    """Draw from the posterior.

    One seed feeds separate streams for the start, the sampler and the predictions, so that none
    changes when another asks for more; the draws do not depend on the number of cores.
    """
    watch = progress or Silence()
    if density.dimension == 0:
        fail("C109", "no parameter has a prior, so there is nothing to find", hint="give at least one a `prior:`")
    streams = [np.random.default_rng(each) for each in np.random.SeedSequence(settings.seed).spawn(4)]
    name, why = choose(settings.sampler, density)
    start = find_start(density, streams[0])
    draws: Draws = sampler(name).sample(
        density,
        start,
        chains=settings.chains,
        draws=settings.draws,
        warmup=settings.warmup,
        key=streams[1],
        cores=settings.cores,
        progress=watch,
    )
    attributes = _attributes(density, settings, name, why, start)
    groups = _groups(density, draws, streams[2], streams[3], settings.cores, watch)
    return Posterior(groups, attributes)


def choose(asked: str, density: LogDensity) -> tuple[str, str]:
    """A sampler, and why in words."""
    if asked != "auto":
        return asked, f"{asked.upper()}, because the study asks for it"
    return "nuts", f"NUTS, because the model has exact gradients and {density.dimension} parameters are free"


def _attributes(density: LogDensity, settings: Settings, name: str, why: str, start: Start) -> dict[str, Any]:
    first = density.first_failure
    return {
        "sampler": name,
        "why": why,
        "chains": settings.chains,
        "draws": settings.draws,
        "warmup": settings.warmup,
        "seed": settings.seed,
        "starts_agree": start.agree,
        "tops": [round(top, 3) for top in start.tops],
        "failed_runs": density.failed_runs,
        "first_failure": None if first is None else str(first),
    }


def _groups(
    density: LogDensity,
    draws: Draws,
    key: np.random.Generator,
    prior_key: np.random.Generator,
    cores: int | None,
    progress: Progress,
) -> dict[str, xr.Dataset]:
    chains, number, size = draws.line.shape
    values = density.from_line(draws.line)
    predicted, log_likelihood = _predict(density, values.reshape(-1, size), key, cores, progress)
    prior = density.from_line(density.prior_sample(prior_key, PRIOR_DRAWS))
    prior_predicted, _ = _predict(density, prior[:PRIOR_PREDICTIVE_DRAWS], prior_key, cores, progress)

    def by_chain(arrays: Mapping[str, Array]) -> dict[str, Array]:
        return {name: each.reshape(chains, number, -1) for name, each in arrays.items()}

    return {
        "posterior": _dataset({name: values[..., k] for k, name in enumerate(density.names)}),
        "sample_stats": _dataset(draws.stats),
        "log_likelihood": _dataset(by_chain(log_likelihood)),
        "posterior_predictive": _dataset(by_chain(predicted)),
        "prior": _dataset({name: prior[None, :, k] for k, name in enumerate(density.names)}),
        "prior_predictive": _dataset({name: each[None] for name, each in prior_predicted.items()}),
        "observed_data": _dataset({target.name: target.observed for target in density.targets}, leading=()),
    }


def _predict(
    density: LogDensity, values: Array, key: np.random.Generator, cores: int | None, progress: Progress
) -> tuple[dict[str, Array], dict[str, Array]]:
    """New observations and log likelihoods of every target for each row of values, each (row, point).

    A draw of the prior may be one the model can not run: its row is missing (NaN).
    """
    seeds = np.random.SeedSequence(int(key.integers(2**63))).spawn(len(values))
    shapes = {target.name: target.observed.size for target in density.targets}
    seen = {name: np.full((len(values), size), np.nan) for name, size in shapes.items()}
    likely = {name: np.full((len(values), size), np.nan) for name, size in shapes.items()}

    def one(row: int) -> None:
        try:
            predicted, log_likelihood = density.points(values[row])
        except ModelworksError:
            return
        new = density.observe(np.random.default_rng(seeds[row]), predicted, values[row])
        for name in shapes:
            seen[name][row], likely[name][row] = new[name], log_likelihood[name]

    progress.start("predict", len(values))
    with ThreadPoolExecutor(max_workers=cores or os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(one, range(len(values))), start=1):
            progress.update(done)
    progress.finish()
    return seen, likely


def _dataset(arrays: Mapping[str, NDArray[Any]], leading: tuple[str, ...] = ("chain", "draw")) -> xr.Dataset:
    import xarray as xr

    found = {}
    for name, values in arrays.items():
        rest = [f"{name}_point"] if np.ndim(values) > len(leading) else []
        found[name] = xr.DataArray(np.asarray(values), dims=(*leading, *rest))
    dataset = xr.Dataset(found)
    return dataset.assign_coords({dim: np.arange(size) for dim, size in dataset.sizes.items()})
