"""Three calibrations to time, and one of them as a program: `calibration_problems.py NAME FOLDER`.

`FOLDER` holds the peers' equations and data. The program draws by the sampler that is chosen for it until there are
draws enough, and its last line is what it found as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peer_models import covid, read_spec

from modelworks.calibration import Enough, LogDensity, Prior, Settings, Target, calibrate
from modelworks.calibration._progress import Silence
from modelworks.diagnostics import ess_bulk, ess_tail, r_hat
from modelworks.model import (
    CompiledModel,
    Contacts,
    Entry,
    Infection,
    Model,
    Move,
    Output,
    Parameter,
    Stratification,
    Time,
    Transition,
    by,
    events,
    exp,
    people,
    settle_step,
    table,
)
from modelworks.model.library.sir import sir

Array = NDArray[np.float64]

SEED = 1
ACCURACY = 1e-4
MOST_DRAWS = 5000


def of_peer_sir(folder: Path) -> LogDensity:
    """The peer's own example: an SIR, its incidence of fifty days with normal errors whose size is to be found.

    The peer cuts its normal at zero and takes the mean over points; ours is whole, and a sum.
    """
    observed = np.loadtxt(folder / "peer_sir_data.csv", delimiter=",", skiprows=1)[:, 1]
    days = np.arange(float(observed.size))
    ours = sir()
    contact_rate = next(flow.rate for flow in ours.flows if isinstance(flow, Infection))
    incidence = Output(contact_rate * people("susceptible") * people("infectious") / people(), "people per day")
    model = Model(ours.name, ours.compartments, ours.flows, ours.initial, {"incidence": incidence})
    compiled = _settled(model, days, {"contact_rate": 0.5, "recovery_rate": 0.4, "population": 1000, "first_cases": 10})
    priors = {
        "contact_rate": _uniform(0.01, 1.0),
        "recovery_rate": Prior.of("normal", {"mean": 0.5, "sd": 0.2}, bounds=(0.01, 1.0)),
        "sd": _uniform(0.1, 0.1 * float(observed.max())),
    }
    target = Target(
        name="incidence",
        output="incidence",
        observed=observed,
        weights=_of_rates(days.size),
        likelihood="normal",
        arguments={"sd": "sd"},
    )
    fixed = {"population": 1000.0, "first_cases": 10.0}
    return LogDensity(priors=priors, simulator=compiled, targets=[target], fixed=fixed)


def _of_rates(number: int) -> Array:
    """The peer's rate of a day is the mean of those at its ends; the first stands alone."""
    weights = (np.eye(number) + np.eye(number, k=-1)) / 2
    weights[0, 0] = 1.0
    return np.asarray(weights)


def of_model_b(folder: Path) -> LogDensity:
    """Model B: cases and deaths of every seventh day, three parameters."""
    spec = read_spec(folder)
    given = np.loadtxt(folder / "peer_covid_data.csv", delimiter=",", skiprows=1)
    free = {"contact_rate": Parameter("contact_rate"), "trans_strain": [1.0, Parameter("voc_trans")]}
    scaled = {**spec.B, **free, "ifr": [each * Parameter("ifr_mult") for each in spec.B["ifr"]]}
    reported = table(spec.B["cdr_t"], spec.B["cdr_v"])
    outputs = {"notifications": events("onset", times=reported), "deaths": events("death")}
    days = np.arange(501.0)
    middle = {"contact_rate": 0.0085, "ifr_mult": 1.0, "voc_trans": 1.6}
    compiled = _settled(covid(scaled, spec, outputs), days, middle)
    priors = {
        "contact_rate": _uniform(0.006, 0.012),
        "ifr_mult": _uniform(0.3, 3.0),
        "voc_trans": _uniform(1.2, 2.0),
    }
    picked = (days == given[:, :1]).astype(float)
    targets = [
        Target(
            name=name,
            output=name,
            observed=given[:, column],
            weights=picked,
            likelihood="negative_binomial",
            arguments={"overdispersion": 1 / size},
        )
        for column, (name, size) in enumerate({"notifications": 20.0, "deaths": 10.0}.items(), 1)
    ]
    return LogDensity(priors=priors, simulator=compiled, targets=targets)


# -- 880 states ------------------------------------------------------------------------------------

