"""Which stages a result depends on, and when one is stale.

A stage's fingerprint is made of everything it depends on and nothing else: the parts of the study's
files it reads, the model's source, the data's bytes, the code of the rooms it uses, and the
fingerprints of the stages before it. Changing a title does not recalibrate; changing a prior does.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.errors import fail, near
from modelworks.inputs import StageEntry, StageInputs, StudyInputs
from modelworks.runs import fingerprint
from modelworks.study import stages
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._observations import Observations
from modelworks.study.own_stages import _stage_work
from modelworks.study.own_stages._stage_study import Study

if TYPE_CHECKING:
    import pandas as pd

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
# Of the study's own room, what numbers come from: a change of a page's wording must not calibrate anew.
NUMBERS = ("study/stages.py", "study/binding", "study/projection")
ROOMS: dict[str, tuple[str, ...]] = {
    stages.SIMULATE: ("model", "calibration", *NUMBERS, *MEASURES),
    # Chains end when their draws are enough, and importance weights are smoothed.
    stages.CALIBRATE: ("model", "calibration", *NUMBERS, "diagnostics/_mixing.py", "diagnostics/pareto.py", *MEASURES),
    stages.DIAGNOSE: ("diagnostics",),
    stages.PROJECT: ("model", *NUMBERS, "diagnostics/reliance.py", *MEASURES),
    stages.REPORT: ("model", "diagnostics", "plots", "report", *NUMBERS, "study/own_stages", "study/pages"),
}
# Packages whose other edition may give other numbers from the same seed.
PACKAGES = ("numpy", "llvmlite", "nutpie")


def before(study: Study) -> dict[str, tuple[str, ...]]:
    """Every stage of a study with those that it takes something from."""
    return stages_before(study.inputs)


def stages_before(inputs: StageInputs) -> dict[str, tuple[str, ...]]:
    """Every stage that these inputs ask for, with those that it takes something from; its model need not be there."""
    own = {name: entry.after for name, entry in inputs.study.stages.items()}
    line = BEFORE if isinstance(inputs, StudyInputs) else {stages.REPORT: ()}
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


def fingerprints(study: Study, origin: str | None = None) -> dict[str, str]:
    """The fingerprint of every stage for the study as it is now; with draws that are carried, of their origin too."""
    parts = _parts(study) if isinstance(study, BoundStudy) else {stages.REPORT: _report_part(study)}
    marks: dict[str, str] = {}
    known = before(study)
    for name in needed(study, stages.REPORT):
        entry = study.inputs.study.stages.get(name)
        if entry is None:
            code = [room_hash(room) for room in ROOMS[name]]
            earlier = [marks[each] for each in known[name]]
            if name == stages.CALIBRATE and origin is not None:
                earlier.append(origin)
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
    rooms = ("study/own_stages/_stage_outputs.py", *(("diagnostics",) if entry.output("posterior") else ()))
    return [room_hash(room) for room in rooms]


def _parts(study: BoundStudy) -> dict[str, Any]:
    """What each stage reads of the study, as plain values."""
    asked = study.inputs.study
    parameters = {
        name: {
            "value": entry.value,
            "prior": None if entry.prior is None else [entry.prior.family, plain(entry.prior.arguments)],
            "unit": entry.unit,
            "bounds": entry.bounds,
        }
        for name, entry in study.inputs.parameters.items()
    }
    world = {
        "model": dict(study.file.sources) or asked.model,  # the library's own files count as the model room's
        "data": {name: _table_hash(table) for name, table in study.data.items()},
        "parameters": plain(parameters),
        # Draws are taken one parameter after the other.
        "order": list(study.free),
        "time": plain(asked.time),
        "packages": [metadata.version(package) for package in PACKAGES],
    }
    targets = [_target_part(each) for each in study.observations]
    scenario_data = {
        dataset: _table_hash(study.inputs.catalogue[dataset].table())
        for scenario in asked.scenarios.values()
        for dataset in scenario.data.values()
    }
    # Which values are held out is said of each target; a day that moves none of them changes nothing.
    settings = plain(replace(asked.calibration, until=None))
    return {
        stages.SIMULATE: {**world, "targets": targets, "seed": asked.calibration.seed},
        stages.CALIBRATE: {**world, "targets": targets, "calibration": settings},
        DENSITIES: {**world, "targets": targets},
        stages.DIAGNOSE: {},
        stages.PROJECT: {
            "scenarios": plain(asked.scenarios),
            "projection": plain(asked.projection),
            # Their titles stand beside the numbers in the stage's own file.
            "quantities": {name: [plain(each), each.title] for name, each in asked.quantities.items()},
            "decisions": {
                name: [plain(each), each.title, [asked.scenarios[among].title for among in each.among]]
                for name, each in asked.decisions.items()
            },
            "hub": plain(asked.hub),
            "data": scenario_data,
            "time": plain(asked.time),
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
        "likelihood": [entry.likelihood.family, plain(entry.likelihood.arguments)],
        "arguments": {name: values.tolist() for name, values in observed.arguments.items()},
        "limited": observed.limited.tolist(),
        "multipliers": observed.multipliers,
        "weight": entry.weight,
    }


def _table_hash(table: pd.DataFrame) -> str:
    """A hash of a table as the model gets it: which columns are declared, and not the file's bytes alone."""
    kinds = [[str(name), str(kind)] for name, kind in table.dtypes.items()]
    return fingerprint(kinds, table.to_csv(index=False, na_rep="missing\0"))


def plain(value: Any) -> Any:
    """A value as JSON can hold it; where it stood in a file is left out, for moving a line changes nothing."""
    if hasattr(value, "__dataclass_fields__"):
        return {
            name: plain(getattr(value, name))
            for name in value.__dataclass_fields__
            if name not in ("file", "line", "place", "places", "history", "title", "meaning")
        }
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
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
