"""An SEIR by age: who meets whom, how susceptible each age is, and births, deaths and ageing where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from modelworks.model._declaration import Contacts, Entry, Exit, Flow, Infection, Output, Stratification, Transition
from modelworks.model._expression import Number, Parameter, by, events, leaving, length_of_year, people
from modelworks.model._model import Model
from modelworks.model.library._bands import age_bands
from modelworks.model.library._example import Example

EXAMPLE = Example(
    {
        "transmission_probability": 0.04,
        "latency_rate": 0.25,
        "recovery_rate": 0.2,
        "population": 1e6,
        "first_cases": 100,
    },
    until=300,
)


def seir_age(
    contacts: ArrayLike | None = None,
    *,
    widths: Sequence[float] = (15, 50, 15),
    shares: Sequence[float] | None = None,
    susceptibility: Sequence[Number] | None = None,
    demography: bool = False,
) -> Model:
    r"""An SEIR of people of several ages, $\lambda_i = p\, s_i \sum_j C_{ij} I_j / N_j$.

    Parameters of the model: `transmission_probability` (probability per contact), `latency_rate` and
    `recovery_rate` (per day), `population` and `first_cases` (people, shared over the ages as everybody is).

    Parameters
    ----------
    contacts
        Contacts per person and day $C$, shape (age, age): row who reports, column whom they met. Ten a day with
        whoever there is, of any age, when left out.
    widths
        Years in each age band; the last is open, and its number how long people live in it.
    shares
        Proportion of everybody in each band; in proportion to the widths when left out.
    susceptibility
        $s_i$ for each band relative to the others; all alike when left out.
    demography
        People age, leave the last band by death, and as many are born, so everybody stay as many. The ages come to
        rest in proportion to the widths, because one dies at the end of life only.

    Raises
    ------
    ModelworksError
        M104 for contacts of another shape, M117 for too few numbers by age.
    """
    probability = Parameter(
        "transmission_probability", "probability", lower=0, upper=1, meaning="infections per contact with a case"
    )
    latency_rate = Parameter("latency_rate", "per day", lower=0, meaning="one over the latent period")
    recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
    population = Parameter("population", "people", lower=0, meaning="everybody")
    first_cases = Parameter("first_cases", "people", lower=0, meaning="people infectious at the start")
    parts = np.asarray(widths, dtype=float) / np.sum(widths) if shares is None else np.asarray(shares, dtype=float)
    met = np.tile(10 * parts, (len(parts), 1)) if contacts is None else contacts
    days = [length_of_year("days") * width for width in widths]
    ages = Stratification(
        "age", age_bands([0.0, *accumulate(widths[:-1])]), split=parts.tolist(), widths=days if demography else None
    )
    flows: list[Flow] = [
        Infection(
            "infection",
            "susceptible",
            "exposed",
            rate=probability,
            infectious="infectious",
            contacts=Contacts({"age": met}),
            susceptibility=1.0 if susceptibility is None else by("age", susceptibility),
        ),
        Transition("onset", "exposed", "infectious", rate=latency_rate),
        Transition("recovery", "infectious", "recovered", rate=recovery_rate),
    ]
    if demography:
        flows.append(Exit("death", None, rate=1 / days[-1], where={"age": ages.strata[-1]}))
        flows.append(Entry("birth", "susceptible", leaving("death"), split={"age": ages.strata[0]}))
    return Model(
        name="seir_age",
        description="Susceptible, exposed, infectious, recovered, by age.",
        compartments=["susceptible", "exposed", "infectious", "recovered"],
        flows=flows,
        stratifications=[ages],
        initial={"susceptible": population - first_cases, "infectious": first_cases},
        outputs={
            "prevalence": Output(people("infectious", by=["age"]), by=["age"], title="People infectious"),
            "incidence": Output(events("onset", by=["age"]), by=["age"], title="New infectious people"),
        },
    )