AGES, DOSES, STRAINS = 16, ("none", "one", "two"), ("first", "second")
KNOTS = np.linspace(0.0, 500.0, 20)
SCALES = np.array([100, 100, 90, 45, 35, 40, 60, 70, 65, 50, 45, 55, 70, 80, 75, 70, 80, 90, 95, 100]) / 100
# The knots after the first two, in parts whose common factor is to be found.
PARTS = 6
TRUE = {
    "transmission_first": 0.06,
    "transmission_second": 0.085,
    **{f"contacts_{k}": 1.0 for k in range(1, PARTS + 1)},
    "reported": 0.3,
    "overdispersion": 0.1,
}
SPREADS = {"reported": 0.5, "overdispersion": 1.0}


def of_880_states(_folder: Path) -> LogDensity:
    """Ten parameters of an epidemic of two strains in sixteen ages, by the daily cases of 500 days."""
    days = np.arange(501.0)
    compiled = _settled(two_strains(), days, TRUE)
    expected = np.maximum(
        compiled.run(compiled.vector(_of_model(compiled, TRUE)))[1:, compiled.outputs.index("cases")], 1e-6
    )
    size = 1 / TRUE["overdispersion"]
    observed = np.random.default_rng(SEED).negative_binomial(size, size / (size + expected)).astype(float)
    priors = {
        name: Prior.of("log_normal", {"median": value, "sigma": SPREADS.get(name, 0.3)}) for name, value in TRUE.items()
    }
    target = Target(
        name="cases",
        output="cases",
        observed=observed,
        weights=np.eye(501)[1:],
        likelihood="negative_binomial",
        arguments={"overdispersion": "overdispersion"},
    )
    return LogDensity(priors=priors, simulator=compiled, targets=[target])


def two_strains() -> Model:
    """Sixteen ages, three doses and two strains: hospitals, waning, a roll-out, contacts that change."""
    age = np.arange(float(AGES))
    persons = 1.2 - 0.4 * age / AGES
    persons *= 1e6 / persons.sum()
    symptomatic, in_hospital = 0.3 + 0.5 * age / (AGES - 1), np.minimum(0.002 * np.exp(0.28 * age), 0.25)
    severe = by("age", in_hospital.tolist()) * by("dose", [1.0, 0.4, 0.15])
    critical, dying = by("age", (0.1 + 0.015 * age).tolist()), by("age", (0.02 + 0.01 * age).tolist())
    dying_critical = by("age", (0.25 + 0.02 * age).tolist())
    developing = by("age", symptomatic.tolist())
    weight = by("dose", [1.0, 0.8, 0.6])
    infection: dict[str, Any] = {
        "infectious": {"early": 0.8 * weight, "ill": weight, "unnoticed": 0.5 * weight},
        "contacts": Contacts({"age": _contacts(age, persons)}),
        "strain": "strain",
    }
    parts = [1.0 if k < 2 else Parameter(f"contacts_{1 + (k - 2) // 3}") for k in range(KNOTS.size)]
    scale = table(KNOTS.tolist(), [each * part for each, part in zip(SCALES.tolist(), parts, strict=True)])
    first, second = (scale * Parameter(f"transmission_{strain}") for strain in STRAINS)
    begun = np.linspace(260.0, 130.0, AGES)
    doses = [
        by("age", [table([start, start + 30.0], [0.0, most]) for start in begun + later])
        for later, most in ((0.0, 0.012), (40.0, 0.03))
    ]
    untouched, once = ["susceptible", "past_first", "past_second"], {"age": "6", "dose": "none"}
    arrivals = [2.0 * exp(-0.005 * (Time() - day) * (Time() - day)) for day in (20.0, 150.0)]
    flows: list[Any] = [
        Infection(
            "infection",
            "susceptible",
            "infected",
            rate=by("strain", [first, second]),
            susceptibility=by("dose", [1.0, 0.55, 0.25]) * by("strain", [1.0, 0.0])
            + by("dose", [1.0, 0.7, 0.45]) * by("strain", [0.0, 1.0]),
            **infection,
        ),
        Infection(
            "reinfection",
            "past_first",
            "infected",
            rate=by("strain", [0.0, second]),
            susceptibility=0.7 * by("dose", [1.0, 0.7, 0.45]),
            **infection,
        ),
        Transition("latent", "infected", "latent", 2 / 3),
        Transition("onset_noticed", "latent", "early", 2 / 3 * developing),
        Transition("onset_unnoticed", "latent", "unnoticed", 2 / 3 * (1 - developing)),
        Transition("onset", "early", "ill", 1 / 1.5),
        Transition("admission", "ill", "hospital", 0.25 * severe),
        Transition("worsening", "hospital", "critical", critical / 8),
        Transition("death", "hospital", "dead", dying / 8),
        Transition("death_critical", "critical", "dead", dying_critical / 12),
        Move("first_dose", "dose", "none", "one", doses[0], compartments=untouched),
        Move("second_dose", "dose", "one", "two", doses[1], compartments=untouched),
    ]
    for strain, coming in zip(STRAINS, arrivals, strict=True):
        past, where = f"past_{strain}", {"strain": strain}
        flows += [
            Transition(f"recovery_{strain}", "ill", past, 0.25 * (1 - severe), where=where),
            Transition(f"recovery_unnoticed_{strain}", "unnoticed", past, 0.2, where=where),
            Transition(f"discharge_{strain}", "hospital", past, (1 - critical - dying) / 8, where=where),
            Transition(f"discharge_critical_{strain}", "critical", past, (1 - dying_critical) / 12, where=where),
            Transition(f"waning_{strain}", past, "susceptible", 1 / 250),
            Entry(f"arrival_{strain}", "infected", coming, split={**once, "strain": strain}),
        ]
    carriers = ["infected", "latent", "early", "ill", "unnoticed", "hospital", "critical"]
    return Model(
        "two_strains",
        [*untouched, *carriers, "dead"],
        flows,
        {"susceptible": by("age", (persons * (1 - 2e-4)).tolist()), "infected": by("age", (persons * 2e-4).tolist())},
        {"cases": events("onset", times=Parameter("reported"))},
        [
            Stratification("age", [str(k) for k in range(AGES)], split=(persons / persons.sum()).tolist()),
            Stratification("dose", list(DOSES), split="none"),
            Stratification("strain", list(STRAINS), compartments=carriers, split="first"),
        ],
    )


