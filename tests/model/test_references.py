"""Numbers that other people computed, from closed forms, textbooks and other engines.

Where they come from is said in the README of the references folder. A model that is only expressible
with a flow by mass action is written as a transition whose rate counts the infectious.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from peer_models import covid, read_spec, tuberculosis

from modelworks.model import (
    CompiledModel,
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Output,
    Parameter,
    Stratification,
    Time,
    Transition,
    basic_reproduction_number,
    by,
    events,
    exp,
    log,
    people,
    simulate,
    table,
)
from modelworks.model.library.seir import seir
from modelworks.model.library.sir import sir
from modelworks.model.library.tb import Demography, tb
from modelworks.model.library.tb.disease import infections


def numbers(references: Path, name: str) -> Any:
    return json.loads((references / f"{name}.json").read_text())


def stocks(compartments: Sequence[str], flows: Sequence[Any], initial: Mapping[str, float]) -> Model:
    """A model that reports the people in each of its compartments."""
    return Model(
        "reference", compartments, flows, initial, {name: people(name) for name in compartments if name != "gone"}
    )


def assert_series(
    model: Model, times: Sequence[float], expected: Mapping[str, Sequence[float]], of_peak: float
) -> None:
    """Each output follows its series to within a part of its peak."""
    result = simulate(model, {}, times, accuracy=of_peak / 10)
    for name, series in expected.items():
        np.testing.assert_allclose(result[name], series, rtol=0, atol=of_peak * max(np.abs(series)), err_msg=name)


# -- final sizes -------------------------------------------------------------------------------------


def test_an_epidemic_ends_where_its_final_size_says(references: Path) -> None:
    """1 + W(-R0 exp(-R0)) / R0, the closed form for people who mix evenly."""
    for case in numbers(references, "final_size")["homogeneous"]:
        values = {"contact_rate": case["R0"], "recovery_rate": 1.0, "population": 1e9, "first_cases": 1.0}
        result = simulate(sir(), values, [0.0, 1000.0], accuracy=1e-9)
        # The seed itself never was susceptible: its share is 1e-9, and moves the result by less than 1e-7.
        assert result["incidence"].sum() / 1e9 == pytest.approx(case["final_size"], abs=2e-7)


def test_three_age_groups_end_where_their_final_size_says(references: Path) -> None:
    """Contacts and susceptibility by age, against the solution of the implicit equation."""
    case = numbers(references, "final_size")["polymod_uk_three_groups"]
    population = np.asarray(case["demography"])
    # The source divides contacts by the people met; ours are contacts of one person with a whole group.
    contacts = np.asarray(case["contact_matrix"]) * population
    model = Model(
        "three_groups",
        ["susceptible", "infectious", "recovered"],
        [
            Infection(
                "infection",
                "susceptible",
                "infectious",
                rate=case["R0"],
                infectious="infectious",
                contacts=Contacts({"age": contacts}),
                susceptibility=by("age", case["susceptibility"]),
            ),
            Transition("recovery", "infectious", "recovered", rate=1.0),
        ],
        {"susceptible": by("age", population * (1 - 1e-7)), "infectious": by("age", population * 1e-7)},
        {"infected": Output(events("infection", by=["age"]), by=["age"])},
        [Stratification("age", case["groups"])],
    )
    found = simulate(model, {}, [0.0, 4000.0], accuracy=1e-8)["infected"].sum(axis=0) / population
    np.testing.assert_allclose(found, case["high_accuracy"], atol=2e-6)


# -- textbooks ---------------------------------------------------------------------------------------


def keeling_rohani(program: str, parameters: Mapping[str, Any], initial: Mapping[str, float]) -> Model:
    """The programs as printed: proportions, and infection by mass action."""

    def number(name: str) -> float:
        given = parameters[name]
        if not isinstance(given, str):
            return float(given)
        above, below = given.split("/")
        return float(above) / float(np.prod([float(x) for x in below.strip("()").split("*")]))

    if program == "3.1":
        (high, low), (low_high, low_low) = np.reshape(parameters["beta"], (2, 2))
        return stocks(
            ["SH", "IH", "SL", "IL"],
            [
                Transition("infection_H", "SH", "IH", high * people("IH") + low * people("IL")),
                Transition("infection_L", "SL", "IL", low_high * people("IH") + low_low * people("IL")),
                Transition("recovery_H", "IH", "SH", number("gamma")),
                Transition("recovery_L", "IL", "SL", number("gamma")),
            ],
            initial,
        )
    pressure = number("beta") * people("I")
    born = [Entry("births", "S", number("mu")), Exit("deaths", None, number("mu"))] if "mu" in parameters else []
    if program == "2.6":
        flows = [Transition("onset", "E", "I", number("sigma")), Exit("recovery", "I", number("gamma"))]
        return stocks(["S", "E", "I"], [Transition("infection", "S", "E", pressure), *flows, *born], initial)
    recovery = Transition("recovery", "I", "S" if program == "2.5" else "R", number("gamma"))
    return stocks(list(initial), [Transition("infection", "S", "I", pressure), recovery, *born], initial)


def test_the_textbook_programs_are_reproduced(references: Path) -> None:
    """Keeling and Rohani's programs, recomputed to twelve digits; those printed are less exact."""
    for case in numbers(references, "keeling_rohani_programs")["models"]:
        model = keeling_rohani(case["program"], case["parameters"], case["initial"])
        expected = dict(zip(case["variables"], np.transpose(case["high_accuracy"]), strict=True))
        assert_series(model, case["time"], expected, of_peak=1e-6)


