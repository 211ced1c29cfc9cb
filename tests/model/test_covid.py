"""The national model of COVID-19: each part does what it says, by arithmetic of its own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from modelworks.dates import Calendar
from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Model,
    Output,
    Outputs,
    basic_reproduction_number,
    diagram,
    events,
    micro_distancing,
    mobility,
    people,
    settle_step,
    simulate,
    table,
)
from modelworks.model.library.covid import (
    Country,
    Risks,
    RollOut,
    Strain,
    covid,
    detection_by_testing,
    typical_values,
)
from modelworks.model.library.covid.course import CLINICAL, FOUND

START = date(2021, 1, 1)
YEAR = np.arange(0.0, 366.0)
STRAINS = (Strain("first"), Strain("delta", (START + timedelta(30), START + timedelta(60))))
OF_STRAINS = {"transmissibility_delta": 1.6, "severity_delta": 2.0, "arrivals_delta": 5.0}
YOUNGEST = (0, 20, 65)
PEOPLE = (3e6, 5e6, 2e6)
MET = np.tile(np.array(PEOPLE) / sum(PEOPLE), (3, 1))
COUNTRY = Country(PEOPLE, {"home": 3 * MET, "school": 2 * np.diag([1.0, 0.1, 0.0]), "work": 5 * MET}, YOUNGEST)
DATES = [START + timedelta(14 * k) for k in range(6)]
FIRST = np.outer(np.linspace(0.05, 0.9, 6), [0.2, 0.9, 1.0])
SECOND = np.outer([0.0, 0.02, 0.2, 0.4, 0.6, 0.8], [0.2, 0.9, 1.0])


def run(model: Model, values: dict[str, float] | None = None, times: Any = YEAR, **more: Output) -> Outputs:
    """A model with typical values, but for some, and with outputs of the test's own."""
    known = typical_values(model) | {name: value for name, value in OF_STRAINS.items() if name in model.parameters}
    return simulate(model.extended(outputs=more), known | (values or {}), times, start=START, accuracy=1e-6)


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "scales": {"scales": {"school": 0.5}, "micro_distancing": micro_distancing(0.3, table([0, 50], [0.0, 1.0]))},
    "testing": {"tests": table([0, 100], [0.0, 0.005])},
    "detection": {"detection": table([0, 100], [0.1, 0.5])},
    "tracing": {"tracing": True},
    "no symptoms told apart": {"symptoms": False, "intensive_care": False, "strains": STRAINS},
    "tracing without symptoms": {"symptoms": False, "tracing": True},
    "strains": {"strains": STRAINS},
    "vaccination": {"vaccination": RollOut(DATES, FIRST)},
    "waning vaccines": {"vaccination": RollOut(DATES, FIRST, wanes=True)},
    "more doses than ages": {"vaccination": RollOut(DATES, FIRST, SECOND, wanes=True)},
    "history": {"history": True, "waning": True},
    "cross-immunity": {"history": True, "strains": STRAINS, "cross_immunity": True},
    "most": {
        "scales": {"school": 0.5, "work": mobility(DATES, [-50, -40, -30, -20, -10, 0])},
        "tracing": True,
        "tests": 0.002,
        "strains": STRAINS,
        "vaccination": RollOut(DATES, FIRST),
        "waning": True,
        "history": True,
    },
}
SLOW = {"detection", "tracing without symptoms", "most", "more doses than ages", "cross-immunity", "waning vaccines"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in OPTIONS])
def test_with_any_part_nobody_is_lost_and_nobody_is_negative(name: str) -> None:
    model = covid(COUNTRY, **OPTIONS[name])
    assert model.check() == ()
    found = run(model, times=YEAR[::5], everybody=Output(people()))
    assert found["everybody"] + found["deaths"].cumsum() == pytest.approx(sum(PEOPLE), rel=1e-9)
    assert all(found[each].min() >= 0 for each in model.outputs)
    assert found["infections"].sum() > 1000
    assert found["deaths_by_age"].sum(axis=1) == pytest.approx(found["deaths"])


# -- the course of the disease -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def epidemic() -> Outputs:
    """One that is over within its time."""
    by_age = Output(events("infection", by=["age"]), by=["age"])
    symptomatic = Output(events("progression", clinical=CLINICAL[1:]))
    model = covid(COUNTRY, tests=0.002)
    return run(model, times=np.arange(0.0, 601.0), infections_by_age=by_age, symptomatic=symptomatic)


