"""Outbreaks in a school where nobody is immune, of four infections, run by chance."""

import numpy as np
import pandas as pd

from modelworks.model import simulate_stochastic
from modelworks.model.library.seir import seir

# Days latent and days infectious, and the basic reproduction number, each from and to. The days are those of Anderson
# and May, Infectious Diseases of Humans (Oxford University Press 1991), table 3.1; the reproduction numbers are
# assumed: from low to high of what is found in schools.
INFECTIONS = {
    "influenza": {"latent": (1, 3), "infectious": (2, 3), "reproduction": (1.5, 3.5)},
    "measles": {"latent": (6, 9), "infectious": (6, 7), "reproduction": (12, 18)},
    "mumps": {"latent": (12, 18), "infectious": (4, 8), "reproduction": (4, 7)},
    "chickenpox": {"latent": (8, 12), "infectious": (10, 11), "reproduction": (7, 12)},
}
PUPILS = 800
SEEN_DAYS = 28
FEWEST_REPORTS = 5
OUTBREAKS = 600
REPORTED = 0.7


def simulate(seed: int) -> dict[str, pd.DataFrame]:
    """Daily reports from the first one on, a row for each outbreak; a third of them is kept for testing."""
    key = np.random.default_rng(seed)
    parts = [_outbreaks(name, ranges, key) for name, ranges in INFECTIONS.items()]
    table = pd.concat(parts, ignore_index=True)
    table.insert(1, "part", np.where(key.random(len(table)) < 1 / 3, "test", "train"))
    return {"outbreaks.csv": table}


def _outbreaks(name, ranges, key):
    latent, infectious, reproduction = (key.uniform(*ranges[each], OUTBREAKS) for each in ranges)
    values = {
        "contact_rate": reproduction / infectious,
        "latency_rate": 1 / latent,
        "recovery_rate": 1 / infectious,
        "population": np.full(OUTBREAKS, PUPILS),
        "first_cases": np.ones(OUTBREAKS),
    }
    days = range(3 * SEEN_DAYS + 1)
    runs = simulate_stochastic(seir(), values, days, draws=OUTBREAKS, seed=int(key.integers(2**31)), step=0.25)
    reports = key.binomial(runs["incidence"].astype(int), REPORTED)
    first = (reports > 0).argmax(axis=1)
    seen = np.array([row[start : start + SEEN_DAYS] for row, start in zip(reports, first, strict=True) if start <= 56])
    told = seen[seen.sum(axis=1) >= FEWEST_REPORTS]
    table = pd.DataFrame(told, columns=[f"day_{day + 1}" for day in range(SEEN_DAYS)])
    table.insert(0, "infection", name)
    return table
