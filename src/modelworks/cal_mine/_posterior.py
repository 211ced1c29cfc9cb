"""The posterior in ArviZ's layout, kept as NetCDF that ArviZ itself reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

GROUPS = (
    "posterior",
    "sample_stats",
    "log_likelihood",
    "posterior_predictive",
    "prior",
    "prior_predictive",
    "observed_data",
)


@dataclass(frozen=True)
class Posterior:
    """Draws and what is needed to judge them; each group is an xarray Dataset with dimensions chain, draw, …"""

    groups: Mapping[str, xr.Dataset]
    attributes: Mapping[str, Any]

    def draws(self, name: str) -> Array:
        """A parameter's draws, shape (chain, draw)."""
        return np.asarray(self.groups["posterior"][name].to_numpy(), dtype=float)

    def prior(self, name: str) -> Array:
        """Draws of a parameter's prior, shape (draw,)."""
        return np.asarray(self.groups["prior"][name].to_numpy(), dtype=float).reshape(-1)

    def sample_stats_arrays(self) -> dict[str, NDArray[Any]]:
        """What the sampler told of each draw, each (chain, draw)."""
        return {str(name): each.to_numpy() for name, each in self.groups["sample_stats"].data_vars.items()}

    def predictive(self) -> dict[str, Array]:
        """New observations of each target, shape (sample, point)."""
        return self._by_sample("posterior_predictive")

    def log_likelihood(self) -> dict[str, Array]:
        """Of each target, the log likelihood of every point, shape (sample, point)."""
        return self._by_sample("log_likelihood")

    def observed(self) -> dict[str, Array]:
        """What was observed of each target, shape (point,)."""
        return {str(name): each.to_numpy() for name, each in self.groups["observed_data"].data_vars.items()}

    def _by_sample(self, group: str) -> dict[str, Array]:
        found = {}
        for name, each in self.groups[group].data_vars.items():
            values = np.asarray(each.to_numpy(), dtype=float)
            found[str(name)] = values.reshape(-1, values.shape[-1])
        return found

    def to_netcdf(self, path: Path) -> None:
        """One file, a group for each Dataset."""
        for position, (name, group) in enumerate(self.groups.items()):
            stored = group.assign_attrs(modelworks=json.dumps(self.attributes, sort_keys=True))
            booleans = {str(n): v.astype("int8") for n, v in stored.data_vars.items() if v.dtype == bool}
            stored = stored.assign(booleans)
            stored.to_netcdf(path, mode="w" if position == 0 else "a", group=name, engine="h5netcdf")

    @staticmethod
    def read(path: Path) -> Posterior:
        """The posterior a file holds, in memory; the file is closed again."""
        import xarray as xr

        groups = {}
        for name in GROUPS:
            with xr.open_dataset(path, group=name, engine="h5netcdf") as opened:
                groups[name] = opened.load()
        attributes = json.loads(groups["posterior"].attrs["modelworks"])
        if "diverging" in groups["sample_stats"]:
            stats = groups["sample_stats"]
            groups["sample_stats"] = stats.assign(diverging=stats["diverging"].astype(bool))
        return Posterior(groups, attributes)