def test_occupancy_is_admissions_times_stay(epidemic: Outputs) -> None:
    """Little's law over a whole epidemic: person-days in intensive care, and in wards."""
    wards = epidemic["admissions"].sum() - epidemic["icu_admissions"].sum()
    intensive = epidemic["icu_occupancy"]
    assert np.trapezoid(intensive) == pytest.approx(epidemic["icu_admissions"].sum() * 10.1, rel=1e-4)
    assert np.trapezoid(epidemic["hospital_occupancy"] - intensive) == pytest.approx(wards * 7.2, rel=1e-4)


def test_of_the_infected_of_an_age_as_many_die_as_published(epidemic: Outputs) -> None:
    """Whatever the shares of wards and intensive care."""
    fatality = epidemic["deaths_by_age"].sum(axis=0) / epidemic["infections_by_age"].sum(axis=0)
    # The first 1000, who are infected already when the model starts, are not among its infections.
    adults = (10 * (3.09e-4 + 8.44e-4 + 1.61e-3 + 5.95e-3) + 5 * 0.0193) / 45
    assert fatality == pytest.approx([(1.61e-5 + 6.95e-5) / 2, adults, (0.0193 + 0.0428) / 2], rel=1e-3)


def test_of_the_infected_as_many_are_admitted_as_published(epidemic: Outputs) -> None:
    adults = (10 * (0.0104 + 0.0343 + 0.0425 + 0.0816) + 5 * 0.118) / 45
    admitted = (epidemic["infections_by_age"].sum(axis=0) * [0.000408, adults, (0.118 + 0.166) / 2]).sum()
    assert epidemic["admissions"].sum() == pytest.approx(admitted, rel=1e-3)


def test_the_symptomatic_are_found_as_the_curve_of_testing_says(epidemic: Outputs) -> None:
    """At twice the reference testing, 1 - (1 - 0.4)^2 of those with symptoms."""
    assert epidemic["notifications"].sum() / epidemic["symptomatic"].sum() == pytest.approx(0.64, rel=1e-3)
    assert epidemic["detection"] == pytest.approx(0.64)


def test_more_testing_finds_ever_less_more() -> None:
    curve = covid(COUNTRY, tests=table([0, 100], [0.0, 0.01])).outputs["detection"]
    model = covid(COUNTRY).extended(outputs={"detection": curve}, replacing="detection")
    found = run(model, {"reference_detection": 0.3, "reference_testing": 0.001}, [0, 10, 20, 40, 100])["detection"]
    assert found == pytest.approx([0.0, *(1 - 0.7**times for times in (1, 2, 4, 10))])
    assert detection_by_testing(0.001).parts()


def test_r0_is_that_of_the_arithmetic() -> None:
    """Homogeneous contacts: p c s times the days people infect, weighted by infectiousness, of each clinical course."""
    risks = Risks([1.0] * 3, [0.6] * 3, [0.05] * 3, [0.2] * 3, [0.01] * 3)
    model = covid(Country(PEOPLE, {"home": 8 * MET}, YOUNGEST), risks=risks)
    v = {**typical_values(model), "recovered_at_start": 0.0}
    found, not_symptomatic = 0.4 * 0.6, 0.4
    # Deaths end stays as recovery does.
    late = (not_symptomatic * 0.5 + 0.6 - found) * 4.0 + 0.2 * ((found - 0.05) * 4.0 + 0.04 * 7.2 + 0.01 * 10.1)
    days = (0.6 + 0.4 * 0.5) * (2.3 + 2.5) + late
    assert basic_reproduction_number(model, v) == pytest.approx(0.07 * 8 * days, rel=1e-9)


def test_without_symptoms_each_infects_as_the_mean_of_their_age() -> None:
    """Where nobody is found it makes no difference who had symptoms."""
    risks = Risks([1.0] * 3, [0.2, 0.4, 0.7], [1e-9] * 3, [0.2] * 3, [1e-9] * 3)
    told, alike = (covid(COUNTRY, risks=risks, detection=0.0, symptoms=each) for each in (True, False))
    infections = [run(each, times=YEAR[::5])["infections"] for each in (told, alike)]
    assert infections[0][10:].max() > 1e5
    assert infections[1] == pytest.approx(infections[0], rel=1e-5)


def test_without_symptoms_the_found_are_of_all_the_infected() -> None:
    found = run(covid(COUNTRY, symptoms=False), times=np.arange(0.0, 601.0, 10.0))
    assert found["notifications"].sum() / found["incidence"].sum() == pytest.approx(0.4, rel=1e-2)


