"""Small models with exact gradients, so that the calibration is tested without the model room."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modelworks.calibration import LogDensity, Prior, Target

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """Outputs that are sums of the parameters: `design` (time, parameter) gives the only output `level`."""

    design: Array
    parameters: tuple[str, ...]
    outputs: tuple[str, ...] = ("level",)

    @property
    def times(self) -> Array:
        return np.arange(float(len(self.design)))

    def run(self, values: Array, /) -> Array:
        return (self.design @ values)[:, np.newaxis]

    def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
        return self.run(values), lambda cotangent: self.design.T @ cotangent[:, 0]


@dataclass(frozen=True)
class Ode:
    """Fixed-step Runge–Kutta with forward sensitivities of a small system of ordinary differential equations.

    `slope(state, values)` is dy/dt (state,), `jacobians(state, values)` its derivatives by the state (state,
    state) and by the values (state, parameter), `begin(values)` the state at the first time with its
    derivative (state, parameter). Every state is an output.
    """

    parameters: tuple[str, ...]
    outputs: tuple[str, ...]
    times: Array
    slope: Callable[[Array, Array], Array]
    jacobians: Callable[[Array, Array], tuple[Array, Array]]
    begin: Callable[[Array], tuple[Array, Array]]
    steps: int = 10

    def run(self, values: Array, /) -> Array:
        return self._solve(values, sensitive=False)[0]

    def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
        outputs, sensitivities = self._solve(values, sensitive=True)
        return outputs, lambda cotangent: np.einsum("to,top->p", cotangent, sensitivities)

    def _solve(self, values: Array, *, sensitive: bool) -> tuple[Array, Array]:
        state, moved = self.begin(values)
        # State and sensitivities side by side, one array for the solver: (state, 1 + parameter).
        both = np.column_stack([state, moved]) if sensitive else state[:, np.newaxis]

        def change(now: Array) -> Array:
            slope = self.slope(now[:, 0], values)[:, np.newaxis]
            if not sensitive:
                return slope
            by_state, by_value = self.jacobians(now[:, 0], values)
            return np.hstack([slope, by_state @ now[:, 1:] + by_value])

        kept = [both]
        for width in np.diff(self.times):
            h = width / self.steps
            for _ in range(self.steps):
                k1 = change(both)
                k2 = change(both + 0.5 * h * k1)
                k3 = change(both + 0.5 * h * k2)
                k4 = change(both + h * k3)
                both = both + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            kept.append(both)
        every = np.array(kept)
        return every[:, :, 0], every[:, :, 1:]


@dataclass(frozen=True)
class Gaussian:
    """A normal log density of known mean and covariance on the line, as a sampler sees a calibration."""

    mean: Array
    covariance: Array
    has_gradient: bool = True
    prior_sd: float = 3.0
    _precision: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_precision", np.linalg.inv(self.covariance))

    @property
    def dimension(self) -> int:
        return self.mean.size

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(f"x{k}" for k in range(self.dimension))

    def value(self, position: Array, /) -> float:
        away = position - self.mean
        return float(-0.5 * away @ self._precision @ away)

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        return self.value(position), -self._precision @ (position - self.mean)

    def prior_positions(self, key: np.random.Generator, number: int, /) -> Array:
        return self.prior_sd * key.standard_normal((number, self.dimension))


def sir() -> Ode:
    """The boarding school's model: 763 boys, one of them infectious on day 0; looked at for 14 days."""
    boys = 763.0

    def slope(state: Array, values: Array) -> Array:
        (susceptible, infectious), (contact, recovery) = state, values
        infections = contact * susceptible * infectious / boys
        return np.array([-infections, infections - recovery * infectious])

    def jacobians(state: Array, values: Array) -> tuple[Array, Array]:
        (susceptible, infectious), (contact, recovery) = state, values
        by_susceptible, by_infectious = contact * infectious / boys, contact * susceptible / boys
        infections = susceptible * infectious / boys
        by_state = np.array([[-by_susceptible, -by_infectious], [by_susceptible, by_infectious - recovery]])
        return by_state, np.array([[-infections, 0.0], [infections, -infectious]])

    def begin(values: Array) -> tuple[Array, Array]:
        return np.array([boys - 1.0, 1.0]), np.zeros((2, 2))

    return Ode(
        ("contact_rate", "recovery_rate"), ("susceptible", "in_bed"), np.arange(15.0), slope, jacobians, begin, 6
    )


def day_by_day(days: Sequence[int], times: int) -> Array:
    """Weights that pick one row for each point."""
    return np.eye(times)[list(days)]


def boarding_school(observed: Sequence[float]) -> LogDensity:
    """Priors and likelihood of Grinsztajn et al. 2021 (doi:10.1002/sim.9164)."""
    return LogDensity(
        priors={
            "contact_rate": Prior.of("normal", {"mean": 2, "sd": 1}, bounds=(0, None)),
            "recovery_rate": Prior.of("normal", {"mean": 0.4, "sd": 0.5}, bounds=(0, None)),
            "overdispersion": Prior.of("exponential", {"mean": 0.2}),
        },
        simulator=sir(),
        targets=[
            Target(
                name="in_bed",
                output="in_bed",
                observed=np.array(observed, dtype=float),
                weights=day_by_day(range(1, 15), 15),
                likelihood="negative_binomial",
                arguments={"overdispersion": "overdispersion"},
            )
        ],
    )


@pytest.fixture(scope="session")
def posteriors(references: Path) -> dict[str, dict[str, Any]]:
    """Other people's posteriors by a word of their name."""
    entries = json.loads((references / "posteriors.json").read_text(encoding="utf-8"))
    return {"school" if "boarding" in entry["name"] else "lynx": entry for entry in entries}
