"""What data do not know, what a model can not make, and whether one value decides: on posteriors known exactly."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from typing import Any

import numpy as np
import pytest
from tests.diagnostics.gaussian import Line, line

from modelworks.diagnostics import Check, checks, diagnose, guide
from modelworks.diagnostics._guide import GUIDES
from modelworks.diagnostics.checks.fit_features import fit_features, p_values
from modelworks.diagnostics.checks.identifiability import identifiability
from modelworks.diagnostics.checks.prior_sensitivity import sensitivity
from modelworks.diagnostics.checks.repeats import repeats
from modelworks.diagnostics.checks.target_influence import without
from modelworks.diagnostics.loo import difference, loo
from modelworks.diagnostics.reliance import reliance
from modelworks.errors import ModelworksError


def asked(evidence: dict[str, Any], name: str) -> Check:
    return next(check for check in diagnose(**evidence).checks if check.name == name)


def trading(key: int = 1, parameters: int = 2) -> Line:
    """A study whose data know only the sum of all its parameters."""
    random = np.random.default_rng(key)
    names = ("contact_rate", "detection", "fatality")[:parameters]
    design = np.ones((30, parameters))
    observed = {"cases": random.normal(design @ np.ones(parameters), 1.0)}
    return Line(names, np.ones(parameters), np.ones(parameters), {"cases": design}, observed)


@pytest.mark.parametrize("parameters", [2, 3])
def test_parameters_that_only_their_sum_is_known_of_are_named_with_their_signs(parameters: int) -> None:
    """Along the line on which the sum stays, the exact posterior is as wide as the prior: a share of 1."""
    study = trading(parameters=parameters)
    found = asked(study.evidence(np.random.default_rng(2)), "identifiability")
    assert found.verdict == "look"
    assert set(found.about) == set(study.names)
    assert found.value == pytest.approx(1.0, abs=0.06)
    first, others = found.reason.split(" with a lower ")
    assert "fits as well" in others
    assert sum(name in first for name in study.names) == 1


def test_parameters_that_move_together_are_told_so() -> None:
    """Of a difference that is known, the sum is not."""
    study = trading()
    study.designs["cases"][:, 1] *= -1
    study.observed["cases"] -= 2
    found = asked(study.evidence(np.random.default_rng(2)), "identifiability")
    assert found.reason.startswith("A higher contact_rate and detection together fits as well")


def test_a_parameter_unknown_by_itself_is_no_combination() -> None:
    """It is told of by `prior_overlap`; to name it with any other would mislead."""
    random = np.random.default_rng(3)
    prior = {name: random.normal(size=2000) for name in "abcd"}
    draws = {name: random.normal(0, 1 if name in "ab" else 0.1, size=(4, 1000)) for name in "abcd"}
    assert identifiability(draws, prior, {}).verdict == "fine"


def test_a_product_is_known_on_the_scale_of_logarithms() -> None:
    """A rate times a proportion: a curve among the values, a line among their logarithms."""
    random = np.random.default_rng(4)
    prior = {"rate": random.lognormal(size=2000), "share": random.beta(2, 2, size=2000)}
    share = random.beta(2.5, 2.5, size=(4, 1000))
    draws = {"rate": 0.5 / share, "share": share}
    found = identifiability(draws, prior, {"share": (0.0, 1.0)})
    assert found.verdict == "look"
    assert "a lower" in found.reason


def test_twenty_parameters_that_are_known_are_no_combination() -> None:
    """The widest of many combinations looks wider than it is; not so much that it is called unknown."""
    random = np.random.default_rng(5)
    prior = {f"p{k}": random.normal(size=1000) for k in range(20)}
    draws = {name: random.normal(0, 0.6, size=(4, 250)) for name in prior}
    found = identifiability(draws, prior, {})
    assert found.verdict == "fine"
    assert found.value == pytest.approx(0.6, abs=0.1)


@pytest.mark.parametrize(
    ("spoil", "feature", "more"),
    [
        (lambda seen: seen + 3, "mean", True),
        (lambda seen: np.where(seen == seen.max(), 5 * seen, seen), "maximum", True),
        (lambda seen: seen[::-1], "time of maximum", False),
        (lambda seen: seen.mean() + 4 * (seen - seen.mean()), "dispersion", True),
    ],
)
def test_a_feature_that_the_model_can_not_make_is_found(spoil: Any, feature: str, more: bool) -> None:
    """With its sign; the most extreme feature of all is the one told."""
    random = np.random.default_rng(6)
    expected = np.linspace(10, 14, 20)
    samples = random.normal(expected, 1, size=(4000, 20))
    seen = spoil(samples[0])
    found = p_values(samples, seen)
    chance, has_more = found[feature]
    assert chance < 0.002
    assert has_more == more
    assert fit_features("cases", samples, seen).verdict == "look"


def test_p_values_of_a_sound_model_are_spread_evenly() -> None:
    """A p-value below a tenth comes up in a tenth of the series that the model itself makes."""
    random = np.random.default_rng(7)
    samples = random.normal(size=(2000, 15))
    found = [p_values(samples, random.normal(size=15)) for _ in range(300)]
    for name in ("mean", "maximum", "dispersion"):
        share = np.mean([each[name][0] < 0.1 for each in found])
        assert share == pytest.approx(0.1, abs=0.06), name


@pytest.mark.parametrize("mean", [0.3, 3.0, 50.0])
def test_counts_that_come_twice_by_chance_are_not_called_copied(mean: float) -> None:
    """Small counts repeat themselves: so do the model's own, and few of forty series are told of."""
    random = np.random.default_rng(19)
    samples = random.poisson(mean, size=(1000, 60)).astype(float)
    told = [repeats("cases", samples, random.poisson(mean, size=60)).verdict for _ in range(40)]
    assert told.count("look") <= 2


