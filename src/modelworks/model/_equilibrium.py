r"""Where a model comes to rest: the people in every state when as many come as go.

Found by pseudo-transient continuation (Kelley and Keyes 1998, doi:10.1137/S0036142996304796): implicit steps
$(I / \Delta - J)\, d = f$ with the exact Jacobian $J$, short while the model is far from rest and ever longer as
it comes near, where they become Newton's. A step follows time, so what is conserved stays so, and as long as
something grows, no step is longer than its growth allows: a disease that can spread is not lost on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import NoReturn

import numpy as np

from modelworks.dates import Calendar
from modelworks.errors import fail
from modelworks.model._declaration import stages_of
from modelworks.model._expression import By, Constant, Expression
from modelworks.model._graph import Array
from modelworks.model._impossible import vector_of_values
from modelworks.model._lower import lower
from modelworks.model._model import Model, counted_in
from modelworks.model._program import Program
from modelworks.model._tangents import Moment
from modelworks.model.backends.interpreter import evaluate

MOST_STEPS = 2000
# At rest: no state changes by more than this part of everybody in the time of the fastest rate.
STILL = 1e-12
# A population that has grown this many times grows for ever; long before what it grows by is nothing beside it.
TOO_MANY = 1e10
# People below zero by this part of everybody are round-off.
NOBODY_LESS = 1e-12


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """People at rest: `initial` is for a `Model`, and `change` the largest change left, people per time."""

    initial: Mapping[str, Expression]
    change: float

    def start(self, model: Model) -> Model:
        """The model, starting at rest."""
        return replace(model, initial=self.initial)


def equilibrium(
    model: Model, parameters: Mapping[str, float], *, time: float = 0.0, start: date | None = None
) -> Equilibrium:
    """Where the model comes to rest from its own start, if its rates and contacts stay as they are at `time`.

    Endemic where the disease can stay, without it where it can not, or where nobody is infected at the start.
    A model that swings for ever is not told from one that swings into rest: this is then the middle of its swing.

    Parameters
    ----------
    parameters
        A value for every parameter of the model, in the unit the model declares.
    time
        Model time at which rates, contacts and tables are read.
    start
        The day that time 0 is, for a model in days with tables by date.

    Raises
    ------
    ModelworksError
        S117 where there is no such state: people grow in number or gather somewhere for ever, or where the
        model ends depends on how it began (an epidemic in a closed population).

    Examples
    --------
    >>> from modelworks.model import Entry, Exit, Infection, Model, Transition, people
    >>> flows = [
    ...     Infection("infection", "s", "i", 0.5, "i"),
    ...     Transition("recovery", "i", "s", 0.2),
    ... ]
    >>> sis = Model("sis", ["s", "i"], flows, {"s": 99.0, "i": 1.0}, {"i": people("i")})
    >>> round(equilibrium(sis, {}).initial["i"].value, 6)
    60.0
    """
    checked = model.checked()
    program = lower(checked, Calendar(model.time, start) if start else None)
    vector = vector_of_values(checked, program.parameters, parameters)
    search = _Search(checked, program, vector, time)
    state = search.rest()
    return Equilibrium(_initial(checked, program, state), float(np.abs(search.at(state).change).max()))


@dataclass(frozen=True)
class _Search:
    model: Model
    program: Program
    vector: Array
    time: float

    def at(self, state: Array) -> Moment:
        return Moment(self.program, self.vector, self.time, state)

    def begin(self) -> Array:
        program = self.program
        found = evaluate(program.graph, program.initial, parameters=self.vector[None, :])
        rows = [np.broadcast_to(found[program.initial[k]].ravel(), program.width) for k in program.stocks]
        return np.concatenate(rows).astype(float)

    def rest(self) -> Array:
        """Steps until nothing changes and nothing grows."""
        state = self.begin()
        moment = self.at(state)
        change, step = moment.change, 0.0
        too_many = TOO_MANY * max(float(state.sum()), 1.0)
        for _ in range(MOST_STEPS):
            jacobian = moment.jacobian()
            possible = np.all(np.isfinite(jacobian)) and np.all(np.isfinite(change))
            if not possible or state.sum() > too_many:
                break
            fastest = float(np.abs(jacobian).max()) or 1.0
            scale = fastest * max(float(np.abs(state).sum()), 1e-300)
            growth = float(np.linalg.eigvals(jacobian).real.max())
            grows = growth > 1e-9 * fastest
            size = float(np.abs(change).max())
            # What grows from next to nothing changes little as yet: only exact rest is rest there.
            if size <= (1e-16 if grows else STILL) * scale:
                self._refuse_many(jacobian, state)
                return np.maximum(state, 0.0)
            step = max(step, 0.1 / fastest)
            state, moment, step = self._step(state, change, jacobian, min(step, 0.3 / growth) if grows else step)
            later = moment.change
            faster = size / max(float(np.abs(later).max()), 1e-300)
            # Longer steps as the change dies down, and a little longer in any case.
            step = min(step * float(np.clip(faster, 1.1, 10.0)), 1e9 / fastest)
            change = later
        self._tell_what_moves(state, change)

    def _step(self, state: Array, change: Array, jacobian: Array, step: float) -> tuple[Array, Moment, float]:
        """One implicit step, shortened until nobody is below zero."""
        everybody = float(np.abs(state).sum())
        while True:
            further = state + np.linalg.solve(np.eye(state.size) / step - jacobian, change)
            if further.min() >= -NOBODY_LESS * everybody or step * float(np.abs(jacobian).max()) < 1e-6:
                further = np.maximum(further, 0.0)
                return further, self.at(further), step
            step /= 4

    def _refuse_many(self, jacobian: Array, state: Array) -> None:
        """Where more directions are free than people are conserved in, there is a line of resting places."""
        dice = np.random.default_rng(0)
        others = [self.at(dice.uniform(0.5, 1.5, state.size) * state.sum() / state.size).jacobian() for _ in range(3)]
        moving = np.linalg.matrix_rank(np.concatenate([jacobian, *others], axis=1), rtol=1e-12)
        if np.linalg.matrix_rank(jacobian, rtol=1e-12) < moving:
            fail(
                "S117",
                f"`{self.model.name}` has no equilibrium of its own: where it ends depends on how it began",
                hint="without births, waning or people coming in, an epidemic leaves behind what it did not reach; "
                "simulate for long instead",
            )

    def _tell_what_moves(self, state: Array, change: Array) -> NoReturn:
        worst = int(np.argmax(np.abs(np.where(np.isfinite(change), change, np.inf))))
        row, lane = divmod(worst, self.program.width)
        name, counted = self.program.rows[row].name, counted_in(self.model, self.program.rows[row].compartment)
        if self.program.lanes:
            name += f" ({self.program.lane_stratification} {self.program.lanes[lane]})"
        mend = "let an Exit take them away"
        if counted == "people":
            mend = "let births replace deaths, and use an Exit instead of a compartment of the dead"
        fail(
            "S117",
            f"`{self.model.name}` does not come to rest: the {counted} in {name} are {state[worst]:.6g} "
            f"and change by {change[worst]:.3g} per time",
            hint=f"{counted} may come faster than they go, gather where they do not leave, or come and go in waves for "
            f"ever; {mend}",
        )


def _initial(model: Model, program: Program, state: Array) -> dict[str, Expression]:
    """The people of each compartment, by its strata, as a declaration takes them."""
    place = {(row.compartment, frozenset(row.strata)): k for k, row in enumerate(program.rows) if not row.accumulates}

    def nested(compartment: str, strata: dict[str, str], open_: list[tuple[str, tuple[str, ...]]]) -> Expression:
        if open_:
            (name, names), *rest = open_
            return By(name, {each: nested(compartment, {**strata, name: each}, rest) for each in names})
        lane = strata.get(program.lane_stratification or "")
        inside = frozenset((n, s) for n, s in strata.items() if n != program.lane_stratification)
        row = place[compartment, inside]
        return Constant(float(state[row * program.width + (program.lanes.index(lane) if lane else 0)]))

    # Whoever is in a compartment with stages is in one of them.
    staged = replace(model, stratifications=(*model.stratifications, *stages_of(model.flows)))
    return {c: nested(c, {}, [(s.name, tuple(s.strata)) for s in staged.strata_of(c)]) for c in model.all_compartments}