def _contacts(age: Array, persons: Array) -> Array:
    """Those of one's age, of parents and children, and of everybody; twelve a day on average."""
    apart = np.abs(age[:, None] - age[None, :])
    met = 2 * np.exp(-0.5 * (apart / 1.5) ** 2) + 0.6 * np.exp(-0.5 * ((apart - 6) / 1.5) ** 2) + 0.15
    going_out = 0.6 + 0.8 * np.exp(-0.5 * ((age - 5) / 5.0) ** 2)
    found = met * np.outer(going_out, going_out) * persons / persons.mean()
    return np.asarray(found * 12.0 / (found.sum(axis=1) @ persons / persons.sum()))


# -- as a program ----------------------------------------------------------------------------------


def _uniform(lower: float, upper: float) -> Prior:
    return Prior.of("uniform", {"lower": lower, "upper": upper})


def _settled(model: Model, days: Array, middle: Mapping[str, float]) -> CompiledModel:
    compiled = CompiledModel(model.checked(), days)
    settle_step(compiled, compiled.vector(_of_model(compiled, middle)), ACCURACY)
    return compiled


def _of_model(compiled: CompiledModel, values: Mapping[str, float]) -> dict[str, float]:
    """Those that are no part of the observations."""
    return {name: values[name] for name in compiled.parameters}


PROBLEMS: dict[str, Callable[[Path], LogDensity]] = {
    "sir": of_peer_sir,
    "model-b": of_model_b,
    "880-states": of_880_states,
}


class Listener(Silence):
    """Writes down when the first answer was there: seconds of the processor since the process began."""

    first: float | None = None

    def mention(self, text: str) -> None:
        if text.startswith("first answer"):
            self.first = time.process_time()


def main(name: str, folder: str, effective_draws: str = "400") -> None:
    density, listener = PROBLEMS[name](Path(folder)), Listener()
    enough = Enough(effective_draws=float(effective_draws))
    if name == "sir":
        # The peer's clock begins where everything is loaded and compiled, and a few draws were made.
        calibrate(density, Settings(seed=SEED, draws=10))
    began = time.process_time()
    posterior = calibrate(density, Settings(seed=SEED, draws=MOST_DRAWS, enough=enough), listener)
    seconds = time.process_time() - began
    draws = {each: posterior.draws(each) for each in posterior.parameters}
    bulk, tail = (min(worth(each) for each in draws.values()) for worth in (ess_bulk, ess_tail))
    found = {
        "seconds": seconds,
        "first": listener.first,
        "r_hat": max(map(r_hat, draws.values())),
        "bulk": bulk,
        "effective_draws": min(bulk, tail),
        "draws": sum(each.size for each in draws.values()) // len(draws),
        "means": {each: float(values.mean()) for each, values in draws.items()},
        "why": posterior.attributes["why"],
    }
    found["is_enough"] = found["r_hat"] < enough.r_hat and found["effective_draws"] > enough.effective_draws
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
