"""The national model of tuberculosis: each mechanism against arithmetic of its own, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import CompiledModel, Model, Output, diagram, equilibrium, events, people, settle_step, table
from modelworks.model.library.tb import (
    Campaign,
    Demography,
    deaths_in_bands,
    stationary_shares,
    tb,
    typical_values,
)
from modelworks.model.library.tb.disease import EARLY_PROGRESSION, LATE_PROGRESSION, STABILISATION

Array = Any

DEATHS = {0: 0.05, 5: 0.004, 15: 0.005, 35: 0.01, 50: 0.02, 70: 0.09}
COUNTRY = Demography.from_tables(
    {1950: 3e4, 1980: 4e4, 2020: 3.5e4}, {age: {1950: rate, 2020: rate / 2.5} for age, rate in DEATHS.items()}
)
CAMPAIGN = Campaign(2018.2, 2018.8, 0.8, place="town", youngest=15, treats_latent=True)
OPTIONS: Mapping[str, Any] = {
    "places": {"town": 0.6, "islands": 0.4},
    "contacts": np.eye(6) + 0.5,
    "manifestations": True,
    "detection": 0.5,
    "treatment_success": table([1995, 2015], [0.6, 0.9]),
    "bcg": {1955: 0.0, 1975: 0.5, 1990: 0.9},
    "diabetes": {15: table([1950, 2020], [0.0, 0.05]), 35: table([1950, 2020], [0.0, 0.15])},
    "campaigns": [replace(CAMPAIGN, place=None)],
    "preventive_treatment": table([2010, 2020], [0.0, 0.3]),
}
ALL = {**OPTIONS, "campaigns": [CAMPAIGN]}


def run(model: Model, times: Any, values: Mapping[str, float] | None = None, *, accuracy: float = 1e-8) -> Any:
    """Outputs by name at typical values but for some."""
    compiled = CompiledModel(model.checked(), times)
    at = compiled.vector({**typical_values(model), **(values or {})})
    settle_step(compiled, at, accuracy)
    return dict(zip(compiled.outputs, compiled.run(at).T, strict=True))


def starting(model: Model, initial: Mapping[str, Any], **outputs: Any) -> Model:
    """The model with only these people at first, and these outputs."""
    return replace(model, initial=initial, outputs=outputs)


# -- together --------------------------------------------------------------------------------------------


def _chosen() -> list[Any]:
    alone = [pytest.param({name: given}, id=name) for name, given in OPTIONS.items()]
    without = [pytest.param({k: v for k, v in OPTIONS.items() if k != name}, id=f"all but {name}") for name in OPTIONS]
    return [pytest.param({}, id="none"), *alone, *without, pytest.param(ALL, id="all")]


@pytest.mark.slow
@pytest.mark.parametrize("options", _chosen())
def test_any_choice_of_parts_runs_two_centuries_and_loses_nobody(options: Mapping[str, Any]) -> None:
    """Sound, everybody accounted for to round-off, nobody below zero, and an error of at most 1e-4."""
    _holds_together(tb(COUNTRY, **options))


def test_all_parts_together_lose_nobody_in_two_centuries() -> None:
    _holds_together(tb(COUNTRY, **ALL))


def _holds_together(model: Model) -> None:
    left = events("natural_death") + events("death_untreated") + events("death_treated")
    stocks = {f"in_{name}": Output(people(name, by=["age"]), by=["age"]) for name in model.compartments}
    counted = model.extended(outputs={"came": events("birth"), "left": left, **stocks})
    compiled = CompiledModel(counted.checked(), np.arange(1800.0, 2021.0))
    at = compiled.vector(typical_values(counted))
    assert settle_step(compiled, at, 1e-4).error <= 1e-4
    found = dict(zip(compiled.outputs, compiled.run(at).T, strict=True))
    balance = found["population"][0] + np.cumsum(found["came"] - found["left"])
    np.testing.assert_allclose(found["population"], balance, rtol=1e-10)
    assert min(series.min() for series in found.values()) >= 0
    assert found["incidence"][1] > 1


@pytest.mark.slow
def test_the_gradient_of_all_parts_is_that_of_differences() -> None:
    """Of every parameter but the numbers of the start, which are forgotten."""
    model = tb(COUNTRY, **ALL)
    compiled = CompiledModel(model, np.arange(1900.0, 2021.0, 10), step=0.1)
    at = compiled.vector(typical_values(model))
    outputs, pullback = compiled.run_with_pullback(at)
    weights = np.where(outputs.max(axis=0) > 0, 1 / outputs.max(axis=0), 0) * np.linspace(0, 1, len(outputs))[:, None]
    gradient = pullback(weights) * at

    def total(k: int, far: float) -> float:
        moved = at.copy()
        moved[k] *= 1 + far
        return float((compiled.run(moved) * weights).sum())

    reach = np.where(np.array(compiled.parameters) == "detection_middle", 1e-6, 1e-4)
    expected = [
        (total(k, -2 * h) - 8 * total(k, -h) + 8 * total(k, h) - total(k, 2 * h)) / (12 * h)
        for k, h in enumerate(reach)
    ]
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def test_the_equations_and_the_diagram_are_drawn() -> None:
    model = tb(COUNTRY, **ALL)
    assert "early" in model.equations()
    assert diagram(model)


def test_alike_manifestations_are_no_manifestations() -> None:
    """Where smear-negative disease is as smear-positive and none is elsewhere, the stratification changes nothing."""
    alike = {
        "extrapulmonary_share": 0.0,
        "infectiousness_smear_negative": 1.0,
        "detection_ratio_smear_negative": 1.0,
        **{f"{rate}_smear_{smear}": 0.2 for rate in ("recovery_rate", "fatality_rate") for smear in _SMEARS},
    }
    plain = run(tb(COUNTRY), [1900, 2000, 2020], {"recovery_rate": 0.2, "fatality_rate": 0.2})
    told = run(tb(COUNTRY, manifestations=True), [1900, 2000, 2020], alike)
    for name, series in plain.items():
        np.testing.assert_allclose(told[name], series, rtol=1e-7, err_msg=name)


_SMEARS = ("positive", "negative")


def test_alike_places_are_no_places() -> None:
    """Places that differ in nothing but size have the country's incidence each, however much they mix."""
    plain = run(tb(COUNTRY), [1900, 2000, 2020])
    told = run(tb(COUNTRY, places={"town": 0.7, "islands": 0.3}), [1900, 2000, 2020])
    for name in ("incidence", "prevalence", "latent"):
        np.testing.assert_allclose(told[name], plain[name], rtol=1e-7, err_msg=name)
        np.testing.assert_allclose(told[f"{name}_town"], plain[name], rtol=1e-7, err_msg=name)


