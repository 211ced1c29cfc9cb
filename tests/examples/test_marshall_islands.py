"""The study of tuberculosis in the Marshall Islands: people add up, campaigns do what they say, sizes are right."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelworks import Output, events, people
from modelworks.model import CompiledModel, Model, measure_error, settle_step
from modelworks.study import check_study
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.pages._in_brief import in_brief
from modelworks.study.pages._pages import observed_table

EXAMPLES = Path(__file__).parents[2] / "examples"
YEARS = np.arange(1920.0, 2037.0)
# What the study's priors leave open, near where its calibration ends.
NEAR_THE_FIT = {
    "transmission_rate": 7.0,
    "progression_ratio": 1.75,
    "diabetes_risk": 4.4,
    "fatality_rate": 0.12,
    "detection_rate": 0.34,
    "detection_middle": 1995.0,
    "detection_since": 1.5,
    "detection_ratio_ebeye": 1.47,
    "screening_sensitivity": 0.82,
    "preventive_cure": 0.42,
    "emigration_ratio": 0.87,
}

Series = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> BoundStudy:
    """The study in a copy of the examples, so that prepared tables are made anew and nothing is written beside them."""
    root = tmp_path_factory.mktemp("marshall") / "examples"
    left_out = shutil.ignore_patterns("runs", "site", "prepared", ".modelworks", "__pycache__")
    shutil.copytree(EXAMPLES, root, ignore=left_out)
    return check_study(root / "studies" / "marshall-islands-tb")


@pytest.fixture(scope="module")
def values(study: BoundStudy) -> dict[str, float]:
    """A value for every parameter in the model's units: the study's own, and those near its fit."""
    given = {**study.fixed, **NEAR_THE_FIT}
    return {name: value * study.factors[name] for name, value in given.items()}


@pytest.fixture(scope="module")
def model(study: BoundStudy) -> Model:
    """The model with what these tests count besides its own outputs."""
    left = events("natural_death") + events("emigration") + events("death_untreated") + events("death_treated")
    return study.model.extended(
        outputs={
            "came": Output(events("birth") + events("arrival"), "people"),
            "left": Output(left, "people"),
            "all_deaths": Output(left - events("emigration"), "people"),
            "births": Output(events("birth"), "people"),
            "ill_majuro": Output(people("infectious", place="majuro"), "people"),
            "people_by_place": Output(people(by=["place"]), "people", by=["place"]),
        }
    )


@pytest.fixture(scope="module")
def compiled(model: Model, study: BoundStudy, values: dict[str, float]) -> CompiledModel:
    compiled = CompiledModel(model, YEARS, calendar=study.calendar)
    settle_step(compiled, compiled.vector(values))
    return compiled


@pytest.fixture(scope="module")
def history(compiled: CompiledModel, values: dict[str, float]) -> Series:
    """The years from 1920 to 2036 near the fit; row k is 1 January of 1920 + k."""
    return _run(compiled, values)


def _run(compiled: CompiledModel, values: Mapping[str, float]) -> Series:
    return dict(zip(compiled.outputs, compiled.run(compiled.vector(values)).T, strict=True))


def _at(series: np.ndarray, year: int) -> float:
    """The value on 1 January, or of the year before for a count."""
    return float(series[year - 1920])


def test_the_study_has_no_mistake(study: BoundStudy) -> None:
    """Its files agree with each other and with its model, and its targets are the published ones."""
    points = {each.entry.name: each.values.tolist() for each in study.observations}
    assert points["prevalence_majuro"] == [1366]
    assert points["prevalence_ebeye"] == [755]
    assert points["latent_majuro"] == [38]
    assert points["population"] == [53158]
    assert points["notifications_majuro"] == [91, 116, 115, 90, 119, 116, 376, 135, 96]
    assert points["notifications_ebeye"] == [44, 27, 30, 29, 53, 80, 30, 45, 39]
    assert 8 <= len(study.priors) <= 12


def test_ten_steps_make_and_lose_nobody(compiled: CompiledModel, values: dict[str, float]) -> None:
    """Who is there was there, was born or came, and did not die or leave."""
    ten = CompiledModel(compiled.model, np.linspace(2012.0, 2013.0, 11), calendar=compiled.calendar, step=0.1)
    found = _run(ten, values)
    balance = found["population"][0] + np.cumsum(found["came"] - found["left"])
    assert found["population"] == pytest.approx(balance, rel=1e-10)
    by_place = sum(found[f"people_by_place[{place}]"] for place in ("majuro", "ebeye", "other"))
    assert found["population"] == pytest.approx(by_place, rel=1e-12)


def test_people_are_as_many_as_the_united_nations_count(study: BoundStudy, history: Series) -> None:
    """Births, deaths and journeys come from the same source, so that the population must follow."""
    given = study.data["demography"].set_index("period_start")["people"]
    for period in range(1950, 2020, 5):
        mean = history["population"][period - 1920 : period - 1915].mean()
        assert mean == pytest.approx(given[period], rel=0.08), period


def test_a_child_is_born_for_each_in_the_table(study: BoundStudy, history: Series) -> None:
    """Between the middles of five years births lie on a straight line."""
    demography = study.data["demography"]
    expected = np.interp(np.arange(1953.5, 2036.0), demography["period_start"] + 2.5, demography["births"])
    assert history["births"][34:] == pytest.approx(expected, rel=0.02)


def test_bands_of_age_die_as_their_ages_do(study: BoundStudy) -> None:
    """A band's death rate lies between the lowest and the highest of the ages in it."""
    from modelworks.inputs import Catalogue

    single = Catalogue.read(study.inputs.repository.root)["marshall-islands-mortality-by-five-years"].table()
    bands = study.data["mortality"]
    assert bands["age"].nunique() == 8
    for year, rows in bands.groupby("year"):
        ages = single[single["year"] == year].set_index("age_start")["deaths_per_person_year"]
        for low, high, deaths in zip(rows["youngest"], [*rows["youngest"][1:], 200], rows["deaths"], strict=True):
            inside = ages[(ages.index >= low) & (ages.index < high)]
            assert inside.min() - 1e-6 <= deaths <= inside.max() + 1e-6


