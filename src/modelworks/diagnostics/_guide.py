"""What each check measures, and what one can do where it is not fine: for the table a referee reads."""

from __future__ import annotations

from typing import NamedTuple

from modelworks.diagnostics._check import Check


class Guide(NamedTuple):
    """`measures` is what a check's `value` is; `remedy` what to try first."""

    measures: str
    remedy: str


GUIDES = {
    "finite": Guide(
        "draws or predictions that are no number", "run the model by hand at the values named and see what it gives"
    ),
    "stuck_chains": Guide(
        "distance of the worst chain", "ask for more warm-up, or another sampler; never drop a chain"
    ),
    "convergence": Guide(
        "largest R-hat", "ask for more warm-up and draws; if it stays, look for a second mode in the pairs"
    ),
    "effective_draws": Guide("fewest effective draws", "ask for more draws"),
    "divergences": Guide(
        "share of draws", "ask for more warm-up; if it stays, narrow the prior or write the parameter in another way"
    ),
    "approximation": Guide(
        "nearer half's mean, in deviations", "choose fewer or better summaries, a smaller tolerance, or particle MCMC"
    ),
    "second_opinion": Guide(
        "largest difference, in standard deviations", "ask for more draws; if it stays, look at the pairs of parameters"
    ),
    "solver_steps": Guide(
        "largest change of the log density", "write `solver: adaptive` under `time:`, and calibrate again"
    ),
    "coverage": Guide(
        "share within the 95% range",
        "look at the fit: a wrong unit, a slip in the data, a process that is missing, or too little noise assumed",
    ),
    "residual_pattern": Guide(
        "share of the model's own series", "let the rate change over time, or add what happened in those days"
    ),
    "level_shift": Guide(
        "share of the model's own series",
        "ask whoever counts what changed; split the series, or let its reporting change",
    ),
    "weekdays": Guide(
        "share of the model's own series",
        "name a group of parameters under `weekday:` of the target, one for each day; or count by weeks",
    ),
    "dispersion": Guide(
        "standard deviation beyond counting, of what is expected",
        "look at the fit and at the data in their order; give the scatter a prior from a source",
    ),
    "repeats": Guide(
        "share of the model's own series",
        "hold the rows against their source; leave out what was copied, or give the sum that was spread",
    ),
    "fit_features": Guide(
        "share of the model's own series", "look at the fit, and at the data for slips; let the model make the feature"
    ),
    "held_out": Guide("share within the 95% range", "do not forecast with it until it foresees what it was not shown"),
    "prior_conflict": Guide(
        "prior beyond the median", "check the unit of the parameter and of the data, then the source of the prior"
    ),
    "at_bounds": Guide(
        "standard deviations from a limit", "ask why the limit is there; widen it where nothing forbids"
    ),
    "prior_overlap": Guide(
        "area that prior and posterior share", "say that it is assumed; give its prior a good source, or add data on it"
    ),
    "identifiability": Guide(
        "range along the line, of the prior's", "fix one of them from a source, or add data that tell them apart"
    ),
    "data_points": Guide("observations more than parameters", "fix parameters from sources, or add data"),
    "influence": Guide("largest Pareto k", "check the observation against its source; rerun without it and compare"),
    "prior_sensitivity": Guide(
        "move when trust is doubled", "check the source of the prior; rerun with a wider one and compare"
    ),
    "target_influence": Guide(
        "pull in its standard deviations",
        "rerun without either target and compare; one is wrong, or the model too simple",
    ),
}


def guide(check: Check) -> Guide:
    """What a check's value is, and what to do; nothing to do where it is fine."""
    found = GUIDES[check.name]
    return found if check.verdict != "fine" else found._replace(remedy="")
