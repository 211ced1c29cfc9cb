"""A second way to run a model, and a zoo of models that between them use every piece of the declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

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
    Setting,
    Stratification,
    Time,
    Transition,
    by,
    cos,
    events,
    exp,
    log,
    maximum,
    minimum,
    people,
    seasonal,
    smooth_change,
    sqrt,
    table,
)
from modelworks.model._graph import Depends
from modelworks.model._program import Program
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.solvers._grid import Grid

Array: TypeAlias = NDArray[np.float64]
Interpreted: TypeAlias = Callable[[Program, Grid, Array], Array]


def run_interpreted(program: Program, grid: Grid, parameters: Array) -> Array:
    """Outputs (time, column) by the classical Runge-Kutta method on the NumPy reading of the graph."""
    graph, width = program.graph, program.width
    wanted = [*program.derivatives, *(column.node for column in program.columns)]
    settled = [k for k in graph.ancestors(wanted) if not graph.nodes[k].depends & Depends.STATE]
    ahead = evaluate(graph, settled, parameters=parameters[None, :], times=grid.moments)

    def known(moment: int) -> dict[int, Array]:
        return {node: value[moment : moment + 1] if len(value) > 1 else value for node, value in ahead.items()}

    def rows(nodes: Sequence[int], state: Array | None, given: Mapping[int, Array]) -> Array:
        found = evaluate(graph, nodes, state=None if state is None else state[None], known=given)
        return np.stack([np.broadcast_to(found[node].ravel(), width) for node in nodes])

    def slope(state: Array, moment: int) -> Array:
        return rows(program.derivatives, state, known(moment))

    started = evaluate(graph, program.initial, parameters=parameters[None, :])
    state = np.stack([np.broadcast_to(started[node].ravel(), width) for node in program.initial])
    outputs, step = [], 0
    for place, count in enumerate(grid.counts):
        for _ in range(count):
            h, first = grid.steps[step], 3 * step
            k1 = slope(state, first)
            k2 = slope(state + h / 2 * k1, first + 1)
            k3 = slope(state + h / 2 * k2, first + 1)
            k4 = slope(state + h * k3, first + 2)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            step += 1
        seen = known(3 * grid.steps.size + place)
        values = evaluate(graph, [c.node for c in program.columns], state=state[None], known=seen)
        outputs.append(np.concatenate([np.atleast_1d(values[c.node].ravel()) for c in program.columns]))
        state[list(program.accumulators)] = 0.0
    return np.stack(outputs)


@pytest.fixture(scope="session")
def interpreted() -> Interpreted:
    """A run without machine code: slow, plain, and written apart from the kernel."""
    return run_interpreted


def run_by_scipy(program: Program, grid: Grid, parameters: Array) -> Array:
    """Outputs (time, column) by DOP853, from one knot of the tables to the next."""
    from scipy.integrate import solve_ivp

    graph, size = program.graph, len(program.rows)

    def values(nodes: Any, time: float, state: Array | None) -> list[Array]:
        found = evaluate(
            graph,
            list(nodes),
            parameters=parameters[None, :],
            times=np.array([time]),
            state=None if state is None else state.reshape(1, size, program.width),
        )
        return [found[node].ravel() for node in nodes]

    def whole(nodes: Any, time: float, state: Array | None) -> Array:
        return np.stack([np.broadcast_to(each, program.width) for each in values(nodes, time, state)]).ravel()

    state = whole(program.initial, grid.outputs[0], None)
    columns = [column.node for column in program.columns]
    outputs = [np.concatenate(values(columns, grid.outputs[0], state))]
    counters = np.repeat([row.accumulates for row in program.rows], program.width)
    for left, right in pairwise(grid.outputs.tolist()):
        stops = [left, *(knot for knot in program.knots if left < knot < right), right]
        for start, end in pairwise(stops):
            # A table that steps at the end holds its old value until there.
            last = np.nextafter(end, start)
            solved = solve_ivp(
                lambda t, y, last=last: whole(program.derivatives, min(t, last), y),
                (start, end),
                state,
                method="DOP853",
                rtol=1e-10,
                atol=1e-9,
            )
            state = solved.y[:, -1]
        outputs.append(np.concatenate(values(columns, right, state)))
        state[counters] = 0.0
    return np.stack(outputs)


# A difference of order four over this part of the value is exact to about 1e-10, and seldom meets the kink
# of a maximum within its reach.
REACH = 5e-5


def gradient_by_differences(compiled: CompiledModel, at: Array, cotangent: Array) -> Array:
    """The gradient of `sum(cotangent * outputs)` from runs at four places to the sides of each parameter."""
    found = np.zeros_like(at)
    for k in range(at.size):
        reach = np.zeros_like(at)
        reach[k] = REACH * (abs(at[k]) or 0.1)
        value = [float((cotangent * compiled.run(at + far * reach)).sum()) for far in (-2, -1, 1, 2)]
        found[k] = (value[0] - 8 * value[1] + 8 * value[2] - value[3]) / (12 * reach[k])
    return found


def assert_exact_gradient(compiled: CompiledModel, at: Array) -> None:
    """Every output weighs in at every time; no parameter's derivative is off by a millionth of its own scale."""
    outputs, pullback = compiled.run_with_pullback(at)
    # Each column counts alike, whether it holds thousands of people or a share.
    weights = 1 / np.maximum(np.abs(outputs).max(axis=0), 1e-9)
    cotangent = np.random.default_rng(3).normal(size=outputs.shape) * weights
    gradient, expected = pullback(cotangent), gradient_by_differences(compiled, at, cotangent)
    scale = np.abs(expected * at).max()
    assert scale > 0
    np.testing.assert_allclose(gradient * at, expected * at, rtol=1e-6, atol=1e-9 * scale)
    assert np.all(expected != 0)


