"""What the form shows of a number that is typed, against the closed forms of its prior."""

from __future__ import annotations

import re

import pytest
from scipy import stats
from visitors import Site

from modelworks.inputs import Bounds
from modelworks.website._believed import HEIGHT, WIDTH, read_belief

ANYTHING = Bounds()


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*\.?\d*", text)]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("log_normal(median=0.4, sigma=0.5)", stats.lognorm(0.5, scale=0.4)),
        ("gamma(2, 1)", stats.gamma(4, scale=0.5)),
        ("beta(2, 5)", stats.beta(2, 5)),
        ("uniform(1, 3)", stats.uniform(1, 2)),
    ],
)
def test_the_interval_in_words_is_that_of_the_prior(text: str, reference: stats.rv_frozen) -> None:
    shown = read_belief(text, "rate", "per day", ANYTHING)
    _, low, high, median = numbers(shown.words)
    assert [low, median, high] == pytest.approx(reference.ppf([0.025, 0.5, 0.975]), rel=0.005)
    assert "per day" in shown.words


def test_a_pure_number_is_told_without_its_unit_and_a_percentage_with_it() -> None:
    said = [read_belief("0.5", "x", unit, ANYTHING).words for unit in ("proportion", "percent", "ratio", "per day")]
    assert said == ["held at 0.5", "held at 0.5 percent", "held at 0.5", "held at 0.5 per day"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-0.4", "held at -0.4 per day, which it may not be: it has to be at 0 or above"),
        ("0", "held at 0 per day"),
        ("inf", "no number that anything can be held at"),
        (" ", "left empty, so what the study's file says is taken"),
    ],
)
def test_a_value_is_told_with_whether_it_may_be(text: str, words: str) -> None:
    assert read_belief(text, "x", "per day", Bounds(0, None)).words == words


def test_bounds_cut_what_is_drawn() -> None:
    shown = read_belief("normal(0, 1)", "x", "", Bounds(0.0, None))
    _, low, high, median = numbers(shown.words)
    assert [low, median, high] == pytest.approx(stats.halfnorm().ppf([0.025, 0.5, 0.975]), rel=0.006)


def test_the_drawing_is_as_high_as_the_density_and_stays_within_its_frame() -> None:
    """Highest at the mode: at the middle of a normal."""
    shown = read_belief("normal(5, 1)", "x", "", ANYTHING)
    points = [tuple(map(float, each)) for each in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", shown.whole)]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    x, y = min(points, key=lambda point: point[1])
    assert (x, y) == pytest.approx((WIDTH / 2, 0), abs=WIDTH / 50)
    inner = [float(each) for each in re.findall(r"L([\d.]+),", shown.middle)]
    share = stats.norm.ppf(0.975) / stats.norm.ppf(0.995)
    assert (inner[-1] - inner[0]) / WIDTH == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("0.4", "held at 0.4 per day"),
        ("normal(a lot)", "write normal(mean, sd)"),
        ("norml(1, 2)", "normal"),
    ],
)
def test_what_is_no_prior_is_told_and_not_drawn(text: str, words: str) -> None:
    """While one types, almost everything is half a prior."""
    shown = read_belief(text, "rate", "per day", ANYTHING)
    assert words in shown.words
    assert shown.whole == shown.middle == ""


@pytest.mark.parametrize(
    "text", ["normal(0, 1e308)", "normal(nan, 1)", "cauchy(0, 1e300)", "beta(1e-3, 1e-3)", "((", "a = b"]
)
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    assert "nan" not in read_belief(text, "x", "", ANYTHING).whole


def test_the_form_asks_for_it_as_one_types(site: Site) -> None:
    browser = site.browsers["modeller"]
    answer = browser.get(
        f"{site.at}/believed", params={"text": "normal(2, 0.5)", "name": "x", "unit": "<b>", "lower": 0}
    )
    assert answer.status_code == 200
    assert "<svg" in answer.text
    assert "<b>" not in answer.text
    form = browser.get(f"{site.at}/studies/first-study/run", headers={"accept": "text/html"}).text
    assert form.count("<svg") >= 2
    assert re.search(r'data-address="/w/ours/believed\?name=\w+', form)
