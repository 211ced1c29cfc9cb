"""Numbers in words are the numbers, to the digits that they show."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelworks.report import AvertedRow
from modelworks.report._views import share_in_words
from modelworks.report.words import number, rounded

RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
NUMBERS = st.floats(-1e15, 1e15, allow_nan=False, allow_infinity=False)


def read(text: str) -> float:
    """A number as a reader takes it."""
    mantissa, _, exponent = text.replace(",", "").replace(" × 10", "e").translate(RAISED).partition("e")
    return float(f"{mantissa}e{exponent or 0}")


@given(NUMBERS)
def test_a_number_reads_as_what_it_is(value: float) -> None:
    """To half of its third digit, whatever its size and sign."""
    assert read(number(value)) == pytest.approx(value, rel=0.00501, abs=1e-320)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((0.43, 0.31, 0.55), "43% (31 to 55)"),
        ((0.042, 0.031, 0.055), "4.2% (3.1 to 5.5)"),
        ((0.0042, -0.0031, 0.0055), "0.42% (−0.31 to 0.55)"),
        ((0.0, 0.0, 0.0), "0.00% (0.00 to 0.00)"),
    ],
)
def test_a_small_share_is_not_told_as_nothing(shares: tuple[float, float, float], words: str) -> None:
    """Of a hundred thousand infections 0.42% are 420 people."""
    assert share_in_words(AvertedRow("closed", "Infections", "people", 420.0, 310.0, 550.0, *shares)) == words


@given(NUMBERS.filter(lambda value: abs(value) > 1e-300))
def test_a_named_number_has_three_digits_that_mean_something(value: float) -> None:
    text = rounded(value)
    assert read(text) == pytest.approx(value, rel=0.00501)
    if abs(value) < 100:
        assert len(re.sub(r"[^0-9]", "", text.partition(" ×")[0]).lstrip("0")) == 3
