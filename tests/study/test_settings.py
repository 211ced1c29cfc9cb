"""How what a study says of its calibration becomes what is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from modelworks.calibration import Enough
from modelworks.inputs.study_file import CalibrationSettings
from modelworks.study.stages import MOST_DRAWS, settings_of

TARGET = Enough()


@pytest.mark.parametrize(
    ("said", "draws", "enough"),
    [
        ({}, MOST_DRAWS, TARGET),
        ({"sampler": "demcz"}, MOST_DRAWS, TARGET),
        ({"draws": 600}, 600, None),
        ({"draws": 600, "r_hat": 1.02}, 600, Enough(r_hat=1.02)),
        ({"effective_draws": 1000}, MOST_DRAWS, Enough(effective_draws=1000)),
        ({"sampler": "smc"}, 1000, None),
        ({"sampler": "laplace_is", "draws": 50}, 50, None),
    ],
)
def test_chains_end_when_there_are_enough_unless_a_number_is_asked_for(
    said: dict[str, Any], draws: int, enough: Enough | None
) -> None:
    """Who says how many gets so many; who says nothing gets as many as are needed."""
    settings = settings_of(CalibrationSettings(**said), 3, None)
    assert (settings.draws, settings.enough, settings.seed) == (draws, enough, 3)
