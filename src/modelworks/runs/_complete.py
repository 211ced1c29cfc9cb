"""Whether a run holds everything that makes it readable and repeatable without us, or what of it is lacking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelworks.logs import read_events
from modelworks.runs._assembly import LOCK, LOG, PATCH, README
from modelworks.runs._run import CHECKSUMS, RECORD, Run, files_of

ALWAYS = (RECORD, CHECKSUMS, README, LOCK, LOG)
# What the record says of every run: what, where it came from, how long it took.
TOLD = ("key", "id", "published", "study", "stages", "fingerprints", "seconds", "finished", "provenance")
FROM = ("commit", "dirty", "person", "machine", "packages", "modelworks")
MACHINE = ("processor", "cores", "memory_gb", "system", "python")
# What each stage of ours leaves; a calibration has a seed, and draws.
LEFT = {
    "calibrate": ("calibrate/posterior.nc", "calibrate/calibration.json"),
    "diagnose": ("diagnose/diagnosis.json",),
    "project": ("project/quantities.json",),
    "report": ("report.html", "report.md"),
}


def lacks(run: Run) -> list[str]:
    """What a run of a study should hold and does not, each in a few words; empty where nothing is lacking."""
    return [*_files(run), *_record(run.record), *_pairs(run), *_log(run)]


def _files(run: Run) -> Iterator[str]:
    names = files_of(run.path)
    done = [str(stage.get("name")) for stage in run.record.get("stages") or ()]
    # A study of the team's own stages alone has a report too, and none of the rest.
    ours = done if run.record.get("model") else [name for name in done if name == "report"]
    for name in (*ALWAYS, *(each for stage in ours for each in LEFT.get(stage, ()))):
        if name not in names:
            yield name
    if not any(name.startswith("inputs/") for name in names):
        yield "inputs/: the files it was made from"
    if _provenance(run.record).get("patch") and PATCH not in names:
        yield PATCH


def _record(record: Mapping[str, Any]) -> Iterator[str]:
    known = _provenance(record)
    for where, names, said in (
        ("", TOLD, record),
        ("provenance.", FROM, known),
        ("provenance.machine.", MACHINE, known.get("machine") or {}),
    ):
        yield from (f"{RECORD}: {where}{name}" for name in names if name not in said)
    for stage in record.get("stages") or ():
        if "seconds" not in stage:
            yield f"{RECORD}: how long the stage {stage.get('name')} took"
    calibrated = "calibrate" in {stage.get("name") for stage in record.get("stages") or ()}
    if calibrated and record.get("model") and "seed" not in (record.get("calibration") or {}):
        yield f"{RECORD}: calibration.seed"


def _pairs(run: Run) -> Iterator[str]:
    """Each figure as it is drawn and as a picture, each table in both forms."""
    names = files_of(run.path)
    for name in sorted(names):
        if name.startswith("figures/") and name.endswith(".vl.json"):
            picture = name.removesuffix(".vl.json") + ".png"
            yield from (picture,) if picture not in names else ()
        if name.startswith("tables/") and name.endswith(".csv"):
            table = name.removesuffix(".csv") + ".parquet"
            yield from (table,) if table not in names else ()


def _log(run: Run) -> Iterator[str]:
    """The log says when each stage that was done for this run, or before it, began and ended."""
    path = run.file(LOG)
    told = set() if path is None else {event.get("stage") for event in read_events(path)}
    for stage in run.record.get("stages") or ():
        if stage.get("name") not in told:
            yield f"{LOG}: when the stage {stage.get('name')} was done"


def _provenance(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(record.get("provenance") or {})
