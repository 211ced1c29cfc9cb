"""Priors times likelihood: its value, its gradient, and what happens where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tests.calibration.conftest import Linear, boarding_school, day_by_day

from modelworks.calibration import LogDensity, Prior, Target
from modelworks.errors import ModelworksError, fail

Array = NDArray[np.float64]

CASES = (3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4)


def straight_line(observed: Array, **changes: Any) -> LogDensity:
    """A level and a slope seen with an error of known size."""
    times = np.arange(float(len(observed)))
    given: dict[str, Any] = {
        "priors": {
            "level": Prior.of("normal", {"mean": 0, "sd": 10}),
            "slope": Prior.of("normal", {"mean": 1, "sd": 2}),
        },
        "simulator": Linear(np.column_stack([np.ones(len(observed)), times]), ("level", "slope")),
        "targets": [
            Target(
                name="seen",
                output="level",
                observed=observed,
                weights=np.eye(len(observed)),
                likelihood="normal",
                arguments={"sd": 0.5},
            )
        ],
    }
    return LogDensity(**{**given, **changes})


def gradient_by_differences(density: LogDensity, position: Array) -> Array:
    def along(step: float) -> Array:
        moves = step * np.eye(position.size)
        return np.array([density.value(position + m) - density.value(position - m) for m in moves]) / (2 * step)

    return (4 * along(5e-4) - along(1e-3)) / 3


def test_the_log_density_is_the_sum_of_prior_jacobian_and_likelihood() -> None:
    """Every term by scipy, for parameters with bounds and an estimated overdispersion."""
    density = boarding_school(CASES)
    values = np.array([1.7, 0.5, 0.12])
    predicted = density.simulator.run(values[:2])[1:, 1]
    size = 1 / values[2]
    wanted = stats.nbinom(size, size / (size + predicted)).logpmf(CASES).sum()
    wanted += stats.truncnorm(-2, math.inf, 2, 1).logpdf(1.7) + stats.truncnorm(-0.8, math.inf, 0.4, 0.5).logpdf(0.5)
    wanted += stats.expon(scale=0.2).logpdf(0.12) + np.log(values).sum()
    position = density.unconstrain(values)
    assert density.value(position) == pytest.approx(wanted, rel=1e-12)
    assert density.value_and_gradient(position)[0] == density.value(position)


@pytest.mark.parametrize("values", [(1.7, 0.5, 0.12), (3.0, 0.2, 1e-6), (0.6, 0.4, 30.0)])
def test_the_gradient_is_exact(values: tuple[float, ...]) -> None:
    """Through model, likelihood, its argument, prior and Jacobian, against differences of the value."""
    density = boarding_school(CASES)
    position = density.unconstrain(values)
    _, gradient = density.value_and_gradient(position)
    np.testing.assert_allclose(gradient, gradient_by_differences(density, position), rtol=1e-6, atol=1e-6)


def test_the_log_likelihood_is_a_sum_and_not_a_mean() -> None:
    """A peer took the mean over the points, and every interval came out wider by their root."""
    once = straight_line(np.arange(5.0))
    design = np.column_stack([np.ones(5), np.arange(5.0)])
    twice = straight_line(np.tile(np.arange(5.0), 2), simulator=Linear(np.vstack([design] * 2), ("level", "slope")))
    position = np.array([0.3, 0.9])
    prior = sum(float(each.log_density(x)) for each, x in zip(once.priors.values(), position, strict=True))
    assert twice.value(position) - prior == pytest.approx(2 * (once.value(position) - prior), rel=1e-12)


def test_an_estimated_error_does_not_grow_without_end() -> None:
    """A peer sampled the sd of a normal and left out its −log sd."""
    density = straight_line(
        np.arange(5.0),
        priors={
            "level": Prior.of("normal", {"mean": 0, "sd": 10}),
            "slope": Prior.of("normal", {"mean": 1, "sd": 2}),
            "error": Prior.of("uniform", {"lower": 0, "upper": 1000}),
        },
        targets=[
            Target(
                name="seen",
                output="level",
                observed=np.arange(5.0),
                weights=np.eye(5),
                likelihood="normal",
                arguments={"sd": "error"},
            )
        ],
    )
    narrow, wide = (density.value(density.unconstrain([0.1, 1.0, sd])) for sd in (0.5, 50.0))
    assert narrow > wide + 10


@pytest.mark.parametrize("sd", [0.05, 1.0, 20.0])
def test_a_cut_prior_has_a_gradient_everywhere(sd: float) -> None:
    """A peer's truncated normal had a gradient that was not a number."""
    density = straight_line(
        np.arange(5.0),
        priors={
            "level": Prior.of("truncated_normal", {"mean": 3, "sd": sd, "lower": 0, "upper": 4}),
            "slope": Prior.of("normal", {"mean": 1, "sd": 2}, bounds=(None, 5)),
        },
    )
    for u in (-30.0, -1.0, 0.0, 2.0, 30.0):
        value, gradient = density.value_and_gradient(np.array([u, 0.5]))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_what_was_not_observed_changes_nothing() -> None:
    """A week without a report is as if it had not been there."""
    with_gap, without = np.array([0.0, np.nan, 2.5, 3.0]), np.array([0.0, 2.5, 3.0])
    gap = straight_line(with_gap)
    short = LogDensity(
        priors=gap.priors,
        simulator=gap.simulator,
        targets=[
            Target(
                name="seen",
                output="level",
                observed=without,
                weights=day_by_day([0, 2, 3], 4),
                likelihood="normal",
                arguments={"sd": 0.5},
            )
        ],
    )
    position = np.array([0.2, 0.7])
    assert gap.value(position) == pytest.approx(short.value(position), rel=1e-14)
    np.testing.assert_allclose(gap.value_and_gradient(position)[1], short.value_and_gradient(position)[1], rtol=1e-13)
    # It is still predicted.
    predicted = gap.predict(position)
    assert predicted is not None
    assert predicted[0].size == 4


