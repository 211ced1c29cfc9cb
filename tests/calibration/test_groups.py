"""Parameters believed in together: densities against scipy, derivatives against differences, letters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import interpolate, stats
from tests.calibration.conftest import Linear

from modelworks.calibration import Group, LogDensity, Prior, Settings, Target, calibrate, group
from modelworks.calibration.groups import FAMILIES
from modelworks.calibration.samplers import BY_CHANCE, SAMPLERS
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]
LABELS = ["north", "south", "east"]
CORRELATIONS = {"north": {"south": 0.7, "east": -0.2}, "south": {"east": 0.1}}
MATRIX = np.array([[1, 0.7, -0.2], [0.7, 1, 0.1], [-0.2, 0.1, 1]])

# Family, arguments, values of those that are parameters; on its line: the mean of the members and their covariance.
WALK = np.array([[1.0, 1.0], [1.0, 2.0]])
NORMAL: list[tuple[str, dict[str, Any], dict[str, float], Any, Any]] = [
    ("normal", {"mean": "m", "sd": "s"}, {"mean": 1.5, "sd": 0.4}, 1.5, 0.16 * np.eye(3)),
    ("log_normal", {"median": "m", "sigma": 0.4}, {"median": 1.5}, math.log(1.5), 0.16 * np.eye(3)),
    ("logit_normal", {"median": 0.2, "sigma": "s"}, {"sigma": 0.4}, math.log(0.25), 0.16 * np.eye(3)),
    ("random_walk", {"start": "m", "sd": "s"}, {"start": 1.5, "sd": 0.4}, 1.5, 0.16 * WALK),
    ("log_random_walk", {"start": 1.5, "sigma": 0.4}, {}, math.log(1.5), 0.16 * WALK),
    ("logit_random_walk", {"start": "m", "sigma": 0.4}, {"start": 0.2}, math.log(0.25), 0.16 * WALK),
    (
        "multivariate_normal",
        {"mean": {"east": 3, "north": 1, "south": 2}, "sd": 0.5, "correlation": CORRELATIONS},
        {},
        [1, 2, 3],
        0.25 * MATRIX,
    ),
    (
        "multivariate_log_normal",
        {"median": 2, "sigma": {"north": 0.1, "south": 0.2, "east": 0.3}, "correlation": CORRELATIONS},
        {},
        math.log(2),
        MATRIX * np.outer([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]),
    ),
]
SPLINES: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    ("spline", {"start": "m", "sd": "s", "pieces": 2}, {"start": 1.5, "sd": 0.4}),
    ("log_spline", {"start": "m", "sigma": "s", "pieces": 1}, {"start": 1.5, "sigma": 0.4}),
    ("logit_spline", {"start": 0.2, "sigma": "s", "pieces": 2}, {"sigma": 0.4}),
]
DIRICHLET: tuple[str, dict[str, Any], dict[str, float]] = (
    "dirichlet",
    {"concentration": {"north": 0.7, "south": 2, "east": 4}},
    {},
)
EVERY = [*(case[:3] for case in NORMAL), *SPLINES, DIRICHLET]
every = pytest.mark.parametrize(("family", "arguments", "given"), EVERY, ids=[case[0] for case in EVERY])
POINT = np.array([0.3, -1.2, 0.8, 0.4, -0.5])


def derivative(function: Callable[[Array], Any], at: Array) -> Array:
    """Differences of a function of a vector, extrapolated: (…, coordinate)."""

    def along(step: float) -> Array:
        moves = step * np.eye(at.size)
        return np.stack([np.subtract(function(at + m), function(at - m)) for m in moves], axis=-1) / (2 * step)

    return (4 * along(5e-4) - along(1e-3)) / 3


def labels_of(family: str) -> list[str]:
    return ["1", "2", "3"] if "walk" in family or "spline" in family else LABELS


def made(family: str, arguments: dict[str, Any]) -> tuple[Group, Array]:
    found = group(family, "rate", labels_of(family), arguments)
    return found, POINT[: len(found.coordinates)]


@pytest.mark.parametrize(("family", "arguments", "given", "mean", "covariance"), NORMAL, ids=[c[0] for c in NORMAL])
def test_the_density_of_members_is_scipys(
    family: str, arguments: dict[str, Any], given: dict[str, float], mean: Any, covariance: Any
) -> None:
    """That of the members on their line, times the determinant of the map from the coordinates to them."""
    found, at = made(family, arguments)
    line = {"log": np.log, "logit": lambda x: np.log(x / (1 - x))}.get(family.split("_")[0], lambda x: x)
    line = np.log if family == "multivariate_log_normal" else line

    def moving(u: Array) -> Array:
        """Where the members are, on their line; of a walk the first stands still."""
        members = np.asarray(line(found.place(u, given).members))
        return members[len(LABELS) - at.size :]

    still = len(LABELS) - at.size
    truth = stats.multivariate_normal((mean + np.zeros(3))[still:], covariance).logpdf(moving(at))
    determinant = math.log(abs(np.linalg.det(derivative(moving, at))))
    assert found.place(at, given).log_density == pytest.approx(truth + determinant, rel=1e-9)


def test_a_dirichlet_is_scipys() -> None:
    """With the determinant of the map from the coordinates to all members but the last."""
    found, at = made(*DIRICHLET[:2])
    placed = found.place(at, {})
    assert placed.members.sum() == pytest.approx(1, rel=1e-14)
    determinant = abs(np.linalg.det(derivative(lambda u: found.place(u, {}).members[:-1], at)))
    truth = stats.dirichlet([0.7, 2, 4]).logpdf(placed.members) + math.log(determinant)
    assert placed.log_density == pytest.approx(truth, rel=1e-9)


def test_a_spline_is_scipys() -> None:
    """A cubic B-spline over the days of its labels, whose coefficients walk from the start."""
    days = [0.0, 7.0, 21.0, 28.0, 56.0]
    labels = ["2021-01-01", "2021-01-08", "2021-01-22", "2021-01-29", "2021-02-26"]
    found = group("spline", "rate", labels, {"start": 2.0, "sd": 0.5, "pieces": 2})
    at = np.array([0.3, -1.2, 0.8, 0.4])
    knots = [0, 0, 0, 0, 28, 56, 56, 56, 56]
    coefficients = 2.0 + 0.5 * np.concatenate([[0], np.cumsum(at)])
    truth = interpolate.BSpline(knots, coefficients, 3)(days)
    np.testing.assert_allclose(found.place(at, {}).members, truth, rtol=1e-12)
    assert found.place(at, {}).members[0] == pytest.approx(2.0)


@every
def test_derivatives_are_those_of_the_density(family: str, arguments: dict[str, Any], given: dict[str, float]) -> None:
    """By the coordinates, and by every argument that is a parameter."""
    found, at = made(family, arguments)
    placed = found.place(at, given)
    gradient = derivative(lambda u: found.place(u, given).log_density, at)
    np.testing.assert_allclose(placed.gradient, gradient, rtol=1e-8, atol=1e-9)
    by_member = np.array([1.0, -2.0, 0.5])
    pulled = found.pull(at, given, placed, by_member)
    slopes = by_member @ derivative(lambda u: found.place(u, given).members, at)
    np.testing.assert_allclose(pulled.by_coordinate, slopes, rtol=1e-8, atol=1e-9)
    assert set(pulled.by_argument) == set(given)
    names = list(given)

    def moved(values: Array) -> Array:
        return found.place(at, dict(zip(names, values, strict=True))).members

    if names:
        wanted = by_member @ derivative(moved, np.array(list(given.values())))
        np.testing.assert_allclose([pulled.by_argument[name] for name in names], wanted, rtol=1e-8)


@every
def test_members_and_back(family: str, arguments: dict[str, Any], given: dict[str, float]) -> None:
    """The members of a position have that position; a spline's too, where enough is seen of it."""
    labels = [str(k) for k in range(12)] if "spline" in family else labels_of(family)
    found = group(family, "rate", labels, arguments)
    at = POINT[: len(found.coordinates)]
    low, high = found.support
    members = found.place(at, given).members
    assert ((members > low) & (members < high)).all()
    np.testing.assert_allclose(found.to_line(members, given), at, rtol=1e-9, atol=1e-9)


