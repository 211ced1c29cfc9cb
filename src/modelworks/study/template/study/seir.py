"""The team's own seir model: change anything."""

from modelworks import Infection, Model, Output, Parameter, Transition, events, people

contact_rate = Parameter("contact_rate", "per day", lower=0, meaning="people infected by one case a day at first")
latency_rate = Parameter("latency_rate", "per day", lower=0, meaning="one over the latent period")
recovery_rate = Parameter("recovery_rate", "per day", lower=0, meaning="one over the duration of infectiousness")
population = Parameter("population", "people", lower=0, meaning="everybody")
first_cases = Parameter("first_cases", "people", lower=0, meaning="people infectious at the start")

model = Model(
    name="seir",
    compartments=["susceptible", "exposed", "infectious", "recovered"],
    flows=[
        Infection("infection", "susceptible", "exposed", rate=contact_rate, infectious="infectious"),
        Transition("onset", "exposed", "infectious", rate=latency_rate),
        Transition("recovery", "infectious", "recovered", rate=recovery_rate),
    ],
    initial={"susceptible": population - first_cases, "infectious": first_cases},
    outputs={
        "prevalence": Output(people("infectious"), "people", title="People infectious"),
        "incidence": Output(events("onset"), "people", title="New infectious people a day"),
    },
    derived={"basic_reproduction_number": contact_rate / recovery_rate},
)
