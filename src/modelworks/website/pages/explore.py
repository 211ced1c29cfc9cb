"""What if: sliders and switches from a run's scenarios; medians and ribbons from its draws, redrawn as they move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from modelworks import plots
from modelworks.errors import Letter, ModelworksError
from modelworks.inputs import read_study
from modelworks.jobs import Order
from modelworks.plots import Figure
from modelworks.runs import Run
from modelworks.study import (
    Control,
    Explorable,
    Explored,
    Moved,
    Ribbon,
    explored_copy,
    explorer_of,
    handed_over_by,
    order_study,
    read_moved,
)
from modelworks.website._drawings import as_png
from modelworks.website._house import Workspace
from modelworks.website._render import at, page, product, rendered, short
from modelworks.website._scenarios import LONGEST_TITLE, named, remove, save, saved, saved_one
from modelworks.website._studies import study_of
from modelworks.website.access.visits import Reader, Runner, Visit

if TYPE_CHECKING:
    import pandas as pd

router = APIRouter()

# Besides the controls: which output, all draws or some, and which calibrated parameters are set to a value.
OUTPUT, ALL, SET = "output", "all", "set."
# What a scenario that is saved shall be called; no control has a colon in its name.
NAME = "called:"
LEVELS = ("q025", "q25", "q50", "q75", "q975")


@router.get("/w/{workspace}/runs/{run_id}/explore")
def show(request: Request, visit: Reader, run_id: str) -> Response:
    """The controls where the address says they stand, and what comes of that."""
    return _shown(request, visit, run_id, request.query_params)


@router.get("/w/{workspace}/runs/{run_id}/explore.json")
def answer(request: Request, visit: Reader, run_id: str) -> Response:
    """The same for a slider that is moved: the figure's panels, the table, and which draws these are."""
    run = visit.workspace.run(run_id)
    found = _explored(visit.workspace, run, request.query_params)
    query = _query(_about(visit.workspace, run), found.moved, found.ribbons[0].output)
    known = named(saved(visit.house.people, visit.workspace.name, run.key), query)
    told = rendered(request, "explored.html.j2", explored=found, rows=_rows(found.ribbons[0]), known=known)
    return JSONResponse(
        {"panels": list(_figure(found).panels), "told": told, "seconds": found.seconds},
        headers={"Cache-Control": "no-store"},
    )


@router.get("/w/{workspace}/runs/{run_id}/explore.png")
def picture(request: Request, visit: Reader, run_id: str) -> Response:
    """The figure for who runs no scripts."""
    found = _explored(visit.workspace, visit.workspace.run(run_id), request.query_params)
    return Response(
        as_png(visit.workspace, _figure(found)), media_type="image/png", headers={"Cache-Control": "no-store"}
    )


@router.post("/w/{workspace}/runs/{run_id}/explore")
async def make_run(request: Request, visit: Runner, run_id: str) -> Response:
    """Make it a real run: the study with one more scenario, as a job."""
    said = {name: str(value)[:300] for name, value in (await request.form()).items()}
    return await run_in_threadpool(_submitted, request, visit, run_id, said)


def _submitted(request: Request, visit: Visit, run_id: str, said: Mapping[str, str]) -> Response:
    workspace = visit.workspace
    run = workspace.run(run_id)
    try:
        explorer = _about(workspace, run)
        moved = _moved(explorer, said)
        folder = workspace.repository.find_study(study_of(run))
        known = named(saved(visit.house.people, workspace.name, run.key), _query(explorer, moved, ""))
        order = workspace.of_run(run, _ordered, run, folder, moved, known.title if known is not None else "")
    except ModelworksError as error:
        return _shown(request, visit, run_id, said, error.letters)
    with visit.deed(request, "submitted", f"a job: {order.title}") as told:
        [job] = workspace.queue.submit([handed_over_by(order, **visit.author)])
        told(f"job {job}: {order.title}")
    return RedirectResponse(at(workspace.name, "jobs", job), 303)


