"""How the counted divide among categories: strains of the sequenced, ages of the notified."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, xlogy

from modelworks.calibration.likelihoods._likelihood import SMALLEST_PREDICTION, Array, Likelihood, Range, Slopes

# All points of a category come before those of the next, each in the order of time; `categories` says how many there
# are.
ARGUMENTS = {
    "trials": Range(0.0, above=True, can_be_found=False),
    "categories": Range(2.0, can_be_found=False),
}


def log_likelihood(*, observed: Array, predicted: Array, trials: float | Array, categories: float) -> Array:
    r"""$\log n! + \sum_k (y_k \log p_k - \log y_k!)$ of each time, with $p_k = m_k / \sum_j m_j$.

    `predicted` are any amounts $m$ whose shares are meant. Each point has the term of its category; that of all,
    $\log n!$, is with the first.
    """
    p, _ = shares(predicted, categories)
    value = np.asarray(xlogy(observed, p) - gammaln(observed + 1.0))
    return value + of_first(np.asarray(gammaln(trials + 1.0)), observed, categories)


def slopes(*, observed: Array, predicted: Array, trials: float | Array, categories: float) -> Slopes:
    p, total = shares(predicted, categories)
    by_share = observed / np.maximum(p, SMALLEST_PREDICTION)
    value = log_likelihood(observed=observed, predicted=predicted, trials=trials, categories=categories)
    return Slopes(value, by_amount(by_share, p, total, categories), {})


def sample(key: np.random.Generator, *, predicted: Array, trials: float | Array, categories: float) -> Array:
    p, _ = shares(predicted, categories)
    return counts_of(key, p, trials, categories)


def expected(*, predicted: Array, trials: float | Array, categories: float, **_: float | Array) -> Array:
    """How many of each category are expected."""
    return np.asarray(trials * shares(predicted, categories)[0])


def shares(predicted: Array, categories: float) -> tuple[Array, Array]:
    """Shares (…, point) of amounts (…, point), and the sum of its time at each point."""
    amounts = by_time(np.maximum(predicted, 0.0), categories)
    total = np.maximum(amounts.sum(axis=-1, keepdims=True), SMALLEST_PREDICTION)
    return flat(amounts / total), flat(np.broadcast_to(total, amounts.shape))


def by_amount(by_share: Array, p: Array, total: Array, categories: float) -> Array:
    """Derivatives by shares as derivatives by the amounts they are made of."""
    mean = by_time(by_share * p, categories).sum(axis=-1, keepdims=True)
    return np.asarray(flat(by_time(by_share, categories) - mean) / total)


def counts_of(key: np.random.Generator, p: Array, trials: float | Array, categories: float) -> Array:
    number = by_time(np.broadcast_to(np.asarray(trials), p.shape), categories)[..., 0].astype(np.int64)
    by_category = by_time(p, categories)
    # Where nothing at all is predicted every category is as good as another.
    sums = by_category.sum(axis=-1, keepdims=True)
    even = np.where(sums > 0, by_category / np.where(sums > 0, sums, 1.0), 1.0 / categories)
    return flat(key.multinomial(number, even).astype(np.float64))


def by_time(values: Array, categories: float) -> Array:
    """(…, point) as (…, time, category)."""
    return values.reshape(*values.shape[:-1], int(categories), -1).swapaxes(-1, -2)


def flat(values: Array) -> Array:
    """And back."""
    turned = values.swapaxes(-1, -2)
    return turned.reshape(*turned.shape[:-2], -1)


def of_first(value: Array, observed: Array, categories: float) -> Array:
    """A term of each time, at its first category and zero at the others."""
    first = np.arange(observed.shape[-1]) < observed.shape[-1] // int(categories)
    return np.asarray(np.where(first, value, 0.0))


MULTINOMIAL = Likelihood("multinomial", "counts", ARGUMENTS, log_likelihood, slopes, sample, expected=expected)
