"""What somebody writes wrong in their first model of three ages, and the letter that comes back.

Each is written out as a newcomer would, from the pages that teach it; none may end in a traceback or pass in silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.model import (
    Contacts,
    Exit,
    Infection,
    Model,
    Output,
    Parameter,
    Stratification,
    Transition,
    by,
    events,
    people,
    simulate,
    table,
)

CONTACT = Parameter("contact_rate", "per day", lower=0)
RECOVERY = Parameter("recovery_rate", "per day", lower=0)
VALUES = {"contact_rate": 0.05, "recovery_rate": 0.2}
STRATA = ["child", "adult", "old"]
AGE = Stratification("age", STRATA, split={"child": 0.2, "adult": 0.6, "old": 0.2})
MET = np.array([[6.0, 2.0, 0.5], [1.0, 4.0, 1.0], [0.5, 2.0, 2.0]])
DAYS = range(50)


def infection(**changed: Any) -> Infection:
    usual = {"source": "susceptible", "destination": "infectious", "rate": CONTACT, "infectious": "infectious"}
    return Infection("infection", **{**usual, "contacts": Contacts({"age": MET}), **changed})


RECOVERED = Transition("recovery", "infectious", "recovered", rate=RECOVERY)


def model(*flows: Any, **changed: Any) -> Model:
    usual = {
        "compartments": ["susceptible", "infectious", "recovered"],
        "flows": [*(flows or [infection()]), RECOVERED],
        "stratifications": [AGE],
        "initial": {"susceptible": 990, "infectious": 10},
        "outputs": {"prevalence": people("infectious"), "incidence": events("infection")},
    }
    return Model("influenza", **{**usual, **changed})


def run(*flows: Any, **changed: Any) -> Any:
    return simulate(model(*flows, **changed), VALUES, DAYS)


def ages(**changed: Any) -> Stratification:
    return Stratification("age", **{"strata": STRATA, **changed})


# What was meant: how it was written, the code of the letter, and what it has to say.
MISTAKES: dict[str, tuple[Callable[[], object], str, str]] = {
    # -- the model's own lists ---------------------------------------------------------------------
    "one flow without a list": (lambda: run(flows=infection()), "M128", "where a list belongs"),
    "a flow as a tuple": (lambda: run(("recovery", "infectious", "recovered", 0.1)), "M128", "not a flow"),
    "one stratification without a list": (lambda: run(stratifications=AGE), "M128", "Stratification `age`"),
    "stratifications by name": (lambda: run(stratifications=["age"]), "M128", 'Stratification("age"'),
    "strata counted": (lambda: run(stratifications=[ages(strata=3)]), "M128", "['young', 'old']"),
    "outputs in a list": (lambda: run(outputs=["prevalence"]), "M128", 'outputs={"prevalence": people('),
    "the start in a list": (lambda: run(initial=[990, 10, 0]), "M128", 'initial={"susceptible"'),
    "compartments with numbers": (lambda: run(compartments={"susceptible": 990}), "M128", "where a list belongs"),
    "a unit of time in the singular": (lambda: run(time="day"), "M128", 'time="days"'),
    "a stratification extended by name": (lambda: model().extended(stratifications="dose"), "M128", "text `dose`"),
    # -- names -------------------------------------------------------------------------------------
    "a compartment misspelt": (lambda: run(infection(source="suceptible")), "M101", "did you mean `susceptible`"),
    "the infectious misspelt": (lambda: run(infection(infectious="infected")), "M101", "did you mean `infectious`"),
    "a compartment nobody gets to": (
        lambda: run(compartments=["susceptible", "exposed", "infectious", "recovered"]),
        "M108",
        "nobody can ever be in `exposed`",
    ),
    "a flow misspelt in an output": (lambda: run(outputs={"new": events("infections")}), "M111", "did you mean"),
    "a flow itself in an output": (lambda: run(outputs={"new": events(RECOVERED)}), "M128", "events('recovery')"),
    "compartments of an output in a list": (
        lambda: run(outputs={"all": people(["infectious", "recovered"])}),
        "M128",
        "people('infectious', 'recovered')",
    ),
    "an output asked for by another name": (lambda: run()["prevalance"], "S110", "did you mean `prevalence`"),
    "a stratum misspelt": (lambda: run(outputs={"kids": people(age="children")}), "M103", "did you mean `child`"),
    "strata without their stratification": (
        lambda: run(infection(), Exit("death", "infectious", 0.1, where="old")),
        "M128",
        'where={"age": "old"}',
    ),
    # -- who is how old, and who meets whom --------------------------------------------------------
    "ages without shares": (lambda: run(stratifications=[ages()]), "M106", "share for each stratum"),
    "shares in percent": (lambda: run(stratifications=[ages(split=[20, 60, 20])]), "M107", "sum to 100"),
    "a share too few": (lambda: run(stratifications=[ages(split=[0.2, 0.8])]), "M117", "3 strata"),
    "contacts of two ages": (lambda: run(infection(contacts=Contacts({"age": MET[:2, :2]}))), "M104", "3 rows"),
    "a matrix for contacts": (lambda: run(infection(contacts=MET)), "M104", 'Contacts({"age": matrix})'),
    "settings in a mapping": (
        lambda: run(infection(contacts=Contacts({"age": {"home": MET, "school": MET}}))),
        "M104",
        'Setting("home", home)',
    ),
    "contacts by a name of their own": (
        lambda: run(infection(contacts=Contacts({"ages": MET}))),
        "M103",
        "did you mean `age`",
    ),
    "a mapping for a number": (
        lambda: run(infection(susceptibility={"child": 0.5, "adult": 1, "old": 1})),
        "M120",
        "by(...)",
    ),
    "an age forgotten": (lambda: run(infection(susceptibility=by("age", {"child": 0.5}))), "M117", "`adult`, `old`"),
    "an output by age that is a sum": (
        lambda: run(outputs={"ill": Output(people("infectious"), by=["age"])}),
        "M127",
        'by=["age"]',
    ),
    "an output of a sum that is by age": (lambda: run(outputs={"ill": people(by=["age"])}), "M105", 'by=["age"]'),
    # -- numbers -----------------------------------------------------------------------------------
    "a parameter by its name": (lambda: run(infection(rate="contact_rate")), "M120", "use a Parameter"),
    "a parameter with its value": (lambda: Parameter("contact_rate", 0.05), "M153", "where the model is run"),  # type: ignore[arg-type]
    "bounds the wrong way round": (lambda: Parameter("p", "per day", lower=1, upper=0), "M153", "the lower one first"),
    "a duration for a rate": (
        lambda: run(infection(rate=Parameter("contact_rate", "days"))),
        "M129",
        "per day",
    ),
    "a function of time": (lambda: run(infection(rate=lambda t: 0.1)), "M120", "table(...)"),
    "a comparison": (lambda: 0.1 if CONTACT > 0.2 else 0.05, "M120", "maximum(...)"),
    "a function of Python's": (lambda: math.exp(CONTACT), "M120", "exp, log"),
    "a power in another language": (lambda: CONTACT ^ 2, "M120", "x**2"),
    "nobody infectious": (lambda: run(initial={"susceptible": 1000}), "M115", "nobody starts in `infectious`"),
    "people below zero": (lambda: run(initial={"susceptible": -990, "infectious": 10}), "M110", "sign"),
    # -- the run -----------------------------------------------------------------------------------
    "a value forgotten": (lambda: simulate(model(), {"contact_rate": 0.05}, DAYS), "S105", "`recovery_rate`"),
    "a value misspelt": (lambda: simulate(model(), {**VALUES, "contact_rte": 1}, DAYS), "S104", "did you mean"),
    "values in a list": (lambda: simulate(model(), [0.05, 0.2], DAYS), "S127", "'contact_rate': …"),  # type: ignore[arg-type]
    "a value in quotes": (
        lambda: simulate(model(), {**VALUES, "contact_rate": "0.05"}, DAYS),
        "S127",
        "without quotes",
    ),  # type: ignore[dict-item]
    "many values": (
        lambda: simulate(model(), {**VALUES, "contact_rate": np.ones(3)}, DAYS),  # type: ignore[dict-item]
        "S127",
        "simulate_many",
    ),
    "a number of days for times": (lambda: simulate(model(), VALUES, 365), "S109", "the start, the end"),  # type: ignore[arg-type]
    "a date in quotes": (lambda: simulate(model(), VALUES, DAYS, start="2021-01-01"), "Y110", "date(2021"),  # type: ignore[arg-type]
    "a solver of another tool": (lambda: simulate(model(), VALUES, DAYS, solver="odeint"), "S122", "`rk4`"),
    "an accuracy below zero": (lambda: simulate(model(), VALUES, DAYS, accuracy=-1), "S128", "1e-5"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_newcomers_mistake_comes_back_as_a_letter_that_helps(mistake: str) -> None:
    attempt, code, says = MISTAKES[mistake]
    with pytest.raises(ModelworksError) as told:
        attempt()
    letter = told.value.letters[0]
    assert letter.code == code
    assert says in str(letter)
    assert letter.hint


def test_what_is_natural_is_no_mistake() -> None:
    """A table as a mapping, and NumPy's functions of an expression, mean what they say."""
    distancing = table({0: 1.0, 20: 0.5})
    falling = np.exp(-0.01 * CONTACT)
    found = run(infection(rate=CONTACT * distancing * falling))["incidence"].sum()
    assert found < run()["incidence"].sum()
