"""Named numbers against a model with a closed form: of N people who leave at rate k, N·exp(-kt) are here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import exp
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from modelworks.errors import ModelworksError, explanations
from modelworks.report.words import rounded
from modelworks.runs import Progress
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.projection import _scenario_runs
from modelworks.study.projection._projection import Projected, project
from modelworks.study.projection._quantities import _summary, values_of

Decay = Callable[..., Path]
Run = Callable[..., tuple[BoundStudy, Projected]]

DAYS = "start: 2021-01-01, end: 2021-02-01, every: 1"
CLOSE = 3e-5


def left(rate: float, begin: float, end: float) -> float:
    """People who leave from one time to another, of a thousand."""
    return 1000 * (exp(-rate * begin) - exp(-rate * end))


def quantity(text: str) -> str:
    return f"quantities:\n  asked: {{{text}}}\n"


@pytest.fixture
def asked(projected: Run) -> Callable[..., float]:
    """The number `asked` of a study."""
    return lambda folder: float(projected(folder, [0.1])[1].quantities["asked"]["median"])


def test_a_sum_is_over_its_first_to_its_last_day(tmp_path: Path, decay: Decay, asked: Callable[..., float]) -> None:
    """From the 4th to the 10th are seven days, both ends included."""
    folder = decay(tmp_path, DAYS, more=quantity("output: left, statistic: sum, from: 2021-01-04, to: 2021-01-10"))
    assert asked(folder) == pytest.approx(left(0.1, 3, 10), rel=CLOSE)


def test_a_sum_over_parts_of_reported_rows_takes_their_parts(
    tmp_path: Path, decay: Decay, asked: Callable[..., float]
) -> None:
    """Reported by the week, ten days are ten days and not a whole number of weeks."""
    time = "start: 2021-01-01, end: 2021-02-05, every: 7"
    folder = decay(tmp_path, time, more=quantity("output: left, statistic: sum, from: 2021-01-05, to: 2021-01-14"))
    weeks = [left(0.1, 7 * k, 7 * k + 7) for k in range(2)]
    assert asked(folder) == pytest.approx(weeks[0] * 3 / 7 + weeks[1], rel=CLOSE)


def test_a_sum_over_a_year_is_of_that_year_where_rows_are_rounded(
    tmp_path: Path, decay: Decay, asked: Callable[..., float]
) -> None:
    """A month written as 0.08333333334 years misses the year's end by round-off, and brings no month too many."""
    for every in ("0.08333333334", "0.08333333333", "0.25", "1"):
        folder = decay(
            tmp_path / every,
            f"start: 2018-01-01, end: 2023-01-01, every: {every}",
            unit="year",
            values="2018: 90",
            covers="year",
            more=quantity("output: left, statistic: sum, from: 2020-01-01, to: 2020-12-31"),
        )
        assert asked(folder) == pytest.approx(left(0.1, 2, 3), rel=CLOSE)


def test_a_mean_of_counts_has_no_empty_row(tmp_path: Path, decay: Decay, asked: Callable[..., float]) -> None:
    """The first reported time has no time behind it, and is no day without events."""
    folder = decay(tmp_path, DAYS, more=quantity("output: left, statistic: mean, to: 2021-01-10"))
    assert asked(folder) == pytest.approx(left(0.1, 0, 10) / 10, rel=CLOSE)


