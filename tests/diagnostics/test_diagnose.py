"""A sound posterior is fine; of the many ways to spoil one, none is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelworks.diagnostics import Diagnosis, diagnose
from modelworks.diagnostics._check import VERDICTS, Verdict
from modelworks.diagnostics.checks.held_out import ranked_probability_score
from modelworks.errors import ModelworksError


def drifting(evidence: Any) -> None:
    """Two chains in another place."""
    evidence.draws["contact_rate"][2:] += 0.5


def of_different_width(evidence: Any) -> None:
    """One chain explores five times as much as the others."""
    chain = evidence.draws["contact_rate"][1]
    chain[:] = 1.7 + 5 * (chain - 1.7)


def sticky(evidence: Any) -> None:
    """Chains that agree, but hardly move from draw to draw."""
    evidence.draws["contact_rate"] = np.repeat(evidence.draws["contact_rate"][:, :10], 50, axis=1)


def diverging_once(evidence: Any) -> None:
    """One trajectory that broke off."""
    evidence.sample_stats["diverging"][1, 77] = True


def diverging_often(evidence: Any) -> None:
    """One trajectory in twenty."""
    evidence.sample_stats["diverging"][:, ::20] = True


def motionless(evidence: Any) -> None:
    """A chain that never accepted a proposal."""
    for chains in evidence.draws.values():
        chains[3] = chains[3, 0]


def far_below(evidence: Any) -> None:
    """A chain in a place that fits far worse."""
    evidence.sample_stats["lp"][1] -= 40


def standing(evidence: Any) -> None:
    """A chain that stood still for a third of its length."""
    for chains in evidence.draws.values():
        chains[0, 100:270] = chains[0, 100]


def unmoved(evidence: Any) -> None:
    """A posterior that is the prior."""
    evidence.draws["recovery_rate"] = np.abs(np.random.default_rng(5).normal(0.4, 0.5, size=(4, 500)))


def piled(evidence: Any) -> None:
    """A posterior pressed against its upper bound."""
    evidence.draws["recovery_rate"] = 1 - np.random.default_rng(5).exponential(0.02, size=(4, 500))
    evidence.bounds["recovery_rate"] = (0.0, 1.0)


def at_odds(evidence: Any) -> None:
    """A posterior where the prior gave less than one chance in a hundred."""
    evidence.draws["contact_rate"] += 1.65


def excluded(evidence: Any) -> None:
    """A posterior where the prior gave no chance at all."""
    evidence.draws["contact_rate"] += 5


def too_sure(evidence: Any) -> None:
    """Predictions as narrow as their median."""
    samples = evidence.predictive["in_bed"]
    evidence.predictive["in_bed"] = samples.mean(axis=0) + 0.05 * (samples - samples.mean(axis=0))


def too_vague(evidence: Any) -> None:
    """Predictions ten times as wide as the data's scatter."""
    samples = evidence.predictive["in_bed"]
    evidence.predictive["in_bed"] = samples.mean(axis=0) + 10 * (samples - samples.mean(axis=0))


def too_late(evidence: Any) -> None:
    """An epidemic that comes three days later, hidden under generous noise."""
    random = np.random.default_rng(5)
    peak = 300 * np.exp(-(((np.arange(30) - 17) / 6) ** 2)) + 5
    evidence.predictive["in_bed"] = random.negative_binomial(4, 4 / (4 + peak), size=(400, 30)).astype(float)


def broken(evidence: Any) -> None:
    """One draw that is not a number."""
    evidence.draws["contact_rate"][2, 10] = np.nan


def broken_prediction(evidence: Any) -> None:
    """One prediction that ran away."""
    evidence.predictive["in_bed"][5, 5] = np.inf


def alone(evidence: Any) -> None:
    """A single chain."""
    evidence.draws = {name: chains[:1] for name, chains in evidence.draws.items()}
    evidence.sample_stats = {}


def without_data(evidence: Any) -> None:
    """Two parameters and one observation."""
    evidence.observed["in_bed"][1:] = np.nan


def without_priors(evidence: Any) -> None:
    """Nothing to compare the posterior with."""
    evidence.prior_draws = {}


def hanging_on_one(evidence: Any) -> None:
    """One observation whose likelihood varies wildly from draw to draw."""
    evidence.log_likelihood["in_bed"][:, 12] = -50 * np.random.default_rng(5).standard_cauchy(400) ** 2


def unforeseen(evidence: Any) -> None:
    """What was held out lies nowhere near the forecast."""
    evidence.held_out_observed["in_bed"] += 300


