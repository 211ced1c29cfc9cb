"""What the form shows of a number that is typed: against closed forms of its prior, and as it is judged when sent."""

from __future__ import annotations

import re

import pytest
from scipy import stats
from visitors import Site

from modelworks.inputs import Bounds
from modelworks.study import BoundStudy, check_model, new_repository
from modelworks.website._believed import HEIGHT, WIDTH, Believed, previewed, read_belief


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> BoundStudy:
    """The first study, where the model alone says that a town has a hundred people or more."""
    root = new_repository(tmp_path_factory.mktemp("believed") / "ours")
    folder = root / "studies" / "first-study"
    [model] = (root / "models").glob("*.py")
    text = model.read_text(encoding="utf-8")
    bounded = text.replace('Parameter("population", "people", lower=0', 'Parameter("population", "people", lower=100')
    assert bounded != text
    model.write_text(bounded, encoding="utf-8")
    return check_model(folder)


def shown_of(text: str, unit: str = "per day", bounds: Bounds | None = None) -> Believed:
    found = read_belief(f"prior rate = {text}", unit, bounds)
    assert found is not None
    return found


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
    shown = shown_of(text)
    _, low, high, median = numbers(shown.words)
    assert [low, median, high] == pytest.approx(reference.ppf([0.025, 0.5, 0.975]), rel=0.005)
    assert "per day" in shown.words


def test_a_pure_number_is_told_without_its_unit_and_a_percentage_with_it() -> None:
    found = [read_belief("value x = 0.5", unit, None) for unit in ("proportion", "percent", "ratio", "per day")]
    said = [each.words for each in found if each is not None]
    assert said == ["held at 0.5", "held at 0.5 percent", "held at 0.5", "held at 0.5 per day"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("contact_rate", "0.9", "held at 0.9 per day"),
        ("contact_rate", "-0.4", "held at -0.4 per day. It will be refused: "),
        ("contact_rate", "inf", "write it as in `value x = 0.5`"),
        ("contact_rate", "0,4", "decimals have a point here: write 0.4"),
        ("contact_rate", " ", "left empty, so what the study's file says is taken"),
        ("contact_rate", "normal(1, 1)", "It will be refused: "),
        (
            "population",
            "10.000",
            "with a decimal point, or 10000, in thousands; write 10.0 for the one or 10000 for the other",
        ),
        (
            "population",
            "99",
            "held at 99 people. It will be refused: `population` is below 100 people, where the model",
        ),
    ],
)
def test_a_value_is_judged_as_when_it_is_sent(study: BoundStudy, name: str, text: str, words: str) -> None:
    assert words in previewed(study, name, text).words


def test_bounds_cut_what_is_drawn() -> None:
    shown = shown_of("normal(0, 1)", "", Bounds(0.0, None))
    _, low, high, median = numbers(shown.words)
    assert [low, median, high] == pytest.approx(stats.halfnorm().ppf([0.025, 0.5, 0.975]), rel=0.006)


def test_the_drawing_is_as_high_as_the_density_and_stays_within_its_frame() -> None:
    """Highest at the mode: at the middle of a normal."""
    shown = shown_of("normal(5, 1)", "")
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
        ("0.4 per week", "write the number alone, 0.4"),
        ("normal(a lot)", "write normal(mean, sd)"),
        ("norml(1, 2)", "normal"),
    ],
)
def test_what_is_no_prior_is_told_and_not_drawn(study: BoundStudy, text: str, words: str) -> None:
    """While one types, almost everything is half a prior."""
    shown = previewed(study, "contact_rate", text)
    assert words in shown.words
    assert shown.whole == shown.middle == ""


@pytest.mark.parametrize(
    "text", ["normal(0, 1e308)", "normal(nan, 1)", "cauchy(0, 1e300)", "beta(1e-3, 1e-3)", "((", "a = b"]
)
def test_nothing_that_is_typed_breaks_it(study: BoundStudy, text: str) -> None:
    assert "nan" not in previewed(study, "contact_rate", text).whole


def test_the_form_asks_for_it_as_one_types(site: Site) -> None:
    browser, place = site.browsers["modeller"], f"{site.at}/studies/first-study/believed"
    answer = browser.get(place, params={"text": "log_normal(2, 0.5)", "name": "contact_rate"})
    assert answer.status_code == 200
    assert "<svg" in answer.text
    wicked = browser.get(place, params={"text": "<b>(2)", "name": "contact_rate"})
    assert "<b>" not in wicked.text
    assert browser.get(place, params={"text": "2", "name": "nothing"}).status_code == 404
    form = browser.get(f"{site.at}/studies/first-study/run", headers={"accept": "text/html"}).text
    assert form.count("<svg") >= 2
    assert re.search(rf'data-address="{place}\?name=\w+', form)
