"""All the questions, asked in order, and the verdict they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics._check import Check, Verdict, worst
from modelworks.diagnostics._fits import Fit, fit
from modelworks.diagnostics._known import known
from modelworks.diagnostics._mixing import as_chains
from modelworks.diagnostics.checks.approximation import approximation
from modelworks.diagnostics.checks.at_bounds import at_bounds
from modelworks.diagnostics.checks.convergence import convergence
from modelworks.diagnostics.checks.coverage import coverage
from modelworks.diagnostics.checks.data_points import data_points
from modelworks.diagnostics.checks.dispersion import dispersion
from modelworks.diagnostics.checks.divergences import divergences
from modelworks.diagnostics.checks.effective_draws import effective_draws
from modelworks.diagnostics.checks.finite import finite
from modelworks.diagnostics.checks.fit_features import fit_features
from modelworks.diagnostics.checks.held_out import Forecast, forecast, held_out
from modelworks.diagnostics.checks.identifiability import identifiability
from modelworks.diagnostics.checks.influence import influence
from modelworks.diagnostics.checks.level_shift import level_shift
from modelworks.diagnostics.checks.prior_conflict import prior_conflict
from modelworks.diagnostics.checks.prior_overlap import prior_overlap
from modelworks.diagnostics.checks.prior_sensitivity import prior_sensitivity
from modelworks.diagnostics.checks.repeats import repeats
from modelworks.diagnostics.checks.residual_pattern import residual_pattern
from modelworks.diagnostics.checks.second_opinion import second_opinion
from modelworks.diagnostics.checks.solver_steps import solver_steps
from modelworks.diagnostics.checks.stuck_chains import stuck_chains
from modelworks.diagnostics.checks.target_influence import target_influence
from modelworks.diagnostics.checks.weekdays import weekdays
from modelworks.diagnostics.loo import Loo, loo
from modelworks.errors import Letters, near

Floats: TypeAlias = NDArray[np.float64]

OPENING: dict[Verdict, str] = {
    "fine": "These results can be used, as far as what was assumed holds: all {asked} checks passed.",
    "look": "An expert must look before these results are used ({looks} of {asked} checks).",
    "stop": "Do not use these results (of {asked} checks {stops} failed{more}).",
}

# The statistics of a sampler that are looked at; others may be there.
USED_STATS = ("lp", "diverging", "distance")

# The checks of the sampler's work.
OF_THE_SAMPLER = ("stuck_chains", "convergence", "effective_draws", "divergences")

# Those that name what is wrong, and where, and not only that something is.
TELLING = ("repeats", "weekdays", "data_points", "influence")

# What a reader is told when nothing is wrong: whether the data are met, and how many draws; where data were held
# out, that they were foreseen says more than that those shown are met.
REASSURING, WITH_HELD_OUT = ("coverage", "effective_draws"), ("held_out", "coverage")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """May we believe the draws? Every check with its reason, and the gravest verdict of them.

    The checks come in the order of how much depends on them: what a stuck chain says about the fit to the
    data is of no interest. `forecasts` has a row for each target of which observations were held out, `fits` one
    for each target, and `known` says how well the answer is known.
    """

    checks: tuple[Check, ...]
    forecasts: tuple[Forecast, ...] = ()
    known: str = ""
    fits: tuple[Fit, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return worst(check.verdict for check in self.checks)

    @property
    def sentences(self) -> tuple[str, ...]:
        """At most three sentences for somebody who has to decide and does not sample.

        Whether it can be used; why, or what to be careful of; and, where it can, what is known how well.
        """
        stops, looks = self.with_verdict("stop"), self.with_verdict("look")
        more = f", {len(looks)} more ask for a look" if looks else ""
        opening = OPENING[self.verdict].format(asked=len(self.checks), stops=len(stops), looks=len(looks), more=more)
        if self.verdict == "fine":
            told = tuple(check for name in reassuring(self.forecasts) for check in self.checks if check.name == name)
        else:
            # Where the draws are nearly enough, what the data say matters more to who decides.
            told = (*stops, *sorted(looks, key=lambda each: (each.name in OF_THE_SAMPLER, each.name not in TELLING)))
        reasons = [check.reason for check in told]
        if self.verdict != "stop" and self.known:
            harmless = f"If that is harmless, {self.known[0].lower()}{self.known[1:]}"
            reasons[1:] = [self.known if self.verdict == "fine" else harmless]
        return (opening, *reasons[:2])

    def with_verdict(self, verdict: Verdict) -> tuple[Check, ...]:
        """The checks that came to one verdict, in order."""
        return tuple(check for check in self.checks if check.verdict == verdict)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "verdict": self.verdict,
            "sentences": list(self.sentences),
            "checks": [check.as_dict() for check in self.checks],
            "forecasts": [each.as_dict() for each in self.forecasts],
            "known": self.known,
            "fits": [each.as_dict() for each in self.fits],
        }

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Diagnosis:
        """The diagnosis that `as_dict` wrote."""
        return cls(
            tuple(Check.from_dict(check) for check in entry["checks"]),
            # A diagnosis written before forecasts were judged has none; nor one before the fits.
            tuple(Forecast.from_dict(each) for each in entry.get("forecasts", ())),
            entry.get("known", ""),
            tuple(Fit.from_dict(each) for each in entry.get("fits", ())),
        )


def diagnose(
    draws: Mapping[str, ArrayLike],
    *,
    prior_draws: Mapping[str, ArrayLike],
    sample_stats: Mapping[str, ArrayLike],
    predictive: Mapping[str, ArrayLike],
    observed: Mapping[str, ArrayLike],
    bounds: Mapping[str, tuple[float, float]],
    log_likelihood: Mapping[str, ArrayLike] | None = None,
    held_out_predictive: Mapping[str, ArrayLike] | None = None,
    held_out_observed: Mapping[str, ArrayLike] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    log_prior: ArrayLike | None = None,
    second_means: Mapping[str, float] | None = None,
    second_spreads: Mapping[str, float] | None = None,
    solver_shift: float | None = None,
) -> Diagnosis:
    """Whether a posterior may be believed, and why.

    Parameters
    ----------
    draws : mapping of parameter to float array, shape (chain, draw)
        Posterior draws without warm-up.
    prior_draws : mapping of parameter to float array, shape (draw,)
        Draws of the priors, 500 or more; a parameter may be missing.
    sample_stats : mapping of name to array, shape (chain, draw)
        `diverging` (bool), `lp` (log posterior density) and `distance` (of simulated data to the observed, where no
        likelihood was computed) are used where given.
    predictive : mapping of target to float array, shape (sample, point)
        Posterior predictions of each observation with its noise, points in the order of time.
    observed : mapping of target to float array, shape (point,)
        The observations; NaN where there is none. The same targets as in `predictive`.
    bounds : mapping of parameter to (lower, upper)
        Infinite where there is none; a parameter may be missing.
    log_likelihood : mapping of target to float array, shape (sample, point) or (chain, draw, point), optional
        Log likelihood of each observation, to find single ones that decide the answer.
    held_out_predictive, held_out_observed : like `predictive` and `observed`, optional
        The same of the observations that the calibration was not shown.
    labels : mapping of target to sequence of str, optional
        What each point is called where it is told of: its date, say.
    log_prior : float array, shape (sample,) or (chain, draw), optional
        Log prior density of each draw, up to a constant, in the values of the parameters; with `log_likelihood`
        it says how the answer hangs on the priors. Of a hierarchy, that of its hyperparameters.
    second_means, second_spreads : mapping of parameter to float, optional
        Means and standard deviations that were found in another way, to be held against those of the draws.
    solver_shift : float, optional
        By how much the log density of a draw moves against that of others with shorter steps of the solver.

    Raises
    ------
    ModelworksError
        G101 to G104: arrays whose shapes or names do not fit each other.
    """
    chains = {name: np.asarray(values, dtype=np.float64) for name, values in draws.items()}
    priors = {name: np.ravel(np.asarray(values, dtype=np.float64)) for name, values in prior_draws.items()}
    predicted = {name: np.asarray(values, dtype=np.float64) for name, values in predictive.items()}
    seen = {name: np.atleast_1d(np.asarray(values, dtype=np.float64)) for name, values in observed.items()}
    later = {name: np.asarray(values, dtype=np.float64) for name, values in (held_out_predictive or {}).items()}
    unseen = {name: np.atleast_1d(np.asarray(v, dtype=np.float64)) for name, v in (held_out_observed or {}).items()}
    stats = {name: np.asarray(sample_stats[name]) for name in USED_STATS if name in sample_stats}
    letters = Letters()
    check_chains(letters, chains, stats)
    check_priors(letters, chains, priors)
    check_targets(letters, predicted, seen)
    check_targets(letters, later, unseen)
    letters.raise_if_any()

    numbers = finite(chains, predicted | {unseen_name(name): values for name, values in later.items()})
    # What is not a number has been told; the other questions are asked of the rest.
    chains = {name: values for name, values in chains.items() if name not in numbers.about}
    predicted = {name: values for name, values in predicted.items() if name not in numbers.about}
    later = {name: values for name, values in later.items() if unseen_name(name) not in numbers.about}
    checks, called = [numbers], labels or {}
    if chains:
        checks += sampler_checks(chains, stats)
        means = {name: mean for name, mean in (second_means or {}).items() if name in chains}
        if means and second_spreads:
            checks.append(second_opinion(chains, means, second_spreads))
    if solver_shift is not None:
        checks.append(solver_steps(solver_shift))
    for target, samples in predicted.items():
        checks += target_checks(target, samples, seen[target], called.get(target))
    forecasts = tuple(
        forecast(target, samples, unseen[target], last_of(seen.get(target))) for target, samples in later.items()
    )
    checks += [held_out(each) for each in forecasts]
    if chains:
        checks += prior_checks(chains, priors, bounds)
    checks.append(data_points(len(draws), seen))
    densities = {name: as_samples(v) for name, v in (log_likelihood or {}).items()}
    checks += [influence(name, values, called.get(name)) for name, values in densities.items()]
    if chains and all(values.size == len(each) for each in densities.values() for values in chains.values()):
        checks += weighted_checks(chains, densities, log_prior)
    left_out = {name: foretold(values) for name, values in densities.items()}
    fits = tuple(fit(name, samples, seen[name], left_out.get(name)) for name, samples in predicted.items())
    return Diagnosis(tuple(checks), forecasts, known(chains), fits)


def diagnose_draws(draws: Mapping[str, ArrayLike], sample_stats: Mapping[str, ArrayLike]) -> Diagnosis:
    """Whether draws may be believed of whose priors and data nothing is known: those of somebody else's sampler.

    Parameters
    ----------
    draws, sample_stats : as in `diagnose`

    Raises
    ------
    ModelworksError
        G101, G102: there are none, or arrays whose shapes do not fit each other.
    """
    chains = {name: np.asarray(values, dtype=np.float64) for name, values in draws.items()}
    stats = {name: np.asarray(sample_stats[name]) for name in USED_STATS if name in sample_stats}
    letters = Letters()
    check_chains(letters, chains, stats)
    letters.raise_if_any()
    return Diagnosis((finite(chains, {}), *sampler_checks(chains, stats), identifiability(chains, {}, {})))


def sampler_checks(draws: Mapping[str, Floats], sample_stats: Mapping[str, ArrayLike]) -> list[Check]:
    """Did the sampler do its work?"""
    checks = [stuck_chains(draws, sample_stats.get("lp")), convergence(draws), effective_draws(draws)]
    if "diverging" in sample_stats:
        checks.append(divergences(sample_stats["diverging"]))
    if "distance" in sample_stats:
        checks.append(approximation(draws, sample_stats["distance"]))
    return checks


def target_checks(target: str, predictive: Floats, observed: Floats, labels: Sequence[str] | None) -> list[Check]:
    """Does the model make one series as it is?"""
    plain = [each(target, predictive, observed) for each in (coverage, residual_pattern, fit_features, dispersion)]
    dated = [each(target, predictive, observed, labels) for each in (level_shift, repeats, weekdays)]
    return [check for check in (*plain, *dated) if check is not None]


def prior_checks(
    draws: Mapping[str, Floats], prior_draws: Mapping[str, Floats], bounds: Mapping[str, tuple[float, float]]
) -> list[Check]:
    """What did the data add to the assumptions?"""
    return [
        prior_conflict(draws, prior_draws),
        at_bounds(draws, bounds, prior_draws),
        prior_overlap(draws, prior_draws),
        identifiability(draws, prior_draws, bounds),
    ]


def weighted_checks(
    draws: Mapping[str, Floats], log_likelihood: Mapping[str, Floats], log_prior: ArrayLike | None
) -> list[Check]:
    """What would come out with other weights of the same draws: those of priors, and of targets."""
    checks = []
    if log_prior is not None and log_likelihood:
        total = sum(values.sum(axis=1) for values in log_likelihood.values())
        checks.append(prior_sensitivity(draws, log_prior, np.asarray(total)))
    if len(log_likelihood) > 1:
        checks.append(target_influence(draws, log_likelihood))
    return checks


def foretold(log_likelihood: Floats) -> Loo:
    """Each observation given the others; where nothing was observed the density (sample, point) is zero."""
    return loo(log_likelihood[:, (log_likelihood != 0).any(axis=0)])


def reassuring(forecasts: tuple[Forecast, ...]) -> tuple[str, ...]:
    """The checks that say most to somebody who may use the results."""
    return WITH_HELD_OUT if forecasts else REASSURING


def unseen_name(target: str) -> str:
    """What the predictions of a target's held-out observations are called."""
    return f"{target} (held out)"


