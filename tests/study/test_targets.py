"""Every way to state a target, from the files to the sum that a calibration climbs, by scipy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from modelworks.calibration import LogDensity, predictions
from modelworks.calibration._progress import Silence
from modelworks.errors import ModelworksError, explanations
from modelworks.study import run_study
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.pages import _page_rows, _pages
from modelworks.study.projection._carried import carried
from modelworks.study.projection._projection import log_density

# People leave two places at one rate, three times as many of them from the south.
MODEL = """
from modelworks import Model, Output, Parameter, Stratification, Transition, events, people

rate = Parameter("rate", "per day", lower=0)
model = Model(
    name="places",
    time="days",
    compartments=["here", "gone"],
    flows=[Transition("leaving", "here", "gone", rate=rate)],
    stratifications=[Stratification("place", ["north", "south"], split={"north": 0.25, "south": 0.75})],
    initial={"here": 1000, "gone": 0},
    outputs={
        "left": Output(events("leaving"), "people"),
        "left_by_place": Output(events("leaving", by=["place"]), "people", by=["place"]),
        "share_left": Output(people("gone") / 1000, "proportion"),
    },
)
"""
DATA = """day,region,cases,limit,tested,positive,share
2021-01-04,north,25,,40,4,0.1
2021-01-04,south,70,,50,5,0.1
2021-01-05,north,,5,60,12,0.2
2021-01-05,south,66,,55,9,0.2
2021-01-06,north,19,,70,20,0.3
2021-01-06,south,,,65,22,0.3
"""
CATALOGUE = f"""
counts:
  title: Counts
  publisher: A test
  licence: CC0
  source: a test
  file: raw/counts.csv
  sha256: {hashlib.sha256(DATA.encode()).hexdigest()}
  columns:
    day: {{unit: date, meaning: the day}}
    region: {{unit: text, meaning: the place}}
    cases: {{unit: people, meaning: people who left}}
    limit: {{unit: people, meaning: below which the count lies where it is not given}}
    tested: {{unit: people, meaning: people examined}}
    positive: {{unit: people, meaning: of them gone}}
    share: {{unit: proportion, meaning: share who left}}
"""
STUDY = """title: Places
question: How fast?
model: models/places.py
time: {unit: days, start: 2021-01-01, end: 2021-01-20, every: 1}
calibration: {chains: 2, draws: 60, warmup: 60, seed: 5}
projection: {draws: 20}
"""
PARAMETERS = """
rate: {prior: {log_normal: {median: 0.1, sigma: 0.2}}, unit: per day, source: a test}
"""
CASES = """
cases:
  output: left_by_place
  dataset: counts
  column: cases
  date: day
  by: {place: region}
  below: limit
  missing: skip
  unit: people
  covers: day
  likelihood: poisson
"""
SHARES = """
places:
  output: left_by_place
  dataset: counts
  column: positive
  date: day
  by: {place: region}
  unit: people
  covers: day
  likelihood: multinomial
"""
BY_HAND = """
left:
  output: left
  values: {2021-01-04: 95, 2021-01-05: <5, 2021-01-09: 40}
  source: a test
  unit: people
  covers: day
  likelihood: {negative_binomial: {overdispersion: 0.1}}
"""
SURVEY = """
survey:
  output: share_left
  values: {2021-01-04: 12, 2021-01-11: 70}
  source: a test
  unit: proportion
  likelihood: {beta_binomial: {trials: {2021-01-04: 40, 2021-01-11: 110}, overdispersion: 0.05}}
