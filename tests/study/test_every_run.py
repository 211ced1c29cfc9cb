"""Runs of scenarios in parts, each by itself: to the last bit those of all at once, however a model runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from modelworks.runs import Progress
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.binding._questions import projection_times
from modelworks.study.binding._scaled import Scaled
from modelworks.study.projection._every_run import Share, every_run
from modelworks.study.projection._projection import predicted
from modelworks.study.projection._scenario_runs import all_prepared

Array = NDArray[np.float64]
DRAWS = 300
DAYS = "start: 2021-01-01, end: 2021-01-20, every: 1"
ASKED = """
scenarios:
  baseline: {title: As it is}
  fast: {title: Faster, parameters: {rate: {multiply: 3}}}
quantities:
  all: {title: Who left, output: left, statistic: sum, scenario: fast, minus: baseline, to: 2021-01-12}
  daily: {title: Each day, output: left, statistic: mean, scenario: fast, minus: baseline, to: 2021-01-12}
"""
# Whole people by the day, from a function that is called for each draw.
FUNCTION = """
import numpy as np
from modelworks.model import FunctionModel, FunctionOutput, Parameter


def simulate(values, times, key):
    left = key.poisson(values["rate"] * values["first"] * np.exp(-values["rate"] * times))
    left[0] = 0
    return {"left": left, "here": values["first"] - np.cumsum(left)}


model = FunctionModel(
    "decay",
    simulate,
    [Parameter("rate", "per day", lower=0), Parameter("first", "people", lower=0), Parameter("share", "proportion")],
    {"left": FunctionOutput("people", counts_events=True), "here": FunctionOutput("people")},
)
"""


class InParts:
    """Another machine, which does the parts of all shares one by one, the last first."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parts = folder, 0

    def results(self, work: Callable[..., Array], shares: Mapping[str, Share], progress: Progress) -> dict[str, Array]:
        return {name: self._result(work, share) for name, share in shares.items()}

    def _result(self, work: Callable[..., Array], share: Share) -> Array:
        size, number = share.together, len(share.rows)
        found = [
            work(str(self.folder), *share.named, number, first, share.rows[first : first + size])
            for first in reversed(range(0, number, size))
        ]
        self.parts += len(found)
        return np.concatenate(found[::-1])

    def forget(self) -> None:
        self.parts = 0


def prepared(study: BoundStudy) -> dict[str, tuple[Scaled, Array]]:
    draws = study.prior_draws(np.random.default_rng(4), DRAWS)
    return all_prepared(study, ("baseline", "fast"), projection_times(study.inputs, study.calendar), draws)


@pytest.mark.parametrize("runs", ["on average", "by chance", "a function"])
def test_parts_are_those_of_all_at_once(runs: str, tmp_path: Path, decay: Callable[..., Path]) -> None:
    time = DAYS + (", solver: chain_binomial" if runs == "by chance" else "")
    folder = decay(tmp_path, time, more=ASKED)
    if runs == "a function":
        (tmp_path / "models" / "decay.py").write_text(FUNCTION, encoding="utf-8")
    study, progress = bind(folder), Progress(quiet=True)
    made, machine = prepared(study), InParts(folder)
    for asked in (None, *study.inputs.study.quantities.values()):
        here = every_run(study, made, 2, progress, asked=asked)
        there = every_run(study, made, 2, progress, machine, asked)
        assert here.keys() == there.keys()
        for name, values in here.items():
            np.testing.assert_array_equal(there[name], values)
    assert machine.parts > 8
    assert not np.array_equal(here["baseline"], here["fast"])
    draws = study.prior_draws(np.random.default_rng(5), DRAWS)
    beside, again = (
        predicted(study, draws, progress, 2, are_posterior=True, elsewhere=each) for each in (None, machine)
    )
    assert beside.failed == again.failed == 0
    for one, other in zip(beside.predicted, again.predicted, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
