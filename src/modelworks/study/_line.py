"""Running the stages that are stale in order, and publishing what they wrote as one run.

A finished stage is kept under its fingerprint (`_stale.py`); a stage whose fingerprint is known is not run again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.errors import counted
from modelworks.logs import Log, utc_now
from modelworks.runs import LOG, Progress, Run, StageCache, fingerprint, provenance
from modelworks.study import stages
from modelworks.study._record import input_files, name_inside, record_of
from modelworks.study._stale import check_until, fingerprints, ledger_of, needed
from modelworks.study._store import open_store
from modelworks.study._summaries import Table, table_of
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.jobs._elsewhere import Machines, machines_of
from modelworks.study.jobs._pinned import pinned_provenance
from modelworks.study.own_stages import _stage_work
from modelworks.study.own_stages._stage_study import NO_MODEL, Study, open_study
from modelworks.study.projection import _carried
from modelworks.study.projection._carried import Beginning, Carried
from modelworks.study.projection._prior_predictive import letters_of

if TYPE_CHECKING:
    pass

# What a stage says of itself, beside what it made.
RECORD = "stage.json"


@dataclass
class Result:
    """What a command has to say at its end."""

    study: str
    until: str
    run: Run | None
    published: bool
    stages: list[dict[str, Any]] = field(default_factory=list)
    verdict: str | None = None
    sentences: list[str] = field(default_factory=list)
    answer: str | None = None
    seconds: float = 0.0
    table: Table | None = None
    unread: int = 0
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def line(self) -> str:
        """`calibrate: 12.1 s · run 7f3a21 · 2 stages unchanged`."""
        fresh = [s for s in self.stages if not s["reused"]]
        parts = [", ".join(f"{s['name']} {s['seconds']:.1f} s" for s in fresh) or self._without_work()]
        if self.run is not None:
            parts.append(f"run {self.run.id}")
        if len(fresh) < len(self.stages) and fresh:
            unchanged = [s["name"] for s in self.stages if s["reused"]]
            parts.append(f"unchanged: {', '.join(unchanged)}")
        damaged = [s["name"] for s in self.stages if s.get("damaged")]
        if damaged:
            parts.append(f"made again, for what was kept of it was damaged: {', '.join(damaged)}")
        if self.unread:
            parts.append(f"{counted(self.unread, 'run')} of this study can not be read: modelworks list")
        return " · ".join(parts)

    def _without_work(self) -> str:
        if not self.published:
            return "nothing to do: no input has changed"
        return "put together anew from stages that were finished before"

    @property
    def next(self) -> str:
        following = {
            stages.SIMULATE: f"modelworks calibrate {self.study}",
            stages.CALIBRATE: f"modelworks diagnose {self.study}",
            stages.DIAGNOSE: f"modelworks project {self.study}",
            stages.PROJECT: f"modelworks report {self.study}",
        }
        if self.until in following:
            return following[self.until]
        if self.until != stages.REPORT:
            return f"modelworks run {self.study}"
        return f"open {self.run.path / 'report.html'}" if self.run is not None else "modelworks list"

    def as_dict(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "run": None if self.run is None else self.run.id,
            "path": None if self.run is None else str(self.run.path),
            "published": self.published,
            "verdict": self.verdict,
            "sentences": self.sentences,
            "answer": self.answer,
            "warnings": self.warnings,
            "seconds": round(self.seconds, 3),
            "stages": self.stages,
            "table": None
            if self.table is None
            else [dict(zip(self.table[0], row, strict=True)) for row in self.table[1]],
            "next": self.next,
        }


def run_study(
    folder: Path,
    *,
    until: str = stages.REPORT,
    cores: int | None = None,
    quiet: bool = False,
    progress: Progress | None = None,
    name: tuple[datetime, str] | None = None,
    carried: Carried | Beginning | None = None,
    retried: int = 0,
    maker: Mapping[str, str] | None = None,
) -> Result:
    """Run every stale stage of a study up to one, and publish a run where there is anything new.

    `progress` hears how far it is, instead of the terminal; `name` is the moment and the id of the run, where these
    were chosen beforehand. With `carried`, the draws of another study take the place of a calibration, or it begins
    among them. `retried` is how often somebody let the run begin anew: each time it has its time limit for itself.
    `maker` is who asked for the run where that is not the person git knows here: their `person`, and the `login`.

    Raises
    ------
    ModelworksError
        With every mistake of the study's files; nothing is run then.
    """
    began = time.perf_counter()
    return run_opened(
        open_study(folder), until, cores, progress or Progress(quiet=quiet), began, name, carried, retried, maker
    )


def run_opened(
    study: Study,
    until: str,
    cores: int | None,
    progress: Progress,
    began: float,
    name: tuple[datetime, str] | None = None,
    carried: Carried | Beginning | None = None,
    retried: int = 0,
    maker: Mapping[str, str] | None = None,
) -> Result:
    """`run_study` of a study whose files were read already; `began` is when, on the clock of `time.perf_counter`."""
    check_until(study, until)
    root = study.inputs.repository.root
    # Who edits or commits while a calibration is under way changes the next run, and not the record of this one.
    with tempfile.TemporaryDirectory(prefix="modelworks-") as kept:
        known = provenance(root) | pinned_provenance(root) | dict(maker or {})
        as_read = _AsRead(_copied(input_files(study), Path(kept)), known, name, retried)
        return _run(study, until, progress, cores, as_read, began, carried)


@dataclass(frozen=True)
class _AsRead:
    """The files of a study and the commit they belong to, as they were when the study was read.

    And its run's name, and how often somebody let it begin anew.
    """

    files: Mapping[str, Path]
    provenance: Mapping[str, Any]
    name: tuple[datetime, str] | None = None
    retried: int = 0


def _copied(files: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    copies = {name: folder / str(number) for number, name in enumerate(files)}
    for name, path in files.items():
        shutil.copyfile(path, copies[name])
    return copies


def _run(
    study: Study,
    until: str,
    progress: Progress,
    cores: int | None,
    as_read: _AsRead,
    began: float,
    carried: Carried | Beginning | None,
) -> Result:
    """Every stage that is stale, and the run they make."""
    cache = StageCache(study.inputs.repository.kept / "stages")
    finished: dict[str, Path] = {}
    done: list[dict[str, Any]] = []
    marks = fingerprints(study, None if carried is None else carried.origin)
    elsewhere = _elsewhere(study, until, cache, marks)
    names = needed(study, until)
    for name in names:
        started = time.perf_counter()
        found, damaged = _kept(cache, marks[name])
        reused = found is not None
        progress.stage(name, names, kept=reused)
        if found is None:
            with cache.attempt(name, marks[name]) as attempt:
                begun = utc_now()
                _done(name, study, attempt, finished, progress, cores, as_read, carried, elsewhere)
                seconds = time.perf_counter() - started
                _log(attempt, name, begun, seconds)
                told = {"name": name, "fingerprint": marks[name], "seconds": round(seconds, 3)}
                written = json.dumps({**told, "files": _hashes(attempt)}, indent=2, ensure_ascii=False, sort_keys=True)
                (attempt / RECORD).write_text(written + "\n", encoding="utf-8")
            found = cache.get(marks[name])
            if found is None:
                raise RuntimeError(f"the stage {name} was finished but is not in {cache.root}")
        finished[name] = found
        if name == stages.SIMULATE:
            for letter in letters_of(found):
                progress.say(str(letter))
        seconds = time.perf_counter() - started
        done.append({"name": name, "fingerprint": marks[name], "seconds": round(seconds, 3), "reused": reused})
        if damaged:
            done[-1]["damaged"] = True
    return _published(study, until, finished, done, as_read, began)


def _elsewhere(study: Study, until: str, cache: StageCache, marks: Mapping[str, str]) -> Machines | None:
    """The machines that projections are handed to, and the study for them as it is now; None where none are wanted."""
    if stages.PROJECT not in needed(study, until) or cache.get(marks[stages.PROJECT]) is not None:
        return None
    return machines_of(study, input_files(study))


def _log(folder: Path, stage: str, begun: datetime, seconds: float) -> None:
    """Say when a stage was done, in the log that becomes a part of every run that has it."""
    Log(folder / LOG, clock=lambda: begun).event("stage begun", stage=stage)
    Log(folder / LOG).event("stage ended", stage=stage, seconds=round(seconds, 3))


def _done(
    name: str,
    study: Study,
    folder: Path,
    finished: Mapping[str, Path],
    progress: Progress,
    cores: int | None,
    as_read: _AsRead,
    carried: Carried | Beginning | None,
    elsewhere: Machines | None,
) -> None:
    """Do one stage, ours or the team's own, into a folder."""
    entry = study.inputs.study.stages.get(name)
    if entry is not None:
        root = study.inputs.repository.root
        copies = {
            path: as_read.files[f"inputs/{name_inside(path, root)}"] for path in study.inputs.stage_files[name].values()
        }
        _stage_work.run_stage(entry, _stage_work.StageWork(study.inputs, copies, folder, dict(finished), progress))
    elif isinstance(study, BoundStudy):
        run = None if as_read.name is None else as_read.name[1]
        # By this name the time of a calibration is counted: who lets it begin anew gives it as long again.
        if run is not None and as_read.retried:
            run = f"{run}, retried {as_read.retried}"
        known = carried.known if isinstance(carried, Beginning) else None
        work = stages.Work(
            study, folder, dict(finished), progress, cores, as_read.provenance, ledger_of(study), run, known, elsewhere
        )
        if name == stages.CALIBRATE and isinstance(carried, Carried):
            _carried.write(work, carried)
        else:
            stages.STAGES[name](work)
    else:
        stages.report_without_model(study, folder, finished, as_read.provenance)


