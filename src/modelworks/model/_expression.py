"""What rates, initial numbers and outputs are written in: arithmetic on parameters, time and people.

An expression has no value of its own. It is written once and means, in each stratum where it is
used, the number for that stratum: `fatality = by("age", {...})` used as a rate gives every age its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NoReturn, TypeAlias, Union

from modelworks.errors import fail, near
from modelworks.model._kinds import in_words, is_number

Number: TypeAlias = Union["Expression", float, int]
Where: TypeAlias = Mapping[str, tuple[str, ...]]

TABLE_KINDS = ("linear", "step", "monotone")


class Expression:
    """Anything that is a number in each stratum and at each time."""

    def __add__(self, other: Number) -> Expression:
        return Operation("add", (self, expression(other)))

    def __radd__(self, other: Number) -> Expression:
        return Operation("add", (expression(other), self))

    def __sub__(self, other: Number) -> Expression:
        return Operation("subtract", (self, expression(other)))

    def __rsub__(self, other: Number) -> Expression:
        return Operation("subtract", (expression(other), self))

    def __mul__(self, other: Number) -> Expression:
        return Operation("multiply", (self, expression(other)))

    def __rmul__(self, other: Number) -> Expression:
        return Operation("multiply", (expression(other), self))

    def __truediv__(self, other: Number) -> Expression:
        return Operation("divide", (self, expression(other)))

    def __rtruediv__(self, other: Number) -> Expression:
        return Operation("divide", (expression(other), self))

    def __neg__(self) -> Expression:
        return Operation("subtract", (Constant(0.0), self))

    def __pow__(self, power: int) -> Expression:
        """A whole power, by multiplication; write `exp(k * log(x))` for any other."""
        if not isinstance(power, int) or power < 1:
            fail(
                "M120",
                f"an expression is taken to the power {power!r}",
                hint="for other than whole powers from 1 up write exp(power * log(x))",
            )
        result: Expression = self
        for _ in range(power - 1):
            result = result * self
        return result

    def __bool__(self) -> bool:
        self._tell_of_no_number("has no truth value", "use maximum(...), minimum(...) or table(...) for what depends")

    def __lt__(self, other: object) -> bool:
        self._tell_of_no_number("can not be compared", "use maximum(...), minimum(...) or table(...) for what depends")

    __le__ = __gt__ = __ge__ = __lt__

    def __float__(self) -> float:
        self._tell_of_no_number(
            "is no float",
            "give a number there; what is computed of it is written with exp, log, sqrt, cos of modelworks",
        )

    def __xor__(self, other: object) -> Expression:
        fail("M120", "an expression stands before `^`, which is no power in Python", hint="write **, as in x**2")

    def _tell_of_no_number(self, what: str, hint: str) -> NoReturn:
        name = f"`{self.name}`" if isinstance(self, Parameter) else "an expression"
        fail("M120", f"{name} {what}: it has no number until the model runs", hint=hint)

    # NumPy's functions of the same names call these.
    def exp(self) -> Expression:
        return exp(self)

    def log(self) -> Expression:
        return log(self)

    def sqrt(self) -> Expression:
        return sqrt(self)

    def cos(self) -> Expression:
        return cos(self)

    def parts(self) -> tuple[Expression, ...]:
        """The expressions this one is made of."""
        return ()

    def __iter__(self) -> Iterator[Expression]:
        self._tell_of_no_number("is one number, and not a list of them", "give a number for each stratum by by(...)")


@dataclass(frozen=True, eq=False)
class Constant(Expression):
    value: float


@dataclass(frozen=True, eq=False)
class Parameter(Expression):
    """A number that a study gives a value or a prior.

    `unit` is what the model computes in; a study may give another unit of the same kind. Values
    outside `lower` and `upper` are refused before anything runs.
    """

    name: str
    unit: str = "dimensionless"
    lower: float | None = None
    upper: float | None = None
    meaning: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not isinstance(self.unit, str):
            fail(
                "M153",
                f"the parameter `{self.name}` has the unit `{self.unit!r}`, which is no text",
                hint='write Parameter("contact_rate", "per day"); its value is given where the model is run',
            )
        bounds = [each for each in (self.lower, self.upper) if each is not None]
        if not all(is_number(each) for each in bounds) or sorted(bounds) != bounds:
            fail(
                "M153",
                f"the parameter `{self.name}` lies between {self.lower!r} and {self.upper!r}",
                hint="give lower and upper as numbers, the lower one first; either may be left out",
            )

    @classmethod
    def group(
        cls,
        name: str,
        labels: Iterable[object],
        unit: str = "dimensionless",
        *,
        lower: float | None = None,
        upper: float | None = None,
        meaning: str = "",
    ) -> dict[str, Parameter]:
        """One parameter for each label, by label, that a study may say something of together.

        Labels are regions, ages or strata, to be given to `by`; or dates, whose values are given to `table`.

        >>> [each.name for each in Parameter.group("contacts", ["north", "south"], "per day").values()]
        ['contacts[north]', 'contacts[south]']

        Raises
        ------
        ModelworksError
            M140: no label, the same twice, or one that can not stand in a name.
        """
        texts = [str(label) for label in labels]
        for text in texts or [""]:
            if not text or texts.count(text) > 1 or any(sign in text for sign in "[]/"):
                what = f"the label `{text}`" + (" twice" if texts.count(text) > 1 else "") if texts else "no labels"
                fail(
                    "M140",
                    f"the group of parameters `{name}` has {what}",
                    hint="give each member a label of its own, without brackets or a slash, as in north or 2021-01-11",
                )
        return {text: cls(f"{name}[{text}]", unit, lower, upper, meaning) for text in texts}


@dataclass(frozen=True, eq=False)
class Time(Expression):
    """The present moment in the model's own time unit."""