def test_the_fit_has_the_sizes_that_were_observed(history: Series) -> None:
    """Near the fit prevalence, latent infection and notifications are of the published size."""
    assert _at(history["prevalence_majuro"], 2018) == pytest.approx(1366, rel=0.15)
    assert _at(history["prevalence_ebeye"], 2017) == pytest.approx(755, rel=0.3)
    assert 28 < _at(history["latent_majuro"], 2018) < 55
    assert _at(history["notifications_majuro"], 2019) == pytest.approx(376, rel=0.3)
    assert history["notifications_majuro"][2013 - 1920 : 2019 - 1920].mean() == pytest.approx(108, rel=0.2)


def test_a_campaign_finds_the_part_it_screens_times_its_sensitivity(
    study: BoundStudy, model: Model, values: dict[str, float]
) -> None:
    """Of those ill in Majuro when the campaign began it found 81% times the sensitivity; some fell ill meanwhile."""
    campaign = study.data["campaigns"].set_index("place").loc["majuro"]
    times = [study.calendar.number(day.date()) for day in (campaign["start"], campaign["end"])]
    counted = model.extended(outputs={"found": Output(events("screening", place="majuro"), "people")})
    compiled = CompiledModel(counted, [1920.0, *times], calendar=study.calendar, step=0.05)
    result = _run(compiled, values)
    part = result["found"][2] / result["ill_majuro"][1]
    wanted = campaign["screened"] * values["screening_sensitivity"]
    assert wanted * 0.95 < part < wanted * 1.15


def test_without_campaigns_nobody_is_screened(compiled: CompiledModel, values: dict[str, float]) -> None:
    """No jump of notifications in 2017 and 2018, and more disease for years after."""
    without = _run(compiled, {**values, "past_campaigns": 0.0})
    with_them = _run(compiled, values)
    assert without["notifications_majuro"][99] == pytest.approx(without["notifications_majuro"][98], rel=0.1)
    assert np.all(without["incidence"][101:] > with_them["incidence"][101:])
    fall = 1 - _at(with_them["incidence"], 2021) / _at(without["incidence"], 2021)
    # By a third in Ragonnet et al. 2022, International Journal of Epidemiology 51: 1433.
    assert 0.2 < fall < 0.5
    assert np.array_equal(without["incidence"][:97], with_them["incidence"][:97])


