"""The points that a hub asks for: targets of the study, on days that nobody has observed yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from modelworks.dates import Calendar
from modelworks.errors import Letters, near
from modelworks.inputs import WEEKDAYS, Hub, StudyInputs
from modelworks.study.binding._observations import Observations, period


def points_of(observed: Observations, hub: Hub, calendar: Calendar) -> Observations:
    """The target at each horizon, as if it had been observed there: a count over the time that ends on its day."""
    entry = observed.entry
    days = tuple(hub.day(horizon) for horizon in hub.horizons)
    spans = [period(day, entry.covers, dated_end=True) for day in days]
    starts, ends = (np.array([calendar.number(each) for each in side]) for side in zip(*spans, strict=True))
    if (observed.starts == observed.ends).all():
        starts = ends = (starts + ends) / 2
    weekdays = tuple(f"{entry.weekday}[{WEEKDAYS[day.weekday()]}]" for day in days)
    return replace(
        observed,
        columns=(observed.columns[0],) * len(days),
        names=(entry.name,) * len(days),
        dates=days,
        starts=starts,
        ends=ends,
        # Nothing was observed; only what is foretold is asked of them.
        values=np.zeros(len(days)),
        included=np.ones(len(days), dtype=bool),
        limited=np.zeros(len(days), dtype=bool),
        multipliers=None if observed.multipliers is None else weekdays,
    )


def check_hub(
    inputs: StudyInputs, observations: list[Observations], free: bool, calendar: Calendar, letters: Letters
) -> None:
    """A letter for each target of the hub that can not be foretold."""
    hub = inputs.study.hub
    if hub is None:
        return
    known = {each.entry.name: each for each in observations}
    for theirs, ours in hub.targets.items():
        place = inputs.study.place(f"hub.targets.{theirs}")

        def say(message: str, hint: str, theirs: str = theirs, file: str = place.file, line: int = place.line) -> None:
            letters.add("Y163", f"the hub's target `{theirs}` {message}", hint=hint, file=file, line=line)

        observed = known.get(ours)
        if observed is None:
            say(f"names `{ours}`, which is no target of the study", near(ours, known))
        elif not free:
            say("can not be foretold, as nothing is calibrated", "give a parameter a prior")
        elif observed.entry.likelihood.categories or observed.arguments:
            say(
                f"is `{ours}`, whose values each come with a number (as out of how many), unknown of days to come",
                "hand over a target whose likelihood takes nothing from the data",
            )
        elif seen := _seen_beyond(observed, hub):
            say(
                f"would be foretold by a calibration that has seen `{ours}` of {seen}, after the reference date",
                f"hold back what came later: `until: {hub.reference_date}` under `calibration:`",
            )
        elif outside := _outside(inputs, points_of(observed, hub, calendar), calendar):
            say(
                f"is asked for {outside}, which the model does not reach",
                "move `end` under `projection:`, or the hub's `reference_date` and `horizons`",
            )


def _seen_beyond(observed: Observations, hub: Hub) -> date | None:
    """The first day after the reference date of which the calibration sees a value."""
    seen = (day for day, is_seen in zip(observed.dates, observed.included, strict=True) if is_seen)
    return min((day for day in seen if day > hub.reference_date), default=None)


def _outside(inputs: StudyInputs, points: Observations, calendar: Calendar) -> date | None:
    """The first day of those asked for that lies outside the time of the projection."""
    time = inputs.study.time
    begin = calendar.number(time.start)
    end = calendar.number(max(time.end, inputs.study.projection.end or time.end))
    for day, first, last in zip(points.dates, points.starts, points.ends, strict=True):
        if first < begin or last > end:
            return day
    return None
