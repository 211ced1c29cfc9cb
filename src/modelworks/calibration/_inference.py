"""Methods that learn a posterior from simulations alone, and where one from outside is plugged in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail, near

Array = NDArray[np.float64]

GROUP = "modelworks.inference"
# The part of the simulations, the nearest to the data, that the regression is fitted to; and no fewer than these.
NEAREST_SHARE, FEWEST = 0.1, 200
# So little of the summaries' own spread keeps a regression on nearly the same summaries from breaking down.
RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Simulations:
    """Draws of the priors with the data that were simulated for each.

    `positions` (simulation, parameter) are on the real line in every direction, whatever the bounds of the parameters,
    and `summaries` (simulation, summary) what the simulated data differ by from those observed, each in parts of its
    spread: the data themselves lie at zero. All are numbers; runs that failed are left out.
    """

    parameters: tuple[str, ...]
    positions: Array
    summaries: Array


class Inference(Protocol):
    """From simulations to draws of the posterior given the data, which lie where every summary is zero.

    A neural posterior estimator is fitted to `positions` given `summaries`, and sampled at zeros. Where the model has a
    likelihood, what it gives is only a proposal, which importance weights correct.
    """

    def __call__(self, simulations: Simulations, number: int, key: np.random.Generator, /) -> Array:
        """Draws, shape (number, parameter), on the same line as `positions`; all of its randomness is the key's."""
        ...


def inference(method: str | Inference) -> tuple[str, Inference]:
    """A method and what it is called; a name is `regression`, or an entry point of the group `modelworks.inference`.

    Raises
    ------
    ModelworksError
        C508: a name that no installed package gives.
    """
    if not isinstance(method, str):
        return getattr(method, "__name__", type(method).__name__), method
    if method == "regression":
        return method, regression
    found = {each.name: each for each in entry_points(group=GROUP)}
    if method not in found:
        fail(
            "C508",
            f"there is no method `{method}` to learn from simulations",
            hint=near(method, ["regression", *found]),
        )
    return method, cast(Inference, found[method].load())


def drawn_by(name: str, method: Inference, simulations: Simulations, number: int, key: np.random.Generator) -> Array:
    """The draws of a method; C508 where they have the wrong shape or are no numbers."""
    found = np.asarray(method(simulations, number, key), dtype=np.float64)
    wanted = (number, len(simulations.parameters))
    if found.shape != wanted or not np.isfinite(found).all():
        what = f"the shape {found.shape}, not {wanted}" if found.shape != wanted else "values that are not numbers"
        fail("C508", f"the draws of the method `{name}` have {what}", hint="see `modelworks.calibration.Inference`")
    return found


def regression(simulations: Simulations, number: int, key: np.random.Generator) -> Array:
    """The nearest simulations, moved along a linear regression to where their data would be those observed.

    Beaumont, Zhang and Balding 2002, doi:10.1093/genetics/162.4.2025.
    """
    distance = np.sqrt(np.square(simulations.summaries).mean(axis=1))
    order = np.argsort(distance, kind="stable")
    nearest = order[: max(int(NEAREST_SHARE * distance.size), min(FEWEST, distance.size))]
    positions, summaries = simulations.positions[nearest], simulations.summaries[nearest]
    farthest = distance[nearest[-1]] or 1.0
    # Epanechnikov's kernel; the farthest itself would weigh nothing, even where all are as far.
    weights = 1.0 - np.square(distance[nearest] / (farthest * (1 + 1e-9)))
    weights = np.maximum(weights, 1e-12) / np.maximum(weights, 1e-12).sum()
    away, moved = summaries - weights @ summaries, positions - weights @ positions
    square = (away * weights[:, np.newaxis]).T @ away
    slopes = np.linalg.solve(
        square + RIDGE * (np.trace(square) / len(square) + 1e-300) * np.eye(len(square)),
        (away * weights[:, np.newaxis]).T @ moved,
    )
    adjusted = positions - summaries @ slopes
    return np.asarray(adjusted[key.choice(len(adjusted), size=number, p=weights)])
