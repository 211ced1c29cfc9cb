"""What a dated value stands for: periods of the calendar, and the rows of the model that make them up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from modelworks.errors import ModelworksError, explanations
from modelworks.study.binding._binding import bind
from modelworks.study.binding._observations import period, spacing

DAY = timedelta(days=1)


@pytest.mark.parametrize("year", [2019, 2020, 2100])
def test_twelve_months_make_a_year_without_gap_or_overlap(year: int) -> None:
    """Counts by month add up to the count of the year, in leap years and in those that are none."""
    months = [period(date(year, month, 1), "month", dated_end=False) for month in range(1, 13)]
    assert [b for _, b in months[:-1]] == [a for a, _ in months[1:]]
    assert (months[0][0], months[-1][1]) == period(date(year, 1, 1), "year", dated_end=False)
    lengths = [(b - a).days for a, b in months]
    assert lengths == [31, 28 + (year == 2020), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


@pytest.mark.parametrize("covers", ["day", "week", "month", "year"])
def test_the_last_day_names_the_same_period_as_the_first(covers: str) -> None:
    """A table dated by the ends of its periods says the same as one dated by their starts."""
    for month in range(1, 13):
        first, after = period(date(2020, month, 1), covers, dated_end=False)
        assert period(after - DAY, covers, dated_end=True) == (first, after)


@pytest.mark.parametrize(
    ("day", "after"),
    [
        (date(2021, 8, 30), date(2021, 9, 30)),
        (date(2021, 3, 31), date(2021, 4, 30)),
        (date(2021, 1, 30), date(2021, 2, 28)),
        (date(2020, 1, 31), date(2020, 2, 29)),
        (date(2021, 12, 29), date(2022, 1, 29)),
    ],
)
def test_a_month_begun_late_is_a_month_long(day: date, after: date) -> None:
    """A month from the 30th of August ends on the 30th of September, not two days before."""
    assert period(day, "month", dated_end=False) == (day, after)


def test_a_year_begun_in_february_is_a_year_long() -> None:
    """A leap day is in one year and no other."""
    assert period(date(2020, 2, 29), "year", dated_end=False)[1] == date(2021, 2, 28)
    assert period(date(2019, 2, 28), "year", dated_end=False)[1] == date(2020, 2, 28)
    assert period(date(2019, 3, 1), "year", dated_end=False)[1] == date(2020, 3, 1)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def counted(study: Path, values: str, covers: str, more: str = "") -> None:
    """The study with one target: new infections over some time, inline."""
    (study / "targets.yaml").write_text(
        f"cases:\n  output: new_infections\n  values: {{{values}}}\n  unit: people\n  covers: {covers}\n"
        f"  source: a test\n  likelihood: {{negative_binomial: {{overdispersion: overdispersion}}}}\n{more}",
        encoding="utf-8",
    )


def test_a_week_is_the_sum_of_its_seven_days(study: Path) -> None:
    """The model's infections of a week are those of its days, whatever other times the model is looked at."""
    counted(study, "1978-01-22: 30, 1978-01-29: 60", "week")
    weekly = bind(study)
    model = weekly.compiled(weekly.calibration_times())
    column = model.outputs.index("new_infections")
    summed = weekly.targets(model)[0].weights @ model.run(weekly.centre())[:, column]
    daily = weekly.compiled(np.arange(0.0, 25.0))
    by_day = daily.run(weekly.centre())[:, column]
    np.testing.assert_allclose(summed, [by_day[2:9].sum(), by_day[9:16].sum()], rtol=2e-5)


@pytest.mark.parametrize(("until", "seen"), [("1978-01-27", 0), ("1978-01-28", 1), ("1978-02-04", 2)])
def test_a_week_is_calibrated_to_once_its_last_day_is_over(study: Path, until: str, seen: int) -> None:
    """A week that ends on the last day seen is seen; one of which a day lies after it is held out."""
    edit(study / "study.yaml", "seed: 1978", f"seed: 1978\n  until: {until}")
    counted(study, "1978-01-22: 30, 1978-01-29: 60", "week")
    assert int(bind(study).observations[0].included.sum()) == seen


@pytest.mark.parametrize(
    ("values", "fits"), [("1978-01-22: 30, 1978-01-29: 60", True), ("1978-01-22: 30, 1978-01-28: 60", False)]
)
def test_nobody_is_counted_in_two_weeks(study: Path, values: str, fits: bool) -> None:
    """Daily counts said to be weekly would be held against seven times as many people."""
    counted(study, values, "week")
    if fits:
        assert len(bind(study).observations[0].dates) == 2
        return
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    assert caught.value.codes == ("T205",)
    assert "T205" in explanations()


WEEKS = "1978-01-22: 30, 1978-01-29: 60, 1978-02-05: 20"


@pytest.mark.parametrize(
    ("values", "covers", "code"),
    [
        (WEEKS, "day", "T207"),
        ("1978-01-22: 30, 1978-01-29: 60, 1978-02-12: 20", "day", "T207"),
        ("1978-01-22: 30, 1978-01-29: 60, 1978-02-07: 20", "day", None),
        ("1978-01-22: 30, 1978-01-29: 60", "day", None),
        (WEEKS, "week", None),
    ],
)
def test_dates_a_week_apart_are_no_days(study: Path, values: str, covers: str, code: str | None) -> None:
    """Weekly counts held against single days would make an epidemic of a seventh of its size."""
    counted(study, values, covers)
    if code is None:
        bind(study)
        return
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    assert caught.value.codes == (code,)
    assert "write `covers: week`" in str(caught.value)


