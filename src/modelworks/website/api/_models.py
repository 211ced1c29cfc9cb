"""What the API takes and gives. In version 1 a field may be added; none is renamed, or comes to mean another thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# With a bound it is looked at whether it is text at all, and not half of a character of UTF-16.
Word = Annotated[str, Field(max_length=1000)]
State = Literal["waiting", "running", "done", "failed", "cancelled"]


class Told(BaseModel):
    """What is read from objects of ours."""

    model_config = ConfigDict(from_attributes=True)


class Mistake(Told):
    """One mistake, told to the person who can mend it; `modelworks explain CODE` says more."""

    code: str = Field(examples=["W104"])
    message: str
    hint: str = ""
    file: str | None = None
    line: int | None = None


class Mistakes(BaseModel):
    """Why a request came to nothing: every mistake of it."""

    verdict: Literal["stop"] = "stop"
    mistakes: list[Mistake]


class Workspace(BaseModel):
    """A repository of a team, and what may be done there with this token."""

    name: str
    title: str
    role: Literal["viewer", "modeller", "reviewer", "admin"]


class Promotion(BaseModel):
    """A run that was put forward, and what became of it."""

    run: str = Field(description="id of the run")
    state: str = Field(description="open, approved, superseded, withdrawn or changed")
    words: str = Field(description="the same in a sentence")
    missing: list[str] = Field(description="roles whose signature is missing")
    signers: list[str]
    approved: str = Field(description="when the last signature came, UTC; empty before")
    superseded_by: str = Field(description="id of the run that was approved later; empty where there is none")


class RunRow(Told):
    """A run as a list shows it."""

    id: str
    key: str
    study: str
    model: str
    region: str
    verdict: str | None = Field(description="fine, look or stop; null where the draws were not judged")
    title: str | None
    answer: str | None = Field(description="the answer in one sentence, with its interval")
    finished: str | None
    seconds: float | None
    until: str | None = Field(description="the last stage that was done")
    person: str | None
    commit: str
    dirty: bool
    pinned: bool
    tags: list[str]
    state: str | None = Field(None, description="where its promotion stands; null where it was never put forward")


class RunPage(BaseModel):
    """Runs, the latest first."""

    runs: list[RunRow]
    total: int = Field(description="how many there are on all pages together")
    next: str | None = Field(description="give it as `after` for the next page; null on the last")
    damaged: list[Mistake] = Field(description="a letter for each run that can not be read")


class Run(BaseModel):
    """A run with all that its record says."""

    id: str
    key: str
    record: dict[str, Any] = Field(description="run.json of the run's folder")
    files: list[str] = Field(description="names of the files in its folder")
    promotion: Promotion | None


class Study(BaseModel):
    """A study of the repository, as its files are now."""

    name: str
    title: str
    question: str
    mistakes: list[Mistake] = Field(description="what is wrong with its files")
    latest: RunRow | None = Field(description="its latest run with a verdict")
    stale: list[str] = Field(description="what has changed since that run, in words")


class Difference(Told):
    """One thing that is not the same in all runs; null where a run does not have it."""

    kind: str
    name: str
    values: list[str | None]


class Number(Told):
    """A named number in each run: `median`, `low`, `high`, `text` and `unit`; null where a run does not have it."""

    group: str = Field(description="quantities or parameters")
    name: str
    title: str
    unit: str = Field(description="empty where the runs have it in several")
    values: list[Mapping[str, Any] | None]
    moved: bool


class Comparison(BaseModel):
    """Runs side by side, in the order they were asked for."""

    runs: list[str]
    differences: list[Difference]
    numbers: list[Number]
    code: str = Field(description="how text files differ between the first run and the last, as diff -u writes it")
    same_inputs: bool


class SavedScenario(Told):
    """What somebody found by exploring a run, and gave a name."""

    id: str
    title: str
    run: str = Field(description="id of the run")
    study: str
    query: str = Field(description="where its controls stand, as the address of the run's page of exploring says it")
    person: str
    since: str = Field(description="when it was saved, UTC")


class Dataset(Told):
    """An entry of the catalogue."""

    name: str
    title: str
    publisher: str
    licence: str
    source: str
    retrieved: str
    meaning: str
    is_sensitive: bool
    columns: list[str]


class JobOrder(BaseModel):
    """A study to be run as it is now, with some things assumed otherwise."""

    model_config = ConfigDict(extra="forbid")

    study: str = Field(min_length=1, max_length=200, examples=["first-study"])
    until: str = Field("report", max_length=200, description="the last stage to be done")
    changes: list[Word] = Field([], max_length=100, description="as `modelworks rerun` takes them")
    scenarios: list[Word] = Field([], max_length=100, description="those that are run, beside the baseline; else all")
    executor: str = Field("process", max_length=200)
    priority: int = Field(0, ge=-1000, le=1000)


class Job(BaseModel):
    """A job as the queue knows it now."""

    id: str
    title: str
    state: State
    attempt: int
    phase: str
    by: str
    submitted: str
    started: str
    finished: str
    labels: dict[str, str]
    expected: dict[str, Any] | None = Field(description="seconds and GB that it was thought to take")
    run: str | None = Field(description="id of the run that came of it")
    text: str = Field(description="why it failed or was cancelled")


class Event(Told):
    """Something that happened to a job; `time` is UTC."""

    time: str
    what: str
    text: str


class Log(BaseModel):
    """What a job's attempts have written so far: objects with `time`, `event`, and more that depends on the event."""

    lines: list[dict[str, Any]]
    next: str = Field(description="give it as `after` for what comes after these lines")
    over: bool = Field(description="whether nothing more will come")


class Proposal(BaseModel):
    """A run to be put forward."""

    model_config = ConfigDict(extra="forbid")

    run: str = Field(min_length=1, max_length=200, description="its id")
    comment: str = Field("", max_length=4000)


class Signature(BaseModel):
    """A signature."""

    model_config = ConfigDict(extra="forbid")

    role: str = Field("", max_length=200, description="left out: the role that is missing and that the signer has")
    seal: str | None = Field(None, max_length=200, description="SHA-256 of the checksums.json that the signer saw")
    comment: str = Field("", max_length=4000)


class Withdrawal(BaseModel):
    """Why a run is no longer stood behind."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(max_length=4000)
