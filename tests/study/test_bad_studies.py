"""Mistakes that are made with real series: each is named by the verdict or before it, and none is fine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.study import run_study
from modelworks.study.binding._binding import bind

Counts = dict[date, int]
MORE = "calibration: {sampler: nuts, chains: 4, draws: 300, warmup: 200, seed: 8}\n"


def series() -> Counts:
    """Who leaves each day at a rate of 0.05: 975 of 20,000 on the first."""
    day = np.arange(56)
    counts = np.random.default_rng(8).poisson(20_000 * (np.exp(-0.05 * day) - np.exp(-0.05 * (day + 1))))
    return {date(2021, 1, 1) + timedelta(days=k): int(count) for k, count in enumerate(counts)}


def per_ten_people(seen: Counts) -> Counts:
    """A column of tens of people, taken for people."""
    return {day: round(count / 10) for day, count in seen.items()}


def day_for_month(seen: Counts) -> Counts:
    """2 January and 1 February written for each other, by a program that reads months first."""
    swapped = {date(2021, 1, 2): date(2021, 2, 1), date(2021, 2, 1): date(2021, 1, 2)}
    return {day: seen[swapped.get(day, day)] for day in seen}


def half_reported(seen: Counts) -> Counts:
    """From 22 January on only those are counted who were tested: half."""
    return {day: count if day < date(2021, 1, 22) else count // 2 for day, count in seen.items()}


def fewer_on_weekends(seen: Counts) -> Counts:
    """Nobody counts on Sundays what can wait until Monday; what is free to scatter is taken to scatter more."""
    return {day: count * 4 // 10 if day.weekday() == 6 else count for day, count in seen.items()}


SCATTER = "noise: {prior: {half_normal: {sd: 0.5}}, unit: dimensionless, source: a test}\n"


@pytest.mark.slow
def test_days_of_the_week_are_named_that_a_free_scatter_would_swallow(
    tmp_path: Path, decay: Callable[..., Path]
) -> None:
    """A likelihood whose overdispersion is calibrated fits almost anything; the week shows all the same."""
    values = ", ".join(f"{day}: {count}" for day, count in fewer_on_weekends(series()).items())
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-03-01, every: 1", values=values, more=MORE)
    parameters, targets = folder / "parameters.yaml", folder / "targets.yaml"
    text = parameters.read_text(encoding="utf-8").replace("median: 0.1, sigma: 0.2", "median: 0.06, sigma: 0.5")
    parameters.write_text(text.replace("value: 1000", "value: 20000") + SCATTER, encoding="utf-8")
    free = targets.read_text(encoding="utf-8").replace("poisson", "{negative_binomial: {overdispersion: noise}}")
    targets.write_text(free, encoding="utf-8")
    result = run_study(folder, until="diagnose", quiet=True)
    assert result.run is not None
    told = json.loads((result.run.path / "diagnose" / "diagnosis.json").read_text(encoding="utf-8"))
    assert result.verdict != "fine"
    said = [check["reason"] for check in told["checks"] if check["name"] == "weekdays"]
    assert said[0].startswith("left is lower on Sunday than the model makes it")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "expected", "words"),
    [
        (per_ten_people, {"prior_conflict", "residual_pattern"}, "assumptions about rate exclude each other"),
        (day_for_month, {"influence"}, "that of 2021-02-01"),
        (half_reported, {"level_shift"}, "on left lies lower against the model than just before"),
        (lambda seen: seen, set(), ""),
    ],
)
def test_a_mistake_in_a_series_is_named(
    tmp_path: Path, decay: Callable[..., Path], mistake: Callable[[Counts], Counts], expected: set[str], words: str
) -> None:
    """The series as it is passes every check; with the mistake the verdict says where to look."""
    values = ", ".join(f"{day}: {count}" for day, count in mistake(series()).items())
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-03-01, every: 1", values=values, more=MORE)
    parameters = folder / "parameters.yaml"
    text = parameters.read_text(encoding="utf-8")
    wide = text.replace("median: 0.1, sigma: 0.2", "median: 0.06, sigma: 0.5").replace("value: 1000", "value: 20000")
    parameters.write_text(wide, encoding="utf-8")
    result = run_study(folder, until="diagnose", quiet=True)
    assert result.run is not None
    path = result.run.path / "diagnose" / "diagnosis.json"
    told = [check for check in json.loads(path.read_text(encoding="utf-8"))["checks"] if check["verdict"] != "fine"]
    assert {check["name"] for check in told} >= expected
    said = [check["reason"] for check in told] + [each["message"] for each in result.warnings]
    assert (result.verdict != "fine") == bool(expected), said
    assert not words or any(words in each for each in said), said


def test_a_series_that_was_copied_would_count_twice(tmp_path: Path, decay: Callable[..., Path]) -> None:
    """As two targets with the same values it would make every interval too narrow, and fit as well as before."""
    values = ", ".join(f"{day}: {count}" for day, count in series().items())
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-03-01, every: 1", values=values)
    targets = folder / "targets.yaml"
    once = targets.read_text(encoding="utf-8")
    targets.write_text(f"{once}\n{once.replace('left:', 'again:', 1)}", encoding="utf-8")
    with pytest.raises(ModelworksError) as raised:
        bind(folder)
    assert raised.value.codes == ("T208",)
    assert "have the same values of `left` on 56 days" in str(raised.value)