@every
def test_draws_scatter_about_the_centre(family: str, arguments: dict[str, Any], given: dict[str, float]) -> None:
    """Half of the draws of each member lie on either side; of proportions their mean is the centre."""
    found, _ = made(family, arguments)
    key = np.random.default_rng(11)
    drawn = np.array([found.place(found.sample(key, given), given).members for _ in range(4000)])
    centre = found.centre(given)
    if family == "dirichlet":
        np.testing.assert_allclose(drawn.mean(axis=0), centre, rtol=0.05)
        for member, a in zip(drawn.T, (0.7, 2.0, 4.0), strict=True):
            assert stats.kstest(member, stats.beta(a, 6.7 - a).cdf).pvalue > 0.001
    else:
        above = (drawn > centre * (1 + 1e-12)).mean(axis=0)
        still = np.isclose(drawn.std(axis=0), 0)
        np.testing.assert_allclose(above[~still], 0.5, atol=0.04)


def test_a_proportion_of_almost_nothing_is_still_a_number() -> None:
    """With a concentration of a hundredth most draws have members below the smallest number."""
    found = group("dirichlet", "share", LABELS, {"concentration": 0.01})
    key = np.random.default_rng(3)
    drawn = np.array([found.sample(key, {}) for _ in range(200)])
    assert np.isfinite(drawn).all()
    assert all(np.isfinite(found.place(u, {}).log_density) for u in drawn)