# -- what was found is kept -------------------------------------------------------------------------------


@router.post("/w/{workspace}/runs/{run_id}/scenarios")
async def keep(request: Request, visit: Runner, run_id: str) -> Response:
    """Save where the controls stand under a name."""
    said = {name: str(value)[:300] for name, value in (await request.form()).items()}
    return await run_in_threadpool(_kept, request, visit, run_id, said)


def _kept(request: Request, visit: Visit, run_id: str, said: Mapping[str, str]) -> Response:
    run, people = visit.workspace.run(run_id), visit.house.people
    try:
        explorer = _about(visit.workspace, run)
        moved = _moved(explorer, said)
        output = said.get(OUTPUT)
        query = _query(explorer, moved, output if output in explorer.outputs else explorer.outputs[0])
        with people.change():
            made = save(people, visit.workspace.name, run.key, said.get(NAME, ""), query, visit.person.title)
            visit.note(request, "saved a scenario", f"{said[NAME]} of run {run.id}")
    except ModelworksError as error:
        return _shown(request, visit, run_id, said, error.letters)
    return RedirectResponse(at(visit.workspace.name, "scenarios", made), 303)


@router.get("/w/{workspace}/scenarios")
def scenarios(request: Request, visit: Reader) -> Response:
    """Everything that was found and saved in this workspace."""
    return page(request, "scenarios.html.j2", found=saved(visit.house.people, visit.workspace.name))


@router.get("/w/{workspace}/scenarios/{scenario}")
def scenario(visit: Reader, scenario: str) -> Response:
    """The link to share: leads to the controls as they were saved."""
    found = saved_one(visit.house.people, visit.workspace.name, scenario)
    return RedirectResponse(f"{at(visit.workspace.name, 'runs', found.run_id, 'explore')}?{found.query}", 303)


@router.post("/w/{workspace}/scenarios/{scenario}/remove")
def forget(request: Request, visit: Runner, scenario: str) -> Response:
    """Take a name back; runs that were made of it stay."""
    people = visit.house.people
    with people.change():
        found = saved_one(people, visit.workspace.name, scenario)
        remove(people, visit.workspace.name, found.id)
        visit.note(request, "removed a scenario", f"{found.title} of run {found.run_id}")
    return RedirectResponse(at(visit.workspace.name, "scenarios"), 303)


def _shown(
    request: Request, visit: Visit, run_id: str, said: Mapping[str, str], letters: tuple[Letter, ...] = ()
) -> Response:
    run = visit.workspace.run(run_id)
    explorer = _about(visit.workspace, run)
    try:
        found = _explored(visit.workspace, run, said)
    except ModelworksError as error:
        letters = letters or error.letters
        found = _explored(visit.workspace, run, {})
    chosen = found.ribbons[0].output
    query = _query(explorer, found.moved, chosen)
    kept = saved(visit.house.people, visit.workspace.name, run.key)
    presets = [(title, _query(explorer, moved, chosen)) for title, moved in explorer.scenarios]
    return page(
        request, "explore.html.j2", 422 if letters else 200,
        run=run, explorer=explorer, explored=found, chosen=chosen, letters=letters, presets=presets,
        rows=_rows(found.ribbons[0]), query=query, kept=kept, known=named(kept, query), longest=LONGEST_TITLE,
        stands_at=stands_at, product=product,
    )  # fmt: skip


def _about(workspace: Workspace, run: Run) -> Explorable:
    """What can be moved in a run; read once."""
    known = ("explorable", run.key, workspace.store.stamp(run.key))
    return workspace.remembered(known, lambda: workspace.of_run(run, _read, run))


def _explored(workspace: Workspace, run: Run, said: Mapping[str, str]) -> Explored:
    explorer = _about(workspace, run)
    output = said.get(OUTPUT) or explorer.outputs[0]
    return workspace.of_run(run, _answered, run, _moved(explorer, said), output, all_draws=bool(said.get(ALL)))


# -- in the process of the run's model ---------------------------------------------------------------------


