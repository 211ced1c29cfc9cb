"""Susceptible, exposed, infectious, recovered: an SIR with a latent period."""

from __future__ import annotations

from modelworks.model._declaration import Infection, Output, Transition
from modelworks.model._expression import Parameter, events, people
from modelworks.model._model import Model
from modelworks.model.library._example import Example

EXAMPLE = Example(
    {"contact_rate": 0.5, "latency_rate": 0.3, "recovery_rate": 0.2, "population": 1e5, "first_cases": 10}, until=250
)


def seir() -> Model:
    """A closed population that mixes homogeneously; infected people are not infectious at first.

    Parameters: `contact_rate`, `latency_rate` and `recovery_rate` (per day), `population` and
    `first_cases` (people).
    """
    contact_rate = Parameter("contact_rate", "per day", lower=0, meaning="people infected by one case a day at first")
    latency_rate = Parameter("latency_rate", "per day", lower=0, meaning="one over the latent period")
    recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
    population = Parameter("population", "people", lower=0, meaning="everybody")
    first_cases = Parameter("first_cases", "people", lower=0, meaning="people infectious at the start")
    return Model(
        name="seir",
        description="Susceptible, exposed, infectious, recovered.",
        compartments=["susceptible", "exposed", "infectious", "recovered"],
        flows=[
            Infection("infection", "susceptible", "exposed", rate=contact_rate, infectious="infectious"),
            Transition("onset", "exposed", "infectious", rate=latency_rate),
            Transition("recovery", "infectious", "recovered", rate=recovery_rate),
        ],
        initial={"susceptible": population - first_cases, "infectious": first_cases},
        outputs={
            "prevalence": Output(people("infectious"), title="People infectious"),
            "incidence": Output(events("onset"), title="New infectious people"),
        },
        derived={"basic_reproduction_number": contact_rate / recovery_rate},
    )