def test_every_family_is_tested() -> None:
    """The cases above leave none out."""
    assert {case[0] for case in EVERY} == set(FAMILIES)


def levels(seen: Array, groups: list[Group], **priors: Prior) -> LogDensity:
    """Regions seen once each, with an error of 1."""
    return LogDensity(
        priors=priors,
        groups=groups,
        simulator=Linear(np.eye(seen.size), tuple(f"level[{k}]" for k in range(seen.size))),
        targets=[
            Target(
                name="seen",
                output="level",
                observed=seen,
                weights=np.eye(seen.size),
                likelihood="normal",
                arguments={"sd": 1.0},
            )
        ],
    )


SEEN = np.array([2.0, 3.5, -1.0, 0.5, 6.0])
FIVE = [str(k) for k in range(5)]
PRIORS = {
    "typical": Prior.of("normal", {"mean": 1, "sd": 2}),
    "spread": Prior.of("half_normal", {"sd": 2}),
}


@pytest.mark.parametrize(
    ("family", "arguments"),
    [
        ("normal", {"mean": "typical", "sd": "spread"}),
        ("random_walk", {"start": "typical", "sd": "spread"}),
        ("spline", {"start": "typical", "sd": "spread", "pieces": 3}),
    ],
)
def test_the_gradient_through_a_group_is_exact(family: str, arguments: dict[str, Any]) -> None:
    """What the data say of a member is said of its coordinates, of the typical value and of the spread."""
    density = levels(SEEN, [group(family, "level", FIVE, arguments)], **PRIORS)
    assert density.free == ("typical", "spread", *(f"level[{k}]" for k in FIVE))
    position = np.linspace(-0.6, 0.8, density.dimension)
    value, gradient = density.value_and_gradient(position)
    assert value == density.value(position)
    wanted = derivative(lambda u: density.value(u), position)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-7, atol=1e-8)
    values = density.constrain(position)
    np.testing.assert_allclose(density.constrain(density.unconstrain(values)), values, rtol=1e-9)