@pytest.fixture(scope="session")
def by_differences() -> Callable[..., Array]:
    """The gradient of a weighted sum of outputs, from runs alone."""
    return gradient_by_differences


@pytest.fixture(scope="session")
def check_gradient() -> Callable[..., None]:
    """That a model's gradient is that of its own runs."""
    return assert_exact_gradient


@pytest.fixture(scope="session")
def by_scipy() -> Interpreted:
    """A run by another method, at ten digits."""
    return run_by_scipy


@dataclass(frozen=True)
class Animal:
    """A model of the zoo, values for its parameters, and the longest step that suits it."""

    model: Model
    values: Mapping[str, float]
    times: Array
    step: float = 0.5


def parameters(*names: str) -> list[Parameter]:
    return [Parameter(name) for name in names]


def names(word: str, number: int) -> list[str]:
    return [f"{word}{k}" for k in range(number)]


DAYS = np.arange(0.0, 21.0, 4.0)


def _plain() -> Animal:
    """No lanes; parameters in the initial numbers; outputs of parameters and of time alone."""
    rate, recovery, everybody, first = parameters("rate", "recovery", "everybody", "first")
    model = Model(
        "plain",
        ["s", "i", "r"],
        [Infection("infection", "s", "i", rate, "i"), Transition("recovery", "i", "r", recovery)],
        {"s": everybody - first, "i": first},
        {
            "i": people("i"),
            "share": Output(people("i") / people(), "proportion"),
            "new": events("infection"),
            "weighted": events("infection", times=recovery * Time()),
            "number": rate / recovery,
            "time": Time() * 2.0,
            "both": Time() * rate,
        },
    )
    return Animal(model, {"rate": 0.6, "recovery": 0.2, "everybody": 1000.0, "first": 7.0}, DAYS)


def _ages() -> Animal:
    """Two lanes; settings scaled by parameters; susceptibility and infectiousness by age; initial by age."""
    rate, home, school, child, adult, young, old = parameters(
        "rate", "home", "school", "child", "adult", "young", "old"
    )
    model = Model(
        "ages",
        ["s", "e", "i", "r"],
        [
            Infection(
                "infection",
                "s",
                "e",
                rate,
                {"i": by("age", [child, 1.0]), "e": 0.1 * adult},
                Contacts(
                    {
                        "age": [
                            Setting("home", [[2, 1], [0.5, 3]], scale=home),
                            Setting("school", [[6, 0.1], [0.1, 0]], scale=by("age", [school, 1.0])),
                            Setting("other", [[1, 1], [1, 1]]),
                        ]
                    }
                ),
                susceptibility=by("age", [child, adult]),
            ),
            Transition("onset", "e", "i", 0.4),
            Transition("recovery", "i", "r", by("age", {"age0": 0.2, "age1": 0.1 + 0.1 * adult})),
        ],
        {"s": by("age", [young, old]), "i": 0.01 * young},
        {
            "new": Output(events("onset", by=["age"]), by=["age"]),
            "i": people("i"),
            "old": people("i", age="age1"),
            "detected": events("onset", times=by("age", [child, 0.5])),
        },
        [Stratification("age", names("age", 2), split=[0.4, 0.6])],
    )
    values = {"rate": 0.05, "home": 0.9, "school": 1.3, "child": 0.7, "adult": 1.1, "young": 400.0, "old": 600.0}
    return Animal(model, values, DAYS)


