"""Which stages are stale, running them in order, and publishing what they wrote as one run.

A stage's fingerprint is made of everything it depends on and nothing else: the parts of the study's
files it reads, the model's source, the data's bytes, the code of the rooms it uses, and the
fingerprints of the stages before it. A finished stage is kept under its fingerprint; a stage whose
fingerprint is known is not run again. Changing a title does not recalibrate; changing a prior does.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.calibration import Posterior
from modelworks.errors import counted, fail, near
from modelworks.inputs import StageEntry
from modelworks.runs import Progress, Run, StageCache, fingerprint, provenance
from modelworks.study import _carried, _quantities, _reliance, _stage_record, _stage_work, stages
from modelworks.study._binding import BoundStudy
from modelworks.study._carried import Carried
from modelworks.study._observations import Observations
from modelworks.study._pinned import pinned_provenance
from modelworks.study._prior_predictive import letters_of
from modelworks.study._stage_study import NO_MODEL, Study, open_study
from modelworks.study._store import open_store
from modelworks.study._summaries import Table, table_of

if TYPE_CHECKING:
    import pandas as pd

# What the copy of a study with something assumed otherwise says of itself.
RERUN = "rerun.json"
# What a stage says of itself, beside what it made.
RECORD = "stage.json"

# The log densities of a study, which every calibration of it asks for; see `ledger_of`.
DENSITIES = "densities"

# What each stage's result depends on: the stages before it, the rooms whose code makes it, and the
# parts of the study it reads.
BEFORE: dict[str, tuple[str, ...]] = {
    stages.SIMULATE: (),
    stages.CALIBRATE: (),
    stages.DIAGNOSE: (stages.CALIBRATE,),
    stages.PROJECT: (stages.CALIBRATE,),
    stages.REPORT: (stages.SIMULATE, stages.CALIBRATE, stages.DIAGNOSE, stages.PROJECT),
}
# Run first though no number depends on it: who hears that the priors can not foresee the data need not calibrate.
AHEAD: dict[str, tuple[str, ...]] = {stages.CALIBRATE: (stages.SIMULATE,)}
# What turns units and dates of the files into the model's, outside any room.
MEASURES = ("units.py", "dates.py")
ROOMS: dict[str, tuple[str, ...]] = {
    stages.SIMULATE: ("model", "calibration", "study", *MEASURES),
    stages.CALIBRATE: ("model", "calibration", "study", *MEASURES),
    stages.DIAGNOSE: ("diagnostics",),
    stages.PROJECT: ("model", "study", "diagnostics/reliance.py", *MEASURES),
    stages.REPORT: (
        "model",
        "diagnostics",
        "plots",
        "report",
        "study",
        "study/_pages.py",
        "study/_page_rows.py",
        "study/_stage_sections.py",
        "study/_stage_pages.py",
    ),
}
# A wider study room would make every change of a page's wording recalibrate; these are its files
# that numbers depend on.
NUMBERS_OF_STUDY = (
    "stages.py",
    "_binding.py",
    "_observations.py",
    "_parameters.py",
    "_questions.py",
    "_scaled.py",
    "_model_file.py",
    "_team_files.py",
    "_projection.py",
    "_averted.py",
    "_carried.py",
    "_thresholds.py",
    "_quantities.py",
    "_reliance.py",
    "_scenario_runs.py",
    "_decisions.py",
    "_words.py",
    "_prior_predictive.py",
)
# Packages whose other edition may give other numbers from the same seed.
PACKAGES = ("numpy", "llvmlite", "nutpie")


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
    carried: Carried | None = None,
) -> Result:
    """Run every stale stage of a study up to one, and publish a run where there is anything new.

    `progress` hears how far it is, instead of the terminal; `name` is the moment and the id of the run, where these
    were chosen beforehand. With `carried`, the draws of another study take the place of a calibration.

    Raises
    ------
    ModelworksError
        With every mistake of the study's files; nothing is run then.
    """
    began = time.perf_counter()
    study = open_study(folder)
    check_until(study, until)
    root = study.inputs.repository.root
    # Who edits or commits while a calibration is under way changes the next run, and not the record of this one.
    with tempfile.TemporaryDirectory(prefix="modelworks-") as kept:
        known = provenance(root) | pinned_provenance(root)
        as_read = _AsRead(_copied(input_files(study), Path(kept)), known, name)
        return _run(study, until, progress or Progress(quiet=quiet), cores, as_read, began, carried)


@dataclass(frozen=True)
class _AsRead:
    """The files of a study and the commit they belong to, as they were when the study was read; its run's name."""

    files: Mapping[str, Path]
    provenance: Mapping[str, Any]
    name: tuple[datetime, str] | None = None


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
    carried: Carried | None,
) -> Result:
    """Every stage that is stale, and the run they make."""
    cache = StageCache(study.inputs.repository.kept / "stages")
    finished: dict[str, Path] = {}
    done: list[dict[str, Any]] = []
    marks = fingerprints(study, carried)
    for name in needed(study, until):
        started = time.perf_counter()
        found, damaged = _kept(cache, marks[name])
        reused = found is not None
        if found is None:
            with cache.attempt(name, marks[name]) as attempt:
                _done(name, study, attempt, finished, progress, cores, as_read, carried)
                seconds = time.perf_counter() - started
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


