"""Target by target, the numbers behind the words about its fit: for the table a referee reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics.checks.coverage import count_inside
from modelworks.diagnostics.checks.fit_features import p_values
from modelworks.diagnostics.checks.residual_pattern import neighbour_correlation, residuals
from modelworks.diagnostics.loo import Loo

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """How the observations of one target compare with what the posterior predicts for them.

    `inside` of `points` lie in the 95% range; `p_values` are two-sided posterior predictive p-values of features of
    the series; `autocorrelation` is of residuals with their own neighbour, None of a single one. `elpd` is the log
    density of the observations each foretold from all the others, with its standard error `se`; of `doubtful` of them
    the draws can not say it.
    """

    target: str
    points: int
    inside: int
    p_values: Mapping[str, float]
    autocorrelation: float | None
    elpd: float | None = None
    se: float | None = None
    doubtful: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Fit:
        """The fit that `as_dict` wrote."""
        return cls(**entry)


def fit(target: str, predictive: Floats, observed: Floats, left_out: Loo | None = None) -> Fit:
    """The numbers of one target.

    Parameters
    ----------
    predictive : float array, shape (sample, point)
    observed : float array, shape (point,)
        NaN where there is none.
    left_out : Loo, optional
        Of the observations, those known only within limits too.

    >>> samples = np.random.default_rng(1).normal(10, 1, size=(999, 20))
    >>> found = fit("cases", samples, samples[0] + 5)
    >>> found.inside, found.p_values["mean"], round(found.autocorrelation, 1)
    (0, 0.002, 0.9)
    """
    there = np.isfinite(observed)
    samples, values = predictive[:, there], observed[there]
    if not values.size:
        return Fit(target, 0, 0, {}, None)
    inside = count_inside(samples, values, 0.95).inside
    features = {name: chance for name, (chance, _) in p_values(samples, values).items()}
    own = float(neighbour_correlation(residuals(samples, values)[0])) if values.size > 1 else None
    found = Fit(target, values.size, inside, features, own)
    return found if left_out is None else replace(found, elpd=left_out.elpd, se=left_out.se, doubtful=left_out.doubtful)
