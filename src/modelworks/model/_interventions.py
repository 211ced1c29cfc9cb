"""How much of the contacts in a setting happens when: mobility, closures, distancing, each as an expression."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

from modelworks.errors import fail
from modelworks.model._expression import Expression, Number, expression, moments_in_order, table


def mobility(times: Sequence[float | date], change: Sequence[float], *, squared: bool = True) -> Expression:
    """Contacts relative to before, from the change in the number of visitors in percent, as mobility reports give it.

    Both people of a contact have to be there: half as many visitors have a quarter of the contacts, or, not
    `squared`, half of them. Between the times straight lines of mobility, flat before and after.

    Raises
    ------
    ModelworksError
        M119 for times that do not increase or are not as many as the changes, or a change below -100%.
    """
    if any(float(each) < -100.0 for each in change):
        fail(
            "M119",
            f"mobility changes by {min(change):g}%, but not more than all visitors stay away",
            hint="give changes in percent: -40 for four in ten fewer",
        )
    there = table(times, [1.0 + float(each) / 100.0 for each in change])
    return there**2 if squared else there


def closures(periods: Sequence[tuple[float | date, float | date]], during: Number = 0.0) -> Expression:
    """One, and `during` within some periods, each from its first day to the day everything is open again.

    For schools: the holidays, and when they were closed. `during` may be a parameter: what is left of the contacts.

    Raises
    ------
    ModelworksError
        M119 for periods that overlap, end before they begin, or are partly dates and partly numbers.
    """
    if not periods:
        return expression(1.0)
    ordered = sorted((_first_and_back(*each) for each in periods), key=lambda each: _order(each[0]))
    for (_, back), (first, _) in pairwise(ordered):
        if _order(first) < _order(back):
            fail("M119", f"a closure begins on {first}, before another ends on {back}", hint="join the two")
    values: dict[float | date, Number] = {}
    for first, back in ordered:
        values |= {first: during, back: 1.0}
    start = ordered[0][0]
    before = start - timedelta(days=1) if isinstance(start, date) else start - 1.0
    return table([before, *values], [1.0, *values.values()], kind="step")


def micro_distancing(effect: Number, adherence: Number) -> Expression:
    r"""Contacts that can infect, relative to before, when people keep their distance, wear masks, wash their hands.

    $$(1 - e\, a(t))^2$$: both people of a contact may. `effect` $e$ is by how much someone who does lowers the
    chance, and `adherence` $a$ the proportion who do, over time: a `table` of surveys, or `smooth_change(0, 1, …)`.
    """
    return (1.0 - expression(effect) * adherence) ** 2


def _first_and_back(first: float | date, back: float | date) -> tuple[float | date, float | date]:
    if _order(first) >= _order(back):
        fail("M119", f"a closure from {first} ends on {back}", hint="give the first day closed and the first day open")
    start, end = moments_in_order([first, back])
    return start, end


def _order(moment: float | date) -> float:
    (plain,) = moments_in_order([moment])
    return float(plain.toordinal()) if isinstance(plain, date) else plain
