"""Runs as the line leaves them, of made-up numbers, so that nothing is calibrated: for the tests of the website."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modelworks.report import AssumptionRow, Page, PosteriorRow, QuantityRow, ScenarioRow, TargetRow, write_tables
from modelworks.runs import Index, Run, Store, propose, sign
from modelworks.website.feeds._source import Feed, TableCache, entry_of_row

START = datetime(2026, 11, 21, 5, 15, tzinfo=UTC)
LEVELS = ("q025", "q25", "q50", "q75", "q975")


def quantiles(key: int, scenarios: list[str]) -> pd.DataFrame:
    """Quantiles of two outputs over ten days: numbers with all their digits, one of them missing."""
    generator = np.random.default_rng(key)
    rows = len(scenarios) * 2 * 10
    values = np.sort(generator.lognormal(3, 2, size=(rows, 5)), axis=1)
    values[3, 4] = np.nan
    table = pd.DataFrame(values, columns=list(LEVELS))
    days = pd.date_range("2025-01-01 12:00", periods=10)
    named = [
        (scenario, output, day) for scenario in scenarios for output in ("in_bed", "cases[age=0-4]") for day in days
    ]
    keys = pd.DataFrame(named, columns=["scenario", "output", "time"])
    return pd.concat([keys, table], axis=1)


def made_page(number: int) -> Page:
    """What the report says of a run."""
    r0 = 2.5 + number / 7
    return Page(
        study="flu", title="Influenza <in> a school", question="How contagious?", model="sir",
        quantities=(QuantityRow("r0", "Basic reproduction number", "ratio", r0, r0 - 0.1, r0 + 0.2, f"{r0:.2f}"),),
        posterior=(
            PosteriorRow("beta", "people met", "per day", "wide", 1 / 3, 0.1, 0.1, r0 / 3, 0.9, 1.001, 801.5, 777.1),
        ),
        scenarios=(ScenarioRow("baseline", "As it is"), ScenarioRow("closed", "Schools closed", ("beta × 0.5",))),
        targets=(
            TargetRow("in_bed", "in_bed", "people", "instant", 14, 2, "1978-01-22", "1978-02-04", "Poisson", "BMJ"),
        ),
        assumptions=(
            AssumptionRow("beta", "log-normal with median 1", "per day", "doi:10.1/x", meaning="people met"),
            AssumptionRow("boys", "763", "people", "BMJ 1978", meaning="boys in the school"),
        ),
    )  # fmt: skip


def write_run(store: Store, folder: Path, number: int, study: str = "flu") -> Run:
    """A run with everything a report has; the numbers depend on `number`."""
    report, project = folder / f"report{number}", folder / f"project{number}"
    page = made_page(number)
    project.mkdir(parents=True)
    write_tables(page, report / "tables")
    quantiles(number, ["baseline", "closed"]).to_parquet(project / "outputs.parquet", index=False)
    quantiles(number + 100, ["closed"]).to_parquet(project / "differences.parquet", index=False)
    quantiles(number + 200, ["-"]).drop(columns="scenario").to_parquet(project / "fitted.parquet", index=False)
    record: dict[str, Any] = {
        "title": page.title, "verdict": ("fine", "look", "stop")[number % 3], "until": "report", "seconds": 30.5,
        "finished": (START + timedelta(hours=number)).isoformat(), "answer": f"It is {number}, 'so to say'.",
        "parameters": {
            "boys": {"value": 763.0, "unit": "people"},
            "beta": {"median": page.posterior[0].q50, "low": 0.1, "high": 0.9, "unit": "per day"},
        },
        "quantities": {
            row.name: {"title": row.title, "unit": row.unit, "text": row.text, "median": row.median, "low": row.low,
                       "high": row.high}
            for row in page.quantities
        },
        "provenance": {"commit": "0f3c2ab9" * 5, "dirty": bool(number % 2), "person": "Ada"},
    }  # fmt: skip
    return store.publish((study, "sir", "england"), stages={"report": report, "project": project}, record=record)


def feed_of(store: Store) -> Feed:
    """All runs of a store."""
    with Index(store, "sqlite://") as index:
        rows = index.select().rows
    return Feed([entry_of_row(row, store) for row in rows], TableCache())


def approve(store: Store, key: str) -> None:
    """Put a run forward, and have it signed by two."""
    propose(store, key, needs=("reviewer", "modeller"), found=(), by="Ada")
    sign(store, key, by="Grace", role="reviewer")
    sign(store, key, by="Emmy", role="modeller")