def test_the_observation_that_decides_is_told_by_its_date() -> None:
    """Somebody has to look it up."""
    study = line(np.random.default_rng(8))
    study.observed["cases"][7] += 14
    evidence = study.evidence(np.random.default_rng(8))
    dates = [f"2021-03-{day:02}" for day in range(1, 21)]
    found = asked(evidence | {"labels": {"cases": dates}}, "influence")
    assert found.verdict == "look"
    assert "2021-03-08" in found.reason


# -- leaving one out -------------------------------------------------------------------------------


def test_left_out_densities_are_the_ones_in_closed_form() -> None:
    """Of a normal mean with a normal prior, each point given the others is normal, with known moments."""
    random = np.random.default_rng(9)
    seen = random.normal(1.0, 1.0, size=12)
    study = Line(("mean",), np.zeros(1), np.ones(1), {"cases": np.ones((12, 1))}, {"cases": seen})
    found = loo(study.evidence(random)["log_likelihood"]["cases"])
    precision = 1.0 + 11
    centre = (seen.sum() - seen) / precision
    variance = 1 + 1 / precision
    exact = -0.5 * ((seen - centre) ** 2 / variance + np.log(2 * np.pi * variance))
    np.testing.assert_allclose(found.pointwise, exact, atol=0.03)
    assert found.elpd == pytest.approx(exact.sum(), abs=0.1)
    assert found.doubtful == 0


def test_the_better_of_two_models_is_told_with_its_error() -> None:
    """A line, where there is one, foretells better than a constant; and a model as well as itself."""
    random = np.random.default_rng(10)
    time = np.linspace(-1, 1, 120)
    straight = np.stack([np.ones(120), time], axis=1)
    seen = random.normal(straight @ [1.0, 2.0])
    level = Line(("level",), np.zeros(1), np.full(1, 3.0), {"cases": straight[:, :1]}, {"cases": seen})
    slope = Line(("level", "slope"), np.zeros(2), np.full(2, 3.0), {"cases": straight}, {"cases": seen})
    one, two = (loo(each.evidence(random)["log_likelihood"]["cases"]) for each in (level, slope))
    found = difference(one, two)
    assert found.elpd > 4 * found.se > 0
    assert found.in_words.startswith("the second foretells the data better")
    assert difference(two, one).elpd == pytest.approx(-found.elpd)
    assert "neither" in difference(one, one).in_words


def test_models_of_other_data_are_not_compared() -> None:
    """Densities of other observations have nothing to do with each other."""
    with pytest.raises(ModelworksError) as raised:
        difference(loo(np.zeros((100, 3))), loo(np.zeros((100, 4))))
    assert raised.value.codes == ("G104",)


