"""The columns of a dataset, as the catalogue declares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelworks import units
from modelworks.errors import ModelworksError
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Place
from modelworks.inputs._written import DATES, NUMBERS
from modelworks.inputs.priors import Bounds

FIELDS = ("unit", "meaning", "lower", "upper", "missing", "written")
ColumnKind = Literal["date", "text", "number"]


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column. `unit` is `date`, `text`, or the unit of its numbers.

    `missing` says whether an empty cell is allowed; a limit is part of what is allowed. `written` says how its days
    or numbers are written in the file; empty where the catalogue does not say it of numbers.
    """

    name: str
    unit: str
    meaning: str
    bounds: Bounds
    missing: bool
    place: Place
    written: str = ""

    @property
    def kind(self) -> ColumnKind:
        return "date" if self.unit == "date" else "text" if self.unit == "text" else "number"


def read_columns(fields: Fields) -> dict[str, Column]:
    """The declared columns; at least one."""
    if not fields.need("columns", "{cases: {unit: people, meaning: cases reported}}", "D109"):
        return {}
    found = {}
    for name, group in fields.groups("columns", "column"):
        found[name] = _column(name, group, fields)
    return found


def _column(name: str, group: MappingNode, owner: Fields) -> Column:
    fields = Fields(group, owner.letters, f"the column `{name}`", FIELDS)
    unit = fields.statement("unit", "people", "D115") or "text"
    if unit not in ("date", "text"):
        try:
            units.parse(unit)
        except ModelworksError as error:
            for letter in error.letters:
                hint = f"{letter.hint}; a column may also be `date` or `text`"
                fields.say("D115", f"{fields.what}: {letter.message}", hint, "unit")
    bounds = Bounds(fields.number("lower"), fields.number("upper"))
    if bounds.low > bounds.high:
        fields.say("D117", f"{fields.what}: `lower` is above `upper`", "exchange them", "lower")
    if unit in ("date", "text") and bounds != Bounds():
        fields.say("D117", f"{fields.what} has limits, but holds no numbers", "remove `lower` and `upper`", "unit")
    meaning = fields.statement("meaning", "cases reported in the week", "D109") or ""
    missing = fields.choice("missing", ("allowed", "refused"), "allowed") != "refused"
    return Column(name, unit, meaning, bounds, missing, fields.node.place, _written(unit, fields))


def _written(unit: str, fields: Fields) -> str:
    """How days or numbers are written in the file; a text is a text."""
    if unit == "text":
        if "written" in fields:
            fields.say("D117", f"{fields.what} has `written`, but holds texts", "remove it", "written")
        return ""
    if unit == "date":
        return fields.choice("written", DATES, DATES[0]) or DATES[0]
    return fields.choice("written", NUMBERS, "") or ""
