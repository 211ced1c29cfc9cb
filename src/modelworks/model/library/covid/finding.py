"""How cases are found: testing, and the tracing of their contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelworks.errors import fail
from modelworks.model._declaration import FEWEST
from modelworks.model._expression import Expression, Number, Parameter, exp, expression, log, maximum, people
from modelworks.model.library._proportions import check_proportion

_detection = Parameter(
    "detection",
    "proportion",
    lower=0,
    upper=1,
    meaning="found, of those with symptoms, or of all the infected where symptoms are not told apart",
)
reference_detection = Parameter(
    "reference_detection", "proportion", lower=0, upper=0.999, meaning="symptomatic who are found at reference testing"
)
reference_testing = Parameter("reference_testing", "per day", lower=1e-9, meaning="tests per person and day then")
tracing_coverage = Parameter(
    "tracing_coverage", "proportion", lower=0, upper=1, meaning="infected by found cases who are traced, while few"
)
tracing_load = Parameter(
    "tracing_load", "proportion", lower=1e-9, meaning="of people ill at which tracing falls to 37% of its coverage"
)


def detection_by_testing(tests: Number) -> Expression:
    r"""Proportion of the symptomatic who are found, by tests per person and day: $1 - (1 - d)^{T / T_0}$.

    It rises from none without tests, ever more slowly, to one; `reference_detection` $d$ is what
    `reference_testing` $T_0$ finds. Each further test finds the same part of those not found so far.
    """
    return 1.0 - exp(log(1.0 - reference_detection) * tests / reference_testing)


def detection_of(detection: Number | None, tests: Number | None) -> Number:
    """The proportion found: what is given, what so many tests find, or a parameter.

    Raises
    ------
    ModelworksError
        M150 where it is given and follows tests as well, or is no proportion.
    """
    if tests is None:
        if detection is None:
            return _detection
        check_proportion("the detection", detection)
        return detection
    if detection is not None:
        fail("M150", "detection is given, and follows tests as well", hint="give `detection` or `tests`, not both")
    return detection_by_testing(tests)


def traced_share(infectiousness: Mapping[str, Mapping[str, Number]], found: Sequence[str]) -> Expression:
    r"""Proportion of the newly infected who are traced before they infect others: $q\, \frac{D}{I}\, e^{-P / P_0}$.

    $D / I$ is the part of all infectiousness of the ill that is of those who are found, as if nobody were in
    quarantine; $P$ is the proportion of everybody who is ill, $P_0$ `tracing_load` and $q$ `tracing_coverage`.
    Tracing falls with prevalence because the staff are as many as they are.

    Parameters
    ----------
    infectiousness
        By compartment of the ill, of each stratum of `clinical`.
    found
        The clinical strata of those who are found.
    """
    weighted = [
        (stratum, weight * people(compartment, clinical=stratum))
        for compartment, weights in infectiousness.items()
        for stratum, weight in weights.items()
    ]
    by_found = sum((each for stratum, each in weighted if stratum in found), expression(0.0))
    by_all = sum((each for _, each in weighted), expression(0.0))
    prevalence = people(*infectiousness) / people()
    return tracing_coverage * by_found / maximum(by_all, FEWEST) * exp(-prevalence / tracing_load)
