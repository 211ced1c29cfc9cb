"""Sensitivity indices against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from modelworks.calibration import latin_hypercube, partial_rank_correlations, sobol_indices, sobol_rows
from modelworks.errors import ModelworksError

Array = NDArray[Any]


def key() -> np.random.Generator:
    return np.random.default_rng(4)


def ishigami(rows: Array) -> Array:
    x = np.pi * (2 * rows - 1)
    return np.asarray(np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0]))


def test_sobols_indices_of_ishigamis_function() -> None:
    """Ishigami and Homma 1990: the third parameter does nothing alone, and a quarter together with the first."""
    first, second, both = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 49 / 8, 0.01 * np.pi**8 * 8 / 225
    variance = first + second + both
    alone, total = sobol_indices(ishigami(sobol_rows(3, 4096, key())), 3, key())
    np.testing.assert_allclose(alone.value, np.array([first, second, 0]) / variance, atol=0.01)
    np.testing.assert_allclose(total.value, np.array([first + both, second, both]) / variance, atol=0.01)
    for found, true in ((alone, [first, second, 0]), (total, [first + both, second, both])):
        assert (found.low - 0.02 < np.array(true) / variance).all()
        assert (np.array(true) / variance < found.high + 0.02).all()


def test_sobols_indices_of_a_linear_model_are_its_squared_coefficients() -> None:
    """A large constant beside them changes nothing."""
    weights = np.array([1.0, 2.0, 3.0, 0.0])
    values = 1e6 + stats.norm.ppf(sobol_rows(4, 2048, key())) @ weights
    alone, total = sobol_indices(values, 4, key())
    expected = weights**2 / (weights**2).sum()
    np.testing.assert_allclose(alone.value, expected, atol=0.02)
    np.testing.assert_allclose(total.value, expected, atol=0.02)


def test_partial_rank_correlations_are_those_of_the_residuals() -> None:
    """By definition: regress ranks of both on those of the others, and correlate what is left."""
    rows = latin_hypercube(3, 300, key())
    values = np.exp(3 * rows[:, 0]) - 2 * rows[:, 1] ** 3 + 0.3 * key().normal(size=300)
    found = partial_rank_correlations(rows, values)
    ranks, of_values = stats.rankdata(rows, axis=0), stats.rankdata(values)
    for k in range(3):
        others = np.column_stack([np.ones(300), np.delete(ranks, k, axis=1)])
        left = [each - others @ np.linalg.lstsq(others, each, rcond=None)[0] for each in (ranks[:, k], of_values)]
        assert found.value[k] == pytest.approx(np.corrcoef(left)[0, 1], abs=1e-10)
    assert found.value[0] > 0.9
    assert found.value[1] < -0.5
    assert found.low[2] < 0 < found.high[2]


def test_a_latin_hypercube_has_one_run_in_every_part() -> None:
    rows = latin_hypercube(4, 50, key())
    np.testing.assert_array_equal(np.sort((rows * 50).astype(int), axis=0), np.tile(np.arange(50)[:, None], 4))


@pytest.mark.parametrize("values", [[1.0] * 20, [np.nan] + [1.0, 2.0] * 9 + [3.0]])
def test_a_number_that_does_not_vary_is_a_letter(values: list[float]) -> None:
    with pytest.raises(ModelworksError) as raised:
        sobol_indices(values, 3, key())
    assert raised.value.codes == ("C711",)


def test_too_few_runs_are_a_letter() -> None:
    with pytest.raises(ModelworksError) as raised:
        partial_rank_correlations(key().random((5, 3)), np.arange(5.0))
    assert raised.value.codes == ("C711",)
