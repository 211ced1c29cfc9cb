"""Assumptions as a table: of a study as it is, as it was at a commit, or as a run recorded it; and what differs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from modelworks.errors import fail, near
from modelworks.inputs import Repository
from modelworks.model import FunctionModel, written_numbers
from modelworks.report import AssumptionRow
from modelworks.runs import Run, ask_git, rows_of
from modelworks.study._repository import find_run
from modelworks.study.binding._binding import BoundStudy, bind

# Where an assumption stands in a file is no part of it.
COMPARED = ("value", "unit", "source", "meaning", "by", "when", "why")


@dataclass(frozen=True, slots=True)
class Changed:
    """An assumption that is not the same on two sides: what is said on each, None where it is not there at all.

    `what` is the part that differs (`value`, `unit`, `source`, …); `value` for one that came or went.
    """

    name: str
    what: str
    before: str | None
    after: str | None
    by: str = ""
    when: str = ""
    why: str = ""


def assumption_rows(study: BoundStudy) -> Iterator[AssumptionRow]:
    """What a study believes of each parameter, and from where, and then the numbers that its model holds itself."""
    yield from _believed_rows(study)
    yield from _written_rows(study)


def _believed_rows(study: BoundStudy) -> Iterator[AssumptionRow]:
    """Members of a group together."""
    for name in study.names:
        entry = study.entry(name)
        members = [each for each in study.names if study.entry(each) is entry]
        if name != members[0]:
            continue
        place = f"{entry.file}, line {entry.line}"
        value = study.belief(name) if len(members) == 1 else f"{study.belief(name)} ({len(members)} parameters)"
        yield AssumptionRow(
            entry.name, value, entry.unit, entry.source, place, entry.meaning, entry.by, entry.when, entry.why
        )


def _written_rows(study: BoundStudy) -> Iterator[AssumptionRow]:
    """The numbers the model holds itself: assumptions like the others, of which no file says where they come from."""
    if isinstance(study.model, FunctionModel):
        text = "any; none of them is told here"
        yield AssumptionRow("numbers in the function", text, "", "written in the model", study.shown_model)
        return
    source = "written in the model, without a source"
    if study.inputs.study.data:
        source = "written in the model, without a source, or made by it from its data"
    for each in written_numbers(study.model):
        yield AssumptionRow(each.name, each.value, each.unit, source, study.shown_model)


def assumptions_of(text: str, folder: Path) -> list[AssumptionRow]:
    """The assumptions of a study (its name or folder), of a study at a commit (`COMMIT:STUDY`), or of a run.

    Raises
    ------
    ModelworksError
        T310 for a commit that is not there; the letters of a study or run that can not be read.
    """
    commit, colon, name = text.partition(":")
    if colon:
        return _at_commit(commit, name, folder)
    run = named_run(text, folder)
    if run is not None:
        return _of_run(run)
    return list(assumption_rows(bind(Repository.around(folder).find_study(text))))


def named_run(text: str, folder: Path) -> Run | None:
    """The run whose assumptions are meant; None where a study is, or one at a commit."""
    is_study = text in {each.name for each in Repository.around(folder).studies()} or Path(text).is_dir()
    return None if is_study or ":" in text else find_run(folder, text)


def what_changed(before: Sequence[AssumptionRow], after: Sequence[AssumptionRow]) -> list[Changed]:
    """Every assumption that came, went, or is another, part by part; those after say by whom, when and why."""
    old, new = ({row.name: row for row in rows} for rows in (before, after))
    found = []
    for name in dict.fromkeys([*old, *new]):
        first, last = old.get(name), new.get(name)
        if first is None or last is None:
            before_it, after_it = (None if row is None else row.value for row in (first, last))
            found.append(Changed(name, "value", before_it, after_it, *_said(last or first)))
            continue
        found += [
            Changed(name, what, getattr(first, what), getattr(last, what), *_said(last))
            for what in COMPARED
            if getattr(first, what) != getattr(last, what)
        ]
    return found


def _said(row: AssumptionRow | None) -> tuple[str, str, str]:
    return ("", "", "") if row is None else (row.by, row.when, row.why)


def layers_of(study: BoundStudy, name: str) -> list[tuple[str, int, str]]:
    """File, line and words of every file that says something of a parameter: first the one that wins."""
    known = study.inputs.parameters
    if not known.reads(name):
        fail("T311", f"no file says anything of `{name}`", hint=near(name, [*known, *study.names]))
    entry = known.of(name)
    overridden: dict[str, list[tuple[int, str]]] = {}
    for each in entry.history:
        overridden.setdefault(each.place.file, []).append((each.place.line, each.text))
    return [
        (entry.file, entry.line, study.belief(name) if name in study.names else str(entry.value or entry.prior)),
        *(
            (file, min(line for line, _ in said), "; ".join(text for _, text in said))
            for file, said in reversed(overridden.items())
        ),
    ]


def _of_run(run: Run) -> list[AssumptionRow]:
    path = run.file("tables/assumptions.csv")
    if path is None:
        fail("T310", f"the run {run.id} has no table of assumptions", hint=f"modelworks report {run.study} makes one")
    known = [each.name for each in fields(AssumptionRow)]
    return [AssumptionRow(**{name: row.get(name, "") for name in known}) for row in rows_of(path)]


def _at_commit(commit: str, name: str, folder: Path) -> list[AssumptionRow]:
    """The study as it was, read from a copy of the commit that goes again."""
    root = Repository.around(folder).root
    top = ask_git(root, "rev-parse", "--show-toplevel")
    if not top or ask_git(root, "rev-parse", "--verify", f"{commit}^{{commit}}") is None:
        fail(
            "T310", f"there is no commit `{commit}` here", hint="write COMMIT:STUDY, with a commit that `git log` shows"
        )
    with tempfile.TemporaryDirectory(prefix="modelworks-") as place:
        copy = Path(place) / "then"
        if ask_git(Path(top), "worktree", "add", "--detach", str(copy), commit) is None:
            fail("T310", f"the commit `{commit}` can not be checked out", hint=f"try it: git worktree add X {commit}")
        try:
            there = copy / root.relative_to(Path(top).resolve())
            return list(assumption_rows(bind(Repository.around(there).find_study(name))))
        finally:
            ask_git(Path(top), "worktree", "remove", "--force", str(copy))


# -- for a paper's appendix --------------------------------------------------------------------------

HEADER = ("Parameter", "Value", "Unit", "Source")


def as_markdown(rows: Sequence[AssumptionRow]) -> str:
    """A table of Markdown."""
    lines = [_row(HEADER), _row(["---"] * len(HEADER))]
    lines += [_row(cell.replace("|", r"\|") for cell in _cells(row)) for row in rows]
    return "\n".join(lines)


def as_latex(rows: Sequence[AssumptionRow]) -> str:
    """A `longtable` of LaTeX, which needs the packages longtable and booktabs."""
    body = " \\\\\n".join(" & ".join(_latex(cell) for cell in _cells(row)) for row in rows)
    return (
        "\\begin{longtable}{p{0.3\\linewidth}p{0.22\\linewidth}p{0.13\\linewidth}p{0.27\\linewidth}}\n\\toprule\n"
        f"{' & '.join(HEADER)} \\\\\n\\midrule\n\\endhead\n{body} \\\\\n\\bottomrule\n\\end{{longtable}}"
    )


def as_html(rows: Sequence[AssumptionRow]) -> str:
    """A bare table of HTML, which Word takes from a browser with its columns."""
    from markupsafe import escape

    head = "".join(f"<th>{each}</th>" for each in HEADER)
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(row))}</tr>" for row in rows)
    return f'<meta charset="utf-8">\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'


FORMATS = {"markdown": as_markdown, "latex": as_latex, "html": as_html}


def _cells(row: AssumptionRow) -> tuple[str, ...]:
    return (row.meaning or row.name.replace("_", " "), row.value, row.unit, row.source)


def _row(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"


_SPECIAL = {each: f"\\{each}" for each in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