def partly_foreseen(evidence: Any) -> None:
    """Of what was held out, half lies out of reach."""
    evidence.held_out_observed["in_bed"][-3:] += 300


def runaway_forecast(evidence: Any) -> None:
    """A model that breaks down after the last value it was shown."""
    evidence.held_out_predictive["in_bed"][5, 5] = np.inf


def without_forecast(evidence: Any) -> None:
    """Runs that all failed before the first value that was held out."""
    evidence.held_out_predictive["in_bed"] = evidence.held_out_predictive["in_bed"][:0]


SPOILED: list[tuple[Callable[[Any], None], str, Verdict]] = [
    (drifting, "convergence", "stop"),
    (of_different_width, "convergence", "stop"),
    (sticky, "effective_draws", "stop"),
    (diverging_once, "divergences", "look"),
    (diverging_often, "divergences", "stop"),
    (motionless, "stuck_chains", "stop"),
    (far_below, "stuck_chains", "stop"),
    (standing, "stuck_chains", "look"),
    (unmoved, "prior_overlap", "look"),
    (piled, "at_bounds", "look"),
    (at_odds, "prior_conflict", "look"),
    (excluded, "prior_conflict", "stop"),
    (too_sure, "coverage", "stop"),
    (too_vague, "coverage", "look"),
    (too_late, "residual_pattern", "look"),
    (broken, "finite", "stop"),
    (broken_prediction, "finite", "stop"),
    (alone, "convergence", "look"),
    (without_data, "data_points", "look"),
    (without_priors, "prior_overlap", "look"),
    (hanging_on_one, "influence", "look"),
    (unforeseen, "held_out", "stop"),
    (partly_foreseen, "held_out", "look"),
    (runaway_forecast, "finite", "stop"),
    (without_forecast, "held_out", "look"),
]


def test_a_sound_posterior_is_fine(evidence: Any) -> None:
    """A tool that always warns is not listened to."""
    diagnosis = evidence.diagnose()
    assert [check for check in diagnosis.checks if check.verdict != "fine"] == []
    assert diagnosis.verdict == "fine"
    assert diagnosis.sentences[0].startswith("These results can be used")


