"""What a group of parameters believed in together can do. To add one, copy the file of the nearest member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.priors import Prior

Array = NDArray[np.float64]


class Placed(NamedTuple):
    """Where a group's members are, and the log density there with its derivative by the coordinates.

    `members` (member,) are values in their unit; `log_density` is that of the coordinates on the line, Jacobian
    and all, and `gradient` (coordinate,) its derivative. It never depends on the arguments that are parameters.
    """

    members: Array
    log_density: float
    gradient: Array


class Pulled(NamedTuple):
    """A derivative by the members as one by the coordinates (coordinate,), and by each argument that is a parameter."""

    by_coordinate: Array
    by_argument: Mapping[str, float]


class Group(Protocol):
    """Several parameters with one belief: what is known of one says something of the others.

    Samplers move `coordinates` on the real line, of which there may be fewer than members; `given` are the
    values of those arguments that are themselves parameters of the study, as `parameters` names them.
    """

    @property
    def members(self) -> tuple[str, ...]:
        """The parameters of the study that belong to it."""
        ...

    @property
    def parameters(self) -> Mapping[str, str]:
        """The arguments that are parameters of the study: argument → parameter."""
        ...

    @property
    def coordinates(self) -> tuple[str, ...]:
        """A name for each coordinate: that of the member it moves, where it moves one."""
        ...

    @property
    def support(self) -> tuple[float, float]:
        """Between which values every member lies."""
        ...

    def check(self, priors: Mapping[str, Prior], fixed: Mapping[str, float]) -> None:
        """A letter where an argument that is a parameter is none, or can not be what it is taken for."""
        ...

    def place(self, coordinates: Array, given: Mapping[str, float]) -> Placed: ...

    def pull(self, coordinates: Array, given: Mapping[str, float], placed: Placed, by_member: Array) -> Pulled: ...

    def to_line(self, members: Array, given: Mapping[str, float]) -> Array:
        """The coordinates of members (member,)."""
        ...

    def sample(self, key: np.random.Generator, given: Mapping[str, float]) -> Array:
        """One draw of the coordinates (coordinate,)."""
        ...

    def centre(self, given: Mapping[str, float]) -> Array:
        """The middle of what is believed of each member."""
        ...

    def in_words(self) -> str:
        """The belief as a table shows it."""
        ...
