"""Studies handed over at once: one job each, all or none, and one that sums them up."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelworks.errors import Letter, ModelworksError
from modelworks.jobs import Order
from modelworks.study import stages
from modelworks.study.jobs._batch import new_batch, order_summary, scenarios_of
from modelworks.study.jobs._jobs import handed_over_by, order_study


def order_studies(
    folders: Sequence[Path],
    *,
    until: str = stages.REPORT,
    changes: Sequence[str] = (),
    scenarios: Sequence[str] = (),
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
    scenarios : sequence of str
        Those that are run, of each study the ones that it has; with `matrix` each is a job of its own, and what they
        have in common is calibrated once before.
    resources : mapping
        What is asked for instead of the usual, by the names of `Resources`.

    Raises
    ------
    ModelworksError
        With every mistake of the files of all of them.
    """
    several = len(folders) > 1 or matrix
    known = {**(labels or {}), **({"batch": new_batch()} if several else {})}
    said = {"changes": changes, "executor": executor, "priority": priority, "labels": known}
    orders: list[Order] = []
    letters: list[Letter] = []
    for folder in folders:
        try:
            found = list(_orders_of(folder, until, scenarios, matrix, said))
        except ModelworksError as error:
            letters += error.letters
        else:
            orders += [_otherwise(order, resources or {}, by) for order in found]
    if letters:
        # One that is said of every study, as of an executor, is said once.
        raise ModelworksError(list(dict.fromkeys(letters)))
    if matrix:
        shared = {each for order in orders for each in order.needs}
        ends = [order for order in orders if order.id not in shared]
        orders.append(_otherwise(order_summary(folders[0], ends, labels=known), {}, by))
    return orders


def _orders_of(
    folder: Path, until: str, scenarios: Sequence[str], matrix: bool, said: Mapping[str, Any]
) -> Iterator[Order]:
    """A study's jobs: one, or one a scenario after the calibration that they have in common."""
    chosen = scenarios_of(folder, scenarios, until) if scenarios else []
    if not matrix or len(chosen) < 2:
        yield order_study(folder, until=until, scenarios=chosen, **said)
        return
    shared = order_study(folder, until=stages.CALIBRATE, **said)
    yield shared
    for each in chosen:
        yield order_study(folder, until=until, scenarios=[each], needs=[shared.id], **said)


def _otherwise(order: Order, resources: Mapping[str, Any], by: str) -> Order:
    order = handed_over_by(order, by) if by else order
    return dataclasses.replace(order, resources=dataclasses.replace(order.resources, **resources))
