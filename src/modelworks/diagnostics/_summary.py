"""The row of a posterior table: where the draws lie, and how well the place is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from modelworks.diagnostics._mixing import as_chains, ess_bulk, ess_tail, mcse_mean, r_hat


@dataclass(frozen=True, slots=True)
class Summary:
    """One parameter's posterior; all but the last three are in the unit of the parameter."""

    name: str
    mean: float
    sd: float
    q025: float
    q50: float
    q975: float
    mcse: float
    r_hat: float
    ess_bulk: float
    ess_tail: float


def summary(draws: Mapping[str, ArrayLike]) -> tuple[Summary, ...]:
    """One row for each parameter, in the order given.

    Parameters
    ----------
    draws : mapping of name to float array, shape (chain, draw)

    >>> row = summary({"rate": np.random.default_rng(1).normal(2, 1, size=(4, 1000))})[0]
    >>> round(row.mean, 1), round(row.r_hat, 2)
    (2.0, 1.0)
    """
    return tuple(summarise(name, values) for name, values in draws.items())


def summarise(name: str, draws: ArrayLike) -> Summary:
    """The row of one parameter."""
    chains = as_chains(draws)
    low, middle, high = np.quantile(chains, [0.025, 0.5, 0.975])
    return Summary(
        name=name,
        mean=float(chains.mean()),
        sd=float(chains.std(ddof=1)),
        q025=float(low),
        q50=float(middle),
        q975=float(high),
        mcse=mcse_mean(chains),
        r_hat=r_hat(chains),
        ess_bulk=ess_bulk(chains),
        ess_tail=ess_tail(chains),
    )