"""
Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """The folder of a study with these targets, and perhaps more parameters."""

    def make(targets: str, more: str = "") -> Path:
        folder = tmp_path / "studies" / "places"
        files = {
            "modelworks.toml": "",
            "models/places.py": MODEL,
            "data/raw/counts.csv": DATA,
            "data/catalogue.yaml": CATALOGUE,
            "studies/places/study.yaml": STUDY,
            "studies/places/parameters.yaml": PARAMETERS + more,
            "studies/places/targets.yaml": targets,
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return folder

    return make


RATE = 0.13


def likelihood_of(study: BoundStudy, **values: float) -> float:
    """The log likelihood alone, at a rate and perhaps more."""
    density: LogDensity = log_density(study, study.compiled(study.calibration_times()))
    free = np.array([{"rate": RATE, **values}[name] for name in density.free])
    everything = density.all_values(free)
    predicted = density.predict(everything)
    assert predicted is not None
    found = [
        each.log_likelihoods(p[np.newaxis], everything[np.newaxis]).sum()
        for each, p in zip(density.observations, predicted, strict=True)
    ]
    return float(sum(found))


def leaving(day: int, share: float = 1.0) -> float:
    """How many leave on a day of January."""
    start = day - 1.0
    return float(1000 * share * (np.exp(-RATE * start) - np.exp(-RATE * (start + 1))))


def test_a_series_of_several_places_is_a_target_for_each(made: Made) -> None:
    """With limits where few were counted, and nothing where nobody counted."""
    study = bind(made(CASES))
    assert [o.entry.name for o in study.observations] == ["cases[north]", "cases[south]"]
    assert [o.columns[0] for o in study.observations] == ["left_by_place[north]", "left_by_place[south]"]
    wanted = stats.poisson(leaving(4, 0.25)).logpmf(25) + stats.poisson(leaving(6, 0.25)).logpmf(19)
    wanted += stats.poisson(leaving(5, 0.25)).logcdf(4)
    wanted += stats.poisson(leaving(4, 0.75)).logpmf(70) + stats.poisson(leaving(5, 0.75)).logpmf(66)
    assert likelihood_of(study) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("targets", [CASES, SHARES, BY_HAND])
def test_draws_that_are_weighted_anew_keep_every_target_that_is_there(made: Made, targets: str) -> None:
    """Weights for the same priors and the same targets, whatever these are by, are all alike."""
    study = bind(made(targets))
    density = log_density(study, study.compiled(study.calibration_times()))
    rate = np.random.default_rng(3).normal(RATE, 0.01, size=(2, 50))
    found = predictions(density, rate.reshape(-1, 1), 1, Silence())
    by_target = dict(zip((each.target.name for each in density.observations), found.log_likelihoods(), strict=True))
    old = SimpleNamespace(draws=lambda name: rate, log_likelihood=lambda: by_target)
    weighed = carried(study, study, old, [], "mark")  # type: ignore[arg-type]
    assert weighed is not None
    assert (weighed.log_weights == 0).all()


def test_counts_of_places_may_be_shares_of_what_was_counted(made: Made) -> None:
    """A multinomial of each day: of whom was counted a quarter should be of the north, whatever the rate."""
    study = bind(made(SHARES))
    (observed,) = study.observations
    assert observed.names == ("places[north]",) * 3 + ("places[south]",) * 3
    pairs = [(4, 5), (12, 9), (20, 22)]
    wanted = sum(stats.multinomial.logpmf(pair, sum(pair), [0.25, 0.75]) for pair in pairs)
    assert likelihood_of(study) == pytest.approx(wanted, rel=1e-9)


def test_a_limit_by_hand_and_a_sample_size_for_each_value(made: Made) -> None:
    """`<5` is 0 to 4; 12 of 40 and 70 of 110 are not the same evidence."""
    study = bind(made(BY_HAND + SURVEY))
    family = [stats.nbinom(10, 1 / (1 + 0.1 * leaving(day))) for day in (4, 5, 9)]
    wanted = family[0].logpmf(95) + family[1].logcdf(4) + family[2].logpmf(40)
    for day, had, trials in ((4, 12, 40), (11, 70, 110)):
        p = 1 - np.exp(-RATE * (day - 1))
        wanted += stats.betabinom(trials, 19 * p, 19 * (1 - p)).logpmf(had)
    assert likelihood_of(study) == pytest.approx(wanted, rel=1e-6)


def test_a_sample_size_beside_each_value_of_a_dataset(made: Made) -> None:
    """A column of the same dataset."""
    target = SURVEY.replace(
        "values: {2021-01-04: 12, 2021-01-11: 70}\n  source: a test", "dataset: counts\n  column: x"
    )
    target = target.replace("column: x", "column: positive\n  date: day\n  to: 2021-01-04\n  by: {place: region}")
    target = target.replace("output: share_left", "output: left_by_place").replace("unit: proportion", "unit: people")
    target = target.replace("{2021-01-04: 40, 2021-01-11: 110}", "{column: tested}") + "  covers: day\n"
    observed = bind(made(target)).observations
    assert [each.arguments["trials"].tolist() for each in observed] == [[40.0], [50.0]]


def test_effects_of_weekdays_multiply_what_is_predicted(made: Made) -> None:
    """As ratios they are taken as they are; as shares of a week a seventh changes nothing."""
    target = BY_HAND + "  weekday: day_effect\n"
    ratio = "day_effect: {prior: {log_normal: {median: 1, sigma: 0.1}}, unit: ratio, source: a test}\n"
    share = "day_effect: {prior: {dirichlet: {concentration: 20}}, unit: proportion, source: a test}\n"
    plain = likelihood_of(bind(made(BY_HAND)))
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    study = bind(made(target, ratio))
    assert study.members("day_effect") == tuple(f"day_effect[{day}]" for day in days)
    ones = {f"day_effect[{day}]": 1.0 for day in days}
    assert likelihood_of(study, **ones) == pytest.approx(plain, rel=1e-12)
    # The 4th was a Monday, the 5th a Tuesday, the 9th a Saturday.
    family = [stats.nbinom(10, 1 / (1 + 0.1 * m)) for m in (1.5 * leaving(4), leaving(5), 0.5 * leaving(9))]
    wanted = family[0].logpmf(95) + family[1].logcdf(4) + family[2].logpmf(40)
    changed = {**ones, "day_effect[monday]": 1.5, "day_effect[saturday]": 0.5}
    assert likelihood_of(study, **changed) == pytest.approx(wanted, rel=1e-6)
    sevenths = dict.fromkeys(ones, 1 / 7)
    assert likelihood_of(bind(made(target, share)), **sevenths) == pytest.approx(plain, rel=1e-12)


def test_a_weight_is_used_and_told(made: Made) -> None:
    """Half the evidence, and the reason in the report's table."""
    study = bind(made(BY_HAND + "  weight: 0.5\n  why: both hospitals report each case\n"))
    assert likelihood_of(study) == pytest.approx(0.5 * likelihood_of(bind(made(BY_HAND))), rel=1e-12)
    (row,) = _page_rows.target_rows(study)
    assert row.likelihood == (
        "negative binomial (overdispersion 0.1); variance = mean + overdispersion × mean²; "
        "1 value known only to lie below a limit; weight 0.5: both hospitals report each case"
    )


