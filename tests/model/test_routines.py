"""Routines mean as machine code what they mean as Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import exp, floor, log, sqrt
from typing import Any

import numpy as np
import pytest
from llvmlite import ir

from modelworks.model.backends import _cache
from modelworks.model.backends._routines import Real, Reals, Routines, Whole, Wholes, Word, Words, part, signature

KINDS: dict[str, Any] = {"Whole": ctypes.c_int64, "Word": ctypes.c_uint64, "Real": ctypes.c_double, "None": None}
PRIMES = np.array([2, 3, 5, 7, 11], dtype=np.int64)
SHARES = np.array([0.25, 0.75])


def compiled(routine: Callable[..., Any], **given: object) -> Callable[..., Any]:
    """The routine as machine code."""
    module = ir.Module("test")
    Routines(module, given).function(routine, exported=True)
    library = _cache.compile_module(str(module))
    kinds, answer = signature(routine)
    call = ctypes.CFUNCTYPE(KINDS[answer], *(KINDS.get(kind, ctypes.c_void_p) for kind in kinds))(
        library.address(routine.__name__)
    )

    def run(*arguments: Any) -> Any:
        assert library
        return call(*(each.ctypes.data if isinstance(each, np.ndarray) else each for each in arguments))

    return run


def collatz(start: Whole) -> Whole:
    """Loops, branches, whole division."""
    steps = 0
    while start != 1:
        start = start // 2 if start % 2 == 0 else 3 * start + 1
        steps += 1
    return steps


def primes_below(limit: Whole) -> Whole:
    """A loop with all its ways out, over a constant array."""
    total = 0
    for k in range(5):
        if PRIMES[k] == 5:
            continue
        if PRIMES[k] >= limit:
            break
        total = total + PRIMES[k]
    return total


def mixed(values: Reals, counts: Wholes, number: Whole) -> Real:
    """Arrays, parts of them, and numbers of both kinds."""
    total: Real = 0
    for k in range(1, number):
        rest = part(values, k)
        values[k] += 0.5 * counts[k]
        total = total + sqrt(abs(rest[0])) - log(exp(1.0)) * k + floor(values[k] / 3) * SHARES[1]
        total -= min(total, 4.0) if k % 2 == 1 and total > 0.0 else max(-1.0, total)
    return total


def mingled(word: Word, words: Words) -> Word:
    """64 bits that wrap round, and are shifted in as zeros."""
    other: Word = words[1]
    return (word * 0x9E3779B97F4A7C15) ^ (other >> 7) | (word << 3)


def choosing(counts: Wholes, which: Whole) -> Whole:
    return counted(counts, 0) if which == 0 else 10 * counted(counts, 1)


def counted(counts: Wholes, place: Whole) -> Whole:
    counts[place] += 1
    return counts[place]


def outer(x: Real) -> Real:
    return inner(x) + inner(2.0 * x)


def inner(x: Real) -> Real:
    return x * x


def confused(x: Real) -> Whole:
    return x  # type: ignore[return-value]


def test_loops_and_branches() -> None:
    found = compiled(collatz)
    assert [found(k) for k in range(1, 30)] == [collatz(k) for k in range(1, 30)]


def test_ways_out_of_a_loop_and_constant_arrays() -> None:
    found = compiled(primes_below)
    assert [found(k) for k in range(15)] == [primes_below(k) for k in range(15)]


def test_arrays_and_mixed_arithmetic() -> None:
    values, counts = np.linspace(-3, 7, 9), np.arange(9)
    mine, theirs = values.copy(), values.copy()
    assert compiled(mixed)(mine, counts, 9) == pytest.approx(mixed(theirs, counts, 9), rel=1e-14)
    np.testing.assert_allclose(mine, theirs, rtol=1e-15)


def test_words_wrap_round() -> None:
    words = np.array([1, 2**64 - 5], dtype=np.uint64)
    with np.errstate(over="ignore"):
        expected = int(mingled(np.uint64(2**63 + 9), words))  # type: ignore[arg-type]
    assert compiled(mingled)(2**63 + 9, words) % 2**64 == expected


def test_a_routine_calls_another() -> None:
    assert compiled(outer)(3.0) == outer(3.0)


def test_what_is_not_chosen_is_not_computed() -> None:
    """It may be a random number, and the next one would then be another."""
    counts = np.zeros(2, dtype=np.int64)
    assert [compiled(choosing)(counts, k) for k in (0, 1, 1)] == [1, 10, 20]
    assert counts.tolist() == [1, 2]


def test_a_name_can_be_filled_in() -> None:
    """One routine, other tables: each model has its own."""
    assert compiled(primes_below, PRIMES=np.array([1, 1, 1, 1, 1]))(10) == 5


def test_a_number_of_the_wrong_kind_is_refused() -> None:
    """What Python would let pass would be other bits in machine code."""
    with pytest.raises(TypeError, match="confused uses a Real as a Whole"):
        compiled(confused)
