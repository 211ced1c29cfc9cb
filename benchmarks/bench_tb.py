"""Two centuries of tuberculosis: the library's national model by six ages, and with all its parts.

Errors are those that halving the step shows, relative to the largest value of each output.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from measurement import Measurement, seconds_each

from modelworks.model import CompiledModel, Model, settle_step
from modelworks.model.library.tb import Campaign, Demography, stationary_shares, tb, typical_values

DEATHS: dict[float, float] = {0: 0.05, 5: 0.004, 15: 0.005, 35: 0.01, 50: 0.02, 70: 0.09}
TIMES = np.linspace(1800.0, 2020.0, 2201)


def measure() -> Iterator[Measurement]:
    country = Demography(3e4, DEATHS, stationary_shares(DEATHS))
    yield _two_centuries("tb: six ages, 220 years by tenths", tb(country))
    everything = tb(
        country,
        places={"town": 0.6, "islands": 0.4},
        contacts=np.eye(6) + 0.5,
        manifestations=True,
        bcg={1955: 0.0, 1990: 0.9},
        diabetes={35: 0.1},
        campaigns=[Campaign(2018.2, 2018.8, 0.8, place="town", treats_latent=True)],
        preventive_treatment=0.1,
    )
    yield _two_centuries("tb: all its parts, 220 years by tenths", everything)


def _two_centuries(name: str, model: Model) -> Measurement:
    compiled = CompiledModel(model.checked(), TIMES)
    at = compiled.vector(typical_values(model))
    error = settle_step(compiled, at, 1e-4).error
    return Measurement(name, seconds_each(partial(compiled.run, at)) * 1e3, "ms", error=error)
