"""Events that show later: delays between infection and report, admission, death, and states that last for a while."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelworks.errors import fail
from modelworks.model._expression import (
    By,
    Constant,
    Events,
    Expression,
    Number,
    Operation,
    Parameter,
    expression,
    walk,
)

# What the numbers of a distribution are.
NUMBERS = {"gamma": ("mean", "shape"), "lognormal": ("mean", "sd"), "weibull": ("mean", "shape")}


@dataclass(frozen=True, eq=False)
class Delay:
    """A distribution of delays, in the model's time unit. Its numbers may be parameters, and differ by stratum."""

    family: str
    numbers: tuple[Expression, ...]

    @staticmethod
    def gamma(mean: Number, shape: Number) -> Delay:
        """Of standard deviation `mean / sqrt(shape)`; shape 1 is the exponential, a whole number the Erlang."""
        return Delay("gamma", (expression(mean), expression(shape)))

    @staticmethod
    def lognormal(mean: Number, sd: Number) -> Delay:
        """By the mean and standard deviation of the delay itself, not of its logarithm."""
        return Delay("lognormal", (expression(mean), expression(sd)))

    @staticmethod
    def weibull(mean: Number, shape: Number) -> Delay:
        r"""Of scale $m / \\Gamma(1 + 1/k)$ with mean $m$ and shape $k$."""
        return Delay("weibull", (expression(mean), expression(shape)))

    @staticmethod
    def discrete(probabilities: Sequence[Number]) -> Delay:
        """Of no step, of one, of two, and so on, each with its probability; they sum to one."""
        if isinstance(probabilities, (str, Expression)) or len(probabilities) == 0:
            fail(
                "M135",
                f"the probabilities of a delay are `{probabilities!r}`, where a list of numbers belongs",
                hint="give one for each number of steps, from none on: [0.2, 0.5, 0.3]",
            )
        return Delay("discrete", tuple(expression(each) for each in probabilities))

    def labelled(self) -> list[tuple[str, Expression]]:
        """Its numbers, and what each is."""
        labels = NUMBERS.get(self.family) or [f"{k}:" for k in range(len(self.numbers))]
        return list(zip(labels, self.numbers, strict=True))


@dataclass(frozen=True, eq=False)
class Delayed(Expression):
    """A series of events each of which counts a delay after it happened; or, with `lasting`, until then."""

    value: Expression
    delay: Delay
    step: float | None
    lasting: bool = False

    def parts(self) -> tuple[Expression, ...]:
        return (self.value, *self.delay.numbers)


def delayed(value: Number, delay: Delay, *, step: float | None = None) -> Expression:
    """Events some time after they happened, for outputs only: `delayed(events("infection"), Delay.gamma(8, 2.5))`.

    Like `events`, it is a number since the output before. It is an output, or in a sum or difference; what an event
    counts is written inside: `delayed(detection * events("infection"), ...)`, or with `events(..., times=...)` where
    that changes in time. What happened before the run starts is not known and counts as nothing.

    `step` is the length within which events are taken as even: a day unless given, and a week in a model of years.
    Delays are then exact, whatever the outputs' times and the solver's steps; within a step what shows is even,
    too. Where events grow at a rate $r$ the error is $(r h)^2 / 12$ of them, with $h$ the step: less than a
    thousandth where they double in a week.
    """
    return _delayed(value, delay, step, lasting=False)


def lasting(value: Number, delay: Delay, *, step: float | None = None) -> Expression:
    """How many of the events still last, each for a time: beds taken, people with antibodies. For outputs only.

    `lasting(events("admission"), Delay.lognormal(7, 5))` counts at a moment, as `people` does, those admitted since
    the start who have not left. Those between two moments are the difference of two. The rest is as for `delayed`.
    """
    return _delayed(value, delay, step, lasting=True)


def _delayed(value: Number, delay: Delay, step: float | None, *, lasting: bool) -> Delayed:
    if not isinstance(delay, Delay):
        fail("M135", f"a delay is given as `{delay!r}`", hint="write Delay.gamma(mean, shape), or another distribution")
    if step is not None and not (math.isfinite(step) and step > 0):
        fail("M135", f"the step of a delay is {step}, but a step takes some time", hint="give a number above zero")
    given = expression(value)
    if not _counts(given):
        fail(
            "M135",
            "what is delayed is not a number of events",
            hint="write delayed(events(...), ...); what each counts is a parameter before it, or `times` where that "
            "changes; people in a compartment do not happen at a time",
        )
    return Delayed(given, delay, step, lasting)


def _counts(given: Expression) -> bool:
    """Whether it is twice as many where every event happens twice, and of each moment's events alone."""
    if isinstance(given, Events):
        return True
    if not isinstance(given, Operation):
        return False
    if given.operation in ("add", "subtract"):
        return all(_counts(each) for each in given.arguments)
    first, second = given.arguments if len(given.arguments) == 2 else (given, given)
    if given.operation == "multiply":
        return (_counts(first) and _is_fixed(second)) or (_is_fixed(first) and _counts(second))
    return given.operation == "divide" and _counts(first) and _is_fixed(second)


def _is_fixed(given: Expression) -> bool:
    return all(isinstance(each, (Constant, Parameter, By, Operation)) for each in walk(given))


def taken_apart(given: Expression) -> tuple[Expression, list[Delayed]]:
    """An output as what it is at its own time, and what is added to that from earlier times."""
    if isinstance(given, Delayed):
        return Constant(0.0), [given]
    if isinstance(given, Operation) and given.operation in ("add", "subtract"):
        (now, first), (other, second) = (taken_apart(each) for each in given.arguments)
        if given.operation == "subtract":
            second = [replace(each, value=-1.0 * each.value) for each in second]
        if first or second:
            return Operation(given.operation, (now, other)), [*first, *second]
    return given, []