def _done(
    name: str,
    study: Study,
    folder: Path,
    finished: Mapping[str, Path],
    progress: Progress,
    cores: int | None,
    as_read: _AsRead,
    carried: Carried | None,
) -> None:
    """Do one stage, ours or the team's own, into a folder."""
    entry = study.inputs.study.stages.get(name)
    if entry is not None:
        root = study.inputs.repository.root
        copies = {
            path: as_read.files[f"inputs/{_inside(path, root)}"] for path in study.inputs.stage_files[name].values()
        }
        _stage_work.run_stage(entry, _stage_work.StageWork(study.inputs, copies, folder, dict(finished), progress))
    elif isinstance(study, BoundStudy):
        work = stages.Work(study, folder, dict(finished), progress, cores, as_read.provenance, ledger_of(study))
        if name == stages.CALIBRATE and carried is not None:
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


def before(study: Study) -> dict[str, tuple[str, ...]]:
    """Every stage of a study with those that it takes something from."""
    own = {name: entry.after for name, entry in study.inputs.study.stages.items()}
    line = BEFORE if isinstance(study, BoundStudy) else {stages.REPORT: ()}
    return {**line, **own, stages.REPORT: (*line[stages.REPORT], *own)}


def needed(study: Study, until: str) -> list[str]:
    """The stages up to one, each after those it needs."""
    wanted: list[str] = []
    known = before(study)

    def visit(name: str) -> None:
        for each in (*AHEAD.get(name, ()), *known[name]):
            visit(each)
        if name not in wanted:
            wanted.append(name)

    visit(until)
    return wanted


def check_until(study: Study, until: str) -> None:
    """The study has such a stage, and every stage that its own take something from; Y608 otherwise."""
    known = before(study)
    if until not in known:
        fail("Y608", f"the study `{study.name}` has no stage `{until}`", hint=near(until, known))
    for entry in study.inputs.study.stages.values():
        for stage in entry.after:
            if stage not in known:
                message = (
                    f"the stage `{entry.name}` takes something from `{stage}`, but the study has no model to {stage}"
                )
                file, line = entry.place("results")
                fail("Y608", message, hint=near(stage, study.inputs.study.stages), file=file, line=line)


def fingerprints(study: Study, carried: Carried | None = None) -> dict[str, str]:
    """The fingerprint of every stage for the study as it is now; with draws that are carried, of their origin too."""
    parts = _parts(study) if isinstance(study, BoundStudy) else {stages.REPORT: _report_part(study)}
    marks: dict[str, str] = {}
    known = before(study)
    for name in needed(study, stages.REPORT):
        entry = study.inputs.study.stages.get(name)
        if entry is None:
            code = [room_hash(room) for room in ROOMS[name]]
            earlier = [marks[each] for each in known[name]]
            if name == stages.CALIBRATE and carried is not None:
                earlier.append(carried.origin)
            marks[name] = fingerprint(name, parts[name], code, earlier)
        else:
            marks[name] = fingerprint("stage", _stage_work.parts_of(entry, study.inputs, marks), _code_of(entry))
    return marks


def ledger_of(study: BoundStudy) -> Path:
    """Where the densities worked out while calibrating are kept: with all they depend on, which is no setting.

    So a calibration that was killed, or that is asked for more draws, goes on from there.
    """
    code = [room_hash(room) for room in ROOMS[stages.CALIBRATE]]
    mark = fingerprint("densities", _parts(study)[DENSITIES], code)
    return study.inputs.repository.kept / "densities" / f"{mark}.ledger"


