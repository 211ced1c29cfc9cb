"""The form for a new run, made from what a study declares; its mistakes are shown at their fields."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, Letters, ModelworksError, fail
from modelworks.inputs import PriorEntry, Scenario
from modelworks.jobs import Order
from modelworks.study import (
    BoundStudy,
    Changed,
    Place,
    ScenarioChange,
    StageStudy,
    assumptions_of,
    change_of,
    check_study,
    estimates,
    executor_names,
    files_of,
    handed_over_by,
    letters_against,
    order_studies,
    queue_around,
    scenario_changes,
    what_changed,
)
from modelworks.units import as_written
from modelworks.website._believed import Believed, believed, previewed
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import at, page, product, short
from modelworks.website._studies import approved, changed_since, latest, study_in
from modelworks.website._unchanged import files_now, while_unchanged
from modelworks.website._workflow import spoken
from modelworks.website.access.visits import FORM_TOKEN, Runner, Visit

router = APIRouter()

STAGES = {
    "report": "everything, to the report",
    "simulate": "only a look at the model and its priors",
    "calibrate": "to the calibration",
}
LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Field:
    """One number of a study: what is believed now, what was typed instead, and what is wrong with that.

    `said` is what its file says, as one may type it; empty where it can not be changed here. `change` is what to assume
    otherwise, in the words of `modelworks rerun`; None where nothing else was typed. `believed` is what comes of it.
    """

    name: str
    meaning: str
    unit: str
    bounds: str
    source: str
    place: str
    said: str
    belief: str
    typed: str
    change: str | None
    believed: Believed
    letters: tuple[Letter, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """A target or a scenario, and whether it is used; a scenario with what it changes, each a name and words."""

    name: str
    title: str
    used: bool
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """All that may be said of a run before it begins."""

    fields: tuple[Field, ...] = ()
    targets: tuple[Tick, ...] = ()
    scenarios: tuple[Tick, ...] = ()
    until: str = "report"
    executor: str = "process"
    letters: tuple[Letter, ...] = field(default=())

    @property
    def changes(self) -> list[str]:
        left_out = [f"target {each.name} without" for each in self.targets if not each.used]
        return [*(each.change for each in self.fields if each.change), *left_out]

    @property
    def chosen(self) -> list[str]:
        """The scenarios that are run, where these are not all."""
        used = [each.name for each in self.scenarios if each.used]
        if self.scenarios and not used:
            hint = "choose the baseline alone, if no other is to be run"
            fail("W139", "a run has one scenario at least, and none is chosen", hint=hint)
        return used if len(used) < len(self.scenarios) else []

    def with_letters(self, letters: Iterable[Letter]) -> Form:
        """Each letter at the field that it names, and the others above all of them."""
        left = list(letters)
        fields = []
        for each in self.fields:
            own = tuple(letter for letter in left if _is_about(letter, each))
            left = [letter for letter in left if letter not in own]
            # Where the copy of the study lies that the change made, whoever typed it has never seen.
            fields.append(replace(each, letters=tuple(letter.at(None) for letter in own)))
        return replace(self, fields=tuple(fields), letters=tuple(left))


def _is_about(letter: Letter, each: Field) -> bool:
    return each.change is not None and (f"`{each.name}`" in letter.message or f"`{each.change}`" in letter.message)


@router.get("/w/{workspace}/studies/{study}/run")
def ask(request: Request, visit: Runner, study: str) -> Response:
    """The form, with what the study's files say now."""
    return _shown(request, visit, study, {}, ())


@router.get("/w/{workspace}/studies/{study}/believed")
def shown_while_typed(request: Request, visit: Runner, study: str, name: str = "", text: str = "") -> Response:
    """A part of the form: what is believed where this is typed."""
    workspace = visit.workspace
    folder, files = workspace.repository.find_study(study), files_now(workspace)
    found = workspace.of_study(study, _previewed, folder, files, name, text[:LONGEST_TEXT])
    return page(request, "believed.html.j2", believed=found or no_such_place())


def _previewed(folder: Path, files: str, name: str, text: str) -> Believed | None:
    study = _bound(folder, files)
    if not isinstance(study, BoundStudy) or name not in {study.entry(each).name for each in study.names}:
        return None
    return previewed(study, study.members(name)[0], text)


@functools.lru_cache(maxsize=1)
def _bound(folder: Path, files: str) -> BoundStudy | StageStudy:
    """The study of a form that is typed into, kept while its files are as they are: a large one takes seconds."""
    return check_study(folder)


@router.post("/w/{workspace}/studies/{study}/run")
async def submit(request: Request, visit: Runner, study: str) -> Response:
    """Hand the run over, as the study's files say where nothing was typed; with a mistake, the form again."""
    typed = {name: str(value)[:LONGEST_TEXT].strip() for name, value in (await request.form()).multi_items()}
    typed.pop(FORM_TOKEN, None)
    return await run_in_threadpool(_submitted, request, visit, study, typed)


def _submitted(request: Request, visit: Visit, study: str, typed: Mapping[str, str]) -> Response:
    workspace = visit.workspace
    folder = workspace.repository.find_study(study)
    try:
        order = workspace.of_study(study, _ordered, folder, typed)
    except ModelworksError as error:
        return _shown(request, visit, study, typed, error.letters)
    with visit.deed(request, "submitted", f"a job: {order.title}") as told:
        [job] = workspace.queue.submit([handed_over_by(order, **visit.author)])
        told(f"job {job}: {order.title}")
    return RedirectResponse(at(workspace.name, "jobs", job), 303)


