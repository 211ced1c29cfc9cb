"""Making the prepared tables that are stale, each after those it is made from, several at once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from modelworks.errors import Letter, ModelworksError, fail
from modelworks.inputs.catalogue import Catalogue, Dataset


def sources(catalogue: Catalogue, dataset: Dataset) -> list[str]:
    """The datasets whose files another is made from, by name: raw ones and prepared ones."""
    files = {each.path.resolve(): name for name, each in catalogue.items()}
    used = (dataset.root / "data" / name for name in dataset.uses)
    return [files[path.resolve()] for path in used if path.resolve() in files]


def in_order(catalogue: Catalogue, names: Iterable[str]) -> list[list[str]]:
    """Prepared datasets, and those prepared ones they are made from, in groups: each needs only those before.

    Raises
    ------
    ModelworksError
        D144 when two are made from each other.
    """
    levels: dict[str, int] = {}

    def level(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            circle = " → ".join([*above[above.index(name) :], name])
            fail("D144", f"datasets are made from each other: {circle}", hint="let one of them use a raw file instead")
        if name not in levels:
            below = [level(each, (*above, name)) for each in sources(catalogue, catalogue.dataset(name))]
            levels[name] = max(below, default=-1) + 1
        return levels[name]

    for name in names:
        level(name, ())
    prepared = [name for name in levels if catalogue[name].prepare is not None]
    groups = [[name for name in prepared if levels[name] == k] for k in range(max(levels.values(), default=-1) + 1)]
    return [group for group in groups if group]


def prepare(
    catalogue: Catalogue,
    names: Iterable[str],
    *,
    cores: int | None = None,
    told: Callable[[str], None] = lambda name: None,
) -> tuple[list[str], list[Letter]]:
    """Make those of the datasets that are stale; gives their names, and a letter for each that could not be made.

    What depends on one that failed is left as it is. `told` hears of each that was made.
    """
    made: list[str] = []
    letters: list[Letter] = []
    failed: set[str] = set()
    for group in in_order(catalogue, names):
        ready = [name for name in group if not failed & set(sources(catalogue, catalogue[name]))]
        failed |= set(group) - set(ready)
        stale = []
        for name in ready:
            try:
                if catalogue[name].is_stale():
                    stale.append(name)
            except ModelworksError as error:
                failed.add(name)
                letters.extend(catalogue[name].placed(error))
        for name, wrong in _made(catalogue, stale, cores):
            if wrong:
                failed.add(name)
                letters.extend(wrong)
            else:
                made.append(name)
                told(name)
    return made, letters


def _made(catalogue: Catalogue, names: list[str], cores: int | None) -> Iterable[tuple[str, tuple[Letter, ...]]]:
    """Each dataset, and what is wrong with it."""
    several = min(len(names), cores or os.cpu_count() or 1)
    if several <= 1:
        return [(name, _make(catalogue[name].root, name)) for name in names]
    # Started anew: a copy of a process with threads may wait for ever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(several, mp_context=context) as pool:
        waiting = {pool.submit(_make, catalogue[name].root, name): name for name in names}
        return [(waiting[each], each.result()) for each in as_completed(waiting)]


def _make(root: Path, name: str) -> tuple[Letter, ...]:
    """Make one table; what is wrong comes back as letters, for exceptions do not travel well between processes."""
    dataset = Catalogue.read(root)[name]
    try:
        dataset.content()
    except ModelworksError as error:
        return dataset.placed(error)
    return ()
