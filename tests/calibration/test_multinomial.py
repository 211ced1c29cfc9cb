"""Counts by category against scipy: sums over categories and times, derivatives, draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from modelworks.calibration.likelihoods import likelihood

Array = NDArray[np.float64]

COUNTS = np.array([[3.0, 0.0, 7.0], [0.0, 0.0, 1.0], [120.0, 40.0, 2.0]])
# Amounts of which the shares are meant: infections by strain, say.
AMOUNTS = np.array([[20.0, 5.0, 60.0], [0.2, 0.1, 0.4], [5000.0, 2500.0, 40.0]])
TRIALS = COUNTS.sum(axis=1)
GIVEN: dict[str, Any] = {"trials": np.tile(TRIALS, 3), "categories": 3.0}
DISPERSED = [0.0005, 0.05, 0.6]


def flat(values: Array) -> Array:
    """All times of the first category, then those of the next."""
    return values.T.reshape(-1)


def multinomial(amounts: Array) -> Array:
    shares = amounts / amounts.sum(axis=1, keepdims=True)
    return np.array([stats.multinomial.logpmf(y, y.sum(), p) for y, p in zip(COUNTS, shares, strict=True)])


def dirichlet_multinomial(amounts: Array, overdispersion: float) -> Array:
    alpha = amounts / amounts.sum(axis=1, keepdims=True) * (1 / overdispersion - 1)
    counts = COUNTS.astype(int)
    return np.array(
        [stats.dirichlet_multinomial.logpmf(y, a, y.sum()) for y, a in zip(counts, alpha, strict=True)], dtype=float
    )


def test_the_sum_of_each_time_is_scipys() -> None:
    """Of the amounts only the shares matter; a category without counts has a term too."""
    value = likelihood("multinomial").log_likelihood(observed=flat(COUNTS), predicted=flat(AMOUNTS), **GIVEN)
    np.testing.assert_allclose(value.reshape(3, 3).sum(axis=0), multinomial(AMOUNTS), rtol=1e-11)


@pytest.mark.parametrize("overdispersion", DISPERSED)
def test_with_more_scatter_the_sum_is_scipys_too(overdispersion: float) -> None:
    """A Dirichlet-multinomial with concentrations p (1/ρ − 1)."""
    value = likelihood("dirichlet_multinomial").log_likelihood(
        observed=flat(COUNTS), predicted=flat(AMOUNTS), overdispersion=overdispersion, **GIVEN
    )
    np.testing.assert_allclose(
        value.reshape(3, 3).sum(axis=0), dirichlet_multinomial(AMOUNTS, overdispersion), rtol=1e-8
    )


def test_two_categories_are_a_beta_binomial() -> None:
    """And without overdispersion a binomial."""
    observed, share = np.array([3.0, 9.0]), np.array([0.2, 0.7])
    both = np.concatenate([observed, 12 - observed])
    amounts = np.concatenate([share, 1 - share])
    for name, simple, more in (
        ("multinomial", "binomial", {}),
        ("dirichlet_multinomial", "beta_binomial", {"overdispersion": 0.1}),
    ):
        found = likelihood(name).log_likelihood(
            observed=both, predicted=amounts, trials=np.full(4, 12.0), categories=2.0, **more
        )
        wanted = likelihood(simple).log_likelihood(observed=observed, predicted=share, trials=12.0, **more)
        np.testing.assert_allclose(found.reshape(2, 2).sum(axis=0), wanted, rtol=1e-12)


@given(
    amounts=st.lists(st.floats(0.01, 1e4), min_size=9, max_size=9),
    overdispersion=st.sampled_from([None, *DISPERSED]),
)
def test_slopes_are_those_of_the_sum(amounts: list[float], overdispersion: float | None) -> None:
    """By every amount, through the shares of its time, and by the overdispersion."""
    family = likelihood("multinomial" if overdispersion is None else "dirichlet_multinomial")
    given = GIVEN | ({} if overdispersion is None else {"overdispersion": overdispersion})
    at = np.array(amounts)

    def total(moved: Array, **changed: float) -> float:
        return float(family.log_likelihood(observed=flat(COUNTS), predicted=moved, **{**given, **changed}).sum())

    slopes = family.slopes(observed=flat(COUNTS), predicted=at, **given)
    assert slopes.log_likelihood.sum() == pytest.approx(total(at), rel=1e-12)
    for k in range(at.size):
        step = 1e-4 * at[k] * np.eye(at.size)[k]
        wanted = (total(at + step) - total(at - step)) / (2 * step[k])
        assert slopes.by_prediction[k] == pytest.approx(wanted, rel=1e-5, abs=1e-7 * (1 + 1 / at[k]))
    if overdispersion is not None:
        step = 1e-4 * overdispersion
        difference = total(at, overdispersion=overdispersion + step) - total(at, overdispersion=overdispersion - step)
        assert slopes.by_argument["overdispersion"].sum() == pytest.approx(difference / (2 * step), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("overdispersion", [None, 0.0, 0.05])
def test_new_counts_have_the_mean_and_the_variance_stated(overdispersion: float | None) -> None:
    """n p and n p (1 − p) (1 + (n − 1) ρ); every draw counts all trials."""
    family = likelihood("multinomial" if overdispersion is None else "dirichlet_multinomial")
    given = GIVEN | ({} if overdispersion is None else {"overdispersion": overdispersion})
    many = np.broadcast_to(flat(AMOUNTS), (40_000, 9)).copy()
    drawn = family.sample(np.random.default_rng(2), predicted=many, **given).reshape(-1, 3, 3).swapaxes(1, 2)
    assert (drawn.sum(axis=2) == TRIALS).all()
    p = AMOUNTS / AMOUNTS.sum(axis=1, keepdims=True)
    n = TRIALS[:, np.newaxis]
    np.testing.assert_allclose(drawn.mean(axis=0), n * p, rtol=0.05, atol=0.02)
    assert family.expected is not None
    np.testing.assert_allclose(family.expected(predicted=flat(AMOUNTS), **given), flat(n * p))
    variance = n * p * (1 - p) * (1 + (n - 1) * (overdispersion or 0.0))
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.08, atol=0.02)


@pytest.mark.parametrize("family", ["multinomial", "dirichlet_multinomial"])
def test_a_strain_that_the_model_does_not_have_yet(family: str) -> None:
    """Nothing predicted and nothing seen costs nothing; something seen is impossible, with a finite way out."""
    given: dict[str, Any] = {"trials": np.full(3, 5.0), "categories": 3.0}
    given |= {"overdispersion": 0.1} if family == "dirichlet_multinomial" else {}
    chosen = likelihood(family)
    amounts = np.array([1.0, 1.0, 0.0])
    fine = chosen.slopes(observed=np.array([3.0, 2.0, 0.0]), predicted=amounts, **given)
    assert np.isfinite(fine.log_likelihood).all()
    wrong = chosen.slopes(observed=np.array([3.0, 1.0, 1.0]), predicted=amounts, **given)
    assert wrong.log_likelihood.sum() == -np.inf
    for slopes in (fine, wrong):
        assert np.isfinite(slopes.by_prediction).all()
    drawn = chosen.sample(np.random.default_rng(1), predicted=np.zeros((10, 3)), **given)
    assert (drawn.sum(axis=1) == 5).all()
