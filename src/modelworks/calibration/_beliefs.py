"""Everything that is believed before the data, as a density on the real line in every direction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.calibration.groups import Group, Placed
from modelworks.calibration.priors import Prior

Array = NDArray[np.float64]


# No parameter is as large in any unit, and what is computed with larger ones overflows.
BEYOND_ALL = 1e100


class Believed(NamedTuple):
    """All values (parameter,) at a position, the log prior with its Jacobian, and its gradient by the position.

    `slopes` and `placed` are what `Beliefs.gradient` needs: of each prior, and of each group.
    """

    values: Array
    log_prior: float
    gradient: Array
    slopes: Array
    placed: tuple[Placed, ...]


class _Member(NamedTuple):
    """A group, and where its coordinates, its members and its arguments that are parameters stand."""

    group: Group
    coordinates: slice
    members: slice
    arguments: dict[str, int]


class Beliefs:
    """Priors, groups and fixed values of a study, each parameter by its name.

    A *position* (coordinate,) on the line stands for the *free* values: the parameters with a prior, then the
    members of groups. Those with a known value follow them in `names`.

    >>> beliefs = Beliefs({"rate": Prior.of("exponential", {"mean": 2})}, fixed={"boys": 763})
    >>> beliefs.names, beliefs.values(np.zeros(1))
    (('rate', 'boys'), array([1.]))
    """

    def __init__(
        self, priors: Mapping[str, Prior], groups: Sequence[Group] = (), fixed: Mapping[str, float] | None = None
    ) -> None:
        self.priors = dict(priors)
        self.groups = tuple(groups)
        self.fixed = dict(fixed or {})
        self.free = (*self.priors, *(member for group in self.groups for member in group.members))
        self.names = (*self.free, *self.fixed)
        self.coordinates = (*self.priors, *(name for group in self.groups for name in group.coordinates))
        self._known = np.array([math.nan] * len(self.free) + [float(value) for value in self.fixed.values()])
        self._scalars = [
            (prior.bijection.from_line, prior.distribution.log_density, prior.distribution.gradient)
            for prior in self.priors.values()
        ]
        self._members = self._laid_out()

    def _laid_out(self) -> tuple[_Member, ...]:
        found, at, place = [], len(self.priors), len(self.priors)
        for group in self.groups:
            until, end = at + len(group.coordinates), place + len(group.members)
            arguments = {argument: self.names.index(name) for argument, name in group.parameters.items()}
            found.append(_Member(group, slice(at, until), slice(place, end), arguments))
            at, place = until, end
        return tuple(found)

    # -- the density -----------------------------------------------------------------------------

    def place(self, position: Array) -> Believed | None:
        """Where a position is; None where that is impossible, or too far out for numbers."""
        values = self._known.copy()
        free: list[float] = []
        slopes: list[float] = []
        gradient: list[float] = []
        total = 0.0
        for u, (from_line, log_density, by_value) in zip(position.tolist(), self._scalars, strict=False):
            x, slope, log_jacobian, log_jacobian_slope = from_line(u)
            log_prior = log_density(x)
            if log_prior == -math.inf or not math.isfinite(slope):
                return None
            total += log_prior + log_jacobian
            free.append(x)
            slopes.append(slope)
            gradient.append(by_value(x) * slope + log_jacobian_slope)
        values[: len(free)] = free
        if not self._members:
            return Believed(values, total, np.array(gradient), np.array(slopes), ())
        placed = []
        by_position = np.empty(position.size)
        by_position[: len(gradient)] = gradient
        for each in self._members:
            # The first steps of a sampler may be enormous; what is too large for a number is impossible.
            with np.errstate(over="ignore", invalid="ignore"):
                found = each.group.place(position[each.coordinates], _given(each, values))
            if not (np.abs(found.members) < BEYOND_ALL).all():
                return None
            values[each.members] = found.members
            by_position[each.coordinates] = found.gradient
            total += found.log_density
            placed.append(found)
        return Believed(values, total, by_position, np.array(slopes), tuple(placed))

    def gradient(self, position: Array, at: Believed, by_value: Array) -> Array:
        """The prior's gradient with that of a function of the values: by all of them (parameter,), to the position's.

        `by_value` is used up: what comes through a group is added to what its arguments are.
        """
        total = at.gradient
        for each, placed in zip(self._members, at.placed, strict=True):
            given = _given(each, at.values)
            pulled = each.group.pull(position[each.coordinates], given, placed, by_value[each.members])
            total[each.coordinates] += pulled.by_coordinate
            for argument, slope in pulled.by_argument.items():
                by_value[each.arguments[argument]] += slope
        total[: at.slopes.size] += at.slopes * by_value[: at.slopes.size]
        return total

    # -- positions and values --------------------------------------------------------------------

    def values(self, positions: ArrayLike) -> Array:
        """The free values (…, free) at positions (…, coordinate)."""
        at = np.asarray(positions, dtype=np.float64)
        flat = at.reshape(-1, len(self.coordinates))
        found = np.empty((len(flat), len(self.free)))
        for k, prior in enumerate(self.priors.values()):
            found[:, k] = prior.bijection.values(flat[:, k])
        for each in self._members:
            for row, position in zip(found, flat, strict=True):
                given = _given(each, self.everything(row))
                row[each.members] = each.group.place(position[each.coordinates], given).members
        return found.reshape(*at.shape[:-1], len(self.free))

    def positions(self, values: ArrayLike) -> Array:
        """The positions (…, coordinate) of free values (…, free); infinite at the ends of a support."""
        given = np.asarray(values, dtype=np.float64)
        maps = [prior.bijection.to_line for prior in self.priors.values()]
        flat = given.reshape(-1, len(self.free))
        found = np.empty((len(flat), len(self.coordinates)))
        for position, row in zip(found, flat, strict=True):
            position[: len(maps)] = [to_line(x) for to_line, x in zip(maps, row.tolist(), strict=False)]
            for each in self._members:
                arguments = _given(each, self.everything(row))
                position[each.coordinates] = each.group.to_line(row[each.members], arguments)
        return found.reshape(*given.shape[:-1], len(self.coordinates))

    def everything(self, free: Array) -> Array:
        """Free values (…, free) with the fixed ones behind them (…, parameter)."""
        full = np.empty((*free.shape[:-1], self._known.size))
        full[...] = self._known
        full[..., : len(self.free)] = free
        return full

    # -- draws and the middle --------------------------------------------------------------------

    def sample(self, key: np.random.Generator, number: int) -> tuple[Array, Array]:
        """Independent draws of the free values (number, free), and their positions (number, coordinate)."""
        values, positions = np.empty((number, len(self.free))), np.empty((number, len(self.coordinates)))
        for k, prior in enumerate(self.priors.values()):
            values[:, k] = prior.sample(key, number)
            positions[:, k] = [prior.bijection.to_line(x) for x in values[:, k].tolist()]
        for each in self._members:
            for row, position in zip(values, positions, strict=True):
                given = _given(each, self.everything(row))
                # Coordinates are drawn and members follow: a share may be too small for a number, its coordinate not.
                position[each.coordinates] = each.group.sample(key, given)
                row[each.members] = each.group.place(position[each.coordinates], given).members
        return values, positions

    def centre(self) -> Array:
        """The middle of what is believed of each free value: medians, and of groups where they centre."""
        found = np.empty(len(self.free))
        found[: len(self.priors)] = [float(prior.quantile(0.5)) for prior in self.priors.values()]
        for each in self._members:
            found[each.members] = each.group.centre(_given(each, self.everything(found)))
        return found


def _given(each: _Member, values: Array) -> dict[str, float]:
    return {argument: float(values[place]) for argument, place in each.arguments.items()}
