"""nutpie's compiled part: chains that begin in threads of their own, and the tables they leave behind.

The package around it brings ArviZ, Matplotlib and pandas along, which take longer to load than many a calibration
takes, and nothing of them is used here. So the compiled part is loaded alone; nutpie, imported later, finds it there.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COMPILED = "nutpie._lib"


class MachineCode(Protocol):
    """A log density as a function of machine code, and the table that it is handed at each call."""

    address: int
    table: NDArray[np.int64]


# (length of a point, length of what is kept, point, what is kept, a seed, nothing) → zero
EXPAND = ctypes.CFUNCTYPE(
    ctypes.c_int64,
    ctypes.c_uint64,
    ctypes.c_uint64,
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_double),
    ctypes.c_void_p,
    ctypes.c_void_p,
)


def begin(
    size: int,
    density: MachineCode | Callable[[Array], tuple[float, Array]],
    keeping: Callable[..., Callable[..., dict[str, Array]]],
    start: Callable[[int], Array],
    *,
    chains: int,
    draws: int,
    warmup: int,
    target_accept: float,
    seed: int,
) -> Begun:
    """Chains of NUTS on a log density of points (size,), a function of value and gradient or machine code, under way.

    `keeping` gives a function for each chain that is called with each draw, and whose `z` is kept; `start` says where
    the chain of a seed begins.
    """
    library = _compiled()
    settings = library.PyNutsSettings.Diag(seed)
    settings.num_chains, settings.num_draws, settings.num_tune = chains, draws, warmup
    settings.target_accept = target_accept
    # Filled with the length of a point, which has no name.
    lengths: dict[str, int] = {}
    variables = library.PyVariable.new_variables(["z"], ["float64"], [(size,)], lengths, {})
    # Every chain has its thread.
    silent, in_memory = library.ProgressType.none(), library.PyStorage.arrow()
    if callable(density):
        model = library.PyModel(
            lambda: density,
            keeping,
            variables,
            size,
            dim_sizes=lengths,
            coords={},
            init_point_func=start,
            transform_adapter=None,
        )
        return Begun(library.PySampler.from_pyfunc(settings, chains, model, silent, in_memory))
    kept = _kept_by_thread(size, keeping, warmup + draws)
    expand = library.ExpandFunc(size, size, ctypes.cast(kept, ctypes.c_void_p).value, 0, kept)
    value = library.LogpFunc(density.address, density.table.ctypes.data, density)
    model = library.PyMcModel(value, expand, variables, size, lengths, {}, start, None)
    return Begun(library.PySampler.from_pymc(settings, chains, model, silent, in_memory))


def _kept_by_thread(
    size: int, keeping: Callable[..., Callable[..., dict[str, Array]]], most: int
) -> ctypes._CFunctionType:
    """The one function that nutpie calls with the draws of all chains of machine code.

    A chain stays in its thread, and a thread begins another when it has made all `most` draws of one.
    """
    left: dict[int, tuple[Callable[..., dict[str, Array]], Iterator[int]]] = {}

    def expand(_: int, __: int, z: Any, kept: Any, ___: int, ____: int) -> int:
        thread = threading.get_ident()
        if thread not in left or next(left[thread][1], None) is None:
            left[thread] = keeping(0, 0, 0), iter(range(most - 1))
        left[thread][0](np.array(z[:size]))
        ctypes.memmove(kept, z, size * ctypes.sizeof(ctypes.c_double))
        return 0

    return EXPAND(expand)


class Begun:
    """Chains that are under way, until their tables are asked for."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler

    @property
    def is_finished(self) -> bool:
        """Asked without waiting, as chains may be waiting for us; nutpie answers *no* by a TimeoutError."""
        try:
            return bool(self._sampler.is_finished())
        except TimeoutError:
            return False

    def tables(self, *, whole: bool) -> list[tuple[Any, Any]]:
        """Of each chain its draws and its statistics, warm-up included: all, or those there are by now."""
        if whole:
            self._sampler.wait(None)
        else:
            self._sampler.abort()
        found, stats = self._sampler.take_results().get_arrow_trace()
        return list(zip(found, stats, strict=True))

    def stop(self) -> None:
        """End the threads, and give up what they made."""
        if not self._sampler.is_empty(ignore_error=True):
            self._sampler.abort()


def _compiled() -> Any:
    """The compiled part of nutpie, loaded once and known by its own name."""
    if COMPILED not in sys.modules:
        package = importlib.util.find_spec("nutpie")
        assert package is not None
        found = importlib.machinery.PathFinder.find_spec(COMPILED, package.submodule_search_locations)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        sys.modules[COMPILED] = module
        found.loader.exec_module(module)
    return sys.modules[COMPILED]
