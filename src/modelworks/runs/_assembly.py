"""What lies in a run's folder, and how it comes there."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from modelworks.errors import fail
from modelworks.logs import read_events, stamp
from modelworks.runs._fingerprint import file_hash
from modelworks.runs._run import CHECKSUMS, RECORD, files_of

README, LOCK, LOG, PATCH = "README.txt", "environment.lock", "log.jsonl", "uncommitted.patch"


def assemble(
    folder: Path,
    key: str,
    now: datetime,
    *,
    stages: Mapping[str, Path],
    record: Mapping[str, Any],
    files: Mapping[str, Path],
    front: str,
) -> None:
    """Fill an attempt folder with everything a run holds; the checksums come last."""
    for stage, source in stages.items():
        for name in sorted(files_of(source) - {LOG}):
            _place(source / name, folder, name if stage == front else f"{stage}/{name}", link=True)
    for name, source in files.items():
        _place(source, folder, name, link=False)
    told = {"key": key, "id": key[-6:], "published": stamp(now), **_without_patch(record, folder)}
    events = _events(stages)
    events.append({"time": stamp(now), "event": "published", "key": key})
    _write(folder, LOG, "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events))
    _write(folder, LOCK, "".join(f"{name}=={version}\n" for name, version in installed().items()))
    _write(folder, RECORD, _json(told))
    _write(folder, README, readme(key, told, files_of(folder)))
    _write(folder, CHECKSUMS, _json({name: file_hash(folder / name) for name in sorted(files_of(folder))}))


def installed() -> dict[str, str]:
    """Every installed distribution with its version, by name."""
    # Read once each: the file of a distribution is parsed again whenever it is asked for.
    told = [each.metadata for each in metadata.distributions()]
    # A broken installation can leave a distribution without a name; it can not be asked for again, so it is left out.
    named = {each["Name"]: each["Version"] for each in told if each["Name"]}
    return dict(sorted(named.items(), key=lambda item: item[0].lower()))


def readme(key: str, record: Mapping[str, Any], names: Iterable[str]) -> str:
    """How to read the folder with nothing of ours installed."""
    what = record.get("title") or record.get("study") or key
    known = sorted({*names, README, CHECKSUMS})
    lines = [f"  {name:<{max(map(len, known))}}  {_meaning(name)}".rstrip() for name in known]
    return "\n".join(
        [
            f"Run {key}",
            str(what),
            "",
            "This folder is one recorded execution. Nothing in it changes after it was published.",
            "It can be read without the program that wrote it:",
            "",
            "  .html     any web browser, also without a network",
            "  .json     any text editor; .jsonl is one JSON object a line",
            "  .parquet  tables: pandas.read_parquet (Python), arrow::read_parquet (R), DuckDB",
            "  .nc       draws: xarray.open_dataset(file, group='posterior') or arviz.from_netcdf (Python),",
            "            ncdf4 (R); the groups are named as ArviZ names them",
            "  .csv      tables, comma separated, UTF-8",
            "  .png .svg pictures",
            "",
            f"{CHECKSUMS} holds the SHA-256 of every other file.",
            "",
            "Files",
            *lines,
            "",
        ]
    )


def _meaning(name: str) -> str:
    known = {
        RECORD: "what was done, from what, by whom, on which machine, how long it took, and the verdict",
        CHECKSUMS: "SHA-256 of every other file",
        LOCK: "every installed package with its version",
        LOG: "what happened and when",
        PATCH: "changes that were not committed when this was run: git apply",
        "report.html": "the report: open it in a browser",
        README: "this page",
    }
    return known.get(name, "what went in, as it was then" if name.startswith("inputs/") else "")


def _without_patch(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The record with a patch of uncommitted changes in a file of its own, where it can be applied."""
    known = dict(record.get("provenance") or {})
    patch = known.pop("patch", None)
    if patch:
        _write(folder, PATCH, patch)
        known["patch"] = PATCH
    return {**record, "provenance": known} if known else dict(record)


def _events(stages: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The events of all stages in the order of time."""
    found = [event for source in stages.values() if (source / LOG).is_file() for event in read_events(source / LOG)]
    return sorted(found, key=lambda event: str(event.get("time", "")))


def _place(source: Path, folder: Path, name: str, *, link: bool) -> None:
    """Put a file under a name inside the run, which must be free and inside it."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts:
        raise ValueError(f"{name} would lie outside the run")
    destination = folder / inside
    if destination.exists() or name in (RECORD, README, LOCK, LOG, CHECKSUMS, PATCH):
        fail("R105", f"two files of the run would both be `{name}`", hint="rename one of them", file=str(source))
    destination.parent.mkdir(parents=True, exist_ok=True)
    if not (link and _linked(source, destination)):
        shutil.copyfile(source, destination)


def _linked(source: Path, destination: Path) -> bool:
    try:
        os.link(source, destination)
    except OSError:
        # Another disk, or a file system without links: the caller copies.
        return False
    return True


def _json(value: Any) -> str:
    return json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; it has no word for a number that is not finite, which becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    # A numpy scalar knows its Python value; a date or a path is best as text.
    return _plain(value.item()) if hasattr(value, "item") else str(value)


def _write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8", newline="\n")
