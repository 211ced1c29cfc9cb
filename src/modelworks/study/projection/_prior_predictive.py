"""What the priors alone foresee of the data, before anything is calibrated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import Letter, counted
from modelworks.report import words
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._observations import Observations
from modelworks.study.projection._projection import at_observations, predicted

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.plots import Figure
    from modelworks.runs import Progress

Array = NDArray[np.float64]

# Each is a run of the model. Of as many draws from what made the data, one point in a hundred and fifty lies outside.
DRAWS = 300
# Which branch of the study's seed they come from.
PRIOR_DRAWS = 8

EXPECTED, NEW, SAID = "prior_expected.parquet", "prior_predictive.parquet", "prior.json"


@dataclass(frozen=True)
class Foreseen:
    """Quantiles at every observation of what the model expects and of new observations, over draws of the priors.

    `letters` tell of each target that no draw comes near; `failed` is how many runs left what is possible.
    """

    expected: pd.DataFrame
    new: pd.DataFrame
    letters: tuple[Letter, ...]
    failed: int

    def write(self, folder: Path) -> None:
        self.expected.to_parquet(folder / EXPECTED, index=False)
        self.new.to_parquet(folder / NEW, index=False)
        said = {"draws": DRAWS, "failed": self.failed, "letters": [each.as_dict() for each in self.letters]}
        (folder / SAID).write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def foresee(study: BoundStudy, progress: Progress, cores: int | None) -> Foreseen | None:
    """Runs with draws of the priors held against the data; None where there is no target, no prior or no run."""
    if not study.observations or not study.free:
        return None
    key = np.random.default_rng([study.inputs.study.calibration.seed, PRIOR_DRAWS])
    found = predicted(study, study.prior_draws(key, DRAWS), progress, cores)
    if not len(found.values):
        # Whoever asked is told where the run at the middle of the priors fails, or where calibration begins.
        return None
    new = found.observations(key)
    letters = [
        letter for each, values in zip(study.observations, new, strict=True) for letter in _beyond(study, each, values)
    ]
    return Foreseen(at_observations(study, found.expected()), at_observations(study, new), tuple(letters), found.failed)


def _beyond(study: BoundStudy, observed: Observations, foreseen: Array) -> Iterator[Letter]:
    """A letter where observations lie outside every draw (draw, point); it names the one farthest out."""
    low, high = foreseen.min(axis=0), foreseen.max(axis=0)
    # Of what is only known to lie below a limit, nothing is foreseen too low.
    gap = np.maximum(low - observed.values, np.where(observed.limited, -np.inf, observed.values - high))
    outside = np.flatnonzero(gap > 0)
    if not outside.size:
        return
    entry = observed.entry
    worst = int(outside[np.argmax((gap / np.maximum(high - low, np.finfo(float).tiny))[outside])])
    others = f", and so it is with {counted(outside.size - 1, 'other value')}" if outside.size > 1 else ""
    yield Letter(
        "T209",
        f"the priors can not foresee what the target `{observed.names[worst]}` saw on {observed.dates[worst]}: "
        f"{'below ' if observed.limited[worst] else ''}{words.rounded(observed.values[worst])} {entry.unit}, "
        f"where {len(foreseen)} draws of them range from "
        f"{words.rounded(low[worst])} to {words.rounded(high[worst])}{others}",
        "look for a wrong unit, date or number of zeros in the data; then widen the priors on which the target depends",
        *entry.at("values", "dataset"),
    )


def letters_of(folder: Path) -> list[Letter]:
    """What the stage in this folder had to say."""
    file = folder / SAID
    if not file.is_file():
        return []
    return [Letter(**each) for each in json.loads(file.read_text(encoding="utf-8"))["letters"]]


def figure_of(folder: Path, observed: pd.DataFrame, labels: dict[str, str]) -> Figure | None:
    """What was foreseen beside what was seen."""
    import pandas as pd

    from modelworks import plots

    if not (folder / EXPECTED).is_file():
        return None
    expected, new = (pd.read_parquet(folder / name) for name in (EXPECTED, NEW))
    return plots.figure("prior_predictive")(expected, observed, new, labels=labels)
