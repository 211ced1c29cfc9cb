"""Targets: which rows an observation sees, what is left out, and what can not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelworks.calibration import Target
from modelworks.calibration._rows import Rows
from modelworks.errors import ModelworksError


def target(**changes: Any) -> Target:
    """Two daily counts, with what a test changes."""
    given: dict[str, Any] = {
        "name": "cases",
        "output": "level",
        "observed": np.array([3.0, 4.0]),
        "weights": np.eye(2),
        "likelihood": "poisson",
    }
    return Target(**{**given, **changes})


def test_weekly_counts_are_sums_of_days() -> None:
    """A sparse product and its transpose are those of the full matrix."""
    random = np.random.default_rng(1)
    weeks = np.kron(np.eye(5), np.ones(7))
    lagged = weeks * random.random(weeks.shape)
    days, slopes = random.random(35), random.random(5)
    for matrix in (weeks, lagged, np.eye(35)[3:9], 2.0 * np.eye(35)[[4, 4, 1]]):
        rows = Rows(matrix)
        np.testing.assert_allclose(rows.predict(days), matrix @ days, rtol=1e-13)
        chosen = slopes[: len(matrix)] if len(matrix) <= 5 else random.random(len(matrix))
        np.testing.assert_allclose(rows.spread(chosen), matrix.T @ chosen, rtol=1e-13)


def test_a_day_without_a_report_is_not_a_day_without_cases() -> None:
    """NaN is left out, zero is not."""
    assert target(observed=np.array([np.nan, 4.0])).present.tolist() == [False, True]
    assert target(observed=np.array([0.0, 4.0])).present.tolist() == [True, True]


def test_a_target_is_given_by_name_alone() -> None:
    """By position, what was observed and what is predicted could change places."""
    with pytest.raises(TypeError):
        Target("cases", "level", np.ones(2), np.eye(2), "poisson")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"likelihood": "poison"}, "C201", "poisson"),
        ({"likelihood": "negative_binomial"}, "C202", "overdispersion"),
        ({"arguments": {"sd": 1.0}}, "C202", "sd"),
        ({"likelihood": "normal", "arguments": {"sd": 0.0}}, "C203", "above 0"),
        ({"likelihood": "normal", "arguments": {"sd": np.array([1.0, -1.0])}}, "C203", "above 0"),
        ({"likelihood": "negative_binomial", "arguments": {"overdispersion": -0.1}}, "C203", "0 or more"),
        ({"likelihood": "normal", "arguments": {"sd": np.ones(3)}}, "C205", "sd"),
        ({"weights": np.eye(3)}, "C205", "(3, 3)"),
        ({"weights": np.ones(2)}, "C205", "(2,)"),
        ({"weights": np.array([[1.0, 0], [np.nan, 1]])}, "C205", "not a number"),
        ({"weights": np.array([[1.0, 0], [0, 0]])}, "C206", "observation 2"),
        ({"observed": np.array([np.nan, np.nan])}, "C207", "no observation"),
        ({"observed": np.array([1.0, np.inf])}, "C207", "infinite"),
        ({"observed": np.array([1.0, -2.0])}, "C208", "observation 2"),
        ({"observed": np.array([1.5, 2.0])}, "C208", "whole numbers"),
        (
            {"likelihood": "log_normal", "arguments": {"sigma": 1.0}, "observed": np.array([1.0, 0.0])},
            "C208",
            "above 0",
        ),
        ({"likelihood": "binomial", "arguments": {"trials": 3.0}}, "C208", "trials"),
    ],
)
def test_a_target_that_can_not_be_is_a_letter(changes: dict[str, Any], code: str, word: str) -> None:
    """Each with its code and a word that tells which."""
    with pytest.raises(ModelworksError) as raised:
        target(**changes)
    assert code in raised.value.codes
    assert word in str(raised.value)


def test_all_mistakes_of_a_target_come_together() -> None:
    """One letter at a time would be one round trip at a time."""
    with pytest.raises(ModelworksError) as raised:
        target(weights=np.eye(3), arguments={"sd": 1.0})
    assert set(raised.value.codes) == {"C205", "C202"}
