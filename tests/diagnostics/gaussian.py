"""Studies whose posterior is known exactly: a line through normal observations, with normal priors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHAINS, DRAWS = 4, 1000


@dataclass
class Line:
    """Independent priors on the coefficients, and targets `design @ coefficients` with normal noise.

    `designs` and `observed` are by target, (point, parameter) and (point,); `noise` is the standard deviation.
    """

    names: tuple[str, ...]
    mean: Floats
    sd: Floats
    designs: dict[str, Floats]
    observed: dict[str, Floats]
    noise: float = 1.0

    def evidence(self, random: np.random.Generator) -> dict[str, Any]:
        """The arguments of `diagnose`: independent draws from the exact posterior."""
        design, seen = np.concatenate(list(self.designs.values())), np.concatenate(list(self.observed.values()))
        precision = design.T @ design / self.noise**2 + np.diag(self.sd**-2.0)
        centre = np.linalg.solve(precision, design.T @ seen / self.noise**2 + self.mean / self.sd**2)
        drawn = random.multivariate_normal(centre, np.linalg.inv(precision), size=CHAINS * DRAWS)
        expected = {name: drawn @ each.T for name, each in self.designs.items()}
        before = random.normal(self.mean, self.sd, size=(1000, len(self.names)))
        return {
            "draws": {name: drawn[:, k].reshape(CHAINS, DRAWS) for k, name in enumerate(self.names)},
            "prior_draws": {name: before[:, k] for k, name in enumerate(self.names)},
            "sample_stats": {},
            "predictive": {name: random.normal(each, self.noise) for name, each in expected.items()},
            "observed": self.observed,
            "bounds": {},
            "log_likelihood": {
                name: -0.5 * ((self.observed[name] - each) / self.noise) ** 2 - np.log(self.noise * np.sqrt(2 * np.pi))
                for name, each in expected.items()
            },
            "log_prior": -0.5 * (((drawn - self.mean) / self.sd) ** 2).sum(axis=1),
        }


def line(random: np.random.Generator, points: int = 20, noise: float = 1.0) -> Line:
    """A study that is beyond reproach: its truth is a draw of its priors, and two targets share its parameters."""
    names, mean, sd = ("level", "slope"), np.array([5.0, 1.0]), np.array([2.0, 1.0])
    time = np.linspace(-1, 1, points)
    design = np.stack([np.ones(points), time], axis=1)
    designs = {"cases": design, "deaths": design[::2]}
    truth = random.normal(mean, sd)
    observed = {name: random.normal(each @ truth, noise) for name, each in designs.items()}
    return Line(names, mean, sd, designs, observed, noise)
