"""A study's units are not the model's: values, gradients and likelihoods agree all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelworks.calibration import LogDensity
from modelworks.errors import ModelworksError, explanations
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.stages import log_density

Decay = Callable[..., Path]

DAYS = "start: 2021-01-01, end: 2021-02-01, every: 1"
# The same beliefs in the model's units and in others: (rate per day, first people, share proportion).
PLAIN = """
share: {prior: {uniform: {lower: 0.2, upper: 0.9}}, unit: proportion, source: a test}
rate: {prior: {log_normal: {median: 0.1, sigma: 0.2}}, unit: per day, source: a test}
first: {prior: {normal: {mean: 1000, sd: 100}}, bounds: {lower: 0}, unit: people, source: a test}
overdispersion: {value: 0.05, unit: dimensionless, source: a test}
"""
OTHER = """
overdispersion: {value: 0.05, unit: dimensionless, source: a test}
rate: {prior: {log_normal: {median: 0.7, sigma: 0.2}}, unit: per week, source: a test}
share: {prior: {uniform: {lower: 20, upper: 90}}, unit: percent, source: a test}
first: {prior: {normal: {mean: 1000, sd: 100}}, bounds: {lower: 0}, unit: people, source: a test}
"""
TARGETS = """
left:
  output: left
  values: {2021-01-01: 90, 2021-01-08: 60, 2021-01-15: 31}
  unit: people
  covers: week
  source: a test
  likelihood: {negative_binomial: {overdispersion: overdispersion}}
share:
  output: left_share
  values: {2021-01-05: 30, 2021-01-20: 9}
  unit: percent
  covers: instant
  source: a test
  likelihood: {normal: {sd: 2}}
"""


def study(root: Path, decay: Decay, parameters: str, targets: str = TARGETS) -> BoundStudy:
    folder = decay(root, DAYS)
    (folder / "parameters.yaml").write_text(parameters, encoding="utf-8")
    (folder / "targets.yaml").write_text(targets, encoding="utf-8")
    return bind(folder)


@pytest.fixture
def other(tmp_path: Path, decay: Decay) -> BoundStudy:
    """The study in units that need factors, its parameters in another order than the model's."""
    return study(tmp_path, decay, OTHER)


def test_the_gradient_by_the_files_values_is_that_of_finite_differences(other: BoundStudy) -> None:
    """A slope per percent is a hundredth of one per unit; a likelihood's own parameter moves no output."""
    model = other.compiled(other.calibration_times())
    centre = other.centre()
    outputs, pullback = model.run_with_pullback(centre)
    cotangent = np.random.default_rng(3).normal(size=outputs.shape)
    gradient = pullback(cotangent)
    for place, name in enumerate(model.parameters):
        step = np.zeros(centre.size)
        step[place] = 1e-5 * centre[place]
        ends = [float((cotangent * model.run(centre + sign * step)).sum()) for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / (2 * step[place])
        assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-9 * abs(cotangent).sum()), name
    assert gradient[model.parameters.index("overdispersion")] == 0.0
    assert all(gradient[model.parameters.index(name)] != 0.0 for name in ("rate", "share", "first"))


def test_the_densitys_gradient_is_that_of_finite_differences(other: BoundStudy) -> None:
    """Through units, bounds and the line that samplers move on, wherever on it they are."""
    density = log_density(other)
    for position in density.prior_positions(np.random.default_rng(4), 5):
        _, gradient = density.value_and_gradient(position)
        for place in range(density.dimension):
            step = np.zeros(density.dimension)
            step[place] = 1e-5
            slope = (density.value(position + step) - density.value(position - step)) / 2e-5
            assert gradient[place] == pytest.approx(slope, rel=2e-6, abs=1e-6)


