"""What is believed of a number as somebody types it: a small picture of the prior, and its 95% interval in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

from modelworks.errors import ModelworksError
from modelworks.inputs import Bounds
from modelworks.report import words
from modelworks.study import DOUBTFUL, BoundStudy, change_of, changed_prior, letters_against, number_of, read_change
from modelworks.units import UNSPOKEN, as_written

WIDTH, HEIGHT, POINTS = 160, 36, 64
# So much is drawn of a prior: of the tail of a Cauchy all would be the tail.
SHOWN = (0.005, 0.995)
MIDDLE = (0.025, 0.5, 0.975)


class Belief(Protocol):
    """What is asked of a prior."""

    def quantile(self, probability: Any) -> Any: ...

    def log_density(self, values: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Believed:
    """Words, and the paths of a drawing: the density and the part of it within the 95% interval; empty for none."""

    words: str
    whole: str = ""
    middle: str = ""


def believed(prior: Belief, unit: str) -> Believed:
    """A prior as it is shown."""
    import numpy as np

    # Of what nobody means, as a spread of 1e308, there is no picture.
    with np.errstate(all="ignore"):
        low, median, high = (float(each) for each in prior.quantile(MIDDLE))
        left, right = (float(each) for each in prior.quantile(SHOWN))
        told = f"95% between {words.number(low)} and {words.number(high)}{_spoken(unit)}"
        told += f", half of it above {words.number(median)}"
        if not (math.isfinite(right - left) and right > left):
            return Believed(told)
        places = sorted({left, low, high, right, *np.linspace(left, right, POINTS).tolist()})
        logs = [float(each) for each in prior.log_density(places)]
    top = max(logs)
    if not math.isfinite(top) or any(map(math.isnan, logs)):
        return Believed(told)
    points = [
        (place, WIDTH * (place - left) / (right - left), HEIGHT * (1 - math.exp(log - top)))
        for place, log in zip(places, logs, strict=True)
    ]
    return Believed(
        told,
        _path([(x, y) for _, x, y in points]),
        _path([(x, y) for place, x, y in points if low <= place <= high]),
    )


def previewed(study: BoundStudy, name: str, text: str) -> Believed:
    """What becomes of a parameter by what somebody has typed so far, judged as it will be when it is sent."""
    entry, text = study.entry(name), text.strip()
    if not text:
        return Believed("left empty, so what the study's file says is taken")
    change = change_of(entry, text)
    shown, refused = read_belief(change, entry.unit, entry.bounds), letters_against(study, change)
    if shown is None:
        # While one types, almost everything is half a prior: what it lacks is said, and nothing drawn.
        return Believed(refused[0].hint or refused[0].message)
    if not refused:
        return shown
    told = "; ".join(filter(None, (refused[0].message, refused[0].hint)))
    if refused[0].code == DOUBTFUL:
        # At which of the two numbers it is held, nobody knows.
        return Believed(told)
    return replace(shown, words=f"{shown.words}. It will be refused: {told}")


def read_belief(change: str, unit: str, bounds: Bounds | None) -> Believed | None:
    """A value or a prior that is assumed, as it is shown; None of what is neither."""
    try:
        read = read_change(change)
        if read.kind == "prior":
            return believed(changed_prior(read, bounds), unit)
    except ModelworksError:
        return None
    value = number_of(read.new)
    return None if value is None else Believed(f"held at {as_written(value)}{_spoken(unit)}")


def _path(points: list[tuple[float, float]]) -> str:
    """The area below some points."""
    across = "".join(f"L{x:.1f},{y:.1f}" for x, y in points)
    return f"M{points[0][0]:.1f},{HEIGHT}{across}L{points[-1][0]:.1f},{HEIGHT}Z"


def _spoken(unit: str) -> str:
    return f" {unit}" if unit and unit not in UNSPOKEN else ""