def last_of(observed: Floats | None) -> float | None:
    """The last of a series that is there."""
    there = observed[np.isfinite(observed)] if observed is not None else np.empty(0)
    return float(there[-1]) if there.size else None


def as_samples(values: ArrayLike) -> Floats:
    """Points along the last axis, everything before it as samples, shape (sample, point)."""
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


def check_chains(letters: Letters, draws: Mapping[str, Floats], sample_stats: Mapping[str, NDArray[Any]]) -> None:
    """All that belongs to one draw has the same chains and draws."""
    if not draws:
        letters.add("G102", "there are no draws to judge", hint="calibrate at least one parameter")
    for values in draws.values():
        as_chains(values)
    together = {**draws, **sample_stats}
    if len({values.shape for values in together.values()}) > 1:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in together.items())
        letters.add("G101", f"chains and draws must be the same throughout, but we have {shapes}")


def check_priors(letters: Letters, draws: Mapping[str, Floats], prior_draws: Mapping[str, Floats]) -> None:
    """Every prior has its posterior."""
    for name in sorted(prior_draws.keys() - draws.keys()):
        letters.add("G103", f"there are draws of a prior for `{name}`, but no posterior", hint=near(name, draws))


def check_targets(letters: Letters, predictive: Mapping[str, Floats], observed: Mapping[str, Floats]) -> None:
    """Every target has its predictions, which have the points of its observations."""
    pairs = predictive.keys() & observed.keys()
    for name in sorted(predictive.keys() ^ observed.keys()):
        missing = "observations" if name in predictive else "predictions"
        letters.add("G103", f"the target `{name}` has no {missing}", hint=near(name, pairs))
    for name in sorted(pairs):
        samples, points = predictive[name], observed[name]
        if samples.ndim != 2 or points.ndim != 1 or samples.shape[1] != points.shape[0]:
            letters.add(
                "G104",
                f"the predictions of `{name}` have shape {samples.shape} and its observations {points.shape}",
                hint="predictions are (sample, point) and observations (point,), with the same points",
            )
