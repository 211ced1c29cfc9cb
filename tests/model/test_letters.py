"""The usual mistakes of someone who writes a model: each is told by its code, with a hint that helps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelworks.errors import ModelworksError, explain
from modelworks.model import (
    CompiledModel,
    Contacts,
    Entry,
    Exit,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Pulse,
    Setting,
    Stratification,
    Time,
    Transition,
    by,
    events,
    log,
    people,
    settle_step,
    simulate,
    table,
)

AGE = Stratification("age", ["young", "middle", "old"], split=[0.3, 0.4, 0.3])
VACCINE = Stratification("vaccine", ["none", "one"], split="none")
STRAIN = Stratification("strain", ["old", "new"], compartments=["infectious"], split="old")


def model(
    *more: Any,
    rate: Any = 0.4,
    initial: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    stratifications: Any = (),
    infection: Mapping[str, Any] | None = None,
    derived: Mapping[str, Any] | None = None,
) -> Model:
    """An SIR, with something done to it."""
    return Model(
        "sir",
        ["susceptible", "infectious", "recovered"],
        [
            Infection("infection", "susceptible", "infectious", rate, "infectious", **(infection or {})),
            Transition("recovery", "infectious", "recovered", 0.2),
            *more,
        ],
        initial if initial is not None else {"susceptible": 990, "infectious": 10},
        outputs if outputs is not None else {"prevalence": people("infectious")},
        stratifications,
        derived or {},
    )


def labelled(rows: list[Any], columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(np.ones((3, 3)), index=rows, columns=columns)


def transition(**changed: Any) -> Transition:
    return Transition(**{"name": "loss", "source": "recovered", "destination": "susceptible", "rate": 0.1, **changed})


# What is declared, the code, and words of the letter or its hint that show the way out.
DECLARED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a misspelt source": (lambda: model(transition(source="recoverd")), "M101", "did you mean `recovered`?"),
    "a misspelt compartment of people()": (
        lambda: model(outputs={"i": people("infectius")}),
        "M101",
        "did you mean `infectious`?",
    ),
    "a misspelt compartment at the start": (lambda: model(initial={"suceptible": 1}), "M101", "`susceptible`"),
    "a misspelt compartment of a stratification": (
        lambda: model(stratifications=[Stratification("x", ["a", "b"], compartments=["recoverd"])]),
        "M101",
        "`recovered`",
    ),
    "a change of a stratum that only the destination has": (
        lambda: model(infection={"becoming": {"strain": "new"}}, stratifications=[STRAIN]),
        "M133",
        "`split` says who goes where",
    ),
    "a change of nothing in particular": (lambda: model(transition(becoming="one")), "M133", "what changes"),
    "a change of the strain": (
        lambda: model(
            infection={"strain": "strain", "becoming": {"strain": "new"}},
            stratifications=[Stratification("strain", ["old", "new"], split="old")],
        ),
        "M133",
        "that of who infected them",
    ),
    "a change and shares of one stratification": (
        lambda: model(
            transition(becoming={"vaccine": "one"}, split={"vaccine": {"none": 0.5, "one": 0.5}}),
            stratifications=[VACCINE],
        ),
        "M126",
        "`becoming`",
    ),
    "a change into a stratum that is not": (
        lambda: model(transition(becoming={"vaccine": "two"}), stratifications=[VACCINE]),
        "M103",
        "`vaccine`",
    ),
    "a change from a stratum that is not": (
        lambda: model(transition(becoming={"vaccine": {"non": "one"}}), stratifications=[VACCINE]),
        "M103",
        "`none`",
    ),
    "a change of a stratification that is not": (
        lambda: model(transition(becoming={"vacine": "one"}), stratifications=[VACCINE]),
        "M103",
        "did you mean `vaccine`?",
    ),
    "a pulse that changes who leaves for good": (
        lambda: Pulse("ship", 3.0, "infectious", share=0.5, becoming={"vaccine": "one"}),
        "M131",
        "name both",
    ),
    "two flows of one name": (lambda: model(transition(name="recovery")), "M102", "a name of its own"),
    "one stratum twice": (lambda: Stratification("age", ["young", "young"]), "M102", "once"),
    "a compartment counted twice": (
        lambda: model(outputs={"i": people("infectious", "infectious")}),
        "M102",
        "counted twice",
    ),
    "a compartment left twice": (
        lambda: model(Exit("death", ["infectious", "infectious"], 0.1)),
        "M102",
        "counted twice",
    ),
    "a misspelt stratification": (lambda: model(rate=by("agge", [1, 2, 3]), stratifications=[AGE]), "M103", "`age`"),
    "a misspelt stratum": (
        lambda: model(transition(where={"age": "odl"}), stratifications=[AGE]),
        "M103",
        "did you mean `old`?",
    ),
    "contacts for other ages": (
        lambda: model(infection={"contacts": Contacts({"age": np.ones((2, 2))})}, stratifications=[AGE]),
        "M104",
        "3 rows",
    ),
    "a negative contact": (
        lambda: model(
            infection={"contacts": Contacts({"age": [Setting("home", -np.ones((3, 3)))]})}, stratifications=[AGE]
        ),
        "M104",
        "zero or more",
    ),
    "a missing contact": (
        lambda: model(
            infection={"contacts": Contacts({"age": np.full((3, 3), np.nan)})},
            stratifications=[AGE],
        ),
        "M104",
        "zero or more",
    ),
    "contacts that are the name of a file": (
        lambda: model(infection={"contacts": Contacts({"age": "contacts.csv"})}, stratifications=[AGE]),
        "M104",
        "read first",
    ),
    "contacts in rows of different length": (
        lambda: model(infection={"contacts": Contacts({"age": [[1.0], [1.0, 2.0], [3.0]]})}, stratifications=[AGE]),
        "M104",
        "all of one length",
    ),
    "contacts as a mapping of mappings": (
        lambda: model(infection={"contacts": Contacts({"age": {"young": {"old": 1.0}}})}, stratifications=[AGE]),
        "M104",
        "rows of numbers",
    ),
    "contacts that do not say between whom": (
        lambda: model(infection={"contacts": [[1.0]]}, stratifications=[AGE]),
        "M104",
        'Contacts({"age": matrix})',
    ),
    "a rate per year in a model of days": (
        lambda: model(rate=Parameter("r", "per year")),
        "M129",
        "is per year, but per day belongs there",
    ),
    "a duration for a rate": (lambda: model(rate=Parameter("duration", "days")), "M129", "is days, but per day"),
    "a rate over the wrong unit of time": (
        lambda: model(rate=1.0 / Parameter("duration", "weeks")),
        "M129",
        "per week",
    ),
    "people added to a rate": (
        lambda: model(rate=Parameter("r", "per day") + people("infectious")),
        "M129",
        "adds per day and people",
    ),
    "a percentage where a proportion is meant": (
        lambda: model(outputs={"a": Output(Parameter("p", "percent") * people(), "people")}),
        "M129",
        "people times 0.01",
    ),
    "an output that says another unit": (
        lambda: model(outputs={"a": people("infectious") / people()}),
        "M129",
        "proportion",
    ),
    "a number of arrivals that is a rate": (
        lambda: model(Entry("arrival", "susceptible", Parameter("r", "per day"))),
        "M129",
        "people per day",
    ),
    "a matrix that does not say between whom": (lambda: Contacts([[1.0]]), "M104", "strata of what"),
    "strata in a text": (lambda: model(stratifications=[Stratification("age", "young old")]), "M128", "'young', 'old'"),
    "compartments in a text": (lambda: Model("m", "SEIR", [], {}, {}), "M128", "a list of names"),
    "contacts labelled with other ages": (
        lambda: model(
            infection={"contacts": Contacts({"age": labelled(["young", "middle", "odl"], ["young", "middle", "odl"])})},
            stratifications=[AGE],
        ),
        "M104",
        "did you mean `old`?",
    ),
    "contacts in another order, labelled on one side": (
        lambda: model(
            infection={"contacts": Contacts({"age": labelled([0, 1, 2], ["old", "middle", "young"])})},
            stratifications=[AGE],
        ),
        "M104",
        "index_col=0",
    ),
    "a series with a stratum twice": (
        lambda: model(rate=by("age", pd.Series([1.0, 2.0, 3.0], ["young", "old", "old"])), stratifications=[AGE]),
        "M102",
        "`old` twice",
    ),
    "a rate by a strain nobody has yet": (
        lambda: model(rate=by("strain", [1, 2]), stratifications=[STRAIN]),
        "M105",
        "stratify",
    ),
    "an output by age that is one number": (
        lambda: model(outputs={"i": people("infectious", by=["age"])}, stratifications=[AGE]),
        "M105",
        'by=["age"]',
    ),
    "infection into unnamed strains": (lambda: model(stratifications=[STRAIN]), "M106", 'split={"strain"'),
    "shares of nine tenths": (
        lambda: model(stratifications=[Stratification("age", ["a", "b"], split=[0.5, 0.4])]),
        "M107",
        "one minus the others",
    ),
    "a compartment nobody reaches": (
        lambda: Model("x", ["a", "b"], [Transition("t", "b", "a", 1)], {"a": 1}, {"a": people("a")}),
        "M108",
        "add a flow",
    ),
    "one parameter in two units": (
        lambda: model(transition(rate=Parameter("k", "per day")), rate=Parameter("k", "per week")),
        "M109",
        "declare it once",
    ),
    "a negative rate": (lambda: model(transition(rate=-0.1)), "M110", "sign"),
    "a rate that is no number": (lambda: model(transition(rate=float("nan"))), "M110", "came from"),
    "the logarithm of less than nothing": (lambda: model(transition(rate=log(0.2 - 0.5))), "M110", "logarithm"),
    "one over a duration of zero": (lambda: model(transition(rate=Parameter("k") / 0.0)), "M110", "division by zero"),
    "events of a misspelt flow": (lambda: model(outputs={"n": events("infecton")}), "M111", "`infection`"),
    "events in a rate": (lambda: model(transition(rate=events("recovery"))), "M112", "people(...)"),
    "people where a strain never is": (
        lambda: model(
            outputs={"n": people("recovered", strain="new")},
            infection={"strain": "strain"},
            stratifications=[STRAIN],
        ),
        "M113",
        "does not split",
    ),
    "events where a flow never is": (
        lambda: model(
            transition(name="birth", source="recovered"),
            outputs={"n": Output(events("birth", by=["strain"]), by=["strain"])},
            infection={"strain": "strain"},
            stratifications=[STRAIN],
        ),
        "M113",
        "split by",
    ),
    "no outputs": (lambda: model(outputs={}), "M113", "people(...)"),
    "an infectious compartment without the strain": (
        lambda: model(
            infection={"strain": "strain"},
            stratifications=[Stratification("strain", ["old", "new"], compartments=["recovered"], split="old")],
        ),
        "M115",
        "split `infectious` too",
    ),
    "contacts between places some people are not in": (
        lambda: model(
            infection={"contacts": Contacts({"place": np.eye(2)})},
            stratifications=[
                Stratification("place", ["a", "b"], compartments=["susceptible", "infectious"], split="a")
            ],
        ),
        "M115",
        "split `recovered` too",
    ),
    "an epidemic that nobody starts": (
        lambda: model(initial={"susceptible": 1000}),
        "M115",
        "an initial number of inf",
    ),
    "doses that nobody gets": (
        lambda: model(outputs={"given": people(vaccine="one")}, stratifications=[VACCINE]),
        "M113",
        "a Move",
    ),
    "a strain that nobody brings": (
        lambda: model(
            outputs={"new": events("infection", strain="new")},
            infection={"strain": "strain"},
            stratifications=[STRAIN],
        ),
        "M113",
        "an initial share",
    ),
    "a start that changes": (lambda: model(initial={"susceptible": Time()}), "M116", "parameters only"),
    "too few values by age": (lambda: model(rate=by("age", [1, 2]), stratifications=[AGE]), "M117", "in the order"),
    "no value for one age": (
        lambda: model(rate=by("age", {"young": 1, "old": 2}), stratifications=[AGE]),
        "M117",
        "`middle`",
    ),
    "a width too many": (lambda: Stratification("age", ["a", "b"], widths=[1, 2, 3]), "M117", "but the last"),
    "a width of zero": (lambda: Stratification("age", ["a", "b"], widths=[0]), "M117", "above zero"),
    "a derived number of people": (lambda: model(derived={"r": people() / 2}), "M118", "make it an output"),
    "a table with a value missing": (lambda: table([0, 1], [1.0]), "M119", "one value for each time"),
    "a table that goes back": (lambda: table([0, 2, 1], [1, 2, 3]), "M119", "sort the table"),
    "a table of hours": (lambda: table([datetime(2021, 1, 1, 9), datetime(2021, 1, 2)], [1, 2]), "M119", "use dates"),
    "a table of dates and numbers": (lambda: table([date(2021, 1, 1), 800_000.0], [1, 2]), "M119", "one or the other"),
    "a table whose time is missing": (lambda: table([0.0, float("nan")], [1, 2]), "M119", "dates, or numbers"),
    "a table of ages": (
        lambda: model(rate=table([0, 1], [by("age", [1, 2, 3]), 1]), stratifications=[AGE]),
        "M119",
        "turn it round",
    ),
    "a number in quotes": (lambda: model(rate="0.3"), "M120", "use a Parameter"),
    "an array for a rate": (lambda: model(rate=np.ones(3), stratifications=[AGE]), "M120", "by(...)"),
    "a flow to itself": (lambda: model(transition(destination="recovered")), "M121", "use Move"),
    "a move to itself": (
        lambda: model(Move("dose", "vaccine", "one", "one", 0.1), stratifications=[VACCINE]),
        "M121",
        "another target",
    ),
    "a misspelt unit": (lambda: model(rate=Parameter("k", "per dya")), "M122", "day"),
    "a flow out of strata its source has not": (
        lambda: model(transition(where={"strain": "new"}), infection={"strain": "strain"}, stratifications=[STRAIN]),
        "M125",
        "leave that out",
    ),
    "a move where nobody can move": (
        lambda: model(
            Move("change", "strain", "old", "new", 0.1, compartments=["infectious", "recovered"]),
            infection={"strain": "strain"},
            stratifications=[STRAIN],
        ),
        "M125",
        "`recovered`",
    ),
    "shares of what people keep": (
        lambda: model(transition(split={"vaccine": "none"}), stratifications=[AGE, VACCINE]),
        "M126",
        "a Move",
    ),
    "shares of what the destination has not": (
        lambda: model(
            Entry("birth", "susceptible", 1, split={"strain": "old"}),
            infection={"strain": "strain"},
            stratifications=[STRAIN],
        ),
        "M126",
        "leave the shares out",
    ),
    "an output that shows the sum for each age": (
        lambda: model(outputs={"i": Output(people("infectious"), by=["age"])}, stratifications=[AGE]),
        "M127",
        'people(..., by=["age"])',
    ),
}


@pytest.mark.parametrize("mistake", list(DECLARED))
def test_a_mistake_in_a_declaration_is_told(mistake: str) -> None:
    """By a letter with its code, that says how to go on; never by a traceback."""
    build, code, way_out = DECLARED[mistake]
    with pytest.raises(ModelworksError) as caught:
        build().checked()
    letters = [letter for letter in caught.value.letters if letter.code == code]
    assert letters, caught.value
    assert any(way_out in f"{letter.message} {letter.hint}" for letter in letters), caught.value
    assert explain(code).remedy


def test_all_mistakes_are_told_at_once() -> None:
    """One does not hide the next."""
    wrong = model(
        transition(source="recoverd"),
        Exit("death", "infectius", 0.1),
        outputs={"a": people("nobody"), "b": events("nothing")},
    )
    assert sorted(letter.code for letter in wrong.check()) == ["M101", "M101", "M101", "M111"]


NEVER = table([0, 100], [0.0, 0.0])


@pytest.mark.parametrize("rate", [0.0, NEVER, by("vaccine", {"none": 0.0, "one": 0.0})])
def test_a_rate_of_zero_is_a_number_like_another(rate: Any) -> None:
    """Nobody is vaccinated so far, or a scenario has no arrivals: outputs of it are zero, and no mistake."""
    counts = {"given": people(vaccine="one"), "again": events("dose"), "back": events("loss")}
    dose = Move("dose", "vaccine", "none", "one", rate)
    declared = model(transition(rate=rate), dose, outputs=counts, stratifications=[VACCINE])
    assert declared.check() == ()


def test_an_output_that_counts_nobody_may_be_zero() -> None:
    """It is a number that is shown."""
    assert model(outputs={"detection": Output(0.0 * WITH, "proportion")}).check() == ()


def test_a_mistake_in_a_flow_is_told_once() -> None:
    """Not again for every output that counts it."""
    wrong = model(infection={"contacts": Contacts({"age": np.ones((2, 2))})}, stratifications=[AGE])
    assert [letter.code for letter in wrong.extended(outputs={"new": events("infection")}).check()] == ["M104"]


# -- mistakes that only values show ------------------------------------------------------------------

DAYS = np.arange(0.0, 11.0)
WITH = Parameter("loss_rate", "per day", lower=0, upper=2)


def with_loss(rate: Any = WITH) -> Model:
    return model(transition(rate=rate))


RUN: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a misspelt parameter": (
        lambda: simulate(with_loss(), {"los_rate": 0.1}, DAYS),
        "S104",
        "did you mean `loss_rate`?",
    ),
    "a forgotten parameter": (lambda: simulate(with_loss(), {}, DAYS), "S105", "per day"),
    "a value out of bounds": (lambda: simulate(with_loss(), {"loss_rate": 20}, DAYS), "S107", "unit"),
    "a negative value": (lambda: simulate(with_loss(), {"loss_rate": -0.1}, DAYS), "S107", "sign"),
    "a value that is no number": (lambda: simulate(with_loss(), {"loss_rate": float("nan")}, DAYS), "S107", "nan"),
    "times that go back": (lambda: simulate(with_loss(), {"loss_rate": 0.1}, [0, 2, 1]), "S109", "each time once"),
    "one time": (lambda: simulate(with_loss(), {"loss_rate": 0.1}, [0]), "S109", "at least two"),
    "a misspelt output": (
        lambda: simulate(with_loss(), {"loss_rate": 0.1}, DAYS)["prevalance"],
        "S110",
        "did you mean `prevalence`?",
    ),
    "values in a list too short": (lambda: CompiledModel(with_loss(), DAYS).run(np.empty(0)), "S111", "loss_rate"),
    "values in a list that is not finite": (
        lambda: CompiledModel(with_loss(), DAYS).run(np.array([np.inf])),
        "S102",
        "`loss_rate`",
    ),
    "dates without a first day": (
        lambda: simulate(model(transition(rate=table([date(2021, 1, 2)], [WITH]))), {"loss_rate": 0.1}, DAYS),
        "M114",
        "start=",
    ),
    "a rate that turns negative on a day": (
        lambda: simulate(
            model(transition(rate=WITH - 0.01 * Time())), {"loss_rate": 0.055}, DAYS, start=date(2021, 3, 1)
        ),
        "S103",
        "on 2021-03-0",
    ),
    "a rate that turns negative whatever the parameters": (
        lambda: simulate(model(transition(rate=0.1 - 0.02 * Time())), {}, DAYS),
        "S103",
        "at 5.",
    ),
    "a rate that turns negative in one stratum": (
        lambda: simulate(
            model(
                transition(rate=by("age", {"a": WITH, "b": WITH - 0.01 * Time(), "c": 2 * WITH})),
                stratifications=[Stratification("age", ["a", "b", "c"], split={"a": 0.2, "b": 0.3, "c": 0.5})],
            ),
            {"loss_rate": 0.075},
            DAYS,
        ),
        "S103",
        "in b",
    ),
    "a rate that people make negative": (
        lambda: simulate(model(transition(rate=WITH - 0.002 * people("infectious"))), {"loss_rate": 0.1}, DAYS),
        "S103",
        "the flow `loss`",
    ),
    "a rate that is infinite for some values": (
        lambda: simulate(model(transition(rate=0.01 / WITH)), {"loss_rate": 0.0}, DAYS),
        "S102",
        "division by zero",
    ),
    "a rate that is no number on some day": (
        lambda: simulate(
            model(transition(rate=log(1.0 + Parameter("loss_rate") - 0.2 * Time()) ** 2)),
            {"loss_rate": 0.1},
            DAYS,
            start=date(2021, 1, 1),
        ),
        "S102",
        "on 2021-01-0",
    ),
    "shares that sum to more than one": (
        lambda: simulate(
            model(stratifications=[Stratification("age", ["a", "b"], split={"a": Parameter("loss_rate"), "b": 0.5})]),
            {"loss_rate": 0.7},
            DAYS,
        ),
        "S108",
        "sum to 1.2",
    ),
    "more first cases than people": (
        lambda: simulate(model(initial={"susceptible": 100 - 100 * WITH, "infectious": 1}), {"loss_rate": 1.5}, DAYS),
        "S103",
        "the initial number of `susceptible`",
    ),
    "a step that people outrun": (
        lambda: CompiledModel(with_loss(), DAYS, step=1.0).run(np.array([400.0])),
        "S101",
        "faster than the step",
    ),
    "a rate no explicit step can follow": (
        lambda: settle_step(
            CompiledModel(model(transition(rate=1e7 * WITH)), np.linspace(0.0, 100.0, 3)), np.array([1.0])
        ),
        "S126",
        'solver="implicit"',
    ),
    "a rate no explicit step gets anywhere with": (
        lambda: settle_step(
            CompiledModel(model(transition(rate=1e7 * WITH)), np.linspace(0.0, 100.0, 3), solver="adaptive"),
            np.array([1.0]),
        ),
        "S106",
        "extremely large",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", list(RUN))
def test_a_mistake_in_the_values_is_told(mistake: str) -> None:
    """With the parameter, flow, compartment or date it shows at."""
    run, code, way_out = RUN[mistake]
    with pytest.raises(ModelworksError) as caught:
        run()
    assert caught.value.codes[0] == code, caught.value
    assert way_out in str(caught.value)
    assert explain(code).remedy


def test_every_wrong_value_is_told_at_once() -> None:
    """A name too many and a name too few are both told."""
    with pytest.raises(ModelworksError) as caught:
        simulate(with_loss(), {"los_rate": 0.1}, DAYS)
    assert caught.value.codes == ("S104", "S105")


def test_an_expression_has_no_truth_and_no_length() -> None:
    """`if rate:` and `for x in rate` would silently mean something else."""
    with pytest.raises(ModelworksError, match="no truth value"):
        bool(WITH)
    with pytest.raises(ModelworksError, match="one number"):
        list(WITH)
    with pytest.raises(ModelworksError, match="whole powers"):
        WITH**0.5  # type: ignore[operator]
