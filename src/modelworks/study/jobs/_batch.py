"""Several studies handed over together, and a job after them that lays their numbers side by side."""

from __future__ import annotations

import csv
import secrets
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.inputs.repository import Repository
from modelworks.jobs import Job, Order, Queue, Resources
from modelworks.runs import Run, compare, person, without_formulas
from modelworks.study import stages
from modelworks.study._repository import find_run, find_studies, find_study
from modelworks.study._stale import check_until, needed
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.own_stages._stage_study import Study, open_study

SUMMARY = "summary.csv"
# Stands for every scenario of a study, where none is called so.
ALL = "all"
COLUMNS = ("job", "study", "region", "scenario", "run", "verdict", "number", "unit", "median", "low", "high")


def choose_studies(
    names: Sequence[str],
    *,
    everything: bool = False,
    regions: Collection[str] = (),
    models: Collection[str] = (),
    scenarios: Collection[str] = (),
    start: Path | None = None,
) -> list[Path]:
    """The studies named, or all; of those, the ones of some regions and models, with one of the scenarios.

    Raises
    ------
    ModelworksError
        With every mistake of the files of all of them; J132 where no study has such a region, model or scenario.
    """
    if not names and not (everything or regions or models):
        return [find_study(None, start=start)]
    folders = [find_study(name, start=start) for name in names] or find_studies(None, start=start)
    if not regions and not models and not scenarios:
        return list(dict.fromkeys(folders))
    studies = [_opened(folder) for folder in folders]
    if letters := [letter for each in studies if isinstance(each, tuple) for letter in each]:
        raise ModelworksError(letters)
    opened = [each for each in studies if not isinstance(each, tuple)]
    for what, wanted, known in (
        ("region", regions, {each.inputs.study.region or "" for each in opened}),
        ("model", models, {_model(each) for each in opened}),
        ("scenario", set(scenarios) - {ALL}, {name for each in opened for name in _scenarios(each)}),
    ):
        for each in sorted(set(wanted) - known):
            fail("J132", f"no study has the {what} `{each}`", hint=near(each, sorted(known - {""})))
    chosen = [
        each.inputs.folder
        for each in opened
        if (not regions or each.inputs.study.region in regions)
        and (not models or _model(each) in models)
        and (not scenarios or _chosen(each, scenarios))
    ]
    if not chosen:
        said = " with ".join(" or ".join(each) for each in (regions, models, scenarios) if each)
        fail("J132", f"no study has {said}", hint="modelworks check --json tells of every study")
    return chosen


def _opened(folder: Path) -> Study | tuple[Letter, ...]:
    try:
        return open_study(folder)
    except ModelworksError as error:
        return error.letters


def _model(study: Study) -> str:
    return study.model.name if isinstance(study, BoundStudy) else ""


def _scenarios(study: Study) -> list[str]:
    return list(study.inputs.study.scenarios) if isinstance(study, BoundStudy) else []


def _chosen(study: Study, wanted: Collection[str]) -> list[str]:
    known = _scenarios(study)
    return known if ALL in wanted and ALL not in known else [name for name in known if name in wanted]


def scenarios_of(folder: Path, wanted: Collection[str], until: str) -> list[str]:
    """Those of the scenarios that a study has, in its own order; `all` is every one.

    Raises
    ------
    ModelworksError
        J132 where it has none of them, or where no stage runs any.
    """
    study = open_study(folder)
    check_until(study, until)
    if stages.PROJECT not in needed(study, until):
        message = f"the stage `{until}` of `{study.name}` runs no scenario"
        fail("J132", message, hint="choose no scenario, or go as far as the stage `project`")
    if chosen := _chosen(study, wanted):
        return chosen
    fail(
        "J132",
        f"`{study.name}` has no scenario {' or '.join(wanted)}",
        hint=near(next(iter(wanted)), _scenarios(study)),
    )


def new_batch() -> str:
    """What the jobs that are handed over together have in common."""
    return f"batch-{secrets.token_hex(3)}"


def order_summary(folder: Path, orders: Sequence[Order], **more: Any) -> Order:
    """A job that waits until all others are over, whatever came of them, and lays the runs they made side by side."""
    first, repository = orders[0], Repository.around(folder)
    return Order(
        title=f"side by side: {len(orders)} studies",
        command=(sys.executable, "-m", "modelworks", "work"),
        environment=first.environment,
        task={
            "summary": [each.id for each in orders],
            "of": str(repository.kept.parent),
            "kept": str(repository.kept),
            "packages": first.task["packages"],
        },
        resources=Resources(1, 0.5),
        after=[each.id for each in orders],
        by=person(repository.root),
        **more,
    )


def summarise(queue: Queue, jobs: Sequence[str], root: Path, folder: Path) -> dict[str, Any]:
    """Write the numbers of the runs that some jobs made into a table, one row a run and number.

    Raises
    ------
    ModelworksError
        J133 where none of them made a run.
    """
    found = {each: queue.get(each) for each in jobs}
    made = {
        each: find_run(root, run)
        for each, job in found.items()
        if (run := (job.outcome.get("result") or {}).get("run"))
    }
    if not made:
        fail(
            "J133",
            "none of the jobs made a run, so there is nothing to lay side by side",
            hint=f"modelworks why {jobs[0]}",
        )
    rows = list(_rows(made, found))
    with (folder / SUMMARY).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(map(without_formulas, rows))
    missing = {each: job.state for each, job in found.items() if each not in made}
    return {"runs": [run.id for run in made.values()], "without": missing, "rows": rows, "table": str(folder / SUMMARY)}


def _rows(made: Mapping[str, Run], jobs: Mapping[str, Job]) -> Iterator[dict[str, Any]]:
    runs = list(made.values())
    # A comparison takes two; of a run alone the second is itself.
    numbers = compare(runs if len(runs) > 1 else runs * 2).numbers
    for place, (job, run) in enumerate(made.items()):
        record, labels = run.record, jobs[job].order.labels
        about = {
            "job": job, "study": labels["study"], "region": record.get("region") or "",
            "scenario": labels.get("scenario", ""), "run": run.id, "verdict": record.get("verdict") or "",
        }  # fmt: skip
        values = [(number, number.values[place]) for number in numbers]
        told = [(number, value) for number, value in values if value is not None]
        for number, value in told:
            limits = {name: value.get(name) for name in ("median", "low", "high")}
            yield {**about, "number": number.name, "unit": value.get("unit") or "", **limits}
        if not told:
            yield {**dict.fromkeys(COLUMNS, ""), **about}
