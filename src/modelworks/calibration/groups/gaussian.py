"""Groups that are normal on some line: exchangeable members, random walks, splines, correlated ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.groups._group import Placed, Pulled
from modelworks.calibration.groups._links import Link
from modelworks.calibration.priors import Prior
from modelworks.calibration.priors.normal import LOG_ROOT_TWO_PI
from modelworks.errors import fail, near

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gaussian:
    r"""Members $x = g(m + s B z)$ with independent standard normal coordinates $z$.

    `link` is $g$, `basis` (member, coordinate) is $B$, `location` and `scale` are $m$ and $s$: each a number, one for
    each member, or the name of a parameter. The location is given as a value, and its place on the line is
    $g^{-1}$ of it. The coordinates do not change their scale with $s$, so a small $s$ makes no funnel
    ("non-centred", Betancourt and Girolami 2015, doi:10.1201/b18502-5).
    """

    members: tuple[str, ...]
    coordinates: tuple[str, ...]
    link: Link
    basis: Array
    location: Array | str
    scale: Array | str
    names: tuple[str, str]
    words: str

    @property
    def parameters(self) -> Mapping[str, str]:
        both = zip(self.names, (self.location, self.scale), strict=True)
        return {argument: value for argument, value in both if isinstance(value, str)}

    @property
    def support(self) -> tuple[float, float]:
        return self.link.support

    def check(self, priors: Mapping[str, Prior], fixed: Mapping[str, float]) -> None:
        for argument, name in self.parameters.items():
            low, high = self.support if argument == self.names[0] else (0.0, math.inf)
            what = f"`{argument}` of the prior of `{self.members[0]}`"
            if name not in priors and name not in fixed:
                hint = near(name, (*priors, *fixed))
                fail("C106", f"{what} is `{name}`, which is no parameter with a value or a prior of its own", hint=hint)
            least, most = priors[name].support if name in priors else (fixed[name], fixed[name])
            # A prior may reach an end, where it has no probability; a value may not lie there.
            if least < low or most > high or (name in fixed and not low < fixed[name] < high):
                fail(
                    "C106",
                    f"{what} is `{name}`, from {least:g} to {most:g}, but must lie between {low:g} and {high:g}",
                    hint="give it a prior that ends there, as half_normal, log_normal or logit_normal do",
                )

    def place(self, coordinates: Array, given: Mapping[str, float]) -> Placed:
        moved = self._location(given) + self._scale(given) * (self.basis @ coordinates)
        density = -0.5 * float(coordinates @ coordinates) - coordinates.size * LOG_ROOT_TWO_PI
        return Placed(self.link.from_line(moved), density, -coordinates)

    def pull(self, coordinates: Array, given: Mapping[str, float], placed: Placed, by_member: Array) -> Pulled:
        on_line = by_member * self.link.slope(placed.members)
        by_argument: dict[str, float] = {}
        if isinstance(self.location, str):
            value = np.asarray(given[self.names[0]])
            by_argument[self.names[0]] = float(on_line.sum() / self.link.slope(value))
        if isinstance(self.scale, str):
            by_argument[self.names[1]] = float(on_line @ (self.basis @ coordinates))
        return Pulled(self.basis.T @ (on_line * self._scale(given)), by_argument)

    def to_line(self, members: Array, given: Mapping[str, float]) -> Array:
        scattered = (self.link.to_line(members) - self._location(given)) / self._scale(given)
        return np.asarray(np.linalg.lstsq(self.basis, scattered, rcond=None)[0], dtype=np.float64)

    def sample(self, key: np.random.Generator, given: Mapping[str, float]) -> Array:
        return np.asarray(key.standard_normal(self.basis.shape[1]))

    def centre(self, given: Mapping[str, float]) -> Array:
        return self.link.from_line(self._location(given) + np.zeros(len(self.members)))

    def in_words(self) -> str:
        return self.words

    def _location(self, given: Mapping[str, float]) -> Array:
        value = given[self.names[0]] if isinstance(self.location, str) else self.location
        return self.link.to_line(np.asarray(value, dtype=np.float64))

    def _scale(self, given: Mapping[str, float]) -> Array:
        return np.asarray(given[self.names[1]] if isinstance(self.scale, str) else self.scale, dtype=np.float64)
