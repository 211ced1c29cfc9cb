"""People who change stratum on their way: a dose at discharge, a history of infections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelworks.model import (
    Infection,
    Model,
    Output,
    Parameter,
    Pulse,
    Stratification,
    Transition,
    basic_reproduction_number,
    by,
    diagram,
    effective_reproduction_number,
    equilibrium,
    events,
    people,
    simulate,
    simulate_stochastic,
)

HISTORY = ["none", "once", "more"]
RISK = [1.0, 0.6, 0.3]
VALUES = {"rate": 0.5, "recovery": 0.2, "waning": 0.05}
RATE, RECOVERY, WANING = (Parameter(name) for name in VALUES)
DAYS = np.arange(0.0, 101.0, 10.0)
ONWARD = {"none": "once", "once": "more"}


def remembering(flow: str, onward: Any = ONWARD, strata: tuple[str, ...] = tuple(HISTORY), **more: Any) -> Model:
    """People less susceptible the more often they were infected, counted on by one of the flows."""
    becoming = {name: {"history": onward} if name == flow else {} for name in ("infection", "recovery")}
    risk = dict(zip(HISTORY, RISK, strict=True))
    return Model(
        "remembering",
        ["s", "i", "r"],
        [
            Infection(
                "infection",
                "s",
                "i",
                RATE,
                "i",
                susceptibility=by("history", {name: risk[name.removesuffix(" too")] for name in strata}),
                becoming=becoming["infection"],
            ),
            Transition("recovery", "i", "r", RECOVERY, becoming=becoming["recovery"]),
            Transition("waning", "r", "s", WANING),
        ],
        {"s": 990.0, "i": 10.0},
        {
            "i": people("i"),
            "s": Output(people("s", by=["history"]), by=["history"]),
            "before": Output(events("infection", by=["history"]), by=["history"]),
            "first": events("infection", history="none"),
            "all": people(),
        },
        [Stratification("history", strata, split="none"), *more.pop("stratifications", ())],
        **more,
    )


def by_hand(flow: str) -> Model:
    """The same with a compartment for each history."""
    later = {0: 1, 1: 2, 2: 2}
    flows: list[Any] = []
    for k, risk in enumerate(RISK):
        ill, well = (later[k] if flow == name else k for name in ("infection", "recovery"))
        flows.append(Infection(f"infection {k}", f"s{k}", f"i{ill}", RATE * risk, ["i0", "i1", "i2"]))
        flows.append(Transition(f"recovery {k}", f"i{k}", f"r{well}", RECOVERY))
        flows.append(Transition(f"waning {k}", f"r{k}", f"s{k}", WANING))
    return Model(
        "by hand",
        [f"{c}{k}" for c in "sir" for k in range(3)],
        flows,
        {"s0": 990.0, "i0": 10.0, "r0": 0.0},
        {
            "i": people("i0", "i1", "i2"),
            **{f"s{k}": people(f"s{k}") for k in range(3)},
            **{f"before {k}": events(f"infection {k}") for k in range(3)},
        },
    )


@pytest.mark.parametrize("flow", ["infection", "recovery"])
def test_it_is_the_model_with_compartments_written_by_hand(flow: str) -> None:
    found = simulate(remembering(flow), VALUES, DAYS, accuracy=1e-9)
    expected = simulate(by_hand(flow), VALUES, DAYS, accuracy=1e-9)
    np.testing.assert_allclose(found["i"], expected["i"], rtol=1e-7)
    for k in range(3):
        np.testing.assert_allclose(found["s"][:, k], expected[f"s{k}"], rtol=1e-7, atol=1e-7)
        # Who is infected is counted as what they were before.
        np.testing.assert_allclose(found["before"][:, k], expected[f"before {k}"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found["first"], found["before"][:, 0], rtol=1e-12)
    np.testing.assert_allclose(found["all"], 1000.0, rtol=1e-12)


def test_the_reproduction_number_and_the_equilibrium_are_those_of_the_model_by_hand() -> None:
    model, expected = remembering("recovery"), by_hand("recovery")
    np.testing.assert_allclose(basic_reproduction_number(model, VALUES), 2.5, rtol=1e-12)
    for each in (model, expected):
        np.testing.assert_allclose(
            effective_reproduction_number(each, VALUES, DAYS),
            effective_reproduction_number(expected, VALUES, DAYS),
            rtol=1e-5,
        )
    resting = remembering("infection", "once")
    at_rest = equilibrium(resting, VALUES).start(resting)
    prevalence = simulate(at_rest, VALUES, [0.0, 50.0])["i"]
    np.testing.assert_allclose(prevalence[1], prevalence[0], rtol=1e-6)
    # Everybody was infected once, and R = 1 where a share x is susceptible: 2.5 * 0.6 * x = 1.
    np.testing.assert_allclose(prevalence[0], 1000 * (1 - 1 / 1.5) * 0.05 / (0.05 + 0.2), rtol=1e-6)


def test_cutting_a_stratum_in_two_changes_nothing() -> None:
    whole = simulate(remembering("infection"), VALUES, DAYS, accuracy=1e-9)
    onward = {"none": "once", "none too": "once too", "once": "more", "once too": "more"}
    halves = remembering("infection", onward, (*HISTORY, "none too", "once too"))
    parts = simulate(
        halves.extended(
            stratifications=[
                Stratification("history", halves.stratifications[0].strata, split={"none": 0.3, "none too": 0.7})
            ],
            replacing="history",
        ),
        VALUES,
        DAYS,
        accuracy=1e-9,
    )
    np.testing.assert_allclose(parts["i"], whole["i"], rtol=1e-7)
    joined = parts["s"][:, :2] + parts["s"][:, 3:]
    np.testing.assert_allclose(joined, whole["s"][:, :2], rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["chain_binomial", "tau_leap", "exact"])
def test_by_chance_people_stay_whole_and_as_many(method: str) -> None:
    few = remembering("infection")
    runs = simulate_stochastic(few, VALUES, DAYS, seed=3, draws=20, method=method, step=0.25)
    np.testing.assert_array_equal(runs["all"], 1000.0)
    assert np.all(runs["s"] == np.round(runs["s"]))
    many = few.extended(initial={"s": 990_000.0, "i": 10_000.0}, replacing=["s", "i"])
    runs = simulate_stochastic(many, VALUES, DAYS[:5], seed=3, draws=20, method="tau_leap", step=0.1)
    expected = simulate(many, VALUES, DAYS[:5])
    np.testing.assert_allclose(runs["before"].mean(axis=0), expected["before"], rtol=0.02, atol=300)


def test_a_pulse_may_change_what_people_are() -> None:
    """A vaccination of the recovered: they go back to the susceptible with one infection more in their history."""
    model = remembering("recovery", {}).extended(
        flows=[Pulse("campaign", 40.0, "r", "s", share=0.5, becoming={"history": "more"})],
        outputs={"r": people("r"), "done": events("campaign", history="none"), "more": people("s", history="more")},
    )
    found = simulate(model, VALUES, [0.0, 40.0, 40.001])
    np.testing.assert_allclose(found["done"][2], found["r"][1] / 2, rtol=1e-4)
    np.testing.assert_allclose(found["more"], [0, 0, found["r"][1] / 2], rtol=1e-2)


def test_the_equations_and_the_picture_say_it() -> None:
    named = remembering("recovery", "more")
    assert r"\sum_{h'} \left[h = \text{more}\right] \, \text{recovery} \, I_{h'}" in named.equations()
    mapped = remembering("recovery").equations()
    assert r"\left[h = \phi^{(1)}_{h'}\right] \, \text{recovery} \, I_{h'}" in mapped
    assert r"\phi^{(1)}_{h} &= \left(\text{once}, \text{more}, \text{more}\right)" in mapped
    assert "$; history becomes more" in named.equations()
    assert "recovery: history becomes more" in diagram(named)
    assert "recovery: history changes, none to once, once to more" in diagram(remembering("recovery"))
