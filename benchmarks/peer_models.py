"""The models that peers were timed on, in our words.

Equations and parameters are those of `peer_spec.py`, which lies beside the reference numbers and is not part of
this repository; `p` is one of its dictionaries, in which a number may be replaced by a `Parameter`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from modelworks.model import (
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Move,
    Output,
    Stratification,
    Time,
    Transition,
    by,
    events,
    exp,
    people,
    seasonal,
    table,
)


def read_spec(folder: Path) -> ModuleType:
    """The peers' equations and parameters in NumPy."""
    found = importlib.util.spec_from_file_location("peer_spec", folder / "peer_spec.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def covid(p: Mapping[str, Any], spec: ModuleType, outputs: Mapping[str, Any] | None = None) -> Model:
    """Model B: 16 ages, three doses, two strains, contacts that change, importations."""
    late = by("vaccination", list(p["inf_vacc"]))
    severity = by("vaccination", list(p["sev_vacc"])) * by("strain", list(p["sev_strain"]))
    dying = by("age", list(p["ifr"])) * severity
    doses = table(p["vacc_t"], p["vacc_v"]) * by("age", list(p["vacc_elig"]))
    contact_rate = p["contact_rate"] * table(p["npi_t"], p["npi_v"])
    stocks: dict[str, Any] = {
        "susceptible": Output(people("S", by=["age", "vaccination"]), by=["age", "vaccination"]),
        "recovered": Output(people("R", by=["age", "vaccination"]), by=["age", "vaccination"]),
        "population": people(),
        "infected": Output(
            people("E", "P", "I", "L", by=["age", "vaccination", "strain"]), by=["age", "vaccination", "strain"]
        ),
        "deaths": events("death"),
        "importations": events("importation"),
    }
    return Model(
        "covid",
        ["S", "R", "E", "P", "I", "L"],
        [
            Infection(
                "infection",
                "S",
                "E",
                rate=contact_rate
                * seasonal(p["season_amp"], p["season_peak"], 365.0)
                * by("strain", list(p["trans_strain"])),
                infectious={"P": late, "I": late, "L": p["inf_L"] * late},
                contacts=Contacts({"age": spec.MIX_B}),
                susceptibility=by("age", list(p["susc_age"])) * by("vaccination", list(p["susc_vacc"])),
                strain="strain",
            ),
            Transition("infectious", "E", "P", p["r_EP"]),
            Transition("onset", "P", "I", p["r_PI"]),
            Transition("progression", "I", "L", p["r_IL"]),
            Transition("recovery", "L", "R", p["r_LR"]),
            Exit("death", "L", p["r_LR"] * dying),
            Transition("waning", "R", "S", p["wane"]),
            Move("first_dose", "vaccination", "none", "one", doses, compartments=["S", "R"]),
            Move("second_dose", "vaccination", "one", "full", p["second_dose"], compartments=["S", "R"]),
            Entry(
                "importation",
                "E",
                table(p["imp_t"], p["imp_v"]),
                split={"age": dict.fromkeys(spec.AGES, 1 / 16), "vaccination": "none", "strain": "voc"},
            ),
        ],
        {"S": p["N"] - p["seed"], "E": p["seed"]},
        outputs or stocks,
        [
            Stratification("age", spec.AGES, split=list(spec.AGE_PROP)),
            Stratification("vaccination", spec.VACC, split="none"),
            Stratification("strain", spec.STRAINS, compartments=["E", "P", "I", "L"], split="wild"),
        ],
    )


def tuberculosis(p: Mapping[str, Any], spec: ModuleType, outputs: Mapping[str, Any] | None = None) -> Model:
    """Model C: six ages of people who grow older, two latent stages, births and deaths over 220 years."""

    def by_age(values: Sequence[Any]) -> Any:
        return by("age", list(values))

    ages = [str(age) for age in spec.TB_AGES]
    protection = by_age(
        [
            1 - (1 - weight) * table([t + lag for t in p["bcg_t"]], p["bcg_v"])
            for weight, lag in zip(p["bcg_mult"], p["bcg_lag"], strict=True)
        ]
    )
    # tanh(x) / 2 + 1 / 2 is the logistic function of 2 x.
    share = 1.0 / (1.0 + exp(-2.0 * p["det_shape"] * (Time() - p["det_infl"])))
    infection = {
        "rate": p["contact_rate"],
        "infectious": {"I": by_age(p["inf_age"]), "T": p["inf_T"] * by_age(p["inf_age"])},
        "contacts": Contacts({"age": spec.MIX_C}),
    }
    return Model(
        "tuberculosis",
        ["S", "E", "L", "I", "T", "R"],
        [
            Infection("infection", "S", "E", susceptibility=protection, **infection),
            Infection("superinfection", "L", "E", susceptibility=p["rr_latent"], **infection),
            Infection("reinfection", "R", "E", susceptibility=p["rr_recovered"], **infection),
            Transition("stabilisation", "E", "L", by_age(p["stab"])),
            Transition("early_activation", "E", "I", by_age(p["early"])),
            Transition("late_activation", "L", "I", by_age(p["late"])),
            Transition("self_recovery", "I", "R", p["self_rec"]),
            Transition("detection", "I", "T", share * p["det_end"] * p["sens"]),
            Transition("cure", "T", "R", p["tx_rec"]),
            Transition("relapse", "T", "I", p["tx_relapse"]),
            Exit("tb_death", "I", p["tb_death"]),
            Exit("treatment_death", "T", p["tx_death"]),
            Exit("death", None, by_age([table(p["death_t"], list(values)) for values in p["death_v"]])),
            Entry("birth", "S", table(p["birth_t"], p["birth_v"]) * people(), split={"age": "0"}),
        ],
        {"S": p["N0"] - p["I0"], "I": p["I0"]},
        outputs or {name: Output(people(name, by=["age"]), by=["age"]) for name in ("S", "E", "L", "I", "T", "R")},
        [Stratification("age", ages, split=list(p["age_prop"]), widths=np.diff(spec.TB_AGES).tolist())],
        time="years",
    )


def covid_rates(p: Mapping[str, Any]) -> dict[str, Any]:
    """What peers put out of model B: rates of onset in all strata, deaths by age, and stocks."""

    def onsets(*strata: str) -> Output:
        return Output(p["r_PI"] * people("P", by=list(strata)), by=list(strata))

    return {
        "incidence": onsets(),
        "incidenceXage": onsets("age"),
        "incidenceXstrain": onsets("strain"),
        "incidenceXvaccination": onsets("vaccination"),
        "deaths": events("death"),
        "deathsXage": Output(events("death", by=["age"]), by=["age"]),
        "prevalence": people("P", "I", "L"),
        "prop_recovered": Output(people("R") / people(), "proportion"),
        "pop": people(),
    }


def tuberculosis_rates(p: Mapping[str, Any]) -> dict[str, Any]:
    """What peers put out of model C: people, prevalence, latent infection, and activation by age."""
    activation = by("age", list(p["early"])) * people("E", by=["age"]) + by("age", list(p["late"])) * people(
        "L", by=["age"]
    )
    return {
        "population": people(),
        "prevalence": 1e5 * people("I") / people(),
        "perc_latent": 100.0 * people("E", "L") / people(),
        "incXage": Output(activation, by=["age"]),
    }


def skeleton(spec: ModuleType, variants: int = 2) -> Model:
    """A national model of COVID-19 at its real size, every rate constant: 6,272 states, or more with more variants.

    Six compartments by age, clinical status, strain, tracing, vaccination and history, as in `peer_autumn_scale.py`.
    The variants past are the strata of `history`: naive, or one had before.
    """
    p = spec.B
    infected, infectious = ("E", "P", "I", "L"), ("P", "I", "L")
    clinical = {"none": 0.4, "mild": 0.4, "isolated": 0.15, "hospital": 0.04, "icu": 0.01}
    weight = by("clinical", {name: 0.5 if name == "none" else 1.0 for name in clinical})
    history = ["naive", *(f"had {k}" for k in range(1, variants))]
    strains = {"wild": 1.0, "alpha": 1.5, "delta": 2.5}
    return Model(
        "skeleton",
        ["S", "E", "P", "I", "L", "R"],
        [
            Infection(
                "infection",
                "S",
                "E",
                rate=p["contact_rate"] * by("strain", strains),
                infectious=dict.fromkeys(infectious, weight),
                contacts=Contacts({"age": spec.MIX_B}),
                susceptibility=by("age", list(p["susc_age"])) * by("vaccination", [1.0, 0.5]),
                strain="strain",
                split={"tracing": "untraced"},
            ),
            Transition("infect_onset", "E", "P", p["r_EP"], split={"clinical": clinical}),
            Transition("incidence", "P", "I", p["r_PI"]),
            Transition("progress", "I", "L", p["r_IL"]),
            Transition("recovery", "L", "R", p["r_LR"]),
            Exit("infect_death", "L", 0.001),
            Move("tracing", "tracing", "untraced", "traced", 0.05, compartments=["E"]),
            Move("vacc", "vaccination", "unvaccinated", "one_dose", 0.004, compartments=["S", "R"]),
            Transition("waning", "R", "S", 1 / 365.0, where={"history": "naive"}, becoming={"history": history[1]}),
        ],
        {"S": p["N"] - p["seed"], "E": p["seed"]},
        {"incidence": events("incidence"), "deaths": events("infect_death")},
        [
            Stratification("age", spec.AGES, split=list(spec.AGE_PROP)),
            Stratification("clinical", list(clinical), compartments=infectious, split="none"),
            Stratification(
                "strain", list(strains), compartments=infected, split={"wild": 0.98, "alpha": 0.01, "delta": 0.01}
            ),
            Stratification("tracing", ["traced", "untraced"], compartments=infected, split="untraced"),
            Stratification("vaccination", ["unvaccinated", "one_dose"], split="unvaccinated"),
            Stratification("history", history, split="naive"),
        ],
    )