def test_one_group_in_contact_is_reproduced(references: Path) -> None:
    """EpiModel's deterministic SI, SIR and SIS; a transmission is a probability times acts."""
    for case in numbers(references, "epimodel_dcm")["cases"]:
        assert (case["groups"], case["open"]) == (1, 0)
        after = {"SI": None, "SIR": "R", "SIS": "S"}[case["type"]]
        flows: list[Any] = [Infection("infection", "S", "I", case["inf_prob"] * case["parameters"]["act.rate"], "I")]
        if after is not None:
            flows.append(Transition("recovery", "I", after, case["parameters"]["rec.rate"]))
        names = ["S", "I", "R"] if after == "R" else ["S", "I"]
        initial = {name: number for name, number in zip(["S", "I", "R"], case["initial"], strict=False) if number}
        result = simulate(stocks(names, flows, initial), {}, [0.0, case["elapsed"]], accuracy=1e-9)
        assert result["I"][-1] == pytest.approx(case["high_accuracy"], rel=1e-7), case["model"]
        assert result["I"][-1] == pytest.approx(case["expected_epimodel"], rel=1e-4), case["model"]


def vynnycky_white(case: Mapping[str, Any]) -> Model:
    """The spreadsheets' SEIR: births replace deaths, of a population that stays as it is."""
    p = case["parameters"]
    return Model(
        "spreadsheet",
        case["columns"],
        [
            Entry("births", "Susceptible", p["m_per_day"] * people()),
            Infection(
                "infection", "Susceptible", "Pre-infectious", p["R0"] / p["D_infectious_days"], infectious="Infectious"
            ),
            Transition("onset", "Pre-infectious", "Infectious", 1 / p["L_preinfectious_days"]),
            Transition("recovery", "Infectious", "Immune", 1 / p["D_infectious_days"]),
            Exit("deaths", None, p["m_per_day"]),
        ],
        case["initial"],
        {name: people(name) for name in case["columns"]},
    )


def test_the_spreadsheets_of_a_textbook_are_reproduced(references: Path) -> None:
    """Vynnycky and White's difference equations, step by step for up to a hundred years."""
    for case in numbers(references, "vynnycky_white_excel")["compartmental"]:
        result = simulate(vynnycky_white(case), {}, case["time"], solver="euler", step=case["step"])
        for name, expected in zip(case["columns"], np.transpose(case["expected"]), strict=True):
            np.testing.assert_allclose(result[name], expected, rtol=0, atol=case["tolerance"], err_msg=case["id"])
        days = np.arange(case["peak_time"] + 20)
        daily = simulate(vynnycky_white(case), {}, days, solver="euler", step=case["step"])["Infectious"]
        assert days[np.argmax(daily)] == case["peak_time"]
        assert daily.max() == pytest.approx(case["peak_infectious"], abs=case["tolerance"])


