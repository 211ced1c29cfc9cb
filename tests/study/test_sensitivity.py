"""Sensitivity of a study's named numbers, against a model with a closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.study import sensitivity

Decay = Callable[..., Path]
DAYS = "start: 2021-01-01, end: 2021-02-01, every: 1"


def test_a_tornado_is_the_number_at_the_ends_of_a_prior(study: Path) -> None:
    """The school's days in bed are one over the recovery rate; the contact rate has no part in them."""
    found = sensitivity(study, "days_ill", quiet=True)
    assert list(found.table["parameter"]) == ["recovery_rate", "contact_rate"]
    first = found.table.iloc[0]
    np.testing.assert_allclose(first["at_low"], 1 / first["low"])
    np.testing.assert_allclose(first["at_high"], 1 / first["high"])
    assert found.table["at_low"][1] == found.table["at_high"][1] == pytest.approx(found.middle)
    assert found.figure().svg.startswith("<svg")


@pytest.mark.parametrize(("method", "runs", "said"), [("prcc", 60, 120), ("sobol", 32, 256)])
def test_runs_of_the_model_tell_what_moves_an_output(study: Path, method: str, runs: int, said: int) -> None:
    """Two scenarios for each row; boys that are spared by halving contacts."""
    found = sensitivity(study, "spared", method=method, runs=runs, quiet=True)  # type: ignore[arg-type]
    assert found.runs == said
    assert set(found.table["parameter"]) == {"contact_rate", "recovery_rate"}
    assert found.figure().svg.startswith("<svg")
    again = sensitivity(study, "spared", method=method, runs=runs, quiet=True)  # type: ignore[arg-type]
    assert again.table.equals(found.table)


@pytest.mark.parametrize("name", [None, "days_il"])
def test_a_quantity_that_is_not_there_is_a_letter(study: Path, name: str | None) -> None:
    with pytest.raises(ModelworksError) as raised:
        sensitivity(study, name, quiet=True)
    assert raised.value.codes == ("Y511",)


def test_a_study_that_knows_everything_is_a_letter(tmp_path: Path, decay: Decay) -> None:
    folder = decay(tmp_path, DAYS, more="quantities:\n  asked: {output: left, statistic: sum}\n")
    known = (
        (folder / "parameters.yaml")
        .read_text("utf-8")
        .replace("prior: {log_normal: {median: 0.1, sigma: 0.2}}", "value: 0.1")
    )
    (folder / "parameters.yaml").write_text(known, encoding="utf-8")
    with pytest.raises(ModelworksError) as raised:
        sensitivity(folder, quiet=True)
    assert raised.value.codes == ("Y512",)


@pytest.mark.slow
def test_over_the_posterior_ends_are_those_of_its_draws(quick: Path) -> None:
    """What the data said of the rate leaves less to move the days in bed."""
    before, after = (sensitivity(quick, "days_ill", over=over, quiet=True) for over in ("prior", "posterior"))  # type: ignore[arg-type]
    widths = [each.table["high"][0] - each.table["low"][0] for each in (before, after)]
    assert widths[1] < widths[0] / 5