def test_it_starts_at_rest_where_rates_have_long_been_the_same() -> None:
    """From its equilibrium a model with constant births stays where it is."""
    country = Demography(3e4, DEATHS, stationary_shares(DEATHS))
    model = tb(country, detection=0.1)
    values = typical_values(model)
    rest = equilibrium(model, values, time=1800.0).start(model)
    found = run(rest, [1800.0, 1801.0, 1900.0, 2000.0])
    assert found["prevalence"][0] > 100
    for name in ("population", "prevalence", "latent"):
        np.testing.assert_allclose(found[name], found[name][0], rtol=1e-8)


# -- people ----------------------------------------------------------------------------------------------


def test_a_life_table_stays_as_it_is() -> None:
    """Ages come to rest where births, ageing and deaths balance, solved here as a linear system."""
    youngest, rates = list(DEATHS), np.array(list(DEATHS.values()))
    ageing = np.append(1 / np.diff(youngest), 0.0)
    rest = np.linalg.solve(np.diag(ageing + rates) - np.diag(ageing[:-1], -1), [3e4, 0, 0, 0, 0, 0])
    shares = stationary_shares(DEATHS)
    np.testing.assert_allclose(shares, rest / rest.sum(), rtol=1e-12)
    model = tb(Demography(3e4, DEATHS, shares))
    counted = starting(model, {"susceptible": rest.sum()}, by_age=Output(people(by=["age"]), by=["age"]))
    compiled = CompiledModel(counted, [1800.0, 2020.0], step=0.2)
    found = compiled.run(compiled.vector({**typical_values(counted)}))
    np.testing.assert_allclose(found, np.stack([rest, rest]), rtol=1e-10)


def test_bands_have_the_deaths_of_their_ages() -> None:
    """Deaths over years lived, integrated here on a grid of days of a life; bands that are ages keep their rates."""
    ages = {0: 0.06, 1: 0.01, 5: 0.002, 15: 0.004, 50: 0.03, 80: 0.2}
    assert deaths_in_bands(ages, list(ages)) == pytest.approx(ages)
    found = deaths_in_bands(ages, [0, 5, 50])
    days = (np.arange(300 * 365) + 0.5) / 365
    rate = np.array(list(ages.values()))[np.searchsorted(list(ages), days, side="right") - 1]
    alive = np.exp(-np.cumsum(rate) / 365)
    for band, (low, high) in zip(found, [(0, 5), (5, 50), (50, 300)], strict=True):
        inside = (days >= low) & (days < high)
        assert found[band] == pytest.approx((rate * alive)[inside].sum() / alive[inside].sum(), rel=1e-3)


