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
from modelworks.jobs import Order, Queue, Resources
from modelworks.runs import Run, compare, person
from modelworks.study._repository import find_run, find_studies, find_study
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.own_stages._stage_study import Study, open_study

SUMMARY = "summary.csv"
COLUMNS = ("job", "study", "region", "run", "verdict", "number", "unit", "median", "low", "high")


def choose_studies(
    names: Sequence[str],
    *,
    everything: bool = False,
    regions: Collection[str] = (),
    models: Collection[str] = (),
    start: Path | None = None,
) -> list[Path]:
    """The studies named, or all; of those, the ones of some regions and models.

    Raises
    ------
    ModelworksError
        With every mistake of the files of all of them; J132 where no study is of such a region or model.
    """
    if not names and not (everything or regions or models):
        return [find_study(None, start=start)]
    folders = [find_study(name, start=start) for name in names] or find_studies(None, start=start)
    if not regions and not models:
        return list(dict.fromkeys(folders))
    studies = [_opened(folder) for folder in folders]
    if letters := [letter for each in studies if isinstance(each, tuple) for letter in each]:
        raise ModelworksError(letters)
    opened = [each for each in studies if not isinstance(each, tuple)]
    for what, wanted, known in (
        ("region", regions, {each.inputs.study.region or "" for each in opened}),
        ("model", models, {_model(each) for each in opened}),
    ):
        for each in set(wanted) - known:
            fail("J132", f"no study is of the {what} `{each}`", hint=near(each, sorted(known - {""})))
    chosen = [
        each.inputs.folder
        for each in opened
        if (not regions or each.inputs.study.region in regions) and (not models or _model(each) in models)
    ]
    if not chosen:
        said = f"{' or '.join(regions)} with {' or '.join(models)}"
        fail("J132", f"no study is of {said}", hint="modelworks check --json tells of every study")
    return chosen


def _opened(folder: Path) -> Study | tuple[Letter, ...]:
    try:
        return open_study(folder)
    except ModelworksError as error:
        return error.letters


def _model(study: Study) -> str:
    return study.model.name if isinstance(study, BoundStudy) else ""


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
    rows = list(_rows(made))
    with (folder / SUMMARY).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    missing = {each: job.state for each, job in found.items() if each not in made}
    return {"runs": [run.id for run in made.values()], "without": missing, "rows": rows, "table": str(folder / SUMMARY)}


def _rows(made: Mapping[str, Run]) -> Iterator[dict[str, Any]]:
    runs = list(made.values())
    # A comparison takes two; of a run alone the second is itself.
    numbers = compare(runs if len(runs) > 1 else runs * 2).numbers
    for place, (job, run) in enumerate(made.items()):
        record = run.record
        about = {
            "job": job, "study": record.get("study"), "region": record.get("region") or "", "run": run.id,
            "verdict": record.get("verdict") or "",
        }  # fmt: skip
        values = [(number, number.values[place]) for number in numbers]
        told = [(number, value) for number, value in values if value is not None]
        for number, value in told:
            limits = {name: value.get(name) for name in ("median", "low", "high")}
            yield {**about, "number": number.name, "unit": number.unit, **limits}
        if not told:
            yield {**dict.fromkeys(COLUMNS, ""), **about}