@pytest.mark.slow
def test_every_kind_of_target_reaches_the_report(made: Made) -> None:
    """Fitted, foreseen, held out and drawn: categories each in a panel, limits as bars, counts as counts."""
    folder = made(CASES + SHARES.replace("multinomial", "{dirichlet_multinomial: {overdispersion: 0.02}}") + SURVEY)
    study = folder / "study.yaml"
    study.write_text(STUDY.replace("seed: 5", "seed: 5, until: 2021-01-05"), encoding="utf-8")
    result = run_study(folder, quiet=True)
    assert result.run is not None
    report = result.run.file("report.md")
    assert report is not None
    page = report.read_text(encoding="utf-8")
    assert "trials of each value" in page
    fitted = _pages.observed_table(bind(folder))
    assert set(fitted["target"]) == {"cases[north]", "cases[south]", "places[north]", "places[south]", "survey"}


# (targets, what to replace, with what, code, a word of it)
MISTAKES = [
    (CASES, "  missing: skip\n", "", "T108", "missing: skip"),
    (CASES, "below: limit", "below: limits", "T103", "limit"),
    (CASES, "below: limit", "below: tested", "T119", "rows with both"),
    (CASES, "below: limit", "below: share", "T116", "people"),
    (CASES, "{place: region}", "{place: tested}", "T103", "texts"),
    (CASES, "{place: region}", "{age: region}", "T210", "is by age"),
    (CASES, "output: left_by_place", "output: left", "T210", "is not"),
    (CASES, "output: left_by_place", "output: left_by_plac", "T201", "left_by_place"),
    (CASES, "  by: {place: region}\n", "", "T112", "`by:`"),
    (CASES, "poisson", "multinomial", "T117", "no limits"),
    (SHARES, "  by: {place: region}\n", "", "T117", "names 0"),
    (SHARES, "column: positive", "column: cases\n  missing: skip", "T210", "has others"),
    (BY_HAND, "<5", "<0", "T107", "below 0"),
    (BY_HAND, "<5", "<five", "Y122", "five"),
    (BY_HAND, "  covers: day\n", "  covers: day\n  by: {place: region}\n", "T117", "written here"),
    (BY_HAND, "  covers: day\n", "  covers: day\n  weight: 0.5\n", "T118", "`why`"),
    (BY_HAND, "  covers: day\n", "  covers: day\n  weight: 0\n  why: none needed\n", "T118", "above 0"),
    (BY_HAND, "  covers: day\n", "  covers: day\n  why: so\n", "T118", "no weight"),
    (BY_HAND, "  covers: day\n", "  covers: day\n  weekday: day_effect\n", "T106", "day_effect"),
    (SURVEY, "  unit", "  weekday: rate\n  unit", "T117", "weekdays"),
    (SURVEY, "2021-01-11: 110", "2021-01-12: 110", "T105", "2021-01-11"),
    (SURVEY, "2021-01-11: 110", "2021-01-11: 60", "T114", "60 trials"),
    (SURVEY, "2021-01-11: 110", "2021-01-11: 110.5", "T105", "whole"),
    (SURVEY, "{2021-01-04: 40, 2021-01-11: 110}", "{column: tested}", "T105", "2021-01-04"),
    (SURVEY, "{2021-01-04: 40, 2021-01-11: 110}", "{soon: 40}", "Y110", "soon"),
]


@pytest.mark.parametrize(("targets", "old", "new", "code", "word"), MISTAKES, ids=lambda v: str(v).strip()[:24])
def test_a_mistake_in_a_target_is_told_with_its_line(
    made: Made, targets: str, old: str, new: str, code: str, word: str
) -> None:
    """In targets.yaml, with what to try."""
    assert old in targets
    with pytest.raises(ModelworksError) as caught:
        bind(made(targets.replace(old, new, 1)))
    letters = [letter for letter in caught.value.letters if letter.code == code]
    assert letters, [str(letter) for letter in caught.value.letters]
    assert any(word in str(letter) for letter in letters), [str(letter) for letter in letters]
    assert all(letter.file is not None and letter.file.endswith("targets.yaml") for letter in letters)
    assert all(letter.line for letter in letters)
    assert code in explanations()