@dataclass(frozen=True, eq=False)
class Operation(Expression):
    operation: str
    arguments: tuple[Expression, ...]

    def parts(self) -> tuple[Expression, ...]:
        return self.arguments


@dataclass(frozen=True, eq=False)
class By(Expression):
    """A number for each stratum of one stratification."""

    stratification: str
    values: Mapping[str, Expression]

    def parts(self) -> tuple[Expression, ...]:
        return tuple(self.values.values())


@dataclass(frozen=True, eq=False)
class Table(Expression):
    """Values at times; how they are joined between is its `kind`, as `table` says."""

    times: tuple[float | date, ...]
    values: tuple[Expression, ...]
    kind: str

    def parts(self) -> tuple[Expression, ...]:
        return self.values


@dataclass(frozen=True, eq=False)
class Moment(Expression):
    """A day as a moment of the model's time."""

    when: date


@dataclass(frozen=True, eq=False)
class Year(Expression):
    """The length of a year in the model's time unit."""


@dataclass(frozen=True, eq=False)
class People(Expression):
    """How many people are in some compartments now; everybody when none is named.

    With `of_pools` how much there is in compartments of pools, which are not people; of either, where it is None.
    """

    compartments: tuple[str, ...]
    where: Where = field(default_factory=dict)
    by: tuple[str, ...] = ()
    of_pools: bool | None = False


@dataclass(frozen=True, eq=False)
class Leaving(Expression):
    """How many people some flows move now, per time."""

    flows: tuple[str, ...]


class Eigenvalue(Expression):
    """The largest eigenvalue of something the model holds: one number for all, whatever its parts differ by."""


@dataclass(frozen=True, eq=False)
class Events(Expression):
    """How many times a flow happened since the output before; each event counts `times`."""

    flow: str
    times: Expression
    where: Where = field(default_factory=dict)
    by: tuple[str, ...] = ()

    def parts(self) -> tuple[Expression, ...]:
        return (self.times,)