def test_repeated_campaigns_bring_disease_down(compiled: CompiledModel, values: dict[str, float]) -> None:
    """Five campaigns everywhere leave less than a third of the incidence there would be."""
    repeated = _run(compiled, {**values, "future_campaigns": 1.0})
    once = _run(compiled, values)
    assert np.array_equal(repeated["incidence"][:102], once["incidence"][:102])
    assert repeated["incidence"][-1] < once["incidence"][-1] / 3


def test_no_transmission_no_tuberculosis(compiled: CompiledModel, values: dict[str, float]) -> None:
    """Those infected in 1920 grow old, and with them the disease is gone."""
    found = _run(compiled, {**values, "transmission_rate": 0.0})
    assert _at(found["incidence"], 2030) < 0.5


def test_the_start_is_forgotten(compiled: CompiledModel, values: dict[str, float], history: Series) -> None:
    """What is supposed of 1920 does not matter to what was observed from 2012 on."""
    other = _run(compiled, {**values, "latent_at_start": 0.3, "ill_at_start": 0.02})
    for name in ("prevalence_majuro", "notifications_ebeye", "latent_majuro"):
        assert other[name][92:] == pytest.approx(history[name][92:], rel=0.1), name


def test_no_draw_of_the_priors_is_too_fast_for_the_solver(study: BoundStudy) -> None:
    """At the middle of the priors people progress at half the rate they do at the fit: its step must do for both."""
    scaled = study.compiled(study.calibration_times())
    for values in study.spread()[:16]:
        assert np.all(np.isfinite(scaled.run(values)))
    at_the_fit = np.array([NEAR_THE_FIT.get(name, study.fixed.get(name, 0.0)) for name in scaled.parameters])
    assert measure_error(scaled.compiled, scaled.given(at_the_fit)) < 1e-3


def test_beside_the_answer_stands_what_it_was_fitted_to_with_the_data(study: BoundStudy, tmp_path: Path) -> None:
    """People over a century tell nothing of tuberculosis, and what was seen in a single year is no series."""
    seen = observed_table(study)
    around = {"q025": 0.5, "q50": 1.0, "q975": 1.5}
    fitted = seen.assign(**{name: factor * seen["value"] for name, factor in around.items()})
    for name in ("fitted", "predictive"):
        fitted.to_parquet(tmp_path / f"{name}.parquet")
    told = in_brief(study, {"project": tmp_path})
    assert told is not None
    assert told["title"] == "Notifications in Majuro (people per year)"
    data = study.inputs.catalogue["marshall-islands-notifications"].table()
    assert told["seen"] == told["median"] == data["majuro"].tolist()
    assert [each[:4] for each in told["time"]] == [str(each)[:4] for each in data["year"]]
    assert told["high"] == [1.5 * value for value in told["seen"]]


def test_without_such_data_the_first_output_that_is_drawn_stands_there(study: BoundStudy, tmp_path: Path) -> None:
    """Of many years some are kept, with the highest and the last."""
    years = pd.date_range("1700-07-01", periods=301, freq="YS-JUL")
    median = [1000.0 if k == 155 else float(k) for k in range(len(years))]
    rows = pd.DataFrame({"scenario": "baseline", "output": "incidence", "time": years, "q50": median})
    other = rows.assign(scenario="no-campaigns", q50=0.0)
    pd.concat([other, rows]).assign(q025=0.0, q975=2000.0).to_parquet(tmp_path / "outputs.parquet")
    for name in ("fitted", "predictive"):
        rows[:0].to_parquet(tmp_path / f"{name}.parquet")
    told = in_brief(study, {"project": tmp_path})
    assert told is not None
    assert told["title"] == "Incidence (per 100,000 people per year)"
    kept = [int(each[:4]) - 1700 for each in told["time"]]
    assert {0, 155, 300} <= set(kept)
    assert len(kept) < 150
    assert told["median"] == [median[k] for k in kept]
    assert told["seen"] == [None] * len(kept)
    assert in_brief(study, {}) is None
