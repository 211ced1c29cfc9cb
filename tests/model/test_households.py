"""How epidemics end in households: whole people by chance, and the chances themselves, against published tables.

Where the tables come from is said in the README of the references folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelworks.model import (
    CompiledModel,
    Model,
    Parameter,
    Pulse,
    Transition,
    people,
    simulate,
    simulate_stochastic,
    table,
)


def tables(references: Path) -> Any:
    return json.loads((references / "household_final_size.json").read_text())


HOUSEHOLDS = 40_000


def household(size: int, infected: int, escape: float, *, from_outside: float = 1.0) -> np.ndarray[Any, Any]:
    """The share of households in which 0, 1, … of `size` susceptible people are infected, by chain-binomial.

    Whoever is infected is infectious for one step, in which each escapes each of them with `escape`; in the first
    step each escapes the community with `from_outside`.
    """
    outside = table([0.0, 1.0], [-float(np.log(from_outside)), 0.0], "step")
    model = Model(
        "household",
        ["S", "I", "R"],
        [
            Transition("infection", "S", "I", outside - float(np.log(escape)) * people("I")),
            # Surely over after a step: exp(-1000) is nothing.
            Transition("recovery", "I", "R", 1000.0),
        ],
        {"S": float(size), "I": float(infected)},
        {"S": people("S")},
    )
    steps = np.arange(size + 2.0)
    left = simulate_stochastic(model, {}, steps, draws=HOUSEHOLDS, seed=size, step=1.0)["S"][:, -1]
    return np.bincount((size - left).astype(int), minlength=size + 1) / HOUSEHOLDS


def assert_shares(found: Any, expected: Sequence[float]) -> None:
    """Within four standard errors each."""
    p = np.asarray(expected)
    assert np.all(np.abs(found - p) <= 4 * np.sqrt(p * (1 - p) / HOUSEHOLDS)), (found, p)


def test_households_end_as_reed_and_frost_say(references: Path) -> None:
    """One case among few: chances by hand, from the binomial chain."""
    for case in tables(references)["reed_frost"]:
        found = household(case["initial_susceptibles"], case["initial_infectives"], case["escape_prob_q"])
        assert_shares(found, case["P_new_infections"])


@pytest.mark.slow
def test_households_end_as_longini_and_koopman_say(references: Path) -> None:
    """Infected in the community or at home: when in the season does not change how many it is in the end."""
    case = tables(references)["probability_table"]
    for size, expected in case["by_household_size"].items():
        assert_shares(household(int(size), 0, case["Q"], from_outside=case["B"]), expected)


def generations(sizes: Sequence[int]) -> Model:
    """Households of some sizes, each in the state of how many are susceptible and how many infected last.

    Every generation is a pulse: of the households in a state, the binomial share in which so many are infected. The
    first is infected by the community, which each escapes with B; then each escapes each infected one with Q.
    """
    B, Q = Parameter("B", "probability"), Parameter("Q", "probability")
    compartments, flows, initial, outputs = [], [], {}, {}

    def state(size: int, susceptible: int, infected: int) -> str:
        return f"{size}: {susceptible} {infected}"

    for size in sizes:
        # Where nobody is left to be infected, the last generation stands.
        reached = [(s, i) for s in range(size) for i in range(size + 1 - s) if s + i > 0]
        compartments += [state(size, s, i) for s, i in [(size, 0), *reached]]
        initial[state(size, size, 0)] = 1.0
        for s in range(1, size + 1):
            for i in range(1, size + 1 - s):
                for new in range(s + 1):
                    share = comb(s, new) * _power(1 - _power(Q, i), new) * _power(Q, i * (s - new))
                    ends = state(size, s, i), state(size, s - new, new)
                    flows.append(Pulse(f"{ends[0]} to {ends[1]}", range(2, size + 2), *ends, share=share))
        for new in range(1, size + 1):
            ends = state(size, size, 0), state(size, size - new, new)
            share = comb(size, new) * _power(1 - B, new) * _power(B, size - new)
            flows.append(Pulse(f"{ends[0]} to {ends[1]}", 1.0, *ends, share=share))
        for infected in range(size + 1):
            ended = [(size - infected, i) for i in range(infected + 1)]
            outputs[f"{infected} of {size}"] = people(
                *(state(size, *each) for each in ended if each in [(size, 0), *reached])
            )
    return Model("households", compartments, flows, initial, outputs)


def _power(base: Any, power: int) -> Any:
    return base**power if power else 1.0


def test_households_end_as_the_tables_say_to_twelve_digits(references: Path) -> None:
    """Longini and Koopman's recursion against generations one after the other."""
    case = tables(references)["probability_table"]
    sizes = [int(size) for size in case["by_household_size"]]
    result = simulate(generations(sizes), {"B": case["B"], "Q": case["Q"]}, [0.0, max(sizes) + 2.0])
    for size, expected in case["by_household_size"].items():
        found = [result[f"{k} of {size}"][-1] for k in range(int(size) + 1)]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_households_of_tecumseh_have_their_estimates(references: Path) -> None:
    """Escape from the community and from a household member, by the exact gradient of the model."""
    from scipy.optimize import minimize

    case = tables(references)["fits"][0]
    sizes = [int(size) for size in case["households"]]
    compiled = CompiledModel(generations(sizes), [0.0, max(sizes) + 2.0])
    counts = np.array([case["households"][name.split()[2]][int(name.split()[0])] for name in compiled.outputs])

    def misfit(values: Any) -> tuple[float, Any]:
        outputs, pullback = compiled.run_with_pullback(values)
        cotangent = np.zeros_like(outputs)
        cotangent[-1] = -counts / outputs[-1]
        return -float(counts @ np.log(outputs[-1])), pullback(cotangent)

    best = minimize(misfit, [0.7, 0.7], jac=True, bounds=[(0.01, 0.99)] * 2, options={"ftol": 1e-15, "gtol": 1e-9})
    values = dict(zip(compiled.parameters, best.x, strict=True))
    assert values["B"] == pytest.approx(case["mle_B"], abs=1e-5)
    assert values["Q"] == pytest.approx(case["mle_Q"], abs=1e-5)
    assert -best.fun == pytest.approx(case["loglik_without_multinomial_const"], abs=1e-8)
    found = compiled.run(best.x)[-1]
    for size, expected in case["expected_counts"].items():
        shares = [found[compiled.outputs.index(f"{k} of {size}")] for k in range(int(size) + 1)]
        np.testing.assert_allclose(np.multiply(sum(case["households"][size]), shares), expected, atol=1e-3)
