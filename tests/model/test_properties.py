"""What holds for every model, whatever is declared: small random models that meet the usual pieces together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelworks.model import (
    CompiledModel,
    Contacts,
    Entry,
    Exit,
    Expression,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Setting,
    Stratification,
    Transition,
    by,
    events,
    output_columns,
    people,
    seasonal,
    settle_step,
    table,
)
from modelworks.model._lower import lower
from modelworks.model.solvers._grid import Grid

Array = NDArray[np.float64]
Series = dict[tuple[str, frozenset[tuple[str, str]]], Array]
few = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    # A smaller recipe would say little more, and to look for one takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
DAYS = np.arange(0.0, 33.0, 8.0)


@dataclass(frozen=True)
class Recipe:
    """A random model: which pieces it has, and the seed of its numbers.

    `people`, `unit`, `mirrored`, `halved` and `spare` write the same model another way.
    """

    seed: int
    ages: int = 0
    ageing: bool = False
    places: int = 0
    vaccine: str = ""  # "", "everybody" or "susceptible"
    strains: bool = False
    latent: bool = False
    turnover: bool = False
    history: bool = False  # how often people were infected, which makes them less susceptible
    people: float = 1.0  # how many for each person
    unit: float = 1.0  # of the model's time units in a day
    mirrored: bool = False  # everything listed in the opposite order
    halved: bool = False  # the first place cut into two equal ones
    spare: int = 0  # strata of a further stratification that changes nothing

    @property
    def everywhere(self) -> list[str]:
        """The stratifications that split all compartments, apart from the spare one."""
        return ["age"] * (self.ages > 0) + ["place"] * (self.places > 0)


Run = Callable[[Recipe], Series]


def recipes(**fixed: Any) -> st.SearchStrategy[Recipe]:
    pieces: dict[str, st.SearchStrategy[Any]] = {
        "seed": st.integers(0, 10_000),
        "ages": st.sampled_from([0, 2, 3, 4]),
        "ageing": st.booleans(),
        "places": st.sampled_from([0, 2, 3]),
        "vaccine": st.sampled_from(["", "everybody", "susceptible"]),
        "strains": st.booleans(),
        "latent": st.booleans(),
        "turnover": st.booleans(),
        "history": st.booleans(),
    }
    return st.builds(Recipe, **{**pieces, **{name: st.just(value) for name, value in fixed.items()}})


everything = Recipe(
    seed=1, ages=3, ageing=True, places=2, vaccine="everybody", strains=True, latent=True, turnover=True, history=True
)


def declared(recipe: Recipe) -> Model:
    """The model of a recipe."""
    dice = np.random.default_rng(recipe.seed)
    day = recipe.unit

    def per_day(low: float, high: float) -> float:
        return float(dice.uniform(low, high)) / day

    def shares(size: int) -> list[float]:
        drawn = dice.uniform(0.5, 1.5, size)
        return list(map(float, drawn / drawn.sum()))

    ages = [f"age {k}" for k in range(recipe.ages)]
    places = [f"place {k}" for k in range(recipe.places)]
    age_shares, place_shares = shares(max(recipe.ages, 1)), shares(max(recipe.places, 1))
    age_contacts = dice.uniform(0.2, 2.0, (2, recipe.ages, recipe.ages)) / max(2 * recipe.ages, 1)
    place_contacts = dice.uniform(0.1, 1.0, (recipe.places, recipe.places)) + np.eye(recipe.places)
    susceptibility = dice.uniform(0.5, 1.5, max(recipe.ages, 1))
    place_recovery = list(dice.uniform(0.8, 1.2, max(recipe.places, 1)))
    transmission, recovery, waning, onset = per_day(0.2, 0.5), per_day(0.1, 0.3), per_day(0, 0.05), per_day(0.2, 0.5)
    dose, journey, death, birth = per_day(0, 0.05), per_day(0, 0.05), per_day(0, 0.01), per_day(1, 10)
    widths = [float(w) * day for w in dice.uniform(20, 60, max(recipe.ages - 1, 0))]

    half = recipe.halved and recipe.places > 0
    if half:
        places = ["place 0 west", "place 0 east", *places[1:]]
        place_shares = [place_shares[0] / 2, place_shares[0] / 2, *place_shares[1:]]
        place_recovery = [place_recovery[0], *place_recovery]
        # Someone meets each half of those they met before.
        which = [0, *range(recipe.places)]
        place_contacts = place_contacts[np.ix_(which, which)] * np.array([0.5, 0.5, *[1.0] * (recipe.places - 1)])

    stratifications: list[Stratification] = []
    mixing: dict[str, Any] = {}
    rate: Any = transmission * seasonal(0.3, 10 * day, 60 * day)
    susceptible: Any = 1.0
    infectious: Any = 1.0
    recovering: Any = recovery
    moves: list[Any] = []
    if recipe.ages:
        stratifications.append(Stratification("age", ages, split=age_shares, widths=widths if recipe.ageing else None))
        change = table([0, 12 * day, 30 * day], [1.0, 0.4, 0.8])
        mixing["age"] = [Setting("home", age_contacts[0]), Setting("school", age_contacts[1], scale=change)]
        susceptible = susceptible * by("age", dict(zip(ages, susceptibility, strict=True)))
    if recipe.places:
        order = list(reversed(range(len(places)))) if recipe.mirrored else list(range(len(places)))
        listed = [places[k] for k in order]
        stratifications.append(Stratification("place", listed, split=dict(zip(places, place_shares, strict=True))))
        mixing["place"] = place_contacts[np.ix_(order, order)]
        recovering = recovering * by("place", dict(zip(places, place_recovery, strict=True)))
        moves += [
            Move(f"journey {name}", "place", name, places[-1], journey) for name in (places[:2] if half else places[:1])
        ]
    if recipe.vaccine:
        listed = ["one", "none"] if recipe.mirrored else ["none", "one"]
        split = None if recipe.vaccine == "everybody" else ["susceptible"]
        stratifications.append(Stratification("vaccine", listed, split="none", compartments=split))
        susceptible = susceptible * by("vaccine", {"none": 1.0, "one": 0.4})
        moves.append(Move("dose", "vaccine", "none", "one", table([8 * day, 9 * day], [0.0, dose], "step")))
        if split is None:
            infectious = by("vaccine", {"none": 1.0, "one": 0.7})
    if recipe.strains:
        listed = ["new", "old"] if recipe.mirrored else ["old", "new"]
        carriers = ["exposed", "infectious"] if recipe.latent else ["infectious"]
        stratifications.append(Stratification("strain", listed, compartments=carriers, split={"old": 0.7, "new": 0.3}))
        rate = rate * by("strain", {"old": 1.0, "new": 1.4})
    becoming: dict[str, Any] = {}
    if recipe.history:
        listed = ["more", "once", "none"] if recipe.mirrored else ["none", "once", "more"]
        stratifications.append(Stratification("history", listed, split={"none": 0.9, "once": 0.1}))
        susceptible = susceptible * by("history", {"none": 1.0, "once": 0.5, "more": 0.2})
        becoming = {"history": {"none": "once", "once": "more"}}
    if recipe.spare:
        stratifications.append(Stratification("spare", [f"spare {k}" for k in range(recipe.spare)], split="spare 1"))
    first = "exposed" if recipe.latent else "infectious"
    flows: list[Any] = [
        Infection(
            "infection",
            "susceptible",
            first,
            rate,
            {"infectious": infectious},
            Contacts(mixing) if mixing else None,
            susceptible,
            "strain" if recipe.strains else None,
            becoming=becoming,
        ),
        Transition("recovery", "infectious", "recovered", recovering),
        Transition(
            "waning",
            "recovered",
            "susceptible",
            waning,
            split={"vaccine": {"none": 0.75, "one": 0.25}} if recipe.vaccine == "susceptible" else {},
        ),
        *moves,
    ]
    if recipe.latent:
        flows.append(Transition("onset", "exposed", "infectious", onset))
    if recipe.turnover:
        flows.append(Entry("birth", "susceptible", birth * recipe.people, {"age": "age 0"} if recipe.ages else {}))
        flows.append(Exit("death", None, death))
        flows.append(Entry("arrival", "infectious", 0.1 * birth * recipe.people))
    compartments = ["susceptible", *["exposed"] * recipe.latent, "infectious", "recovered"]
    return Model(
        "random",
        compartments[::-1] if recipe.mirrored else compartments,
        flows[::-1] if recipe.mirrored else flows,
        {"susceptible": 900.0 * recipe.people, "infectious": 100.0 * recipe.people},
        {
            **{name: Output(people(name, by=recipe.everywhere), by=recipe.everywhere) for name in compartments},
            **{
                f"{flow.name} events": Output(events(flow.name, by=recipe.everywhere), by=recipe.everywhere)
                for flow in flows
            },
            "everybody": people(),
            "old": people("infectious", strain="old") if recipe.strains else people(),
            "pressure": Output(people("infectious") / people(), "proportion"),
        },
        stratifications[::-1] if recipe.mirrored else stratifications,
    )


@pytest.fixture(scope="module")
def run(interpreted: Callable[..., Array]) -> Run:
    """Every output of a recipe's model, by name and strata.

    Run by the slow reading of the graph, which needs no compiling; that the kernel gives the same is
    tested elsewhere. What holds for the equations holds for each step of the method, so steps are long.
    """

    def outputs(recipe: Recipe) -> Series:
        model = declared(recipe).checked()
        program = lower(model)
        grid = Grid.covering(DAYS * recipe.unit, program.knots, 2.0 * recipe.unit)
        values = interpreted(program, grid, np.empty(0))
        return {(c.output, frozenset(c.strata)): values[:, k] for k, c in enumerate(output_columns(model))}

    return outputs


def assert_same(
    one: Mapping[Any, Array],
    other: Mapping[Any, Array],
    *,
    scale: Mapping[str, float] | float = 1.0,
    rtol: float = 1e-9,
) -> None:
    assert one.keys() == other.keys()
    for key, series in one.items():
        factor = scale if isinstance(scale, float) else scale.get(key[0], 1.0)
        largest = max(np.abs(series).max() * abs(factor), 1e-6)
        np.testing.assert_allclose(other[key], series * factor, rtol=0, atol=rtol * largest, err_msg=str(key))


@few
@given(recipes(turnover=False))
@example(replace(everything, turnover=False))
def test_people_are_conserved_without_births_and_deaths(run: Run, recipe: Recipe) -> None:
    """Every flow takes from one place what it gives to another."""
    np.testing.assert_allclose(run(recipe)["everybody", frozenset()], 1000.0, rtol=1e-12)


@pytest.mark.slow
@few
@given(recipes(turnover=True))
@example(everything)
def test_only_entries_and_exits_change_how_many_people_there_are(run: Run, recipe: Recipe) -> None:
    """The change from one output to the next is what came in less what went out, to round-off."""
    found = run(recipe)
    totals = {
        flow: sum(series for (name, _), series in found.items() if name == f"{flow} events")
        for flow in ("birth", "arrival", "death")
    }
    everybody = found["everybody", frozenset()]
    change = np.diff(everybody, prepend=everybody[0])
    np.testing.assert_allclose(change, totals["birth"] + totals["arrival"] - totals["death"], atol=1e-9)


@pytest.mark.slow
@few
@given(recipes())
@example(everything)
def test_there_are_never_fewer_than_no_people_or_events(run: Run, recipe: Recipe) -> None:
    """Stocks and counts stay at zero or above, but for the error of the solver."""
    for key, series in run(recipe).items():
        assert series.min() >= -1e-6, key


@pytest.mark.slow
@few
@given(recipes())
@example(everything)
def test_doubling_everyone_changes_nothing(run: Run, recipe: Recipe) -> None:
    """Infection is frequency-dependent: twice the people have twice the events, person for person the same."""
    scale = dict.fromkeys((key[0] for key in run(recipe)), 2.0) | {"pressure": 1.0}
    assert_same(run(recipe), run(replace(recipe, people=2.0)), scale=scale)


@pytest.mark.slow
@few
@given(recipes(), st.sampled_from([7.0, 1 / 365.25]))
@example(everything, 1 / 365.25)
def test_the_unit_of_time_changes_nothing(run: Run, recipe: Recipe, unit: float) -> None:
    """The same rates per week or per year, over the same weeks or years."""
    assert_same(run(recipe), run(replace(recipe, unit=unit)), rtol=1e-8)


@pytest.mark.slow
@few
@given(recipes())
@example(everything)
def test_the_order_of_a_declaration_changes_nothing(run: Run, recipe: Recipe) -> None:
    """Compartments, flows, strata and stratifications listed from last to first."""
    assert_same(run(recipe), run(replace(recipe, mirrored=True)))


@pytest.mark.slow
@few
@given(recipes(), st.sampled_from([5, 7]))
@example(everything, 5)
def test_what_becomes_lanes_changes_nothing(run: Run, recipe: Recipe, spare: int) -> None:
    """With one more stratification, in one stratum of which all people stay, the others become rows."""
    assert_same(run(recipe), run(replace(recipe, spare=spare)))


@pytest.mark.slow
@few
@given(recipes(places=2))
@example(everything)
def test_cutting_a_place_in_two_changes_nothing(run: Run, recipe: Recipe) -> None:
    """Two halves that are like the whole, and meet the others in proportion."""
    whole = run(recipe)
    halves: dict[Any, Array] = {}
    for (name, strata), series in run(replace(recipe, halved=True)).items():
        joined = frozenset((k, v.removesuffix(" west").removesuffix(" east")) for k, v in strata)
        halves[name, joined] = halves.get((name, joined), np.zeros_like(series)) + series
    journeys = [key for key in {**whole, **halves} if key[0].startswith("journey")]
    assert sum(halves.pop(key, 0.0) for key in journeys) == pytest.approx(sum(whole.pop(key, 0.0) for key in journeys))
    assert_same(whole, halves)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["rk4", "adaptive", "implicit"])
@few
@given(recipes())
def test_the_step_changes_no_more_than_the_measured_error(solver: str, recipe: Recipe) -> None:
    """The error that is reported is the one that is made, against a run with steps of an eighth."""
    compiled = CompiledModel(declared(recipe), DAYS, solver=solver)
    vector = compiled.vector({})
    settled = settle_step(compiled, vector, 1e-4)
    coarse = compiled.run(vector)
    fine = compiled.with_step(settled.step / 8, compiled.tolerance / 8**5).run(vector)
    made = np.abs(coarse - fine).max(axis=0) / np.maximum(np.abs(fine).max(axis=0), 1e-12)
    assert made.max() <= 1.5 * settled.error + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["rk4", "euler"])
@few
@given(recipes())
@example(everything)
def test_gradients_are_exact(check_gradient: Callable[..., None], solver: str, recipe: Recipe) -> None:
    """By how fast each flow goes, against differences of the model's own runs."""
    model = declared(recipe)
    flows: list[Any] = []
    for flow in model.flows:
        what = "number" if isinstance(flow, Entry) else "rate"
        flows.append(replace(flow, **{what: getattr(flow, what) * Parameter(f"speed of {flow.name}")}))
    compiled = CompiledModel(replace(model, flows=flows), DAYS, step=0.5, solver=solver)
    check_gradient(compiled, np.ones(len(flows)))


def test_an_expression_is_the_same_number_wherever_it_is_written() -> None:
    """One rate written twice, and kept in a variable, are one model."""

    def model(one: Expression, other: Expression) -> Model:
        return Model(
            "twice",
            ["a", "b"],
            [Transition("there", "a", "b", one), Transition("back", "b", "a", other)],
            {"a": 1.0},
            {"a": people("a")},
        )

    kept = seasonal(0.3, 10, 60) * 0.1
    both = CompiledModel(model(kept, kept), DAYS), CompiledModel(model(kept, seasonal(0.3, 10, 60) * 0.1), DAYS)
    np.testing.assert_array_equal(*(each.run(each.vector({})) for each in both))
