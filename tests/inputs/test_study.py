"""A sound study, read: every form of the files in the values it is given."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from modelworks.inputs import Bounds, Multiply, Place, PriorEntry, read_study
from modelworks.inputs.priors import FAMILIES, effective_support, mass_within


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_study_says_what_its_file_says(study: Path) -> None:
    """Each name of the form, as the type it is used as."""
    asked = read_study(study).study
    assert (asked.title, asked.model, asked.region) == ("Influenza in a school", "models/school.py", "england")
    assert (asked.time.unit, asked.time.start, asked.time.every) == ("days", date(2021, 1, 1), 1.0)
    assert (asked.calibration.sampler, asked.calibration.seed) == ("nuts", 1978)
    assert asked.calibration.until == date(2021, 1, 25)
    assert (asked.projection.draws, asked.projection.end) == (200, date(2021, 6, 30))
    assert dict(asked.data) == {"people": "people"}
    assert (asked.figures, asked.authors, asked.citation) == (("notifications",), ("Ada Lovelace",), "Lovelace 2026")
    closed = asked.scenarios["closed"]
    assert dict(closed.parameters) == {"contact_rate": 0.5, "recovery_rate": Multiply(1.5)}
    assert (dict(closed.data), closed.line) == ({"people": "people-elsewhere"}, 10)
    averted = asked.quantities["averted"]
    assert (averted.output, averted.minus, averted.from_, averted.statistic) == (
        "notifications",
        "closed",
        date(2021, 1, 1),
        "sum",
    )


def test_what_is_left_out_has_its_usual_value(study: Path) -> None:
    """A first study is short."""
    (study / "study.yaml").write_text(
        "title: A\nquestion: B?\nmodel: models/school.py\n"
        "time: {unit: days, start: 2021-01-01, end: 2021-02-01, every: 1}\n",
        encoding="utf-8",
    )
    asked = read_study(study).study
    assert (asked.calibration.sampler, asked.calibration.chains, asked.projection.draws) == ("auto", 4, 200)
    assert (asked.region, asked.answer, dict(asked.quantities)) == (None, None, {})
    assert (asked.calibration.r_hat, asked.calibration.effective_draws) == (None, None)


def test_the_baseline_needs_no_words(study: Path) -> None:
    """Scenarios are compared with the study as it is, which is there though nobody wrote it down."""
    scenarios = read_study(study).study.scenarios
    assert list(scenarios) == ["baseline", "closed"]
    assert dict(scenarios["baseline"].parameters) == {}


def test_a_baseline_that_is_written_keeps_its_title(study: Path) -> None:
    """The team may have better words for it."""
    edit(study / "study.yaml", "scenarios:\n", "scenarios:\n  baseline: {title: As it happened}\n")
    assert read_study(study).study.scenarios["baseline"].title == "As it happened"


def test_a_series_is_in_the_order_of_time_and_within_its_window(study: Path) -> None:
    """A calibration sees what the target names and nothing else."""
    edit(study / "targets.yaml", "covers: week", "covers: week\n  from: 2021-01-05\n  to: 2021-01-18")
    inputs = read_study(study)
    series = inputs.targets["cases"].series(inputs.catalogue)
    assert series.dates == (date(2021, 1, 11), date(2021, 1, 18))
    np.testing.assert_array_equal(series.values, [30, 55])


def test_values_written_by_hand_are_sorted(study: Path) -> None:
    """Whoever types them may type the latest first."""
    edit(study / "targets.yaml", "{2021-01-20: 0.31}", "{2021-01-20: 0.31, 2021-01-02: 0.1, 2021: 0.05}")
    inputs = read_study(study)
    series = inputs.targets["immune"].series(inputs.catalogue)
    assert [day.day for day in series.dates] == [1, 2, 20]
    np.testing.assert_array_equal(series.values, [0.05, 0.1, 0.31])


def test_a_word_for_a_poisson_likelihood_is_enough(study: Path) -> None:
    """It has no arguments to write braces for."""
    edit(study / "targets.yaml", "{negative_binomial: {overdispersion: overdispersion}}", "poisson")
    likelihood = read_study(study).targets["cases"].likelihood
    assert (likelihood.family, dict(likelihood.arguments)) == ("poisson", {})


@pytest.mark.parametrize("unit", ["per day", "people"])
def test_bounds_below_zero_let_a_number_be_negative(study: Path, unit: str) -> None:
    """Growth is a rate and may be negative, if somebody says so."""
    edit(
        study / "parameters.yaml",
        "  value: 1000\n  unit: people",
        f"  value: -0.1\n  unit: {unit}\n  bounds: {{lower: -1, upper: 1}}",
    )
    assert read_study(study).parameters["residents"].value == -0.1


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_of_priors_can_be_written(study: Path, family: str) -> None:
    """With its arguments by name, in any order."""
    values = {"lower": 0.1, "upper": 0.9}
    arguments = ", ".join(f"{name}: {values.get(name, 0.5)}" for name in reversed(FAMILIES[family].arguments))
    edit(study / "parameters.yaml", "{exponential: {mean: 0.2}}", f"{{{family}: {{{arguments}}}}}")
    prior = read_study(study).parameters["overdispersion"].prior
    assert prior is not None
    assert (prior.family, set(prior.arguments)) == (family, set(FAMILIES[family].arguments))
    assert prior.support[0] < prior.support[1]


@pytest.mark.parametrize("bounds", [Bounds(-1, 1), Bounds(None, -3), Bounds(3, None), Bounds(7, 9), Bounds()])
def test_the_mass_of_a_normal_within_bounds_is_that_of_the_textbook(bounds: Bounds) -> None:
    """In the tails too, where a difference of two numbers near one has no digits left."""
    from scipy import stats

    prior = PriorEntry("normal", {"mean": 0.5, "sd": 1.25}, Place("parameters.yaml", 1))
    low, high = bounds.low, bounds.high
    normal = stats.norm(0.5, 1.25)
    expected = normal.sf(low) - normal.sf(high) if low > 0.5 else normal.cdf(high) - normal.cdf(low)
    assert mass_within(prior, bounds) == pytest.approx(expected, rel=1e-12)
    assert effective_support(prior, bounds) == (low, high)