def _code_of(entry: StageEntry) -> list[str]:
    """Our code that makes something of what a stage of the team's own wrote."""
    rooms = ("study/_stage_outputs.py", *(("diagnostics",) if entry.output("posterior") else ()))
    return [room_hash(room) for room in rooms]


def _parts(study: BoundStudy) -> dict[str, Any]:
    """What each stage reads of the study, as plain values."""
    asked = study.inputs.study
    parameters = {
        name: {
            "value": entry.value,
            "prior": None if entry.prior is None else [entry.prior.family, _plain(entry.prior.arguments)],
            "unit": entry.unit,
            "bounds": entry.bounds,
        }
        for name, entry in study.inputs.parameters.items()
    }
    world = {
        "model": dict(study.file.sources) or asked.model,  # the library's own files count as the model room's
        "data": {name: _table_hash(table) for name, table in study.data.items()},
        "parameters": _plain(parameters),
        # Draws are taken one parameter after the other.
        "order": list(study.free),
        "time": _plain(asked.time),
        "packages": [metadata.version(package) for package in PACKAGES],
    }
    targets = [_target_part(each) for each in study.observations]
    scenario_data = {
        dataset: _table_hash(study.inputs.catalogue[dataset].table())
        for scenario in asked.scenarios.values()
        for dataset in scenario.data.values()
    }
    # Which values are held out is said of each target; a day that moves none of them changes nothing.
    settings = _plain(replace(asked.calibration, until=None))
    return {
        stages.SIMULATE: {**world, "targets": targets, "seed": asked.calibration.seed},
        stages.CALIBRATE: {**world, "targets": targets, "calibration": settings},
        DENSITIES: {**world, "targets": targets},
        stages.DIAGNOSE: {},
        stages.PROJECT: {
            "scenarios": _plain(asked.scenarios),
            "projection": _plain(asked.projection),
            # Their titles stand beside the numbers in the stage's own file.
            "quantities": {name: [_plain(each), each.title] for name, each in asked.quantities.items()},
            "decisions": {name: [_plain(each), each.title] for name, each in asked.decisions.items()},
            "data": scenario_data,
            "time": _plain(asked.time),
        },
        stages.REPORT: _report_part(study),
    }


def _report_part(study: Study) -> dict[str, Any]:
    return {"files": {f.name: f.sha256 for f in study.inputs.files}, "study": study.name}


def _target_part(observed: Observations) -> dict[str, Any]:
    """All of a target that a calibration depends on."""
    entry = observed.entry
    return {
        "name": entry.name,
        "outputs": list(observed.columns),
        "values": observed.values.tolist(),
        "starts": observed.starts.tolist(),
        "ends": observed.ends.tolist(),
        "included": observed.included.tolist(),
        "factor": observed.factor,
        "likelihood": [entry.likelihood.family, _plain(entry.likelihood.arguments)],
        "arguments": {name: values.tolist() for name, values in observed.arguments.items()},
        "limited": observed.limited.tolist(),
        "multipliers": observed.multipliers,
        "weight": entry.weight,
    }


