"""What has changed of a file that a run was made from: of the catalogue only what it says of the run's datasets."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path

from modelworks.inputs import catalogue_entries, entries_of
from modelworks.runs import Store
from modelworks.website._house import Workspace

DATA = "data/"
CATALOGUE = f"{DATA}catalogue.yaml"


def what_changed(workspace: Workspace, key: str, name: str, stamp: Hashable, files: Iterable[str]) -> list[str]:
    """A file that is another one than a run was made from, by its name in the repository; of the catalogue each of the
    datasets among these files of which it says something else, which may be none. `stamp` is of the file as it is now.
    """
    if name != CATALOGUE:
        return [name]
    now = workspace.root / name
    of = {each.removeprefix(DATA) for each in files if each.startswith(DATA)}
    return workspace.remembered(("entries", key, stamp), lambda: _changed_entries(workspace.store, key, now, of))


def _changed_entries(store: Store, key: str, now: Path, files: set[str]) -> list[str]:
    before, after = _entries(lambda: store.content(key, f"inputs/{CATALOGUE}")), _entries(now.read_bytes)
    if before is None or after is None:
        return [CATALOGUE]
    changed = sorted(name for name in entries_of(before, files) if before[name] != after.get(name))
    return [f"what {CATALOGUE} says of {name}" for name in changed]


def _entries(read: Callable[[], bytes]) -> dict[str, Mapping[str, str]] | None:
    try:
        return catalogue_entries(read(), CATALOGUE)
    except FileNotFoundError:
        # Gone between two looks, or lacking in a copy of the run.
        return None