def test_births_and_deaths_are_those_of_the_tables() -> None:
    """Without tuberculosis; between the years of a table numbers lie on a straight line."""
    model = tb(COUNTRY)
    counted = replace(model, outputs={"births": events("birth"), "deaths": events("natural_death"), "all": people()})
    found = run(counted, [1800.0, 1964.0, 1965.0, 1966.0], {"ill_at_start": 0, "latent_at_start": 0})
    assert found["births"][2] == pytest.approx(3e4 + 1e4 * 14.5 / 30, rel=1e-9)
    assert found["all"][2] - found["all"][1] == pytest.approx(found["births"][2] - found["deaths"][2], rel=1e-6)


def test_who_travels_is_counted() -> None:
    """Arrivals come by number and departures go by rate."""
    model = tb(replace(COUNTRY, arrivals=500.0, departures=0.01))
    left = events("natural_death") + events("emigration") + events("death_untreated") + events("death_treated")
    counted = model.extended(outputs={"came": events("birth") + events("arrival"), "left": left})
    counted = counted.extended(outputs={"arrived": events("arrival"), "gone": events("emigration")})
    found = run(counted, np.arange(1900.0, 1921.0))
    np.testing.assert_allclose(found["arrived"][1:], 500.0, rtol=1e-10)
    np.testing.assert_allclose(found["gone"][1:], 0.01 * found["population"][1:], rtol=0.02)
    assert np.diff(found["population"]) == pytest.approx((found["came"] - found["left"])[1:], rel=1e-8)


# -- disease ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_the_lifetime_risk_of_disease_is_the_closed_form(prevalence: float | None) -> None:
    """Early or late, before death of another cause: e / (e + s + m) + s / (e + s + m) * l / (l + m)."""
    model = tb(diabetes=None if prevalence is None else {15: prevalence})
    ill = events("early_progression") + events("late_progression")
    found = run(starting(model, {"early_latent": 1000.0}, ill=ill), [0.0, 3000.0], {"transmission_rate": 0})
    early, stable, late = (365.25 * rates[15] for rates in (EARLY_PROGRESSION, STABILISATION, LATE_PROGRESSION))
    if prevalence is not None:
        early, late = (rate * (1 + 2.2 * prevalence) for rate in (early, late))
    died = 1 / 60
    leaving = early + stable + died
    risk = early / leaving + stable / leaving * late / (late + died)
    assert found["ill"][1] / 1000 == pytest.approx(risk, rel=1e-7)


def test_children_progress_at_their_own_rates() -> None:
    """In a week nobody grows much older: of the newly infected of each age fall ill as many as their rate says."""
    ill = Output(events("early_progression", by=["age"]), by=["age"])
    week = 1 / 52
    found = run(starting(tb(COUNTRY), {"early_latent": 1000.0}, ill=ill), [1900.0, 1900.0 + week])
    shares = np.array(COUNTRY.shares)
    for k, (age, start) in enumerate(zip(COUNTRY.deaths, (0, 5, 15, 15, 15, 15), strict=True)):
        expected = 1000 * shares[k] * 365.25 * EARLY_PROGRESSION[start] * week
        name = ["0-4", "5-14", "15-34", "35-49", "50-69", "70+"][k]
        assert found[f"ill[{name}]"][1] == pytest.approx(expected, rel=0.09), age


def test_each_manifestation_ends_as_its_rates_say() -> None:
    """Of the untreated die f / (f + r + m); disease elsewhere ends as smear-negative disease does."""
    model = tb(manifestations=True, detection=0.0)
    died = Output(events("death_untreated", by=["manifestation"]), by=["manifestation"])
    found = run(starting(model, {"infectious": 1000.0}, died=died), [0.0, 1000.0], {"transmission_rate": 0})
    for name, share, dying, recovering in (
        ("smear_positive", 0.55, 0.389, 0.231),
        ("smear_negative", 0.3, 0.025, 0.13),
        ("extrapulmonary", 0.15, 0.025, 0.13),
    ):
        expected = 1000 * share * dying / (dying + recovering + 1 / 60)
        assert found[f"died[{name}]"][1] == pytest.approx(expected, rel=1e-7), name