@pytest.mark.slow
def test_without_intensive_care_as_many_are_admitted_and_die() -> None:
    """Where stays are equally long; who is in intensive care is not known then."""
    stays = {"days_hospital": 8.0, "days_intensive_care": 8.0}
    model = covid(COUNTRY, intensive_care=False)
    whole, short = run(covid(COUNTRY), stays), run(model, {"days_hospital": 8.0})
    for name in ("infections", "admissions", "hospital_occupancy", "deaths"):
        assert short[name] == pytest.approx(whole[name], rel=1e-6, abs=1e-6)
    assert "icu_occupancy" not in model.outputs
    assert "fatality_intensive_care" not in model.parameters


# -- contacts --------------------------------------------------------------------------------------------


def test_a_closed_school_is_no_school() -> None:
    without = Country(PEOPLE, {name: COUNTRY.contacts[name] for name in ("home", "work")}, YOUNGEST)
    closed, none = (run(each)["infections"] for each in (covid(COUNTRY, scales={"school": 0.0}), covid(without)))
    assert closed == pytest.approx(none, rel=1e-12)


@pytest.mark.slow
def test_care_on_both_sides_counts_twice_and_not_at_home() -> None:
    """At work a third of the risk away on either side leaves four ninths; homes stay as they are."""
    country = Country(PEOPLE, {"home": 4 * MET, "work": 4 * MET}, YOUNGEST)
    careful = run(covid(country, micro_distancing=micro_distancing(1 / 3, 1.0)))["infections"]
    assert careful == pytest.approx(run(covid(country, scales={"work": 4 / 9}))["infections"], rel=1e-9)


# -- strains ---------------------------------------------------------------------------------------------


def growth(transmissibility: float) -> float:
    """Growth per day while nearly all are susceptible, of the linear chain: the largest eigenvalue."""
    infectiousness, found = 0.6 + 0.4 * 0.5, 0.4 * 0.6
    late = (0.4 * 0.5 + 0.6 - found) + 0.2 * found
    a, b, c, d = 1 / 2.9, 1 / 2.3, 1 / 2.5, 1 / 4.0
    beta = 0.03 * 8 * transmissibility
    chain = np.diag([-a, -b, -c, -d]) + np.diag([a, b, c], -1)
    chain[0, 1:] += beta * np.array([infectiousness, infectiousness, late])
    return float(np.linalg.eigvals(chain).real.max())


def test_the_share_of_a_strain_follows_the_difference_of_growth() -> None:
    """The logarithm of their ratio is a straight line as long as few are infected."""
    # So few are admitted or die that it changes nothing; an output of nobody would be told as a mistake.
    risks = Risks([1.0] * 3, [0.6] * 3, [1e-9] * 3, [0.2] * 3, [1e-9] * 3)
    model = covid(Country([1e12] * 3, {"home": np.full((3, 3), 8 / 3)}, YOUNGEST), risks=risks, strains=STRAINS)
    share = run(model, {"transmission_probability": 0.03}, np.arange(0.0, 181.0, 30.0))["share_delta"]
    slope = np.diff(np.log(share[3:] / (1 - share[3:]))) / 30
    assert slope == pytest.approx(growth(1.6) - growth(1.0), rel=1e-3)


def test_nobody_has_a_strain_before_it_arrives() -> None:
    found = run(covid(COUNTRY, strains=STRAINS))
    assert np.all(found["share_delta"][:31] == 0)
    assert found["share_delta"][32] > 0
    assert found["share_first"] + found["share_delta"] == pytest.approx(1.0)


def test_a_single_strain_can_be_brought_in_too() -> None:
    """Of 10 a day for 30 days as many are infected as are susceptible, and nobody infects anybody else."""
    model = covid(COUNTRY, strains=[Strain("first", (START + timedelta(30), START + timedelta(60)))])
    values = {"infected_at_start": 0.0, "recovered_at_start": 0.2 * sum(PEOPLE), "transmission_probability": 0.0}
    came = Output(events("arrival_first"))
    found = run(model, values | {"arrivals_first": 10.0}, came=came)["came"]
    assert found.sum() == pytest.approx(0.8 * 300, rel=1e-3)
    assert np.flatnonzero(found).tolist() == list(range(31, 61))


@pytest.mark.slow
def test_the_recovered_are_infected_by_another_strain_alone() -> None:
    model = covid(COUNTRY, **OPTIONS["cross-immunity"])
    again = {
        f"{had}_{strain}": Output(events("reinfection", history=had, strain=strain))
        for had in ("first", "delta")
        for strain in ("first", "delta")
    }
    values = {"recovered_at_start": 5e6, "cross_immunity": 0.2}
    # That nobody is infected twice by one strain can be read off the model, and is told.
    with pytest.raises(ModelworksError) as told:
        run(model, values, YEAR[::10], **again)
    named = {name for name in again for letter in told.value.letters if f"`{name}`" in letter.message}
    assert named == {"first_first", "delta_delta"}
    again = {name: each for name, each in again.items() if name not in named}
    found = run(model, values, YEAR[::10], **again)
    assert found["first_delta"].sum() > 1000
    immune = run(model, {**values, "cross_immunity": 1.0}, YEAR[::10], **again)
    assert immune["first_delta"].sum() == 0


