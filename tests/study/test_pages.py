"""What a report says of a study: units, names, where a result comes from, and every output it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.pages import _page_rows, _pages
from modelworks.study.pages._assumptions import assumption_rows

Decay = Callable[..., Path]
FORM = "; variance = mean + overdispersion × mean²"
DAYS = "start: 2021-01-01, end: 2021-02-10, every: 1"


@pytest.mark.parametrize(
    ("every", "unit", "said"),
    [("1", "day", "people per day"), ("7", "day", "people per week"), ("1", "year", "people per year")],
)
def test_a_count_is_labelled_with_the_time_it_is_over(
    tmp_path: Path, decay: Decay, every: str, unit: str, said: str
) -> None:
    """Beside a fit in people per week, "people" could be anything."""
    end = "2031-01-01" if unit == "year" else "2021-02-10"
    study = bind(decay(tmp_path, f"start: 2021-01-01, end: {end}, every: {every}", unit=unit, covers=unit))
    units = _pages.shown_units(study)
    assert (units["left"], units["here"]) == (said, "people")
    assert _pages._output_labels(study)["left"] == f"left ({said})"


def test_a_title_that_says_the_time_is_not_told_it_again(tmp_path: Path, decay: Decay) -> None:
    """ "Left per day (people per day)" is once too often."""
    folder = decay(tmp_path, DAYS)
    file = folder.parents[1] / "models" / "decay.py"
    text = file.read_text(encoding="utf-8")
    titled = text.replace('events("leaving"), "people"', 'events("leaving"), "people", title="Left per day"')
    file.write_text(titled, encoding="utf-8")
    assert _pages._output_labels(bind(folder))["left"] == "Left per day (people)"


def test_a_parameter_is_called_as_in_the_files(tmp_path: Path, decay: Decay) -> None:
    """`mean_stay` in a table and "mean stay" in a picture look like two."""
    assert _pages._parameter_labels(bind(decay(tmp_path, DAYS))) == {"rate": "rate (per day)"}


def test_a_prior_stated_by_an_interval_is_told_with_it(study: Path) -> None:
    """Who wrote "95% between 1 and 3" looks for that, and whoever checks it for the mean and the sd."""
    file = study / "parameters.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("{normal: {mean: 2, sd: 1}}", "{normal: {95%: [1, 3]}}"), encoding="utf-8")
    said = "normal with mean 2 and sd 0.510213, cut at 0 (95% between 1 and 3 before the cut)"
    rows = {row.name: row.value for row in assumption_rows(bind(study))}
    assert rows["contact_rate"] == said
    assert rows["boys"] == "763"


@pytest.mark.parametrize(
    ("likelihood", "said"),
    [
        ("negative_binomial: {overdispersion: 0.02}", "negative binomial (overdispersion 0.02)" + FORM),
        ("negative_binomial: {overdispersion: overdispersion}", "negative binomial (overdispersion calibrated)" + FORM),
        ("negative_binomial: {overdispersion: noise}", "negative binomial (overdispersion 0.3 as noise)" + FORM),
    ],
)
def test_a_likelihood_says_each_of_its_arguments_once(tmp_path: Path, decay: Decay, likelihood: str, said: str) -> None:
    """ "overdispersion overdispersion" says nothing twice."""
    folder = decay(tmp_path, DAYS)
    targets, parameters = folder / "targets.yaml", folder / "parameters.yaml"
    targets.write_text(targets.read_text(encoding="utf-8").replace("poisson", f"{{{likelihood}}}"), encoding="utf-8")
    with parameters.open("a", encoding="utf-8") as file:
        if "noise" in likelihood:
            file.write("noise: {value: 0.3, unit: dimensionless, source: a test}\n")
        elif "0.02" not in likelihood:
            file.write("overdispersion: {prior: {exponential: {mean: 0.1}}, unit: dimensionless, source: a test}\n")
    (row,) = _page_rows.target_rows(bind(folder))
    assert row.likelihood == said


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"commit": "41916e1", "dirty": False}, "git checkout 41916e1"),
        ({"commit": "41916e1", "dirty": True, "patch": "…", "not_in_patch": []}, "git apply uncommitted.patch"),
        ({"commit": "41916e1", "dirty": True, "patch": "…", "not_in_patch": ["data/raw/new.csv"]}, "cd inputs"),
        ({"commit": None, "dirty": True}, "cd inputs"),
        ({}, "cd inputs"),
    ],
)
def test_to_make_it_again_names_what_there_is(tmp_path: Path, decay: Decay, known: dict[str, Any], said: str) -> None:
    """Without a commit there is nothing to check out, but the run keeps the files."""
    commands = "\n".join(_page_rows.rebuild(bind(decay(tmp_path, DAYS)), known))
    assert said in commands
    assert ("git checkout" in commands) == ("cd inputs" not in commands)


STRATA = """
from modelworks import Model, Output, Parameter, Stratification, Transition, events, people

rate, first = Parameter("rate", "per day", lower=0), Parameter("first", "people", lower=0)
share = Parameter("share", "proportion", lower=0, upper=1)
age = Stratification("age", ["young", "old"], split={"young": 0.3, "old": 0.7})
model = Model(
    name="decay",
    compartments=["here", "gone"],
    stratifications=[age],
    flows=[Transition("leaving", "here", "gone", rate=rate * share)],
    initial={"here": 200 + first},
    outputs={
        "left": Output(events("leaving")),
        "left_by_age": Output(events("leaving", by=["age"]), by=["age"]),
    },
)
"""


def stratified(folder: Path, figures: str = "") -> BoundStudy:
    """The study with a model of two ages."""
    (folder.parents[1] / "models" / "decay.py").write_text(STRATA, encoding="utf-8")
    with (folder / "study.yaml").open("a", encoding="utf-8") as file:
        file.write(figures)
    return bind(folder)


def test_an_output_by_strata_is_drawn_too(tmp_path: Path, decay: Decay, projected: Any) -> None:
    """Which ages are hit is often the question; what is drawn nowhere is found by nobody."""
    study = stratified(decay(tmp_path, DAYS))
    assert _pages._shown(study) == (["left"], ["left_by_age"])
    ribbons = projected(study.inputs.folder, [0.1, 0.2])[1].outputs
    rows = _pages._by_stratum(study, ribbons, ["left_by_age"])
    assert set(zip(rows["output"], rows["stratum"], strict=True)) == {("left_by_age", "young"), ("left_by_age", "old")}


def test_what_the_model_holds_itself_is_an_assumption(tmp_path: Path, decay: Decay) -> None:
    """A population or a share written in the model decides as much as any parameter."""
    study = stratified(decay(tmp_path, DAYS))
    rows = {row.name: row for row in assumption_rows(study) if row.name not in study.names}
    assert rows["people in here at the start"].value == "200 + first"
    assert rows["age: share of people"].value == "young 0.3, old 0.7"
    assert {row.source for row in rows.values()} == {"written in the model, without a source"}
    assert {row.place for row in rows.values()} == {"models/decay.py"}


def test_figures_may_name_an_output_by_strata_or_one_stratum(tmp_path: Path, decay: Decay) -> None:
    """Whoever asks for an output gets it drawn."""
    study = stratified(decay(tmp_path, DAYS), 'figures: [left_by_age, "left_by_age[old]"]\n')
    assert _pages._shown(study) == (["left_by_age[old]"], ["left_by_age"])
    assert _pages._output_labels(study)["left_by_age[old]"] == "left_by_age, old (people per day)"
