"""Checks of a dataset that are declared beside it, and what each of them found.

A check is a name of the team's own, one rule, and perhaps the reason why its failing is accepted:

    checks:
      no week missing: {every: {column: week, days: 7}}
      districts add up: {adds_up: {column: cases, over: week, dataset: national, total: cases}, accepted: "…"}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.errors import Letters, ModelworksError, near
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Place
from modelworks.inputs.columns import Column
from modelworks.units import as_written

if TYPE_CHECKING:
    import pandas as pd

Tables = Callable[[str], "pd.DataFrame"]
# So many places are named; a person looks at the first, and then at the table.
SHOWN = 3
ROUND_OFF = 1e-9
_NAMING_COLUMNS = ("column", "columns", "by", "over", "along")


@dataclass(frozen=True, slots=True)
class Check:
    """One rule about a dataset. `by` are columns within whose values it holds apart; `accepted` says why a failing
    is lived with, and is empty where it is not.
    """

    name: str
    rule: str
    arguments: Mapping[str, Any]
    accepted: str
    place: Place


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: `problem` is a sentence, empty where all is well."""

    dataset: str
    check: Check
    problem: str

    @property
    def stops(self) -> bool:
        """Whether nothing may be made from the data before somebody has looked."""
        return bool(self.problem) and not self.check.accepted


@dataclass(frozen=True, slots=True)
class Rule:
    """How a rule is written, and what looks whether it holds."""

    needs: Mapping[str, str]
    may_have: Mapping[str, str]
    example: str
    look: Callable[[pd.DataFrame, Mapping[str, Any], Tables], str]
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_checks(fields: Fields, columns: Mapping[str, Column]) -> tuple[Check, ...]:
    """The checks of a dataset."""
    found = []
    for name, group in fields.groups("checks", "check"):
        check = _read(name, group, columns, fields.letters)
        if check is not None:
            found.append(check)
    return tuple(found)


def _read(name: str, group: MappingNode, columns: Mapping[str, Column], letters: Letters) -> Check | None:
    fields = Fields(group, letters, f"the check `{name}`", (*RULES, "accepted"))
    rules = [each for each in RULES if each in fields.node.fields]
    if len(rules) != 1:
        many = f"{len(rules)} rules" if rules else "no rule"
        fields.say("D130", f"{fields.what} has {many}, but exactly one is wanted", f"one of {', '.join(RULES)}")
        return None
    before = len(letters.collected)
    rule = RULES[rules[0]]
    arguments = _arguments(rule, fields.below(rules[0], (*rule.needs, *rule.may_have), rule.example))
    for argument in _NAMING_COLUMNS:
        named = arguments.get(argument, ())
        for column in (named,) if isinstance(named, str) else named:
            _check_column(column, rule.kinds.get(argument, ()), columns, fields)
    if rules[0] in ("rows", "between") and not arguments.keys() & {"at_least", "at_most"}:
        fields.say(
            "D130", f"{fields.what} does not say of what there is too little or too much", rule.example, rules[0]
        )
    accepted = ""
    if "accepted" in fields:
        accepted = fields.statement("accepted", "the bulletin of that week was lost", "D132") or ""
    return Check(name, rules[0], arguments, accepted, group.place) if len(letters.collected) == before else None


def _check_column(column: str, kinds: tuple[str, ...], columns: Mapping[str, Column], fields: Fields) -> None:
    """A rule is about columns that are declared, and of a kind it can be about."""
    if column not in columns:
        fields.say("D131", f"{fields.what} is about `{column}`, which is no declared column", near(column, columns))
    elif kinds and columns[column].kind not in kinds:
        kind = columns[column].kind
        problem = f"{fields.what} needs a {' or '.join(kinds)} column, but `{column}` is of kind {kind}"
        fields.say("D131", problem, "name another column, or correct its unit")


def _arguments(rule: Rule, fields: Fields) -> dict[str, Any]:
    """The arguments of a rule, each of its kind; a letter for each that is missing or wrong."""
    readers: Mapping[str, Callable[[str], Any]] = {
        "texts": fields.texts,
        "text": fields.text,
        "number": fields.number,
    }
    found: dict[str, Any] = {}
    for name, kind in {**rule.needs, **rule.may_have}.items():
        if name in rule.needs and not fields.need(name, rule.example, "D130"):
            continue
        value = readers[kind](name)
        if value is not None and value != ():
            found[name] = value
    return found


def examine(dataset: str, checks: Iterable[Check], table: pd.DataFrame, tables: Tables) -> list[Finding]:
    """What each check finds in a table. `tables` gives that of another dataset by its name."""
    found = []
    for check in checks:
        try:
            problem = RULES[check.rule].look(table, check.arguments, tables)
        except ModelworksError as error:
            problem = f"could not be looked into: {error.letters[0].message}"
        found.append(Finding(dataset, check, problem))
    return found


