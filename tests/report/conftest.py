"""A page like that of a real study, of made-up draws, so that it takes no calibration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compared import made_run

from modelworks.plots import figure
from modelworks.report import (
    AssumptionRow,
    AvertedRow,
    CheckRow,
    DataRow,
    FitRow,
    ForecastRow,
    Page,
    PosteriorRow,
    QuantityRow,
    RelianceRow,
    ScenarioRow,
    Section,
    StageRow,
    TargetRow,
    ThresholdRow,
)
from modelworks.runs import Run, Store

SOURCE = "Grinsztajn et al. 2021, Statistics in Medicine, doi:10.1002/sim.9164"
UNITS = {"contact_rate": "per day", "recovery_rate": "per day", "overdispersion": "dimensionless"}
# BMJ, 4 March 1978, p. 587: boys in bed, 22 January to 4 February.
IN_BED = (3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4)
DIAGRAM = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 120" width="620" height="120">'
    '<rect x="20" y="30" width="150" height="46" fill="#f5f7fa" stroke="#1f2933"/>'
    '<text x="40" y="58">susceptible</text>'
    '<path d="M170 53L280 53" stroke="#b42318"/><rect x="280" y="30" width="150" height="46" fill="#f5f7fa" '
    'stroke="#1f2933"/><text x="310" y="58">infectious</text></svg>'
)


def made_draws(key: int, scale: float) -> dict[str, np.ndarray]:
    """Four chains of three parameters that agree with each other, about as the boarding school's do."""
    generator = np.random.default_rng(key)
    shape = (4, 400)
    return {
        "contact_rate": 1.73 + 0.054 * scale * generator.normal(size=shape),
        "recovery_rate": 0.54 + 0.045 * scale * generator.normal(size=shape),
        "overdispersion": np.exp(np.log(0.14) + 0.4 * scale * generator.normal(size=shape)),
    }


