"""Our objects as the API tells of them."""

from __future__ import annotations

from itertools import islice

from modelworks.inputs import Dataset
from modelworks.jobs import Job
from modelworks.runs import Comparison, Promotion, Row
from modelworks.study import JobLog
from modelworks.website._house import Workspace
from modelworks.website._scenarios import Found
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


def scenario(of: Found) -> models.SavedScenario:
    names = ("id", "title", "study", "query", "person", "since")
    return models.SavedScenario(run=of.run_id, **{name: getattr(of, name) for name in names})


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


def log(workspace: Workspace, of: Job, after: str) -> models.Log:
    """What a job's attempts have written after a place."""
    found = list(islice(JobLog.of(workspace.repository, of.id).read(after), MOST_LINES))
    place = found[-1][0] if found else after
    return models.Log(lines=[dict(event) for _, event in found], next=place, over=of.is_over and not found)