def expression(value: Number) -> Expression:
    """A number or an expression as an expression."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool | str) or not hasattr(value, "__float__") or getattr(value, "ndim", 0) > 0:
        fail(
            "M120",
            f"{in_words(value)} is neither a number nor an expression",
            hint="use a Parameter, a number, by(...), table(...) or arithmetic on them",
        )
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        fail("M110", f"a constant in the model is {number}", hint="find the data or arithmetic it came from")
    return Constant(number)


def by(stratification: str, values: Mapping[str, Number] | Sequence[Number]) -> Expression:
    """A number for each stratum: a mapping or a labelled series by name, or a sequence in the order of declaration.

    >>> fatality = by("age", {"young": 0.001, "old": 0.02})
    """
    values = by_label(values)
    if isinstance(values, Mapping):
        return By(stratification, {str(name): expression(value) for name, value in values.items()})
    return By(stratification, {f"#{k}": expression(value) for k, value in enumerate(values)})


def by_label(values: Mapping[str, Number] | Sequence[Number]) -> Mapping[str, Number] | Sequence[Number]:
    """A labelled series, of pandas or xarray, as a mapping from its labels; anything else as it is.

    One whose labels only count from zero has no names to go by, and is taken in its order.
    """
    series: Any = values.to_pandas() if hasattr(values, "to_pandas") else values
    if isinstance(series, Mapping) or not hasattr(series, "iloc"):
        return values
    labels = [str(label) for label in series.index]
    if labels == [str(k) for k in range(len(labels))]:
        return list(series)
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        fail("M102", f"a series of values has the label `{twice}` twice", hint="give each stratum one value")
    return dict(zip(labels, series, strict=True))


def table(
    times: Sequence[float | date] | Mapping[float | date, Number],
    values: Sequence[Number] | None = None,
    kind: str = "linear",
) -> Expression:
    """Something that varies in time, known at some times (dates, or numbers in the model's time unit).

    A mapping holds both: `table({0: 1.0, 30: 0.6})`. Flat before the first and after the last time.
    Between them, by `kind`:

    - `linear`: straight lines;
    - `step`: each value holds until the next;
    - `monotone`: a smooth curve through the values that rises and falls only where they do and never
      passes beyond them: cubic pieces with the slopes of Fritsch and Butland (1984, doi:10.1137/0905021),
      known as PCHIP.
    """
    if isinstance(times, Mapping) and values is None:
        return table(list(times), list(times.values()), kind)
    if isinstance(times, Mapping) or values is None:
        fail(
            "M119",
            "a table has its values twice" if values is not None else "a table has times, but no values",
            hint="write table(times, values), or table({time: value, …})",
        )
    if len(times) != len(values) or len(times) == 0:
        fail(
            "M119",
            f"a table has {len(times)} times but {len(values)} values",
            hint="give one value for each time, and at least one",
        )
    if kind not in TABLE_KINDS:
        fail("M119", f"a table of kind `{kind}` is not known", hint=near(kind, TABLE_KINDS))
    return Table(moments_in_order(times), tuple(expression(v) for v in values), kind)


def moments_in_order(times: Sequence[float | date]) -> tuple[float | date, ...]:
    """The times of a table, which are of one kind and increase."""
    moments = tuple(_moment(t) for t in times)
    order = [float(t.toordinal()) if isinstance(t, date) else t for t in moments]
    if len({isinstance(t, date) for t in moments}) > 1:
        fail("M119", "the times of a table are partly dates and partly numbers", hint="use one or the other")
    if any(b <= a for a, b in itertools.pairwise(order)):
        fail("M119", "the times of a table do not increase", hint="sort the table by time and remove repeated times")
    return moments


def _moment(time: object) -> float | date:
    """A time of a table: a day, however a table of data holds it, or a number in the model's time unit."""
    # NumPy's dates become Python's; those finer than microseconds have no equal there.
    if type(time).__name__ == "datetime64":
        time = time.astype("datetime64[us]").item()  # type: ignore[attr-defined]
    if isinstance(time, datetime):
        if (time.hour, time.minute, time.second, time.microsecond) != (0, 0, 0, 0):
            fail(
                "M119",
                f"a table has a time within a day: {time}",
                hint="use dates, or numbers in the model's time unit",
            )
        return date(time.year, time.month, time.day)
    if isinstance(time, date):
        return time
    number = float(time) if hasattr(time, "__float__") else math.nan
    if not math.isfinite(number):
        fail("M119", f"a table has a time `{time}`", hint="use dates, or numbers in the model's time unit")
    return number


def people(*compartments: str, by: Sequence[str] = (), **where: str | Sequence[str]) -> Expression:
    """People now in some compartments (in all when none is named), in some strata, summed over the rest.

    `by` keeps a stratification apart: `people("infectious", by=["age"])` is a number for each age.
    """
    return People(_names("people", compartments), _where(where), one_or_more(by))


def amount(*compartments: str, by: Sequence[str] = (), **where: str | Sequence[str]) -> Expression:
    """How much there is now in some compartments of a `Pool`, in its unit: `amount("water")`."""
    return People(_names("amount", compartments), _where(where), one_or_more(by), of_pools=True)


def events(flow: str, *, times: Number = 1.0, by: Sequence[str] = (), **where: str | Sequence[str]) -> Expression:
    """Events of a flow since the output before, for outputs only.

    An event is in the strata its person has afterwards: a dose that moves people from `none` to `one`
    happens in `one`. Who leaves for good is in the strata they had, and so is who changes them by `becoming` on
    the way from one compartment to another: `events("infection", history="none")` are first infections.

    `times` is what each event counts, at the moment it happens: `events("onset", times=detection)` is
    right where detection changes within the interval, `detection * events("onset")` is not.
    """
    (flow,) = _names("events", [flow])
    return Events(flow, expression(times), _where(where), one_or_more(by))


def leaving(*flows: str) -> Expression:
    """People who move by these flows now, per time, summed over all strata: `Entry(..., number=leaving("death"))`.

    Births that replace deaths, so that everybody stay as many. Of chance there are as many on average only.
    """
    return Leaving(_names("leaving", flows))


def exp(x: Number) -> Expression:
    """e to the power of an expression."""
    return Operation("exp", (expression(x),))


def log(x: Number) -> Expression:
    """The natural logarithm of an expression, which must stay above zero."""
    return Operation("log", (expression(x),))


def sqrt(x: Number) -> Expression:
    """The square root of an expression."""
    return Operation("sqrt", (expression(x),))


def cos(x: Number) -> Expression:
    """The cosine of an expression, in radians."""
    return Operation("cos", (expression(x),))


def maximum(x: Number, y: Number) -> Expression:
    """The larger of two expressions, in each stratum and at each time."""
    return Operation("maximum", (expression(x), expression(y)))


def minimum(x: Number, y: Number) -> Expression:
    """The smaller of two expressions, in each stratum and at each time."""
    return Operation("minimum", (expression(x), expression(y)))


def smooth_change(before: Number, after: Number, middle: Number | date, duration: Number) -> Expression:
    """From one value to another along a logistic curve.

    Half of the change is done at `middle` (a date or model time); `duration` is the time from 12% to 88% of it.
    """
    share = 1.0 / (1.0 + exp(expression(-4.0) * (Time() - moment(middle)) / duration))
    return expression(before) + (expression(after) - before) * share


def smooth_step(start: float | date, end: float | date, before: Number, after: Number) -> Expression:
    r"""One value until `start`, another from `end` on, and a curve without a kink between them.

    The curve is the cubic $3u^2 - 2u^3$, where $u$ is the part of the way from `start` to `end`: it starts and ends
    level and is halfway in the middle. Where the moments are themselves to be estimated, use `smooth_change`.
    """
    share = Table(moments_in_order([start, end]), (Constant(0.0), Constant(1.0)), "level")
    return expression(before) + (expression(after) - before) * share


def seasonal(amplitude: Number, peak: Number | date | str, period: Number | None = None) -> Expression:
    r"""A multiplier that swings once a period around one: $1 + a \cos(2\pi (t - t_0) / T)$.

    `peak` $t_0$ is a moment at which it is highest: model time, a date, or a day of the year as month and day
    (`"01-15"`). `period` $T$ is a year (365.25 days) unless given, in the model's time unit.
    """
    length = Year() if period is None else expression(period)
    return 1.0 + amplitude * cos(expression(2 * math.pi) * (Time() - moment(peak)) / length)


def moment(when: Number | date | str) -> Expression:
    """A moment in the model's time: as it is, or that of a date, or of a day of any year (`"01-15"`)."""
    if isinstance(when, str):
        try:
            when = date.fromisoformat(f"2000-{when}")
        except ValueError:
            fail("M119", f"`{when}` is not a day of the year", hint="write month and day, as in 01-15, or give a date")
    return Moment(when) if isinstance(when, date) else expression(when)


def walk(*roots: Expression, into: Callable[[Expression], bool] = lambda each: True) -> Iterator[Expression]:
    """Every expression the roots are made of, each once; `into` says whose parts to look at as well."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting.extend(each.parts() if into(each) else ())


def length_of_year(unit: str) -> float:
    """A year in the time unit of a model, leap years on average."""
    return 365.25 if unit == "days" else 1.0


def _names(function: str, given: Sequence[Any]) -> tuple[str, ...]:
    """Names as they are; what else somebody may write in their place is told."""
    for each in given:
        if not isinstance(each, str):
            names = [str(name) for name in each] if isinstance(each, list | tuple) else [getattr(each, "name", "name")]
            fail(
                "M128",
                f"{function}(...) takes names, and was given {in_words(each)}",
                hint=f"write {function}({', '.join(repr(name) for name in names)})",
            )
    return tuple(given)


def _where(where: Mapping[str, str | Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: one_or_more(each) for name, each in where.items()}


def one_or_more(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names as a tuple; a text is one name, not a list of its letters.

    >>> one_or_more("age"), one_or_more(["age", "place"])
    (('age',), ('age', 'place'))
    """
    return (names,) if isinstance(names, str) else tuple(names)
