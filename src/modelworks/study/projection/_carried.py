"""The draws of a study as those of the same study with something assumed otherwise: weighted anew, where that will do.

Where only priors change, or a target is left out, the new posterior is the old one times a known ratio of densities at
each draw. How heavy the tail of these weights is (Pareto k-hat; Vehtari and others 2024, JMLR 25(72)) says whether the
draws can carry them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Posterior, Settings, predictions
from modelworks.diagnostics.loo import LARGEST_K
from modelworks.diagnostics.pareto import pareto_k, smoothed
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.projection import _projection

if TYPE_CHECKING:
    import xarray

    from modelworks.study.stages import Work

Array = NDArray[np.float64]

# So many independent draws the weights must leave, as the check of effective draws asks.
FEWEST = 400.0
# Of the priors' predictions, each of which is a run of the model; and draws of the priors, which are none.
PRIOR_RUNS, PRIOR_DRAWS = 200, 1000
# What was found before the draws, and is of the study as it is.
OF_THE_OLD = ("first_answer", "optimum", "log_evidence", "log_evidence_error")
WITH_DRAWS = ("posterior", "sample_stats", "log_likelihood", "posterior_predictive")


@dataclass(frozen=True)
class Carried:
    """A posterior with new weights: their logarithms (chain, draw), which draw stands at each place, and the warrant.

    `origin` is the fingerprint of the calibration that the draws are of.
    """

    posterior: Posterior
    log_weights: Array
    places: NDArray[np.intp]
    k_hat: float
    effective: float
    origin: str

    @property
    def will_do(self) -> bool:
        return self.k_hat < LARGEST_K and self.effective >= FEWEST

    @property
    def in_words(self) -> str:
        return f"k-hat {self.k_hat:.2f}, worth {self.effective:,.0f} draws"


@dataclass(frozen=True)
class Beginning:
    """Draws of a study as it is, among which the calibration of the changed one begins; `origin` as of `Carried`."""

    posterior: Posterior
    origin: str

    @property
    def known(self) -> dict[str, Array]:
        """The draws (draw,) of each parameter."""
        return {name: self.posterior.draws(name).ravel() for name in self.posterior.parameters}


def carried(
    before: BoundStudy, after: BoundStudy, posterior: Posterior, priors: Sequence[str], origin: str
) -> Carried | None:
    """The draws of `before` for `after`, in which these priors are others and some targets may be left out.

    None where other parameters are calibrated, where a prior is of a group or of no parameter that is free, where a
    prior reaches further than the one that was, and where a target goes of draws that come from a distance to the data.
    """
    if before.free != after.free or dict(before.fixed) != dict(after.fixed) or not before.priors.keys() >= set(priors):
        return None
    log_weights = np.zeros(posterior.draws(before.free[0]).shape)
    for name in priors:
        # Where there was no prior there is no draw, and weights that are all alike would not tell.
        if not _within(after.priors[name].support, before.priors[name].support):
            return None
        draws = posterior.draws(name)
        log_weights += after.priors[name].log_density(draws) - before.priors[name].log_density(draws)
    for name, values in posterior.log_likelihood().items():
        if not _kept(after, name):
            if posterior.by_distance:
                return None  # its likelihood had no part in them
            log_weights -= values.sum(axis=1).reshape(log_weights.shape)
    if not np.isfinite(log_weights).any(axis=1).all():
        return None
    weights = smoothed(log_weights.ravel())
    places = np.array([_systematic(each) for each in weights.reshape(log_weights.shape)])
    k_hat, effective = pareto_k(log_weights.ravel()), float(1 / (weights**2).sum())
    return Carried(posterior, log_weights, places, k_hat, effective, origin)


def _within(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return other[0] <= one[0] and one[1] <= other[1]


def _kept(study: BoundStudy, target: str) -> bool:
    """Whether a study has a target; each of several places is one."""
    return target in {each.entry.name for each in study.observations}


def _systematic(weights: Array) -> NDArray[np.intp]:
    """As many draws as there are, each as often as its weight says, in their order.

    So a draw that stands for many follows itself, and the number of effective draws tells of it.
    """
    steps = (np.arange(len(weights)) + 0.5) / len(weights)
    return np.searchsorted(np.cumsum(weights / weights.sum()), steps).clip(0, len(weights) - 1)


def write(work: Work, found: Carried) -> None:
    """What the stage `calibrate` writes, from draws that are there already."""
    posterior = _posterior(work, found)
    posterior.to_netcdf(work.folder / "posterior.nc")
    # What the solver's step does was measured at the draws as they were, and these are some of them.
    work.write_json("calibration.json", {"solver_error": None, **posterior.attributes})


def _posterior(work: Work, found: Carried) -> Posterior:
    old = found.posterior
    groups = {name: _chosen(old.groups[name], found.places) for name in WITH_DRAWS}
    stats = groups["sample_stats"]
    if "lp" in stats:
        weights = np.take_along_axis(found.log_weights, found.places, axis=1)
        groups["sample_stats"] = stats.assign(lp=stats["lp"] + weights)
    groups |= {"observed_data": old.groups["observed_data"], **_before_the_data(work, old)}
    for name in ("log_likelihood", "posterior_predictive", "observed_data"):
        gone = [each for each in groups[name].data_vars if not _kept(work.study, str(each))]
        groups[name] = groups[name].drop_vars(gone)
    told = f"The draws are those of the study as it is, weighted by what was changed ({found.in_words})."
    attributes: Mapping[str, Any] = {
        **{name: each for name, each in old.attributes.items() if name not in OF_THE_OLD},
        "sampler": "reweighted",
        "why": "draws of the study as it is, weighted anew, because they can carry the change",
        "k_hat": round(found.k_hat, 4),
        "effective_draws": round(found.effective, 1),
        "warnings": [told],
    }
    return Posterior(groups, attributes)


def _chosen(group: xarray.Dataset, places: NDArray[np.intp]) -> xarray.Dataset:
    """Of each chain the draws at its places (chain, draw)."""
    import xarray

    same = group["draw"].to_numpy()
    parts = [group.isel(chain=[chain], draw=at).assign_coords(draw=same) for chain, at in enumerate(places)]
    return xarray.concat(parts, dim="chain")


def _before_the_data(work: Work, old: Posterior) -> dict[str, xarray.Dataset]:
    """The groups of the priors as they are now."""
    import xarray

    study = work.study
    draws = study.prior_draws(np.random.default_rng(study.inputs.study.calibration.seed), PRIOR_DRAWS)
    density = _projection.log_density(study, study.simulator(study.calibration_times()))
    rows = np.column_stack([draws[name][:PRIOR_RUNS] for name in study.free])
    before = predictions(density, rows, Settings(cores=work.cores).threads(), work.progress)
    new = before.observations(np.random.default_rng([study.inputs.study.calibration.seed, 1]))
    prior = old.groups["prior"]
    predicted = {
        each.target.name: (("chain", "draw", f"{each.target.name}_dim_0"), values[np.newaxis])
        for each, values in zip(density.observations, new, strict=True)
    }
    return {
        "prior": prior.assign({name: (("chain", "draw"), draws[name][np.newaxis]) for name in study.free}),
        "prior_predictive": xarray.Dataset(predicted, coords={"chain": [0], "draw": np.arange(len(before.values))}),
    }