def test_mumps_serology_has_the_deviance_of_its_spreadsheet(references: Path) -> None:
    """A catalytic model in which age is the time: how many of each age have been infected, and the rate that fits."""
    from scipy.optimize import minimize_scalar
    from scipy.special import xlogy

    case = numbers(references, "vynnycky_white_excel")["catalytic_serology"][0]
    ages, positive, negative = np.transpose(case["data_age_mid_pos_neg"])
    tested = positive + negative
    force = Parameter("force", "per year", lower=0)
    model = Model(
        "catalytic",
        ["never", "ever"],
        [Transition("infection", "never", "ever", force)],
        {"never": 1.0},
        {"ever": people("ever")},
        time="years",
    )
    compiled = CompiledModel(model, [0.0, *ages], step=0.05)

    def deviance(force: float) -> float:
        share = compiled.run(np.array([force]))[1:, 0]
        seen = xlogy(positive, positive / tested / share) + xlogy(negative, negative / tested / (1 - share))
        return float(2 * seen.sum())

    assert deviance(case["foi"]) == pytest.approx(case["excel_deviance"], abs=1e-6)
    best = minimize_scalar(deviance, bounds=(0.1, 0.4), method="bounded", options={"xatol": 1e-10})
    assert best.x == pytest.approx(case["mle_foi"], abs=1e-6)
    assert best.fun == pytest.approx(case["deviance_at_mle"], abs=1e-6)


def test_r0_is_that_of_the_textbooks_next_generation(references: Path) -> None:
    """Two equal groups whose contacts are the matrix itself, infectious for one unit of time."""
    for case in numbers(references, "vynnycky_white_excel")["next_generation_matrix"]:
        model = Model(
            "generations",
            ["S", "I", "R"],
            [
                Infection("infection", "S", "I", 1.0, "I", contacts=Contacts({"age": case["ngm"]})),
                Transition("recovery", "I", "R", 1.0),
            ],
            {"S": 1000.0},
            {"I": people("I")},
            [Stratification("age", ["young", "old"], split=[0.5, 0.5])],
        )
        assert basic_reproduction_number(model, {}) == pytest.approx(case["R0"], rel=1e-12), case["id"]


# -- published models --------------------------------------------------------------------------------


def _law() -> Model:
    falling = 0.4114 * exp(log(1 - 0.0466) * Time())
    return stocks(
        ["Susceptible", "Infected", "Removed"],
        [
            Infection("infection", "Susceptible", "Infected", 0.4047 * falling, "Infected"),
            Transition("removal", "Infected", "Removed", 0.05),
        ],
        {"Susceptible": 32680000, "Infected": 728, "Removed": 62.0000000000001},
    )


def _smith() -> Model:
    return stocks(
        ["Susceptible", "Infected", "Recovered"],
        [
            Transition("infection", "Susceptible", "Infected", 0.5 * people("Infected")),
            Transition("recovery", "Infected", "Recovered", 0.33),
        ],
        {"Susceptible": 0.999999999999998, "Infected": 1.27e-6},
    )


def _roda() -> Model:
    return stocks(
        ["Susceptible", "Infected", "Recovered", "Confirmed"],
        [
            Transition("infection", "Susceptible", "Infected", 2.09e-07 * people("Infected")),
            Transition("recovery", "Infected", "Recovered", 0.1),
            Transition("confirmation", "Infected", "Confirmed", 0.909),
        ],
        {"Susceptible": 5999755, "Infected": 60},
    )


def _hou() -> Model:
    return stocks(
        ["Susceptible", "Exposed", "Infected", "Recovered"],
        [
            Infection("infection", "Susceptible", "Exposed", 1.0, {"Infected": 6 * 0.04, "Exposed": 18 * 0.02}),
            Transition("onset", "Exposed", "Infected", 0.14),
            Transition("recovery", "Infected", "Recovered", 0.048),
        ],
        {"Susceptible": 11081000 - 193 - 27 - 2, "Exposed": 193, "Infected": 27, "Recovered": 2},
    )


def _malkov() -> Model:
    return stocks(
        ["Susceptible", "Exposed", "Infected", "Recovered"],
        [
            Infection("infection", "Susceptible", "Exposed", 0.05556 * 3, "Infected"),
            Transition("onset", "Exposed", "Infected", 0.19231),
            Transition("recovery", "Infected", "Recovered", 0.05556),
            Transition("waning", "Recovered", "Susceptible", 0.01667),
        ],
        {"Susceptible": 330052960 - 14439817 - 330052.96, "Exposed": 14439817, "Infected": 330052.96},
    )


PUBLISHED: dict[str, Callable[[], Model]] = {
    "BIOMD0000000982": _law,
    "BIOMD0000001045": _smith,
    "BIOMD0000000957": _roda,
    "BIOMD0000000970": _hou,
    "BIOMD0000000979": _malkov,
}