@pytest.mark.parametrize(("spoil", "name", "verdict"), SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_spoiled_posterior_is_never_fine(
    evidence: Any, spoil: Callable[[Any], None], name: str, verdict: Verdict
) -> None:
    """The check that should see it does, with the verdict it should have."""
    spoil(evidence)
    diagnosis = evidence.diagnose()
    found = next(check for check in diagnosis.checks if check.name == name)
    assert found.verdict == verdict, found
    assert VERDICTS.index(diagnosis.verdict) >= VERDICTS.index(verdict)
    assert diagnosis.sentences[0].startswith("Do not use" if diagnosis.verdict == "stop" else "An expert must look")


@pytest.mark.parametrize(("spoil", "name", "verdict"), SPOILED, ids=lambda value: getattr(value, "__name__", ""))
def test_the_reason_can_be_read_aloud(evidence: Any, spoil: Callable[[Any], None], name: str, verdict: Verdict) -> None:
    """Three sentences at most, each whole, and no word of the trade without its explanation."""
    spoil(evidence)
    diagnosis = evidence.diagnose()
    assert 1 < len(diagnosis.sentences) <= 3
    for sentence in (*diagnosis.sentences, *(check.reason for check in diagnosis.checks)):
        assert sentence.endswith(".")
        assert sentence[0] == sentence[0].upper() or sentence.startswith(("in_bed", "contact", "recovery"))
        assert not {"ESS", "MCSE", "divergence", "posterior predictive", "nan"} & set(sentence.split())


@pytest.mark.parametrize(
    ("spoil", "culprit"),
    [
        (drifting, "contact_rate"),
        (unmoved, "recovery_rate"),
        (motionless, "chain 4"),
        (far_below, "chain 2"),
        (standing, "chain 1"),
        (too_sure, "in_bed"),
        (hanging_on_one, "observation 13"),
    ],
)
def test_the_culprit_is_named(evidence: Any, spoil: Callable[[Any], None], culprit: str) -> None:
    """Somebody has to mend it, and must not search."""
    spoil(evidence)
    told = [check for check in evidence.diagnose().checks if culprit in check.about and check.verdict != "fine"]
    assert told
    assert culprit.split()[-1] in told[0].reason.lower()


def test_a_diagnosis_survives_the_disk(evidence: Any) -> None:
    """What a run keeps as JSON is what was said."""
    drifting(evidence)
    diagnosis = evidence.diagnose()
    written = json.dumps(diagnosis.as_dict(), allow_nan=False)
    assert Diagnosis.from_dict(json.loads(written)) == diagnosis


def test_infinite_values_leave_valid_json(evidence: Any) -> None:
    """JSON has no infinity, and a browser refuses a file that says so."""
    motionless(evidence)
    evidence.draws = {name: np.repeat(chains[:, :1], 500, axis=1) for name, chains in evidence.draws.items()}
    json.dumps(evidence.diagnose().as_dict(), allow_nan=False)


def test_the_same_draws_give_the_same_words(evidence: Any) -> None:
    """A verdict that changes when asked again is none."""
    assert evidence.diagnose().as_dict() == evidence.diagnose().as_dict()


def test_a_shuffled_study_gives_the_same_verdict(evidence: Any) -> None:
    """Parameters have names; their order means nothing."""
    before = evidence.diagnose()
    evidence.draws = dict(reversed(evidence.draws.items()))
    assert evidence.diagnose().verdict == before.verdict


def test_every_mistake_of_the_arrays_is_told_at_once(evidence: Any) -> None:
    """Names and shapes that do not fit are the caller's to mend, all in one go."""
    evidence.draws["recovery_rate"] = evidence.draws["recovery_rate"][:, :400]
    evidence.prior_draws["contact_rat"] = np.ones(10)
    evidence.observed["in_bed"] = evidence.observed["in_bed"][:-1]
    evidence.observed["deaths"] = np.ones(3)
    with pytest.raises(ModelworksError) as raised:
        evidence.diagnose()
    assert raised.value.codes == ("G101", "G103", "G103", "G104")
    assert "did you mean `contact_rate`" in str(raised.value)


def test_nothing_to_judge_is_a_letter() -> None:
    """An empty posterior is a mistake before it, not a fine one."""
    with pytest.raises(ModelworksError) as raised:
        diagnose({}, prior_draws={}, sample_stats={}, predictive={}, observed={}, bounds={})
    assert raised.value.codes == ("G102",)


def test_joined_chains_of_a_statistic_are_a_letter(evidence: Any) -> None:
    """Without its chains, a log density can not say which of them is stuck."""
    evidence.sample_stats["lp"] = evidence.sample_stats["lp"].ravel()
    with pytest.raises(ModelworksError) as raised:
        evidence.diagnose()
    assert raised.value.codes == ("G101",)


def test_other_statistics_of_a_sampler_do_not_disturb(evidence: Any) -> None:
    """Every sampler has some of its own."""
    evidence.sample_stats["step_size"] = np.ones(4)
    assert evidence.diagnose().verdict == "fine"


def test_what_was_held_out_is_told_beside_a_naive_forecast(evidence: Any) -> None:
    """Whether the rest was foreseen is the first that somebody asks who held it back."""
    diagnosis = evidence.diagnose()
    (found,) = diagnosis.forecasts
    assert (found.target, found.points, found.inside) == ("in_bed", 6, 6)
    last, unseen = evidence.observed["in_bed"][-1], evidence.held_out_observed["in_bed"]
    assert found.naive_crps == pytest.approx(np.abs(unseen - last).mean())
    assert found.crps is not None
    assert found.crps < found.naive_crps
    assert "All 6 observations of in_bed that were held out" in diagnosis.sentences[1]


def test_a_forecast_worse_than_the_last_value_says_so(evidence: Any) -> None:
    """A wide range holds everything and foresees nothing."""
    evidence.held_out_observed["in_bed"][:] = evidence.observed["in_bed"][-1]
    evidence.held_out_predictive["in_bed"] *= np.random.default_rng(3).lognormal(0, 2, size=(400, 1))
    told = next(check.reason for check in evidence.diagnose().checks if check.name == "held_out")
    assert "to repeat the last value seen would have come nearer" in told


def test_the_score_of_a_normal_forecast_is_the_one_in_closed_form() -> None:
    """Gneiting and Raftery 2007, section 4.2: of a standard normal, seen at its median, (sqrt(2) - 1) / sqrt(pi)."""
    samples = np.random.default_rng(1).normal(size=(200_000, 1))
    found = ranked_probability_score(samples, np.array([0.0]))[0]
    assert found == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), rel=0.01)


def test_without_held_out_observations_nothing_is_asked_of_them(evidence: Any) -> None:
    """A study that holds nothing back has no forecast to judge."""
    evidence.held_out_predictive, evidence.held_out_observed = {}, {}
    diagnosis = evidence.diagnose()
    assert diagnosis.forecasts == ()
    assert "held_out" not in {check.name for check in diagnosis.checks}
