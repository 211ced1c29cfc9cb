"""Susceptible, infectious, recovered: the smallest model of an epidemic (Kermack and McKendrick 1927)."""

from __future__ import annotations

from modelworks.model._declaration import Infection, Output, Transition
from modelworks.model._expression import Parameter, events, people
from modelworks.model._model import Model
from modelworks.model.library._example import Example

EXAMPLE = Example({"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1e5, "first_cases": 10}, until=150)


def sir() -> Model:
    """A closed population that mixes homogeneously, with immunity that lasts.

    Parameters: `contact_rate` and `recovery_rate` (per day), `population` and `first_cases` (people).
    """
    contact_rate = Parameter("contact_rate", "per day", lower=0, meaning="people infected by one case a day at first")
    recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
    population = Parameter("population", "people", lower=0, meaning="everybody")
    first_cases = Parameter("first_cases", "people", lower=0, meaning="people infectious at the start")
    return Model(
        name="sir",
        description="Susceptible, infectious, recovered.",
        compartments=["susceptible", "infectious", "recovered"],
        flows=[
            Infection("infection", "susceptible", "infectious", rate=contact_rate, infectious="infectious"),
            Transition("recovery", "infectious", "recovered", rate=recovery_rate),
        ],
        initial={"susceptible": population - first_cases, "infectious": first_cases},
        outputs={
            "prevalence": Output(people("infectious"), title="People infectious"),
            "incidence": Output(events("infection"), title="New infections"),
        },
        derived={"basic_reproduction_number": contact_rate / recovery_rate},
    )
