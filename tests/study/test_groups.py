"""Groups of parameters, from the files to the model and back: one entry, many members, one belief."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError, explanations
from modelworks.runs import Progress
from modelworks.study import run_study
from modelworks.study.binding._binding import bind
from modelworks.study.inquiries._controls import controls_of, scenario_changes
from modelworks.study.pages._assumptions import assumption_rows
from modelworks.study.projection._projection import project

Decay = Callable[..., Path]
DAYS = "start: 2021-01-01, end: 2021-01-31, every: 1"
QUICK = "calibration: {chains: 2, draws: 60, warmup: 60, seed: 5}\nprojection: {draws: 20}\n"
SCENARIOS = """
scenarios:
  baseline: {title: As it is}
  slower: {title: Slower, parameters: {rate: {multiply: 0.5}}}
  still: {title: Nobody leaves at first, parameters: {"rate[2021-01-01]": 0}}
"""

# Stays change over time, and so does the part of them that is told, in each place its own.
MODEL = """
from datetime import date

from modelworks import Model, Output, Parameter, Transition, events, people, table

days = ["2021-01-21", "2021-01-01", "2021-01-11"]
rate = Parameter.group("rate", days, "per day", lower=0)
over_time = table([date.fromisoformat(day) for day in sorted(days)], [rate[day] for day in sorted(days)])
told = Parameter.group("told", ["north", "south", "east"], "proportion", lower=0, upper=1)

model = Model(
    name="decay",
    time="days",
    compartments=["here", "gone"],
    flows=[Transition("leaving", "here", "gone", rate=over_time)],
    initial={"here": 1000, "gone": 0},
    outputs={
        **{name: Output(events("leaving") * each, "people") for name, each in told.items()},
        "left": Output(events("leaving"), "people"),
    },
)
"""
PARAMETERS = """
rate:
  prior: {log_random_walk: {start: first_rate, sigma: 0.3}}
  unit: per week
  source: a test
first_rate: {prior: {log_normal: {95%: [0.3, 1.5]}}, unit: per week, source: a test}
told:
  prior: {logit_normal: {median: typical, sigma: spread}}
  unit: proportion
  source: a test
typical: {prior: {beta: {a: 5, b: 5}}, unit: proportion, source: a test}
spread: {prior: {half_normal: {sd: 0.5}}, unit: dimensionless, source: a test}
"""
TARGET = """
{0}:
  output: {0}
  values: {{2021-01-02: {1}, 2021-01-12: {2}}}
  unit: people
  covers: day
  source: a test
  likelihood: poisson
