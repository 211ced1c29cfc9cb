"""The study of COVID-19 in Malaysia: its data are what they say, its model keeps its people, its sizes are right."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelworks.dates import Calendar
from modelworks.inputs import Catalogue, check_files
from modelworks.model import CompiledModel, Model, settle_step
from modelworks.model.library.covid import RollOut, Strain
from modelworks.model.library.covid import covid as library_covid
from modelworks.study import check_study

if TYPE_CHECKING:
    import pandas as pd

pytestmark = pytest.mark.needs("h5py", "starsim_data")

EXAMPLES = Path(__file__).parents[2] / "examples"
START = date(2020, 12, 7)
WEEKS = np.arange(0.0, 386.0, 7.0)
# What the study's priors leave open, near where its calibration ends.
NEAR_THE_FIT = {
    "transmission_probability": 0.053,
    "infected_at_start": 8600.0,
    "days_hospital": 4.5,
    "detection[2021-03-22]": 0.65,
    "detection[2021-05-10]": 0.21,
    "detection[2021-07-12]": 0.18,
    "detection[2021-08-16]": 0.18,
    "detection[2021-10-11]": 0.1,
    "transmissibility_delta": 1.96,
    "arrivals_delta": 2.0,
    "protection_infection_dose_2": 0.61,
}
TRANSMISSION_NEAR_THE_FIT = (0.77, 0.85, 1.61, 0.92, 0.79, 0.99, 1.34, 1.22, 1.10)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, so that prepared tables are made anew and nothing is written beside them."""
    root = tmp_path_factory.mktemp("malaysia") / "examples"
    left_out = shutil.ignore_patterns("runs", "site", "prepared", ".modelworks", "__pycache__")
    shutil.copytree(EXAMPLES, root, ignore=left_out)
    return root


@pytest.fixture(scope="module")
def tables(repository: Path) -> dict[str, pd.DataFrame]:
    """The study's datasets by the names its model knows them by."""
    inputs, letters = check_files(repository / "studies" / "malaysia-covid")
    assert inputs is not None, "\n\n".join(map(str, letters))
    return {name: inputs.catalogue[dataset].table() for name, dataset in inputs.study.data.items()}


