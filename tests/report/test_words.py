"""Numbers in words are the numbers, to the digits that they show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelworks.report.words import number
from modelworks.study.projection._words import in_words

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


@given(NUMBERS.filter(lambda value: abs(value) > 1e-300))
def test_a_named_number_has_three_digits_that_mean_something(value: float) -> None:
    text = in_words(value)
    assert read(text) == pytest.approx(value, rel=0.00501)
    if abs(value) < 100:
        assert len(text.replace("-", "").replace(".", "").lstrip("0")) == 3
