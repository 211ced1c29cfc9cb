r"""How many people one infected person infects: the next-generation matrix of any model, from its declaration.

New infections are separated from everything else that happens to infected people,
$$\dot x = F x - V x, \qquad \mathcal{R} = \rho(F V^{-1}),$$
where $F_{ij}$ is the rate at which one person in state $j$ brings people into state $i$ by infection and
$V$ the rates at which infected people move on. Source: van den Driessche and Watmough 2002,
doi:10.1016/S0025-5564(02)00108-6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from modelworks.dates import Calendar
from modelworks.errors import fail, near
from modelworks.model._accuracy import settle_step
from modelworks.model._compiled import CompiledModel
from modelworks.model._declaration import Infection
from modelworks.model._graph import Array
from modelworks.model._impossible import vector_of_values
from modelworks.model._lower import lower
from modelworks.model._model import Model
from modelworks.model._next_generation import most_alike, shares_of
from modelworks.model._program import NOBODY, Program
from modelworks.model._tangents import Moment, Tangent

Mask = NDArray[np.bool_]


def basic_reproduction_number(
    model: Model,
    parameters: Mapping[str, float],
    *,
    time: float = 0.0,
    start: date | None = None,
    strain: str | None = None,
) -> float:
    r"""People infected by one typical infected person where nobody else is infected: $\mathcal{R}_0$.

    The population is that of the model's start, with those infected at the start put back among the people
    they came from; those who start immune or vaccinated stay so. Rates and contacts are those at `time`.

    Parameters
    ----------
    parameters
        A value for every parameter of the model, in the unit the model declares.
    time
        Model time at which rates and contacts are read.
    start
        The day that time 0 is, for a model in days with tables by date.
    strain
        Only infections of this stratum of the infection's `strain`; the largest of all when left out.

    Raises
    ------
    ModelworksError
        S116 where the number has no meaning: the model has no infection, or somebody stays infected for ever.

    Examples
    --------
    >>> from modelworks.model.library.sir import sir
    >>> values = {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1000.0, "first_cases": 10.0}
    >>> round(basic_reproduction_number(sir(), values), 9)
    2.5
    """
    return float(_at_start(model, parameters, time, start, [strain])[0])


def effective_reproduction_number(
    model: Model,
    parameters: Mapping[str, float],
    times: Sequence[float] | Array,
    *,
    start: date | None = None,
    strain: str | None = None,
    accuracy: float = 1e-5,
) -> Array:
    r"""People infected by one typical infected person in the population of each moment: $\mathcal{R}_t$, shape (time,).

    The run is simulated, and at each time one infected person is followed while everybody else, and every rate,
    stays as it is at that moment: an instantaneous number. For an SIR it is $\mathcal{R}_0 S / N$.
    The arguments are those of `simulate` and of `basic_reproduction_number`.
    """
    return _over_time(model, parameters, times, start, [strain], accuracy)[:, 0]


def basic_reproduction_numbers(
    model: Model, parameters: Mapping[str, float], *, time: float = 0.0, start: date | None = None
) -> dict[str, float]:
    r"""$\mathcal{R}_0$ of each strain: of its own infections where no other strain is about.

    The arguments are those of `basic_reproduction_number`, which gives the largest of these.
    """
    strains = _strains(model)
    found = _at_start(model, parameters, time, start, strains)
    return dict(zip(strains, found.tolist(), strict=True))


def effective_reproduction_numbers(
    model: Model,
    parameters: Mapping[str, float],
    times: Sequence[float] | Array,
    *,
    start: date | None = None,
    accuracy: float = 1e-5,
) -> dict[str, Array]:
    r"""$\mathcal{R}_t$ of each strain in the population of each moment, all strains in it, shape (time,) each.

    The arguments are those of `effective_reproduction_number`, which gives the largest of these.
    """
    strains = _strains(model)
    found = _over_time(model, parameters, times, start, strains, accuracy)
    return dict(zip(strains, found.T, strict=True))


def _strains(model: Model) -> list[str]:
    """The strains of all infections."""
    names = {flow.strain for flow in model.flows if isinstance(flow, Infection)}
    found = [stratum for each in model.stratifications if each.name in names for stratum in each.strata]
    if not found:
        fail("S116", f"`{model.name}` has no infection with a `strain`", hint="ask for the number of all together")
    return found


def _at_start(
    model: Model, parameters: Mapping[str, float], time: float, start: date | None, strains: Sequence[str | None]
) -> Array:
    generations = _Generations(model.checked(start=False), Calendar(model.time, start) if start else None)
    vector = generations.vector(parameters)
    return generations.largest(vector, time, generations.disease_free(vector, time), strains)


def _over_time(
    model: Model,
    parameters: Mapping[str, float],
    times: Sequence[float] | Array,
    start: date | None,
    strains: Sequence[str | None],
    accuracy: float,
) -> Array:
    """The numbers of some strains at each time of a run, shape (time, strain)."""
    calendar = Calendar(model.time, start) if start else None
    generations = _Generations(model.checked(start=False), calendar)
    compiled = CompiledModel(model, times, calendar=calendar)
    vector = compiled.vector(parameters)
    settle_step(compiled, vector, accuracy)
    moments = zip(compiled.times, compiled.states(vector), strict=True)
    return np.stack([generations.largest(vector, float(time), state, strains) for time, state in moments])


@dataclass(frozen=True)
class _Generations:
    """The next-generation matrices of one model, for any state of its population."""

    model: Model
    calendar: Calendar | None

    def __post_init__(self) -> None:
        if not any(isinstance(flow, Infection) for flow in self.model.flows):
            fail(
                "S116",
                f"`{self.model.name}` has no infection, so nobody infects anybody",
                hint="declare what infects as an Infection; a Transition whose rate counts people is not seen as one",
            )

    @cached_property
    def program(self) -> Program:
        return lower(self.model, self.calendar)

    @cached_property
    def shares(self) -> tuple[int, ...]:
        """The nodes that say which part of the people one meets is infectious; all infection goes through them."""
        return shares_of(self.program.graph)

    @cached_property
    def quantities(self) -> frozenset[int]:
        """The rows of pools that are no individuals."""
        pools = {k: self.model.pool_of(row.compartment) for k, row in enumerate(self.program.rows)}
        return frozenset(k for k, pool in pools.items() if pool is not None and not pool.individuals)

    def vector(self, parameters: Mapping[str, float]) -> Array:
        return vector_of_values(self.model, self.program.parameters, parameters)

    # -- the two matrices ------------------------------------------------------------------------

    def matrices(self, vector: Array, time: float, state: Array) -> tuple[Array, Array, Array]:
        """New infections $F$, moving on $V$, and births by those in each state, each (state, state).

        An infected person who infects is told from one who is infected again: the first is in $F$, the second
        leaves where they were, in $V$.
        """
        moment = Moment(self.program, vector, time, state)
        people = [jump.people for jump in self.program.jumps]
        units = moment.unit_tangents()
        infecting = moment.tangents(people, {**dict.fromkeys(units), **self._meeting(moment, units)})
        moving = moment.tangents(people, {**units, **dict.fromkeys(self.shares)})
        infections = {flow.name for flow in self.model.flows if isinstance(flow, Infection)}
        size, width = moment.size, self.program.width
        F, V, births = (np.zeros((size, size)) for _ in range(3))
        for jump in self.program.jumps:
            arrivals = slice(0, 0) if jump.destination is None else _block(jump.destination, width)
            if jump.source is None:
                come = moment.spread(moving[jump.people]).T
                # What people shed into water is on its way to infect, and no infection.
                if jump.destination in self.quantities:
                    V[arrivals] -= come
                else:
                    births[arrivals] += come
                continue
            source = _block(jump.source, width)
            now, change = state[source], moment.spread(moving[jump.people])[source].diagonal()
            # At the rate of the moment, even where that depends on how many there are; of nobody, in the limit.
            rate = np.diag(np.where(now > 0, moment.wide(jump.people) / np.where(now > 0, now, 1.0), change))
            V[source, source] += rate
            if jump.destination is None:
                continue
            if jump.flow in infections:
                F[arrivals] += _further(moment.spread(infecting[jump.people]).T, jump.shift)
            else:
                V[arrivals, source] -= _further(rate, jump.shift)
        return F, V, births

    def _meeting(self, moment: Moment, units: Mapping[int, Tangent]) -> dict[int, Tangent]:
        """How each share moves with the infectious people in it, everybody's number held as it is."""
        nodes = self.program.graph.nodes
        above = {share: nodes[share].children[0] for share in self.shares}
        change = moment.tangents(list(above.values()), units)
        found: dict[int, Tangent] = {}
        for share, numerator in above.items():
            tangent = change[numerator]
            if tangent is not None:
                below = moment.values[nodes[share].children[1]]
                wide = nodes[share].wide and not nodes[numerator].wide
                # Nobody is met where nobody is.
                each = np.where(below > NOBODY, 1.0 / below, 0.0)
                tangent = (tangent[:, None] if wide else tangent) * each
            found[share] = tangent
        return found

    def infected(self, F: Array, V: Array) -> Mask:
        """The states that infection leads to and that lead to being infectious."""
        towards = (V < 0).astype(int)  # towards[i, j]: people go from j to i
        np.fill_diagonal(towards, 0)
        reached = _closure(towards, (F != 0).any(axis=1))
        leading = _closure(towards.T, (F != 0).any(axis=0))
        return np.asarray(reached & leading, dtype=bool)

    # -- the number ------------------------------------------------------------------------------

    def largest(self, vector: Array, time: float, state: Array, strains: Sequence[str | None]) -> Array:
        """The spectral radius of $F V^{-1}$ among the infected of each strain; of all where it is none, (strain,)."""
        F, V, births = self.matrices(vector, time, state)
        infected = self.infected(F, V)
        # Those born infected are infected by who bore them.
        return np.array([self._radius(F + births, V, infected & self._of_strain(each, infected)) for each in strains])

    def _radius(self, F: Array, V: Array, inside: Mask) -> float:
        if not inside.any():
            return 0.0
        F, V = F[np.ix_(inside, inside)], V[np.ix_(inside, inside)]
        # Rates of very different size are no trouble; somebody who never leaves is.
        scale = np.abs(V).max(axis=0)
        if np.any(scale == 0) or 1 / np.linalg.cond(V / np.where(scale == 0, 1.0, scale)) < 1e-14:
            self._tell_of_no_end(V, inside)
        return float(np.abs(np.linalg.eigvals(np.linalg.solve(V.T, F.T).T)).max())

    def _tell_of_no_end(self, V: Array, inside: Mask) -> None:
        leaving = np.where(V.diagonal() > 0, V.sum(axis=0) / np.maximum(V.diagonal(), 1e-300), -np.inf)
        column = int(np.argmin(leaving))
        row = self.program.rows[int(np.flatnonzero(inside)[column]) // self.program.width]
        fail(
            "S116",
            f"the infected of `{self.model.name}` never stop being so (look at {row.name}): "
            "one of them infects without end",
            hint="let them recover, be removed or die at a rate above zero",
        )

    def _of_strain(self, strain: str | None, infected: Mask) -> Mask:
        """The states of a strain, which every infected state is to have; all states where there is none."""
        if strain is None:
            return np.ones_like(infected)
        known = _strains(self.model)
        if strain not in known:
            fail("S116", f"`{self.model.name}` has no strain `{strain}`", hint=near(strain, known))
        names = {flow.strain for flow in self.model.flows if isinstance(flow, Infection)}
        carried = [[s for name, s in self.program.rows[k].strata if name in names] for k in self.program.stocks]
        for k, strains in zip(self.program.stocks, carried, strict=True):
            if not strains and infected[_block(k, self.program.width)].any():
                fail(
                    "S116",
                    f"the infected in {self.program.rows[k].name} carry no strain, so none has a number of its own",
                    hint="let the stratification of strains split every compartment of the infected",
                )
        return np.repeat(np.array([strain in strains for strains in carried]), self.program.width)

    # -- nobody infected -------------------------------------------------------------------------

    def disease_free(self, vector: Array, time: float) -> Array:
        """The people of the start, the infected among them put back where infection took them from."""
        from modelworks.model.backends.interpreter import evaluate

        program, width = self.program, self.program.width
        starts = evaluate(program.graph, program.initial, parameters=vector[None, :])
        rows = [np.broadcast_to(starts[program.initial[k]].ravel(), width) for k in program.stocks]
        state = np.concatenate(rows).astype(float)
        # Who is infected is asked of a population with somebody in every state.
        inside = self.infected(*self.matrices(vector, time, np.ones_like(state))[:2]).reshape(-1, width)
        people = state.reshape(-1, width)
        for row in range(len(people)):
            for lane in np.flatnonzero(inside[row] & (people[row] != 0)):
                if row in self.quantities:
                    people[row, lane] = 0.0
                else:
                    self._put_back(people, inside, row, int(lane))
        return people.ravel()

    def _put_back(self, people: Array, inside: Mask, row: int, lane: int) -> None:
        """Move the infected of one state to the uninfected of most like strata, in proportion to who is there."""
        infections = {flow.name for flow in self.model.flows if isinstance(flow, Infection)}
        jumps = self.program.jumps
        sources = {j.source for j in jumps if j.flow in infections and j.source is not None}
        chosen = most_alike(self.model, self.program, row, [k for k in sorted(sources) if not inside[k, lane]])
        if not chosen:
            return
        weights = people[chosen, lane]
        share = weights / weights.sum() if weights.sum() > 0 else np.full(len(chosen), 1 / len(chosen))
        people[chosen, lane] += share * people[row, lane]
        people[row, lane] = 0.0


def _block(row: int, width: int) -> slice:
    """The states of one row."""
    return slice(row * width, (row + 1) * width)


def _further(rows: Array, by: int) -> Array:
    """What lane i gives arrives on lane i + by."""
    if by == 0:
        return rows
    result = np.zeros_like(rows)
    if by > 0:
        result[by:] = rows[:-by]
    else:
        result[:by] = rows[-by:]
    return result


def _closure(towards: NDArray[np.int_], first: Mask) -> Mask:
    """Every state that can be come to from the first ones."""
    reached = first.copy()
    while True:
        more = reached | (towards @ reached.astype(int) > 0)
        if np.array_equal(more, reached):
            return reached
        reached = more