@pytest.fixture(scope="module")
def covid(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("covid", repository / "models" / "covid.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(covid: ModuleType, tables: dict[str, pd.DataFrame]) -> Model:
    built = covid.build(tables)
    assert isinstance(built, Model)
    return built


@pytest.fixture(scope="module")
def values(repository: Path, covid: ModuleType) -> dict[str, float]:
    """A value for every parameter of the model: the study's own, and those near its fit."""
    inputs, _ = check_files(repository / "studies" / "malaysia-covid")
    assert inputs is not None
    fixed = {name: entry.value for name, entry in inputs.parameters.items() if entry.value is not None}
    changes = {f"transmission[{day}]": by for day, by in zip(covid.CHANGES, TRANSMISSION_NEAR_THE_FIT, strict=True)}
    return {**fixed, **NEAR_THE_FIT, **changes}


@pytest.fixture(scope="module")
def compiled(model: Model, values: dict[str, float]) -> CompiledModel:
    return _compiled(model, values, WEEKS)


@pytest.fixture(scope="module")
def year(compiled: CompiledModel, values: dict[str, float]) -> dict[str, np.ndarray]:
    """The year as the fitted model has it, output by week."""
    return _run(compiled, values)


def _compiled(model: Model, values: dict[str, float], times: np.ndarray) -> CompiledModel:
    compiled = CompiledModel(model, times, calendar=Calendar("days", START))
    settle_step(compiled, compiled.vector(values))
    return compiled


def _run(compiled: CompiledModel, values: dict[str, float]) -> dict[str, np.ndarray]:
    return dict(zip(compiled.outputs, compiled.run(compiled.vector(values)).T, strict=True))


@pytest.mark.slow
def test_the_study_has_no_mistake(repository: Path) -> None:
    """Its files agree with each other and with its model."""
    study = check_study(repository / "studies" / "malaysia-covid")
    assert len(study.priors) > 10
    assert {each.entry.name for each in study.observations} == {"cases", "deaths", "delta_share"}


def test_the_model_is_the_library_s(model: Model) -> None:
    """Its flows are those of `covid` with the same parts, whatever the numbers; outputs alone are added."""
    days = [date(2021, 3, 1), date(2021, 4, 1)]
    doses = np.full((2, 16), 0.1)
    library = library_covid(
        symptoms=False,
        intensive_care=False,
        strains=[Strain("earlier"), Strain("delta", (START, START + timedelta(7)))],
        vaccination=RollOut(days, doses, doses),
    )
    assert [flow.name for flow in model.flows] == [flow.name for flow in library.flows]
    assert model.compartments == library.compartments
    assert [each.strata for each in model.stratifications] == [each.strata for each in library.stratifications]
    assert set(model.outputs) - set(library.outputs) == {"deaths_over_60", "ever_infected", "transmission"}


def test_contacts_are_counted_alike_by_both_sides(tables: dict[str, pd.DataFrame]) -> None:
    """A meeting of a child and a grandparent is one meeting, whoever reports it."""
    people = tables["population"].set_index("age")["people"]
    for _, setting in tables["contacts"].groupby("setting"):
        matrix = setting.pivot(index="reports", columns="met", values="contacts")
        meetings = matrix.mul(people.loc[matrix.index], axis=0).to_numpy()
        assert np.allclose(meetings, meetings.T, rtol=1e-4, atol=10)


def test_a_row_of_the_contacts_is_who_reports(tables: dict[str, pd.DataFrame]) -> None:
    """Pupils are home to more people than the old: a row's sum is one person's contacts, about fifteen a day."""
    contacts = tables["contacts"]
    people = tables["population"].set_index("age")["people"]
    daily = contacts.groupby("reports")["contacts"].sum()
    assert 13 < np.average(daily, weights=people.loc[daily.index]) < 18
    assert daily["10-14"] > 2 * daily["75+"]
    school = contacts[contacts["setting"] == "school"].groupby("reports")["contacts"].sum()
    assert school["10-14"] > 10 * school["60-64"]


def test_doses_by_age_add_up_to_the_national_numbers(repository: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Sharing doses out by age makes none and loses none."""
    given = Catalogue.read(repository)["malaysia-covid-doses-2021"].table().set_index("date")
    people = tables["population"].set_index("age")["people"]
    for column in ("first_dose", "fully"):
        wide = tables["vaccination"].pivot(index="date", columns="age", values=column)
        assert wide.to_numpy() @ people.loc[wide.columns].to_numpy() == pytest.approx(
            given[column].to_numpy(), rel=2e-3, abs=2
        )
        assert np.all(np.diff(wide.to_numpy(), axis=0) > -1e-6)


def test_the_old_were_vaccinated_as_was_announced(tables: dict[str, pd.DataFrame]) -> None:
    """A million of those over 60 had a first dose by 6 June 2021, and 2.1 million by the end of that month."""
    over_60 = tables["population"].set_index("age")["people"].iloc[12:]
    wide = tables["vaccination"].pivot(index="date", columns="age", values="first_dose")[list(over_60.index)]
    reached = wide.to_numpy() @ over_60.to_numpy()
    assert np.interp(date(2021, 6, 6).toordinal(), [day.toordinal() for day in wide.index], reached) == pytest.approx(
        1.0e6, rel=0.15
    )
    assert np.interp(date(2021, 6, 29).toordinal(), [day.toordinal() for day in wide.index], reached) == pytest.approx(
        2.12e6, rel=0.15
    )


def test_vaccination_in_the_model_is_that_of_the_data(
    tables: dict[str, pd.DataFrame], year: dict[str, np.ndarray]
) -> None:
    """The rates of both doses are solved for so that coverage two weeks later is the table's."""
    people = tables["population"].set_index("age")["people"]
    wide = tables["vaccination"].pivot(index="date", columns="age", values="fully")
    covered = wide.to_numpy() @ people.loc[wide.columns].to_numpy() / people.sum()
    protected = np.interp(WEEKS, [(day.date() - START).days + 15 for day in wide.index], covered, left=0.0)
    # The dead leave the count: a thousandth at most. Weeks are counted from Monday and coverage to the end of Sunday.
    late = slice(30, None)
    assert year["coverage_dose_2"][late] == pytest.approx(protected[late], abs=0.02)


def test_ten_steps_keep_everybody(model: Model, values: dict[str, float]) -> None:
    """People move between compartments and die; nobody appears, and nobody goes missing."""
    from modelworks import Output, people

    counted = model.extended(outputs={"everybody": Output(people(), "people")})
    found = _run(_compiled(counted, values, np.arange(11.0)), values)
    gone = np.cumsum(found["deaths"])
    assert found["everybody"] + gone == pytest.approx(found["everybody"][0], rel=1e-12)
    assert found["everybody"][0] == pytest.approx(33.9e6, rel=0.01)


def test_the_year_has_the_size_it_had(repository: Path, year: dict[str, np.ndarray]) -> None:
    """Near its fit the model's cases, deaths and Delta are of the size that was reported."""
    catalogue = Catalogue.read(repository)
    cases = catalogue["malaysia-covid-weekly-2021"].table()["cases"].to_numpy()
    deaths = catalogue["malaysia-covid-deaths-by-day-of-death-2021"].table()["deaths"].to_numpy()
    # The first row counts from the study's start, and reports begin with the fifth week.
    assert year["notifications"][5:56].sum() == pytest.approx(cases.sum(), rel=0.3)
    assert year["deaths"][5:56].sum() == pytest.approx(deaths.sum(), rel=0.3)
    assert year["share_delta"][20] < 0.1
    assert year["share_delta"][35] > 0.9
    assert 0.2 < year["ever_infected"][-1] < 0.9


def test_no_delta_without_arrivals(compiled: CompiledModel, values: dict[str, float]) -> None:
    """The strain is brought in by travellers alone."""
    assert np.all(_run(compiled, {**values, "arrivals_delta": 0.0})["share_delta"] == 0.0)


def test_closed_schools_mean_fewer_deaths(
    compiled: CompiledModel, values: dict[str, float], year: dict[str, np.ndarray]
) -> None:
    """Schools were open for a few months only, so that closing them can not change much."""
    closed = _run(compiled, {**values, "schools_open": 0.0})["deaths"].sum()
    assert 0.7 * year["deaths"].sum() < closed < year["deaths"].sum()


def test_earlier_doses_mean_fewer_deaths(
    repository: Path,
    covid: ModuleType,
    tables: dict[str, pd.DataFrame],
    values: dict[str, float],
    year: dict[str, np.ndarray],
) -> None:
    """Vaccines that come before the wave spare people, with all else as it was."""
    sooner = Catalogue.read(repository)["malaysia-vaccination-two-months-earlier"].table()
    other = _compiled(covid.build({**tables, "vaccination": sooner}), values, WEEKS)
    assert _run(other, values)["deaths"].sum() < 0.8 * year["deaths"].sum()
