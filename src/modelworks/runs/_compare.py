"""What differs between runs: what was assumed, seen, and written; where and by which code; and which numbers moved.

Only the runs' own files are read, so runs of any age, from any store, can be laid side by side.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelworks.runs._assembly import LOCK, PATCH
from modelworks.runs._cells import rows_of
from modelworks.runs._fingerprint import file_hash
from modelworks.runs._run import Run, files_of

ASSUMPTIONS, DATA, TARGETS, SCENARIOS = "assumptions", "data", "targets", "scenarios"
SETTINGS, CODE, PACKAGES, MACHINE, VERDICTS = "settings", "code", "packages", "machine", "verdicts"
# What made the numbers first, then what is thought of them.
KINDS_OF_DIFFERENCE = (ASSUMPTIONS, DATA, TARGETS, SCENARIOS, SETTINGS, CODE, PACKAGES, MACHINE, VERDICTS)
_MAKING_NUMBERS = (ASSUMPTIONS, DATA, TARGETS, SCENARIOS, SETTINGS, CODE, PACKAGES)
SEED = "seed"
# Of a row in a run's tables, what makes it another assumption, target or scenario; not where it stood in a file.
_COMPARED = {
    ASSUMPTIONS: ("value", "unit", "source"),
    TARGETS: ("output", "unit", "covers", "points", "held_out", "first", "last", "likelihood", "source"),
    SCENARIOS: ("changed",),
}
_CONTEXT_LINES = 2
_PARTS = ("median", "low", "high", "text", "unit")
# A number that is told as a day: its median is a time of the model, which may begin on another day in another run.
_DAY = re.compile(r"\d{4}-\d\d-\d\d\b")
# Texts that decide a result: settings, and programs in any language that a stage is written in.
_CODE = (
    ".py", ".ipynb", ".r", ".R", ".Rmd", ".jl", ".java", ".c", ".cc", ".cpp", ".h", ".hpp", ".f90", ".rs", ".sh",
    ".stan",
)  # fmt: skip
_TEXTS = (*_CODE, ".yaml", ".yml", ".toml")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same in all runs: of which kind, its name, and what each run has; None is nothing."""

    kind: str
    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a `group`, quantities or parameters, in each run, None where a run does not have it: its `median`,
    `low` and `high` in its `unit`, and `text`, the same in words where the run has them. Where the runs have it in
    several units, `unit` is empty.
    """

    group: str
    name: str
    title: str
    unit: str
    values: tuple[Mapping[str, Any] | None, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the others: a quantity and a parameter may have one name."""
        return self.group, self.name

    @property
    def has_one_unit(self) -> bool:
        """Whether all runs that have it have it in the same unit."""
        return len({_unit(each) for each in self.values if each is not None}) == 1

    @property
    def draws_compare(self) -> bool:
        """Whether its draws mean the same in all runs: in one unit, and no dates."""
        return self.has_one_unit and not any(_day(each) for each in self.values if each is not None)

    @property
    def moved(self) -> bool:
        """Whether the runs' medians differ, be it in the last digit; of a date, whether it is another day."""
        told = (None if each is None else (_unit(each), _day(each) or each.get("median")) for each in self.values)
        return len(set(told)) > 1


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side, in the order given; `code` is the difference of text files, as `diff -u` writes it."""

    runs: tuple[Run, ...]
    differences: tuple[Difference, ...]
    numbers: tuple[Number, ...]
    code: str

    def of(self, kind: str) -> tuple[Difference, ...]:
        return tuple(each for each in self.differences if each.kind == kind)

    @property
    def same_inputs(self) -> bool:
        """Whether nothing that makes numbers differs, but perhaps the seed: what moved then did so by chance alone."""
        making = [each for each in self.differences if each.kind in _MAKING_NUMBERS]
        return all((each.kind, each.name) == (SETTINGS, SEED) for each in making)


def compare(runs: Sequence[Run]) -> Comparison:
    """Two runs or more, of any studies."""
    if len(runs) < 2:
        raise ValueError("a comparison takes two runs or more")
    found = [
        *_tables(ASSUMPTIONS, runs),
        *_by_name(DATA, [_data(run) for run in runs]),
        *_tables(TARGETS, runs),
        *_tables(SCENARIOS, runs),
        *_by_name(SETTINGS, [_settings(run) for run in runs]),
        *_by_name(CODE, [_code(run) for run in runs]),
        *_by_name(PACKAGES, [_packages(run) for run in runs]),
        *_by_name(MACHINE, [_machine(run) for run in runs]),
        *_by_name(VERDICTS, [_verdicts(run) for run in runs]),
    ]
    return Comparison(tuple(runs), tuple(found), tuple(_numbers(runs)), "".join(_texts(runs[0], runs[-1])))


def _by_name(kind: str, each: Sequence[Mapping[str, str]]) -> Iterator[Difference]:
    """The names whose value is not the same everywhere, in the order of the first run that has them."""
    for name in dict.fromkeys(name for one in each for name in one):
        values = tuple(one.get(name) for one in each)
        if len(set(values)) > 1:
            yield Difference(kind, name, values)


def _tables(kind: str, runs: Sequence[Run]) -> Iterator[Difference]:
    """Rows of a run's table, field by field: `contact_rate: unit` apart from `contact_rate: value`."""
    tables = [{row["name"]: row for row in _rows(run, kind)} for run in runs]
    for name in dict.fromkeys(name for table in tables for name in table):
        rows = [table.get(name) for table in tables]
        if None in rows:
            first = _COMPARED[kind][0]
            yield Difference(kind, name, tuple(None if row is None else row.get(first, "") for row in rows))
            continue
        for column in _COMPARED[kind]:
            values = tuple(row.get(column, "") for row in rows if row is not None)
            if len(set(values)) > 1:
                yield Difference(kind, name if column == "value" else f"{name}: {column}", values)


