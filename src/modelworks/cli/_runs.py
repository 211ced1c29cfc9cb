"""Commands about the record: list runs, lay them side by side, hold them to their checksums, remark on them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._words import MARKS, json_option, next_step, quiet_option, say, say_letters, show, show_json, table
from modelworks.errors import ModelworksError, counted, disk_letter, fail

if TYPE_CHECKING:
    from modelworks.diagnostics.loo import LooDifference
    from modelworks.runs import Comparison, Number, Row, Run, Trace

# What fits a screen; a script asks for --json and gets all.
ROWS_SHOWN = 50
REASONS_SHOWN = 8


@click.command("list")
@click.option("--study", help="Only runs of this study.")
@click.option("--model", help="Only runs of this model.")
@click.option("--region", help="Only runs of this region.")
@click.option("--commit", help="Only runs of this commit; its first digits will do.")
@click.option("--tag", help="Only runs with this tag.")
@click.option("--person", help="Only runs by this person.")
@click.option("--verdict", type=click.Choice(["fine", "look", "stop"]), help="Only runs with this verdict.")
@click.option("--since", metavar="DAY", help="Only runs published on this day or later.")
@click.option("--until", metavar="DAY", help="Only runs published on this day or earlier.")
@click.option("--where", multiple=True, metavar="CONDITION", help="As in 'contact_rate >= 1.5'; repeat for several.")
@click.option("--approved", is_flag=True, help="Only runs that the team stands behind now.")
@click.option("--pruned", is_flag=True, help="Instead, the runs that were pruned and not restored.")
@click.option("--limit", type=click.IntRange(1), help=f"How many to show ({ROWS_SHOWN}, or all with --json).")
@json_option
def list_runs(where: Sequence[str], limit: int | None, pruned: bool, as_json: bool, **asked: Any) -> None:
    """The runs of the repository, the latest first.

    A condition is about a parameter (its value, or the median of its posterior), a number the study asks for, or a
    measure of the calibration.
    """
    from modelworks.runs import Wanted, condition
    from modelworks.study import index_around

    if pruned:
        _list_pruned(as_json=as_json)
        return
    shown = limit if limit is not None or as_json else ROWS_SHOWN
    wanted = Wanted(**asked, conditions=tuple(condition(text) for text in where), limit=shown)
    with index_around(Path.cwd()) as index:
        listing = index.select(wanted)
        others = 0 if listing.rows else index.select(Wanted(limit=1)).total
    if as_json:
        show_json([_as_dict(row) for row in listing.rows])
        say_letters(listing.damaged)
        return
    if others:
        say(f"no run is so, of {counted(others, 'run')} here")
        say_letters(listing.damaged)
        next_step("modelworks list")
        return
    header = ("run", "study", "region", "finished", "verdict", "tags", "answer")
    table(header, [_cells(row) for row in listing.rows])
    if len(listing.rows) < listing.total:
        say(f"{len(listing.rows)} of {listing.total:,} runs; --limit shows more")
    say_letters(listing.damaged)
    next_step("modelworks show RUN" if listing.rows else "modelworks run --all")


def _list_pruned(*, as_json: bool) -> None:
    from modelworks.runs import pruned
    from modelworks.study import retention_around

    found = pruned(retention_around(Path.cwd())[0])
    if as_json:
        show_json(found)
        return
    table(("pruned on", "by", "run"), [(str(why["pruned"])[:10], str(why["by"]), str(why["key"])) for why in found])
    next_step("modelworks restore RUN" if found else "modelworks list")


def _as_dict(row: Row) -> dict[str, Any]:
    approval = None if row.promotion is None else row.promotion.in_words()
    return {**dataclasses.asdict(row), "finished": _moment(row), "approval": approval}


def _cells(row: Row) -> tuple[str, ...]:
    stands = [] if row.promotion is None else [row.promotion.state]
    remarks = ", ".join([*stands, *(["pinned"] if row.pinned else []), *row.tags])
    return (row.id, row.study, row.region, _moment(row), row.verdict or "", remarks, row.answer or "")


def _moment(row: Row) -> str:
    return (row.finished or "")[:16].replace("T", " ")


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--code", "with_code", is_flag=True, help="Also the lines of the input files that differ.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write a page of it there (HTML)."
)
@json_option
def compare_runs(runs: Sequence[str], with_code: bool, output: Path | None, as_json: bool) -> None:
    """What differs between runs, and which numbers moved by how much.

    A RUN is the beginning of its id, its key, or a study: then its latest run with a report. The page has the figures
    of up to six runs over each other, and needs nothing but a browser.
    """
    from modelworks.runs import compare
    from modelworks.study import find_run

    if len(runs) < 2:
        raise click.UsageError("a comparison takes two runs or more: modelworks compare RUN RUN")
    found = list({run.key: run for run in (find_run(Path.cwd(), each) for each in runs)}.values())
    if len(found) < 2:
        raise click.UsageError(f"these are all the same run, {found[0].id}: name two")
    comparison = compare(found)
    if output is not None:
        _write_comparison(comparison, output)
    if as_json:
        show_json(comparison_as_dict(comparison, with_code=with_code) | foretold_as_dict(found))
        return
    show_comparison(comparison)
    show_foretold(found)
    if output is not None:
        next_step(f"open {output}")
        return
    if with_code and comparison.code:
        show("\n" + comparison.code.rstrip())
    elif comparison.code and comparison.of("code"):
        next_step(f"modelworks compare {' '.join(run.id for run in found)} --code shows the lines that differ")
        return
    next_step(f"modelworks show {found[-1].id}")


def _write_comparison(comparison: Comparison, output: Path) -> None:
    from modelworks.report import render_comparison
    from modelworks.study import foresight

    if output.suffix not in (".html", ".htm"):
        raise click.UsageError(f"a comparison is written as a page, as in {output.stem}.html, and not as {output.name}")
    text = render_comparison(comparison, foresight(comparison.runs))
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ModelworksError([disk_letter(error, output)]) from error
    say(f"wrote {output}")


def comparison_as_dict(comparison: Comparison, *, with_code: bool) -> dict[str, Any]:
    from modelworks.report import moved_by_chance

    chance = moved_by_chance(comparison)
    told = {
        "runs": [{"id": run.id, "key": run.key} for run in comparison.runs],
        "same_inputs": comparison.same_inputs,
        "differences": [dataclasses.asdict(each) for each in comparison.differences],
        "numbers": [
            {**dataclasses.asdict(each), "moved": each.moved, "by_chance": each.key in chance}
            for each in comparison.numbers
        ],
    }
    return told | ({"code": comparison.code} if with_code else {})


def foretold_as_dict(runs: Sequence[Run]) -> dict[str, Any]:
    """How much better each later run foretells the data than the first; or why that can not be said."""
    from modelworks.study import foretold

    told: list[dict[str, Any]] = []
    for after in runs[1:]:
        try:
            told.append({"run": after.id, **foretold(runs[0], after).as_dict()})
        except ModelworksError as error:
            told.append({"run": after.id, "letters": [letter.as_dict() for letter in error.letters]})
    return {"foretold": told}


def show_foretold(runs: Sequence[Run]) -> None:
    """Series by series, and in words, how much better each later run foretells the data than the first."""
    from modelworks.study import foretold

    for after in runs[1:]:
        try:
            found = foretold(runs[0], after)
        except ModelworksError as error:
            say_letters(error.letters)
            continue
        show("\n" + click.style(f"the data foretold by {after.id}, better than by {runs[0].id} by", bold=True))
        rows = {**found.by_target, "all series": found.total}
        header = ("", "log density (ELPD)", "SE", "observations", "not sure (k > 0.7)")
        table(header, [(name, *_foretold_cells(each)) for name, each in rows.items()])
        said = found.total.in_words
        show(f"{said[0].upper()}{said[1:]}." + (f" The {found.evidence.in_words}." if found.evidence else ""))


def _foretold_cells(found: LooDifference) -> tuple[str, ...]:
    return f"{found.elpd:+.1f}", f"{found.se:.1f}", f"{found.points:,}", f"{found.doubtful:,}"


def show_comparison(comparison: Comparison) -> None:
    from modelworks.report import moved_by_chance
    from modelworks.runs import KINDS_OF_DIFFERENCE

    ids = [run.id for run in comparison.runs]
    for kind in KINDS_OF_DIFFERENCE:
        found = comparison.of(kind)
        if found:
            show(click.style(kind, bold=True))
            table(("", *ids), [(each.name, *(_cell(value) for value in each.values)) for each in found])
            show("")
    if comparison.numbers:
        show(click.style("numbers", bold=True))
        chance = moved_by_chance(comparison)
        table(
            ("", *ids, "change"),
            [_number_cells(each, each.key in chance) for each in comparison.numbers],
        )
    if comparison.same_inputs:
        moved = any(each.moved for each in comparison.numbers)
        say("The runs were made from the same inputs" + (": what moved did so by chance alone." if moved else "."))


def _cell(value: str | None) -> str:
    text = "–" if value is None else value or "(empty)"
    return text if len(text) <= 60 else text[:59] + "…"


def _number_cells(number: Number, is_chance: bool) -> tuple[str, ...]:
    from modelworks.report import words

    told = ["–" if each is None else words.told(each) for each in number.values]
    name = f"{number.title} ({number.unit})" if number.unit else number.title
    return (name, *told, words.change(number.values[-1] or {}, number.values[0] or {}, is_chance=is_chance))


@click.command("verify")
@click.argument("runs", nargs=-1, metavar="[RUN…]")
@click.option("--all", "everything", is_flag=True, help="Every run of the repository.")
@json_option
def verify_runs(runs: Sequence[str], everything: bool, as_json: bool) -> None:
    """Whether every file of a run is as it was written, to the last bit, and what of a whole run it lacks."""
    from modelworks.runs import lacks
    from modelworks.study import damaged_runs, find_run, runs_of_repository, store_around

    if bool(runs) == everything:
        raise click.UsageError("name runs, or give --all")
    found = runs_of_repository(Path.cwd()) if everything else [find_run(Path.cwd(), each) for each in runs]
    unread = damaged_runs(Path.cwd()) if everything else []
    store = store_around(Path.cwd())
    told = {run.id: store.verify(run.key) for run in found}
    lacking = {run.id: lacks(run) for run in found}
    if as_json:
        show_json(
            [
                {
                    "id": run.id,
                    "key": run.key,
                    "whole": not told[run.id],
                    "changed": told[run.id],
                    "lacks": lacking[run.id],
                }
                for run in found
            ]
        )
    else:
        for run in found:
            show(_verified(run, told[run.id], lacking[run.id]))
    say_letters(unread)
    changed = sum(bool(each) for each in told.values()) + len(unread)
    if changed:
        next_step("copy the run again from where it was published, or reproduce it; do not use its numbers")
        raise click.exceptions.Exit(1)
    next_step("modelworks list" if everything else f"modelworks show {found[0].id}")


def _verified(run: Run, changed: Sequence[str], lacking: Sequence[str]) -> str:
    """Whether a run is as it was written, and what it has lacked since then."""
    mark, colour = MARKS["stop" if changed else "look" if lacking else "fine"]
    state = "; ".join(changed) or "as it was written"
    if lacking:
        more = len(lacking) - REASONS_SHOWN
        state += f", without {', '.join(lacking[:REASONS_SHOWN])}" + (f" and {more} more" if more > 0 else "")
    return f"{click.style(mark, fg=colour)} {run.id} {run.key.split('/')[0]}: {state}"


@click.command("reproduce")
@click.argument("run")
@click.option("--here", is_flag=True, help="With the packages of today, instead of an environment like that of then.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="A new folder for all that is made.")
@json_option
@quiet_option
def reproduce_run(run: str, here: bool, keep: Path | None, as_json: bool, quiet: bool) -> None:
    """Make a run again from its own folder, and say whether the same came out.

    Its environment is made anew from its lock, its inputs are those it holds, and its code is the code of then.
    """
    from modelworks.study import find_run, reproduce

    made = reproduce(find_run(Path.cwd(), run), here=here, keep=keep, quiet=quiet)
    if as_json:
        told = {"run": made.run.id, "verdict": made.verdict, "sentences": made.sentences, "reasons": made.reasons}
        show_json(told | {"seconds": round(made.seconds, 3)})
    else:
        mark, colour = MARKS["stop" if made.verdict == "different" else "fine"]
        show(click.style(f"{mark} {made.verdict}", fg=colour, bold=True) + f": {made.sentences[0]}")
        for sentence in made.sentences[1:]:
            say(f"  {sentence}")
        if made.reasons:
            say("what else is not as it was, and may be why:")
        for reason in made.reasons[:REASONS_SHOWN]:
            say(f"  {reason}")
        if len(made.reasons) > REASONS_SHOWN:
            say(f"  and {len(made.reasons) - REASONS_SHOWN} more; --json has all")
    if made.verdict == "different":
        next_step("modelworks reproduce RUN --keep FOLDER leaves both to be looked at")
        raise click.exceptions.Exit(1)
    next_step(f"modelworks show {made.run.id}")


@click.command("export")
@click.argument("run")
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--as",
    "form",
    type=click.Choice(["ro-crate", "files", "hubverse", "hubverse-parquet"]),
    default="ro-crate",
    show_default=True,
    help="A research object for an archive, tables and figures for a document, or forecasts for a hub.",
)
@click.option("--licence", default="", help="Under which the results are handed on, as in 'CC BY 4.0'.")
@click.option("--without-data", is_flag=True, help="Leave the data out; they stay named, with licence and checksum.")
def export_run(run: str, target: Path, form: str, licence: str, without_data: bool) -> None:
    """Write a run as a research object (Workflow Run RO-Crate) into a new folder or .zip, for an archive.

    With --as files its tables and figures, each of which says from which run it comes: `modelworks where FILE`. With
    --as hubverse its forecasts, into the folder `model-output` of the hub in the folder TARGET.
    """
    from modelworks.report import export_crate, export_files, export_hubverse
    from modelworks.study import find_run

    found = find_run(Path.cwd(), run)
    if form == "files":
        written = export_files(found, target)
        say(f"{counted(len(written), 'file')} of run {found.id} are in {target}")
        next_step(f"modelworks where {written[0]}" if written else f"modelworks report {found.study}")
        return
    if form != "ro-crate":
        file = export_hubverse(found, target, "csv" if form == "hubverse" else "parquet")
        say(f"the forecasts of run {found.id} are in {file}")
        next_step(f"git add {file}, in the repository of the hub")
        return
    export_crate(found, target, licence=licence, without_data=without_data)
    say(f"run {found.id} is in {target}" + ("" if licence else "; no licence is stated: --licence says one"))
    next_step(f"hand over {target}")


@click.command("where")
@click.argument("what", metavar="FILE|NUMBER")
@json_option
def where_from(what: str, as_json: bool) -> None:
    """Which run a file comes from (a table, a figure, a page), or a number of a report, as in `where 3.20`.

    A file says so itself where it was exported by us; one that was copied is known by its checksum.
    """
    from modelworks.runs import is_number, trace_file, trace_number
    from modelworks.study import index_around

    path = Path(what)
    if not path.is_file() and not is_number(what):
        fail("R164", f"`{what}` is no file and no number", hint="look for a slip in the path; write a number as 3.20")
    with index_around(Path.cwd()) as index:
        traces = trace_file(index, path) if path.is_file() else trace_number(index, what)
        # One more than is shown, to say that there are more: a common number may be one of every run.
        found = list(traces if as_json else itertools.islice(traces, ROWS_SHOWN + 1))
    if as_json:
        show_json([dataclasses.asdict(each) for each in found])
        return
    if not found:
        hint = "a file that was edited has another checksum; a pruned run comes back with `modelworks restore RUN`"
        fail("R164", f"no run here is one that `{what}` comes from", hint=hint)
    table(("run", "file or number", "how", ""), [_trace_cells(each) for each in found[:ROWS_SHOWN]])
    if len(found) > ROWS_SHOWN:
        say(f"the latest {ROWS_SHOWN}; --json has all")
    next_step(f"modelworks show {found[0].key.rpartition('-')[2]}")


def _trace_cells(found: Trace) -> tuple[str, ...]:
    how = {"says so": "the file says so", "checksum": "the same checksum", "number": "the same number"}[found.how]
    return (found.key, found.name, how, found.text or ("" if found.there else "not in this store"))


@click.command("tag")
@click.argument("run")
@click.argument("tags", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the tags away.")
def tag_run(run: str, tags: Sequence[str], remove: bool) -> None:
    """Give a run tags, by which it is found: `modelworks list --tag paper`."""
    from modelworks.study import remark

    found = remark(Path.cwd(), run, "untag" if remove else "tag", *tags)
    say(f"{'took from' if remove else 'gave'} {found.id} {counted(len(tags), 'tag')}: {', '.join(tags)}")
    next_step(f"modelworks list --tag {tags[0]}")


@click.command("pin")
@click.argument("run")
@click.option("--remove", is_flag=True, help="Let it be pruned again.")
@click.option("--why", default="", help="Why it is kept, for whoever asks later.")
def pin_run(run: str, remove: bool, why: str) -> None:
    """Keep a run for ever: no pruning removes it."""
    from modelworks.study import remark

    found = remark(Path.cwd(), run, "unpin" if remove else "pin", why)
    say(f"{found.id} is {'no longer pinned' if remove else 'pinned'}")
    next_step(f"modelworks show {found.id}")


COMMANDS = (list_runs, compare_runs, where_from, verify_runs, reproduce_run, export_run, tag_run, pin_run)
