"""Proportions that sum to one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.groups._group import Placed, Pulled
from modelworks.calibration.priors import Prior

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dirichlet:
    r"""As after counting `concentration` − 1 of each kind, from a uniform start.

    The members are $x = \mathrm{softmax}(V u)$, where the columns of $V$ are orthonormal and sum to zero, so that no
    member is treated otherwise than another. Of the map to all but one of them the determinant is
    $\sqrt{k} \prod x_i$ for $k$ members (Egozcue et al. 2003, doi:10.1023/A:1023818214614).
    """

    members: tuple[str, ...]
    concentration: Array
    words: str
    _basis: Array = field(init=False, repr=False)
    _constant: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        a = self.concentration
        constant = math.lgamma(a.sum()) - sum(math.lgamma(each) for each in a.tolist()) + 0.5 * math.log(a.size)
        object.__setattr__(self, "_constant", constant)
        object.__setattr__(self, "_basis", _contrasts(a.size))

    @property
    def parameters(self) -> Mapping[str, str]:
        return MappingProxyType({})

    @property
    def coordinates(self) -> tuple[str, ...]:
        return self.members[:-1]

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, 1.0

    def check(self, priors: Mapping[str, Prior], fixed: Mapping[str, float]) -> None:
        """Its concentrations are numbers: nothing can be wrong with others."""

    def place(self, coordinates: Array, given: Mapping[str, float]) -> Placed:
        logits = self._basis @ coordinates
        largest = logits.max()
        log_total = largest + math.log(np.exp(logits - largest).sum())
        members = np.exp(logits - log_total)
        density = float(self.concentration @ (logits - log_total)) + self._constant
        gradient = self._basis.T @ (self.concentration - self.concentration.sum() * members)
        return Placed(members, density, gradient)

    def pull(self, coordinates: Array, given: Mapping[str, float], placed: Placed, by_member: Array) -> Pulled:
        by_logit = placed.members * (by_member - by_member @ placed.members)
        return Pulled(self._basis.T @ by_logit, {})

    def to_line(self, members: Array, given: Mapping[str, float]) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(self._basis.T @ np.log(members))

    def sample(self, key: np.random.Generator, given: Mapping[str, float]) -> Array:
        # A gamma of a small shape underflows to zero; its logarithm by one shape higher does not (Marsaglia and
        # Tsang 2000, doi:10.1145/358407.358414).
        a = self.concentration
        return np.asarray(self._basis.T @ (np.log(key.gamma(a + 1.0)) + np.log(key.random(a.size)) / a))

    def centre(self, given: Mapping[str, float]) -> Array:
        return np.asarray(self.concentration / self.concentration.sum())

    def in_words(self) -> str:
        return self.words


def _contrasts(size: int) -> Array:
    """Columns (member, member − 1) that are orthonormal and sum to zero: each member against those before it."""
    columns = [
        np.concatenate([np.full(k, 1.0), [-k], np.zeros(size - k - 1)]) / math.sqrt(k * (k + 1)) for k in range(1, size)
    ]
    return np.column_stack(columns)
