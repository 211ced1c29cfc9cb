"""The command line: one verb a stage, each ending with the next one.

Data goes to stdout, everything else to stderr. What the verbs do lives in `study`; this file turns
words into calls and results into lines.
"""

from __future__ import annotations

import codecs
import difflib
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import modelworks
from modelworks.cli import (
    _approval,
    _cluster,
    _data,
    _jobs,
    _notify,
    _parameters,
    _questions,
    _retention,
    _runs,
    _schedule,
    _website,
)
from modelworks.cli._words import (
    MARKS,
    json_option,
    next_step,
    quiet_option,
    say,
    say_letters,
    show,
    show_json,
    table,
    takes_everything,
    tell,
)
from modelworks.errors import Letter, Letters, ModelworksError, counted, disk_letter, fail, near
from modelworks.errors import explain as explanation

# A script that goes on after a run asks for this; 1 is a mistake in a file, 2 one on the command line.
DO_NOT_USE = 3


class Line(click.Group):
    """A group that lists its verbs in the order of the work, and turns errors into letters."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"there is no command `{args[0]}`: {near(args[0], self.commands)}", ctx=ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Line,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `modelworks new our-studies`. Every command ends by naming the next one.",
)
@click.version_option(modelworks.__version__, prog_name="modelworks")
def line() -> None:
    """From a disease model in a file to a result someone signs."""


study_argument = click.argument("study", required=False)


@line.command()
@click.argument("name")
@click.option("--model", default="sir", show_default=True, help="The library model a new study starts from.")
def new(name: str, model: str) -> None:
    """Make a repository for a team, or a study in the one you are in."""
    from modelworks.study import new_repository, new_study, repository_around

    around = repository_around(Path.cwd())
    if around is None:
        root = new_repository(Path.cwd() / name)
        say(f"made {root.name}/ with a first study that runs: studies/first-study")
        next_step(f"cd {root.name} && modelworks run first-study")
        return
    folder = new_study(around, name, model=model)
    say(f"made {folder.relative_to(around)}/ with study.yaml, parameters.yaml, targets.yaml and README.md")
    next_step(f"write your question into study.yaml, then modelworks check {name}")


@line.command()
@study_argument
@json_option
def check(study: str | None, as_json: bool) -> None:
    """Find every mistake of every file of a study, at once; of all studies, when none is named."""
    from modelworks.study import check_study, find_studies, missing_program

    letters, bound = Letters(), []
    for folder in find_studies(study):
        try:
            bound.append(check_study(folder))
        except ModelworksError as error:
            letters.extend(each for each in error.letters if each not in letters.collected)
    letters.raise_if_any()
    if as_json:
        show_json({"verdict": "fine", "studies": [each.summary() for each in bound]})
        return
    for each in bound:
        say(f"{click.style('✓', fg='green')} {each.name}: {each.in_words()}")
        missing = missing_program(each.inputs.folder) if each.inputs.study.stages else None
        if missing is not None:
            say(f"{MARKS['look'][0]} {each.name}: {missing.message}; {missing.hint}")
    next_step(f"modelworks run {bound[0].name if len(bound) == 1 else '--all'}")


def _stage_command(verb: str, help_text: str) -> None:
    """One verb of the line: run what is stale up to a stage, and say what came of it."""

    @line.command(verb, help=help_text)
    @study_argument
    @json_option
    @quiet_option
    @click.option("--cores", type=click.IntRange(1), help="Processor cores to use (all, when left out).")
    def command(study: str | None, as_json: bool, quiet: bool, cores: int | None) -> None:
        from modelworks.study import find_study, run_here

        result = run_here(find_study(study), until=verb, cores=cores, quiet=quiet)
        _present(result, as_json=as_json)
        _end([result])


def _end(results: Sequence[Any]) -> None:
    """A status of its own where results are not to be used."""
    if any(result.verdict == "stop" for result in results):
        raise click.exceptions.Exit(DO_NOT_USE)


def _present(result: Any, *, as_json: bool) -> None:
    if as_json:
        show_json(result.as_dict())
        return
    if result.table is not None and result.table[1]:
        table(*result.table)
        say()
    if result.verdict:
        # On stdout as the answer is: the one is never read without the other.
        mark, colour = MARKS[result.verdict]
        show(click.style(f"{mark} {result.verdict}", fg=colour, bold=True) + f": {result.sentences[0]}")
        for sentence in result.sentences[1:]:
            say(f"  {sentence}")
    if result.answer:
        show(result.answer)
    say(result.line())
    next_step(result.next)


_stage_command("simulate", "Run the model in the middle of what is believed, and see what the priors foresee.")
_stage_command("calibrate", "Find the parameters that fit the targets; every draw of them.")
_stage_command("diagnose", "Judge whether the draws may be believed, in words.")
_stage_command("project", "Run the scenarios from the posterior, with differences from the baseline.")
_stage_command("report", "Make the report: verdict, pictures, tables, assumptions, provenance.")


@line.command()
@click.argument("studies", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every study of the repository.")
@click.option("--until", default="report", metavar="STAGE", help="Not further than this stage; a study's own, too.")
@json_option
@quiet_option
@click.option("--cores", type=click.IntRange(1), help="Processor cores to use (all, when left out).")
def run(studies: tuple[str, ...], everything: bool, until: str, as_json: bool, quiet: bool, cores: int | None) -> None:
    """Run every stage that is stale, in order, to a finished report."""
    from modelworks.study import find_studies, find_study, missing_program, run_here

    folders = find_studies(None) if everything else [find_study(name) for name in studies or (None,)]
    results = []
    for folder in folders:
        if len(folders) > 1:
            say(click.style(folder.name, bold=True))
        missing = missing_program(folder) if everything else None
        if missing is not None:
            # The other studies need not wait until somebody has installed it.
            say(f"skipped: {missing.message}; {missing.hint}\n")
            continue
        results.append(run_here(folder, until=until, cores=cores, quiet=quiet))
        if not as_json:
            _present(results[-1], as_json=False)
            say()
    if as_json:
        show_json([result.as_dict() for result in results])
    _end(results)


@line.command()
@click.argument("folder", default="site", type=click.Path(file_okay=False, path_type=Path))
def publish(folder: Path) -> None:
    """Make a static website of all runs and datasets of the repository."""
    from modelworks.runs import promotions
    from modelworks.study import data_pages, runs_of_repository, store_around
    from modelworks.website import publish_site

    runs = [run for run in runs_of_repository(Path.cwd()) if run.file("report.html") is not None]
    if not runs:
        fail("R111", "no run has a report yet, so there is nothing to publish", hint="modelworks run --all")
    datasets = data_pages(Path.cwd())
    publish_site(runs, folder, datasets, promotions(store_around(Path.cwd())))
    also = f" and {counted(len(datasets), 'dataset')}" if datasets else ""
    say(f"published {counted(len(runs), 'run')}{also} to {folder}/")
    next_step(f"open {folder}/index.html")


@line.command("show")
@click.argument("what", required=False)
@click.option("--model", "as_model", is_flag=True, help="The model's diagram, as SVG to stdout or into --output.")
@click.option("--equations", "as_equations", is_flag=True, help="The model's equations, as LaTeX.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead of stdout.")
@json_option
def show_run(what: str | None, as_model: bool, as_equations: bool, output: Path | None, as_json: bool) -> None:
    """A run in full; or, with --model or --equations, the diagram or the equations of a study's model.

    WHAT is a run, or a study: then its latest run with a report.
    """
    if as_model or as_equations:
        _show_model(what, output, as_equations=as_equations, as_json=as_json)
        return
    if output is not None:
        raise click.UsageError("--output goes with --model and --equations; a run is a folder, which `show` names")
    from modelworks.runs import promotion_of
    from modelworks.study import damaged_runs, find_run, store_around

    run = find_run(Path.cwd(), what)
    say_letters(damaged_runs(Path.cwd()))
    known = promotion_of(store_around(Path.cwd()), run.key)
    stands = {"approval": None if known is None else known.in_words()}
    if as_json:
        show_json({"id": run.id, "key": run.key, "path": str(run.path), **stands, **run.record})
        return
    for name, value in {"run": run.id, "key": run.key, "folder": run.path, **_headline(run.record), **stands}.items():
        if value is not None:
            show(f"{name:>9}  {value}")
    for stage in run.record.get("stages", []):
        state = "unchanged" if stage.get("reused") else f"{stage.get('seconds', 0):.1f} s"
        show(f"{stage['name']:>9}  {state}")
    different = run.verify()
    show(f"{'files':>9}  " + ("all as they were written" if not different else f"CHANGED: {', '.join(different)}"))
    page = run.file("report.html")
    next_step(f"open {page}" if page is not None else f"modelworks report {run.record.get('study') or run.study}")


def _headline(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "study": record.get("study"),
        "finished": str(record.get("finished", ""))[:16].replace("T", " "),
        "verdict": record.get("verdict"),
        "seconds": record.get("seconds"),
        "answer": record.get("answer"),
    }


def _show_model(what: str | None, output: Path | None, *, as_equations: bool, as_json: bool) -> None:
    from modelworks.model import Model, diagram
    from modelworks.study import check_model, find_study

    study = check_model(find_study(what))
    if not isinstance(study.model, Model):
        fail("M155", f"`{study.model.name}` is a function, which has no compartments to draw", hint="see its file")
    kind, written = ("latex", study.model.equations()) if as_equations else ("svg", diagram(study.model))
    if output is not None:
        _write_model(written, output, as_picture=not as_equations and output.suffix == ".png")
    if as_json:
        told = {kind: written} if output is None else {"path": str(output)}
        show_json({"study": study.name, "model": study.model.name, **told})
    elif output is None:
        show(written)
    else:
        next_step(f"open {output}")


def _write_model(written: str, output: Path, *, as_picture: bool) -> None:
    if as_picture:
        import vl_convert

        output.write_bytes(vl_convert.svg_to_png(written, scale=2))
    else:
        output.write_text(written, encoding="utf-8")


for each_command in (
    _data.data,
    _parameters.parameters,
    *_questions.COMMANDS,
    *_runs.COMMANDS,
    *_approval.COMMANDS,
    *_retention.COMMANDS,
    *_jobs.COMMANDS,
    _schedule.schedule,
    _notify.notify,
    *_website.COMMANDS,
    _cluster.cluster,
):
    line.add_command(each_command)


@line.command()
@click.argument("code")
@json_option
def explain(code: str, as_json: bool) -> None:
    """What an error code means: the rule, an example, what to do."""
    import dataclasses

    page = explanation(code)
    if as_json:
        show_json(dataclasses.asdict(page))
        return
    show(f"{page.code}: {page.title}\n\nrule:    {page.rule}\nexample: {page.example}\nto do:   {page.remedy}")
    next_step("mend it, then modelworks check")


@line.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look at this machine: can everything run, and what is slow or missing?"""
    from modelworks.doctor import examine

    findings = examine(Path.cwd())
    worst = max((finding.rank for finding in findings), default=0)
    if as_json:
        show_json([finding.as_dict() for finding in findings])
    else:
        for finding in findings:
            mark, colour = MARKS[finding.verdict]
            show(f"{click.style(mark, fg=colour)} {finding.about}: {finding.words}")
        next_step(_after(findings))
    if worst == 2:
        raise click.exceptions.Exit(1)


