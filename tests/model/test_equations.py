"""The equations of a model: LaTeX that closes what it opens, leaves nothing out, and says what the machine computes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from modelworks.model import Entry, Exit, Infection, Model, Parameter, Time, Transition, cos, exp, maximum, people, sqrt
from modelworks.model._lower import lower
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.library.seir import seir
from modelworks.model.library.sir import sir


def lines(latex: str) -> dict[str, str]:
    """The left and the right side of every equation."""
    found = [line.strip().removesuffix(r"\\").strip() for line in latex.splitlines() if "&=" in line]
    return dict((part.strip() for part in line.split("&=")) for line in found)  # type: ignore[misc]


def closing(text: str, start: int) -> int:
    """Where the brace that opens at `start` closes."""
    depth = 0
    for k in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[k], 0)
        if depth == 0:
            return k
    raise AssertionError(f"a brace is not closed in {text}")


def python(text: str) -> str:
    """A formula without strata as Python; the names of its symbols are in `v`."""
    while r"\frac" in text:
        start = text.rindex(r"\frac")
        middle = closing(text, start + 5)
        end = closing(text, middle + 1)
        text = f"{text[:start]}(({text[start + 6 : middle]})/({text[middle + 2 : end]})){text[end + 1 :]}"
    while r"\sqrt" in text:
        start = text.rindex(r"\sqrt")
        end = closing(text, start + 5)
        text = f"{text[:start]}math.sqrt({text[start + 6 : end]}){text[end + 1 :]}"
    for name, function in {"exp": "math.exp", "ln": "math.log", "cos": "math.cos", "max": "max", "min": "min"}.items():
        text = text.replace(rf"\{name}\left", function + r"\left")
    text = re.sub(r"\\times 10\^\{(-?\d+)\}", r"* 10.0**(\1)", text)
    text = text.replace(r"\left(", "(").replace(r"\right)", ")").replace(r"\pi", "math.pi")
    # What is left with a backslash or a letter is a symbol.
    text = re.sub(
        r"(?<![\w.\]\[{])(\\?[A-Za-z]+(?:_\w|(?:\{[^}]*\}))?)(?![\w.(])", r'v["\1"]', text.replace(r"\,", "*")
    )
    return text.replace('v["math"]', "math").replace("\\", "\\\\")


def derivative(
    latex: str, model: Model, parameters: Mapping[str, float], state: Mapping[str, float], t: float
) -> list[float]:
    """What the printed equations say the change of every compartment is."""
    said = lines(latex)
    symbols = dict(re.findall(r"^  \$(.+?)\$ & (.*?) &", latex, re.MULTILINE))
    values: dict[str, float] = {"t": t}
    for symbol, meaning in symbols.items():
        if meaning.startswith("people ") and meaning[7:] in state:
            values[symbol] = state[meaning[7:]]
        for name, each in model.parameters.items():
            if meaning == (each.meaning or name).replace("_", " "):
                values[symbol] = parameters[name]
    for symbol in ("N", r"\lambda"):
        if symbol in said:
            values[symbol] = eval(python(said[symbol]), {"math": math, "v": values})
    rates = [right for left, right in said.items() if left.startswith(r"\frac{\mathrm{d}")]
    return [eval(python(rate), {"math": math, "v": values}) for rate in rates]


def rich() -> Model:
    """No strata, and every function."""
    a, b = Parameter("a"), Parameter("b")
    fear = exp(-1.0 * a * people("ill") / people())
    return Model(
        "rich",
        ["well", "ill", "gone"],
        [
            Infection("infection", "well", "ill", (a - (b - 0.2)) * fear, "ill", susceptibility=2.0 - a),
            Transition("end", "ill", "gone", maximum(sqrt(a + 1.0) * 0.00001, b / (1.0 + people("ill", "gone")))),
            Transition("back", "gone", "well", 0.1 * (1.0 + 0.5 * cos(Time() * 3.0) - a * b)),
            Entry("birth", "well", b * people()),
            Exit("death", None, 0.3 * b),
        ],
        {"well": 90.0},
        {"ill": people("ill")},
    )


PLAIN = {
    "sir": (sir(), {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 100.0, "first_cases": 1.0}),
    "seir": (
        seir(),
        {"contact_rate": 0.5, "latency_rate": 0.3, "recovery_rate": 0.2, "population": 1e2, "first_cases": 1.0},
    ),
    "rich": (rich(), {"a": 0.7, "b": 0.4}),
}


@pytest.mark.parametrize("name", list(PLAIN))
def test_the_equations_say_what_the_machine_computes(name: str) -> None:
    """Read back from the page and evaluated, they are the derivative of the compiled graph."""
    model, values = PLAIN[name]
    program = lower(model)
    people_now = np.random.default_rng(2).uniform(1, 50, len(model.compartments))
    padded = np.zeros((1, len(program.rows), 1))
    padded[0, : people_now.size, 0] = people_now
    vector = np.array([[values[each] for each in program.parameters]])
    nodes = program.derivatives[: people_now.size]
    found = evaluate(program.graph, nodes, parameters=vector, times=np.array([1.7]), state=padded)
    expected = [float(found[node].ravel()[0]) for node in nodes]
    state = dict(zip(model.compartments, people_now.tolist(), strict=True))
    read = derivative(model.equations(), model, values, state, 1.7)
    np.testing.assert_allclose(read, expected, rtol=1e-9)


def test_nothing_is_left_out_or_open(animal: Any) -> None:
    """Every brace, bracket and environment closes; each compartment has a derivative, each flow and symbol its line."""
    latex, model = animal.model.equations(), animal.model
    bare = re.sub(r"\\[{}]", "", latex)
    assert bare.count("{") == bare.count("}")
    assert latex.count(r"\left") == latex.count(r"\right")
    assert re.findall(r"\\begin\{([a-z*]+)\}", latex) == re.findall(r"\\end\{([a-z*]+)\}", latex)
    assert sum(left.startswith(r"\frac{\mathrm{d}") for left in lines(latex)) == len(model.compartments)
    rows = re.findall(r"^  (.*?) &", latex, re.MULTILINE)
    assert {flow.name for flow in model.flows} <= set(rows)
    meanings = re.findall(r"^  \$.+?\$ & (.*?) &", latex, re.MULTILINE)
    assert {f"people {c}" for c in model.compartments} <= set(meanings)
    assert {p.meaning or name for name, p in model.parameters.items()} <= set(meanings)
    # A symbol stands on the left of one equation only, and one that is used is told.
    lefts = re.findall(r"^  (\S.*?) &=", latex, re.MULTILINE)
    assert len(lefts) == len(set(lefts))
    for used in set(re.findall(r"\\(?:kappa|pi)\^\{\(\d+\)\}|f\^\{\(\d+\)\}", latex)):
        assert any(left.startswith(used) for left in lefts)


def test_strata_are_an_index_and_not_written_out(animal: Any) -> None:
    """A page holds the equations of sixteen ages as well as of three."""
    derivatives = [
        right for left, right in lines(animal.model.equations()).items() if left.startswith(r"\frac{\mathrm{d}")
    ]
    assert max(len(right) for right in derivatives) < 1000


def test_names_are_text_and_not_commands() -> None:
    """A percent sign begins a comment, and a brace in a name would swallow what follows."""
    model = Model(
        "x_%", ["s%", "i}"], [Infection("in_f&", "s%", "i}", Parameter("a%b"), "i}")], {"s%": 1.0}, {"i": people("i}")}
    )
    latex = model.equations()
    assert r"in f\&" in latex
    assert r"a\%b" in latex
    assert r"i\}" in latex
