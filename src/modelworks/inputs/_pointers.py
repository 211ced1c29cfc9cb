"""Files that stand in for large ones: those of Git LFS, DVC and git-annex, and where the large ones may lie.

The layouts are those of the Git LFS specification, version 1 (https://git-lfs.github.com/spec/v1), and of DVC's cache
(`files/md5/ab/cdef…` since its version 3, `ab/cdef…` before).
"""

from __future__ import annotations

import configparser
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelworks.errors import fail

# A pointer is a few lines.
LONGEST_POINTER = 4096
_LFS = re.compile(rb"\Aversion https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n")
_DVC_FILE = re.compile(r"(?m)^\s*(?:-\s+)?md5:\s*([0-9a-f]{32}(?:\.dir)?)\s*$")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands in for a file: who keeps the file, under which name, and the command that fetches it."""

    kind: str
    name: str
    command: str


def pointer_at(path: Path) -> Pointer | None:
    """The pointer at a path, or beside it where DVC has put one; None where there is none."""
    beside = path.with_name(path.name + ".dvc")
    if not path.is_file():
        return _of_dvc(beside) if beside.is_file() else None
    with path.open("rb") as file:
        beginning = file.read(LONGEST_POINTER)
    if beginning.startswith(b"version https://git-lfs"):
        found = _LFS.match(beginning)
        return Pointer("Git LFS", found[1].decode() if found else "", f"git lfs pull --include '{path.name}'")
    if beginning[:200].lstrip().startswith(b"outs:"):
        return _of_dvc(path)
    if b"/annex/objects" in beginning[:200]:
        return Pointer("git-annex", "", f"git annex get {path.name}")
    return None


def _of_dvc(path: Path) -> Pointer:
    """The last checksum of a `.dvc` file is that of what it stands for; those of its sources come before."""
    names = _DVC_FILE.findall(path.read_text(encoding="utf-8", errors="replace").partition("outs:")[2])
    if names and names[0].endswith(".dir"):
        hint = "track the file itself with `dvc add`, or run `dvc pull`"
        fail("D104", f"`{path.name}` stands for a folder, but a file is wanted", hint=hint)
    return Pointer("DVC", names[0] if names else "", f"dvc pull {path.name}")


def places_of(pointer: Pointer, path: Path) -> Iterator[tuple[str, str]]:
    """Where the file may lie, nearest first: a folder or the address of a bucket, and its name there."""
    name = pointer.name
    if not name:
        return
    if pointer.kind == "Git LFS":
        git = _git_folder(path)
        if git is not None:
            yield str(git / "lfs" / "objects"), f"{name[:2]}/{name[2:4]}/{name}"
    elif pointer.kind == "DVC":
        for place in _dvc_places(path):
            yield place, f"files/md5/{name[:2]}/{name[2:]}"
            yield place, f"{name[:2]}/{name[2:]}"


def _git_folder(path: Path) -> Path | None:
    """The folder that git keeps its objects in, shared by all worktrees."""
    command = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    try:
        ended = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return Path(ended.stdout.strip()) if ended.returncode == 0 else None


def _dvc_places(path: Path) -> Iterator[str]:
    """DVC's cache, and its remotes that we can ask: folders and buckets."""
    root = next((each for each in path.parents if (each / ".dvc").is_dir()), None)
    if root is None:
        return
    folder = root / ".dvc"
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        settings.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except configparser.Error as error:
        fail("D104", f"DVC's settings can not be read: {error.message.splitlines()[0]}", hint="dvc config --list")
    yield _resolved(settings.get("cache", "dir", fallback="cache"), folder)
    for section in settings.sections():
        url = settings.get(section, "url", fallback="")
        if "remote" in section and (url.startswith("s3://") or (url and "://" not in url)):
            yield _resolved(url, folder)


def _resolved(place: str, folder: Path) -> str:
    """DVC writes folders from where its settings are."""
    return place if "://" in place else str((folder / place).resolve())