def _after(findings: Sequence[Any]) -> str:
    """What one does once the doctor has looked."""
    if any(finding.verdict == "stop" for finding in findings):
        return "mend what is marked ✗, then modelworks doctor"
    if any(finding.about == "repository" and finding.verdict != "fine" for finding in findings):
        return "modelworks new NAME"
    return "modelworks run --all"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; a mistake is a letter and exit status 1, an interruption 130."""
    if arguments is None and sys.getfilesystemencoding() != "utf-8":
        # A folder's umlauts are no text under a locale of ASCII, and the libraries that write tables refuse them.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        _never_stumble(stream)
    sys.exit(_guarded(lambda: line.main(given, prog_name="modelworks", standalone_mode=False), "--json" in given))


# How what is no text is written.
_AS_IT_CAME = "modelworks-as-it-came"


def _never_stumble(stream: Any) -> None:
    """No letter stops a command: an encoding that does not have it (our ✓, a name in Greek) shows its number.

    A name that is no text at all goes out as the bytes it came as.
    """
    if isinstance(stream, io.TextIOWrapper):
        codecs.register_error(_AS_IT_CAME, _as_it_came)
        stream.reconfigure(errors=_AS_IT_CAME if takes_everything(stream) else "backslashreplace")


def _as_it_came(error: UnicodeError) -> tuple[str | bytes, int]:
    """A byte that is no text as that byte; half a character, as JSON or YAML may say it, as its number."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