def test_published_models_are_reproduced(references: Path) -> None:
    """Models of BioModels, run there by two engines that agree to ten digits."""
    cases = {case["id"]: case for case in numbers(references, "biomodels_sbml")}
    for name, build in PUBLISHED.items():
        model = build()
        expected = {k: v for k, v in cases[name]["expected"].items() if k in model.compartments}
        assert_series(model, cases[name]["time"], expected, of_peak=1e-6)


def test_two_strains_with_cross_immunity_are_reproduced(references: Path) -> None:
    """A peer's two-strain model with waning and reinfection, and the same solved to high accuracy."""
    case = numbers(references, "summer2_golden")["B_two_strain_sirs"]
    p = case["parameters"]
    rate = p["beta"] * by("strain", {"wild": 1.0, "variant": 1.6})
    model = Model(
        "two_strains",
        ["S", "I", "R"],
        [
            Infection("infection", "S", "I", rate, "I", strain="strain"),
            Infection("reinfection", "R", "I", rate, "I", strain="strain", susceptibility=p["sigma"]),
            Transition("recovery", "I", "R", p["gamma"]),
            Transition("waning", "R", "S", p["omega"]),
        ],
        {"S": case["initial"]["S"], "I": by("strain", {"wild": case["initial"]["W"], "variant": case["initial"]["V"]})},
        {
            "S": people("S"),
            "I_wild": people("I", strain="wild"),
            "I_variant": people("I", strain="variant"),
            "R": people("R"),
        },
        [Stratification("strain", ["wild", "variant"], compartments=["I"])],
    )
    result = simulate(model, {}, case["times"], accuracy=1e-9)
    found = np.transpose([result[name] for name in case["columns"]])
    np.testing.assert_allclose(found, case["high_accuracy"], atol=1e-6 * 10_000)
    np.testing.assert_allclose(found, case["summer2"], atol=1e-6 * 10_000)


def test_the_boarding_school_has_the_boys_in_bed_that_stan_has(references: Path) -> None:
    """The trajectories at which Stan's log-likelihoods were computed: to a millionth of their number."""
    study = next(each for each in numbers(references, "posteriors") if "loglik_points" in each)
    for point in study["loglik_points"]:
        values = {
            "contact_rate": point["beta"],
            "recovery_rate": point["gamma"],
            "population": 763.0,
            "first_cases": 1.0,
        }
        result = simulate(sir(), values, range(15), accuracy=1e-10)
        np.testing.assert_allclose(result["prevalence"][1:], point["I"], rtol=1e-6)


# -- peers -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peers(references: Path, needs: Callable[[str], None]) -> Path:
    """Identical models in other people's tools lie beside the references."""
    needs("peers")
    return references.parent / "peers"


@pytest.fixture(scope="module")
def spec(peers: Path) -> ModuleType:
    """The peers' equations and parameters in NumPy."""
    return read_spec(peers)


@pytest.fixture(scope="module")
def truth(peers: Path) -> dict[str, Any]:
    with np.load(peers / "peer_reference.npz") as file:
        return {name: file[name] for name in file}


def test_a_seir_agrees_with_dop853(spec: ModuleType, truth: dict[str, Any]) -> None:
    """Peer model A: four stocks every day, and all onsets from the stocks they lead to."""
    p = spec.A
    values = {
        "contact_rate": p["beta"],
        "latency_rate": p["sigma"],
        "recovery_rate": p["gamma"],
        "population": p["N"],
        "first_cases": p["I0"],
    }
    result = simulate(seir(), values, truth["A_t"], accuracy=1e-9)
    _, _, infectious, recovered = truth["A_y"].T
    np.testing.assert_allclose(result["prevalence"], infectious, atol=1e-8 * p["N"])
    onsets = np.cumsum(result["incidence"])
    np.testing.assert_allclose(onsets, infectious + recovered - p["I0"], atol=1e-8 * p["N"])


def test_a_covid_model_agrees_with_dop853(spec: ModuleType, truth: dict[str, Any]) -> None:
    """Peer model B, 480 states: every stratum, and nobody dies or arrives uncounted."""
    p, times, people_total = spec.B, truth["B_t"], spec.B["N"]
    # The rates change at the times of the tables, which are whole days.
    result = simulate(covid(p, spec), {}, times, accuracy=1e-7)
    stock = truth["B_y"]
    for name, found, start in (("susceptible", result["susceptible"], 0), ("recovered", result["recovered"], 48)):
        expected = stock[:, start : start + 48].reshape(-1, 16, 3)
        np.testing.assert_allclose(found, expected, atol=1e-7 * people_total, err_msg=name)
    infected = stock[:, 96:].reshape(-1, 4, 16, 3, 2).sum(axis=1)
    np.testing.assert_allclose(result["infected"], infected, atol=1e-7 * people_total)
    np.testing.assert_allclose(result["population"], stock.sum(axis=1), atol=1e-9 * people_total)
    died = np.cumsum(result["deaths"] - result["importations"])
    np.testing.assert_allclose(died, people_total - stock.sum(axis=1), atol=1e-9 * people_total)
    assert result["importations"].sum() == pytest.approx(20 * 21, rel=1e-9)


