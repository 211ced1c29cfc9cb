"""Every model of the library: sound, the same by every way to run it, nobody lost; and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelworks.dates import Calendar
from modelworks.errors import ModelworksError
from modelworks.model import (
    CompiledModel,
    Entry,
    Exit,
    Model,
    Pulse,
    basic_reproduction_number,
    equilibrium,
    events,
    jax_function,
    people,
    settle_step,
)
from modelworks.model.library import library_example, library_model, library_names
from modelworks.model.library.seir_age import seir_age
from modelworks.model.library.sirs import sirs

Array = Any


@pytest.fixture(params=library_names())
def name(request: pytest.FixtureRequest) -> str:
    """Each model there is, whoever wrote it."""
    return str(request.param)


def compiled(model: Model, name: str, rows: int = 11, accuracy: float = 1e-9) -> tuple[CompiledModel, Array]:
    """A model of the library with its example's values, at a step that errs by no more than this."""
    example = library_example(name)
    calendar = Calendar(model.time, example.start) if example.start else None
    start = calendar.number(example.start) if calendar and example.start else 0.0
    made = CompiledModel(model.checked(), np.linspace(start, start + example.until, rows), calendar=calendar)
    at = made.vector(example.values)
    settle_step(made, at, accuracy)
    return made, at


# -- all of them -------------------------------------------------------------------------------------


def test_it_runs_and_something_happens(name: str) -> None:
    """Sound by itself, and each output is a number that is not always the same."""
    made, at = compiled(library_model(name)(), name, accuracy=1e-5)
    outputs = made.run(at)
    assert np.isfinite(outputs).all()
    assert np.ptp(outputs, axis=0).max() > 0
    assert made.model.name == name
    assert all(parameter.meaning for parameter in made.model.parameters.values())


def test_it_is_the_same_by_three_ways(
    name: str, interpreted: Callable[..., Array], by_scipy: Callable[..., Array]
) -> None:
    """The kernel, NumPy's reading of the graph on the kernel's steps, and DOP853 to ten digits."""
    made, at = compiled(library_model(name)(), name)
    found = made.run(at)
    peak = np.abs(found).max(axis=0)
    np.testing.assert_allclose(interpreted(made.program, made.grid, at) / peak, found / peak, rtol=0, atol=1e-11)
    np.testing.assert_allclose(by_scipy(made.program, made.grid, at) / peak, found / peak, rtol=0, atol=1e-8)


@pytest.mark.needs("jax")
def test_jax_agrees_in_value_and_gradient(name: str) -> None:
    """Another compiler and another derivative."""
    import jax

    made, at = compiled(library_model(name)(), name, accuracy=1e-5)
    outputs, pullback = made.run_with_pullback(at)
    found, backwards = jax.vjp(jax.jit(jax_function(made)), at)
    peak = np.abs(outputs).max(axis=0)
    np.testing.assert_allclose(np.asarray(found) / peak, outputs / peak, rtol=0, atol=1e-8)
    gradient, (other,) = pullback(1 / peak + 0 * outputs) * at, backwards(1 / peak + 0 * outputs)
    np.testing.assert_allclose(np.asarray(other) * at, gradient, rtol=0, atol=1e-8 * np.abs(gradient).max())


def test_nobody_is_lost(name: str) -> None:
    """Everybody at the end are those of the start, with who came and without who left."""
    model = library_model(name)()
    flows = [flow.flow if isinstance(flow, Pulse) else flow for flow in model.flows]
    counted = {f"events of {f.name}": events(f.name) for f in flows if isinstance(f, Entry | Exit)}
    made, at = compiled(model.extended(outputs={"everybody": people(), **counted}), name, accuracy=1e-7)
    result = dict(zip(made.outputs, made.run(at).T, strict=True))
    sign = {f"events of {f.name}": 1 if isinstance(f, Entry) else -1 for f in flows}
    change = sum((sign[each] * result[each].sum() for each in counted), 0.0)
    assert result["everybody"][-1] == pytest.approx(result["everybody"][0] + change, rel=1e-10)


def test_a_misspelt_name_lists_those_there_are() -> None:
    with pytest.raises(ModelworksError, match="or `seir`"):
        library_model("sier")


# -- each of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [each for each in library_names() if "basic_reproduction_number" in library_model(each)().derived]
)
def test_the_closed_form_of_r0_is_that_of_the_next_generation(name: str) -> None:
    """Where a model derives it, the formula and the spectral radius are one number."""
    model, example = library_model(name)(), library_example(name)
    formula = CompiledModel(model, [0, 1]).derived({key: np.array(value) for key, value in example.values.items()})
    found = basic_reproduction_number(model, example.values, start=example.start)
    assert found == pytest.approx(float(formula["basic_reproduction_number"]), rel=1e-9)


def test_an_sirs_rests_where_its_closed_form_says() -> None:
    """S* = N / R0 and I* = N (1 - 1/R0) w / (g + w)."""
    values = library_example("sirs").values
    rest = equilibrium(sirs(), values).initial
    r0 = values["contact_rate"] / values["recovery_rate"]
    share = values["waning_rate"] / (values["recovery_rate"] + values["waning_rate"])
    assert float(rest["susceptible"].value) == pytest.approx(1e5 / r0, rel=1e-9)  # type: ignore[attr-defined]
    assert float(rest["infectious"].value) == pytest.approx(1e5 * (1 - 1 / r0) * share, rel=1e-9)  # type: ignore[attr-defined]


def test_r0_by_age_is_the_largest_eigenvalue() -> None:
    """p s_i C_ij N_i / N_j over the rate of recovery, with any contacts and susceptibilities."""
    contacts, susceptibility = np.array([[8.0, 3.0, 0.5], [2.0, 6.0, 1.0], [0.4, 1.5, 2.0]]), [0.5, 1.0, 1.4]
    shares = np.array([0.3, 0.5, 0.2])
    model = seir_age(contacts, shares=shares.tolist(), susceptibility=susceptibility)
    values = library_example("seir_age").values
    matrix = np.array(susceptibility)[:, None] * contacts * shares[:, None] / shares
    expected = values["transmission_probability"] * np.abs(np.linalg.eigvals(matrix)).max() / values["recovery_rate"]
    assert basic_reproduction_number(model, values) == pytest.approx(expected, rel=1e-9)


def test_ages_rest_in_proportion_to_their_widths() -> None:
    """Who is born ages to the end of the last band: everybody are as many at every time, and so is each age."""
    widths = (5, 10, 50, 15)
    model = seir_age(widths=widths, demography=True).extended(outputs={})
    rest = equilibrium(model, {**library_example("seir_age").values, "first_cases": 0.0}).initial
    susceptible = [float(each.value) for each in rest["susceptible"].parts()]  # type: ignore[attr-defined]
    np.testing.assert_allclose(susceptible, 1e6 * np.array(widths) / sum(widths), rtol=1e-9)


def test_ages_are_called_by_their_years() -> None:
    assert seir_age(widths=(1, 4, 10, 70)).stratifications[0].strata == ("0", "1-4", "5-14", "15+")
