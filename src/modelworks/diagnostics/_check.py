"""What a check says: a verdict, a number with its limits, and a reason for people who do not sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

# Not to be worried about; an expert must look; do not use.
Verdict = Literal["fine", "look", "stop"]
VERDICTS: tuple[Verdict, ...] = ("fine", "look", "stop")


@dataclass(frozen=True, slots=True)
class Check:
    """One question asked of a posterior, with its answer.

    `name` is the question's (a member of `diagnostics.checks`), `about` the parameters, targets or chains
    at fault, `reason` one sentence that can be shown to anybody, and `threshold` what `value` was held
    against, in words.
    """

    name: str
    title: str
    verdict: Verdict
    reason: str
    value: float | None = None
    threshold: str = ""
    about: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, which has no word for a number that is not finite: such a value is `None`."""
        value = self.value if self.value is not None and math.isfinite(self.value) else None
        return {**asdict(self), "value": value, "about": list(self.about)}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Check:
        """The check that `as_dict` wrote."""
        return cls(**{**entry, "verdict": cast(Verdict, entry["verdict"]), "about": tuple(entry["about"])})


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a number is worth a look, and from where on it stops.

    >>> r_hat = Limits(look=1.01, stop=1.05)
    >>> r_hat.verdict(1.003), r_hat.verdict(1.02), r_hat.verdict(1.3)
    ('fine', 'look', 'stop')
    >>> Limits(look=400, stop=100, high_is_good=True).words
    'fine from 400, stop below 100'
    """

    look: float
    stop: float
    high_is_good: bool = False

    def verdict(self, value: float) -> Verdict:
        """A value that could not be computed can not be trusted, so NaN stops."""
        if math.isnan(value):
            return "stop"
        if self.high_is_good:
            return "fine" if value >= self.look else "look" if value >= self.stop else "stop"
        return "fine" if value < self.look else "look" if value < self.stop else "stop"

    @property
    def words(self) -> str:
        """The limits as a person says them; one that no value reaches is left out."""
        if self.high_is_good:
            return f"fine from {self.look:g}" + (f", stop below {self.stop:g}" if self.stop > 0 else "")
        return f"fine below {self.look:g}" + (f", stop from {self.stop:g}" if math.isfinite(self.stop) else "")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of several; nothing to complain of is fine.

    >>> worst(["fine", "stop", "look"]), worst([])
    ('stop', 'fine')
    """
    return max(verdicts, key=VERDICTS.index, default="fine")


def listed(names: Sequence[str], shown: int = 3) -> str:
    """Names as one says them; beyond a few, how many more.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a and b', 'a, b, c and 2 more')
    """
    if len(names) > shown:
        return f"{', '.join(names[:shown])} and {len(names) - shown} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "draw"), counted(4000, "draw")
    ('1 draw', '4,000 draws')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share in percent, never rounded to nothing or to all.

    >>> percent(0.5), percent(0.0123), percent(0.9999), percent(0.00001)
    ('50%', '1.2%', 'more than 99.9%', 'less than 0.1%')
    """
    if 0 < share < 0.001:
        return "less than 0.1%"
    if 0.999 < share < 1:
        return "more than 99.9%"
    return f"{100 * share:.2g}%" if share < 0.1 else f"{100 * share:.3g}%" if share > 0.99 else f"{100 * share:.0f}%"
