"""What a calibration found, in ArviZ's layout, in memory and on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail, near

if TYPE_CHECKING:
    import xarray

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
# NetCDF attributes are text and numbers; ours, which are nested, are kept as JSON under one name.
RECORD = "modelworks"


@dataclass(frozen=True, slots=True)
class Posterior:
    """Draws of the parameters, with all that is needed to judge them.

    `groups` are xarray Datasets named as ArviZ names them, with dimensions chain, draw and, for each
    target, its points; a target's point is its observation's number. Log likelihoods are zero where
    nothing was observed. `attributes` are plain values: the sampler and why, the seed, failed runs, warnings.
    """

    groups: Mapping[str, xarray.Dataset]
    attributes: Mapping[str, Any]

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.groups["posterior"].data_vars)

    @property
    def by_distance(self) -> bool:
        """Whether draws came by how near simulated data are, and not by the log likelihoods that stand beside them."""
        return "distance" in self.groups["sample_stats"].data_vars

    def draws(self, name: str) -> Array:
        """The draws of one parameter, shape (chain, draw)."""
        return self._array("posterior", name)

    def prior(self, name: str) -> Array:
        """Independent draws of its prior, shape (draw,)."""
        return self._array("prior", name).reshape(-1)

    def sample_stats_arrays(self) -> dict[str, NDArray[Any]]:
        """The sampler's statistics by name, each (chain, draw)."""
        return {str(name): each.to_numpy() for name, each in self.groups["sample_stats"].data_vars.items()}

    def predictive(self) -> dict[str, Array]:
        """By target, new observations at every point, one for each draw, shape (sample, point)."""
        return self._flat("posterior_predictive")

    def prior_predictive(self) -> dict[str, Array]:
        """By target, what one would have expected to observe before the data, shape (sample, point)."""
        return self._flat("prior_predictive")

    def log_likelihood(self) -> dict[str, Array]:
        """By target, the log likelihood of each observation under each draw, shape (sample, point)."""
        return self._flat("log_likelihood")

    def observed(self) -> dict[str, Array]:
        """By target, the observations, shape (point,); NaN where there is none."""
        return {str(name): each.to_numpy() for name, each in self.groups["observed_data"].data_vars.items()}

    def to_netcdf(self, path: Path | str) -> None:
        """Write every group into one file that ArviZ reads. The same posterior gives the same bytes."""
        import h5netcdf
        from xarray.backends import H5NetCDFStore

        # The file is opened here, once: xarray would open it for every group, and ask Dask's cluster for a lock.
        with h5netcdf.File(str(path), "w") as file:
            file.attrs[RECORD] = json.dumps(self.attributes, sort_keys=True, ensure_ascii=False)
            for name, group in self.groups.items():
                encoding = {str(each): {"zlib": True, "shuffle": True, "complevel": 4} for each in group.data_vars}
                group.dump_to_store(H5NetCDFStore(file, name, mode="a"), encoding=encoding)

    @classmethod
    def read(cls, path: Path | str) -> Posterior:
        """Read what `to_netcdf` wrote.

        Raises
        ------
        ModelworksError
            C601, for a file that is not there, is damaged, or is of another kind.
        """
        import h5netcdf
        import xarray
        from xarray.backends import H5NetCDFStore

        try:
            with h5netcdf.File(str(path), "r") as file:
                attributes = json.loads(file.attrs[RECORD])
                groups = {name: xarray.open_dataset(H5NetCDFStore(file, name, mode="r")).load() for name in GROUPS}
        except (OSError, KeyError, ValueError) as error:
            fail(
                "C601",
                f"`{Path(path).name}` can not be read as a posterior: {error}",
                hint="calibrate again; if the file came from elsewhere, it may not have arrived whole",
                file=str(path),
            )
        return cls(groups, attributes)

    @classmethod
    def read_once(cls, path: Path | str) -> Posterior:
        """The same, but the last file that was read so is not read again while it is the same, under whatever name.

        Several are given it, so it is not to be changed.
        """
        try:
            told = Path(path).stat()
        except OSError:
            return cls.read(path)
        mark = told.st_dev, told.st_ino, told.st_mtime_ns, told.st_size
        found = _LAST.get(mark)
        if found is None:
            found = cls.read(path)
            _LAST.clear()
            _LAST[mark] = found
        return found

    def _array(self, group: str, name: str) -> Array:
        dataset = self.groups[group]
        if name not in dataset.data_vars:
            fail(
                "C602",
                f"the posterior has no parameter `{name}`",
                hint=near(name, [str(each) for each in dataset.data_vars]),
            )
        return np.asarray(dataset[name].to_numpy(), dtype=np.float64)

    def _flat(self, group: str) -> dict[str, Array]:
        found = {}
        for name, each in self.groups[group].data_vars.items():
            values = np.asarray(each.to_numpy(), dtype=np.float64)
            found[str(name)] = values.reshape(-1, values.shape[-1])
        return found


# By the marks of its file; one at most.
_LAST: dict[tuple[int, ...], Posterior] = {}