def _kept(cache: StageCache, mark: str) -> tuple[Path | None, bool]:
    """The finished stage as it was written, if it is there; and whether one was there that is damaged.

    A damaged one is removed, to be made again.
    """
    found = cache.get(mark)
    if found is None:
        return None, False
    try:
        said = json.loads((found / RECORD).read_text(encoding="utf-8"))["files"]
        whole = said == _hashes(found)
    except (OSError, ValueError, KeyError, TypeError):
        # A record that can not be read is damage too.
        whole = False
    if not whole:
        shutil.rmtree(found)
    return (found, False) if whole else (None, True)


def _hashes(folder: Path) -> dict[str, str]:
    """A fingerprint of every file of a stage but its record, by name."""
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {name: fingerprint(each) for each in files if (name := each.relative_to(folder).as_posix()) != RECORD}


def _published(
    study: Study, until: str, finished: dict[str, Path], done: list[dict[str, Any]], as_read: _AsRead, began: float
) -> Result:
    """Publish a run of these stages, unless there is one that holds them already, and perhaps later ones too."""
    store = open_store(study.inputs.repository)
    store.deliver()
    record = record_of(study, until, finished, done, began) | {"provenance": dict(as_read.provenance)}
    marks = {each["name"]: each["fingerprint"] for each in done}
    alike = (
        run
        for run in store.runs(study.name)
        if marks.items() <= dict(run.record.get("fingerprints") or {}).items()
        # What was made before its files were committed is published once more when they are: only that can be approved.
        and (committed(run.record.get("provenance") or {}) or not committed(as_read.provenance))
    )
    # A run that was damaged since is not what we hand out; a new one is.
    same = next((run for run in alike if not run.verify()), None)
    warnings = letters_of(finished[stages.SIMULATE]) if stages.SIMULATE in finished else ()
    result = Result(
        study.name,
        until,
        same,
        False,
        done,
        record.get("verdict"),
        record.get("sentences", []),
        record.get("answer"),
        time.perf_counter() - began,
        table_of(study, until, finished),
        len(store.damaged(study.name)),
        [letter.as_dict() for letter in warnings],
    )
    if same is None:
        region = study.inputs.study.region or "everywhere"
        model = study.model.name if isinstance(study, BoundStudy) else NO_MODEL
        result.run = store.publish(
            (study.name, model, region), stages=finished, record=record, files=as_read.files, name=as_read.name
        )
        result.published = True
    return result


def committed(known: Mapping[str, Any]) -> bool:
    """Whether a commit holds all that a run was made of."""
    return bool(known.get("commit")) and not known.get("dirty")