def _table_hash(table: pd.DataFrame) -> str:
    """A hash of a table as the model gets it: which columns are declared, and not the file's bytes alone."""
    kinds = [[str(name), str(kind)] for name, kind in table.dtypes.items()]
    return fingerprint(kinds, table.to_csv(index=False, na_rep="missing\0"))


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; where it stood in a file is left out, for moving a line changes nothing."""
    if hasattr(value, "__dataclass_fields__"):
        return {
            name: _plain(getattr(value, name))
            for name in value.__dataclass_fields__
            if name not in ("file", "line", "place", "places", "history", "title", "meaning")
        }
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


@functools.cache
def room_hash(room: str) -> str:
    """A hash of the source of a room, or of one file, so that results made by other code are stale."""
    total = hashlib.sha256()
    alone = resources.files("modelworks").joinpath(room)
    if alone.is_file():
        return hashlib.sha256(alone.read_bytes()).hexdigest()
    for path in sorted(_sources(alone), key=lambda p: p[0]):
        if room == "study" and path[0] not in NUMBERS_OF_STUDY:
            continue
        total.update(path[0].encode() + b"\0" + path[1] + b"\0")
    return total.hexdigest()


def _sources(folder: Any, prefix: str = "") -> list[tuple[str, bytes]]:
    found = []
    for each in folder.iterdir():
        if each.is_dir() and each.name != "__pycache__":
            found.extend(_sources(each, f"{prefix}{each.name}/"))
        elif each.name.endswith((".py", ".j2", ".css", ".html", ".js")):
            found.append((prefix + each.name, each.read_bytes()))
    return found


def _published(
    study: Study, until: str, finished: dict[str, Path], done: list[dict[str, Any]], as_read: _AsRead, began: float
) -> Result:
    """Publish a run of these stages, unless there is one that holds them already, and perhaps later ones too."""
    store = open_store(study.inputs.repository)
    store.deliver()
    record = _record(study, until, finished, done, began) | {"provenance": dict(as_read.provenance)}
    marks = {each["name"]: each["fingerprint"] for each in done}
    alike = (
        run for run in store.runs(study.name) if marks.items() <= dict(run.record.get("fingerprints") or {}).items()
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


def _record(
    study: Study, until: str, finished: Mapping[str, Path], done: list[dict[str, Any]], began: float
) -> dict[str, Any]:
    """What is said of a run as a whole."""
    asked = study.inputs.study
    record: dict[str, Any] = {
        "study": study.name,
        **rerun_record(study),
        "title": asked.title,
        "question": asked.question,
        "model": study.model.name if isinstance(study, BoundStudy) else None,
        "region": asked.region,
        "until": until,
        "stages": done,
        "fingerprints": {each["name"]: each["fingerprint"] for each in done},
        "seconds": round(time.perf_counter() - began, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": {name: study.inputs.catalogue[name].sha256 for name in study.inputs.of_stages},
    }
    if isinstance(study, BoundStudy):
        record |= _modelled(study, finished, record["data"])
    return _stage_record.told(record, study.inputs, finished)


def _modelled(study: BoundStudy, finished: Mapping[str, Path], data: Mapping[str, str]) -> dict[str, Any]:
    """What is said of a run of a model."""
    asked = study.inputs.study
    record: dict[str, Any] = {
        "calibration": _plain(asked.calibration),
        "parameters": {name: {"value": study.fixed[name], "unit": _unit(study, name)} for name in study.fixed},
        "data": {**data, **{name: study.inputs.catalogue[d].sha256 for name, d in asked.data.items()}},
    }
    if stages.CALIBRATE in finished:
        record["parameters"] |= _calibrated(study, finished[stages.CALIBRATE])
    if stages.DIAGNOSE in finished:
        diagnosis = json.loads((finished[stages.DIAGNOSE] / "diagnosis.json").read_text(encoding="utf-8"))
        if stages.PROJECT in finished:
            diagnosis = _reliance.told(diagnosis, finished[stages.PROJECT])
        record |= {"verdict": diagnosis["verdict"], "sentences": diagnosis["sentences"]}
        # What is said of one target is in the tables; these are of the calibration as a whole.
        record["measures"] = {each["name"]: each["value"] for each in diagnosis["checks"] if not each["about"]}
    if stages.PROJECT in finished:
        quantities = json.loads((finished[stages.PROJECT] / "quantities.json").read_text(encoding="utf-8"))
        record |= {"quantities": quantities, "answer": _quantities.answer(asked.answer, quantities)}
    return record


def rerun_record(study: Study) -> dict[str, Any]:
    """Of a copy of a study with something assumed otherwise: of which, and what."""
    said = study.inputs.folder / RERUN
    return {"rerun": json.loads(said.read_text(encoding="utf-8"))} if said.is_file() else {}


def _calibrated(study: BoundStudy, folder: Path) -> dict[str, Any]:
    """Where the draws of each calibrated parameter lie, in the parameter's unit."""
    posterior = Posterior.read(folder / "posterior.nc")
    return {
        name: {"median": float(median), "low": float(low), "high": float(high), "unit": _unit(study, name)}
        for name in study.free
        for low, median, high in [np.quantile(np.asarray(posterior.draws(name)), [0.025, 0.5, 0.975])]
    }


def _unit(study: BoundStudy, name: str) -> str:
    return study.entry(name).unit


def input_files(study: Study) -> dict[str, Path]:
    """Every file the study was made from, by the name it has inside the run."""
    root = study.inputs.repository.root
    found = {f"inputs/{_inside(file.path, root)}": file.path for file in study.inputs.files}
    if isinstance(study, BoundStudy):
        paths = [study.file.path.parent / name for name in study.file.sources]
        found |= {f"inputs/{_inside(path, root)}": path for path in paths}
    return found


def _inside(path: Path, root: Path) -> str:
    resolved = path.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else resolved.name