def _ageing() -> Animal:
    """Three lanes that people age along; births from a table of parameters; deaths by age; years."""
    birth, later, death, rate = parameters("birth", "later", "death", "rate")
    born = table([1950.5, 1960, 1980], [birth, later, 0.5 * birth])
    model = Model(
        "ageing",
        ["s", "i"],
        [
            Infection("infection", "s", "i", rate, "i"),
            Transition("recovery", "i", "s", 0.5),
            Entry("birth", "s", born * people(), {"age": "age0"}),
            Entry("arrival", "i", 2.0, {"age": {"age1": 0.5 * later / birth, "age2": 1 - 0.5 * later / birth}}),
            Exit("death", None, death * by("age", [1.0, 0.5, 4.0])),
            Exit("illness", "i", 0.02, where={"age": ["age0", "age2"]}),
        ],
        {"s": 900.0, "i": 100.0},
        {
            "everybody": Output(people(by=["age"]), by=["age"]),
            "i": people("i"),
            "old": events("ageing by age", by=[], age="age2"),
            "deaths": events("death") + events("illness", times=later),
        },
        [Stratification("age", names("age", 3), split=[0.3, 0.4, 0.3], widths=[15, 35])],
        time="years",
    )
    values = {"birth": 0.03, "later": 0.02, "death": 0.01, "rate": 0.9}
    return Animal(model, values, np.array([1950, 1955, 1960.25, 1975, 1990]), step=0.5)


def _places() -> Animal:
    """Five places as lanes with mixing and journeys; two ages as rows, with contacts and ageing of their own."""
    rate, journey, mixing, immune = parameters("rate", "journey", "mixing", "immune")
    near = np.eye(5) + 0.1 * np.arange(25).reshape(5, 5) / 25
    model = Model(
        "places",
        ["s", "i", "r"],
        [
            Infection(
                "infection",
                "s",
                "i",
                rate * by("place", [1.0, 0.5, mixing, 1.0, 2.0]),
                "i",
                Contacts(
                    {
                        "place": [Setting("near", near), Setting("far", np.ones((5, 5)), scale=mixing)],
                        "age": [Setting("any", [[3, 1], [1, 2]], scale=by("age", [mixing, 1.0]))],
                    }
                ),
            ),
            Transition("recovery", "i", "r", 0.2),
            Move("outward", "place", "place1", "place4", journey),
            Move("homeward", "place", "place4", "place0", 0.1 * by("age", [journey, 1.0]), compartments=["s", "r"]),
            Transition("vaccination", "s", "r", immune, where={"place": ["place2", "place3"], "age": "age1"}),
        ],
        {"s": by("place", [100, 200, 300, 50, 350]), "i": by("place", [immune * 100, 0, 0, 0, 1])},
        {
            "i": Output(people("i", by=["age", "place"]), by=["age", "place"]),
            "journeys": Output(events("outward", by=["place"]), by=["place"]),
            "older": events("ageing by age", by=[]),
            "vaccinated": events("vaccination"),
        },
        [
            Stratification("age", names("age", 2), split=[0.5, 0.5], widths=[30]),
            Stratification("place", names("place", 5), split="place0"),
        ],
    )
    return Animal(model, {"rate": 0.1, "journey": 0.05, "mixing": 0.3, "immune": 0.03}, DAYS)


