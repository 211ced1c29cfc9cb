"""The log density of a study without Python: one function of machine code, for samplers that call it many times.

Where a model runs in some hundredth of a millisecond, Python's part in a gradient is the larger, and its lock lets one
chain work at a time. `LogDensity` stays what is right: this is tested to be the same but for round-off, and what is
not regular is left to it. `_priors.py` and `_likelihoods.py` are the families, `_density.py` joins them around a run.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.native._density import STOPPED, log_density
from modelworks.calibration.native._likelihoods import COLUMNS, SCRATCH, Points
from modelworks.calibration.native._priors import row_of
from modelworks.model.routines import Library, NativeRun, compiled

if TYPE_CHECKING:
    from modelworks.calibration._log_density import LogDensity

Array = NDArray[np.float64]
# Reads a point (dimension,), fills in the gradient (dimension,) and the value, and says by zero that they are numbers.
SIGNATURE = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.c_uint64,
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_double),
    ctypes.c_void_p,
)
# Some positive number says: not here, but elsewhere.
IMPOSSIBLE = 4

# With more numbers on the tape than these a run takes so long that Python's part in it does not count; and then it is
# remembered, so that a calibration that is killed goes on where it was.
MOST_WORK = 30_000


class NativeDensity:
    """The machine code of one log density in white coordinates, and what it reads.

    It stands for `value_and_gradient` at `origin + factor @ z`, and asks `otherwise` where it does not know, or once
    it was told to `stop`. So many `threads` may call it at once.
    """

    def __init__(
        self,
        density: LogDensity,
        run: NativeRun,
        tables: tuple[Array | NDArray[np.int64], ...],
        origin: Array,
        factor: Array,
        otherwise: Callable[[Array], tuple[float, Array]],
        threads: int,
    ) -> None:
        kinds, numbers, rows, wholes, reals = tables
        dimension, values = density.dimension, len(density.beliefs.names)
        parameters, outputs = run.places.size, run.times * run.columns
        self._otherwise = _as_function(otherwise, dimension)
        fixed = np.array([*density.beliefs.fixed.values(), 0.0])
        sizes = (SCRATCH, values, dimension, dimension, values, parameters, parameters, outputs, outputs, run.memory)
        places = np.cumsum([0, *sizes])
        memory = int(places[-1])
        white = np.concatenate([origin, np.ravel(factor)])
        busy, work = np.zeros(threads, dtype=np.int64), np.empty(threads * memory)
        at_places, factors = density.places_of(run.places), np.ascontiguousarray(run.factors, dtype=float)
        read = (busy, work, white, kinds, numbers, fixed, at_places, factors, run.table, rows, wholes, reals)
        self._held = (read, run)
        otherwise_at = ctypes.cast(self._otherwise, ctypes.c_void_p).value
        settled = (0, otherwise_at, threads, memory, dimension, values, parameters, outputs, len(rows))
        self.table = np.array([*settled, *(each.ctypes.data for each in read), *places], dtype=np.int64)
        self.address = _code().address(log_density.__name__)

    def stop(self) -> None:
        """From now on everything is asked of `otherwise`."""
        self.table[STOPPED] = 1

    def __call__(self, z: Array) -> tuple[float, Array]:
        """The value and the gradient (dimension,) at a point, as a sampler hears them."""
        point, gradient, value = np.ascontiguousarray(z, dtype=float), np.empty(z.size), np.zeros(1)
        doubles = ctypes.POINTER(ctypes.c_double)
        given = (each.ctypes.data_as(doubles) for each in (point, gradient, value))
        status = SIGNATURE(self.address)(z.size, *given, self.table.ctypes.data)
        return (float(value[0]), gradient) if status == 0 else (-np.inf, np.zeros(z.size))


def native(density: LogDensity) -> Callable[..., NativeDensity] | None:
    """The density's machine code, to be given white coordinates; None where a part has none, or it is not worth it."""
    asked = getattr(density.simulator, "native_run", None)
    if asked is None or density.beliefs.groups:
        return None
    run: NativeRun | None = asked()
    if run is None or run.work > MOST_WORK:
        return None
    found = [row_of(prior) for prior in density.priors.values()]
    priors = [each for each in found if each is not None]
    points = Points(run.columns)
    if len(priors) < len(found) or not all(points.add(each) for each in density.observations):
        return None
    kinds = np.array([kind for kind, _ in priors], dtype=np.int64)
    numbers = np.array([each for _, each in priors])
    rows = np.array(points.rows, dtype=np.int64).reshape(-1, COLUMNS)
    return functools.partial(NativeDensity, density, run, (kinds, numbers, rows, points.wholes, points.reals))


@functools.cache
def _code() -> Library:
    return compiled(log_density)


def _as_function(otherwise: Callable[[Array], tuple[float, Array]], dimension: int) -> ctypes._CFunctionType:
    """A function of Python as machine code calls it."""

    def ask(_: int, z: ctypes._Pointer, gradient: ctypes._Pointer, value: ctypes._Pointer, __: int) -> int:  # type: ignore[type-arg]
        found, slopes = otherwise(np.ctypeslib.as_array(z, (dimension,)).copy())
        value[0] = found
        np.ctypeslib.as_array(gradient, (dimension,))[:] = slopes
        return 0 if np.isfinite(found) else IMPOSSIBLE

    return SIGNATURE(ask)