def test_an_error_of_its_own_for_each_point() -> None:
    """Surveys of different sizes stand in one target."""
    errors = np.array([0.5, 1.0, 2.0, 4.0])
    one = straight_line(np.arange(4.0))
    several = straight_line(
        np.arange(4.0),
        targets=[
            Target(
                name="seen",
                output="level",
                observed=np.array([0.0, np.nan, 2.0, 3.0]),
                weights=np.eye(4),
                likelihood="normal",
                arguments={"sd": errors},
            )
        ],
    )
    position = np.array([0.4, 1.2])
    prior = sum(float(p.log_density(x)) for p, x in zip(one.priors.values(), position, strict=True))
    seen = [0, 2, 3]
    wanted = stats.norm(0.4 + 1.2 * np.arange(4), errors).logpdf(np.arange(4.0))[seen].sum()
    assert several.value(position) - prior == pytest.approx(wanted, rel=1e-12)


def test_two_targets_may_share_an_output_and_an_argument() -> None:
    """Their log likelihoods add up, and so do their gradients."""
    density = straight_line(np.arange(6.0))
    (target,) = [each.target for each in density.observations]
    halves = [
        Target(
            name=name,
            output="level",
            observed=target.observed[chosen],
            weights=target.weights[chosen],
            likelihood="normal",
            arguments={"sd": 0.5},
        )
        for name, chosen in (("early", [0, 1, 2]), ("late", [3, 4, 5]))
    ]
    both = straight_line(np.arange(6.0), targets=halves)
    position = np.array([0.4, 1.2])
    value, gradient = both.value_and_gradient(position)
    wanted, slopes = density.value_and_gradient(position)
    assert value == pytest.approx(wanted, rel=1e-13)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12)


def test_the_order_of_a_simulator_s_parameters_is_its_own() -> None:
    """Values go to the names they belong to, whatever the order of the priors and of the fixed ones."""
    plain = straight_line(np.arange(4.0))
    swapped = straight_line(
        np.arange(4.0),
        priors=dict(reversed(plain.priors.items())),
    )
    position = np.array([0.4, 1.2])
    assert swapped.value(position[::-1]) == pytest.approx(plain.value(position), rel=1e-14)
    np.testing.assert_allclose(
        swapped.value_and_gradient(position[::-1])[1][::-1], plain.value_and_gradient(position)[1], rtol=1e-13
    )
    fixed = straight_line(np.arange(4.0), priors={"slope": plain.priors["slope"]}, fixed={"level": 0.4})
    assert fixed.value_and_gradient(np.array([1.2]))[1] == pytest.approx(plain.value_and_gradient(position)[1][1:])


@dataclass(frozen=True)
class Fragile(Linear):
    """A line that fails, in one way or another, where its level is above 1."""

    way: str = "letter"

    def run(self, values: Array, /) -> Array:
        if values[0] <= 1.0:
            return super().run(values)
        if self.way == "letter":
            fail("S101", f"there are {values[0]:g} people too many")
        return np.full((len(self.design), 1), np.nan)

    def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
        outputs = self.run(values)
        return outputs, lambda cotangent: self.design.T @ cotangent[:, 0]


