"""Commands about assumptions: which file wins, what differs, and all of them as a table for a paper."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from modelworks.cli._words import json_option, next_step, say, show, show_json, table


@click.group("parameters")
def parameters() -> None:
    """The assumptions of studies: where, diff, table."""


@parameters.command("where")
@click.argument("name")
@click.option("--study", help="The study; the one you stand in, or the only one, when left out.")
@json_option
def where(name: str, study: str | None, as_json: bool) -> None:
    """Which file says what of a parameter: the one that wins, and what it overrode."""
    from modelworks.study import check_model, find_study, layers_of

    found = layers_of(check_model(find_study(study)), name)
    if as_json:
        show_json([{"file": file, "line": line, "value": text} for file, line, text in found])
        return
    rows = [(f"{file}, line {line}", text) for file, line, text in found]
    table(("", "where", name), [("wins" if k == 0 else "overridden", *row) for k, row in enumerate(rows)])
    next_step(f"modelworks explain P104 is about sources; edit {found[0][0]}")


@parameters.command("diff")
@click.argument("before")
@click.argument("after")
@json_option
def diff(before: str, after: str, as_json: bool) -> None:
    """What differs between the assumptions of two studies, commits or runs.

    Each of BEFORE and AFTER is a study, a study at a commit (COMMIT:STUDY), or a run.
    """
    from modelworks.study import assumptions_of, what_changed

    here = Path.cwd()
    found = what_changed(assumptions_of(before, here), assumptions_of(after, here))
    if as_json:
        show_json([dataclasses.asdict(each) for each in found])
        return
    rows = []
    for each in found:
        who = " ".join(part for part in (each.by, each.when, each.why and f"({each.why})") if part)
        rows.append((each.name, each.what, _shown(each.before), _shown(each.after), who))
    if rows:
        table(("parameter", "what", before, after, "by, when, why"), rows)
    else:
        say("the assumptions are the same")
    next_step(f"modelworks run {after}" if rows else "modelworks list")


def _shown(text: str | None) -> str:
    one_line = "–" if text is None else " ".join(text.split()) or "(nothing)"
    return one_line if len(one_line) <= 50 else one_line[:49] + "…"


@parameters.command("table")
@click.argument("what", required=False)
@click.option("--format", "-f", "form", type=click.Choice(["markdown", "latex", "html"]), default="markdown")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead of stdout.")
def as_table(what: str | None, form: str, output: Path | None) -> None:
    """All assumptions with their sources, for a paper's appendix; HTML can be pasted into Word.

    WHAT is a study, a study at a commit (COMMIT:STUDY), or a run.
    """
    from modelworks.runs import Origin, write_with_origin
    from modelworks.study import FORMATS, assumptions_of, find_study, named_run

    wanted = what or find_study(None).name
    written = FORMATS[form](assumptions_of(wanted, Path.cwd()))
    if output is None:
        show(written)
        return
    run = named_run(wanted, Path.cwd())
    if run is None:
        output.write_text(written + "\n", encoding="utf-8")
    else:
        write_with_origin(f"{written}\n".encode(), output, Origin.of(run, "tables/assumptions.csv"))
    next_step(f"open {output}")