def _read(run: Run) -> Explorable:
    return explorer_of(run).about


def _answered(run: Run, moved: Moved, output: str, *, all_draws: bool) -> Explored:
    return explorer_of(run).answer(moved, [output], all_draws=all_draws)


def _ordered(run: Run, folder: Path, moved: Moved, title: str) -> Order:
    return order_study(explored_copy(read_study(folder), explorer_of(run).scenario(moved), title=title))


# -- what was moved ----------------------------------------------------------------------------------------


def _moved(explorer: Explorable, said: Mapping[str, str]) -> Moved:
    return read_moved(explorer.controls, _controls_in(explorer, said))


def _controls_in(explorer: Explorable, said: Mapping[str, str]) -> dict[str, str]:
    """What a form or an address says of controls; a calibrated parameter counts where it is set at all."""
    as_calibrated = {each.name for each in explorer.controls if each.kind == "value" and each.baseline is None}
    others = {OUTPUT, ALL, NAME, "form_token"}
    named = {name: value for name, value in said.items() if name not in others and not name.startswith(SET)}
    return {name: value for name, value in named.items() if name not in as_calibrated or said.get(SET + name)}


def _query(explorer: Explorable, moved: Mapping[str, Any], output: str) -> str:
    """What stands in the address of something explored."""
    calibrated = [each.name for each in explorer.controls if each.kind == "value" and each.baseline is None]
    is_set = {SET + name: "on" for name in calibrated if name in moved}
    values = {name: exact(value) if isinstance(value, float) else value for name, value in moved.items()}
    return urlencode({OUTPUT: output, **values, **is_set})


def exact(value: float) -> str:
    """A number that gives itself back, without a point that says nothing.

    >>> exact(0.5), exact(2.0), exact(1 / 3)
    ('0.5', '2', '0.3333333333333333')
    """
    return repr(value).removesuffix(".0")


def stands_at(control: Control, value: float) -> str:
    """Where a slider stands, in words; `explore.js` says the same while it moves.

    >>> from modelworks.study import Standing
    >>> stands_at(Control("factor", "rate", "Rate", multiplied=(Standing("rate", 0.3, "per day"),)), 0.8)
    '0.3 × 0.8 = 0.24 per day'
    """
    if control.kind != "factor":
        return short(value)
    if len(control.multiplied) != 1:
        return f"× {short(value)}"
    return product(control.multiplied[0], value)


def _rows(ribbon: Ribbon) -> list[tuple[Any, ...]]:
    """What a table says of an output: when, in which unit, its baseline, what was explored, and the difference."""
    bands = {"baseline": ribbon.baseline, "explored": ribbon.explored, "difference": ribbon.difference}
    last = {name: values[:, -1] for name, values in bands.items()}
    told = (
        ("In all", ribbon.total_unit, ribbon.totals),
        ("At its highest", ribbon.unit, ribbon.highest),
        ("At the end", ribbon.unit, last),
    )
    return [(when, unit, *(said[name] for name in bands)) for when, unit, said in told if said is not None]


def _figure(found: Explored) -> Figure:
    """The output beside its difference from the baseline."""
    import pandas as pd

    ribbon = found.ribbons[0]
    both = pd.concat([_table(ribbon, ribbon.baseline, "baseline"), _table(ribbon, ribbon.explored, "explored")])
    labels = {
        "baseline": "As calibrated", "explored": "With what was moved",
        ribbon.output: f"{ribbon.output.replace('_', ' ').capitalize()} ({ribbon.unit})",
    }  # fmt: skip
    difference = _table(ribbon, ribbon.difference, "explored") if found.moved else None
    return plots.figure("scenarios")(both if found.moved else both[: ribbon.times.size], difference, labels=labels)


def _table(ribbon: Ribbon, bands: Any, scenario: str) -> pd.DataFrame:
    import pandas as pd

    levels = dict(zip(LEVELS, bands, strict=True))
    return pd.DataFrame({"scenario": scenario, "output": ribbon.output, "time": ribbon.times, **levels})
