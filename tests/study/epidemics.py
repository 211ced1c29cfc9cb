"""A study of a small epidemic whose data are those of its own model, for tests that then spoil it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from modelworks.calibration import Posterior, calibrate
from modelworks.diagnostics import Diagnosis
from modelworks.runs import Progress
from modelworks.study.binding._binding import bind
from modelworks.study.stages import judge, log_density, settings_of

Counts = NDArray[np.int_]

START, DAYS = date(2021, 1, 4), 100

MODEL = """
from modelworks import Infection, Model, Output, Parameter, Transition, events

contact_rate = Parameter("contact_rate", "per day", lower=0)
latency_rate = Parameter("latency_rate", "per day", lower=0)
recovery_rate = Parameter("recovery_rate", "per day", lower=0)
population = Parameter("population", "people", lower=0)
first_cases = Parameter("first_cases", "people", lower=0)
detection = Parameter("detection", "proportion", lower=0, upper=1)
fatality = Parameter("fatality", "proportion", lower=0, upper=1)

model = Model(
    name="epidemic",
    compartments=["susceptible", "exposed", "infectious", "recovered"],
    flows=[
        Infection("infection", "susceptible", "exposed", rate=contact_rate, infectious="infectious"),
        Transition("onset", "exposed", "infectious", rate=latency_rate),
        Transition("recovery", "infectious", "recovered", rate=recovery_rate),
    ],
    initial={"susceptible": population - first_cases, "infectious": first_cases},
    outputs={
        "cases": Output(detection * events("onset"), "people"),
        "deaths": Output(fatality * events("recovery"), "people"),
    },
)
"""

# Who ate from one dish falls ill and gets well: which of the two rates is the faster one does not show.
MEAL = """
from modelworks import Model, Output, Parameter, Transition, people

onset_rate = Parameter("onset_rate", "per day", lower=0)
recovery_rate = Parameter("recovery_rate", "per day", lower=0)
exposed = Parameter("exposed", "people", lower=0)

