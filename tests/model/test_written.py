"""The numbers that a model's declaration holds itself are told, and nothing else is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from modelworks.model import (
    Contacts,
    Entry,
    Infection,
    Model,
    Output,
    Parameter,
    Pulse,
    Setting,
    Stratification,
    Transition,
    by,
    events,
    people,
    table,
    written_numbers,
)

rate = Parameter("rate", "per day", lower=0)
AGES = ["young", "old"]
HOME = np.array([[2.0, 1.0], [0.5, 3.0]])


def model(**changes: object) -> Model:
    given: dict[str, object] = {
        "name": "made",
        "compartments": ["susceptible", "ill"],
        "flows": [Transition("recovery", "ill", "susceptible", rate=rate)],
        "initial": {"susceptible": rate, "ill": 0},
        "outputs": {"ill": Output(people("ill"))},
    }
    return Model(**{**given, **changes})  # type: ignore[arg-type]


def infection(**changes: object) -> list[Infection]:
    given: dict[str, object] = {"rate": rate, "infectious": "ill"}
    return [Infection("infection", "susceptible", "ill", **{**given, **changes})]  # type: ignore[arg-type]


AGE = Stratification("age", AGES)
WRITTEN: list[tuple[dict[str, object], dict[str, str]]] = [
    ({}, {}),
    ({"initial": {"susceptible": 1000 - rate, "ill": 1}}, {
        "people in susceptible at the start": "1,000 − rate", "people in ill at the start": "1",
    }),
    ({"flows": [Transition("recovery", "ill", "susceptible", rate=0.25)]}, {"recovery: rate": "0.25"}),
    ({"flows": [Transition("recovery", "ill", "susceptible", rate=1 / rate)]}, {}),
    ({"flows": [Transition("recovery", "ill", "susceptible", rate=rate, stages=3)]}, {"recovery: stages": "3"}),
    ({"flows": [Entry("births", "susceptible", number=table([0, 10], [4, 6]))]}, {
        "births: number": "2 values, 0 4 to 10 6",
    }),
    ({"flows": [Pulse("ship", at=[10, 30], destination="ill", number=7)]}, {
        "ship: when": "10, 30", "ship: number": "7",
    }),
    ({"flows": [Pulse("campaign", at=date(2024, 1, 1), source="ill", destination="susceptible", share=rate)]}, {
        "campaign: when": "2024-01-01",
    }),
    ({"stratifications": [Stratification("age", AGES, split=[0.2, 0.8], widths=[15])]}, {
        "age: share of people": "young 0.2, old 0.8", "age: width of the band": "young 15",
    }),
    ({"stratifications": [AGE], "flows": infection(susceptibility=by("age", {"young": 0.5, "old": rate}))}, {
        "infection: susceptibility": "young 0.5, old rate",
    }),
    ({"stratifications": [AGE], "flows": infection(contacts=Contacts({"age": HOME}))}, {
        "infection: contacts by age": "young meet 2, 1; old meet 0.5, 3",
    }),
    ({"stratifications": [AGE], "flows": infection(contacts=Contacts({"age": [
        Setting("home", HOME), Setting("school", HOME, scale=rate)]}))}, {
        "infection: contacts by age, home": "young meet 2, 1; old meet 0.5, 3",
        "infection: contacts by age, school": "(young meet 2, 1; old meet 0.5, 3) × rate",
    }),
    ({"stratifications": [AGE], "flows": infection(susceptibility=by("age", [0.5, 2]), rate=2 / (1 - rate))}, {
        "infection: rate": "2 / (1 − rate)", "infection: susceptibility": "young 0.5, old 2",
    }),
    ({"outputs": {"seen": Output(events("recovery", times=0.3))}}, {"seen: each recovery counts": "0.3"}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), WRITTEN)
def test_a_number_of_the_declaration_is_told(changes: dict[str, object], told: dict[str, str]) -> None:
    """An assumption that is told nowhere can not be questioned; a parameter and algebra are none of the model's."""
    assert {each.name: each.value for each in written_numbers(model(**changes))} == told


def test_a_large_matrix_is_told_by_its_size_and_is_there_to_draw() -> None:
    """Two hundred numbers in one cell of a table are read by nobody."""
    ages = [f"age {age}" for age in range(16)]
    contacts = Contacts({"age": np.full((16, 16), 0.5)})
    made = model(stratifications=[Stratification("age", ages)], flows=infection(contacts=contacts))
    (found,) = written_numbers(made)
    assert found.value == "16 × 16 numbers from 0.5 to 0.5"
    assert found.matrix is not None
    assert found.matrix.shape == (16, 16)
    assert found.strata == tuple(ages)


def test_the_unit_of_one_rate_is_not_that_of_the_next() -> None:
    """A density-dependent infection is per infectious person too; who recovers does so per day."""
    recovery = Transition("recovery", "ill", "susceptible", rate=0.2)
    made = model(flows=[*infection(rate=0.001, density_dependent=True), recovery])
    units = {each.name: each.unit for each in written_numbers(made)}
    assert units == {"infection: rate": "per day per person", "recovery: rate": "per day"}
