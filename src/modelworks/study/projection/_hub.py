"""Forecasts for a hub: new observations of the targets on days to come, draw by draw."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from modelworks.calibration import Posterior
from modelworks.inputs import Hub
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._hub_points import points_of
from modelworks.study.projection._projection import predicted, thinned_draws

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.runs import Progress
    from modelworks.study.stages import Work

# Enough for the 1% quantile.
DRAWS = 1000
# Which branch of the study's seed they come from.
BRANCH = 11


def write(work: Work) -> None:
    """The forecasts of a study that hands any to a hub, and under which names."""
    hub = work.study.inputs.study.hub
    if hub is None:
        return
    table = forecasts(work.study, hub, work.posterior(), work.progress, work.cores)
    table.to_parquet(work.folder / "forecasts.parquet", index=False)
    told = {name: getattr(hub, name) for name in ("model_id", "location", "columns", "levels", "samples")}
    work.write_json("forecasts.json", {**told, "reference_date": hub.reference_date.isoformat()})


def forecasts(study: BoundStudy, hub: Hub, posterior: Posterior, progress: Progress, cores: int | None) -> pd.DataFrame:
    """Draws of new observations: target (the hub's name), horizon, date, draw, value.

    The same draw is the same posterior sample at every horizon, so that each draw of a target is a trajectory.
    """
    import pandas as pd

    known = {each.entry.name: each for each in study.observations}
    asked = [points_of(known[ours], hub, study.calendar) for ours in hub.targets.values()]
    beyond = dataclasses.replace(study, observations=tuple(asked))
    draws = thinned_draws(study, posterior, DRAWS)
    key = np.random.default_rng([study.inputs.study.calibration.seed, BRANCH])
    found = predicted(beyond, draws, progress, cores).observations(key)
    parts = [
        pd.DataFrame({"target": theirs, "horizon": horizon, "date": hub.day(horizon), "value": values[:, k]})
        for theirs, values in zip(hub.targets, found, strict=True)
        for k, horizon in enumerate(hub.horizons)
    ]
    return pd.concat([part.rename_axis("draw").reset_index() for part in parts], ignore_index=True)
