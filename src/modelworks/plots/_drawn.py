"""The numbers that a figure draws, as rows of one table, for whoever wants them and not the picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from modelworks.plots._figure import Spec

EPOCH = datetime(1970, 1, 1)
# What cells of a grid share goes by a number there, as a name of the team's may mean something to Vega.
_NUMBERED = re.compile(r"p\d+")


def drawn_rows(spec: Spec) -> list[dict[str, Any]]:
    """Every row that a figure draws, as it is drawn: to the digits that an eye can use, and of a long series some.

    `panel` is the heading under which it stands and `layer` what it is there, where several lie over each other. Times
    are texts in UTC.
    """
    names = _names(spec)
    return [
        {"panel": panel, "layer": layer, **{names.get(name, name): value for name, value in row.items()}}
        for panel, layer, row in _rows(spec, "", "")
    ]


def _rows(part: Any, panel: str, layer: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The rows of a specification and of all within it, each with its panel and its layer."""
    if isinstance(part, list):
        for each in part:
            yield from _rows(each, panel, layer)
    if not isinstance(part, dict):
        return
    # What the whole of a figure says of itself is its caption.
    layer = layer if "$schema" in part else str(part.get("description") or layer)
    panel = _heading(part.get("title")) or panel
    data = part.get("data")
    tables = [(layer, data.get("values") if isinstance(data, dict) else None), *part.get("datasets", {}).items()]
    flat = next((each["flatten"] for each in part.get("transform", ()) if "flatten" in each), None)
    for name, values in tables:
        for row in values if isinstance(values, list) else ():
            if isinstance(row, dict) and row:
                yield from ((panel, name, each) for each in (_unfolded(row, flat) if flat else [row]))
    for name in ("concat", "hconcat", "vconcat", "layer", "spec"):
        yield from _rows(part.get(name), panel, layer)


def _unfolded(row: Mapping[str, Any], names: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a table that is told column by column; a column may be shorter, or not be there."""
    columns = [row[name] if isinstance(row.get(name), list) else [row.get(name)] for name in names]
    for values in zip_longest(*columns):
        told = dict(zip(names, values, strict=True))
        yield {name: _moment(value) if name == "time" else value for name, value in told.items()}


def _moment(told: Any) -> Any:
    """Milliseconds since 1970 as a text; what is none stays as it is."""
    if not isinstance(told, int):
        return told
    return f"{EPOCH + timedelta(milliseconds=told):%Y-%m-%dT%H:%M:%SZ}"


def _heading(title: Any) -> str:
    """The words of a title, which may stand in lines and have a second one below."""
    told = title if isinstance(title, dict) else {"text": title}
    parts = [_joined(told.get(name)) for name in ("text", "subtitle")]
    return ": ".join(each for each in parts if each)


def _joined(text: Any) -> str:
    # A name is broken behind an underscore.
    return " ".join(text).replace("_ ", "_") if isinstance(text, list) else str(text or "")


def _names(part: Any) -> dict[str, str]:
    """What the axes call the columns that go by numbers."""
    found: dict[str, str] = {}
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        found |= _names(inner)
    if isinstance(part, dict) and _NUMBERED.fullmatch(str(part.get("field"))) and part.get("axis"):
        found[part["field"]] = _joined(part["axis"].get("title"))
    return found