def test_the_peak_of_daily_counts_is_on_the_day_itself(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """Most leave on the first day, the first of January, not on the day at whose start that day is over."""
    folder = decay(tmp_path, DAYS, more=quantity("output: left, statistic: peak_date"))
    told = projected(folder, [0.1])[1].quantities["asked"]
    assert told["text"] == "2021-01-01 (2021-01-01 to 2021-01-01)"
    # Where its file says no unit, too: who reads the number alone has to know that it is a time of the model.
    assert told["unit"] == "date"


@pytest.mark.parametrize(("statistic", "day"), [("max", 3), ("last", 9)])
def test_a_stock_is_taken_at_its_days(
    tmp_path: Path, statistic: str, day: int, decay: Decay, asked: Callable[..., float]
) -> None:
    """A stock is a moment: from the 4th to the 10th it is highest on the 4th and last on the 10th."""
    text = f"output: here, statistic: {statistic}, from: 2021-01-04, to: 2021-01-10"
    assert asked(decay(tmp_path, DAYS, more=quantity(text))) == pytest.approx(1000 * exp(-0.1 * day), rel=CLOSE)


def test_scenarios_set_and_multiply_in_the_units_of_the_files(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """A scenario's 20 is 20 percent where the file says percent, and half a rate is half in every draw."""
    more = (
        "scenarios:\n  fewer: {parameters: {share: 20}}\n  slower: {parameters: {rate: {multiply: 0.5}}}\n"
        "quantities:\n"
        "  set: {output: left_share, statistic: last, scenario: fewer, to: 2021-01-01}\n"
        "  usual: {output: left_share, statistic: last, to: 2021-01-01}\n"
        "  slower: {output: left, statistic: sum, scenario: slower, minus: baseline}\n"
    )
    found = projected(decay(tmp_path, DAYS, more=more), [0.1, 0.2])[1].quantities
    assert found["set"]["median"] == pytest.approx(0.2)
    assert found["usual"]["median"] == pytest.approx(0.5)
    gaps = [left(rate / 2, 0, 31) - left(rate, 0, 31) for rate in (0.1, 0.2)]
    assert found["slower"]["mean"] == pytest.approx(np.mean(gaps), rel=CLOSE)


def test_quantiles_are_over_draws_and_differences_within_them(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """The middle of a difference is the middle of the draws' differences, not the difference of the middles."""
    more = "scenarios:\n  slower: {parameters: {rate: {multiply: 0.5}}}\n"
    rates = [0.05, 0.1, 0.4]
    found = projected(decay(tmp_path, DAYS, more=more), rates)[1]
    table = found.differences.query("output == 'here'").reset_index(drop=True)
    for day in (1, 10, 31):
        gaps = [1000 * (exp(-rate / 2 * day) - exp(-rate * day)) for rate in rates]
        assert table["q50"][day] == pytest.approx(np.median(gaps), rel=CLOSE)
        assert table["time"][day].date() == date.fromordinal(date(2021, 1, 1).toordinal() + day)


@pytest.mark.parametrize(
    "text",
    [
        "derived: mean_stai",
        "output: hear, statistic: max",
        "output: here, statistic: max, from: 2022-01-01",
        "output: left, statistic: sum, to: 2020-12-30",
        "output: here, statistic: peak_date, minus: baseline",
        # Before the model begins or after it ends nobody is counted, and the sum would be of less than is asked for.
        "output: left, statistic: sum, from: 2020-12-31",
        "output: left, statistic: sum, to: 2021-02-02",
        "output: here, statistic: sum",
        "output: here, statistic: max, unit: date",
        "output: here, statistic: peak_date, unit: people",
    ],
)
def test_a_number_that_can_not_be_had_is_told_before_anything_runs(tmp_path: Path, text: str, decay: Decay) -> None:
    """A slip in a quantity costs a second and not the hours of a calibration."""
    with pytest.raises(ModelworksError) as caught:
        bind(decay(tmp_path, DAYS, more=quantity(text)))
    assert caught.value.codes == ("Y203",)
    assert "Y203" in explanations()
    assert all(letter.hint and letter.line for letter in caught.value.letters)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("output: left_share, statistic: last, to: 2021-01-01, unit: percent", 50, "percent"),
        ("output: left_share, statistic: last, to: 2021-01-01, unit: proportion", 0.5, "proportion"),
        ("output: left_share, statistic: last, to: 2021-01-01", 0.5, "proportion"),
        ('output: left_share, statistic: max, unit: "per 1,000 people"', 500, "per 1,000 people"),
        ("parameter: rate, unit: per week", 0.7, "per week"),
        ("parameter: rate", 0.1, "per day"),
        ("parameter: share, unit: proportion", 0.5, "proportion"),
        ("derived: mean_stay, unit: days", 10, "days"),
    ],
)
def test_a_number_is_in_the_unit_it_is_said_in(
    tmp_path: Path, text: str, value: float, unit: str, decay: Decay, projected: Run
) -> None:
    """Half of the people are 50 percent of them, and never 0.5 percent."""
    found = projected(decay(tmp_path, DAYS, more=quantity(text)), [0.1])[1].quantities["asked"]
    assert found["median"] == pytest.approx(value)
    assert found["low"] == pytest.approx(value)
    assert found["unit"] == unit


def test_a_unit_that_a_number_can_not_have_is_told(tmp_path: Path, decay: Decay) -> None:
    """People are no days, whoever writes so."""
    with pytest.raises(ModelworksError) as caught:
        bind(decay(tmp_path, DAYS, more=quantity("output: left, statistic: sum, unit: days")))
    assert caught.value.codes == ("P120",)


@pytest.mark.parametrize(("statistic", "week"), [("last", 3), ("mean", None), ("max", 0)])
def test_a_row_that_the_end_cuts_short_is_compared_with_none(
    tmp_path: Path, statistic: str, week: int | None, decay: Decay, asked: Callable[..., float]
) -> None:
    """Of 31 days in weeks the last row has three days: no low week, and no week at all."""
    time = "start: 2021-01-01, end: 2021-02-01, every: 7"
    weeks = [left(0.1, 7 * k, 7 * k + 7) for k in range(4)]
    expected = float(np.mean(weeks)) if week is None else weeks[week]
    assert asked(decay(tmp_path, time, more=quantity(f"output: left, statistic: {statistic}"))) == pytest.approx(
        expected, rel=CLOSE
    )


def test_a_row_cut_short_is_in_the_sum(tmp_path: Path, decay: Decay, asked: Callable[..., float]) -> None:
    """All who leave are counted, whatever the rows."""
    time = "start: 2021-01-01, end: 2021-02-01, every: 7"
    found = asked(decay(tmp_path, time, more=quantity("output: left, statistic: sum")))
    assert found == pytest.approx(left(0.1, 0, 31), rel=CLOSE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("share: {multiply: 2.5}", "Y202"),
        ("any_share: {multiply: 2.5}", "Y202"),
        ("drawn: {multiply: 2.5}", "Y202"),
        ("drawn: {multiply: 1.9}", "Y202"),
        ("share: 120", "Y202"),
        ("overdispersion: {multiply: 2}", "Y204"),
        ("overdispersion: 0.2", "Y204"),
    ],
)
def test_a_scenario_that_the_model_can_not_follow_is_told(tmp_path: Path, change: str, code: str, decay: Decay) -> None:
    """125 percent of all is no share; and a scenario that changes no output would be read as one without effect."""
    folder = decay(tmp_path, DAYS, more=f"scenarios:\n  other: {{parameters: {{{change}}}}}\n")
    parameters, targets = folder / "parameters.yaml", folder / "targets.yaml"
    more = (
        "overdispersion: {value: 0.1, unit: dimensionless, source: a test}\n"
        "any_share: {value: 50, unit: percent, source: a test}\n"
        "drawn: {prior: {uniform: {lower: 0.4, upper: 0.6}}, bounds: {upper: 0.9}, unit: proportion, source: a test}\n"
    )
    model = folder.parents[1] / "models" / "decay.py"
    text = model.read_text(encoding="utf-8").replace("model =", 'any_share = Parameter("any_share", "ratio")\nmodel =')
    text = text.replace("model =", 'drawn = Parameter("drawn", "proportion")\nmodel =')
    model.write_text(text.replace("1 / rate", "any_share * drawn / rate"), encoding="utf-8")
    parameters.write_text(parameters.read_text(encoding="utf-8") + more, encoding="utf-8")
    text = targets.read_text(encoding="utf-8")
    targets.write_text(text.replace("poisson", "{negative_binomial: {overdispersion: overdispersion}}"), "utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(folder)
    assert caught.value.codes == (code,)
    assert code in explanations()


def test_the_baseline_is_the_study_as_calibrated(tmp_path: Path, decay: Decay) -> None:
    """A baseline that changes a rate would be drawn through the data as if it had been fitted."""
    with pytest.raises(ModelworksError) as caught:
        bind(decay(tmp_path, DAYS, more="scenarios:\n  baseline: {parameters: {rate: {multiply: 0.5}}}\n"))
    assert caught.value.codes == ("Y206",)
    assert "Y206" in explanations()


def test_a_scenario_that_brings_a_draw_beyond_the_model_is_told(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """Twice a share is fine for most draws and impossible for one, which is not passed over."""
    folder = decay(tmp_path, DAYS, more="scenarios:\n  twice: {parameters: {share: {multiply: 2}}}\n")
    path = folder / "parameters.yaml"
    text = path.read_text(encoding="utf-8")
    prior = text.replace("share: {value: 50", "share: {prior: {uniform: {lower: 0, upper: 100}}")
    path.write_text(
        prior.replace("rate: {prior: {log_normal: {median: 0.1, sigma: 0.2}}", "rate: {value: 0.1"), "utf-8"
    )
    study = bind(folder)
    draws = SimpleNamespace(draws=lambda _: np.array([[20.0, 45.0]]))
    projected_once = project(study, draws, Progress(quiet=True), 1)
    top = projected_once.outputs.query("scenario == 'twice' and output == 'left_share'")["q975"].max()
    assert top == pytest.approx(0.9, rel=0.03)
    draws = SimpleNamespace(draws=lambda _: np.array([[20.0, 55.0]]))
    with pytest.raises(ModelworksError) as caught:
        project(study, draws, Progress(quiet=True), 1)
    assert caught.value.codes == ("Y202",)
    assert "1 of 2 draws" in str(caught.value)
    assert "between 0 and 100 (percent)" in str(caught.value)


def test_a_scenario_that_the_solver_can_not_follow_is_named(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """The baseline runs; whoever mends the other scenario needs its name."""
    folder = decay(tmp_path, DAYS, more="scenarios:\n  wild: {parameters: {rate: {multiply: 1e9}}}\n")
    with pytest.raises(ModelworksError, match="in the scenario `wild`: ") as caught:
        projected(folder, [0.1])
    assert caught.value.codes == ("S126",)


def test_a_scenario_far_from_the_priors_is_as_exact_as_the_baseline(
    tmp_path: Path, decay: Decay, projected: Run
) -> None:
    """The step that does for leaving in ten days is far too long for leaving in half a day."""
    more = "scenarios:\n  baseline: {title: As it is}\n  fast: {parameters: {rate: {multiply: 20}}}\n"
    more += quantity("output: left, statistic: sum, scenario: fast, to: 2021-01-01")
    study, found = projected(decay(tmp_path, DAYS, more=more), [0.1, 0.15])
    by_scenario = found.outputs.query("output == 'left'").groupby("scenario")["q50"].first()
    for scenario, times in (("baseline", 1), ("fast", 20)):
        exact = (left(0.1 * times, 0, 1) + left(0.15 * times, 0, 1)) / 2
        assert by_scenario[scenario] == pytest.approx(exact, rel=CLOSE)
    draws = {"rate": np.array([0.1, 0.15]), "first": np.full(2, 1000.0), "share": np.full(2, 50.0)}
    values = values_of(study, study.inputs.study.quantities["asked"], draws, 1, Progress(quiet=True))
    np.testing.assert_allclose(values, [left(2, 0, 1), left(3, 0, 1)], rtol=CLOSE)


def test_the_draw_that_asks_for_most_settles_the_tolerance(
    tmp_path: Path, decay: Decay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever draw is looked at last."""
    tolerances = iter([1e-6, 1e-9, 1e-7])
    monkeypatch.setattr(
        _scenario_runs, "settle_step", lambda compiled, *_: compiled.with_step(compiled.step, next(tolerances))
    )
    study = bind(decay(tmp_path, f"{DAYS}, solver: adaptive"))
    draws = {"rate": np.array([0.1, 0.2, 0.3]), "first": np.full(3, 1000.0), "share": np.full(3, 50.0)}
    made = _scenario_runs.all_prepared(study, ("baseline",), study.report_times, draws)
    assert made["baseline"][0].compiled.tolerance == 1e-9


def test_every_scenario_has_the_same_draws_in_the_same_order(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """A scenario that changes nothing differs from the baseline in no draw: thinned draws are paired."""
    more = "projection: {draws: 7}\nscenarios:\n  same: {parameters: {rate: {multiply: 1}}}\n"
    rates = list(np.random.default_rng(1).uniform(0.05, 0.4, 50))
    found = projected(decay(tmp_path, DAYS, more=more), rates)[1]
    assert (found.differences[["q025", "q50", "q975"]] == 0).all(axis=None)
    ends = found.outputs.query("output == 'here'").groupby("scenario")[["q025", "q50", "q975"]].last()
    thinned = [rates[k] for k in np.linspace(0, 49, 7).round().astype(int)]
    expected = np.quantile([1000 * exp(-31 * rate) for rate in thinned], [0.025, 0.5, 0.975])
    np.testing.assert_allclose(ends.loc["baseline"], expected, rtol=1e-3)
    np.testing.assert_array_equal(ends.loc["same"], ends.loc["baseline"])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.0, "0"),
        (999.6, "1,000"),
        (-48212.3, "−48,200"),
        (1.0712e-13, "1.07 × 10⁻¹³"),
        (-2.5e12, "−2.50 × 10¹²"),
        (0.09996, "0.100"),
        (12.34, "12.3"),
        (1e6, "1,000,000"),
    ],
)
def test_numbers_are_said_with_three_digits(number: float, words: str) -> None:
    """Nobody is told more digits than an interval bears."""
    assert rounded(number) == words


def test_what_is_rounding_error_beside_an_interval_is_told_as_nothing(
    tmp_path: Path, decay: Decay, projected: Run
) -> None:
    """A scenario that does nothing in most draws averts nothing in them, and no 10⁻¹³ of a person."""
    study = projected(decay(tmp_path, DAYS, more=quantity("output: here, statistic: last")), [0.1])[0]
    asked = study.inputs.study.quantities["asked"]
    told = _summary(asked, np.array([-1e-15, 1e-13, 1e-13, 0.3]), "people", study)
    assert told["text"] == "0 (0 to 0.278)"
    assert told["median"] == 1e-13
    tiny = _summary(asked, np.array([1e-13, 2e-13, 3e-13]), "people", study)
    assert tiny["text"] == "2.00 × 10⁻¹³ (1.05 × 10⁻¹³ to 2.95 × 10⁻¹³)"


def test_ratios_are_taken_draw_by_draw(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """Of people who leave twice as fast: (1 - exp(-2kt)) / (1 - exp(-kt)) = 1 + exp(-kt)."""
    more = (
        "scenarios:\n  twice: {parameters: {rate: {multiply: 2}}}\nquantities:\n"
        "  ratio: {output: left, statistic: sum, scenario: twice, divided_by: baseline}\n"
        "  more: {output: left, statistic: sum, scenario: twice, minus: baseline, divided_by: baseline,"
        " unit: percent}\n"
        "  many: {output: left, statistic: sum, above: 700}\n"
        "  often: {output: left, statistic: sum, scenario: twice, divided_by: baseline, above: 1}\n"
    )
    found = projected(decay(tmp_path, DAYS, more=more), [0.02, 0.03, 0.05])[1].quantities
    assert found["ratio"]["median"] == pytest.approx(1 + exp(-31 * 0.03), rel=1e-4)
    assert found["ratio"]["unit"] == "ratio"
    assert found["more"]["median"] == pytest.approx(100 * exp(-31 * 0.03), rel=1e-4)
    # 1000 (1 - exp(-31 k)) is 462, 605 and 788.
    assert found["many"]["median"] == pytest.approx(1 / 3)
    assert found["many"]["text"] == "33%"
    assert found["often"]["text"] == "100%"


def test_a_quantity_that_is_divided_by_zero_is_a_letter(tmp_path: Path, decay: Decay, projected: Run) -> None:
    more = (
        "scenarios:\n  nobody: {parameters: {first: 0}}\nquantities:\n"
        "  ratio: {output: here, statistic: last, divided_by: nobody}\n"
    )
    with pytest.raises(ModelworksError) as caught:
        projected(decay(tmp_path, DAYS, more=more), [0.02])
    assert caught.value.codes == ("Y208",)


@pytest.mark.parametrize("word", ["divided_by: baseline", "above: 3"])
def test_a_date_is_not_divided_nor_above(tmp_path: Path, decay: Decay, word: str) -> None:
    more = quantity(f"output: here, statistic: peak_date, unit: date, {word}")
    with pytest.raises(ModelworksError) as caught:
        bind(decay(tmp_path, DAYS, more=more))
    assert caught.value.codes == ("Y203",)


def test_every_output_has_its_ratio_to_the_baseline(tmp_path: Path, decay: Decay, projected: Run) -> None:
    """Of people who are here: exp(-2kt) / exp(-kt); where the baseline is zero there is none."""
    more = "scenarios:\n  twice: {parameters: {rate: {multiply: 2}}}\n"
    ratios = projected(decay(tmp_path, DAYS, more=more), [0.1])[1].ratios
    assert ratios.query("output == 'here'")["q50"].iloc[-1] == pytest.approx(exp(-3.1), rel=1e-3)
    kept = projected(decay(tmp_path, DAYS, more="scenarios:\n  same: {parameters: {first: 900}}\n"), [0.1])[1].ratios
    np.testing.assert_allclose(kept.query("output == 'here'")["q50"], 0.9, rtol=1e-6)
    folder = decay(tmp_path, DAYS, more=more)
    known = (folder / "parameters.yaml").read_text("utf-8").replace("share: {value: 50", "share: {value: 0")
    (folder / "parameters.yaml").write_text(known, encoding="utf-8")
    nothing = projected(folder, [0.1])[1].ratios
    assert nothing.query("output == 'left_share'")["q50"].isna().all()


BEYOND = """
scenarios:
  baseline: {title: As it is}
  slower: {title: Half as fast, parameters: {rate: {multiply: 0.5}}}
quantities:
  many: {title: More than 60 in a day, output: left, statistic: max, above: 60, from: 2021-01-03, to: 2021-01-20}
  few_here: {title: More than 0.05, output: left_share, statistic: max, above: 5, unit: percent, scenario: slower}
"""


def test_a_threshold_is_passed_by_each_day_as_the_closed_form_says(
    tmp_path: Path, decay: Callable[..., Path], projected: Callable[..., tuple[BoundStudy, Projected]]
) -> None:
    """1000 (exp(-k t) - exp(-k (t + 1))) leave in a day; and the last day says what the quantity says."""
    rates = [0.05, 0.08, 0.12, 0.3]
    study, found = projected(decay(tmp_path, "start: 2021-01-01, end: 2021-02-01, every: 1", more=BEYOND), rates)
    rows = found.thresholds.query("name == 'many' and scenario == 'baseline'")
    day = np.arange(2, 20)
    k = np.array(rates)[:, None]
    above = 1000 * (np.exp(-k * day) - np.exp(-k * (day + 1))) > 60
    assert rows["that_day"].to_numpy() == pytest.approx(above.mean(axis=0))
    assert rows["by_then"].to_numpy() == pytest.approx(np.maximum.accumulate(above, axis=1).mean(axis=0))
    for asked in study.inputs.study.quantities.values():
        last = found.thresholds.query(f"name == '{asked.name}' and scenario == '{asked.scenario or 'baseline'}'")
        assert last["by_then"].iloc[-1] == found.quantities[asked.name]["median"]
    assert set(found.thresholds["scenario"]) == {"baseline", "slower"}


def test_what_is_averted_is_counted_over_the_whole_time(
    tmp_path: Path, decay: Callable[..., Path], projected: Callable[..., tuple[BoundStudy, Projected]]
) -> None:
    """1000 (exp(-k T / 2) - exp(-k T)) more stay at half the rate; of what is no event nothing is averted, and a sum of
    each day's events per 100,000 people is told as no number of events."""
    rates = [0.05, 0.08, 0.12]
    folder = decay(tmp_path, "start: 2021-01-01, end: 2021-02-01, every: 1", more=BEYOND)
    file = folder.parents[1] / "models" / "decay.py"
    rate = '"rate": Output(1e5 * events("leaving") / people("here"), "per 100,000 people"),'
    text = file.read_text(encoding="utf-8").replace('"left_share":', f'{rate}\n        "left_share":')
    file.write_text(text, encoding="utf-8")
    made = projected(folder, rates)[1]
    assert "rate" in set(made.outputs["output"])
    found = made.averted
    assert list(found["output"]) == ["left"]
    whole, half = (1000 * (1 - np.exp(-share * np.array(rates) * 31)) for share in (1.0, 0.5))
    assert found["median"][0] == pytest.approx(np.median(whole - half), rel=1e-6)
    assert found["share"][0] == pytest.approx(np.median(1 - half / whole), rel=1e-6)
