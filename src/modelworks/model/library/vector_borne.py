"""Malaria or dengue: people and mosquitoes infect each other, never their own kind."""

from __future__ import annotations

from modelworks.model._declaration import Entry, Exit, Infection, Output, Pool, Transition
from modelworks.model._expression import Number, Parameter, amount, events, people, seasonal, sqrt
from modelworks.model._model import Model
from modelworks.model.library._example import Example

EXAMPLE = Example(
    {
        "biting_rate": 0.5,
        "to_host": 0.4,
        "to_vector": 0.4,
        "latency_rate": 1 / 6,
        "recovery_rate": 1 / 5,
        "waning_rate": 1 / 200,
        "vector_latency_rate": 1 / 8,
        "vector_death_rate": 1 / 14,
        "vectors_per_person": 1.5,
        "population": 1e5,
        "first_cases": 10,
    },
    until=365,
)

VECTORS = ("vector_susceptible", "vector_exposed", "vector_infectious")


def vector_borne(*, with_season: bool = False) -> Model:
    r"""People by SEIRS, mosquitoes by SEI; bites are shared out evenly over people.

    $$\lambda = a\, b\, \frac{I_v}{N}, \quad \lambda_v = a\, c\, \frac{I}{N}, \quad
    \mathcal{R}_0^2 = \frac{m\, a^2 b\, c}{\gamma\, \mu} \frac{\sigma_v}{\sigma_v + \mu}$$
    with $m$ vectors a person (Smith et al. 2012, doi:10.1371/journal.ppat.1002588). $\mathcal{R}_0$ is that of one
    generation, from a person to vectors or from a vector to people; what is often called so in malaria is its square,
    from person to person. Vectors die at one rate at every age, infected for life, and are born to the number the
    land carries; people are a closed population.

    Parameters of the model: `biting_rate` $a$ (per day, of one vector), `to_host` $b$ and `to_vector` $c$
    (probabilities of infection per bite), `latency_rate`, `recovery_rate` $\gamma$, `waning_rate` (zero: immune for
    life), `vector_latency_rate` $\sigma_v$ and `vector_death_rate` $\mu$ (per day), `vectors_per_person` $m$ (ratio),
    `population` and `first_cases` (people).

    Parameters
    ----------
    with_season
        The number of vectors born swings by `season_swing` (proportion) over a year and is highest at `season_peak`
        (days from the start).
    """
    biting_rate = Parameter("biting_rate", "per day", lower=0, meaning="bites of people by one vector")
    to_host = Parameter("to_host", "probability", lower=0, upper=1, meaning="people infected per infectious bite")
    to_vector = Parameter("to_vector", "probability", lower=0, upper=1, meaning="vectors infected per bite of a case")
    latency_rate = Parameter("latency_rate", "per day", lower=0, meaning="one over the latent period of people")
    recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
    waning_rate = Parameter("waning_rate", "per day", lower=0, meaning="one over the duration of immunity")
    vector_latency = Parameter("vector_latency_rate", "per day", lower=0, meaning="one over the extrinsic incubation")
    vector_death = Parameter("vector_death_rate", "per day", lower=0, meaning="one over the life of a vector")
    ratio = Parameter("vectors_per_person", "ratio", lower=0, meaning="vectors for each person, over the year")
    population = Parameter("population", "people", lower=0, meaning="everybody")
    first_cases = Parameter("first_cases", "people", lower=0, meaning="people infectious at the start")
    season: Number = 1.0
    if with_season:
        swing = Parameter("season_swing", "proportion", lower=0, upper=1, meaning="how far births of vectors swing")
        season = seasonal(swing, Parameter("season_peak", "days", meaning="when most vectors are born"))
    carried = 1.0 * ratio * population
    per_generation = ratio * biting_rate**2 * to_host * to_vector / (recovery_rate * vector_death)
    return Model(
        name="vector_borne",
        description="People and the mosquitoes that bite them.",
        compartments=["susceptible", "exposed", "infectious", "recovered"],
        pools=[Pool("vectors", unit="mosquitoes", compartments=VECTORS, individuals=True)],
        flows=[
            Infection(
                "infection", "susceptible", "exposed", rate=biting_rate * to_host, infectious="vector_infectious"
            ),
            Transition("onset", "exposed", "infectious", rate=latency_rate),
            Transition("recovery", "infectious", "recovered", rate=recovery_rate),
            Transition("waning", "recovered", "susceptible", rate=waning_rate),
            Infection(
                "vector infection",
                "vector_susceptible",
                "vector_exposed",
                rate=biting_rate * to_vector,
                infectious="infectious",
            ),
            Transition("incubation", "vector_exposed", "vector_infectious", rate=vector_latency),
            Entry("vector birth", "vector_susceptible", vector_death * carried * season),
            Exit("vector death", VECTORS, rate=vector_death),
        ],
        initial={
            "susceptible": population - first_cases,
            "infectious": first_cases,
            "vector_susceptible": carried,
        },
        outputs={
            "prevalence": Output(people("infectious"), title="People infectious"),
            "incidence": Output(events("onset"), title="New infectious people"),
            "vectors": Output(amount(*VECTORS), "mosquitoes", title="Vectors"),
            "infectious_vectors": Output(amount("vector_infectious"), "mosquitoes", title="Infectious vectors"),
        },
        derived={
            "basic_reproduction_number": sqrt(per_generation * vector_latency / (vector_latency + vector_death)),
        },
    )
