"""New data from a model at many places, for methods that learn from simulations alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._observation import Observation
from modelworks.errors import fail

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Imitations:
    """Simulations at positions: of each target what was predicted (row, point), and summaries of new observations.

    `summaries` (row, summary) are not numbers where the run failed.
    """

    predicted: tuple[Array, ...]
    summaries: Array

    def taken(self, places: NDArray[np.intp]) -> Imitations:
        """The rows at some places."""
        return Imitations(tuple(each[places] for each in self.predicted), self.summaries[places])

    @classmethod
    def joined(cls, parts: Sequence[Imitations]) -> Imitations:
        """All rows of several, one after the other."""
        predicted = zip(*(each.predicted for each in parts), strict=True)
        return cls(
            tuple(np.concatenate(each) for each in predicted), np.concatenate([each.summaries for each in parts])
        )


def observed_anew(
    observations: Sequence[Observation], predicted: Sequence[Array], values: Array, key: np.random.Generator
) -> Array:
    """New observations (row, seen point) around predictions (row, point) for values (row, parameter)."""
    parts = []
    for each, mean in zip(observations, predicted, strict=True):
        new = each.sample(key, mean, values)[:, each.target.present]
        if each.censored is not None:
            # Below its limit one is as good as another.
            new = np.where(each.censored, np.maximum(new, each.observed), new)
        parts.append(new)
    return np.concatenate(parts, axis=1)


def names_of_points(observations: Sequence[Observation]) -> list[str]:
    """What each observation is called where it is told of."""
    return [
        f"observation {point + 1} of the target `{each.target.name}`"
        for each in observations
        for point in np.flatnonzero(each.target.present)
    ]


def check_weights(observations: Sequence[Observation]) -> None:
    """C507 where a likelihood is weighted: there are no data that it is the likelihood of."""
    for each in observations:
        if each.target.weight != 1.0:
            fail(
                "C507",
                f"the target `{each.target.name}` has a weight, and of a weighted likelihood no data can be simulated",
                hint="leave the weight out, or choose a sampler that computes the likelihood",
            )
