"""What a number depends on: rank correlations and shares of its variance, from runs with varied parameters.

Partial rank correlation: Marino et al. 2008, J Theor Biol 254:178, doi:10.1016/j.jtbi.2008.04.011. Sobol's indices:
Saltelli et al. 2010, Comput Phys Commun 181:259, doi:10.1016/j.cpc.2009.09.018 (first order), and Jansen 1999, Comput
Phys Commun 117:35, doi:10.1016/S0010-4655(98)00154-4 (total).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.errors import fail

Array = NDArray[np.float64]

# Of the normal distribution, for intervals of 95%.
WIDTH = 1.959963984540054
RESAMPLED = 500


@dataclass(frozen=True)
class Indices:
    """One index for each parameter with its 95% interval: (parameter,) each."""

    value: Array
    low: Array
    high: Array


def latin_hypercube(parameters: int, runs: int, key: np.random.Generator) -> Array:
    """Even draws of the unit cube, shape (run, parameter): in each parameter one in every run-th part."""
    from scipy.stats import qmc

    return np.asarray(qmc.LatinHypercube(parameters, rng=key).random(runs))


def sobol_rows(parameters: int, base: int, key: np.random.Generator) -> Array:
    """Rows of the unit cube that Sobol's indices are taken from, shape ((parameters + 2) * base, parameter).

    `base` rows of one design, as many of another, and for each parameter those of the first with that parameter
    from the second. `base` is a power of two.
    """
    from scipy.stats import qmc

    both = qmc.Sobol(2 * parameters, rng=key).random(base)
    first, second = both[:, :parameters], both[:, parameters:]
    mixed = np.repeat(first[None], parameters, axis=0)
    for k in range(parameters):
        mixed[k, :, k] = second[:, k]
    return np.concatenate([first, second, mixed.reshape(-1, parameters)])


def sobol_indices(values: ArrayLike, parameters: int, key: np.random.Generator) -> tuple[Indices, Indices]:
    """The share of the variance that each parameter explains alone, and with all it acts together with.

    Parameters
    ----------
    values : array, shape ((parameters + 2) * base,), of the rows that `sobol_rows` gives, in their order
    key : for the intervals, which are from resampled rows

    Raises
    ------
    ModelworksError
        C711: a number that does not vary, or is none in some run.
    """
    found = _checked(values).reshape(parameters + 2, -1)
    alone, total = _shares(found[:, None])
    chosen = key.integers(found.shape[1], size=(RESAMPLED, found.shape[1]))
    again = _shares(found[:, chosen])
    spans = [np.quantile(each, [0.025, 0.975], axis=1) for each in again]
    return Indices(alone[:, 0], *spans[0]), Indices(total[:, 0], *spans[1])


def _shares(values: Array) -> tuple[Array, Array]:
    """First-order and total indices (parameter, sample) of values (row kind, sample, base)."""
    first, second, mixed = values[0], values[1], values[2:]
    both = np.concatenate([first, second], axis=-1)
    variance, middle = both.var(axis=-1), both.mean(axis=-1, keepdims=True)
    # Around its middle: the estimator's noise grows with the number's size.
    alone = ((second - middle) * (mixed - first)).mean(axis=-1) / variance
    total = ((first - mixed) ** 2).mean(axis=-1) / 2 / variance
    return alone, total


def partial_rank_correlations(rows: ArrayLike, values: ArrayLike) -> Indices:
    """How strongly a number goes up or down with each parameter, the others held in place: from -1 to 1.

    Parameters
    ----------
    rows : array, shape (run, parameter)
    values : array, shape (run,)

    Raises
    ------
    ModelworksError
        C711: a number that does not vary, or is none in some run; fewer runs than three more than parameters.
    """
    from scipy.stats import rankdata

    table = np.column_stack([np.asarray(rows, dtype=float), _checked(values)])
    runs, parameters = len(table), table.shape[1] - 1
    if runs < parameters + 3:
        fail("C711", f"{runs} runs are too few for {parameters} parameters", hint="take ten times as many runs or more")
    precision = np.linalg.inv(np.corrcoef(rankdata(table, axis=0), rowvar=False))
    found = -precision[:-1, -1] / np.sqrt(np.diag(precision)[:-1] * precision[-1, -1])
    # Fisher's transformation; each parameter held in place costs a degree of freedom.
    spread = WIDTH / np.sqrt(runs - parameters - 2)
    middle = np.arctanh(np.clip(found, -1 + 1e-12, 1 - 1e-12))
    return Indices(found, np.tanh(middle - spread), np.tanh(middle + spread))


def _checked(values: ArrayLike) -> Array:
    found = np.asarray(values, dtype=float)
    if not np.isfinite(found).all():
        fail(
            "C711",
            f"the number is none in {int((~np.isfinite(found)).sum())} of {found.size} runs",
            hint="narrow the priors, so that every run has it",
        )
    if np.ptp(found) <= 1e-12 * np.abs(found).max():
        fail("C711", "the number is the same in every run", hint="ask for one that depends on what is believed")
    return found
