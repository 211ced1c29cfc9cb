"""A study with something assumed otherwise: what is done again, what stays, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.study import find_study, requirements, rerun
from modelworks.study._stale import fingerprints
from modelworks.study.binding._binding import bind
from modelworks.study.inquiries._rerun import _copy, _estimate
from modelworks.study.inquiries._typed import read_change
from modelworks.study.projection._carried import carried


def changed(study: Path, *texts: str) -> Path:
    return _copy(bind(study).inputs, [read_change(text) for text in texts])


def test_a_prior_by_position_or_by_name_is_the_copys_own(study: Path) -> None:
    """The bounds and the unit stay; the team's file is not touched."""
    before = (study / "parameters.yaml").read_bytes()
    for text in ("prior contact_rate = normal(3, 0.5)", "prior contact_rate=normal(sd=0.5, mean = 3)"):
        entry = bind(changed(study, text)).inputs.parameters["contact_rate"]
        assert str(entry.prior) in ("normal(mean=3, sd=0.5)", "normal(sd=0.5, mean=3)")
        assert entry.bounds is not None
        assert "rerun" in entry.source
    assert (study / "parameters.yaml").read_bytes() == before


def test_a_copy_is_found_by_its_name(study: Path) -> None:
    """So that it can be checked, shown and reproduced as any study."""
    copy = changed(study, "value boys = 700")
    assert find_study(copy.name, start=study) == copy


def test_a_value_takes_the_place_of_a_prior(study: Path) -> None:
    copy = bind(changed(study, "value recovery_rate = 0.5", "value boys = 700"))
    assert copy.fixed["recovery_rate"] == 0.5
    assert copy.fixed["boys"] == 700
    assert "recovery_rate" not in copy.free


def test_only_the_stages_that_a_change_reaches_are_done_again(study: Path) -> None:
    """A prior moves them all; the same value as before moves the report alone."""
    old = fingerprints(bind(study))
    prior = fingerprints(bind(changed(study, "prior contact_rate = normal(3, 1)")))
    same = fingerprints(bind(changed(study, "value boys = 763")))
    assert {name for name in old if old[name] == prior[name]} == set()
    assert {name for name in old if old[name] != same[name]} == {"report"}
    assert "to do: simulate, calibrate" in _estimate(bind(study), bind(changed(study, "value boys = 700")))


def test_a_target_is_left_out(study: Path) -> None:
    text = (study / "targets.yaml").read_text("utf-8")
    early, late = text + "  to: 1978-01-28\n", text.replace("in_bed:\n", "again:\n", 1) + "  from: 1978-01-29\n"
    (study / "targets.yaml").write_text(early + late, encoding="utf-8")
    copy = changed(study, "target again without")
    assert "again" not in (copy / "targets.yaml").read_text("utf-8")
    assert "in_bed" in (copy / "targets.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("contact_rate 2", "Y521"),
        ("prior contact_rate = norml(2, 1)", "Y521"),
        ("prior contact_rate = normal(2, 1, 3)", "Y521"),
        ("value contact_rate = two", "Y521"),
        ("value contact_rat = 2", "Y522"),
        ("target beds without", "Y522"),
        ("data x = boarding-school-1978", "Y522"),
        ("data boarding-school-1978 = other", "Y522"),
    ],
)
def test_a_change_that_can_not_be_is_a_letter(study: Path, text: str, code: str) -> None:
    with pytest.raises(ModelworksError) as raised:
        changed(study, text)
    assert raised.value.codes == (code,)


@pytest.mark.slow
def test_both_runs_lie_side_by_side(quick: Path) -> None:
    """A firm belief in a slower recovery shows among the numbers, and again costs nothing."""
    made = rerun(quick, ["prior recovery_rate = normal(0.3, 0.01)"], quiet=True)
    assert [each.name for each in made.comparison.of("assumptions")] == ["recovery_rate", "recovery_rate: source"]
    days = next(each for each in made.comparison.numbers if each.name == "days_ill")
    assert days.values[0] is not None
    assert days.values[1] is not None
    assert days.values[1]["median"] > days.values[0]["median"] + 0.5
    assert not rerun(quick, ["prior recovery_rate = normal(0.3, 0.01)"], quiet=True).after.published


SEEN = "2021-01-01: 92, 2021-01-02: 84, 2021-01-03: 80, 2021-01-05: 60"
MORE = """
calibration: {sampler: nuts, chains: 2, draws: 1500, warmup: 200, seed: 3}
projection: {draws: 50}
quantities:
  stay: {derived: mean_stay, unit: days}
"""