# -- tracing ---------------------------------------------------------------------------------------------


def test_tracing_falls_with_prevalence_as_it_says() -> None:
    """Of the infected that part is traced which is by those who are found, times what the load leaves."""
    ill = {
        f"{place}_{stratum}": Output(people(place, clinical=stratum))
        for place in ("early_active", "late_active")
        for stratum in CLINICAL
    }
    counts = {"traced_now": Output(people("incubating", tracing="traced")), "everybody": Output(people())}
    found = run(covid(COUNTRY, tracing=True), {"infected_at_start": 5000.0}, **ill, **counts)
    weight = {
        **{f"early_active_{each}": 0.5 if each == CLINICAL[0] else 1.0 for each in CLINICAL},
        **{f"late_active_{each}": 0.2 for each in FOUND},
        "late_active_not_symptomatic": 0.5,
        "late_active_undetected": 1.0,
    }
    days = slice(20, 200)
    by_found = sum(weight[each] * found[each] for each in ill if each.endswith(FOUND))
    by_all = sum(weight[each] * found[each] for each in ill)
    prevalence = sum(found[each] for each in ill) / found["everybody"]
    assert found["traced"][days] == pytest.approx((0.6 * by_found / by_all * np.exp(-prevalence / 0.001))[days])
    assert np.ptp(found["traced"][days]) > 0.05
    assert found["traced_now"].max() > 10


@pytest.mark.slow
def test_tracing_slows_an_epidemic_by_finding_and_quarantine() -> None:
    early = YEAR[:60]
    plain = run(covid(COUNTRY), times=early)["infections"]
    traced = covid(COUNTRY, tracing=True)
    useless, useful = (
        run(traced, {"tracing_coverage": each, "tracing_load": 1.0}, early)["infections"] for each in (0.0, 0.9)
    )
    assert useful.sum() < 0.8 * plain.sum()
    assert useless == pytest.approx(plain, rel=1e-5)


# -- vaccination -----------------------------------------------------------------------------------------


def test_coverage_in_the_model_is_that_of_the_table() -> None:
    """Two weeks and a night after each date, dose by dose; nobody is infected, so nobody is missing."""
    days = [(day - START).days + 15.0 for day in DATES]
    shares = np.array(PEOPLE) / sum(PEOPLE)
    model = covid(COUNTRY, vaccination=RollOut(DATES, FIRST, SECOND))
    found = run(model, {"infected_at_start": 0.0}, [0.0, *days, 200.0])
    for dose, coverage in (("dose_1", FIRST), ("dose_2", SECOND)):
        expected = coverage @ shares
        assert found[f"coverage_{dose}"] == pytest.approx([expected[0] * 0, *expected, expected[-1]], abs=1e-3)
        assert found[f"coverage_{dose}"][2:] == pytest.approx([*expected[1:], expected[-1]], rel=1e-3)


def test_protection_of_a_dose_wanes_to_what_remains() -> None:
    """Long after the last dose, exponentially."""
    model = covid(COUNTRY, vaccination=RollOut(DATES, FIRST, wanes=True))
    protected = Output(people(vaccination="dose_1"))
    found = run(model, {"infected_at_start": 0.0}, [0.0, 100.0, 190.0, 280.0], protected=protected)["protected"]
    assert found[2:] / found[1:-1] == pytest.approx(np.exp(-90 / 180), rel=1e-5)


def test_protection_against_severity_spares_deaths_and_not_infections() -> None:
    # Nobody infects others from isolation or hospital, and few die: so infections do not follow from severity.
    nothing = {"protection_infection_dose_1": 0.0, "protection_onward_dose_1": 0.0, "infectiousness_isolated": 0.0}
    nothing |= {"fatality_multiplier": 1e-3}
    model = covid(COUNTRY, vaccination=RollOut(DATES, FIRST, days_to_protection=0))
    slow = nothing | {"transmission_probability": 0.04, "infected_at_start": 100.0}
    unprotected, protected = (run(model, slow | {"protection_severity_dose_1": each}) for each in (0.0, 0.9))
    assert protected["infections"].sum() == pytest.approx(unprotected["infections"].sum(), rel=1e-5)
    assert protected["deaths"].sum() < 0.3 * unprotected["deaths"].sum()
    assert protected["admissions"].sum() < 0.5 * unprotected["admissions"].sum()


