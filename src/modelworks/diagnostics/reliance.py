"""What does a number rest on: which prior, and which target's data, would move it if it were trusted more?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.diagnostics.checks.prior_sensitivity import SENSITIVE, scaled_distance

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliance:
    """How a number changes when one source is trusted twice as much, to the first order.

    `distance` is how far the whole distribution moves, 0 to 1 (cumulative Jensen-Shannon, per doubling): also a source
    that only makes it narrower moves it. `move` is of the mean and in its unit, `in_sd` in its standard deviations.
    """

    kind: str
    source: str
    move: float
    in_sd: float
    distance: float

    @property
    def matters(self) -> bool:
        """Whether it is beyond the limit of `prior_sensitivity`."""
        return self.distance >= SENSITIVE

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def reliance(values: Floats, sources: Mapping[tuple[str, str], Floats]) -> list[Reliance]:
    r"""What a number rests on, the strongest first; nothing of one that is the same in all draws.

    With a source's log density $\ell$ raised to the power $\alpha$, the mean of a number $x$ moves by
    $\operatorname{cov}(x, \ell)\,\mathrm{d}\alpha$, and thus by $\ln 2 \operatorname{cov}(x, \ell)$ for each doubling
    of $\alpha$.

    Parameters
    ----------
    values : float array, shape (sample,)
    sources : mapping of (kind, name) to float array, shape (sample,)
        Log density of a prior, or log likelihood of a target, at each draw, up to a constant.

    >>> draws = np.random.default_rng(1).normal(1, 0.1, size=4000)
    >>> found = reliance(draws, {("prior", "rate"): -draws**2 / 2, ("target", "cases"): -((draws - 1) ** 2) / 0.02})
    >>> [(each.source, each.matters, round(each.in_sd, 2)) for each in found]
    [('cases', True, -0.0), ('rate', False, -0.07)]
    """
    spread = float(values.std())
    if not spread > 1e-12 * float(np.abs(values).max(initial=0.0)):
        return []
    found = []
    for (kind, source), density in sources.items():
        move = float(np.log(2) * ((values - values.mean()) * (density - density.mean())).mean())
        found.append(Reliance(kind, source, move, move / spread, scaled_distance(values, density)))
    return sorted(found, key=lambda each: -each.distance)