def test_disease_outside_the_lungs_infects_nobody() -> None:
    """And smear-negative disease infects 0.22 times as many as smear-positive disease does, treated 0.08 times."""
    model = starting(tb(manifestations=True), {}, infected=events("infection_of_susceptible"))
    shares = {"smear_positive_share": 1.0, "extrapulmonary_share": 0.0}

    def infected(smear: float, elsewhere: float, compartment: str = "infectious") -> float:
        begun = replace(model, initial={"susceptible": 1e9, compartment: 1.0})
        values = {"smear_positive_share": smear, "extrapulmonary_share": elsewhere}
        return float(run(begun, [0.0, 1e-4], {**shares, **values})["infected"][1])

    most = infected(1.0, 0.0)
    assert most == pytest.approx(1e-3, rel=1e-3)
    assert infected(0.0, 1.0) == 0.0
    assert infected(0.0, 0.0) == pytest.approx(0.22 * most, rel=1e-3)
    assert infected(1.0, 0.0, "treated") == pytest.approx(0.08 * most, rel=1e-3)


def test_the_infected_and_the_recovered_are_infected_less() -> None:
    """In proportion to their numbers and to the ratio of their risks."""
    model = tb()
    counted = {name: events(f"infection_of_{name}") for name in ("susceptible", "late_latent", "recovered")}
    begun = starting(model, dict.fromkeys([*counted, "infectious"], 1e6), **counted)
    found = run(begun, [0.0, 1e-4])
    assert found["late_latent"][1] / found["susceptible"][1] == pytest.approx(0.21, rel=1e-3)
    assert found["recovered"][1] / found["susceptible"][1] == pytest.approx(0.5, rel=1e-3)


# -- care ------------------------------------------------------------------------------------------------


def test_as_many_are_found_as_detection_outruns_other_ends() -> None:
    """d / (d + r + f + m), each counted once, as treatment here never fails."""
    model = starting(tb(detection=0.7), {"infectious": 1000.0}, found=events("detection"))
    values = {"transmission_rate": 0, "treatment_success": 0.9, "treatment_death": 0.1}
    found = run(model, [0.0, 1000.0], values)["found"][1]
    assert found / 1000 == pytest.approx(0.7 / (0.7 + 0.22 + 0.13 + 1 / 60), rel=1e-7)


def test_detection_rises_along_its_curve() -> None:
    """A half in the middle, 12% and 88% of it half of the rise before and after."""
    model = starting(tb(), {"infectious": 1e6}, found=events("detection"))
    values = {"detection_middle": 100.0, "detection_rise": 30.0}
    for time, share in ((85.0, 1 / (1 + math.exp(2))), (100.0, 0.5), (115.0, 1 / (1 + math.exp(-2)))):
        found = run(model, [time, time + 1e-4], values)["found"][1]
        assert found == pytest.approx(1e6 * 0.6 * share * 1e-4, rel=1e-3)


@pytest.mark.parametrize("life", [60.0, 5.0])
def test_treatment_ends_in_the_reported_proportions(life: float) -> None:
    """Whatever people die of besides: 85% cured, 10% ill again, and the 5% who died are of all causes."""
    flows = {name: events(name) for name in ("cure", "failure", "death_treated")}
    model = starting(tb(detection=0.0), {"treated": 1000.0}, **flows)
    found = run(model, [0.0, 2000.0], {"transmission_rate": 0, "life_expectancy": life})
    assert found["cure"][1] == pytest.approx(850, rel=1e-7)
    assert found["failure"][1] == pytest.approx(100, rel=1e-7)
    # In half a year 1 / 120 die of other causes; those who live five years on average die of these alone.
    assert found["death_treated"][1] == pytest.approx(50 - 1000 * 0.5 / 60 if life == 60 else 0.0, rel=1e-7)


# -- prevention ------------------------------------------------------------------------------------------


def test_bcg_averts_what_its_coverage_and_efficacy_say() -> None:
    """In each age, of those vaccinated in the years when they were born, and less the longer ago that was."""
    infected = Output(events("infection_of_susceptible", by=["age"]), by=["age"])
    begun = {"susceptible": 1e6, "infectious": 1e3}
    times = [2000.0, 2000.001]
    without = run(starting(tb(COUNTRY), begun, infected=infected), times)
    with_it = run(starting(tb(COUNTRY, bcg={1989.9: 0.0, 1990.1: 0.8}), begun, infected=infected), times)
    for name, age in (("0-4", 2.5), ("5-14", 10.0), ("15-34", 25.0), ("70+", 75.0)):
        covered = {2.5: 0.8, 10.0: 0.4}.get(age, 0.0)
        averted = 1 - with_it[f"infected[{name}]"][1] / without[f"infected[{name}]"][1]
        assert averted == pytest.approx(covered * 0.7 * math.exp(-age / 10), rel=0.01, abs=1e-7), name


