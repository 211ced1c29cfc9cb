"""Simulated studies, calibrated: kept when done, even when all is right, refused when nothing can be simulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.study import SimulatedCalibration, sbc
from modelworks.study.inquiries._sbc import RANKED

Decay = Callable[..., Path]
DAYS = "start: 2021-01-01, end: 2021-02-01, every: 1"
CALIBRATION = "calibration: {sampler: nuts, chains: 2, draws: 200, warmup: 150}\n"


@pytest.mark.slow
def test_what_is_done_is_kept_and_more_can_be_asked_for(tmp_path: Path, decay: Decay) -> None:
    """A sound model: the truth ranks evenly, and the first studies are those of before."""
    folder = decay(tmp_path, DAYS, more=CALIBRATION)
    first = sbc(folder, 3, quiet=True)
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob(".modelworks/sbc/*/*.json")}
    assert len(files) == 3
    more = sbc(folder, 24, quiet=True)
    np.testing.assert_array_equal(more.ranks["rate"][:3], first.ranks["rate"])
    now = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob(".modelworks/sbc/*/*.json")}
    assert {name: now[name] for name in files} == files
    assert more.verdict == "fine"
    assert "evenly among the draws of 24 simulated studies" in more.sentences()[0]
    assert more.figure().svg.startswith("<svg")


def test_a_weighted_target_has_no_data_to_simulate(tmp_path: Path, decay: Decay) -> None:
    folder = decay(tmp_path, DAYS)
    file = folder / "targets.yaml"
    file.write_text(file.read_text("utf-8") + "  weight: 0.5\n  why: a test\n", encoding="utf-8")
    with pytest.raises(ModelworksError) as raised:
        sbc(folder, 2, quiet=True)
    assert raised.value.codes == ("Y531",)


def test_words_say_how_draws_are_wrong() -> None:
    """The truth always in the tails, or always above."""
    from modelworks.calibration import uniformity

    key = np.random.default_rng(1)
    for ranks, words in (([0, RANKED] * 20, "too narrow"), ([50] * 40, "too wide"), ([90] * 40, "too low")):
        found = SimulatedCalibration("s", {"x": np.array(ranks)}, {"x": uniformity(ranks, RANKED, key)}, 0)
        assert found.verdict == "stop"
        assert words in found.sentences()[1]