@pytest.mark.parametrize(("way", "code"), [("letter", "S101"), ("nan", "C404")])
def test_a_run_that_fails_is_impossible_and_counted(way: str, code: str) -> None:
    """A sampler goes on; the one who reads the record learns how often and what."""
    design = np.column_stack([np.ones(4), np.arange(4.0)])
    density = straight_line(np.arange(4.0), simulator=Fragile(design, ("level", "slope"), way=way))
    assert density.value(np.array([2.0, 1.0])) == -math.inf
    value, gradient = density.value_and_gradient(np.array([3.0, 1.0]))
    assert value == -math.inf
    assert (gradient == 0).all()
    assert density.value(np.array([0.5, 1.0])) > -math.inf
    assert density.failed_runs.count == 2
    assert density.failed_runs.letter is not None
    assert density.failed_runs.letter.code == code


def test_a_gradient_that_is_not_a_number_is_told() -> None:
    """A sampler that goes on with it would quietly end in the wrong place."""

    class Broken(Linear):
        def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
            return self.run(values), lambda _: np.array([1.0, np.nan])

    design = np.column_stack([np.ones(4), np.arange(4.0)])
    density = straight_line(np.arange(4.0), simulator=Broken(design, ("level", "slope")))
    with pytest.raises(ModelworksError) as raised:
        density.value_and_gradient(np.array([0.5, 1.0]))
    assert raised.value.codes == ("C403",)
    assert "`slope`" in str(raised.value)


def test_positions_far_out_are_impossible_and_not_an_error() -> None:
    """The first steps of a sampler may be enormous."""
    density = boarding_school(CASES)
    for u in (-1e6, -800.0, 800.0, 1e6):
        for coordinate in range(3):
            position = np.zeros(3)
            position[coordinate] = u
            value, gradient = density.value_and_gradient(position)
            assert value < math.inf
            assert np.isfinite(gradient).all()


def prior_of(family: str, **arguments: float) -> Prior:
    return Prior.of(family, arguments)


PLAIN = {"level": prior_of("normal", mean=0, sd=1), "slope": prior_of("normal", mean=0, sd=1)}


def seen(**changes: Any) -> Target:
    given: dict[str, Any] = {
        "name": "seen",
        "output": "level",
        "observed": np.arange(4.0),
        "weights": np.eye(4),
        "likelihood": "normal",
        "arguments": {"sd": "error"},
    }
    return Target(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"priors": PLAIN, "fixed": {"slope": 1.0}}, "C301", "slope"),
        ({"priors": {"level": PLAIN["level"]}}, "C302", "slope"),
        ({"priors": {**PLAIN, "slop": PLAIN["slope"]}}, "C303", "did you mean `slope`"),
        ({"priors": {}, "fixed": {"level": 0.0, "slope": 1.0}}, "C304", "nothing to find"),
        ({"priors": {"level": PLAIN["level"]}, "fixed": {"slope": math.nan}}, "C307", "slope"),
        ({"targets": []}, "C306", "no target"),
        ({"targets": [seen(arguments={"sd": 1.0})] * 2}, "C305", "seen"),
        ({"targets": [seen(output="levle", arguments={"sd": 1.0})]}, "C211", "did you mean `level`"),
        ({"targets": [seen(weights=np.eye(4)[:, :3] + 1, arguments={"sd": 1.0})]}, "C212", "3 times"),
        ({"targets": [seen()]}, "C209", "error"),
        ({"targets": [seen()], "fixed": {"error": -1.0}}, "C203", "above 0"),
        ({"targets": [seen()], "priors": {**PLAIN, "error": PLAIN["level"]}}, "C203", "reaches from -inf"),
        (
            {
                "targets": [seen(likelihood="binomial", arguments={"trials": "error"})],
                "priors": {**PLAIN, "error": prior_of("exponential", mean=1)},
            },
            "C210",
            "can not be estimated",
        ),
    ],
)
def test_what_does_not_fit_is_a_letter(changes: dict[str, Any], code: str, word: str) -> None:
    """Before the first run of the model, and with the nearest name where one is misspelt."""
    with pytest.raises(ModelworksError) as raised:
        straight_line(np.arange(4.0), **changes)
    assert code in raised.value.codes
    assert word in str(raised.value)
