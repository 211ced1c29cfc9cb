"""A series that was observed, and how it is thought to come about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.likelihoods import Likelihood, likelihood
from modelworks.errors import Letters, near

Array = NDArray[np.float64]

# "Fewer than" so many is the highest limit for a count: its probability is a sum of as many terms.
HIGHEST_LIMIT = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Observations of one output of the model, with their likelihood.

    Everything is given by name, so what was observed and what the model says can not change places.

    Parameters
    ----------
    name : str
    output : str, or one for each point
        The column of the simulator that is observed.
    observed : float array, shape (point,)
        In the unit of the prediction; NaN where nothing was observed, which is then left out of the
        likelihood and still predicted. A binomial counts those who had it, and is predicted a probability.
    weights : float array, shape (point, time)
        Each prediction is `weights @ output`: a one picks a moment, several ones sum the events of a week.
    likelihood : str
        A family of `likelihoods`.
    arguments : mapping
        Of the likelihood: a number, an array (point,), or the name of a parameter.
    censored : bool array, shape (point,), optional
        Where it is only known that an observation lies below the number given for it.
    multipliers : the name of a parameter for each point, optional
        What each prediction is multiplied by: the effect of a day of the week, say.
    weight : float
        What the log likelihood of each point is multiplied by; one unless somebody has a reason.

    Raises
    ------
    ModelworksError
        C201 to C208: an unknown likelihood, wrong arguments, observations it can not be asked about, or
        shapes that do not fit.
    """

    name: str
    output: str | Sequence[str]
    observed: Array
    weights: Array
    likelihood: str
    arguments: Mapping[str, float | str | Array] = field(default_factory=dict)
    censored: NDArray[np.bool_] | None = None
    multipliers: Sequence[str] | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "observed", np.asarray(self.observed, dtype=np.float64))
        object.__setattr__(self, "weights", np.asarray(self.weights, dtype=np.float64))
        family = likelihood(self.likelihood)
        letters = Letters()
        self._check_shapes(letters)
        self._check_arguments(family, letters)
        letters.raise_if_any()
        self._check_observed(family, letters)
        letters.raise_if_any()

    @property
    def family(self) -> Likelihood:
        return likelihood(self.likelihood)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where something was observed, shape (point,)."""
        return np.isfinite(self.observed)

    @property
    def exact(self) -> Array:
        """The observations, shape (point,); NaN also where only a limit is known."""
        return self.observed if self.censored is None else np.where(self.censored, np.nan, self.observed)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The output of each point."""
        return (self.output,) * self.observed.size if isinstance(self.output, str) else tuple(self.output)

    @property
    def parameters(self) -> dict[str, str]:
        """The likelihood's arguments that are parameters of the study: argument → parameter."""
        return {name: value for name, value in self.arguments.items() if isinstance(value, str)}

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter that the target itself depends on."""
        return (*self.parameters.values(), *dict.fromkeys(self.multipliers or ()))

    def _check_shapes(self, letters: Letters) -> None:
        observed, weights = self.observed, self.weights
        if observed.ndim != 1 or weights.ndim != 2 or weights.shape[0] != observed.shape[0]:
            letters.add(
                "C205",
                f"the target `{self.name}` has observations of shape {observed.shape} and weights of {weights.shape}",
                hint="observations are (point,) and weights (point, time), with the same points",
            )
            return
        for what, given in (("outputs", self.outputs), ("limits", self.censored), ("multipliers", self.multipliers)):
            if given is not None and len(given) != observed.size:
                letters.add("C205", f"the target `{self.name}` has {len(given)} {what} for {observed.size} points")
        if not 0 < self.weight < np.inf:
            letters.add("C213", f"the weight of the target `{self.name}` is {self.weight:g}, but must be above 0")
        if not np.isfinite(weights).all():
            letters.add("C205", f"the target `{self.name}` has a weight that is not a number")
        elif observed.size and not weights.any(axis=1).all():
            point = int(np.argmin(weights.any(axis=1)))
            letters.add(
                "C206",
                f"observation {point + 1} of the target `{self.name}` looks at no time of the model",
                hint="the model must run over the whole time of the observations",
            )
        if np.isinf(observed).any():
            letters.add("C207", f"the target `{self.name}` has an infinite observation")
        elif not self.present.any():
            letters.add(
                "C207",
                f"the target `{self.name}` has no observation",
                hint="look at its window, and at the column of the data",
            )

    def _check_arguments(self, family: Likelihood, letters: Letters) -> None:
        for name in self.arguments:
            if name not in family.arguments:
                letters.add(
                    "C202",
                    f"the likelihood `{family.name}` of the target `{self.name}` has no argument `{name}`",
                    hint=near(name, family.arguments),
                )
        for name, allowed in family.arguments.items():
            if name not in self.arguments:
                letters.add(
                    "C202",
                    f"the likelihood `{family.name}` of the target `{self.name}` lacks its argument `{name}`",
                    hint="give a number, or the name of a parameter",
                )
                continue
            value = self.arguments[name]
            if isinstance(value, str):
                continue
            numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
            if numbers.ndim != 1 or numbers.size not in (1, self.observed.size):
                letters.add("C205", f"`{name}` of the target `{self.name}` is neither a number nor one for each point")
            elif not all(allowed.holds(float(each)) for each in numbers):
                letters.add(
                    "C203",
                    f"`{name}` of the target `{self.name}` is {value}, but must be {allowed.in_words()}",
                    hint=f"see the likelihood `{family.name}`",
                )

    def _check_observed(self, family: Likelihood, letters: Letters) -> None:
        """What the likelihood can not be asked about."""
        trials = self.arguments.get("trials", np.inf)
        most = np.inf if isinstance(trials, str) else trials
        wrong, rule = {
            "counts": ((self.observed < 0) | (self.observed % 1 != 0), "whole numbers from 0 on"),
            "above zero": (self.observed <= 0, "numbers above 0"),
            "anything": (np.zeros(self.observed.shape, dtype=bool), "numbers"),
        }[family.observable]
        if self.censored is not None and family.observable == "counts":
            # Nothing lies below a limit of zero, and a sum up to a limit takes as long as the limit is high.
            wrong |= self.censored & ((self.observed < 1) | (self.observed > HIGHEST_LIMIT))
            rule += f", and limits from 1 to {HIGHEST_LIMIT:,}"
        for mask, told in ((wrong, rule), (self.observed > most, "no more than the trials")):
            found = np.flatnonzero(mask & self.present)
            if found.size:
                letters.add(
                    "C208",
                    f"observation {found[0] + 1} of the target `{self.name}` is {self.observed[found[0]]:g}, "
                    f"but `{family.name}` is for {told}",
                    hint="choose another likelihood, or correct the data",
                )
