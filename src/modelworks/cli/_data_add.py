"""`data add`: a file becomes a dataset, by a few questions whose answers are mostly guessed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._words import MARKS, next_step, say, show

if TYPE_CHECKING:
    from modelworks.inputs import Guess, Proposal

LEAVE_OUT = "-"
QUESTIONS = {
    "title": "What is it, in a few words",
    "publisher": "Who published it",
    "licence": "What may be done with it (a licence, or whom you asked)",
    "source": "Where did you find it (an address or a citation)",
}
UNASKED = (
    "answer them all, or say --title, --publisher, --licence, --source and --no-questions, which takes the columns as "
    "they are guessed"
)


@click.command("add")
@click.argument("file_or_url")
@click.option("--name", help="What studies call it (from the file's name, when left out).")
@click.option("--title", help="What it is, in a few words.")
@click.option("--publisher", help="Who published it.")
@click.option("--licence", help="What may be done with it.")
@click.option("--source", help="Where it was found.")
@click.option("--sheet", default="", help="The sheet of a workbook that has several.")
@click.option("--separator", type=click.Choice(["comma", "semicolon", "tab"]), help="What stands between its cells.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "windows-1252", "latin-1", "utf-16"]),
    default="utf-8",
    show_default=True,
    help="How its letters are written.",
)
@click.option("--days", type=click.Choice(["day/month/year", "month/day/year"]), help="How it writes its days.")
@click.option(
    "--numbers", type=click.Choice(["decimals", "thousands"]), help="What the last three digits are in 1.204 or 1,204."
)
@click.option("--text", "texts", multiple=True, help="A column of texts, though it looks like numbers or days.")
@click.option("--sensitive", is_flag=True, help="Nobody without a key may see it: it is encrypted.")
@click.option("--large", is_flag=True, help="Too large for git: kept in the store of large files.")
@click.option("--no-questions", is_flag=True, help="Take the guesses; ask nothing.")
def add_data(file_or_url: str, texts: tuple[str, ...], no_questions: bool, **said: Any) -> None:
    """Make a file, or an address, a dataset: copied to data/raw/, with an entry in the catalogue.

    Columns, units and checks are guessed; what nobody can guess is asked.
    """
    from modelworks.inputs import Catalogue, Repository, TextForm, add, fetch_new, propose

    root = Repository.around(Path.cwd()).root
    catalogue = Catalogue.read(root)
    with tempfile.TemporaryDirectory() as folder:
        is_url = "://" in file_or_url
        path = fetch_new(file_or_url, Path(folder)) if is_url else Path(file_or_url)
        form = TextForm(said.pop("separator") or "", said.pop("encoding"))
        written = {name: said.pop(name) or "" for name in ("days", "numbers")}
        proposal = propose(path, catalogue, sheet=said["sheet"], texts=texts, form=form, **written)
        proposal = _asked(proposal, {"url": file_or_url if is_url else "", **said}, no_questions)
        entry, remarks = add(proposal, root, date.today())
    show(entry.rstrip())
    for remark in remarks:
        say(f"{MARKS['look'][0]} look: {remark}")
    say(f"{proposal.name} is in data/catalogue.yaml; commit it{'' if proposal.large else ' with its file'}")
    next_step(f"modelworks data {'push' if proposal.large else 'show'} {proposal.name}")


def _asked(proposal: Proposal, said: Mapping[str, Any], no_questions: bool) -> Proposal:
    """The proposal with what was said and what is answered now."""
    answers: dict[str, Any] = {key: value for key, value in said.items() if value}
    if answers.get("url"):
        answers.setdefault("source", answers["url"])
    if no_questions:
        return replace(proposal, **answers)
    try:
        for key in (each for each in QUESTIONS if each not in answers):
            answers[key] = click.prompt(QUESTIONS[key], err=True)
        say(f"\nThe columns: Enter takes what is [guessed], {LEAVE_OUT} as the unit leaves a column out.")
        columns = tuple(each for guess in proposal.columns if (each := _column(guess)) is not None)
    except click.exceptions.Abort as error:
        # Ctrl-C, or a script in which nobody answers.
        say()
        message = f"a question was not answered, so `{proposal.path.name}` was not added; {UNASKED}"
        raise click.UsageError(message, click.get_current_context()) from error
    return replace(proposal, columns=columns, **answers)


def _column(guess: Guess) -> Guess | None:
    unit = click.prompt(f"{guess.name} ({guess.example}): unit", default=guess.unit, err=True)
    if unit == LEAVE_OUT:
        return None
    meaning = click.prompt(f"{guess.name}: what it says", default=guess.meaning, err=True)
    return replace(guess, unit=unit, meaning=meaning)
