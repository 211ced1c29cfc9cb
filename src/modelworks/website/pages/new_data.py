"""A dataset that is not in the catalogue yet: its file is sent, what is guessed of it completed, and it is proposed.

Scripts are not needed: between the two forms the file waits as a draft of whoever sent it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError
from modelworks.inputs import Guess
from modelworks.inputs import Proposal as NewDataset
from modelworks.study import (
    DataProposal,
    DraftForm,
    draft_of,
    drop_draft,
    guessed_dataset,
    keep_draft,
    need_draft,
    new_entry,
    propose_dataset,
    same_proposed,
)
from modelworks.website._render import at, page
from modelworks.website.access.visits import Runner, Visit

router = APIRouter()

LONGEST_TEXT = 1000
# How a file may be written, in the words of the form.
SEPARATORS = {"": "as it looks", "comma": "commas", "semicolon": "semicolons", "tab": "tabs"}
ENCODINGS = ("utf-8", "windows-1252", "latin-1", "utf-16")
DAYS = {"": "as it looks", "day/month/year": "day/month/year", "month/day/year": "month/day/year"}
NUMBERS = {"": "as they look", "decimals": "decimals", "thousands": "thousands"}
# What the catalogue has to say of a dataset and nobody can guess, with what helps to answer.
ASKED: Mapping[str, tuple[str, str]] = {
    "title": ("What it is", "in a few words, as in Cases reported each week"),
    "publisher": ("Who published it", "a ministry, an agency, the authors of a paper"),
    "licence": ("What may be done with it", "a licence such as CC BY 4.0, or whom you asked"),
    "source": ("Where you found it", "an address, or a citation"),
}
# How the letters begin that are about what was said of the whole table.
UNSAID, IS_NO_NAME = "nobody can guess", "can not be the name of a dataset"
_USUAL_UNITS = ("date", "text", "people", "dimensionless", "percent", "proportion", "years", "per 100,000 people")


@dataclass(frozen=True, slots=True)
class ColumnField:
    """A column in the form: what was guessed or typed of it, and what is wrong with that."""

    guess: Guess
    unit: str
    meaning: str
    used: bool
    letters: tuple[Letter, ...] = ()

    @property
    def wrong(self) -> str:
        """The one of its two texts that the letters are about."""
        return "" if not self.letters else "meaning" if "`meaning`" in self.letters[0].message else "unit"


@router.get("/w/{workspace}/new-data")
def ask_file(request: Request, visit: Runner) -> Response:
    """The form for a file, which is shown to nobody yet."""
    return _file_form(request, visit)


@router.post("/w/{workspace}/new-data")
def take_file(
    request: Request,
    visit: Runner,
    file: Annotated[UploadFile, File()],
    sensitive: Annotated[str, Form()] = "",
    sheet: Annotated[str, Form(max_length=LONGEST_TEXT)] = "",
    separator: Annotated[str, Form()] = "",
    encoding: Annotated[str, Form()] = ENCODINGS[0],
    days: Annotated[str, Form()] = "",
    numbers: Annotated[str, Form()] = "",
    texts: Annotated[str, Form(max_length=LONGEST_TEXT)] = "",
) -> Response:
    """Keep a file as a draft, where it can be read as a table."""
    root, login = visit.workspace.root, visit.person.name
    columns = tuple(filter(None, (each.strip() for each in texts.split(","))))
    how = DraftForm(
        sheet.strip(),
        separator if separator in SEPARATORS else "",
        encoding if encoding in ENCODINGS else ENCODINGS[0],
        days if days in DAYS else "",
        numbers if numbers in NUMBERS else "",
        columns,
    )
    try:
        # Whoever did not say is asked again, as the browser does already.
        is_sensitive = sensitive != "no"
        keep_draft(root, login, file.filename or "", file.file.read(), how, is_sensitive=is_sensitive)
        _guessed(visit, need_draft(root, login))
    except ModelworksError as error:
        drop_draft(root, login)
        return _file_form(request, visit, 422, how, error.letters)
    return RedirectResponse(at(visit.workspace.name, "new-data", "columns"), 303)


@router.get("/w/{workspace}/new-data/columns")
def ask_words(request: Request, visit: Runner) -> Response:
    """The form for what the file is, filled in as far as it can be guessed."""
    draft = draft_of(visit.workspace.root, visit.person.name)
    if draft is None:
        return _file_form(request, visit)
    new = _guessed(visit, draft)
    return _words_form(request, new, {"name": new.name}, _columns(new))


@router.post("/w/{workspace}/new-data/columns")
async def take_words(request: Request, visit: Runner) -> Response:
    """Propose the dataset, or say at each field what is wrong with it."""
    typed = {name: str(value)[:LONGEST_TEXT].strip() for name, value in (await request.form()).multi_items()}
    return await run_in_threadpool(_taken, request, visit, typed)


def _taken(request: Request, visit: Visit, typed: Mapping[str, str]) -> Response:
    try:
        new = _guessed(visit, need_draft(visit.workspace.root, visit.person.name))
    except ModelworksError as error:
        return _file_form(request, visit, 409, letters=error.letters)
    columns = _columns(new, typed)
    try:
        made = _proposed(request, visit, _completed(new, typed, columns), typed.get("reason", ""))
    except ModelworksError as error:
        same = same_proposed(visit.workspace.root, typed.get("name", ""), new.path.read_bytes())
        return _words_form(request, new, typed, columns, error.letters, same)
    return RedirectResponse(at(visit.workspace.name, "data", typed["name"], "proposals", made), 303)


def _proposed(request: Request, visit: Visit, new: NewDataset, reason: str) -> str:
    """The id of the proposal; with a reason stands what somebody should look at in the table."""
    root, someone = visit.workspace.root, visit.person
    # Whatever was sent is read in a process of its own, which takes so much memory and so long.
    catalogue, remarks = visit.workspace.of_data(new_entry, root, new)
    why = "\n\n".join([reason or f"A new dataset: {new.title}", *(f"To look at: {each}" for each in remarks)])
    with visit.deed(request, "proposed a dataset", f"dataset {new.name}") as told:
        made = propose_dataset(root, new, catalogue, why=why, by=someone.title, login=someone.name)
        told(f"dataset {new.name}, proposal {made}")
    drop_draft(root, someone.name)
    return made


def _guessed(visit: Visit, draft: tuple[Path, DraftForm]) -> NewDataset:
    return visit.workspace.of_data(guessed_dataset, visit.workspace.root, *draft)


def _columns(new: NewDataset, typed: Mapping[str, str] | None = None) -> list[ColumnField]:
    if typed is None:
        return [ColumnField(each, each.unit, each.meaning, True) for each in new.columns]
    return [
        ColumnField(each, typed.get(f"unit {k}", ""), typed.get(f"meaning {k}", ""), f"use {k}" in typed)
        for k, each in enumerate(new.columns)
    ]


def _completed(new: NewDataset, typed: Mapping[str, str], columns: Iterable[ColumnField]) -> NewDataset:
    said: dict[str, Any] = {each: typed.get(each, "") for each in ASKED}
    used = tuple(replace(each.guess, unit=each.unit, meaning=each.meaning) for each in columns if each.used)
    return replace(new, name=typed.get("name", ""), columns=used, **said)


# -- the two forms --------------------------------------------------------------------------------------------


def _file_form(
    request: Request,
    visit: Visit,
    status: int = 200,
    how: DraftForm | None = None,
    letters: tuple[Letter, ...] = (),
) -> Response:
    draft = draft_of(visit.workspace.root, visit.person.name)
    return page(
        request, "new_data.html.j2", status, how=how or DraftForm(), letters=letters, separators=SEPARATORS,
        encodings=ENCODINGS, days=DAYS, numbers=NUMBERS, draft=draft[0].name if draft is not None else "",
    )  # fmt: skip


def _words_form(
    request: Request,
    new: NewDataset,
    typed: Mapping[str, str],
    columns: list[ColumnField],
    letters: Iterable[Letter] = (),
    same: DataProposal | None = None,
) -> Response:
    """The second form, with each letter at the field that it is about."""
    placed: dict[str, list[Letter]] = {}
    for each in letters:
        for field, letter in _placed(each, columns):
            placed.setdefault(field, []).append(letter)
    shown = [replace(each, letters=tuple(placed.get(f"column {each.guess.name}", ()))) for each in columns]
    told: dict[str, Any] = {"new": new, "typed": typed, "columns": shown, "asked": ASKED, "units": _USUAL_UNITS}
    return page(request, "new_columns.html.j2", 422 if placed else 200, placed=placed, same=same, **told)


def _placed(letter: Letter, columns: Iterable[ColumnField]) -> Iterator[tuple[str, Letter]]:
    """A letter with each field that it is about; its place in a file is one of a catalogue that nobody has seen."""
    letter = replace(letter, file=None, line=None)
    unsaid = [each for each in ASKED if f"the {each}" in letter.message] if letter.message.startswith(UNSAID) else []
    for each in unsaid:
        yield each, replace(letter, message=f"{UNSAID} the {each}", hint=ASKED[each][1])
    if unsaid:
        return
    if IS_NO_NAME in letter.message or letter.message.startswith("there is a dataset"):
        yield "name", letter
        return
    names = (each.guess.name for each in columns)
    yield next((f"column {name}" for name in names if f"`{name}`" in letter.message), ""), letter
