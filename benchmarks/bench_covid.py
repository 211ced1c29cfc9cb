"""Fifteen months of COVID-19: the library's national model by sixteen ages, and with its parts.

Steps are half a day. Errors are those that halving the step shows, relative to the largest value of each output.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial

import numpy as np
from measurement import Measurement, seconds_each

from modelworks.dates import Calendar
from modelworks.model import CompiledModel, Model, measure_error, micro_distancing, mobility
from modelworks.model.library.covid import Country, RollOut, Strain, covid, typical_values

START = date(2020, 12, 1)
DAYS = np.arange(471.0)
MONTHS = [date(2021, 1, 1) + timedelta(30 * k) for k in range(8)]
OF_DELTA = {"transmissibility_delta": 1.9, "severity_delta": 2.0, "arrivals_delta": 5.0}


def measure() -> Iterator[Measurement]:
    yield _fifteen_months("covid: sixteen ages", covid())
    for cross_immunity in (False, True):
        model = _with_all_parts(cross_immunity=cross_immunity)
        name = "covid: all its parts" if cross_immunity else "covid: all its parts but cross-immunity"
        yield _fifteen_months(name, model)


def _with_all_parts(*, cross_immunity: bool) -> Model:
    people = Country.nowhere().people
    met = np.asarray(Country.nowhere().contacts["anywhere"]) / 4
    first, second = (np.outer(np.linspace(start, end, 8), np.ones(16)) for start, end in ((0.02, 0.8), (0.0, 0.7)))
    return covid(
        Country(people, dict.fromkeys(("home", "school", "work", "community"), met)),
        scales={"work": mobility(MONTHS[:3], [-10, -20, -50])},
        micro_distancing=micro_distancing(0.3, 0.5),
        tests=0.002,
        tracing=True,
        strains=[Strain("first"), Strain("delta", (MONTHS[1], MONTHS[2]))],
        vaccination=RollOut(MONTHS, first, second, wanes=True),
        waning=True,
        history=True,
        cross_immunity=cross_immunity,
    )


def _fifteen_months(name: str, model: Model) -> Measurement:
    compiled = CompiledModel(model.checked(), DAYS, calendar=Calendar("days", START), step=0.5)
    at = compiled.vector({each: {**typical_values(model), **OF_DELTA}[each] for each in model.parameters})
    states = len(compiled.program.stocks) * compiled.program.width
    error = measure_error(compiled, at)
    run = seconds_each(partial(compiled.run, at))
    return Measurement(f"{name}, {states} states, 470 days", run * 1e3, "ms", error=error)
