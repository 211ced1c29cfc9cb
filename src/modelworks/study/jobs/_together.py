"""Studies handed over at once: one job each, all or none, and one that sums them up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelworks.errors import Letter, ModelworksError
from modelworks.jobs import Order
from modelworks.study import stages
from modelworks.study.jobs._batch import new_batch, order_summary
from modelworks.study.jobs._jobs import order_study


def order_studies(
    folders: Sequence[Path],
    *,
    until: str = stages.REPORT,
    changes: Sequence[str] = (),
    matrix: bool = False,
    executor: str = "process",
    priority: int = 0,
    labels: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
    by: str = "",
) -> list[Order]:
    """A job for each study as it is now, up to a stage; with `matrix`, one more that lays their numbers side by side.

    Parameters
    ----------
    changes : sequence of str
        As `rerun` takes them, for every study.
    resources : mapping
        What is asked for instead of the usual, by the names of `Resources`.

    Raises
    ------
    ModelworksError
        With every mistake of the files of all of them.
    """
    several = len(folders) > 1 or matrix
    known = {**(labels or {}), **({"batch": new_batch()} if several else {})}
    orders: list[Order] = []
    letters: list[Letter] = []
    for folder in folders:
        try:
            order = order_study(
                folder, until=until, changes=changes, executor=executor, priority=priority, labels=known
            )
        except ModelworksError as error:
            letters += error.letters
        else:
            orders.append(_otherwise(order, resources or {}, by))
    if letters:
        # One that is said of every study, as of an executor, is said once.
        raise ModelworksError(list(dict.fromkeys(letters)))
    if matrix:
        orders.append(_otherwise(order_summary(folders[0], orders, labels=known), {}, by))
    return orders


def _otherwise(order: Order, resources: Mapping[str, Any], by: str) -> Order:
    wanted = dataclasses.replace(order.resources, **resources)
    return dataclasses.replace(order, resources=wanted, by=by or order.by)