def test_units_change_no_posterior(tmp_path: Path, decay: Decay, other: BoundStudy) -> None:
    """Per week and in percent, the same people are as likely as per day and as a proportion."""
    plain = study(tmp_path / "plain", decay, PLAIN)
    densities = [log_density(each) for each in (plain, other)]
    factors = {"rate": 7.0, "share": 100.0, "first": 1.0}

    def at(density: LogDensity, rate: float, share: float, first: float) -> float:
        """The log posterior by the model's own units: a density per percent is a hundredth of one per unit."""
        scale = factors if density is densities[1] else dict.fromkeys(factors, 1.0)
        given = {"rate": rate, "share": share, "first": first}
        values = np.array([given[name] * scale[name] for name in density.parameters])
        position = density.unconstrain(values)
        # What the line itself adds is the line's, and the same in any unit but for the unit.
        jacobian = sum(
            p.bijection.from_line(float(u))[2] for p, u in zip(density.priors.values(), position, strict=True)
        )
        return density.value(position) - jacobian + float(np.log(list(scale.values())).sum())

    points = [(0.1, 0.5, 1000.0), (0.14, 0.3, 900.0), (0.07, 0.85, 1200.0)]
    found = [[at(density, *point) for point in points] for density in densities]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-4)


def test_runs_in_other_units_are_the_same_runs(tmp_path: Path, decay: Decay, other: BoundStudy) -> None:
    """0.7 per week and 0.1 per day, 50 percent and a half."""
    plain = study(tmp_path / "plain", decay, PLAIN)
    runs = []
    for bound, values in (
        (plain, {"rate": 0.1, "share": 0.4, "first": 500.0, "overdispersion": 0.05}),
        (other, {"rate": 0.7, "share": 40.0, "first": 500.0, "overdispersion": 0.05}),
    ):
        model = bound.compiled(bound.report_times)
        runs.append(model.run(np.array([values[name] for name in model.parameters])))
    np.testing.assert_allclose(runs[1], runs[0], rtol=2e-5, atol=1e-6)
    here, _, share = runs[1].T
    np.testing.assert_allclose(here, 500 * np.exp(-0.1 * np.arange(32)), rtol=1e-4)
    np.testing.assert_allclose(share, 0.4 * here / 500, rtol=1e-9)


def test_a_target_in_another_unit_is_held_against_the_same_people(other: BoundStudy) -> None:
    """30 percent observed is 0.3 of the model's proportion, not 30 of them."""
    model = other.compiled(other.calibration_times())
    target = next(t for t in other.targets(model) if t.name == "share")
    column = model.run(other.centre())[:, model.outputs.index("left_share")]
    expected = 55 * np.exp(-0.1 * np.array([4.0, 19.0]))
    np.testing.assert_allclose(target.weights @ column, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("parameter", "bounds"),
    [
        ("share: {value: 120, unit: percent", "P111"),
        ("share: {prior: {uniform: {lower: 0, upper: 130}}, unit: ratio", "P203"),
    ],
)
def test_limits_hold_in_the_files_unit(tmp_path: Path, decay: Decay, parameter: str, bounds: str) -> None:
    """What the model stops at, in whatever unit it is written."""
    lines = [line for line in PLAIN.strip().split("\n") if not line.startswith("share")]
    with pytest.raises(ModelworksError) as caught:
        study(tmp_path, decay, "\n".join([*lines, f"{parameter}, source: a test}}", ""]))
    assert bounds in caught.value.codes


@pytest.mark.parametrize(
    ("unit", "sd", "fits"),
    [("percent", 2, True), ("proportion", 0.02, False), ("people", 2, False), ("per day", 2, False)],
)
def test_a_likelihoods_parameter_is_in_the_targets_unit(
    tmp_path: Path, decay: Decay, unit: str, sd: float, fits: bool
) -> None:
    """A spread of 0.02 written as a proportion is not a spread of 0.02 percent."""
    parameters = f"{PLAIN}spread: {{value: {sd}, unit: {unit}, source: a test}}\n"
    targets = TARGETS.replace("{sd: 2}", "{sd: spread}")
    if fits:
        assert study(tmp_path, decay, parameters, targets).fixed["spread"] == sd
        return
    with pytest.raises(ModelworksError) as caught:
        study(tmp_path, decay, parameters, targets)
    assert set(caught.value.codes) <= {"T204"}
    assert "T204" in explanations()


def test_an_overdispersion_is_a_pure_number(tmp_path: Path, decay: Decay) -> None:
    """5 percent is taken for 5 where nobody looks at the unit."""
    parameters = PLAIN.replace("{value: 0.05, unit: dimensionless", "{value: 5, unit: percent")
    with pytest.raises(ModelworksError) as caught:
        study(tmp_path, decay, parameters)
    assert caught.value.codes == ("T204",)