def _alike(option: str, others: Iterable[str]) -> list[str]:
    """Those that somebody may have meant, told by more than the two dashes that all options have."""
    names = {each.lstrip("-"): each for each in others}
    return [names[each] for each in difflib.get_close_matches(option.lstrip("-"), names)]


def _guarded(work: Callable[[], Any], as_json: bool) -> int:
    try:
        result = work()
    except ModelworksError as error:
        tell(error.letters, as_json=as_json)
        return 1
    except click.exceptions.Abort:
        say("interrupted; what was finished is kept")
        next_step("the same command again goes on from there")
        return 130
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption):
            others = _alike(error.option_name, error.possibilities or ())
            error = click.NoSuchOption(error.option_name, possibilities=others, ctx=error.ctx)
        if as_json:
            tell([Letter("Y401", error.format_message(), "modelworks --help")], as_json=True)
            return error.exit_code
        error.show()
        asked = error.ctx if isinstance(error, click.UsageError) else None
        next_step(f"{asked.command_path if asked else 'modelworks'} --help")
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough; nothing is wrong.
        sys.stderr.close()
        return 0
    except OSError as error:
        # Whichever room it was, a disk that refuses is no defect of ours, and its owner can mend it.
        tell([disk_letter(error)], as_json=as_json)
        return 1
    return int(result) if isinstance(result, int) else 0