@pytest.mark.parametrize("against", ["infection", "onward"])
def test_protection_against_infection_and_onward_spares_infections(against: str) -> None:
    model = covid(COUNTRY, vaccination=RollOut(DATES, FIRST, days_to_protection=0))
    values = {f"protection_{each}_dose_1": 0.0 for each in ("infection", "onward", "severity")}
    values |= {"transmission_probability": 0.04, "infected_at_start": 100.0}
    none, some = (run(model, values | {f"protection_{against}_dose_1": each}) for each in (0.0, 0.8))
    assert some["infections"].sum() < 0.8 * none["infections"].sum()


# -- immunity --------------------------------------------------------------------------------------------


def test_waning_restores_susceptibility() -> None:
    """The recovered return, exponentially, in a year on average."""
    values = {"infected_at_start": 0.0, "recovered_at_start": 4e6}
    found = run(covid(COUNTRY, waning=True), values, susceptible=Output(people("susceptible")))["susceptible"]
    assert found == pytest.approx(sum(PEOPLE) - 4e6 * np.exp(-YEAR / 365), rel=1e-6)


def test_who_was_infected_is_remembered_and_protected() -> None:
    model = covid(COUNTRY, history=True, waning=True)
    values = {"recovered_at_start": 4e6, "days_immune": 20.0}
    again = Output(events("infection", history="infected"))
    leaky, complete = (run(model, values | {"protection_previous_infection": each}, again=again) for each in (0.5, 1.0))
    assert leaky["again"].sum() > 1e5
    assert complete["again"].sum() == 0
    assert complete["seropositivity"][0] == pytest.approx(0.4)
    # Protection is complete and nobody is forgotten: whoever recovers is counted once.
    assert np.all(np.diff(complete["seropositivity"]) >= -1e-9)


# -- all of it -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_largest_form_is_whole() -> None:
    """Five thousand states: gradients agree with differences, and it can be drawn and written out."""
    coverage = [np.repeat(each, (4, 9, 3), axis=1) for each in (FIRST, SECOND)]
    options = {**OPTIONS["most"], "scales": None, "vaccination": RollOut(DATES, *coverage, wanes=True)}
    model = covid(**options)
    compiled = CompiledModel(model, YEAR[:101:10], calendar=Calendar("days", START))
    assert compiled.program.lane_stratification == "age"
    assert len(compiled.program.stocks) * 16 == 5120
    assert diagram(model).startswith("<svg")
    assert "infection" in model.equations()
    at = compiled.vector({**typical_values(model), **OF_STRAINS})
    settle_step(compiled, at, 1e-5)
    outputs, pullback = compiled.run_with_pullback(at)
    chosen = [compiled.outputs.index(name) for name in ("deaths", "share_delta", "traced")]
    pick = np.zeros_like(outputs)
    pick[-1, chosen] = 1.0
    gradient = pullback(pick)
    for name in ("transmission_probability", "severity_delta", "tracing_load", "days_of_vaccine_protection"):
        k = list(compiled.parameters).index(name)
        step = np.zeros_like(at)
        step[k] = 1e-5 * at[k]
        up, down = (compiled.run(at + sign * step)[-1, chosen].sum() for sign in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / (2 * step[k]), rel=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: covid(scales={"schol": 0.5}), "schol"),
        (lambda: covid(COUNTRY, scales={"schol": 0.5}), "did you mean `school`"),
        (lambda: covid(strains=()), "no strain"),
        (lambda: covid(detection=0.4, tests=0.001), "not both"),
        (lambda: covid(detection=table([0, 100], [10, 40])), "is 10, which is no proportion"),
        (lambda: covid(detection=-0.1), "no proportion"),
        (lambda: covid(cross_immunity=True), "between strains"),
        (lambda: Country([1.0, 2.0], {"home": MET}), "2 ages"),
        (lambda: RollOut(DATES, 100 * FIRST), "below 1"),
        (lambda: RollOut(DATES, FIRST[::-1]), "falls"),
        (lambda: RollOut(DATES, FIRST[0]), "shape"),
        (lambda: RollOut(DATES[:1], FIRST[:1]), "two dates"),
        (lambda: Risks([1.0], [30.0], [0.1], [0.1], [0.0]), "symptomatic"),
        (lambda: Risks([1.0], [0.3], [0.0], [0.1], [0.1]), "nobody is admitted"),
    ],
)
def test_what_does_not_fit_is_told(wrong: Any, message: str) -> None:
    with pytest.raises(ModelworksError, match=message) as caught:
        wrong()
    assert caught.value.codes == ("M150",)
