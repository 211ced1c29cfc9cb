"""The tables that other programs read: every column with its type, unit and meaning, in this one place.

A report somewhere leans on each of these names. A column is added at the end of its table; none is renamed, moved or
given another meaning without a new `EDITION`. `schema.json` is what was promised, and a test holds this file to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, Literal

import pyarrow as pa

EDITION = 1
PUBLISHED = "schema.json"

Kind = Literal["text", "number", "integer", "boolean", "moment", "day"]
ARROW: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "moment": pa.timestamp("us"),
    "day": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `unit` is empty where it has none, and `see unit` where each row says its own beside it."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `key` names the columns that tell its rows apart, and `row` says what one row is."""

    name: str
    row: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        return next((each for each in self.columns if each.name == name), None)

    def arrow(self) -> pa.Schema:
        """The types as Arrow has them; what a column means goes along."""
        told = [
            pa.field(each.name, ARROW[each.kind], metadata={"meaning": each.meaning, "unit": each.unit})
            for each in self.columns
        ]
        return pa.schema(told)


_RUN = Column("run", "text", "the run, as `id` in the table of runs")
_OWN = "see unit"
_OF_OUTPUT = "that of the output or target; of a ratio none"
_QUANTILES = (
    Column("q025", "number", "2.5% of the draws lie below", _OF_OUTPUT),
    Column("q25", "number", "a quarter of the draws lies below", _OF_OUTPUT),
    Column("q50", "number", "the median", _OF_OUTPUT),
    Column("q75", "number", "a quarter of the draws lies above", _OF_OUTPUT),
    Column("q975", "number", "2.5% of the draws lie above", _OF_OUTPUT),
)

