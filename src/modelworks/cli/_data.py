"""Commands about data: what there is, whether it can be trusted, and how it comes here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._data_add import add_data
from modelworks.cli._data_secrets import encrypt_data, key_to_data
from modelworks.cli._words import MARKS, json_option, next_step, quiet_option, say, say_letters, show, show_json, table
from modelworks.errors import ModelworksError, counted
from modelworks.units import as_written

if TYPE_CHECKING:
    from modelworks.errors import Letter
    from modelworks.inputs import Catalogue, Dataset, Finding, Repository

DAYS_A_YEAR = 365.25
names_argument = click.argument("names", nargs=-1, metavar="[NAME…]")


@click.group("data")
def data() -> None:
    """The datasets of the repository: add, list, show, page, check, prepare, fetch, push, accept, encrypt."""


for each_command in (add_data, encrypt_data, key_to_data):
    data.add_command(each_command)


def _catalogue() -> tuple[Repository, Catalogue]:
    from modelworks.inputs import Catalogue, Repository

    repository = Repository.around(Path.cwd())
    return repository, Catalogue.read(repository.root)


def _named(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    return [catalogue.dataset(name).name for name in names] or list(catalogue)


def _state(dataset: Dataset) -> tuple[str, str]:
    """A mark and a word: `here`, `stale`, or the code and the sentence of what is wrong."""
    try:
        if dataset.is_stale():
            return "look", "to be prepared"
        # Whether a sensitive file is here can be seen without a key.
        _ = dataset.sha256 if dataset.is_sensitive else dataset.content()
    except ModelworksError as error:
        letter = error.letters[0]
        return "stop", f"{letter.code}: {letter.message}"
    return "fine", "here"


@data.command("list")
@json_option
def list_data(as_json: bool) -> None:
    """Every dataset: whether it is here and as it was received."""
    _, catalogue = _catalogue()
    rows = [(name, *_state(each), each) for name, each in catalogue.items()]
    if as_json:
        show_json([_as_dict(each) | {"state": state} for _, _, state, each in rows])
        return
    if not rows:
        say("no dataset yet: a file becomes one by an entry in data/catalogue.yaml")
        next_step("modelworks data add FILE")
        return
    lines = [
        (MARKS[mark][0], name, "prepared" if each.prepare else "raw", each.retrieved, state, each.title)
        for name, mark, state, each in rows
    ]
    table(("", "dataset", "kind", "retrieved", "state", "title"), lines)
    stale = any(mark == "look" for _, mark, _, _ in rows)
    next_step("modelworks data prepare" if stale else "modelworks data check")


def _as_dict(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "publisher": dataset.publisher,
        "licence": dataset.licence,
        "source": dataset.source,
        "url": dataset.url,
        "retrieved": dataset.retrieved,
        "sensitivity": dataset.sensitivity,
        "file": dataset.file,
        "prepare": dataset.prepare,
        "uses": list(dataset.uses),
        "columns": {name: {"unit": each.unit, "meaning": each.meaning} for name, each in dataset.columns.items()},
        "checks": [each.name for each in dataset.checks],
    }


@data.command("show")
@click.argument("name")
@json_option
def show_data(name: str, as_json: bool) -> None:
    """A dataset in full: whose it is, its columns, what it is made from, and what its checks find."""
    from modelworks.inputs import sources

    _, catalogue = _catalogue()
    dataset = catalogue.dataset(name)
    content, found = dataset.table(), catalogue.findings(name)
    if as_json:
        checks = [{"name": f.check.name, "problem": f.problem, "accepted": f.check.accepted} for f in found]
        show_json(_as_dict(dataset) | {"rows": len(content), "findings": checks, "sha256": dataset.sha256})
        return
    told = {
        "title": dataset.title, "publisher": dataset.publisher, "licence": dataset.licence, "source": dataset.source,
        "url": dataset.url, "retrieved": _with_age(dataset.retrieved), "meaning": dataset.meaning,
        "sensitivity": dataset.sensitivity, "rows": f"{len(content):,}",
        "made by": dataset.prepare, "made from": ", ".join(sources(catalogue, dataset) or dataset.uses),
    }  # fmt: skip
    for each, value in told.items():
        if value:
            show(f"{each:>11}  {value}")
    show("")
    rows = []
    for column, said in dataset.columns.items():
        values = content[column].dropna()
        span = "" if said.kind == "text" or values.empty else f"{_short(values.min())} to {_short(values.max())}"
        rows.append((column, said.unit, span, str(int(content[column].isna().sum())), said.meaning))
    table(("column", "unit", "from – to", "empty", "meaning"), rows)
    _show_findings(found)
    day, count = (_first(dataset, unit) for unit in ("date", "people"))
    in_targets = f"in targets.yaml of a study: dataset: {name}, column: {count}, date: {day}"
    next_step(in_targets if day and count else f"open {dataset.path}")


def _first(dataset: Dataset, unit: str) -> str:
    """The first column of a unit, or nothing."""
    return next((name for name, said in dataset.columns.items() if said.unit == unit), "")


def _short(value: Any) -> str:
    return f"{value:%Y-%m-%d}" if hasattr(value, "strftime") else as_written(value)


def _with_age(retrieved: str) -> str:
    if not retrieved:
        return ""
    days = (date.today() - date.fromisoformat(retrieved)).days
    age = counted(days, "day") if days < DAYS_A_YEAR else counted(round(days / DAYS_A_YEAR), "year")
    return f"{retrieved} ({age} ago)"


def _show_findings(found: Sequence[Finding]) -> None:
    for each in found:
        verdict = "stop" if each.stops else "look" if each.problem else "fine"
        mark, colour = MARKS[verdict]
        show(f"{click.style(mark, fg=colour)} {each.dataset}, {each.check.name}: {each.problem or 'holds'}")
        if each.problem and each.check.accepted:
            show(f"  accepted: {each.check.accepted}")


@data.command("page")
@click.argument("name")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it (NAME.html).")
def page_of_data(name: str, output: Path | None) -> None:
    """The page of a dataset: its series, its checks, whose it is, where it comes from and which studies use it."""
    from modelworks.report import render_data_page
    from modelworks.study import data_pages

    (page,) = data_pages(Path.cwd(), (name,))
    path = output or Path(f"{name}.html")
    path.write_text(render_data_page(page), encoding="utf-8", newline="\n")
    say(f"{page.title}: {page.heading}")
    next_step(f"open {path}")


@data.command("check")
@names_argument
@json_option
def check_data(names: Sequence[str], as_json: bool) -> None:
    """Hold datasets to their checksums, their columns and the checks declared beside them.

    Who has no key to sensitive data is told which checks need one; the files are held to their checksums all the same.
    """
    _, catalogue = _catalogue()
    found: list[Finding] = []
    letters: list[Letter] = []
    closed: dict[str, str] = {}
    for name in _named(catalogue, names):
        try:
            found.extend(_findings(catalogue, name, closed))
        except ModelworksError as error:
            letters.extend(catalogue[name].placed(error))
    stopping = [each for each in found if each.stops]
    if as_json:
        show_json(
            {
                "findings": [
                    {"dataset": f.dataset, "check": f.check.name, "problem": f.problem, "accepted": f.check.accepted}
                    for f in found
                ],
                "mistakes": [letter.as_dict() for letter in letters],
                "without_key": list(closed),
            }
        )
    else:
        _show_findings(found)
        for name, why in closed.items():
            checks = counted(len(catalogue[name].checks), "check")
            say(f"{MARKS['look'][0]} {name}: its columns and {checks} were not looked at, which needs a key: {why}")
        say_letters(letters)
        say(f"{counted(len(_named(catalogue, names)), 'dataset')}, {counted(len(found), 'check')}")
    if stopping or letters:
        next_step("mend the data, or write `accepted:` with the reason below the check; then modelworks data check")
        raise click.exceptions.Exit(1)
    next_step("modelworks check")


def _findings(catalogue: Catalogue, name: str, closed: dict[str, str]) -> list[Finding]:
    """What the checks of a dataset find; of one that nobody here can read none, and `closed` then says why.

    Its file was held to its checksum before, for which no key is needed.
    """
    from modelworks.inputs.encryption import NO_KEY

    try:
        return catalogue.findings(name)
    except ModelworksError as error:
        if set(error.codes) != {NO_KEY}:
            raise
        closed[name] = error.letters[0].message
        return []


@data.command("prepare")
@names_argument
@quiet_option
@click.option("--cores", type=click.IntRange(1), help="How many to make at once (all processor cores, when left out).")
def prepare_data(names: Sequence[str], quiet: bool, cores: int | None) -> None:
    """Make the prepared tables that are stale, in order, several at once, and nothing else."""
    from modelworks.inputs import prepare

    _, catalogue = _catalogue()
    made, letters = prepare(
        catalogue, _named(catalogue, names), cores=cores, told=lambda name: None if quiet else say(f"made {name}")
    )
    if letters:
        raise ModelworksError(letters)
    say(f"{counted(len(made), 'table')} made" if made else "nothing to do: every prepared table is as its sources are")
    next_step("modelworks data check")


@data.command("fetch")
@names_argument
@quiet_option
def fetch_data(names: Sequence[str], quiet: bool) -> None:
    """Bring raw files here: from the store, DVC or Git LFS, the mirror, or where they were published.

    What has changed where it was published is shown, and not taken.

    Without a NAME: every dataset with a `url`, and those whose file is missing.
    """
    from modelworks.inputs import fetch
    from modelworks.runs import Progress

    repository, catalogue = _catalogue()
    wanted = [catalogue.dataset(name) for name in names] or [
        each for each in catalogue.values() if each.file is not None and (each.url or not each.path.is_file())
    ]
    progress, changed = Progress(quiet=quiet), []
    for dataset in wanted:
        progress.start(f"fetch {dataset.name}")
        found = fetch(dataset, repository.mirror, progress.update, store=repository.data_store)
        progress.finish()
        show(f"{MARKS['look' if found.news else 'fine'][0]} {dataset.name}: {found.state}")
        if found.news is not None:
            changed.append(dataset.name)
            for line in found.difference:
                show(f"  {line}")
            say(f"  what is published now is not what the catalogue was written for; it lies in {found.news.name}")
    if changed:
        next_step(f"look at it, then modelworks data accept {changed[0]}; until then the old one is used")
        raise click.exceptions.Exit(1)
    if not wanted:
        say("nothing to fetch: every raw file is here, and none says where it was published (`url`)")
    next_step("modelworks data check")


@data.command("push")
@names_argument
def push_data(names: Sequence[str]) -> None:
    """Copy raw files that are too large for git to the store of large files, named by their content.

    Without a NAME: every dataset with `kept: store`.
    """
    from modelworks.inputs import push

    repository, catalogue = _catalogue()
    wanted = [catalogue.dataset(name) for name in names] or [
        each for each in catalogue.values() if each.kept == "store"
    ]
    for dataset in wanted:
        copied = push(dataset, repository.data_store)
        show(f"{MARKS['fine'][0]} {dataset.name}: {'copied' if copied else 'there already'}")
    if not wanted:
        say("nothing to copy: no dataset says `kept: store`")
    next_step("commit data/catalogue.yaml; others get the files by modelworks data fetch")


@data.command("accept")
@click.argument("name")
def accept_data(name: str) -> None:
    """Take what `fetch` found to be new: the file, its checksum, and today's date in the catalogue."""
    from modelworks.inputs import accept

    repository, catalogue = _catalogue()
    checksum = accept(catalogue, name, repository.root, date.today())
    say(f"{name} is now the edition {checksum[:12]}; commit the file and data/catalogue.yaml")
    next_step(f"modelworks data check {name}")
