"""Studies as they go wrong: each is named by the verdict, or refused before it; a sound one is fine.

What no data can tell is a test, too, and `docs/explanation/what-the-verdict-means.md` says it in as many words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.study.epidemics import (
    DAYS,
    POISSON,
    SCATTERED,
    START,
    Series,
    Study,
    counts,
    dated,
    sound,
    two_modes,
    with_deaths,
)

from modelworks.diagnostics._diagnose import OF_THE_SAMPLER
from modelworks.errors import ModelworksError
from modelworks.study.binding._binding import bind
from modelworks.study.stages import limits

Floats = NDArray[np.float64]
DATES = [START + timedelta(days=k) for k in range(DAYS)]
SUNDAYS = np.array([day.weekday() == 6 for day in DATES])
SEEN = dated(counts(1, "cases"))
GROWTH = {day: SEEN[day] for day in DATES[:40]}
TENS = {day: SEEN[day] for day in DATES[20::10]}
QUICK = "sampler: nuts, chains: 4, draws: 500, warmup: 200, seed: 3"
RATES = ("contact_rate", "recovery_rate")
VAGUE = {"noise": "{half_normal: {sd: 3}}"}


def seeing(values: Mapping[date, float], likelihood: str = SCATTERED, covers: str = "day") -> Study:
    """The sound study with another series of cases."""
    return replace(sound(), series={"cases": Series(values, likelihood, covers)})


def cases(change: Callable[[Floats], Floats]) -> Study:
    """The sound study with other numbers in its one column."""
    return seeing(dated(np.round(change(np.asarray(counts(1, "cases"), dtype=np.float64)))))


def at(places: slice | int | NDArray[np.bool_], change: Callable[[Floats], Floats]) -> Study:
    """The sound study with other numbers in some rows."""

    def changed(seen: Floats) -> Floats:
        seen[places] = change(seen)
        return seen

    return cases(changed)


def drawn(calibration: str) -> Study:
    """The sound study with another calibration."""
    return replace(sound(), calibration=calibration)


def filled_in(seen: Floats) -> Floats:
    """Nobody counts on weekends: Friday's number stands there."""
    for k, day in enumerate(DATES):
        seen[k] = seen[k - 1] if day.weekday() >= 5 else seen[k]
    return seen


def swapped(seen: Floats) -> Floats:
    """3 February and 2 March written for each other, by a program that reads months first."""
    days = [DATES.index(date(2021, 2, 3)), DATES.index(date(2021, 3, 2))]
    seen[days] = seen[days[::-1]]
    return seen


def dumped(seen: Floats) -> Floats:
    """Most of what belongs to six days is counted on the seventh."""
    late = 0.7 * seen[50:56]
    seen[50:56] -= late
    seen[56] += late.sum()
    return seen


def closed() -> Study:
    """Contacts are halved just after the last day that is shown."""
    held_out = f"{sound().calibration}, until: {DATES[58]}"
    return replace(cases(lambda _: counts(9, "cases", change_day=55, factor=0.5)), calibration=held_out)


