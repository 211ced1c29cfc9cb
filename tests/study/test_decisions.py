"""Choosing between scenarios, against what normal distributions say in closed form."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from modelworks.errors import ModelworksError
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.projection._decisions import best_in_draws, value_of_knowing, value_of_knowing_one
from modelworks.study.projection._projection import Projected

Decay = Callable[..., Path]
Run = Callable[..., tuple[BoundStudy, Projected]]
DAYS = "start: 2021-01-01, end: 2021-02-01, every: 1"


def unit_loss(mean: float, sd: float) -> float:
    """The mean of what a normal number is above zero."""
    return float(sd * stats.norm.pdf(mean / sd) + mean * stats.norm.cdf(mean / sd))


def test_the_value_of_knowing_is_that_of_a_normal_difference() -> None:
    """One scenario loses 0, the other 0.5 + 2a + b: knowing all, or a alone, or what has no part in it."""
    a, b, c = np.random.default_rng(3).normal(size=(3, 40_000))
    losses = np.column_stack([np.zeros_like(a), 0.5 + 2 * a + b])
    all_of_it, of_a = (unit_loss(-0.5, sd) for sd in (np.sqrt(5), 2.0))
    assert value_of_knowing(losses) == pytest.approx(all_of_it, rel=0.03)
    assert value_of_knowing_one(losses, a) == pytest.approx(of_a, rel=0.04)
    assert value_of_knowing_one(losses, c) == pytest.approx(0, abs=0.01)
    assert best_in_draws(losses)[1] == pytest.approx(stats.norm.cdf(-0.5 / np.sqrt(5)), abs=0.01)


def test_where_one_is_always_best_knowing_more_is_worth_nothing() -> None:
    """Not even round-off: means of thousands of numbers summed in two orders differ in the last digit."""
    losses = np.random.default_rng(3).gamma(2.0, 0.1, size=(777, 3)) + np.array([0.0, 10.0, 20.0])
    assert value_of_knowing(losses) == 0.0


def test_ties_are_shared() -> None:
    np.testing.assert_allclose(best_in_draws(np.array([[1.0, 1.0, 2.0], [3.0, 1.0, 2.0]])), [0.25, 0.75, 0])


MORE = """
scenarios:
  slower: {title: Half as fast, parameters: {rate: {multiply: 0.5}}}
quantities:
  gone: {output: left, statistic: sum, unit: people}
decisions:
  what: {title: What to do, least: gone, cost: {slower: 150}}
answer: "{what}; knowing more: {what_knowing}"
"""


def test_a_decision_weighs_what_a_scenario_costs(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """1000 (1 - exp(-31 k)), and with half of k 150 more: the slower is best for the fastest two draws alone."""
    rates = [0.005, 0.06, 0.08]
    found = projected(decay(tmp_path, DAYS, more=MORE), rates)[1].quantities
    fast = np.array([1000 * (1 - exp(-31 * k)) for k in rates])
    slow = np.array([1000 * (1 - exp(-31 * k / 2)) + 150 for k in rates])
    best = np.minimum(fast, slow)
    assert found["what_slower"]["median"] == pytest.approx((slow < fast).mean())
    assert found["what_knowing"]["median"] > 20
    assert found["what_knowing"]["median"] == pytest.approx(min(fast.mean(), slow.mean()) - best.mean(), abs=0.1)
    assert 0 < found["what_knowing_rate"]["median"] <= found["what_knowing"]["median"]
    assert found["what"]["text"].startswith("Half as fast" if slow.mean() < fast.mean() else "Baseline")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("least: gone", "least: gon"),
        ("least: gone", "least: gone, most: gone"),
        ("least: gone, ", ""),
        ("cost: {slower: 150}", "cost: {slowr: 250}"),
        ("least: gone", "least: gone, among: [slower]"),
        ("least: gone", "least: gone, among: [slower, slowest]"),
        ("statistic: sum, unit: people", "statistic: peak_date, unit: date"),
    ],
)
def test_a_decision_that_can_not_be_is_a_letter(tmp_path: Path, decay: Decay, old: str, new: str) -> None:
    with pytest.raises(ModelworksError) as caught:
        bind(decay(tmp_path, DAYS, more=MORE.replace(old, new)))
    assert "Y140" in caught.value.codes
