"""What a page says of the stages of the team's own: pictures, tables, draws and numbers, like those of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelworks import plots
from modelworks.diagnostics import Verdict, summary
from modelworks.inputs import StageEntry, StageInputs, StudyInputs
from modelworks.plots import Figure
from modelworks.report import CheckRow, Excerpt, Picture, PosteriorRow, QuantityRow, Section
from modelworks.report.words import seconds
from modelworks.study.own_stages._stage_outputs import read_confusion, read_draws, read_table
from modelworks.study.own_stages._stage_record import diagnosis, execution, metrics, told_apart
from modelworks.study.own_stages._stage_work import in_words
from modelworks.study.pages._page_rows import check_rows, quantity_rows
from modelworks.units import as_written

# What is looked at on a page; the whole table lies in the run.
ROWS_SHOWN = 15
COLUMNS_SHOWN = 12


@dataclass(frozen=True)
class Told:
    """What stages of the team's own add to a page."""

    sections: tuple[Section, ...]
    quantities: tuple[QuantityRow, ...]
    posterior: tuple[PosteriorRow, ...]
    checks: tuple[CheckRow, ...]
    verdicts: tuple[Verdict, ...]
    sentences: tuple[str, ...]


def told_by_stages(inputs: StageInputs, finished: Mapping[str, Path]) -> Told:
    """All that the finished ones have to say, in the order of the study's file."""
    own = {name: entry for name, entry in inputs.study.stages.items() if name in finished}
    judged = {name: each for name in own if (each := diagnosis(finished[name])) is not None}
    return Told(
        tuple(_section(entry, finished[name]) for name, entry in own.items()),
        tuple(row for name in own for row in quantity_rows(metrics(finished[name]))),
        tuple(row for name, entry in own.items() for row in _posterior_rows(entry, finished[name])),
        tuple(row for name, each in judged.items() for row in check_rows(each, f"{name}: ")),
        tuple(each["verdict"] for each in judged.values()),
        told_apart(judged, alone=not isinstance(inputs, StudyInputs)),
    )


def _posterior_rows(entry: StageEntry, folder: Path) -> Iterator[PosteriorRow]:
    name = entry.output("posterior")
    if name is None:
        return
    for row in summary(read_draws(folder / name).parameters):
        yield PosteriorRow(
            f"{entry.name}.{row.name}", "", "", f"as {in_words(entry)} has it", row.mean, row.sd,
            row.q025, row.q50, row.q975, row.r_hat, row.ess_bulk, row.ess_tail,
        )  # fmt: skip


def _section(entry: StageEntry, folder: Path) -> Section:
    ran = execution(folder)
    programs = ", ".join(each["version"] or each["name"] for each in ran["programs"])
    text = f"{ran['command']}" + (f", run by {programs}" if programs else "") + f", in {seconds(ran['seconds'])}"
    if entry.seed is not None:
        text += f", with the seed {entry.seed}"
    return Section(
        entry.title,
        tuple(_figures(entry, folder)),
        f"{text}.",
        tuple(_pictures(entry, folder)),
        tuple(_excerpt(entry, folder, name) for name in entry.outputs.get("tables", ())),
    )


def _figures(entry: StageEntry, folder: Path) -> Iterator[Figure]:
    """Those that we draw: of classes, of draws, and what is Vega-Lite already."""
    name = entry.output("confusion_matrix")
    if name is not None:
        table = read_confusion(folder / name)
        yield plots.figure("confusion_matrix")(table, name=f"{entry.name}-confusion_matrix")
    name = entry.output("posterior")
    if name is not None:
        draws = read_draws(folder / name).parameters
        for kind in ("pairs", "traces", "ranks"):
            drawn: Figure = plots.figure(kind)(draws)
            yield replace(drawn, name=f"{entry.name}-{kind}")
    for name in entry.outputs.get("figures", ()):
        if name.endswith(".json"):
            spec = json.loads((folder / name).read_text(encoding="utf-8"))
            title = _title(spec.get("title"), name)
            yield Figure(
                f"{entry.name}-{_stem(name)}", title, str(spec.get("description") or f"{entry.name}/{name}"), spec
            )


def _pictures(entry: StageEntry, folder: Path) -> Iterator[Picture]:
    for name in entry.outputs.get("figures", ()):
        content = (folder / name).read_bytes() if not name.endswith(".json") else b""
        path, title = f"{entry.name}/{name}", _title(None, name)
        if name.endswith(".png"):
            yield Picture(path, title, content, "image/png")
        elif name.endswith(".svg"):
            yield Picture(path, title, content, "image/svg+xml")


def _title(said: Any, name: str) -> str:
    """The title of a Vega-Lite figure, a text or an object with one; else the file's name in words."""
    text = said.get("text") if isinstance(said, dict) else said
    return str(text) if text else _stem(name).replace("_", " ").replace("-", " ").capitalize()


def _stem(name: str) -> str:
    return Path(name).name.partition(".")[0]


def _excerpt(entry: StageEntry, folder: Path, name: str) -> Excerpt:
    table = read_table(folder / name)
    shown = table.iloc[:ROWS_SHOWN, :COLUMNS_SHOWN]
    rows = tuple(tuple(_cell(value) for value in row) for row in shown.itertuples(index=False))
    return Excerpt(f"{entry.name}-{_stem(name)}", _title(None, name), tuple(map(str, shown.columns)), rows, len(table))


def _cell(value: Any) -> str:
    import pandas as pd

    if isinstance(value, float):
        return "" if pd.isna(value) else as_written(value)
    return "" if value is None or value is pd.NaT else str(value)
