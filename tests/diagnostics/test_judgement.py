"""What data do not know, what a model can not make, and whether one value decides: on posteriors known exactly."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from tests.diagnostics.gaussian import Line, line

from modelworks.diagnostics import Check, diagnose
from modelworks.diagnostics.checks.fit_features import fit_features, p_values
from modelworks.diagnostics.checks.identifiability import identifiability
from modelworks.diagnostics.loo import difference, loo
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


# -- crying wolf -----------------------------------------------------------------------------------


def test_few_of_forty_sound_studies_are_not_fine() -> None:
    """Twenty checks that cried wolf once in twenty would do so in most studies: here at most three in forty."""
    told: Counter[str] = Counter()
    for key in range(40):
        random = np.random.default_rng([11, key])
        diagnosis = diagnose(**line(random).evidence(random))
        assert diagnosis.verdict != "stop"
        told.update({check.name for check in diagnosis.checks if check.verdict != "fine"})
    assert sum(told.values()) <= 3, told