@pytest.mark.parametrize("when", [(2018.2, 2018.8), (date(2018, 3, 1), date(2018, 11, 1))])
def test_a_campaign_takes_out_the_part_it_screens(when: tuple[Any, Any]) -> None:
    """80% times the sensitivity of the ill, 80% times the cure of the latent; nobody falls ill or dies meanwhile."""
    model = tb(detection=0.0, campaigns=[Campaign(*when, 0.8, treats_latent=True)])
    left = {"ill": people("infectious"), "latent": people("early_latent", "late_latent")}
    begun = starting(model, {"infectious": 1000.0, "early_latent": 500.0, "late_latent": 500.0}, **left)
    still = dict.fromkeys(["transmission_rate", "progression_ratio", "recovery_rate", "fatality_rate"], 0.0)
    values = {**still, "life_expectancy": 1e9, "treatment_duration": 1e9}
    found = run(begun, [2018.0, 2019.0], values)
    assert found["ill"][1] == pytest.approx(1000 * (1 - 0.8 * 0.75), rel=1e-6)
    assert found["latent"][1] == pytest.approx(1000 * (1 - 0.8 * 0.6), rel=1e-6)


def test_a_campaign_is_held_in_its_place_and_from_its_age_on() -> None:
    found = run(
        replace(
            tb(COUNTRY, places={"town": 0.6, "islands": 0.4}, campaigns=[CAMPAIGN]),
            outputs={"screened": Output(events("screening", by=["age", "place"]), by=["age", "place"])},
        ),
        [1900.0, 2018.0, 2019.0],
    )
    reached = {name for name, series in found.items() if series[2] > 0}
    assert reached == {f"screened[{age}, town]" for age in ("15-34", "35-49", "50-69", "70+")}


def test_preventive_treatment_cures_as_many_as_it_outruns_other_ends() -> None:
    """Of the recently infected o c / (o c + e + s + m), offered at the rate o and curing with the probability c."""
    cured = events("preventive_cure_of_early")
    model = starting(tb(preventive_treatment=2.0), {"early_latent": 1000.0}, cured=cured)
    found = run(model, [0.0, 500.0], {"transmission_rate": 0})["cured"][1]
    rate = 2.0 * 0.6
    other = 365.25 * (EARLY_PROGRESSION[15] + STABILISATION[15]) + 1 / 60
    assert found / 1000 == pytest.approx(rate / (rate + other), rel=1e-7)


# -- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bcg": {1990: 0.9}}, "the model has BCG, but no ages"),
        ({"contacts": np.eye(6)}, "contacts by age, but no ages"),
        ({"demography": COUNTRY, "bcg": {1990: 94}}, "coverage of BCG in 1990 is 94"),
        ({"diabetes": {15: table([1950, 2020], [0, 12])}}, "with diabetes from age 15 is 12"),
        ({"treatment_success": 85}, "85 are cured and some die"),
        ({"treatment_death": table([2000, 2010], [0.1, 0.0])}, "some are cured and 0.1, 0 die"),
        ({"campaigns": [CAMPAIGN]}, "held in `town`, which is no place"),
        ({"places": {"tawn": 1.0}, "campaigns": [CAMPAIGN]}, "did you mean `tawn`"),
        ({"demography": Demography(1.0, {15: 0.1, 5: 0.1}, [0.5, 0.5])}, "ages of the demography are 15, 5"),
    ],
)
def test_options_that_do_not_fit_are_letters(options: Mapping[str, Any], told: str) -> None:
    with pytest.raises(ModelworksError, match="M150") as error:
        tb(**options)
    assert told in str(error.value)


def test_what_is_no_campaign_and_no_band_is_a_letter() -> None:
    with pytest.raises(ModelworksError, match="screens 1 of the people"):
        Campaign(2018.0, 2019.0, 1.0)
    with pytest.raises(ModelworksError, match="in -1 years"):
        Campaign(2019.0, 2018.0, 0.5)
    with pytest.raises(ModelworksError, match="above zero in the last age"):
        stationary_shares({0: 0.1, 5: 0.0})
    with pytest.raises(ModelworksError, match="a band begins at 3"):
        deaths_in_bands({0: 0.1, 5: 0.1}, [0, 3])
