"""The reproduction number from incidence, against EpiEstim and closed forms."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from modelworks.calibration import reproduction_numbers, serial_interval
from modelworks.errors import ModelworksError


def column(references: Path, name: str, of: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    with (references.parent / "data" / f"outbreak_epiestim_{name}.csv").open() as file:
        return np.array([float(row[of]) for row in csv.DictReader(file) if row["outbreak"] == "Flu2009"])


def test_the_reproduction_number_is_that_of_epiestim(references: Path) -> None:
    """An influenza outbreak in a school in 2009, in windows of a week."""
    expected = json.loads((references / "epiestim_rt.json").read_text())["results"]["Flu2009"]
    cases, shares = column(references, "incidence", "incidence"), column(references, "serial_interval", "probability")
    found = reproduction_numbers(cases, shares, window=7)
    np.testing.assert_array_equal(found.first + 1, expected["t_start"])
    np.testing.assert_array_equal(found.last + 1, expected["t_end"])
    for name, values in {
        "mean": found.mean,
        "sd": found.sd,
        "q025": found.quantile(0.025),
        "median": found.quantile(0.5),
        "q975": found.quantile(0.975),
    }.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, err_msg=name)


def test_the_serial_interval_is_that_of_epiestim(references: Path) -> None:
    expected = json.loads((references / "epiestim_rt.json").read_text())["results"]["discr_si"]
    found = serial_interval(expected["mu"], expected["sigma"], 14)
    np.testing.assert_allclose(found, expected["p"], atol=1e-10)


@pytest.mark.parametrize(("mean", "sd"), [(2.6, 1.5), (14.2, 9.6), (1.5, 3.0)])
def test_a_serial_interval_keeps_its_mean(mean: float, sd: float) -> None:
    """Even within days at both ends adds nothing to the mean; what is cut off at a day adds little."""
    shares = serial_interval(mean, sd)
    assert shares.sum() == pytest.approx(1, abs=1e-8)
    assert shares @ np.arange(shares.size) == pytest.approx(mean, rel=1e-6)


def test_steady_growth_is_found() -> None:
    """Lotka's equation: with counts growing by a factor g a day, 1 / R = sum of w g^-s."""
    shares = serial_interval(3.0, 1.0)
    growth = 1.05
    cases = 1e6 * growth ** np.arange(60)
    expected = 1 / (shares @ growth ** -np.arange(float(shares.size)))
    found = reproduction_numbers(cases, shares)
    assert found.mean[-1] == pytest.approx(expected, rel=1e-4)
    assert found.above_one()[-1] == pytest.approx(1)


def test_above_one_is_the_gammas_tail() -> None:
    found = reproduction_numbers([3.0, 4, 5, 3, 6, 4, 2, 3], serial_interval(2.6, 1.5), window=3)
    np.testing.assert_allclose(found.above_one(), stats.gamma(found.shape, scale=found.scale).sf(1), rtol=1e-12)


@pytest.mark.parametrize(
    ("cases", "shares", "code"),
    [
        ([1.0, 2, 3], [0.5, 0.5], "C701"),
        ([1.0, 2, 3], [0.0, 0.5], "C701"),
        ([1.0, -2, 3], [0.0, 1.0], "C702"),
        ([1.0, np.nan, 3], [0.0, 1.0], "C702"),
        ([1.0, 2, 3], [0.0, 1.0], "C703"),
    ],
)
def test_what_can_not_be_is_a_letter(cases: list[float], shares: list[float], code: str) -> None:
    with pytest.raises(ModelworksError) as raised:
        reproduction_numbers(cases, shares, window=3)
    assert raised.value.codes == (code,)


def test_a_serial_interval_below_a_day_is_a_letter() -> None:
    with pytest.raises(ModelworksError) as raised:
        serial_interval(0.5, 1.0)
    assert raised.value.codes == ("C701",)
