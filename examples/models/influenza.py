"""Influenza in a closed school: everybody meets everybody, nobody comes or goes."""

from modelworks import Infection, Model, Output, Parameter, Transition, events, people

contact_rate = Parameter(
    "contact_rate",
    "per day",
    lower=0,
    meaning="people one infectious boy would infect in a day if all were susceptible",
)
recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the days a boy stays in bed")
boys = Parameter("boys", "people", lower=1, meaning="boys in the school")
first_cases = Parameter("first_cases", "people", lower=0, meaning="boys infectious on the first day")

model = Model(
    name="influenza",
    description="Susceptible, infectious, recovered; no births, no deaths, one school.",
    compartments=["susceptible", "infectious", "recovered"],
    flows=[
        Infection("infection", "susceptible", "infectious", rate=contact_rate, infectious="infectious"),
        Transition("recovery", "infectious", "recovered", rate=recovery_rate),
    ],
    initial={"susceptible": boys - first_cases, "infectious": first_cases},
    outputs={
        "in_bed": Output(people("infectious"), "people", title="Boys in bed"),
        "new_infections": Output(events("infection"), "people", title="New infections per day"),
        "ever_infected": Output((boys - people("susceptible")) / boys, "proportion", title="Boys infected so far"),
    },
    derived={
        "basic_reproduction_number": contact_rate / recovery_rate,
        "days_in_bed": 1 / recovery_rate,
    },
)
