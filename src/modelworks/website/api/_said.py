"""Our objects as the API tells of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from modelworks.inputs import Dataset
from modelworks.jobs import Job
from modelworks.runs import Comparison, Promotion, Row
from modelworks.website._house import Workspace
from modelworks.website.api import _models as models

# A program that looks on reads so many lines at a time.
MOST_LINES = 1000


def run_row(row: Row) -> models.RunRow:
    told = models.RunRow.model_validate(row)
    return told.model_copy(update={"state": row.promotion.state if row.promotion is not None else None})


def promotion(of: Promotion) -> models.Promotion:
    return models.Promotion(
        run=of.run.rpartition("-")[2], state=of.state, words=of.in_words(), missing=list(of.missing),
        signers=list(of.signers), approved=of.approved, superseded_by=of.superseded_by.rpartition("-")[2],
    )  # fmt: skip


def comparison(of: Comparison) -> models.Comparison:
    return models.Comparison(
        runs=[each.id for each in of.runs],
        differences=[models.Difference.model_validate(each) for each in of.differences],
        numbers=[models.Number.model_validate(each) for each in of.numbers],
        code=of.code,
        same_inputs=of.same_inputs,
    )


def dataset(of: Dataset) -> models.Dataset:
    names = ("name", "title", "publisher", "licence", "source", "retrieved", "meaning", "is_sensitive")
    return models.Dataset(columns=list(of.columns), **{name: getattr(of, name) for name in names})


def job(of: Job) -> models.Job:
    names = ("id", "title", "state", "attempt", "phase", "submitted", "started", "finished")
    result = of.outcome.get("result") or {}
    return models.Job(
        **{name: getattr(of, name) for name in names},
        by=of.order.by, labels=dict(of.order.labels), expected=of.order.task.get("expected"),
        run=result.get("run"), text=str(of.outcome.get("text") or ""),
    )  # fmt: skip


def log(workspace: Workspace, of: Job, after: int) -> models.Log:
    """Whole lines of all attempts, from the number `after` on."""
    # In the order of numbers: the tenth attempt comes after the ninth.
    attempts = sorted((workspace.jobs / of.id).glob("attempt-*/log.jsonl"), key=lambda file: _number(file.parent))
    whole = (line for file in attempts for line in _whole_lines(file))
    lines = list(islice(whole, after, after + MOST_LINES))
    told = [event for line in lines for event in _event(line)]
    return models.Log(lines=told, next=after + len(lines), over=of.is_over and len(lines) < MOST_LINES)


def _whole_lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        # Without its end a line is being written still.
        yield from (line for line in opened if line.endswith(b"\n"))


def _event(line: bytes) -> Iterator[dict[str, Any]]:
    """What a line says; one that a crash cut short, with what came after it, says nothing."""
    with contextlib.suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict):
            yield found


def _number(attempt: Path) -> int:
    number = attempt.name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