def _rows(run: Run, table: str) -> list[dict[str, str]]:
    return rows_of(run.file(f"tables/{table}.csv"))


def _data(run: Run) -> dict[str, str]:
    """Each dataset's checksum, cut to what a person compares."""
    known = {row["name"]: row["sha256"] for row in _rows(run, DATA)} or dict(run.record.get("data") or {})
    return {name: checksum[:12] for name, checksum in known.items()}


def _settings(run: Run) -> dict[str, str]:
    """How it was calibrated: the sampler, how many chains and draws, the seed; what is not set is as if unsaid."""
    said = run.record.get("calibration") or {}
    return {name: str(value) for name, value in said.items() if value is not None}


def _code(run: Run) -> dict[str, str]:
    """The commit and the files of the model; which stage was made by other code shows in its fingerprint."""
    known = run.record.get("provenance") or {}
    commit = str(known.get("commit") or "none")[:10]
    told = {"commit": f"{commit} with uncommitted changes" if known.get("dirty") else commit}
    patch = run.file(PATCH)
    if patch is not None:
        told["uncommitted changes"] = file_hash(patch)[:12]
    return told | {name.removeprefix("inputs/"): file_hash(run.path / name)[:12] for name in _code_files(run)}


def _code_files(run: Run) -> list[str]:
    return sorted(name for name in files_of(run.path) if name.startswith("inputs/") and name.endswith(_CODE))


def _packages(run: Run) -> dict[str, str]:
    path = run.file(LOCK)
    lines = [] if path is None else path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line) | dict(_programs(run))


def _programs(run: Run) -> Iterator[tuple[str, str]]:
    """The programs of the team's own stages, and their packages: those of Python have a lock already."""
    for stage, programs in (run.record.get("programs") or {}).items():
        for program, said in programs.items():
            yield f"{stage}: {program}", said["version"]
            if not said["version"].startswith("Python"):
                yield from ((f"{stage}: {name}", version) for name, version in said["packages"].items())


def _machine(run: Run) -> dict[str, str]:
    known = (run.record.get("provenance") or {}).get("machine") or {}
    return {name: str(known[name]) for name in ("processor", "system", "python") if known.get(name)}


def _verdicts(run: Run) -> dict[str, str]:
    told = {"verdict": str(run.record.get("verdict") or "none")}
    return told | {row["title"]: row["verdict"] for row in _unlike(_rows(run, "checks"))}


def _unlike(rows: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Checks under titles that tell them apart: one of each target has the same title as that of another."""
    seen: dict[str, int] = {}
    for row in rows:
        seen[row["title"]] = seen.get(row["title"], 0) + 1
        number = seen[row["title"]]
        yield row if number == 1 else {**row, "title": f"{row['title']} ({number})"}


def _numbers(runs: Sequence[Run]) -> Iterator[Number]:
    """Every quantity, then every parameter that was calibrated in one of the runs."""
    for group, wanted in (("quantities", _is_quantity), ("parameters", _is_calibrated)):
        each = [{name: said for name, said in (run.record.get(group) or {}).items() if wanted(said)} for run in runs]
        for name in dict.fromkeys(name for one in each for name in one):
            known = [one.get(name) for one in each]
            first = next(said for said in known if said is not None)
            values = [None if said is None else {part: said.get(part) for part in _PARTS} for said in known]
            found = Number(group, name, str(first.get("title") or name), str(first.get("unit") or ""), tuple(values))
            yield found if found.has_one_unit else replace(found, unit="")


def _unit(said: Mapping[str, Any]) -> str:
    """The unit of a number; an older run may have a day without one."""
    return "date" if _day(said) else str(said.get("unit") or "")


def _day(said: Mapping[str, Any]) -> str:
    """The day that a number is told as; nothing for one that is no day."""
    found = _DAY.match(str(said.get("text") or ""))
    return found[0] if found is not None else ""


def _is_quantity(said: Any) -> bool:
    return isinstance(said, Mapping)


def _is_calibrated(said: Any) -> bool:
    return isinstance(said, Mapping) and "median" in said


def _texts(before: Run, after: Run) -> Iterator[str]:
    """How the text files that went in differ between the first run and the last."""
    names = {name for run in (before, after) for name in files_of(run.path) if name.startswith("inputs/")}
    for name in sorted(each for each in names if Path(each).suffix in _TEXTS):
        old, new = (_lines(run.file(name)) for run in (before, after))
        yield from difflib.unified_diff(old, new, f"{before.id}/{name}", f"{after.id}/{name}", n=_CONTEXT_LINES)


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    return [f"{line}\n" for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