def _ordered(folder: Path, typed: Mapping[str, str]) -> Order:
    study = check_study(folder)
    form = form_of(study, typed)
    if isinstance(study, BoundStudy):
        # Each field is judged, so that all mistakes are told at once.
        changes = (each.change for each in form.fields if each.change)
        Letters([letter for each in changes for letter in letters_against(study, each)]).raise_if_any()
    (order,) = order_studies(
        [folder], until=form.until, changes=form.changes, scenarios=form.chosen, executor=form.executor
    )
    return order


def _shown(
    request: Request, visit: Visit, study: str, typed: Mapping[str, str], letters: tuple[Letter, ...]
) -> Response:
    workspace = visit.workspace
    folder = workspace.repository.find_study(study)
    own = study_in(workspace, folder)
    with workspace.index.as_now():
        stands = approved(workspace, own.name)
        row = stands or latest(workspace, own.name)
        before = _taken_before(workspace)
    try:
        asked = folder, tuple(sorted(typed.items())), row.key if row is not None else None
        # Nobody sends the same mistake again and again.
        known = (
            workspace.of_study(study, _known, *asked)
            if typed
            else while_unchanged(workspace, study, before, _known, *asked)
        )
    except ModelworksError as error:
        # Until its files are mended there is nothing to fill in.
        form = Form(letters=error.letters)
        return page(request, "new_run.html.j2", 422, study=own, form=form, stages={}, places=())
    return page(
        request, "new_run.html.j2", 422 if letters else 200,
        study=own, form=known.form.with_letters(letters), places=known.places, row=row, stands=stands, spoken=spoken,
        changed=known.changed, files=list(changed_since(workspace, row.key)) if row is not None else (),
        stages=STAGES if known.has_model else {"report": STAGES["report"]},
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the form is made of: what it will take at each executor, and what differs from the run compared with; with
    the files that it follows from, None where programs of the team's own have a part."""

    form: Form
    places: Sequence[Place]
    changed: Sequence[Changed]
    has_model: bool
    files: tuple[Path, ...] | None


def _taken_before(workspace: Workspace) -> Hashable:
    """What estimates follow from besides files: runs, jobs, and which stages are kept."""
    stages = workspace.repository.kept / "stages"
    kept = stages.stat().st_mtime_ns if stages.is_dir() else 0
    return workspace.index.state(), tuple(sorted(workspace.queue.counts().items())), kept


def _known(folder: Path, typed: Sequence[tuple[str, str]], before: str | None) -> Known:
    study = check_study(folder)
    form = form_of(study, dict(typed))
    until = form.until if form.until in STAGES else "report"
    with queue_around(folder) as queue:
        places = estimates(study, until, queue, executor_names(study.inputs.repository))
    return Known(
        form,
        places,
        _changed(folder, before) if before is not None else (),
        isinstance(study, BoundStudy),
        files_of(study),
    )


def form_of(study: BoundStudy | StageStudy, typed: Mapping[str, str]) -> Form:
    """The form of a study, with what was typed into it; what was unticked is not sent."""
    until, executor = typed.get("until", "report"), typed.get("executor", "process")
    if not isinstance(study, BoundStudy):
        return Form(until=until, executor=executor)
    targets = _ticks("target", study.inputs.targets, typed)
    scenarios = study.inputs.study.scenarios
    # Of one alone there is nothing to choose.
    ticks = _ticks("scenario", scenarios, typed) if len(scenarios) > 1 else ()
    changes = scenario_changes(study)
    told = tuple(replace(each, changes=tuple(_told(scenarios[each.name], changes[each.name]))) for each in ticks)
    return Form(tuple(_fields(study, typed)), targets, told, until, executor)


def _ticks(what: str, known: Mapping[str, Any], typed: Mapping[str, str]) -> tuple[Tick, ...]:
    return tuple(Tick(name, each.title or name, not typed or f"{what} {name}" in typed) for name, each in known.items())


def _told(scenario: Scenario, changes: Iterable[ScenarioChange]) -> Iterable[tuple[str, str]]:
    """What a scenario changes: each parameter with what becomes of it, and each dataset that is another."""
    for each in changes:
        before = each.before
        held = f"{short(each.becomes)} {before.unit}".rstrip() + f" in place of {short(before.value)}"
        yield before.name, held if each.factor is None else product(before, each.factor)
    for name, dataset in scenario.data.items():
        yield name, f"the dataset {dataset}"


def _fields(study: BoundStudy, sent: Mapping[str, str]) -> Iterable[Field]:
    seen = set()
    for name in study.names:
        entry = study.entry(name)
        if entry.name in seen:
            continue
        seen.add(entry.name)
        said = as_written(entry.value) if isinstance(entry.value, float) else ""
        if isinstance(entry.prior, PriorEntry):
            said = str(entry.prior)
        typed = sent.get(f"parameter {entry.name}", said)
        own = believed(study.priors[name], entry.unit) if name in study.priors else Believed("")
        is_other = bool(said) and typed not in ("", said)
        yield Field(
            name=entry.name, meaning=entry.meaning, unit=entry.unit, bounds=str(entry.bounds or ""),
            source=entry.source, place=f"{entry.file}, line {entry.line}", said=said, belief=study.belief(name),
            typed=typed, change=change_of(entry, typed) if is_other else None,
            believed=previewed(study, name, typed) if is_other else own,
        )  # fmt: skip


def _changed(folder: Path, run_id: str) -> Sequence[Changed]:
    """What the study assumes otherwise than a run of it did."""
    try:
        return what_changed(assumptions_of(run_id, folder), assumptions_of(str(folder), folder))
    except ModelworksError:
        # A run of long ago, or of no model, has no table of assumptions to compare with.
        return ()