def by_quadrature(median: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of the rate, given 92, 84, 80 and 60 of 1000 who leave on days 0, 1, 2 and 4."""
    rate = np.linspace(0.02, 0.4, 20_001)
    day = np.array([0, 1, 2, 4])
    expected = 1000 * (np.exp(-np.outer(day, rate)) - np.exp(-np.outer(day + 1, rate)))
    likely = stats.poisson.logpmf(np.array([92, 84, 80, 60])[:, None], expected).sum(axis=0)
    weight = stats.lognorm.pdf(rate, sigma, scale=median) * np.exp(likely - likely.max())
    weight /= weight.sum()
    mean = float((weight * rate).sum())
    return mean, float(np.sqrt((weight * (rate - mean) ** 2).sum()))


@pytest.mark.slow
def test_draws_that_can_carry_another_prior_are_weighted_anew(
    tmp_path: Path, decay: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The posterior with the other prior is that of quadrature; and with a prior far off, calibrated anew."""
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-01-08, every: 1", values=SEEN, more=MORE)
    for median, sigma, weighted in ((0.11, 0.15, True), (0.04, 0.02, False)):
        made = rerun(folder, [f"prior rate = log_normal({median}, {sigma})"], cores=1)
        said = capsys.readouterr().err
        assert ("weighted anew" in said) == weighted
        assert ("begins among the draws of the study as it is, which can not carry the change" in said) != weighted
        after = made.comparison.runs[1]
        posterior = Posterior.read(after.path / "calibrate" / "posterior.nc")
        assert (posterior.attributes["sampler"] == "reweighted") == weighted
        mean, sd = by_quadrature(median, sigma)
        assert posterior.draws("rate").mean() == pytest.approx(mean, abs=0.15 * sd)
        assert posterior.draws("rate").std() == pytest.approx(sd, rel=0.1)
        assert posterior.prior("rate").mean() == pytest.approx(median, rel=0.05)
        assert ("begun among" in posterior.attributes["why"]) != weighted
        # What was found on the way to the draws as they were is not theirs.
        assert weighted == ("optimum" not in posterior.attributes)
        assert after.record["rerun"] == {"of": "decay", "changes": [f"prior rate = log_normal({median}, {sigma})"]}
        assert after.study.startswith("decay-rate-log_normal-0")
        # So it can be approved, too, whatever draws it began with.
        assert next(each for each in requirements(folder, after) if each.name == "inputs").holds
    anew = rerun(folder, ["prior rate = log_normal(0.11, 0.15)"], cores=1, quiet=True, anew=True)
    draws = Posterior.read(anew.comparison.runs[1].path / "calibrate" / "posterior.nc")
    assert draws.attributes["sampler"] == "nuts"
    assert "begun among" not in draws.attributes["why"]
    mean, sd = by_quadrature(0.11, 0.15)
    assert draws.draws("rate").mean() == pytest.approx(mean, abs=0.15 * sd)
    # Which is there now, and need be neither calibrated nor weighted.
    capsys.readouterr()
    assert not rerun(folder, ["prior rate = log_normal(0.11, 0.15)"], cores=1).after.published
    assert "to do: nothing" in capsys.readouterr().err
    assert anew.figure().name == "overlay"


@pytest.mark.slow
def test_the_evidence_of_the_study_as_it_is_is_not_the_changed_ones(tmp_path: Path, decay: Callable[..., Path]) -> None:
    """The new prior lies elsewhere, so the evidence is another; that of the old is not handed out for it."""
    more = "calibration: {sampler: smc, chains: 2, draws: 1000, seed: 3}\nprojection: {draws: 50}\n"
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-01-08, every: 1", values=SEEN, more=more)
    runs = rerun(folder, ["prior rate = log_normal(0.11, 0.2)"], cores=1, quiet=True).comparison.runs
    old, new = (Posterior.read(run.path / "calibrate" / "posterior.nc").attributes for run in runs)
    assert new["sampler"] == "reweighted"
    assert "log_evidence" in old
    assert "log_evidence" not in new


def test_weights_that_no_draw_can_carry_are_told(tmp_path: Path, decay: Callable[..., Path]) -> None:
    """Draws around 0.1 say nothing of a rate that is believed to be 0.5; nor where a value takes a prior's place."""
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-01-08, every: 1")
    study = bind(folder)
    random = np.random.default_rng(5)
    densities = {"left": np.zeros((2000, 1))}
    draws = random.normal(0.1, 0.005, size=(4, 500))
    old = SimpleNamespace(draws=lambda name: draws, log_likelihood=lambda: densities)
    far = bind(changed(folder, "prior rate = log_normal(0.5, 0.02)"))
    found = carried(study, far, old, ["rate"], "mark")  # type: ignore[arg-type]
    assert found is not None
    assert not found.will_do
    same = carried(study, study, old, [], "mark")  # type: ignore[arg-type]
    assert same is not None
    assert same.effective == pytest.approx(2000)
    assert np.array_equal(same.places, np.tile(np.arange(500), (4, 1)))
    assert carried(study, bind(changed(folder, "value rate = 0.1")), old, [], "mark") is None  # type: ignore[arg-type]


def test_no_weight_makes_draws_where_the_old_prior_had_none(tmp_path: Path, decay: Callable[..., Path]) -> None:
    """From 0.05 to 0.3 to from 0.02 to 0.6, each draw's weight is the same; yet the posterior may lie outside."""
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-01-08, every: 1")
    narrow, wide = (bind(changed(folder, f"prior rate = uniform({ends})")) for ends in ("0.05, 0.3", "0.02, 0.6"))
    draws = np.random.default_rng(5).uniform(0.05, 0.3, size=(4, 500))
    old = SimpleNamespace(draws=lambda name: draws, log_likelihood=dict)
    assert carried(narrow, wide, old, ["rate"], "mark") is None  # type: ignore[arg-type]
    found = carried(wide, narrow, old, ["rate"], "mark")  # type: ignore[arg-type]
    assert found is not None
    assert found.will_do


def test_a_target_that_had_no_likelihood_is_not_taken_out_by_it(tmp_path: Path, decay: Callable[..., Path]) -> None:
    """Draws that come from a distance to all data together can not be weighted to be of some of them."""
    study = bind(decay(tmp_path, "start: 2021-01-01, end: 2021-01-08, every: 1"))
    draws = np.random.default_rng(5).normal(0.1, 0.005, size=(4, 500))
    of_all = {"left": np.zeros((2000, 1)), "of another time": np.zeros((2000, 1))}
    for by_distance in (False, True):
        old = SimpleNamespace(
            draws=lambda name: draws,
            log_likelihood=lambda: of_all,
            by_distance=by_distance,
        )
        assert (carried(study, study, old, [], "mark") is None) == by_distance  # type: ignore[arg-type]
