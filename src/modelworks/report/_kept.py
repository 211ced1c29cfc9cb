"""What a page says beside its tables and figures, as a file; and the page again, from the folder it was written to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from modelworks.plots import Figure
from modelworks.report._tables import ROWS
from modelworks.report.page import Excerpt, Page, Picture, ScenarioRow, Section

PAGE = "page.json"
# What stands elsewhere: in the tables, in the run's own record, or in files of its own.
_ELSEWHERE = {*ROWS, "sections", "provenance"}


def write_page(page: Page, folder: Path) -> None:
    """Write `page.json`: the texts of a page, and which figures stand where."""
    said = {each.name: getattr(page, each.name) for each in fields(Page) if each.name not in _ELSEWHERE}
    said["sections"] = [_outline(section) for section in page.sections]
    (folder / PAGE).write_text(json.dumps(said, ensure_ascii=False, indent=1), encoding="utf-8")


def _outline(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "text": section.text,
        "figures": [{"name": each.name, "title": each.title, "caption": each.caption} for each in section.figures],
        "pictures": [{"path": each.path, "title": each.title, "kind": each.kind} for each in section.pictures],
        "excerpts": [asdict(each) for each in section.excerpts],
    }


def read_page(folder: Path, record: Mapping[str, Any]) -> Page:
    """The page of a finished run, read from its folder and its record; of an older run as far as it goes.

    A run that was only simulated or calibrated gives a page of what its record says.
    """
    said = _said(folder, record)
    known = {each.name: said[each.name] for each in fields(Page) if each.name in said and each.name != "sections"}
    told: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
    rows = {name: tuple(_rows(folder / "tables" / f"{name}.parquet", kind)) for name, kind in ROWS.items()}
    sections = tuple(_section(folder, each) for each in said["sections"])
    return Page(**{**told, **rows}, sections=sections, provenance=record.get("provenance") or {})


def _said(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a page: as they were written beside it, or (an older run) what the record says."""
    if (folder / PAGE).is_file():
        found: dict[str, Any] = json.loads((folder / PAGE).read_text(encoding="utf-8"))
        return found
    names = ("study", "title", "question", "model", "region", "answer", "finished")
    texts = {name: str(record.get(name) or "") for name in names}
    pictured = [{"name": each, "title": each.replace("_", " ").capitalize()} for each in _figures(folder)]
    sections = [{"title": "Figures", "figures": pictured}] if pictured else []
    verdict = record.get("verdict")
    return {
        **texts,
        "verdict": verdict if verdict in ("fine", "look", "stop") else None,
        "sentences": record.get("sentences") or (),
        "sections": sections,
    }


def _figures(folder: Path) -> list[str]:
    return sorted(each.name.removesuffix(".vl.json") for each in (folder / "figures").glob("*.vl.json"))


def _section(folder: Path, said: Mapping[str, Any]) -> Section:
    return Section(
        said["title"],
        tuple(_figure(folder, each) for each in said.get("figures", ())),
        said.get("text", ""),
        tuple(_pictures(folder, said.get("pictures", ()))),
        tuple(_excerpt(each) for each in said.get("excerpts", ())),
    )


def _figure(folder: Path, said: Mapping[str, Any]) -> Figure:
    spec = json.loads((folder / "figures" / f"{said['name']}.vl.json").read_text(encoding="utf-8"))
    return Figure(said["name"], said["title"], said.get("caption") or str(spec.get("description", "")), spec)


def _pictures(folder: Path, said: list[Mapping[str, Any]]) -> Iterator[Picture]:
    for each in said:
        file = folder / each["path"]
        if file.is_file():
            yield Picture(each["path"], each["title"], file.read_bytes(), each["kind"])


def _excerpt(said: Mapping[str, Any]) -> Excerpt:
    rows = tuple(tuple(row) for row in said["rows"])
    return Excerpt(said["name"], said["title"], tuple(said["columns"]), rows, said["total"])


def _rows(file: Path, kind: type[Any]) -> Iterator[Any]:
    """The rows of a table; a column that its writer did not have yet stays as it is where nothing is known."""
    if not file.is_file():
        return
    names = {each.name for each in fields(kind)}
    for row in parquet.read_table(file).to_pylist():
        known = {name: value for name, value in row.items() if name in names}
        if kind is ScenarioRow:
            known["changed"] = tuple((known.get("changed") or "").split("; ")) if known.get("changed") else ()
        yield kind(**known)