@pytest.mark.parametrize(
    ("days", "apart"),
    [
        ([date(2021, 1, 1), date(2021, 2, 1), date(2021, 4, 1)], "month"),
        ([date(2021, 1, 31), date(2021, 2, 28), date(2021, 3, 31)], "month"),
        ([date(2019, 1, 1), date(2020, 1, 1), date(2022, 1, 1)], "year"),
        ([date(2021, 1, 1), date(2021, 1, 2), date(2021, 1, 3)], "instant"),
    ],
)
def test_dates_say_months_and_years(days: list[date], apart: str) -> None:
    """Whether dated by the first day or the last, and whether or not one is missing."""
    assert spacing(days) == apart


def test_a_value_is_held_against_the_model_once(study: Path) -> None:
    """The same column as two targets would count its evidence twice; parted in time, each counts once."""
    path = study / "targets.yaml"
    once = path.read_text(encoding="utf-8")
    path.write_text(once + once.replace("in_bed:", "again:", 1), encoding="utf-8")
    with pytest.raises(ModelworksError, match="14 days") as caught:
        bind(study)
    assert caught.value.codes == ("T208",)
    early = once.replace("in_bed:", "in_bed:\n  to: 1978-01-28", 1)
    late = once.replace("in_bed:", "later:\n  from: 1978-01-29", 1)
    path.write_text(early + late, encoding="utf-8")
    assert [len(each.dates) for each in bind(study).observations] == [7, 7]


def test_a_target_is_in_a_unit_that_its_output_has(study: Path) -> None:
    """Values by date have the target's unit, and the model's output must fit it."""
    counted(study, WEEKS, "week")
    edit(study / "targets.yaml", "unit: people", "unit: per day")
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    assert caught.value.codes == ("P120",)


def test_missing_weeks_are_no_weeks_without_cases(study: Path) -> None:
    """Between two observed weeks one is missing: each value is of its own seven days, whatever lies between."""
    counted(study, "1978-01-22: 30, 1978-02-05: 60", "week")
    bound = bind(study)
    model = bound.compiled(bound.calibration_times())
    column = model.run(bound.centre())[:, model.outputs.index("new_infections")]
    daily = bound.compiled(np.arange(0.0, 25.0))
    by_day = daily.run(bound.centre())[:, daily.outputs.index("new_infections")]
    summed = bound.targets(model)[0].weights @ column
    np.testing.assert_allclose(summed, [by_day[2:9].sum(), by_day[16:23].sum()], rtol=2e-5)


def test_targets_that_share_days_have_each_their_own_sum(study: Path) -> None:
    """A weekly and a daily target of one output cut the week into days, and the week is still its sum."""
    counted(study, "1978-01-22: 30, 1978-01-29: 60", "week")
    path = study / "targets.yaml"
    text = path.read_text(encoding="utf-8")
    daily = text.replace("cases:", "by_day:").replace("covers: week", "covers: day").replace("1978-01-29", "1978-01-25")
    path.write_text(text + daily, encoding="utf-8")
    both = bind(study)
    model = both.compiled(both.calibration_times())
    column = model.run(both.centre())[:, model.outputs.index("new_infections")]
    by_name = {target.name: target.weights @ column for target in both.targets(model)}
    fine = both.compiled(np.arange(0.0, 25.0))
    by_day = fine.run(both.centre())[:, fine.outputs.index("new_infections")]
    np.testing.assert_allclose(by_name["cases"], [by_day[2:9].sum(), by_day[9:16].sum()], rtol=2e-5)
    np.testing.assert_allclose(by_name["by_day"], [by_day[2], by_day[5]], rtol=2e-5)


def test_a_window_takes_both_its_days(study: Path) -> None:
    """`from` and `to` go by the date of a value, both included."""
    counted(
        study,
        "1978-01-22: 3, 1978-01-23: 4, 1978-01-24: 5, 1978-01-25: 6",
        "day",
        "  from: 1978-01-23\n  to: 1978-01-24\n",
    )
    assert bind(study).observations[0].values.tolist() == [4.0, 5.0]


@pytest.mark.parametrize(
    ("value", "adds_up"),
    [
        ('events("leaving")', True),
        ('1000 * events("leaving") / people()', True),
        ('events("leaving") / maximum(2 * events("leaving"), 1e-9)', False),
        ('events("leaving") + people("here")', False),
    ],
)
def test_what_does_not_add_up_over_time_is_told(
    tmp_path: Path, decay: Callable[..., Path], value: str, adds_up: bool
) -> None:
    """Half of those who leave are half in a week, and not seven halves because another target is by day."""
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-02-01, every: 1", values="2021-01-01: 9", covers="week")
    path = tmp_path / "models" / "decay.py"
    text = path.read_text(encoding="utf-8").replace("import Model,", "import maximum, Model,")
    path.write_text(text.replace('"left": Output(events("leaving")', f'"left": Output({value}'), encoding="utf-8")
    bound = bind(folder)
    model = bound.compiled(bound.calibration_times())
    if adds_up:
        bound.check_sums(model)
        return
    with pytest.raises(ModelworksError) as caught:
        bound.check_sums(model)
    assert caught.value.codes == ("T206",)
    assert "T206" in explanations()
