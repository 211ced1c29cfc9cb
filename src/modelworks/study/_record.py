"""What is said of a run as a whole, and which files it was made from."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from modelworks.calibration import Posterior
from modelworks.study import stages
from modelworks.study._stale import plain
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.own_stages import _stage_record
from modelworks.study.own_stages._stage_study import Study
from modelworks.study.pages._in_brief import in_brief
from modelworks.study.projection import _quantities, _reliance

# What the copy of a study with something assumed otherwise says of itself.
RERUN = "rerun.json"


def record_of(
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
        "calibration": plain(asked.calibration),
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
        record |= {"in_brief": in_brief(study, finished)}
    return record


def rerun_record(study: Study) -> dict[str, Any]:
    """Of a copy of a study with something assumed otherwise: of which, and what."""
    said = study.inputs.folder / RERUN
    return {"rerun": json.loads(said.read_text(encoding="utf-8"))} if said.is_file() else {}


def _calibrated(study: BoundStudy, folder: Path) -> dict[str, Any]:
    """Where the draws of each calibrated parameter lie, in the parameter's unit."""
    posterior = Posterior.read_once(folder / "posterior.nc")
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
    found = {f"inputs/{name_inside(file.path, root)}": file.path for file in study.inputs.files}
    if isinstance(study, BoundStudy):
        paths = [study.file.path.parent / name for name in study.file.sources]
        found |= {f"inputs/{name_inside(path, root)}": path for path in paths}
    # Whoever makes the run from a copy of these files is to say of which study it is a variant, too.
    said = study.inputs.folder / RERUN
    return found | ({f"inputs/{name_inside(said, root)}": said} if said.is_file() else {})


def files_of(study: Study) -> tuple[Path, ...] | None:
    """Every file that the marks of a study's stages follow from; None where programs of its own may read others."""
    if not isinstance(study, BoundStudy) or study.inputs.study.stages:
        return None
    return tuple(input_files(study).values())


def name_inside(path: Path, root: Path) -> str:
    """The name of a file within a run's inputs."""
    resolved = path.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else resolved.name
