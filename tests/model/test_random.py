"""Random numbers: the generator's own test vectors, and distributions against SciPy's."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import pytest
from llvmlite import ir
from numpy.typing import NDArray
from scipy import stats

from modelworks.model.backends import _cache
from modelworks.model.backends._routines import Real, Reals, Routines, Whole, Words
from modelworks.model.solvers._random import (
    binomial,
    leavers,
    next_word,
    poisson,
    scrambled,
    start_stream,
    stirling_rest,
    uniform,
)

DRAWS = 200_000


def fill_binomial(words: Words, n: Real, p: Real, out: Reals, number: Whole) -> None:
    for k in range(number):
        out[k] = binomial(words, n, p)


def fill_leavers(words: Words, n: Real, hazard: Real, out: Reals, number: Whole) -> None:
    for k in range(number):
        out[k] = leavers(words, n, hazard)


def fill_poisson(words: Words, mean: Real, spare: Real, out: Reals, number: Whole) -> None:
    for k in range(number):
        out[k] = poisson(words, mean + spare)


def fill_uniform(words: Words, low: Real, width: Real, out: Reals, number: Whole) -> None:
    for k in range(number):
        out[k] = low + width * uniform(words)


@cache
def library() -> _cache.Library:
    module = ir.Module("random")
    routines = Routines(module, {})
    for each in (fill_binomial, fill_leavers, fill_poisson, fill_uniform, start_stream):
        routines.function(each, exported=True)
    return _cache.compile_module(str(module))


def drawn(name: str, first: float, second: float = 0.0, stream: int = 1) -> NDArray[np.float64]:
    words, out = np.empty(4, dtype=np.uint64), np.empty(DRAWS)
    word, real, pointer = ctypes.c_uint64, ctypes.c_double, ctypes.c_void_p
    ctypes.CFUNCTYPE(None, pointer, word, word, word)(library().address("start_stream"))(
        words.ctypes.data, 7, 8, stream
    )
    fill = ctypes.CFUNCTYPE(None, pointer, real, real, pointer, ctypes.c_int64)(library().address(name))
    fill(words.ctypes.data, first, second, out.ctypes.data, DRAWS)
    return out


def p_value(found: NDArray[np.float64], expected: Any) -> float:
    """Pearson's test of whole numbers, those expected fewer than ten times taken together."""
    values = np.arange(int(expected.ppf(1e-9)), int(expected.ppf(1 - 1e-9)) + 1)
    # Wide distributions by classes, so that each is expected often.
    classes = np.array_split(values, min(values.size, 400))
    chances = np.array([expected.cdf(each[-1]) - expected.cdf(each[0] - 1) for each in classes])
    counts = np.array([np.sum((found >= each[0]) & (found <= each[-1])) for each in classes], dtype=float)
    rare = chances * found.size < 10
    chances = np.append(chances[~rare], 1 - chances[~rare].sum())
    counts = np.append(counts[~rare], found.size - counts[~rare].sum())
    if chances[-1] * found.size < 1:
        assert counts[-1] <= 10
        chances, counts = chances[:-1] / chances[:-1].sum(), counts[:-1]
    return float(stats.chisquare(counts, chances * counts.sum()).pvalue) if counts.size > 1 else 1.0


def test_the_generator_gives_its_published_numbers() -> None:
    """xoshiro256++ from the state 1, 2, 3, 4, and SplitMix64 from 1234567, as other implementations test it."""
    words = np.array([1, 2, 3, 4], dtype=np.uint64)
    with np.errstate(over="ignore"):
        found = [int(next_word(words)) for _ in range(5)]
        mixed = [int(scrambled(np.uint64(1234567 + k * 0x9E3779B97F4A7C15 & 2**64 - 1))) for k in (1, 2, 3)]  # type: ignore[arg-type]
    assert found == [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]
    assert mixed == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_streams_differ_and_begin_as_in_python() -> None:
    first, second = drawn("fill_uniform", 0, 1, stream=1), drawn("fill_uniform", 0, 1, stream=2)
    assert not np.any(first == second)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(DRAWS)
    words = np.empty(4, dtype=np.uint64)
    with np.errstate(over="ignore"):
        start_stream(words, *(np.uint64(k) for k in (7, 8, 1)))  # type: ignore[arg-type]
        assert [float(uniform(words)) for _ in range(3)] == first[:3].tolist()


def test_uniform_numbers_are_uniform_and_never_zero_or_one() -> None:
    found = drawn("fill_uniform", 0, 1)
    assert 0 < found.min() < found.max() < 1
    assert stats.kstest(found, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("n", "p"),
    [
        (1, 0.3),
        (5, 0.5),
        (10, 0.99),
        (19, 0.51),
        (20, 0.4999),
        (100, 0.0999),
        (100, 0.1),
        (40, 0.5),
        (1000, 0.3),
        (1000, 0.975),
        (1e6, 3e-6),
        (1e6, 1e-4),
        (1e6, 0.4),
        (1e9, 2e-8),
        (1e9, 0.25),
    ],
)
def test_binomial_numbers_are_binomial(n: float, p: float) -> None:
    """On either side of where the method changes (n p = 10), for few people and for a country."""
    assert p_value(drawn("fill_binomial", n, p), stats.binom(n, p)) > 1e-4


@pytest.mark.parametrize(("n", "hazard"), [(7, 0.3), (7, 2.0), (1e9, 3e-9), (1e6, 9.9e-4), (1e6, 1.01e-3), (200, 5.0)])
def test_who_leaves_at_a_hazard_is_binomial(n: float, hazard: float) -> None:
    """With probability 1 - exp(-hazard), also where that is tiny."""
    assert p_value(drawn("fill_leavers", n, hazard), stats.binom(n, -np.expm1(-hazard))) > 1e-4


@pytest.mark.parametrize("mean", [1e-3, 0.5, 3.0, 9.99, 10.0, 12.5, 200.0, 1e5, 1e8])
def test_poisson_numbers_are_poisson(mean: float) -> None:
    assert p_value(drawn("fill_poisson", mean), stats.poisson(mean)) > 1e-4


def test_the_ends_of_the_range_are_certain() -> None:
    for n, p, sure in [(0, 0.5, 0), (12, 0.0, 0), (12, 1.0, 12), (12, -1e-12, 0)]:
        assert set(drawn("fill_binomial", n, p)) == {sure}
    assert set(drawn("fill_leavers", 12, 1e4)) == {12}
    assert set(drawn("fill_poisson", 0.0)) == {0}


def test_the_rest_of_stirlings_formula() -> None:
    """log k! to fifteen digits, at the places where the series takes over as well."""
    for k in [0, 1, 5, 9, 10, 11, 50, 1000]:
        exact = float(np.sum(np.log(np.arange(1, k + 1))))
        assert (k + 0.5) * np.log(k + 1) - (k + 1) + np.log(2 * np.pi) / 2 + stirling_rest(float(k)) == pytest.approx(
            exact, rel=1e-9, abs=1e-9
        )
