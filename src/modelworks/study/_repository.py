"""Finding things in a team's repository: studies by name, runs by the beginning of their id."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from modelworks.errors import Letter, ModelworksError, disk_letter, fail, near
from modelworks.inputs import Repository
from modelworks.runs import Policy, Run, StageCache, Store, person, standing
from modelworks.study._store import open_store
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.own_stages._stage_study import Study, open_study

if TYPE_CHECKING:
    from modelworks.runs import Index

SETTINGS = "modelworks.toml"


def repository_around(folder: Path) -> Path | None:
    """The nearest folder, from this one up, that holds a `modelworks.toml`."""
    for each in (folder.resolve(), *folder.resolve().parents):
        if (each / SETTINGS).is_file():
            return each
    return None


def find_study(name: str | None, *, start: Path | None = None) -> Path:
    """The folder of a study: by name, by path, the one we stand in, or the only one there is."""
    repository = Repository.around(start or Path.cwd())
    if name is not None:
        return repository.find_study(name)
    here = (start or Path.cwd()).resolve()
    if (here / "study.yaml").is_file():
        return here
    folders = _studies(repository)
    if len(folders) == 1:
        return folders[0]
    fail(
        "Y304",
        f"there are {len(folders)} studies here, and none was named",
        hint="name one of " + ", ".join(f"`{each.name}`" for each in folders),
    )


def find_studies(name: str | None, *, start: Path | None = None) -> list[Path]:
    """One study by name, or all of the repository."""
    if name is not None:
        return [find_study(name, start=start)]
    return _studies(Repository.around(start or Path.cwd()))


def _studies(repository: Repository) -> list[Path]:
    """Every study of the repository, of which there is at least one; a folder that hides its own is told of."""
    letters: list[Letter] = []

    def refused(error: OSError) -> None:
        # That there is no folder of studies yet is no mistake of its own.
        if not isinstance(error, FileNotFoundError):
            letters.append(disk_letter(error))

    for _ in os.walk(repository.root / "studies", onerror=refused):
        pass
    if letters:
        raise ModelworksError(letters)
    folders = list(repository.studies())
    if not folders:
        fail("Y304", "there is no study in this repository yet", hint="make one: modelworks new NAME")
    return folders


def check_study(folder: Path) -> Study:
    """The study, when nothing about it is wrong; else a `ModelworksError` with every mistake."""
    return open_study(folder)


def check_model(folder: Path) -> BoundStudy:
    """The study, when nothing about it is wrong, for whoever asks something of its model; Y147 where it has none."""
    return bind(folder)


def store_around(folder: Path) -> Store:
    return open_store(Repository.around(folder))


def index_around(folder: Path) -> Index:
    """What finds runs quickly, of the repository around a folder."""
    from modelworks.runs import Index

    repository = Repository.around(folder)
    return Index(open_store(repository), repository.index or _own_index(repository.kept))


def _own_index(kept: Path) -> str:
    """A file of the repository's own; where nothing can be written, one that lasts as long as the command."""
    writable = os.access(kept if kept.is_dir() else kept.parent, os.W_OK)
    return f"sqlite:///{kept / 'index.sqlite'}" if writable else "sqlite://"


def retention_around(folder: Path) -> tuple[Store, Policy, StageCache]:
    """The store around a folder, what of it is kept, and the finished stages beside it."""
    repository = Repository.around(folder)
    return (
        open_store(repository),
        Policy(**repository.retention),
        StageCache(repository.kept / "stages"),
    )


def remark(folder: Path, run: str, kind: str, *texts: str) -> Run:
    """Say something of a run that holds from now on (`tag`, `untag`, `pin`, `unpin`); gives the run.

    Raises
    ------
    ModelworksError
        R140 for a text that is no tag, R142 for a tag to be taken away that the run has not; nothing is said then.
    """
    store = store_around(folder)
    found = find_run(folder, run)
    if kind == "untag":
        tags = standing(mark for _, mark in store.marks() if mark.run == found.key).tags
        for each in texts:
            if each not in tags:
                fail("R142", f"the run {found.id} has no tag `{each}`", hint=near(each, tags))
    for each in texts:
        store.remark(found.key, kind, each, by=person(folder))
    return found


def runs_of_repository(folder: Path, *, study: str | None = None) -> list[Run]:
    """The runs of the repository around a folder, the latest first."""
    return list(store_around(folder).runs(study))


def damaged_runs(folder: Path) -> list[Letter]:
    """A letter for each run of the repository around a folder that can not be read."""
    return store_around(folder).damaged()


def find_run(folder: Path, text: str | None) -> Run:
    """A run by the beginning of its id, by its key, or the latest of a study named; else the latest of all.

    The latest is the latest with a report, where there is one: who asks for a study's run means its result, and not
    the quick look at its model that came after.
    """
    store = store_around(folder)
    # What has no letter, such as the path `.`, names no study.
    found = _latest(store, text) if text is None or any(map(str.isalnum, text)) else None
    if found is not None:
        return found
    if damaged := store.damaged() if text is None else []:
        raise ModelworksError(damaged)
    try:
        return store.find(text or "")
    except ModelworksError:
        if next(store.published(), None) is None:
            fail("R110", "there are no runs here yet", hint="modelworks run STUDY makes one")
        raise


def _latest(store: Store, study: str | None) -> Run | None:
    """The latest run that has a report, of a study or of all, else the latest; those before it are not read."""
    first = None
    for key in store.latest_first(study):
        try:
            run = store.open(key)
        except ModelworksError:
            # One that can not be read stands in nobody's way: `modelworks list` tells of it.
            continue
        if run.file("report.html") is not None:
            return run
        first = first or run
    return first