"""
TARGETS = TARGET.format("north", 40, 30) + TARGET.format("south", 60, 35)


@pytest.fixture
def places(tmp_path: Path, decay: Decay) -> Path:
    """A study of two groups: a rate that walks in time, and places that resemble each other."""
    folder = decay(tmp_path, DAYS, more=QUICK + SCENARIOS)
    (tmp_path / "models" / "decay.py").write_text(MODEL, encoding="utf-8")
    (folder / "parameters.yaml").write_text(PARAMETERS, encoding="utf-8")
    (folder / "targets.yaml").write_text(TARGETS, encoding="utf-8")
    return folder


WALK = ("rate[2021-01-01]", "rate[2021-01-11]", "rate[2021-01-21]")


def test_an_entry_speaks_of_every_member_of_its_group(places: Path) -> None:
    """A walk goes in the order of time, whatever that of the model; a rate per week is one per day over 7."""
    study = bind(places)
    assert study.free == ("first_rate", "typical", "spread", *WALK, "told[north]", "told[south]", "told[east]")
    assert study.factors["rate[2021-01-11]"] == pytest.approx(1 / 7)
    assert study.parameters.centre["rate[2021-01-21]"] == pytest.approx(np.sqrt(0.3 * 1.5))
    assert study.parameters.centre["told[east]"] == pytest.approx(0.5)


def test_the_table_of_assumptions_has_a_row_for_a_group(places: Path) -> None:
    """And says what its members share."""
    rows = {row.name: row.value for row in assumption_rows(bind(places))}
    assert rows["rate"] == "random walk of the logarithm from `first_rate`, with steps of 0.3 (3 parameters)"
    assert rows["told"] == "logit-normal around `typical` with sigma `spread` (3 parameters)"
    assert set(rows) >= {"first_rate", "typical", "spread"}


@pytest.mark.slow
def test_a_study_with_groups_runs_to_its_report(places: Path) -> None:
    """Every table and picture knows members by their names."""
    result = run_study(places, quiet=True)
    assert result.run is not None
    assert result.run.file("report.html") is not None


@pytest.mark.slow
def test_a_study_with_groups_is_calibrated(places: Path) -> None:
    """The walk begins where its start is; a place without data is known only by what places share."""
    result = run_study(places, until="calibrate", quiet=True)
    assert result.run is not None
    posterior = Posterior.read(result.run.path / "calibrate" / "posterior.nc")
    np.testing.assert_allclose(posterior.draws(WALK[0]), posterior.draws("first_rate"), rtol=1e-12)
    assert posterior.draws("told[east]").std() > posterior.draws("told[south]").std()
    assert set(_recorded(result)) == set(bind(places).free)


@pytest.mark.slow
def test_a_group_believed_in_member_by_member_is_in_the_record(places: Path) -> None:
    """Each member with the unit of its group; so are those that have a value."""
    rate = "rate: {prior: {log_normal: {median: 0.7, sigma: 0.2}}, unit: per week, source: a test}\n"
    told = "told: {value: 0.5, unit: proportion, source: a test}\n"
    (places / "parameters.yaml").write_text(rate + told, encoding="utf-8")
    known = _recorded(run_study(places, until="calibrate", quiet=True))
    assert set(known) == {*WALK, "told[north]", "told[south]", "told[east]"}
    assert known["rate[2021-01-11]"]["unit"] == "per week"
    assert known["told[east]"] == {"value": 0.5, "unit": "proportion"}


def _recorded(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((result.run.path / "run.json").read_text(encoding="utf-8"))["parameters"]
    return found


def test_a_scenario_changes_a_group_or_one_member(places: Path) -> None:
    """Half of every rate; or nobody who leaves at first."""
    rate = "rate: {prior: {log_normal: {median: 0.1, sigma: 0.2}}, unit: per day, source: a test}\n"
    told = "told: {value: 0.5, unit: proportion, source: a test}\n"
    (places / "parameters.yaml").write_text(rate + told, encoding="utf-8")
    study = bind(places)
    assert study.free == WALK
    assert study.fixed["told[south]"] == 0.5
    drawn: Any = SimpleNamespace(draws=lambda name: np.array([[0.1, 0.1]]))
    outputs = project(study, drawn, Progress(quiet=True), 1).outputs
    first = outputs[outputs["output"] == "left"].groupby("scenario").first()["q50"]
    assert first["baseline"] == pytest.approx(1000 * -np.expm1(-0.1), rel=1e-4)
    assert first["slower"] == pytest.approx(1000 * -np.expm1(-0.05), rel=1e-4)
    assert first["still"] == pytest.approx(1000 * -np.expm1(-0.1 / 20), rel=1e-3)


def test_what_a_factor_makes_of_each_member_is_told(places: Path) -> None:
    """A bare factor says nothing of where any of them comes to stand."""
    member = "  south: {title: South tells less, parameters: {told: {multiply: 0.4}}}\n"
    (places / "study.yaml").write_text((places / "study.yaml").read_text("utf-8") + member, encoding="utf-8")
    study = bind(places)
    draws = {name: np.full(9, 0.5) for name in study.names}
    draws["told[south]"] = np.linspace(0.2, 0.4, 9)
    control = next(each for each in controls_of(study, draws) if each.about == "told")
    found = {each.name: (each.value, each.unit) for each in control.multiplied}
    assert found == {
        f"told[{name}]": (pytest.approx(value), "proportion")
        for name, value in zip(("north", "south", "east"), (0.5, 0.3, 0.5), strict=True)
    }
    [slower, *_] = scenario_changes(study)["slower"]
    middle = np.sqrt(0.3 * 1.5)
    assert (slower.before.name, slower.before.unit, slower.factor) == ("rate[2021-01-01]", "per week", 0.5)
    assert (slower.before.value, slower.becomes) == (pytest.approx(middle), pytest.approx(middle / 2))
    [still] = scenario_changes(study)["still"]
    assert (still.before.name, still.becomes, still.factor) == ("rate[2021-01-01]", 0.0, None)


def test_a_member_may_have_an_entry_of_its_own(places: Path) -> None:
    """What is known of one place is not learned from the others."""
    file = places / "parameters.yaml"
    file.write_text(PARAMETERS + "told[north]: {value: 0.7, unit: proportion, source: a test}\n", encoding="utf-8")
    study = bind(places)
    assert study.fixed == {"told[north]": 0.7}
    assert "told[south]" in study.free
    assert "told[north]" not in study.free


RATE = "{log_random_walk: {start: first_rate, sigma: 0.3}}"
TOLD = "{logit_normal: {median: typical, sigma: spread}}"
# (what to replace in parameters.yaml, with what, code, a word of it)
MISTAKES = [
    ("start: first_rate", "start: first_rat", "P118", "did you mean `first_rate`"),
    ("unit: per week, source", "unit: per day, source", "P205", "in `per week`"),
    ("spread: {prior: {half_normal: {sd: 0.5}}", "spread: {prior: {normal: {mean: 0, sd: 1}}", "C106", "half_normal"),
    (RATE, "{random_walk: {start: 1, sd: 0.3}}", "P101", "log_"),
    ("{logit_normal: {median: typical", "{log_normal: {median: typical", "P111", "between 0 and 1"),
    (TOLD, "{log_random_walk: {start: 1, sigma: 1}}", "P111", "logit_"),
    (
        "{logit_normal: {median: typical, sigma: spread}}",
        "{logit_random_walk: {start: 0.1, sigma: 1}}",
        "C105",
        "order",
    ),
    (TOLD, "{dirichlet: {concentration: {north: 1}}}", "C105", "south"),
    ("rate:\n", "rat:\n", "P202", "rate[2021-01-01]"),
    ("rate:\n", "rat:\n", "P201", "`rat`"),
    (
        "{log_random_walk: {start: first_rate, sigma: 0.3}}",
        "{log_spline: {start: 1, sigma: 1, pieces: 3}}",
        "C105",
        "pieces",
    ),
    ("first_rate: {prior: {log_normal: {95%: [0.3, 1.5]}}", "first_rate: {value: 0", "C106", "between 0"),
    ("told:\n", "told[west]: {value: 1, unit: proportion, source: a test}\ntold:\n", "P201", "told[west]"),
    ("told:\n", "told[]:\n", "P115", "brackets"),
]


@pytest.mark.parametrize(("old", "new", "code", "word"), MISTAKES, ids=lambda v: str(v)[:24])
def test_a_mistake_in_a_group_is_told_with_its_line(places: Path, old: str, new: str, code: str, word: str) -> None:
    """In parameters.yaml, with what to try."""
    file = places / "parameters.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(places)
    letters = [letter for letter in caught.value.letters if letter.code == code]
    assert letters, [str(letter) for letter in caught.value.letters]
    assert any(word in str(letter) for letter in letters), [str(letter) for letter in letters]
    assert all(letter.file is not None and letter.file.endswith("parameters.yaml") for letter in letters)
    assert code in explanations()


def test_files_and_calibration_know_the_same_families() -> None:
    """What can be written can be calibrated: groups, priors and likelihoods, with the same arguments."""
    from modelworks.calibration import groups, likelihoods, priors
    from modelworks.inputs import groups as group_forms
    from modelworks.inputs import likelihoods as likelihood_forms
    from modelworks.inputs import priors as prior_forms

    assert {name: tuple(form.arguments) for name, form in group_forms.GROUPS.items()} == {
        name: family.arguments for name, family in groups.FAMILIES.items()
    }
    assert {name: form.support for name, form in group_forms.GROUPS.items()} == {
        name: family.link.support for name, family in groups.FAMILIES.items()
    }
    assert set(prior_forms.FAMILIES) == set(priors.FAMILIES)
    assert set(likelihood_forms.FAMILIES) == set(likelihoods.FAMILIES)


def test_a_group_without_labels_can_not_be_declared() -> None:
    """The same label twice would be one parameter with two names."""
    from modelworks import Parameter

    for labels in ([], ["north", "north"], ["a[b]"], [""]):
        with pytest.raises(ModelworksError) as raised:
            Parameter.group("told", labels)
        assert raised.value.codes == ("M140",)
