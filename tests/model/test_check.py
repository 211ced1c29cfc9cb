"""What `Model.check()` finds of whole declarations: flows out of nothing, strata nobody reaches, units of shares."""

from __future__ import annotations

from typing import Any

import pytest

from modelworks.model import (
    Entry,
    Exit,
    Infection,
    Model,
    Move,
    Parameter,
    Pulse,
    Stratification,
    Transition,
    by,
    events,
    exp,
    people,
)

DOSE = Stratification("dose", ["none", "one", "two"], split="none")
COVERED = Parameter("covered", "per day")


def model(*flows: Any, **changed: Any) -> Model:
    usual = {
        "compartments": ["s", "i", "r"],
        "flows": [Infection("infection", "s", "i", 0.3, "i"), Transition("recovery", "i", "r", 0.1), *flows],
        "stratifications": [DOSE],
        "initial": {"s": 99.0, "i": 1.0},
        "outputs": {"i": people("i"), "new": events("infection")},
    }
    return Model("m", **{**usual, **changed})


FIRST = Move("first", "dose", "none", "one", 0.1)
SECOND = Move("second", "dose", "one", "two", 0.1)
REACTION = Exit("reaction", None, 0.01, where={"dose": ["one", "two"]})
WANING = Transition("waning", "r", "s", 0.1, becoming={"dose": {"one": "two"}})

WRONG: dict[str, tuple[Model, str, str]] = {
    "a move from a stratum nobody gets to": (model(SECOND), "M125", "`second` moves nobody"),
    "deaths in strata nobody gets to": (model(REACTION), "M125", "'one' or 'two' of `dose`"),
    "a change from a stratum nobody gets to": (model(WANING, Exit("x", "s", 0.1, {"dose": "two"})), "M125", "'two'"),
    "a campaign among nobody": (
        model(Pulse("campaign", 3.0, {"dose": "one"}, {"dose": "two"}, share=0.5)),
        "M125",
        "`campaign`",
    ),
    "a share that is a rate": (
        model(FIRST, stratifications=[Stratification("dose", ["none", "one"], split=[1 - COVERED, COVERED])]),
        "M129",
        "a share of people by `dose` is per day",
    ),
    "an exponential of days": (
        model(Transition("waning", "r", "s", exp(Parameter("delay", "days")))),
        "M129",
        "takes the exp of days",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_can_not_be_right_is_told(mistake: str) -> None:
    wrong, code, says = WRONG[mistake]
    letters = wrong.check()
    assert code in {letter.code for letter in letters}
    assert any(says in letter.message for letter in letters), letters


RIGHT: dict[str, Model] = {
    "one dose after the other": model(FIRST, SECOND, REACTION),
    "a dose on the way": model(Transition("waning", "r", "s", 0.1, becoming={"dose": "one"}), SECOND),
    "vaccinated arrivals": model(Entry("arrivals", "s", 1.0, {"dose": {"none": 0.5, "one": 0.5}}), SECOND),
    "vaccinated from the start": model(SECOND, initial={"s": by("dose", [50, 40, 9]), "i": 1.0}),
    "nobody vaccinated as yet": model(Move("first", "dose", "none", "one", 0.0), SECOND),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_can_be_right_is_not_told(case: str) -> None:
    """A rate of zero is a number like another, and there are many ways into a stratum."""
    assert RIGHT[case].check() == ()
