"""A study as it is now, kept for a job: its files, and the code and packages of ours that will carry it out.

What is edited, committed or installed while the job waits or runs is not seen by it. The same files make the same
copy, and each file's bytes are there once. A repository without git can be pinned too, and so can what git ignores.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelworks.inputs.repository import PIN, SETTINGS
from modelworks.processes import alone
from modelworks.runs import (
    StageCache,
    fingerprint,
    installed,
    make_environment,
    package_folder,
    provenance,
    source_hash,
)
from modelworks.study.own_stages._stage_study import Study

# What is of the moment at which a job was asked for; the rest of a run's provenance is of where it was carried out.
OF_THE_ASKER = ("commit", "branch", "dirty", "patch", "not_in_patch", "person", "modelworks")


@dataclass(frozen=True, slots=True)
class Pinned:
    """A study's folder in its copy of the repository, the folder with our code for it, and a mark of its packages."""

    study: Path
    code: Path
    packages: str


def pin(study: Study, files: Mapping[str, Path]) -> Pinned:
    """Keep a study as it is; `files` are those it was made from, by their names in a run."""
    repository = study.inputs.repository
    wanted = {path.resolve() for path in files.values()} | {repository.root / SETTINGS}
    # The files of a commit are pinned as those of the repository, and say themselves where they are from.
    known = pinned_provenance(repository.root) or provenance(repository.root)
    about = {"of": str(repository.kept.parent), "provenance": {name: known[name] for name in OF_THE_ASKER}}
    marks = {path.relative_to(repository.root).as_posix(): fingerprint(path) for path in wanted}
    kept = StageCache(repository.kept / "pins")
    mark = fingerprint("pin", marks, about)
    if kept.get(mark) is None:
        with kept.attempt("pin", mark) as folder:
            for name in marks:
                _copy(repository.root / name, folder / name)
            _link_what_stays(study, folder)
            (folder / PIN).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    copy = kept.get(mark)
    if copy is None:
        raise RuntimeError(f"{mark} was kept but is not in {kept.root}")
    # Old copies that no job needs are cleaned away, and this one is needed soon.
    os.utime(copy)
    return Pinned(
        copy / study.inputs.folder.relative_to(repository.root), _code(repository.kept), _packages(repository.kept)
    )


def pinned_provenance(root: Path) -> dict[str, Any]:
    """What a copy of a repository says of where it comes from; nothing for a repository that is no copy."""
    said = root / PIN
    return dict(json.loads(said.read_text(encoding="utf-8"))["provenance"]) if said.is_file() else {}


def environment_of(kept: Path, mark: str) -> Path | None:
    """The Python of an environment with the packages that were pinned; None where this process has them, or none were.

    It is made on the first call.

    Raises
    ------
    ModelworksError
        R160 where it can not be made.
    """
    if not mark or fingerprint(installed()) == mark:
        return None
    folder = kept / "environments" / mark[:16]
    with alone(folder.with_suffix(".lock")):
        python = folder / "bin" / "python"
        # Its scripts name their own place, so that it can not be made elsewhere and moved; it counts once it is whole.
        if not (folder / "whole").exists():
            python = make_environment(folder, _lock_of(kept, mark), package_folder(), sys.executable)
            (folder / "whole").touch()
    return python


def _code(kept: Path) -> Path:
    """A folder with a copy of our package as it is, to be put in front of all others."""
    copies, package = StageCache(kept / "code"), package_folder()
    mark = source_hash(package)
    if copies.get(mark) is None:
        with copies.attempt("code", mark) as folder:
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    copy = copies.get(mark)
    if copy is None:
        raise RuntimeError(f"{mark} was kept but is not in {copies.root}")
    os.utime(copy)
    return copy


def _packages(kept: Path) -> str:
    """A mark of the packages that are installed; what they are is kept beside."""
    packages = installed()
    mark = fingerprint(packages)
    lock = _lock_of(kept, mark)
    if not lock.exists():
        lock.parent.mkdir(parents=True, exist_ok=True)
        draft = lock.with_suffix(f".{os.getpid()}")
        draft.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()), encoding="utf-8")
        draft.replace(lock)
    os.utime(lock)
    return mark


def _lock_of(kept: Path, mark: str) -> Path:
    return kept / "environments" / f"{mark[:16]}.txt"


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)


def _link_what_stays(study: Study, folder: Path) -> None:
    """Sensitive data are not copied anywhere: the copy of the repository leads to where they are."""
    root = study.inputs.repository.root
    for dataset in study.inputs.catalogue.values():
        for path in dataset.files() if dataset.sensitivity == "sensitive" else ():
            link = folder / path.relative_to(root)
            if path.is_file() and not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