def _seasons() -> Animal:
    """Seven lanes; tables that hold parameters (straight and in steps), a season and a smooth change of parameters."""
    base, low, high, swing, peak, middle, span = parameters("base", "low", "high", "swing", "peak", "middle", "span")
    model = Model(
        "seasons",
        ["s", "i", "r"],
        [
            Infection(
                "infection",
                "s",
                "i",
                base * table([2, 7, 13], [low, high, 0.8]) * seasonal(swing, peak, 15.0),
                "i",
                susceptibility=by("age", [0.5, 1, 1, low, 1, 1, table([3, 9], [high, low])]),
            ),
            Transition("recovery", "i", "r", smooth_change(0.1, high * 0.2, middle, span)),
            Transition("waning", "r", "s", table([5, 6.5, 11], [0.0, 0.1 * low, 0.02], "step")),
        ],
        {"s": 990.0, "i": 10.0},
        {
            "i": Output(people("i", by=["age"]), by=["age"]),
            "back": events("waning"),
            "rate": base * table([2, 7, 13], [low, high, 0.8]),
            "reported": events("infection", times=table([4, 8, 16], [low, high, 0.1], "step")),
        },
        [Stratification("age", names("age", 7), split=[0.1, 0.1, 0.2, 0.2, 0.1, 0.1, 0.2])],
    )
    values = {"base": 0.6, "low": 0.4, "high": 1.2, "swing": 0.2, "peak": 3.0, "middle": 9.0, "span": 4.0}
    return Animal(model, values, DAYS)


def _vaccines() -> Animal:
    """Sixteen lanes, doses and two strains as rows, mild and severe cases shared out by a parameter."""
    rate, dose, effect, severe, fitness, closed = parameters("rate", "dose", "effect", "severe", "fitness", "closed")
    dice = np.random.default_rng(5)
    share = list(dice.dirichlet(np.ones(16)))
    near, school = dice.uniform(0.1, 1, (16, 16)), np.diag(dice.uniform(0, 3, 16))
    opened = table([0, 5, 6, 12], [1.0, 1.0, closed, 1.0])
    model = Model(
        "vaccines",
        ["s", "i", "h", "r"],
        [
            Infection(
                "infection",
                "s",
                "i",
                rate * by("strain", {"old": 1.0, "new": fitness}),
                {"i": by("clinical", {"mild": 1.0, "severe": 1.5 * severe})},
                Contacts({"age": [Setting("near", near), Setting("school", school, scale=opened)]}),
                susceptibility=by("dose", {"none": 1.0, "one": 1 - effect}),
                strain="strain",
                split={"clinical": {"mild": 1 - severe, "severe": severe}},
            ),
            Transition("admission", "i", "h", 0.1, where={"clinical": "severe"}),
            Transition("recovery", "i", "r", 0.25, where={"clinical": "mild"}),
            Transition("discharge", "h", "r", 0.2),
            Move("first", "dose", "none", "one", table([3, 10], [0.0, dose]), compartments=["s", "r"]),
            Exit("death", "h", 0.02 * by("strain", [1.0, fitness]), where={"age": names("age", 16)[8:]}),
        ],
        {"s": 9900.0, "i": 100.0},
        {
            "h": Output(people("h", by=["strain"]), by=["strain"]),
            "deaths": Output(events("death", by=["age"]), by=["age"]),
            "doses": events("first", dose="one"),
            "new": Output(events("infection", by=["clinical", "age"], strain="new"), by=["clinical", "age"]),
        },
        [
            Stratification("age", names("age", 16), split=share),
            Stratification("dose", ["none", "one"], split={"none": 0.9, "one": 0.1}),
            Stratification("strain", ["old", "new"], compartments=["i", "h"], split={"old": 0.8, "new": 0.2}),
            Stratification(
                "clinical", ["mild", "severe"], compartments=["i"], split={"mild": 1 - severe, "severe": severe}
            ),
        ],
    )
    values = {"rate": 0.05, "dose": 0.03, "effect": 0.6, "severe": 0.2, "fitness": 1.4, "closed": 0.3}
    return Animal(model, values, DAYS)


def _functions() -> Animal:
    """Three lanes; every function, powers and quotients; rates that depend on how many are ill."""
    a, b, c, d = parameters("a", "b", "c", "d")
    fear = 1.0 / (1.0 + d * people("i") / people())
    shy = exp(-1.0 * a * people("i", by=["age"]) / 500.0)
    model = Model(
        "functions",
        ["s", "i", "r"],
        [
            Infection("infection", "s", "i", c * fear * shy, "i"),
            Transition("recovery", "i", "r", minimum(sqrt(a) * 0.4, 5.0 * b) + 0.1 * maximum(b**3, a / 4)),
            Transition(
                "waning", "r", "s", 0.05 * maximum(0.02 * people("i"), a) + 0.02 * minimum(people("i") / 400, 2.0 * b)
            ),
            Transition("queue", "s", "r", log(1.0 + b * people("s") / people()) * 0.02 * (1.5 + cos(Time() * b))),
            Entry("arrival", "s", sqrt(1.0 + people("r")) * by("age", [a, 1.0, b])),
        ],
        {"s": by("age", [300, 300 * a, 200]), "i": 30.0 * a * b},
        {
            "i": Output(people("i", by=["age"]), by=["age"]),
            "ratio": Output(people("i") / (1.0 + people("r")) ** 2, "dimensionless"),
            "share": Output(people("i", by=["age"]) / people(by=["age"]) * a, "proportion", by=["age"]),
            "most": maximum(people("i"), 10.0 * a),
        },
        [Stratification("age", names("age", 3), split=[0.2, 0.3, 0.5])],
    )
    return Animal(model, {"a": 0.9, "b": 0.3, "c": 0.8, "d": 2.0}, DAYS)


