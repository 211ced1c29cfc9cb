"""Cholera: people infect each other, and the water that they drink from."""

from __future__ import annotations

from modelworks.model._declaration import Entry, Exit, Infection, Output, Pool, Transition
from modelworks.model._expression import Parameter, amount, events, people
from modelworks.model._model import Model
from modelworks.model.library._example import Example

EXAMPLE = Example(
    {
        "contact_rate": 0.1,
        "water_rate": 0.4,
        "half_dose": 1e6,
        "shedding_rate": 20.0,
        "decay_rate": 0.05,
        "recovery_rate": 0.2,
        "population": 1e5,
        "first_cases": 10,
    },
    until=200,
)


def siwr(*, saturating: bool = True) -> Model:
    r"""An SIR of people with a reservoir $W$ of bacteria in water that the infectious fill.

    $$\lambda = \beta \frac{I}{N} + \omega \frac{W}{\kappa + W}, \qquad \dot W = \alpha I - \xi W,$$
    a closed population that mixes evenly and drinks from one water (Codeço 2001, doi:10.1186/1471-2334-1-1; Tien and
    Earn 2010, doi:10.1007/s11538-010-9507-6, whose $W/\kappa$ is that of few bacteria: `saturating=False`).
    $\mathcal{R}_0 = \beta / \gamma + \omega \alpha N / (\kappa \xi \gamma)$: shedding is counted as a stage on the way
    from one person to the next.

    Parameters of the model: `contact_rate` $\beta$, `water_rate` $\omega$, `decay_rate` $\xi$ and `recovery_rate`
    $\gamma$ (per day), `shedding_rate` $\alpha$ (cells per ml per day, of one infectious person), `half_dose` $\kappa$
    (cells per ml), `population` and `first_cases` (people).
    """
    contact_rate = Parameter("contact_rate", "per day", lower=0, meaning="people infected by one case a day at first")
    water_rate = Parameter("water_rate", "per day", lower=0, meaning="infections per person by the dirtiest of water")
    half_dose = Parameter("half_dose", "cells per ml", lower=0, meaning="bacteria that infect at half of that rate")
    shedding_rate = Parameter("shedding_rate", "cells per ml per day", lower=0, meaning="bacteria shed by one case")
    decay_rate = Parameter("decay_rate", "per day", lower=0, meaning="one over the life of bacteria in water")
    recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
    population = Parameter("population", "people", lower=0, meaning="everybody")
    first_cases = Parameter("first_cases", "people", lower=0, meaning="people infectious at the start")
    by_water = water_rate / (half_dose + amount("water") if saturating else half_dose)
    through_water = water_rate * shedding_rate * population / (half_dose * decay_rate * recovery_rate)
    return Model(
        name="siwr",
        description="Susceptible, infectious, water, recovered.",
        compartments=["susceptible", "infectious", "recovered"],
        pools=[Pool("water", unit="cells per ml")],
        flows=[
            Infection("infection", "susceptible", "infectious", rate=contact_rate, infectious="infectious"),
            Infection(
                "waterborne infection",
                "susceptible",
                "infectious",
                rate=by_water,
                infectious="water",
                density_dependent=True,
            ),
            Transition("recovery", "infectious", "recovered", rate=recovery_rate),
            Entry("shedding", "water", shedding_rate * people("infectious")),
            Exit("decay", "water", rate=decay_rate),
        ],
        initial={"susceptible": population - first_cases, "infectious": first_cases},
        outputs={
            "prevalence": Output(people("infectious"), title="People infectious"),
            "incidence": Output(events("infection") + events("waterborne infection"), title="New infections"),
            "water": Output(amount("water"), "cells per ml", title="Bacteria in water"),
        },
        derived={"basic_reproduction_number": contact_rate / recovery_rate + through_water},
    )
