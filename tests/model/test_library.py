"""Every model of the library: sound, the same by every way to run it, nobody lost; and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
    Output,
    Pulse,
    amount,
    basic_reproduction_number,
    equilibrium,
    events,
    jax_function,
    people,
    settle_step,
    simulate,
)
from modelworks.model._expression import one_or_more
from modelworks.model.library import library_example, library_model, library_names
from modelworks.model.library.seir_age import seir_age
from modelworks.model.library.sirs import sirs
from modelworks.model.library.siwr import siwr
from modelworks.model.library.vector_borne import vector_borne

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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["adaptive", "implicit"])
def test_it_is_the_same_by_every_solver(name: str, solver: str) -> None:
    """Steps of one length, and steps that a solver chose."""
    made, at = compiled(library_model(name)(), name)
    other = CompiledModel(made.model, made.times, calendar=made.calendar, solver=solver)
    settled = settle_step(other, at, 1e-8)
    found, peak = made.run(at), np.abs(made.run(at)).max(axis=0)
    np.testing.assert_allclose(other.run(at) / peak, found / peak, rtol=0, atol=2 * settled.error + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["rk4", "euler"])
def test_its_gradient_is_exact(name: str, solver: str, check_gradient: Callable[..., None]) -> None:
    """Against differences of its own runs, to a millionth."""
    made, at = compiled(library_model(name)(), name, accuracy=1e-4)
    gap = made.times[1] - made.times[0]
    step = gap / np.ceil(gap / made.step)
    check_gradient(CompiledModel(made.model, made.times, calendar=made.calendar, step=step, solver=solver), at)


@pytest.mark.slow
def test_nobody_is_lost(name: str) -> None:
    """All at the end are those of the start, with who came and without who left: people, and what each pool holds."""
    model = library_model(name)()
    flows = [flow.flow if isinstance(flow, Pulse) else flow for flow in model.flows]
    outputs: dict[str, Output] = {"people": Output(people())}
    outputs |= {pool.name: Output(amount(*pool.compartments), pool.unit) for pool in model.pools}
    moved: list[tuple[str, str, int]] = []
    for flow in flows:
        if isinstance(flow, Entry | Exit):
            end = flow.destination if isinstance(flow, Entry) else one_or_more(flow.source or model.compartments)[0]
            pool = model.pool_of(end)
            outputs[f"events of {flow.name}"] = Output(events(flow.name), pool.unit if pool else "people")
            moved.append((pool.name if pool else "people", flow.name, 1 if isinstance(flow, Entry) else -1))
    made, at = compiled(replace(model, outputs=outputs), name, accuracy=1e-7)
    result = dict(zip(made.outputs, made.run(at).T, strict=True))
    for kind in ("people", *(pool.name for pool in model.pools)):
        change = sum(sign * result[f"events of {flow}"].sum() for owner, flow, sign in moved if owner == kind)
        assert result[kind][-1] == pytest.approx(result[kind][0] + change, rel=1e-10)


def test_a_misspelt_name_lists_those_there_are() -> None:
    with pytest.raises(ModelworksError, match="did you mean `sir`"):
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


@pytest.mark.slow
def test_cholera_by_few_bacteria_ends_at_the_final_size_of_its_r0() -> None:
    """What water carries comes from the same people as what contact carries: -log s = R0 (1 - s)."""
    from scipy.optimize import brentq

    values = {**library_example("siwr").values, "first_cases": 1e-3}
    model = siwr(saturating=False)
    r0 = basic_reproduction_number(model, values)
    size = brentq(lambda z: 1 - z - np.exp(-r0 * z), 0.1, 1.0)
    result = simulate(model, values, [0.0, 5000.0], accuracy=1e-9)
    assert result["incidence"].sum() / values["population"] == pytest.approx(size, abs=1e-6)


def test_water_that_saturates_infects_fewer() -> None:
    times = range(0, 300, 10)
    values = library_example("siwr").values
    many, few = (simulate(siwr(saturating=each), values, times)["incidence"].max() for each in (False, True))
    assert few < many


def test_malaria_rests_where_its_closed_form_says() -> None:
    """The share of infectious people i that solves K (1 - q i) = g (a c i + m), K = m a^2 b c sv / (sv + mu)."""
    v = library_example("vector_borne").values
    rest = equilibrium(vector_borne(), v).initial
    a_c, mu, gamma = v["biting_rate"] * v["to_vector"], v["vector_death_rate"], v["recovery_rate"]
    living = v["vector_latency_rate"] / (v["vector_latency_rate"] + mu)
    K = v["vectors_per_person"] * v["biting_rate"] * v["to_host"] * a_c * living
    q = 1 + gamma / v["latency_rate"] + gamma / v["waning_rate"]
    share = (K - gamma * mu) / (K * q + gamma * a_c)
    assert float(rest["infectious"].value) == pytest.approx(v["population"] * share, rel=1e-8)  # type: ignore[attr-defined]


def test_bites_follow_the_season() -> None:
    """As many vectors are born over a whole year as without a season, most of them around the peak."""
    values = {**library_example("vector_borne").values, "season_swing": 0.6, "season_peak": 100.0}
    vectors = simulate(vector_borne(with_season=True), values, range(0, 366, 5), accuracy=1e-7)["vectors"]
    assert vectors.max() > 1.3 * vectors[0]
    # Vectors lag behind their births by at most a quarter of a year.
    assert 100 < 5 * int(np.argmax(vectors)) < 191
