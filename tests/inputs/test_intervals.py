"""A prior stated by an interval is the one of its family that has the interval, by scipy's quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from modelworks.errors import Letters, ModelworksError
from modelworks.inputs._fields import Fields
from modelworks.inputs._intervals import SCALES, SOLVE, arguments_of
from modelworks.inputs._yaml import read_mapping
from modelworks.inputs.groups import GroupEntry
from modelworks.inputs.priors import PriorEntry, read_prior


def _log_uniform(a: dict[str, float]) -> Any:
    return stats.loguniform(a["lower"], a["upper"])


def _logit_normal(a: dict[str, float], shares: Any) -> Any:
    return special.expit(stats.norm(special.logit(a["median"]), a["sigma"]).ppf(shares))


QUANTILES = {
    "normal": lambda a, p: stats.norm(a["mean"], a["sd"]).ppf(p),
    "log_normal": lambda a, p: stats.lognorm(a["sigma"], scale=a["median"]).ppf(p),
    "logit_normal": _logit_normal,
    "cauchy": lambda a, p: stats.cauchy(a["location"], a["scale"]).ppf(p),
    "uniform": lambda a, p: stats.uniform(a["lower"], a["upper"] - a["lower"]).ppf(p),
    "log_uniform": lambda a, p: _log_uniform(a).ppf(p),
    "beta": lambda a, p: stats.beta(a["a"], a["b"]).ppf(p),
    "gamma": lambda a, p: stats.gamma((a["mean"] / a["sd"]) ** 2, scale=a["sd"] ** 2 / a["mean"]).ppf(p),
}
ONE_SIDED = {
    "half_normal": lambda a, p: stats.halfnorm(scale=a["sd"]).ppf(p),
    "half_cauchy": lambda a, p: stats.halfcauchy(scale=a["scale"]).ppf(p),
    "exponential": lambda a, p: stats.expon(scale=a["mean"]).ppf(p),
}


@given(
    family=st.sampled_from(sorted(QUANTILES)),
    share=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]),
    low=st.floats(0.01, 0.9),
    width=st.floats(0.02, 0.98),
)
def test_the_share_asked_for_lies_in_the_interval(family: str, share: float, low: float, width: float) -> None:
    """Whatever the family: 95% between 3 and 7 leaves 2.5% below 3 and 2.5% above 7."""
    high = low + width * (0.999 - low)
    found = QUANTILES[family](arguments_of(family, share, low, high), [(1 - share) / 2, (1 + share) / 2])
    np.testing.assert_allclose(found, [low, high], rtol=1e-7)


@pytest.mark.parametrize("family", sorted(ONE_SIDED))
def test_a_scale_is_stated_from_zero(family: str) -> None:
    """95% between 0 and 0.5: nothing lies below 0, so 5% lie above 0.5."""
    assert ONE_SIDED[family](arguments_of(family, 0.95, 0.0, 0.5), 0.95) == pytest.approx(0.5, rel=1e-12)


def test_every_family_that_can_be_stated_so_is_tested() -> None:
    """The tables above leave none out."""
    assert (set(QUANTILES), set(ONE_SIDED)) == (set(SOLVE), set(SCALES))


@pytest.mark.parametrize(
    ("family", "low", "high"),
    [("beta", 0.2, 1.0), ("beta", -0.1, 0.5), ("gamma", 0.0, 2.0), ("gamma", 3.0, 3.0), ("logit_normal", 0.5, 1.5)],
)
def test_an_interval_outside_the_family_is_a_letter(family: str, low: float, high: float) -> None:
    """A proportion above one, an interval without width."""
    with pytest.raises(ModelworksError, match="can not have 95%") as raised:
        arguments_of(family, 0.95, low, high)
    assert raised.value.codes == ("P117",)


@pytest.mark.parametrize(
    ("text", "family", "stated"),
    [
        ("{log_normal: {95%: 1 to 4}}", "log_normal", "95% between 1 and 4"),
        ("{log_normal: {90%: between 1 and 4}}", "log_normal", "90% between 1 and 4"),
        ("{gamma: 1 to 4}", "gamma", "95% between 1 and 4"),
        ("{normal: -1..4}", "normal", "95% between -1 and 4"),
        ("{uniform: 1 to 4}", "uniform", ""),
    ],
)
def test_an_interval_may_be_written_as_it_is_said(text: str, family: str, stated: str) -> None:
    """It is the prior that its two numbers in a list give; a uniform one ends where the interval does."""
    found, letters = read(text)
    assert not letters
    assert found is not None
    assert (found.family, found.stated) == (family, stated)
    if family == "uniform":
        assert dict(found.arguments) == {"lower": 1.0, "upper": 4.0}
        return
    share, low = (0.9 if "90%" in text else 0.95), (-1.0 if family == "normal" else 1.0)
    assert dict(found.arguments) == arguments_of(family, share, low, 4.0)


def read(text: str) -> tuple[PriorEntry | GroupEntry | None, Letters]:
    letters = Letters()
    node = read_mapping(f"prior: {text}\n".encode(), "parameters.yaml", letters)
    assert node is not None
    return read_prior(Fields(node, letters, "the parameter `rate`")), letters