def test_the_log_density_with_a_group_is_the_sum_of_its_parts() -> None:
    """Hyper-priors, members given those, data given members: each by scipy, with the Jacobians."""
    density = levels(SEEN, [group("normal", "level", FIVE, {"mean": "typical", "sd": "spread"})], **PRIORS)
    values = np.array([0.7, 1.3, 1.0, 2.0, 0.0, -0.5, 2.5])
    wanted = stats.norm(1, 2).logpdf(0.7) + stats.halfnorm(scale=2).logpdf(1.3) + math.log(1.3)
    wanted += stats.norm(0.7, 1.3).logpdf(values[2:]).sum() + 5 * math.log(1.3)
    wanted += stats.norm(values[2:], 1).logpdf(SEEN).sum()
    assert density.value(density.unconstrain(values)) == pytest.approx(wanted, rel=1e-12)


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in SAMPLERS if name not in ("nuts", *BY_CHANCE)]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nuts", *OTHERS])
def test_regions_are_drawn_to_what_is_typical(sampler: str) -> None:
    """With known spreads the posterior is normal, and its mean and variance known in closed form."""
    density = levels(
        SEEN,
        [group("normal", "level", FIVE, {"mean": "typical", "sd": 1.5})],
        typical=PRIORS["typical"],
    )
    asked = Settings(sampler=sampler, chains=2, draws=1500, warmup=300, seed=4, cores=2)
    posterior = calibrate(density, asked)
    # Precision of (typical, levels): priors, members about the typical one, and data.
    precision = np.diag([1 / 4 + 5 / 2.25, *[1 / 2.25 + 1] * 5])
    precision[0, 1:] = precision[1:, 0] = -1 / 2.25
    covariance = np.linalg.inv(precision)
    mean = covariance @ np.array([1 / 4, *SEEN])
    for k, name in enumerate(density.free):
        draws = posterior.draws(name)
        assert draws.mean() == pytest.approx(mean[k], abs=0.12)
        assert draws.var() == pytest.approx(covariance[k, k], rel=0.15)


def test_draws_of_the_prior_follow_their_hyper_prior() -> None:
    """Each draw of the members goes with its own draw of the typical value and of the spread."""
    density = levels(SEEN, [group("normal", "level", FIVE, {"mean": "typical", "sd": "spread"})], **PRIORS)
    drawn = density.prior_values(np.random.default_rng(5), 4000)
    z = (drawn[:, 2:] - drawn[:, :1]) / drawn[:, 1:2]
    assert stats.kstest(z.ravel(), stats.norm().cdf).pvalue > 0.001


def test_a_start_for_a_sampler_is_a_draw_of_the_prior() -> None:
    """The same key gives values and their positions, also where a share is below the smallest number."""
    shares = group("dirichlet", "level", FIVE, {"concentration": 0.001})
    density = levels(SEEN, [shares])
    values, positions = (
        draw(np.random.default_rng(8), 300) for draw in (density.prior_values, density.prior_positions)
    )
    assert (values == 0).any()
    assert np.isfinite(positions).all()
    np.testing.assert_array_equal(density.constrain(positions), values)


@pytest.mark.slow
def test_walks_drawn_from_the_prior_are_covered_at_their_rate() -> None:
    """Of walks drawn from the prior, data from those, and intervals from the data, nine in ten hold the walk."""
    weeks = [str(k) for k in range(8)]
    names = tuple(f"level[{week}]" for week in weeks)
    key, inside, asked = np.random.default_rng(17), 0, 0
    for _ in range(12):
        walk = group("log_random_walk", "level", weeks, {"start": "first", "sigma": "step"})
        priors = {
            "first": Prior.of("log_normal", {"median": 30, "sigma": 0.5}),
            "step": Prior.of("half_normal", {"sd": 0.3}),
        }
        target = {"name": "seen", "output": "level", "weights": np.eye(8), "likelihood": "poisson"}
        blank = Target(observed=np.ones(8), **target)
        simulator = Linear(np.eye(8), names)
        believed = LogDensity(priors=priors, groups=[walk], simulator=simulator, targets=[blank])
        truth = believed.prior_values(key, 1)[0]
        seen = Target(observed=key.poisson(truth[2:]).astype(float), **target)
        density = LogDensity(priors=priors, groups=[walk], simulator=simulator, targets=[seen])
        posterior = calibrate(density, Settings(chains=2, draws=250, warmup=250, seed=3, cores=2))
        for name, value in zip(density.free, truth, strict=True):
            low, high = np.quantile(posterior.draws(name), [0.05, 0.95])
            inside, asked = inside + int(low <= value <= high), asked + 1
    # The ten values of a walk go together: as if there were about three of them.
    spread = math.sqrt(0.9 * 0.1 / (asked * 0.3))
    assert abs(inside / asked - 0.9) < 3 * spread