# A title, the study, the checks that should see what is wrong with it, and words of a reason.
Bad = tuple[str, Callable[[], Study], set[str], str]
# fmt: off
BAD: list[Bad] = [
    ("early growth knows no detection", lambda: seeing(GROWTH).having(*sound().free, "detection", "first_cases"),
     {"identifiability"}, "fits as well: the data do not tell them apart"),
    ("deaths of elsewhere", lambda: with_deaths(sound(), counts(5, "deaths", contact_rate=0.3)).having(*sound().free),
     {"prior_conflict"}, "recovery_rate exclude each other: one of them is wrong"),
    ("two modes", two_modes, {"convergence"}, "The chains disagree about"),
    ("a nought too many", lambda: at(60, lambda seen: 10 * seen[60]), {"influence"}, "without that of 2021-03-05"),
    ("a prior that excludes the truth",
     lambda: replace(sound(), priors={"contact_rate": "{log_normal: {median: 0.9, sigma: 0.03}}"}),
     {"prior_conflict"}, "contact_rate"),
    ("a second rise it can not make", lambda: cases(lambda _: counts(7, "cases", change_day=45, factor=1.7)),
     {"residual_pattern"}, "The model misses cases in a pattern"),
    ("eight observations", lambda: seeing(TENS), {"data_points"}, "8 observations are few for 3 parameters"),
    ("few draws", lambda: drawn("sampler: nuts, chains: 4, draws: 30, warmup: 50, seed: 3"),
     {"effective_draws"}, "independent ones for"),
    ("a closure that was not foreseen", closed,
     {"held_out"}, "the model does not foresee what it was not shown"),
    ("nothing said of one parameter", lambda: sound().having(*sound().free, "latency_rate"),
     {"prior_overlap"}, "The data say nothing about latency_rate"),
    ("half reported from some day on", lambda: at(slice(55, None), lambda seen: seen[55:] / 2),
     {"residual_pattern", "prior_conflict"}, "The model misses cases in a pattern"),
    ("half reported, and counted without more scatter",
     lambda: seeing(dated(counts(3, "cases", noise=0) // (1 + (np.arange(DAYS) >= 70))), POISSON).having(*RATES),
     {"level_shift"}, "on cases lies lower against the model than just before"),
    ("the day read as the month", lambda: cases(swapped), {"influence"}, "that of 2021-02-03"),
    ("the office is closed on Sundays", lambda: at(SUNDAYS, lambda seen: 0.4 * seen[SUNDAYS]),
     {"weekdays"}, "cases is lower on Sunday than the model makes it"),
    ("a copied week", lambda: at(slice(50, 57), lambda seen: seen[43:50].copy()),
     {"repeats"}, "The 7 values of cases from 2021-02-23 on are those from 2021-02-16 on"),
    ("weekends filled in", lambda: cases(filled_in), {"repeats"}, "values of cases are the same as the one before"),
    ("weeks spread over days", lambda: cases(lambda seen: np.repeat(seen[:98].reshape(-1, 7).mean(axis=1), 7)),
     {"repeats"}, "copied or filled in, it seems, and not counted"),
    ("the same number throughout", lambda: cases(lambda seen: np.full(DAYS, 200.0)),
     {"repeats", "prior_conflict"}, "100 values of cases in a row, from 2021-01-04 on, are the same (200)"),
    ("a gap written as nought", lambda: at(slice(60, 67), lambda seen: np.zeros(7)),
     {"repeats"}, "copied or filled in, it seems, and not counted"),
    ("averages of seven days", lambda: cases(lambda seen: np.convolve(seen, np.ones(7) / 7, "same")),
     {"residual_pattern", "coverage"}, "the model is less sure than it could be"),
    ("totals so far", lambda: cases(np.cumsum), {"coverage", "prior_conflict"}, "Only"),
    ("a backlog", lambda: cases(dumped), {"influence"}, "without that of 2021-03-01"),
    ("scatter taken for none", lambda: seeing(SEEN, POISSON).having(*RATES),
     {"coverage"}, "the model misses something, or is too sure of itself"),
    ("scatter taken for more",
     lambda: cases(lambda _: counts(3, "cases", noise=0)).having(*RATES, noise=0.3),
     {"coverage"}, "the model is less sure than it could be"),
    ("every third day in tens", lambda: at(slice(None, None, 3), lambda seen: seen[::3] / 10),
     {"dispersion"}, "whatever is wrong with it is taken for noise"),
    ("dates sorted as text",
     lambda: replace(cases(lambda seen: seen[sorted(range(DAYS), key=str)]), priors=VAGUE),
     {"dispersion"}, "far beyond what counting makes"),
    ("ten times as many at first", lambda: sound().having(first_cases=200),
     {"residual_pattern", "prior_conflict"}, "The model misses cases in a pattern"),
]
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize(("study", "seen_by", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_study_is_told_what_is_wrong_with_it(
    tmp_path: Path, study: Callable[[], Study], seen_by: set[str], words: str
) -> None:
    """By the checks that should see it, in words that say where to look, and never as fine."""
    _, diagnosis = study().judged(tmp_path)
    told = [check for check in diagnosis.checks if check.verdict != "fine"]
    assert seen_by <= {check.name for check in told}, [check.reason for check in told]
    assert any(words in check.reason for check in told), [check.reason for check in told]


@pytest.mark.parametrize(
    ("study", "code", "words"),
    [
        (lambda: seeing(dated(list(SEEN.values())[::7], every=7)), "T207", "its dates are a week apart"),
        (lambda: seeing(dated(counts(1, "cases") / 1000)), "T107", "whole numbers"),
        (lambda: seeing(dated(counts(1, "cases"), DATES[50])), "T203", "outside the model's time"),
    ],
    ids=["weeks taken for days", "thousands of people", "dates beyond the model's"],
)
def test_what_can_be_known_beforehand_is_refused(
    tmp_path: Path, study: Callable[[], Study], code: str, words: str
) -> None:
    """Before anything is calculated."""
    with pytest.raises(ModelworksError) as raised:
        bind(study().write(tmp_path))
    assert code in raised.value.codes
    assert words in str(raised.value)


def test_no_overdispersion_at_all_is_no_limit(tmp_path: Path) -> None:
    """Counts that scatter as a Poisson press it against zero, where nothing is wrong."""
    study = bind(sound().write(tmp_path))
    assert limits(study, "noise")[0] == -np.inf
    assert limits(study, "contact_rate")[0] == 0


def test_a_series_that_was_copied_would_count_twice(tmp_path: Path) -> None:
    """As two targets with the same values it would make every interval too narrow, and fit as well as before."""
    folder = sound().write(tmp_path)
    targets = folder / "targets.yaml"
    once = targets.read_text(encoding="utf-8")
    targets.write_text(f"{once}\n{once.replace('cases:', 'again:', 1)}", encoding="utf-8")
    with pytest.raises(ModelworksError) as raised:
        bind(folder)
    assert raised.value.codes == ("T208",)
    assert "have the same values of `cases` on 100 days" in str(raised.value)


@pytest.mark.slow
def test_few_of_twenty_sound_studies_are_not_fine(tmp_path: Path) -> None:
    """A tool that always warns is not listened to: parameters, scatter and data differ, and at most two are told of.

    Whether draws are enough is another question, and asked of more of them than these.
    """
    told = {}
    for key in range(20):
        random = np.random.default_rng([77, key])
        contact_rate, noise = 0.2 * random.uniform(1.6, 2.8), random.uniform(0.01, 0.2)
        free, likelihood = sound().free, SCATTERED
        if key % 2:
            free, likelihood, noise = free[:2], POISSON, 0.0
        seen = dated(counts(key, "cases", noise=noise, contact_rate=contact_rate))
        study = replace(seeing(seen, likelihood).having(*free), calibration="sampler: laplace_is, draws: 500, seed: 3")
        _, diagnosis = study.judged(tmp_path / str(key))
        bad = [each.name for each in diagnosis.checks if each.verdict != "fine" and each.name not in OF_THE_SAMPLER]
        told |= {key: bad} if bad else {}
    assert len(told) <= 2, told


@pytest.mark.slow
@pytest.mark.parametrize(
    "study",
    [
        lambda: seeing(dated(counts(1, "cases"), DATES[1])),
        lambda: sound().having(*sound().free, "detection", population=60_000),
    ],
    ids=["a day late", "a fifth more people, of whom a share to be found is detected"],
)
def test_what_no_data_can_tell_is_fine(tmp_path: Path, study: Callable[[], Study]) -> None:
    """Other values of the parameters fit as well: the verdict is no warrant of what was assumed."""
    posterior, diagnosis = replace(study(), calibration=QUICK).judged(tmp_path)
    told = [each.reason for each in diagnosis.checks if each.verdict != "fine" and each.name not in OF_THE_SAMPLER]
    assert not told
    if "detection" in study().free:
        # As many are found, of more: a fifth more people are a fifth fewer found.
        assert np.mean(posterior.draws("detection")) == pytest.approx(0.4 / 1.2, rel=0.08)