# -- other weights of the same draws ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.needs("arviz")
def test_sensitivities_are_those_of_arviz() -> None:
    """Another implementation of the same paper; its draws are integrated a little otherwise."""
    arviz: Any = importlib.import_module("arviz")
    x = np.random.default_rng(12).normal(1, 0.5, size=(4, 1000))
    log_prior, log_likelihood = -(x**2) / 2, -((x - 1.3) ** 2) / 0.66
    data = arviz.from_dict(posterior={"x": x}, log_likelihood={"y": log_likelihood[..., None]})
    data.add_groups(log_prior={"x": log_prior})
    theirs = [float(arviz.psens(data, component=each)["x"]) for each in ("prior", "likelihood")]
    np.testing.assert_allclose(sensitivity(x, log_prior, log_likelihood), theirs, rtol=0.05)


@pytest.mark.parametrize(("away", "verdict"), [(0.0, "fine"), (8.0, "look")])
def test_data_far_from_a_strong_prior_are_in_conflict_with_it(away: float, verdict: str) -> None:
    """As strong as each other, and eight of their deviations apart."""
    prior, data = np.zeros(1), np.full((4, 1), away)
    study = Line(("level",), prior, np.ones(1), {"cases": np.ones((4, 1))}, {"cases": data[:, 0]}, noise=2.0)
    found = asked(study.evidence(np.random.default_rng(13)), "prior_sensitivity")
    assert found.verdict == verdict
    assert found.about == (("level",) if verdict == "look" else ())


def test_a_posterior_without_a_target_is_the_one_calibrated_without_it() -> None:
    """The move that the weights foresee is the exact one."""
    study = line(np.random.default_rng(14))
    study.noise = 6.0
    evidence = study.evidence(np.random.default_rng(14))
    del study.designs["deaths"], study.observed["deaths"]
    fewer = study.evidence(np.random.default_rng(15))["draws"]
    found = without("deaths", evidence["draws"], evidence["log_likelihood"]["deaths"].sum(axis=1))
    for name, chains in evidence["draws"].items():
        moved = (fewer[name].mean() - chains.mean()) / chains.std()
        assert found.shifts[name] == pytest.approx(moved, abs=0.1), name


def test_a_target_that_pulls_against_the_others_is_named() -> None:
    """Two of one truth and a third of another, each by itself too vague to be found wrong."""
    random = np.random.default_rng(16)
    ones = np.ones((10, 1))
    scatter = np.linspace(-4.5, 4.5, 10)
    observed = {"cases": scatter, "deaths": scatter, "beds": scatter + 4.5}
    study = Line(("level",), np.zeros(1), np.full(1, 10.0), dict.fromkeys(observed, ones), observed, noise=3.0)
    found = asked(study.evidence(random), "target_influence")
    assert found.verdict == "look"
    assert found.about == ("beds", "level")


def test_what_the_draws_can_not_say_is_not_said() -> None:
    """Without the one precise target next to nothing is known, and no weights lead there."""
    study = line(np.random.default_rng(17), noise=0.1)
    evidence = study.evidence(np.random.default_rng(17))
    found = without("cases", evidence["draws"], evidence["log_likelihood"]["cases"].sum(axis=1))
    assert found.k > 0.7
    assert found.shifts == {}
    assert "can not be said" in asked(evidence, "target_influence").reason


def test_a_number_rests_on_what_moves_it_in_closed_form() -> None:
    """Precisions p and d, the prior to the power a: the mean is d·y / (a·p + d), and here its slope at a = 1."""
    p, d, y = 1.0, 4.0, 2.0
    draws = np.random.default_rng(18).normal(d * y / (p + d), (p + d) ** -0.5, size=40_000)
    densities = {("prior", "level"): -p * draws**2 / 2, ("series", "cases"): -d * (draws - y) ** 2 / 2}
    found = {each.source: each for each in reliance(3 * draws, densities)}
    slope = -p * d * y / (p + d) ** 2
    assert found["level"].move == pytest.approx(3 * np.log(2) * slope, rel=0.05)
    assert found["cases"].move == pytest.approx(-3 * np.log(2) * slope, rel=0.05)
    assert found["level"].matters
    assert reliance(np.full(100, 7.0), {("prior", "level"): np.arange(100.0)}) == []