model = Model(
    name="meal",
    compartments=["incubating", "ill", "well"],
    flows=[
        Transition("onset", "incubating", "ill", rate=onset_rate),
        Transition("recovery", "ill", "well", rate=recovery_rate),
    ],
    initial={"incubating": exposed},
    outputs={"ill": Output(people("ill"), "people")},
)
"""

TRUTH: Mapping[str, float] = MappingProxyType({
    "contact_rate": 0.4, "latency_rate": 0.25, "recovery_rate": 0.2, "population": 50_000, "first_cases": 20,
    "detection": 0.4, "fatality": 0.02, "noise": 0.05,
})  # fmt: skip
UNITS = {
    "population": "people",
    "exposed": "people",
    "first_cases": "people",
    "detection": "proportion",
    "fatality": "proportion",
}
PRIORS = {
    "contact_rate": "{log_normal: {median: 0.35, sigma: 0.4}}",
    "recovery_rate": "{log_normal: {median: 0.18, sigma: 0.3}}",
    "latency_rate": "{log_normal: {median: 0.25, sigma: 0.02}}",
    "first_cases": "{log_normal: {median: 18, sigma: 0.6}}",
    "detection": "{beta: {a: 3, b: 5}}",
    "fatality": "{beta: {a: 2, b: 80}}",
    "noise": "{half_normal: {sd: 0.3}}",
}

SCATTERED, POISSON = "{negative_binomial: {overdispersion: noise}}", "poisson"


@dataclass(frozen=True)
class Series:
    """Values by date of an output, as a target has them."""

    values: Mapping[date, float]
    likelihood: str = SCATTERED
    covers: str = "day"


@dataclass(frozen=True)
class Study:
    """What is believed and what was seen; `free` are the parameters that are calibrated."""

    series: Mapping[str, Series]
    free: Sequence[str] = ("contact_rate", "recovery_rate", "noise")
    fixed: Mapping[str, float] = field(default_factory=lambda: TRUTH)
    priors: Mapping[str, str] = field(default_factory=dict)
    calibration: str = "sampler: nuts, chains: 4, draws: 250, warmup: 250, seed: 3"
    model: str = MODEL

    def having(self, *free: str, **fixed: float) -> Study:
        """The same with other parameters to find, or other values of those that are known."""
        return replace(self, free=free or self.free, fixed={**self.fixed, **fixed})

    def write(self, root: Path) -> Path:
        """The folder of the study, in a repository of its own."""
        folder = root / "studies" / "epidemic"
        for path in (root / "models", root / "data", folder):
            path.mkdir(parents=True)
        (root / "modelworks.toml").write_text("", encoding="utf-8")
        (root / "models" / "epidemic.py").write_text(self.model, encoding="utf-8")
        end = START + timedelta(days=DAYS + 20)
        head = "title: An epidemic\nquestion: How contagious?\nmodel: models/epidemic.py\n"
        time = f"time: {{unit: days, start: {START}, end: {end}, every: 1}}\n"
        (folder / "study.yaml").write_text(f"{head}{time}calibration: {{{self.calibration}}}\n", encoding="utf-8")
        targets = "".join(_target(name, each) for name, each in self.series.items())
        scatter = {"noise"} if "overdispersion: noise" in targets else set()
        lines = (self._parameter(name) for name in self.fixed if name != "noise" or name in scatter)
        (folder / "parameters.yaml").write_text("\n".join(lines), encoding="utf-8")
        (folder / "targets.yaml").write_text(targets, encoding="utf-8")
        return folder

    def _parameter(self, name: str) -> str:
        unit = UNITS.get(name, "dimensionless" if name == "noise" else "per day")
        value = f"value: {self.fixed[name]}"
        if name in self.free:
            value = f"prior: {self.priors.get(name) or PRIORS[name]}"
        return f"{name}: {{{value}, unit: {unit}, source: a test}}"

    def judged(self, root: Path) -> tuple[Posterior, Diagnosis]:
        """The draws, and whether they may be believed."""
        quiet, study = Progress(quiet=True), bind(self.write(root))
        asked = study.inputs.study.calibration
        posterior = calibrate(log_density(study), settings_of(asked, asked.seed, 1), quiet)
        return posterior, judge(study, posterior, quiet, 1)


def sound() -> Study:
    """Daily cases that scatter a little more than a count."""
    return Study({"cases": Series(dated(counts(1, "cases")))})


def two_modes() -> Study:
    """Ill people of each day after a meal: two rates that could be each other, of more or fewer who ate."""
    fast, slow, day = 0.6, 0.15, np.arange(1, 25)
    ill = 3000 * fast / (fast - slow) * (np.exp(-slow * day) - np.exp(-fast * day))
    seen = Series(dated(np.random.default_rng(3).poisson(ill), START + timedelta(days=1)), POISSON, "instant")
    known = {"onset_rate": fast, "recovery_rate": slow, "exposed": 3000.0}
    rate, many = "{log_normal: {median: 0.3, sigma: 0.7}}", "{log_normal: {median: 5000, sigma: 1}}"
    priors = {"onset_rate": rate, "recovery_rate": rate, "exposed": many}
    return Study({"ill": seen}, tuple(known), known, priors, model=MEAL)


def with_deaths(study: Study, deaths: Counts, *, late: int = 0) -> Study:
    """The same with deaths of each day, so many days late, and their share to find."""
    more = Series(dated(deaths, START + timedelta(days=late)), study.series["cases"].likelihood)
    return replace(study, series={**study.series, "deaths": more}, free=(*study.free, "fatality"))


def counts(key: int, output: str, *, noise: float = TRUTH["noise"], **change: float) -> Counts:
    """Counts of each day, negative binomial about what is expected; Poisson without noise."""
    random, mean = np.random.default_rng(key), expected(**change)[output]
    return random.poisson(random.gamma(1 / noise, mean * noise) if noise else mean)


def dated(values: Sequence[float] | Counts, start: date = START, every: int = 1) -> dict[date, float]:
    """Values by date."""
    return {start + timedelta(days=k * every): float(value) for k, value in enumerate(values)}


def expected(*, change_day: float = np.inf, factor: float = 1.0, **change: float) -> dict[str, NDArray[np.float64]]:
    """What happens on each day, by scipy; from one day on contacts are so many times what they were."""
    return _expected(change_day, factor, tuple(sorted(change.items())))


@cache
def _expected(day: float, factor: float, change: tuple[tuple[str, float], ...]) -> dict[str, NDArray[np.float64]]:
    p = {**TRUTH, **dict(change)}

    def slope(time: float, state: NDArray[np.float64]) -> list[float]:
        rate = p["contact_rate"] * (factor if time > day else 1)
        infections, onsets = rate * state[0] * state[2] / p["population"], p["latency_rate"] * state[1]
        recoveries = p["recovery_rate"] * state[2]
        return [-infections, infections - onsets, onsets - recoveries, recoveries, onsets]

    start = [p["population"] - p["first_cases"], 0, p["first_cases"], 0, 0]
    found = solve_ivp(slope, (0, DAYS), start, t_eval=np.arange(DAYS + 1), rtol=1e-8, atol=1e-8).y
    return {
        "cases": p["detection"] * np.diff(found[4]),
        "deaths": p["fatality"] * np.diff(found[3]),
    }


def _target(name: str, series: Series) -> str:
    values = ", ".join(f"{day}: {value:g}" for day, value in series.values.items())
    return (
        f"{name}:\n  output: {name}\n  values: {{{values}}}\n  unit: people\n  covers: {series.covers}\n"
        f"  source: a test\n  likelihood: {series.likelihood}\n"
    )
