"""A year of a chain-binomial SEIR in sixteen ages by daily steps: ours, and NumPy with its own binomial numbers.

Both draw three binomial numbers an age and day from the same rates; NumPy works on 200 runs at once, so that what
Python costs is shared by all. The error is that of our mean attack rate against NumPy's, relative to it: it
holds what chance leaves of both. On one core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from measurement import Measurement, compared, seconds_each
from numpy.typing import NDArray

from modelworks.model import (
    Contacts,
    Infection,
    Model,
    StochasticModel,
    Stratification,
    Transition,
    by,
    events,
    filter_particles,
)

Array = NDArray[np.float64]

AGES, DAYS, RUNS = 16, 365, 200
PARTICLES, WATCHED = 1000, 60
INFECTED, ONSET, RECOVERY = 0.03, 0.3, 0.2
AGE = np.arange(AGES)
# A million people, and contacts within one's age and with parents and children.
PEOPLE = np.round(1e6 * (1.2 - 0.4 * AGE / AGES) / np.sum(1.2 - 0.4 * AGE / AGES))
APART = np.abs(AGE[:, None] - AGE[None, :])
CONTACTS = 4 * np.exp(-0.5 * (APART / 1.5) ** 2) + np.exp(-0.5 * ((APART - 6) / 1.5) ** 2) + 0.2


def seir() -> Model:
    return Model(
        "seir16",
        ["s", "e", "i", "r"],
        [
            Infection("infection", "s", "e", INFECTED, "i", Contacts({"age": CONTACTS})),
            Transition("onset", "e", "i", ONSET),
            Transition("recovery", "i", "r", RECOVERY),
        ],
        {"s": by("age", (PEOPLE - 5).tolist()), "i": by("age", [5.0] * AGES)},
        {"incidence": events("infection")},
        [Stratification("age", [f"age{k}" for k in AGE], split="age0")],
    )


def by_numpy(seed: int) -> Array:
    """Infections a day, (run, day)."""
    dice = np.random.default_rng(seed)
    s, i = (np.tile(each.astype(np.int64), (RUNS, 1)) for each in (PEOPLE - 5, np.full(AGES, 5)))
    e, found = np.zeros_like(s), np.empty((RUNS, DAYS))
    onset, recovery = -np.expm1(-ONSET), -np.expm1(-RECOVERY)
    for day in range(DAYS):
        infected = dice.binomial(s, -np.expm1(-INFECTED * (i / PEOPLE) @ CONTACTS.T))
        ill, recovered = dice.binomial(e, onset), dice.binomial(i, recovery)
        s, e, i = s - infected, e + infected - ill, i + ill - recovered
        found[:, day] = infected.sum(axis=1)
    return found


def measure() -> Iterator[Measurement]:
    compiled = StochasticModel(seir(), range(DAYS + 1), cores=1)
    rows = compiled.rows({})
    ours = RUNS / seconds_each(lambda: compiled.run(rows, RUNS, 1), tries=3)
    theirs = RUNS / seconds_each(lambda: by_numpy(1), tries=2)
    attack, expected = compiled.run(rows, RUNS, 1).sum(axis=1).mean(), by_numpy(1).sum(axis=1).mean()
    yield compared(
        "chain-binomial SEIR, 16 ages, 365 days",
        1e3 / ours,
        "ms a run",
        "numpy",
        1e3 / theirs,
        abs(attack - expected) / expected,
    )
    watched = StochasticModel(seir(), range(WATCHED + 1), cores=1)
    reported = watched.run(rows, 1, 7)[0, :, 0]

    def poisson(outputs: Mapping[str, Array], k: int) -> Array:
        mean = outputs["incidence"] + 0.1
        return np.asarray(reported[k] * np.log(mean) - mean)

    seconds = seconds_each(lambda: filter_particles(watched, {}, poisson, particles=PARTICLES, seed=1), tries=3)
    yield Measurement("particle filter, the same model, 1,000 particles, 60 days", 1e3 * seconds, "ms")
