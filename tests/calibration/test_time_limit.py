"""A calibration whose time is up gives the draws it has, and goes on with the same when there is more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.calibration.test_calibrate import BlackBox, density
from tests.calibration.test_guided import NORMAL, draw

from modelworks.calibration import Enough, LogDensity, Posterior, Settings, calibrate
from modelworks.calibration._memory import Remembered
from modelworks.errors import ModelworksError
from modelworks.runs import Ledger

ASKED = {"chains": 2, "draws": 300, "warmup": 60, "seed": 11}
SOON = {"nuts": 2500, "demcz": 3000, "auto": 3200}


def after(number: int) -> Callable[[], bool]:
    """An alarm that goes off when so many runs of the model were asked for."""
    left = iter(range(number))
    return lambda: next(left, None) is None


def target(sampler: str) -> LogDensity:
    return density(BlackBox() if sampler in ("demcz", "sbi") else None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "cores"),
    [("nuts", 2), *(pytest.param(*each, marks=pytest.mark.slow) for each in [("demcz", 1), ("auto", 2), ("auto", 1)])],
)
def test_the_draws_there_are_by_then_are_kept(sampler: str, cores: int) -> None:
    """They are the first of those there would be, and it is said."""
    settings = Settings(sampler, cores=cores, **ASKED)
    whole = calibrate(target(sampler), settings)
    found = calibrate(target(sampler), settings, time_is_up=after(SOON[sampler]))
    said = found.attributes
    number = said["draws"]
    assert 4 <= number < 300
    assert said["stopped"].startswith(f"stopped by the time limit after {number} of 300 draws of ")
    assert any("goes on" in each for each in said["warnings"])
    for name in found.parameters:
        kept = found.draws(name)
        # Chains that had not come so far are left out.
        assert all(any((chain == other[:number]).all() for other in whole.draws(name)) for chain in kept)


def test_without_time_to_confirm_a_first_answer_it_is_the_answer() -> None:
    """With its warrant, and with the word that it was not confirmed."""
    limited = Remembered(NORMAL, None, after(2500))
    found = draw(limited, warmup=5000)
    said = found.notes
    assert said["sampler"] == "laplace_is"
    assert said["is_short"]
    assert "no time to confirm" in said["why"]
    assert not said["first_answer"]["is_confirmed"]
    for k, mean in enumerate(said["first_answer"]["mean"].values()):
        values = found.positions[..., k]
        assert values.mean() == pytest.approx(mean, abs=0.1 * values.std())


def test_abc_gives_the_generation_it_has_come_to() -> None:
    """Wider than it will be, and it is said; where not even the first is whole, it is a letter."""
    settings = Settings("abc", cores=1, **ASKED)
    found = calibrate(target("demcz"), settings, time_is_up=after(3500))
    said = found.attributes
    assert said["is_short"]
    assert said["stopped"].startswith("stopped by the time limit after 2 generations, at a distance of ")
    with pytest.raises(ModelworksError) as raised:
        calibrate(target("demcz"), settings, time_is_up=after(1500))
    assert raised.value.codes == ("C510",)


@pytest.mark.parametrize(
    "sampler", ["demcz", *(pytest.param(n, marks=pytest.mark.slow) for n in ("nuts", "smc", "auto", "sbi"))]
)
def test_without_any_draw_it_is_a_letter(sampler: str) -> None:
    with pytest.raises(ModelworksError) as raised:
        calibrate(target(sampler), Settings(sampler, cores=1, **ASKED), time_is_up=after(300))
    assert raised.value.codes == ("C510",)


@pytest.mark.slow
def test_with_more_time_it_is_as_without_a_limit(tmp_path: Path) -> None:
    """However often the time was up: what is remembered costs none."""
    settings = Settings("demcz", cores=1, enough=Enough(effective_draws=60, r_hat=1.1), **ASKED)
    found: Posterior | None = None
    for _ in range(20):
        with Ledger(tmp_path / "a.ledger") as ledger:
            try:
                found = calibrate(target("demcz"), settings, None, ledger, after(900))
            except ModelworksError:
                continue
        if not found.attributes.get("is_short"):
            break
    whole = calibrate(target("demcz"), settings)
    assert found is not None
    assert found.attributes == whole.attributes
    for name in whole.parameters:
        np.testing.assert_array_equal(found.draws(name), whole.draws(name))
