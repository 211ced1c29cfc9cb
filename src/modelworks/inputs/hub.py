"""Forecasts as a hub collects them: of which series, for which days, under which names.

The names are those of the Hubverse (hubverse.io, "Model output" and "Defining modeling tasks" of its documentation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from modelworks.errors import ModelworksError, near
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import ScalarNode, SequenceNode
from modelworks.inputs._scalars import number, whole

FIELDS = (
    "model_id",
    "reference_date",
    "location",
    "unit",
    "horizons",
    "targets",
    "columns",
    "levels",
    "samples",
)
UNIT_DAYS = {"day": 1, "week": 7}
# The names that hubs give to the day a forecast counts from, and to the day it is for.
FROM_DAY = ("reference_date", "origin_date", "forecast_date")
FOR_DAY = ("target_end_date", "target_date")
COLUMNS = (*FROM_DAY, "target", "horizon", "location", *FOR_DAY)
USUAL_COLUMNS = ("reference_date", "target", "horizon", "location")
# Those that the forecast hubs of the United States and of Europe ask for.
USUAL_LEVELS = (0.01, 0.025, *(k / 20 for k in range(1, 20)), 0.975, 0.99)
MOST_SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Hub:
    """What is handed to a hub: `targets` gives our target for each name of the hub's.

    A forecast of horizon h is for the day, or the week that ends on the day, h units after `reference_date`.
    """

    model_id: str
    reference_date: date
    location: str
    unit: str
    horizons: tuple[int, ...]
    targets: Mapping[str, str]
    columns: tuple[str, ...]
    levels: tuple[float, ...]
    samples: int

    def day(self, horizon: int) -> date:
        """The day that a forecast is for."""
        return self.reference_date + timedelta(days=horizon * UNIT_DAYS[self.unit])


def read_hub(owner: Fields) -> Hub | None:
    """What the study hands to a hub; None where it says nothing of one, or says it wrongly."""
    if "hub" not in owner:
        return None
    fields = owner.below("hub", FIELDS, "{model_id: ourteam-seir, reference_date: 2024-03-16}")
    before = len(fields.letters.collected)
    model_id = fields.statement("model_id", "ourteam-seir", "Y121") or ""
    if model_id and not re.fullmatch(r"\w{1,16}-\w{1,16}", model_id, re.ASCII):
        fields.say(
            "Y149",
            f"`{model_id}` can not be a hub's `model_id`",
            "write the team, a hyphen and the model, each of letters, digits and `_`, as in `ourteam-seir`",
            "model_id",
        )
    day = fields.day("reference_date") if fields.need("reference_date", "2024-03-16") else None
    unit = fields.choice("unit", tuple(UNIT_DAYS), "week") or "week"
    targets = _targets(fields)
    hub = Hub(
        model_id=model_id,
        reference_date=day or date.min,
        location=fields.statement("location", "US", "Y121") or "",
        unit=unit,
        horizons=tuple(int(each) for each in _numbers(fields, "horizons", "[0, 1, 2, 3]")),
        targets=MappingProxyType(targets),
        columns=_columns(fields),
        levels=_levels(fields),
        samples=fields.whole("samples", 0, MOST_SAMPLES, 100),
    )
    return hub if len(fields.letters.collected) == before and day is not None else None


def _targets(fields: Fields) -> dict[str, str]:
    """Our target for each of the hub's, which may hold blanks."""
    example = "{wk inc flu hosp: admissions}"
    node = fields.mapping("targets", example) if fields.need("targets", example) else None
    if node is None:
        return {}
    below = Fields(node, fields.letters, "the targets of `hub`")
    found = {name: below.text(name) or "" for name in node.fields}
    for name, ours in found.items():
        if not ours:
            below.say(
                "Y149", f"the hub's target `{name}` is none of ours", f"name it, as in `targets: {example}`", name
            )
        elif list(found.values()).count(ours) > 1:
            message = f"`{ours}` is handed over as {list(found.values()).count(ours)} targets of the hub"
            below.say("Y149", message, "hand it over once", name)
    return found


def _columns(fields: Fields) -> tuple[str, ...]:
    """Columns that say what is foretold: the day it counts from, the target, the horizon or the day it is for."""
    found = fields.texts("columns") or USUAL_COLUMNS
    for name in found:
        if name not in COLUMNS:
            fields.say("Y149", f"a hub has no column `{name}`", near(name, COLUMNS), "columns")
    if len(set(found)) < len(found):
        fields.say("Y149", "a column is named twice", "name each once", "columns")
    if not set(found) & set(FROM_DAY) or not set(found) & {"horizon", *FOR_DAY}:
        fields.say(
            "Y149",
            "the columns do not say which day a forecast counts from, or which it is for",
            f"leave them out for {', '.join(USUAL_COLUMNS)}",
            "columns",
        )
    return found


def _levels(fields: Fields) -> tuple[float, ...]:
    if "levels" not in fields:
        return USUAL_LEVELS
    levels = _numbers(fields, "levels", "[0.025, 0.5, 0.975]")
    if any(not 0 < level < 1 for level in levels) or sorted(set(levels)) != list(levels):
        hint = "write them in order, as in `levels: [0.025, 0.5, 0.975]`, or leave them out for the usual 23"
        fields.say(
            "Y149", "levels of quantiles lie above 0 and below 1, each larger than the one before", hint, "levels"
        )
    return tuple(levels)


def _numbers(fields: Fields, name: str, example: str) -> Sequence[float]:
    """A list of numbers; of horizons, whole ones, each once."""
    if not fields.need(name, example):
        return ()
    node = fields.node.fields[name]
    items = node.items if isinstance(node, SequenceNode) else (node,)
    found: list[float] = []
    for item in items:
        if not isinstance(item, ScalarNode):
            fields.say("Y122", f"{fields.what}: `{name}` is no list of numbers", f"write `{name}: {example}`", name)
            return ()
        try:
            found.append((whole if name == "horizons" else number)(item, f"{fields.what}: `{name}`"))
        except ModelworksError as error:
            fields.letters.extend(error.letters)
    if len(set(found)) < len(found):
        fields.say("Y149", f"`{name}` names a number twice", "name each once", name)
    return found