# -- rules -------------------------------------------------------------------------------------------


def _rows(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    least, most = said.get("at_least", 0), said.get("at_most", np.inf)
    if least <= len(table) <= most:
        return ""
    return f"there are {len(table):,} rows, but at least {least:,.0f}" + (
        f" and at most {most:,.0f} are wanted" if np.isfinite(most) else " are wanted"
    )


def _complete(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    for column in said["columns"]:
        empty = table[column].isna() if table[column].dtype.kind != "O" else table[column].astype(str).str.strip() == ""
        share = float(empty.mean())
        if share > said.get("at_most", 0.0):
            return f"{int(empty.sum()):,} of {len(table):,} cells of `{column}` are empty ({_rows_named(empty)})"
    return ""


def _unique(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    twice = table.duplicated(list(said["columns"]), keep="first")
    if not twice.any():
        return ""
    named = ", ".join(_shown(table.loc[row, list(said["columns"])].tolist()) for row in table.index[twice][:SHOWN])
    return f"{int(twice.sum()):,} rows repeat another: {named}"


def _between(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    low, high = said.get("at_least", -np.inf), said.get("at_most", np.inf)

    def outside(part: pd.DataFrame) -> list[str]:
        values = part[said["column"]]
        wrong = np.flatnonzero(((values < low) | (values > high)).to_numpy()).tolist()
        return [f"{as_written(values.iloc[k])} (row {values.index[k] + 1})" for k in wrong]

    span = " and ".join(
        f"{word} {as_written(value)}" for word, value in (("at least", low), ("at most", high)) if np.isfinite(value)
    )
    return _told(_in_parts(table, said, outside), f"`{said['column']}` is not {span or 'a number'}")


def _increasing(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    def falls(part: pd.DataFrame) -> list[str]:
        values = _in_order(part, said)
        steps = np.diff(values.to_numpy())
        return [
            f"from {as_written(values.iloc[k])} to {as_written(values.iloc[k + 1])} (row {values.index[k + 1] + 1})"
            for k in np.flatnonzero(steps < 0).tolist()
        ]

    return _told(_in_parts(table, said, falls), f"`{said['column']}` falls")


def _every(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    def off_beat(part: pd.DataFrame) -> list[str]:
        in_order = part[said["column"]].dropna().sort_values(kind="stable")
        days, rows = in_order.to_numpy().astype("datetime64[D]"), in_order.index + 1
        apart = np.diff(days).astype(int)
        return [
            f"{days[k]} to {days[k + 1]} ({apart[k]} days)"
            if apart[k]
            else f"{days[k]} stands twice (rows {rows[k]} and {rows[k + 1]})"
            for k in np.flatnonzero((apart != round(said["days"])) | (apart == 0)).tolist()
        ]

    problem = f"`{said['column']}` does not go on every {said['days']:g} days"
    return _told(_in_parts(table, said, off_beat), problem)


def _no_jump(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    """A value far from both its neighbours, with a floor below which counts may do what they like."""
    factor, floor = said["factor"], said.get("above", 10.0)

    def jumps(part: pd.DataFrame) -> list[str]:
        values = _in_order(part, said)
        number = values.to_numpy(dtype=float)
        if len(number) < 3:
            return []
        beside = np.maximum(number[:-2], number[2:]), np.minimum(number[:-2], number[2:])
        middle = number[1:-1]
        high = (middle > floor) & (middle > factor * np.maximum(beside[0], floor / factor))
        low = (beside[1] > floor) & (middle * factor < beside[1])
        return [
            f"{', '.join(map(as_written, number[k : k + 3]))} (row {values.index[k + 1] + 1})"
            for k in np.flatnonzero(high | low).tolist()
        ]

    return _told(_in_parts(table, said, jumps), f"`{said['column']}` jumps by more than {factor:g} times")


def _no_step(table: pd.DataFrame, said: Mapping[str, Any], _: Tables) -> str:
    """A number far from the one before it, whether it comes back or not: another unit, another definition."""
    factor, floor = said["factor"], said.get("above", 10.0)

    def steps(part: pd.DataFrame) -> list[str]:
        values = _in_order(part, said)
        number = np.maximum(values.to_numpy(dtype=float), floor)
        wide = (number[1:] > factor * number[:-1]) | (number[:-1] > factor * number[1:])
        return [
            f"from {as_written(values.iloc[k])} to {as_written(values.iloc[k + 1])} (row {values.index[k + 1] + 1})"
            for k in np.flatnonzero(wide).tolist()
        ]

    return _told(_in_parts(table, said, steps), f"`{said['column']}` changes by more than {factor:g} times at once")


def _adds_up(table: pd.DataFrame, said: Mapping[str, Any], tables: Tables) -> str:
    over, within = list(said["over"]), said.get("within", 0.0)
    other = tables(said["dataset"])
    missing = [name for name in (*over, said["total"]) if name not in other.columns]
    if missing:
        return f"the dataset `{said['dataset']}` has no column `{missing[0]}`"
    parts = table.groupby(over)[said["column"]].sum()
    totals = other.groupby(over)[said["total"]].sum()
    both = parts.index.intersection(totals.index)
    if both.empty:
        return f"it has no {_and(over)} in common with `{said['dataset']}`"
    alone = parts.index.difference(totals.index)
    if len(alone):
        named = "; ".join(_shown(each) for each in alone[:SHOWN])
        return f"`{said['dataset']}` has no `{said['total']}` for {len(alone):,} of its {_and(over)}: {named}"
    distance = (parts[both] - totals[both]).abs()
    wrong = both[(distance > within * totals[both].abs() + ROUND_OFF * totals[both].abs().max()).to_numpy()]
    named = ", ".join(
        f"{as_written(parts[each])} is not {as_written(totals[each])} ({_shown(each)})" for each in wrong[:SHOWN]
    )
    return (
        f"{len(wrong):,} sums of `{said['column']}` are not those of `{said['dataset']}`: {named}" if len(wrong) else ""
    )


RULES: Mapping[str, Rule] = {
    "rows": Rule({}, {"at_least": "number", "at_most": "number"}, "{at_least: 52}", _rows),
    "complete": Rule({"columns": "texts"}, {"at_most": "number"}, "{columns: [cases]}", _complete),
    "unique": Rule({"columns": "texts"}, {}, "{columns: [week, district]}", _unique),
    "between": Rule(
        {"column": "text"},
        {"at_least": "number", "at_most": "number", "by": "texts"},
        "{column: cases, at_least: 0}",
        _between,
        {"column": ("number",)},
    ),
    "increasing": Rule(
        {"column": "text"},
        {"by": "texts", "along": "text"},
        "{column: total_cases, along: week}",
        _increasing,
        {"column": ("number",)},
    ),
    "every": Rule(
        {"column": "text", "days": "number"}, {"by": "texts"}, "{column: week, days: 7}", _every, {"column": ("date",)}
    ),
    "no_jump": Rule(
        {"column": "text", "factor": "number"},
        {"above": "number", "by": "texts", "along": "text"},
        "{column: cases, factor: 10}",
        _no_jump,
        {"column": ("number",)},
    ),
    "no_step": Rule(
        {"column": "text", "factor": "number"},
        {"above": "number", "by": "texts", "along": "text"},
        "{column: cases, factor: 50}",
        _no_step,
        {"column": ("number",)},
    ),
    "adds_up": Rule(
        {"column": "text", "over": "texts", "dataset": "text", "total": "text"},
        {"within": "number"},
        "{column: cases, over: week, dataset: national, total: cases}",
        _adds_up,
        {"column": ("number",)},
    ),
}


def _in_parts(table: pd.DataFrame, said: Mapping[str, Any], look: Callable[[pd.DataFrame], list[str]]) -> list[str]:
    """What is found in each part of a table apart, with the part's name."""
    by = list(said.get("by", ()))
    if not by:
        return look(table)
    return [f"{each} in {_shown(name)}" for name, part in table.groupby(by, sort=True) for each in look(part)]


def _in_order(part: pd.DataFrame, said: Mapping[str, Any]) -> pd.Series[Any]:
    """The known values of the column, in the order of the rows or of another column."""
    rows = part.sort_values(str(said["along"]), kind="stable") if "along" in said else part
    values: pd.Series[Any] = rows[str(said["column"])]
    return values.dropna()


def _told(found: list[str], what: str) -> str:
    more = f" and {len(found) - SHOWN} times more" if len(found) > SHOWN else ""
    return f"{what}: {'; '.join(found[:SHOWN])}{more}" if found else ""


def _rows_named(marked: pd.Series[bool]) -> str:
    rows = np.flatnonzero(marked.to_numpy()) + 1
    if len(rows) == 1:
        return f"row {rows[0]}"
    return f"rows {', '.join(map(str, rows[:SHOWN]))}{' …' if len(rows) > SHOWN else ''}"


def _shown(value: Any) -> str:
    """A value, or several, as a person writes them: a day without its midnight."""
    several = value if isinstance(value, (tuple, list)) else (value,)
    return ", ".join(str(each).removesuffix(" 00:00:00") for each in several)


def _and(names: list[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