@pytest.mark.parametrize(
    ("family", "labels", "arguments", "code", "word"),
    [
        ("randomwalk", LABELS, {}, "C101", "random_walk"),
        ("random_walk", LABELS, {"start": 1}, "C102", "`sd`"),
        ("random_walk", LABELS, {"start": 1, "sd": 1, "sigma": 1}, "C102", "`sigma`"),
        ("random_walk", FIVE, {"start": 1, "sd": 0}, "C105", "`sd`"),
        ("log_random_walk", FIVE, {"start": -1, "sigma": 1}, "C105", "`start`"),
        ("random_walk", ["north"], {"start": 1, "sd": 1}, "C105", "Parameter.group"),
        ("random_walk", LABELS, {"start": 1, "sd": 1}, "C105", "no order"),
        ("spline", FIVE, {"start": 1, "sd": 1, "pieces": 5}, "C105", "fewer"),
        ("spline", FIVE, {"start": 1, "sd": 1, "pieces": 1.5}, "C105", "whole"),
        ("dirichlet", LABELS, {"concentration": 0}, "C105", "above 0"),
        ("dirichlet", LABELS, {"concentration": {"north": 1, "south": 1}}, "C105", "`east`"),
        ("dirichlet", LABELS, {"concentration": {"north": 1, "south": 1, "west": 1}}, "C105", "`west`"),
        (
            "multivariate_normal",
            LABELS,
            {"mean": 0, "sd": 1, "correlation": {"north": {"west": 0.2}}},
            "C105",
            "`west`",
        ),
        (
            "multivariate_normal",
            LABELS,
            {"mean": 0, "sd": 1, "correlation": {"north": {"south": 0.9, "east": -0.9}, "south": {"east": 0.9}}},
            "C105",
            "contradict",
        ),
    ],
)
def test_a_group_that_can_not_be_is_a_letter(
    family: str, labels: list[str], arguments: dict[str, Any], code: str, word: str
) -> None:
    """Too few members, labels that are none, correlations that contradict each other."""
    with pytest.raises(ModelworksError) as raised:
        group(family, "rate", labels, arguments)
    assert raised.value.codes[0] == code
    assert word in str(raised.value)


@pytest.mark.parametrize("family", ["log_random_walk", "logit_random_walk", "log_spline"])
def test_positions_far_out_are_impossible_and_not_an_error(family: str) -> None:
    """The first steps of a sampler may be enormous."""
    more = {"pieces": 2} if "spline" in family else {}
    walk = group(family, "level", FIVE, {"start": 0.5, "sigma": "spread", **more})
    density = levels(SEEN, [walk], spread=PRIORS["spread"])
    for u in (-1e6, -800.0, -200.0, 200.0, 800.0, 1e6):
        for coordinate in range(density.dimension):
            position = np.full(density.dimension, 0.3)
            position[coordinate] = u
            value, gradient = density.value_and_gradient(position)
            assert value < 0
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("arguments", "priors", "word"),
    [
        ({"mean": "typicle", "sd": 1.0}, PRIORS, "did you mean `typical`"),
        ({"mean": "level[0]", "sd": 1.0}, PRIORS, "of its own"),
        ({"mean": "typical", "sd": "typical"}, PRIORS, "must lie between 0 and inf"),
    ],
)
def test_an_argument_that_is_no_such_parameter_is_a_letter(
    arguments: dict[str, Any], priors: dict[str, Prior], word: str
) -> None:
    """A misspelt name, a member of the group itself, a spread that may be negative."""
    with pytest.raises(ModelworksError) as raised:
        levels(SEEN, [group("normal", "level", FIVE, arguments)], **priors)
    assert "C106" in raised.value.codes
    assert word in str(raised.value)