def test_every_check_says_what_it_measures_and_what_to_do() -> None:
    """A referee asks "of what is this 0.004?", and an author "what now?"."""
    diagnosis = diagnose(**conflicting())
    for check in diagnosis.checks:
        assert guide(check).measures
        assert bool(guide(check).remedy) == (check.verdict != "fine")
    assert set(GUIDES) == {name for _, name, _ in pkgutil.iter_modules(checks.__path__)}


# -- bad studies -----------------------------------------------------------------------------------


def conflicting() -> dict[str, Any]:
    """Two targets of two truths."""
    study = line(np.random.default_rng(20))
    study.observed["deaths"] += 3
    return study.evidence(np.random.default_rng(20))


def two_modes() -> dict[str, Any]:
    """Chains that found two answers."""
    evidence = line(np.random.default_rng(21)).evidence(np.random.default_rng(21))
    evidence["draws"]["slope"][:2] *= -1
    return evidence


def factor_of_ten() -> dict[str, Any]:
    """One value with a nought too many."""
    study = line(np.random.default_rng(22))
    study.observed["cases"][4] *= 10
    return study.evidence(np.random.default_rng(22))


def prior_elsewhere() -> dict[str, Any]:
    """A prior that has no room for the truth."""
    study = line(np.random.default_rng(23))
    study.sd[0] /= 10
    study.observed = {name: values + 20 for name, values in study.observed.items()}
    return study.evidence(np.random.default_rng(23))


def no_peak() -> dict[str, Any]:
    """A straight line through an epidemic."""
    study = line(np.random.default_rng(24))
    study.observed["cases"] += 8 * np.exp(-((np.linspace(-1, 1, 20) / 0.3) ** 2))
    return study.evidence(np.random.default_rng(24))


def too_short() -> dict[str, Any]:
    """A single value of one target."""
    study = line(np.random.default_rng(25))
    study.designs = {"cases": study.designs["cases"][:1]}
    study.observed = {"cases": study.observed["cases"][:1]}
    return study.evidence(np.random.default_rng(25))


def constant() -> dict[str, Any]:
    """The same number copied down a column."""
    study = line(np.random.default_rng(26), points=60)
    study.designs = {"cases": study.designs["cases"]}
    study.observed = {"cases": np.full(60, 5.0)}
    return study.evidence(np.random.default_rng(26))


def wrong_dispersion() -> dict[str, Any]:
    """Data that scatter three times as much as was assumed."""
    study = line(np.random.default_rng(27))
    study.observed["cases"] += np.random.default_rng(27).normal(0, 3, size=20)
    return study.evidence(np.random.default_rng(27))


@pytest.mark.parametrize(
    ("bad", "expected", "words"),
    [
        (lambda: trading().evidence(np.random.default_rng(2)), {"identifiability"}, "fits as well"),
        (conflicting, {"target_influence", "coverage"}, "The targets disagree: deaths pulls level"),
        (two_modes, {"convergence"}, "slope"),
        (factor_of_ten, {"influence"}, "without number 5"),
        (prior_elsewhere, {"prior_conflict", "prior_sensitivity"}, "level exclude each other"),
        (no_peak, {"coverage", "residual_pattern"}, "The model misses cases in a pattern"),
        (too_short, {"data_points"}, "1 observation can not settle 2 parameters"),
        (constant, {"coverage", "fit_features"}, "the model is less sure than it could be"),
        (wrong_dispersion, {"coverage", "fit_features"}, "cases scatters more"),
    ],
)
def test_a_bad_study_is_told_what_is_wrong_with_it(bad: Any, expected: set[str], words: str) -> None:
    """In words, and never as fine."""
    diagnosis = diagnose(**bad())
    assert diagnosis.verdict != "fine"
    told = [check for check in diagnosis.checks if check.verdict != "fine"]
    assert expected <= {check.name for check in told}, [check.reason for check in told]
    assert any(words in check.reason for check in told), [check.reason for check in told]


# -- crying wolf -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("noise", [1.0, 3.0])
def test_few_of_forty_sound_studies_are_not_fine(noise: float) -> None:
    """Twenty checks that cried wolf once in twenty would do so in most studies: here at most three in forty."""
    told: Counter[str] = Counter()
    for key in range(40):
        random = np.random.default_rng([11, key])
        diagnosis = diagnose(**line(random, noise=noise).evidence(random))
        assert diagnosis.verdict != "stop"
        told.update({check.name for check in diagnosis.checks if check.verdict != "fine"})
    assert sum(told.values()) <= 3, told