def _stages() -> Animal:
    """Three lanes; Erlang stages by a rate that differs by lane, with another way out; monotone tables."""
    rate, onset, death, late = parameters("rate", "onset", "death", "late")
    model = Model(
        "stages",
        ["s", "e", "i", "r"],
        [
            Infection("infection", "s", "e", rate * table([2, 6, 7, 15], [1.0, late, 0.9, late], "monotone"), "i"),
            Transition("onset", "e", "i", onset * by("age", [1.0, 2.0, 0.5]), stages=3),
            Transition("recovery", "i", "r", 0.2, stages=2),
            Exit("death", ["e", "i"], death),
        ],
        {"s": 900.0, "i": 20.0, "e": 10.0},
        {"e": Output(people("e", by=["age"]), by=["age"]), "i": people("i"), "d": events("death")},
        [Stratification("age", names("age", 3), split=[0.2, 0.3, 0.5])],
    )
    return Animal(model, {"rate": 0.7, "onset": 0.2, "death": 0.05, "late": 0.5}, DAYS)


def _histories() -> Animal:
    """Two strains; infection counts on in what people were, discharge vaccinates."""
    rate, effect, severe = parameters("rate", "effect", "severe")
    protected = by("history", [1.0, effect, 0.5 * effect])
    model = Model(
        "histories",
        ["s", "i", "h"],
        [
            Infection(
                "infection",
                "s",
                "i",
                rate,
                {"i": protected},
                Contacts({"age": [[1.0, 0.5], [0.4, 0.8]]}),
                protected * by("dose", [1.0, 0.6]),
                "strain",
                {"clinical": {"mild": 1 - severe * protected, "severe": severe * protected}},
                becoming={"history": {"none": "once", "once": "more"}},
            ),
            Transition("recovery", "i", "s", 0.2, where={"clinical": "mild"}),
            Transition("admission", "i", "h", 0.3, where={"clinical": "severe"}, becoming={"history": "more"}),
            Transition("discharge", "h", "s", 0.2 * protected, stages=3, becoming={"dose": "given"}),
            Transition(
                "forgetting",
                "h",
                "s",
                0.1,
                where={"dose": "given"},
                becoming={"history": "none", "dose": {"given": "none"}},
            ),
        ],
        {"s": 900.0, "i": 100.0},
        {
            "i": Output(people("i", by=["age", "history"]), by=["age", "history"]),
            "first": Output(events("infection", by=["strain", "age"], history="none"), by=["strain", "age"]),
            "again": Output(events("infection", by=["history"]), by=["history"]),
            "discharged": Output(events("discharge", by=["dose"], times=protected), by=["dose"]),
            "forgot": events("forgetting", history=["once", "more"]),
        },
        [
            Stratification("history", ["none", "once", "more"], split=[0.7, 0.2, 0.1]),
            Stratification("age", names("age", 2), split=[0.4, 0.6]),
            Stratification("dose", ["none", "given"], split=[0.8, 0.2]),
            Stratification("clinical", ["mild", "severe"], compartments=["i"], split=[0.9, 0.1]),
            Stratification("strain", ["old", "new"], compartments=["i"], split=[0.5, 0.5]),
        ],
    )
    return Animal(model, {"rate": 0.5, "effect": 0.6, "severe": 0.3}, DAYS)


ZOO: dict[str, Callable[[], Animal]] = {
    "plain": _plain,
    "ages": _ages,
    "ageing": _ageing,
    "places": _places,
    "seasons": _seasons,
    "vaccines": _vaccines,
    "functions": _functions,
    "stages": _stages,
    "histories": _histories,
}


@pytest.fixture(params=list(ZOO))
def animal(request: pytest.FixtureRequest) -> Any:
    """Each model of the zoo."""
    return ZOO[request.param]()