RUNS = Table(
    "runs",
    "a run: one recorded execution of a study",
    ("id",),
    (
        Column("id", "text", "six hexadecimal digits that tell the run from others; the other tables call it `run`"),
        Column("key", "text", "its place in the store: study/model/region/time/commit-id"),
        Column("study", "text", "the study"),
        Column("model", "text", "the model, as it stands in the key"),
        Column("region", "text", "the region, as it stands in the key"),
        Column("title", "text", "what the study calls itself"),
        Column("answer", "text", "the answer in one sentence, with its interval"),
        Column("verdict", "text", "may it be believed: fine, look or stop; empty where the draws were not judged"),
        Column("made", "moment", "when the run was published", "UTC"),
        Column("finished", "moment", "when its last stage was done", "UTC"),
        Column("seconds", "number", "how long it took", "s"),
        Column("until", "text", "the last stage that was done"),
        Column("person", "text", "who ran it"),
        Column("commit", "text", "the commit of the team's repository, seven digits; zeros where there was none"),
        Column("dirty", "boolean", "whether there were changes that no commit has"),
        Column("approved", "boolean", "whether this is the run that is stood behind"),
        Column("approved_by", "text", "who signed, the last one last"),
        Column("approved_at", "moment", "when the last signature came", "UTC"),
    ),
)
PARAMETERS = Table(
    "parameters",
    "a parameter of a run: a value that was chosen, or one that was calibrated",
    ("run", "parameter"),
    (
        _RUN,
        Column("parameter", "text", "its name in the study's files"),
        Column("unit", "text", "its unit"),
        Column("calibrated", "boolean", "whether the data had a say"),
        Column("value", "number", "the value, or the median of the draws", _OWN),
        Column("low", "number", "2.5% of the draws lie below; empty for a value that was chosen", _OWN),
        Column("high", "number", "2.5% of the draws lie above; empty for a value that was chosen", _OWN),
        Column("assumed", "text", "the value or prior as the report says it"),
        Column("meaning", "text", "what it is"),
        Column("source", "text", "where it was found"),
    ),
)
POSTERIOR = Table(
    "posterior_summaries",
    "a calibrated parameter of a run: where its draws lie, and whether they may be believed",
    ("run", "parameter"),
    (
        _RUN,
        Column("parameter", "text", "its name in the study's files"),
        Column("unit", "text", "its unit"),
        Column("meaning", "text", "what it is"),
        Column("prior", "text", "what was believed before, in words"),
        Column("mean", "number", "mean of the draws", _OWN),
        Column("sd", "number", "standard deviation of the draws", _OWN),
        Column("q025", "number", "2.5% of the draws lie below", _OWN),
        Column("q50", "number", "the median", _OWN),
        Column("q975", "number", "2.5% of the draws lie above", _OWN),
        Column("r_hat", "number", "whether the chains agree: 1 when they do"),
        Column("ess_bulk", "number", "effective draws in the middle", "draws"),
        Column("ess_tail", "number", "effective draws in the tails", "draws"),
    ),
)
QUANTITIES = Table(
    "quantities",
    "a named number of a run: what the answer is made of",
    ("run", "quantity"),
    (
        _RUN,
        Column("quantity", "text", "its name in the study's file"),
        Column("title", "text", "what it is called"),
        Column("unit", "text", "its unit; `date` where the number is a time, which `text` then says as a day"),
        Column("median", "number", "the median of the draws", _OWN),
        Column("low", "number", "2.5% of the draws lie below", _OWN),
        Column("high", "number", "2.5% of the draws lie above", _OWN),
        Column("text", "text", "the number with its interval, rounded as it should be read"),
    ),
)
SERIES = Table(
    "series",
    "an output of a run at one time: quantiles over the draws",
    ("run", "kind", "scenario", "output", "time"),
    (
        _RUN,
        Column(
            "kind", "text",
            "projected: the output itself · difference, ratio: from the baseline · fitted: what is expected of a "
            "target · predictive: where a new observation of it would fall · simulated: one run of the values as "
            "they stand, whose only number is the median",
        ),
        Column("scenario", "text", "as `scenario` in the table of scenarios; empty where there is none"),
        Column("output", "text", "the output, with its strata in brackets; of fitted and predictive the target"),
        Column("time", "moment", "the moment, or the middle of what was counted over", "UTC"),
        *_QUANTILES,
    ),
)  # fmt: skip
SCENARIOS = Table(
    "scenarios",
    "a scenario of a run, and what differs in it",
    ("run", "scenario"),
    (
        _RUN,
        Column("scenario", "text", "its name in the study's file"),
        Column("title", "text", "what it is called"),
        Column("changed", "text", "what differs from the baseline; empty for the baseline itself"),
    ),
)
TARGETS = Table(
    "targets",
    "a series that a run was fitted to",
    ("run", "target"),
    (
        _RUN,
        Column("target", "text", "its name in the study's file"),
        Column("output", "text", "the output it is compared with"),
        Column("unit", "text", "its unit"),
        Column("covers", "text", "the time each value stands for: an instant, a day, a week, …"),
        Column("points", "integer", "values that were fitted to", "values"),
        Column("held_out", "integer", "values that were kept back, to judge by", "values"),
        Column("first", "day", "day of the first value"),
        Column("last", "day", "day of the last value"),
        Column("likelihood", "text", "how it is compared, in words"),
        Column("source", "text", "where it was found"),
    ),
)

TABLES: Mapping[str, Table] = {
    each.name: each for each in (RUNS, PARAMETERS, POSTERIOR, QUANTITIES, SERIES, SCENARIOS, TARGETS)
}


def declared() -> dict[str, Any]:
    """The schema as it is published."""
    return {"edition": EDITION, "tables": [json.loads(json.dumps(asdict(each))) for each in TABLES.values()]}


def as_text() -> str:
    """The text of the published file."""
    return json.dumps(declared(), indent=1, ensure_ascii=False) + "\n"


def published() -> str:
    """The schema that was promised, as it lies in the package."""
    return resources.files(__package__).joinpath(PUBLISHED).read_text(encoding="utf-8")