def made_quantiles() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ribbons around the observed epidemic, with and without schools closed."""
    days = pd.date_range("1978-01-22", periods=len(IN_BED))
    middle = np.asarray(IN_BED, dtype=float)
    factors = {"q025": 0.6, "q25": 0.85, "q50": 1.0, "q75": 1.2, "q975": 1.5}
    parts = [
        pd.DataFrame({"scenario": name, "output": "in_bed", "time": days})
        .assign(**{quantile: share * factor * middle for quantile, factor in factors.items()})
        for name, share in (("baseline", 1.0), ("boys-sent-home", 0.4))
    ]  # fmt: skip
    observed = pd.DataFrame(
        {"target": "in_bed", "output": "in_bed", "time": days, "value": middle, "included": [True] * 12 + [False] * 2}
    )
    return pd.concat(parts, ignore_index=True), observed


def made_sections() -> tuple[Section, ...]:
    quantiles, observed = made_quantiles()
    base = quantiles[quantiles["scenario"] == "baseline"].drop(columns="scenario")
    draws, prior = made_draws(1, 1.0), made_draws(2, 6.0)
    labels = {name: f"{name.replace('_', ' ')} ({unit})" for name, unit in UNITS.items()} | {"in_bed": "boys in bed"}
    other = quantiles[quantiles["scenario"] != "baseline"].copy()
    for name in ("q025", "q25", "q50", "q75", "q975"):
        other[name] = -0.6 * other[name]
    flat = {name: values.reshape(-1) for name, values in prior.items()}
    return (
        Section("Fit to the data", (figure("fit")(base, observed, labels=labels),)),
        Section("Scenarios", (figure("scenarios")(quantiles, other, labels=labels),)),
        Section("Parameters", (figure("prior_posterior")(draws, flat, labels=labels), figure("pairs")(draws))),
        Section(
            "Did the sampler do its work?",
            (figure("traces")(draws, labels=labels), figure("ranks")(draws, labels=labels)),
            "These pictures say whether the draws may be believed.",
        ),
    )


def quantiles(values: np.ndarray) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return float(low), float(middle), float(high)


def made_page() -> Page:
    posterior = tuple(
        PosteriorRow(
            name, "", UNITS[name], "normal with mean 2 and sd 1, cut at 0", float(v.mean()), float(v.std()),
            *quantiles(v), r_hat=1.0012, ess_bulk=1480.2, ess_tail=1322.9,
        )
        for name, v in made_draws(1, 1.0).items()
    )  # fmt: skip
    return Page(
        study="boarding-school",
        title="Influenza in an English boarding school, 1978",
        question="How contagious was influenza in a closed school, and what if the boys had been sent home?",
        model="influenza",
        region="england",
        answer="One case infected 3.2 (2.7 to 3.8) others while the whole school could still be infected.",
        verdict="look",
        sentences=(
            "The chains agree, and there are enough independent draws to trust the intervals.",
            "The model misses the days after 1 February in the same direction, so it may end the epidemic too late.",
        ),
        warnings=("2 of 14 observations were held out of the fit.",),
        checks=(
            CheckRow("convergence", "Do the chains agree?", "fine", "They do: the largest R-hat is 1.001."),
            CheckRow(
                "residual_pattern",
                "Does the model miss in the same direction for a while?",
                "look",
                "The last five values of in_bed lie below what the model expects.",
                0.004,
                "share of the model's own series",
                "fine from 1% of the model's own series",
                "let the rate change over time",
            ),
        ),
        sections=made_sections(),
        quantities=(
            QuantityRow("r0", "Basic reproduction number", "ratio", 3.22, 2.71, 3.83),
            QuantityRow("attack", "Boys infected in all", "people", 711.0, 688.0, 729.4),
            QuantityRow(
                "peak", "Day with most boys in bed", "date", 7.0, 6.0, 8.0, "1978-01-27 (1978-01-26 to 1978-01-28)"
            ),
        ),
        posterior=posterior,
        scenarios=(
            ScenarioRow("baseline", "As it happened"),
            ScenarioRow("boys-sent-home", "Boys sent home on 25 January", ("contact_rate multiplied by 0.4",)),
        ),
        targets=(
            TargetRow(
                "in_bed", "in_bed", "people", "instant", 12, 2, "1978-01-22", "1978-02-04",
                "negative binomial with overdispersion", "BMJ, 4 March 1978, page 587",
            ),
        ),
        averted=(
            AvertedRow("Boys sent home", "New infections", "people", 310.0, 210.0, 402.0, 0.43, 0.31, 0.55),
            AvertedRow("Boys sent home", "Deaths", "people", 0.0, 0.0, 0.0, None, None, None),
        ),
        thresholds=(
            ThresholdRow("beds", "More than 200 in bed", "As it happened", 0.97, 0.9, "1978-01-27", "1978-01-26"),
            ThresholdRow("beds", "More than 200 in bed", "Boys sent home", 0.0, 0.0, "", ""),
        ),
        reliance=(
            RelianceRow("r0", "Basic reproduction number", "prior", "contact_rate", -0.02, "ratio", -0.08, 0.02),
            RelianceRow("r0", "Basic reproduction number", "series", "in_bed", 0.1, "ratio", 0.36, 0.13),
        ),
        fits=(FitRow("in_bed", 12, 12, 0.25, 0.92, 1.0, 0.004, 0.7, -64.1, 5.1, 1),),
        forecasts=(ForecastRow("in_bed", "people", 2, 1, 0.0975, 21.4, 48.5),),
        assumptions=(
            AssumptionRow(
                "population", "763", "people", "BMJ, 4 March 1978, page 587",
                "studies/boarding-school/parameters.yaml, line 3",
                "boys in the school",
            ),
            AssumptionRow(
                "contact_rate", "normal with mean 2 and sd 1, cut at 0", "per day", SOURCE,
                "studies/boarding-school/parameters.yaml, line 9",
                by="A. Modeller", when="2026-11-02", why="as in the tutorial",
            ),
        ),
        data=(
            DataRow(
                "boarding-school-1978", "Boys in bed, English boarding school", "British Medical Journal",
                "facts, not covered by copyright", "BMJ 1978;1:587", "9f2c" * 16, "2026-11-01",
            ),
        ),
        diagram=DIAGRAM,
        provenance={
            "commit": "41916e18f1b1d8f8a9e7f34d9a3c1f8f3a54b111", "branch": "main", "dirty": True,
            "person": "A. Modeller",
            "machine": {
                "processor": "AMD EPYC", "cores": 2, "memory_gb": 8.2, "system": "Linux", "python": "CPython 3.11.7",
            },
            "packages": {"modelworks": "0.1.0", "numpy": "2.4.0"},
        },
        stages=(StageRow("calibrate", 12.31), StageRow("diagnose", 0.41), StageRow("project", 1.2, reused=True)),
        finished="2026-11-21T05:15:00+00:00",
        authors=("A. Modeller", "B. Reviewer"),
        citation=f"A. Modeller, B. Reviewer (2026). Influenza in an English boarding school. After {SOURCE}.",
        rebuild=("git checkout 41916e1", "modelworks run boarding-school"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def page() -> Page:
    """A page with everything on it."""
    return made_page()


@pytest.fixture(scope="session")
def bare_page() -> Page:
    """The least a page can be."""
    return Page(study="first", title="A first study", question="What happens?", model="sir")


@pytest.fixture(scope="session")
def wicked_page(page: Page) -> Page:
    """A study whose author writes markup wherever a text may stand."""
    wicked = "</script><script>window.broken=1</script><img src=x onerror='window.broken=1'>"
    spec = {**page.figures[0].spec, "description": wicked, "title": wicked}
    drawn = dataclasses.replace(page.figures[0], title=wicked, caption=wicked, spec=spec)
    return dataclasses.replace(
        page,
        title=wicked,
        question=f'" autofocus onfocus="window.broken=1" {wicked}',
        answer=wicked,
        sentences=(wicked,),
        sections=(Section(wicked, (drawn,)),),
        assumptions=(
            AssumptionRow(wicked, wicked, wicked, f"https://example.org/{wicked} javascript:alert(1)", wicked),
        ),
        diagram='<svg xmlns="http://www.w3.org/2000/svg"><script>window.broken=1</script></svg>',
        rebuild=(wicked,),
        citation=wicked,
    )


@pytest.fixture
def compared_runs(tmp_path: Path) -> list[Run]:
    """Six runs of a study."""
    store = Store(tmp_path / "runs")
    return [made_run(store, tmp_path / str(number), number) for number in range(6)]


@pytest.fixture
def bare_run(tmp_path: Path) -> Run:
    """A run of another study, of which there is nothing but its record."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "said.txt").write_text("nothing\n", encoding="utf-8")
    return Store(tmp_path / "runs").publish(("tb", "sir", "chad"), stages={"report": tmp_path / "bare"}, record={})