def test_a_tuberculosis_model_agrees_with_dop853(spec: ModuleType, truth: dict[str, Any]) -> None:
    """Peer model C: 36 stocks from 1800 to 2020; people age in years because the model's time is years."""
    times = truth["C_t"][::100]
    result = simulate(tuberculosis(spec.C, spec), {}, times, accuracy=1e-7)
    expected = truth["C_y"][::100].reshape(-1, 6, 6)
    for k, name in enumerate(("S", "E", "L", "I", "T", "R")):
        peak = expected[:, k].max()
        np.testing.assert_allclose(result[name], expected[:, k], atol=3e-7 * peak, err_msg=name)
    assert expected[-1].sum() == pytest.approx(322_516.6785, abs=1e-3)
    assert sum(result[name][-1].sum() for name in ("S", "E", "L", "I", "T", "R")) == pytest.approx(
        322_516.6785, rel=1e-6
    )


def test_the_library_makes_the_peers_tuberculosis_model_of_its_parts(spec: ModuleType, truth: dict[str, Any]) -> None:
    """Peer model C: people, latency, detection and the untreated end as they are; infection and treatment replaced."""
    p = spec.C
    deaths = {age: table(p["death_t"], list(v)) for age, v in zip(spec.TB_AGES, p["death_v"], strict=True)}
    country = Demography(table(p["birth_t"], p["birth_v"]) * people(), deaths, list(p["age_prop"]))
    waned = zip(p["bcg_mult"], p["bcg_lag"], strict=True)
    protected = [1 - (1 - weight) * table([t + lag for t in p["bcg_t"]], p["bcg_v"]) for weight, lag in waned]
    replaced = [
        *infections(
            country.ages,
            Contacts({"age": spec.MIX_C}),
            protected=by("age", protected),
            infectiousness=dict(zip(spec.TB_AGES, p["inf_age"], strict=True)),
        ),
        Transition("cure", "treated", "recovered", p["tx_rec"]),
        Transition("failure", "treated", "infectious", p["tx_relapse"]),
        Exit("death_treated", "treated", p["tx_death"]),
    ]
    model = tb(country, contacts=spec.MIX_C).extended(flows=replaced, replacing=[flow.name for flow in replaced])
    values = {
        "transmission_rate": p["contact_rate"],
        "reinfection_latent": p["rr_latent"],
        "reinfection_recovered": p["rr_recovered"],
        "infectiousness_treated": p["inf_T"],
        "progression_ratio": p["prog_mult"],
        "recovery_rate": p["self_rec"],
        "fatality_rate": p["tb_death"],
        "detection_rate": p["det_end"] * p["sens"],
        "detection_middle": p["det_infl"],
        "detection_rise": 2 / p["det_shape"],
        "people_at_start": p["N0"],
        "ill_at_start": p["I0"] / p["N0"],
        "latent_at_start": 0.0,
    }
    result = simulate(model, values, truth["C_t"][::100], accuracy=1e-7)
    expected = truth["C_y"][::100].reshape(-1, 6, 6).sum(axis=2)
    everybody = expected.sum(axis=1)
    for name, series in {
        "population": everybody,
        "prevalence": 1e5 * expected[:, 3] / everybody,
        "latent": 100 * (expected[:, 1] + expected[:, 2]) / everybody,
    }.items():
        np.testing.assert_allclose(result[name], series, atol=3e-7 * series.max(), err_msg=name)


def test_parameters_and_numbers_give_the_same_run() -> None:
    """A number written into a model and the same number given to a parameter of it are one thing."""
    fixed = stocks(["S", "I"], [Infection("infection", "S", "I", 0.3, "I")], {"S": 99, "I": 1})
    free = stocks(["S", "I"], [Infection("infection", "S", "I", Parameter("rate", "per day"), "I")], {"S": 99, "I": 1})
    times = range(30)
    np.testing.assert_allclose(simulate(fixed, {}, times)["I"], simulate(free, {"rate": 0.3}, times)["I"], rtol=1e-14)
