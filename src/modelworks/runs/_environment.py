"""Environments: which code of ours made a result, and one like it made anew, months later."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from modelworks.errors import fail
from modelworks.runs._git import ask_git

OURS = "modelworks"
_CODE = (".py", ".toml", ".j2", ".css", ".html", ".js", ".yaml", ".md")
# What an environment brings by itself, and what nothing of ours runs on.
_NOT_INSTALLED = re.compile(rf"^(pip|setuptools|wheel|uv|{OURS})==", re.IGNORECASE)
_LAST_LINES = 6


@dataclass(frozen=True, slots=True)
class Source:
    """The code of ours that made a result: its version, a hash of all its files, and its commit where it has one."""

    version: str
    sha256: str
    commit: str | None
    dirty: bool

    @classmethod
    def of(cls, said: Any) -> Source | None:
        """As a record says it; None where an older one says nothing."""
        if not isinstance(said, dict) or not said.get("sha256"):
            return None
        return cls(str(said.get("version")), str(said["sha256"]), said.get("commit"), bool(said.get("dirty")))


@functools.cache
def own_source() -> Source:
    """The code of ours that is at work now."""
    folder = package_folder()
    top = ask_git(folder, "rev-parse", "--show-toplevel")
    # An installed copy may lie in an environment inside somebody's repository, whose commit says nothing of it.
    is_ours = bool(top) and bool(ask_git(folder, "ls-files", "--", "__init__.py"))
    commit = ask_git(folder, "rev-parse", "--verify", "HEAD") if is_ours else None
    dirty = bool(commit) and bool(ask_git(folder, "status", "--porcelain", "--", "."))
    return Source(metadata.version(OURS), source_hash(folder), commit or None, dirty)


def package_folder() -> Path:
    return Path(str(resources.files(OURS)))


def source_hash(folder: Path) -> str:
    """A hash of every file of a copy of our package that can change what it does."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda each: each.relative_to(folder).as_posix()):
        if path.is_file() and path.suffix in _CODE and "__pycache__" not in path.parts:
            total.update(path.relative_to(folder).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def find_source(wanted: Source, folder: Path, patch: Path | None) -> Path | None:
    """A copy of our package as it was, in a folder; None where it can not be found here.

    It is the code at work, or that of a commit of the repository it lies in, with the run's own uncommitted changes.
    """
    if own_source().sha256 == wanted.sha256:
        return package_folder()
    repository = ask_git(package_folder(), "rev-parse", "--show-toplevel")
    if not repository or not wanted.commit:
        return None
    inside = package_folder().resolve().relative_to(Path(repository).resolve())
    if ask_git(Path(repository), "worktree", "add", "--detach", str(folder), wanted.commit) is None:
        return None
    copy = folder / inside
    if source_hash(copy) != wanted.sha256 and patch is not None:
        ask_git(folder, "apply", "--whitespace=nowarn", str(patch.resolve()))
    return copy if source_hash(copy) == wanted.sha256 else None


def forget_source(folder: Path) -> None:
    """Remove a copy that `find_source` made, and what git remembers of it."""
    repository = ask_git(package_folder(), "rev-parse", "--show-toplevel")
    if repository and (folder / ".git").exists():
        ask_git(Path(repository), "worktree", "remove", "--force", str(folder))


def python_like(said: str) -> str:
    """The Python a record names (`CPython 3.11.7`), or the nearest there is: the same minor version, or this one."""
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) == sys.version_info[:2]:
        return sys.executable
    return shutil.which(f"python{found[1]}.{found[2]}") or sys.executable


def make_environment(folder: Path, lock: Path, package: Path | None, python: str) -> Path:
    """A fresh virtual environment with every package of a lock, and ours from a folder; gives its Python.

    Raises
    ------
    ModelworksError
        R160 when it can not be made, in the words of the installer.
    """
    lines = lock.read_text(encoding="utf-8").splitlines()
    wanted = folder.with_suffix(".txt")
    ours = [] if package is not None else [line for line in lines if line.startswith(f"{OURS}==")]
    wanted.write_text("\n".join([*(line for line in lines if not _NOT_INSTALLED.match(line)), *ours]), encoding="utf-8")
    _done([python, "-m", "venv", "--clear", str(folder)])
    here = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    _done([str(here), "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r", str(wanted)])
    if package is not None:
        site = Path(_done([str(here), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
        shutil.copytree(package, site / OURS, ignore=shutil.ignore_patterns("__pycache__"))
        for each in _own_metadata():
            shutil.copytree(each, site / each.name)
    return here


def _own_metadata() -> Iterator[Path]:
    """Where this environment keeps our version and commands; a copy asks for its own version there."""
    site = Path(sysconfig.get_path("purelib"))
    return (each for each in site.glob(f"{OURS}-*.dist-info") if each.is_dir())


def _done(command: list[str]) -> str:
    """What a command says; a letter where it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if ended.returncode != 0:
        said = "\n".join((ended.stderr or ended.stdout).strip().splitlines()[-_LAST_LINES:])
        fail(
            "R160",
            f"the environment could not be made again: `{' '.join(command[:4])} …` ended with\n{said}",
            hint="the lines above say which package; `--here` uses the packages of today instead",
        )
    return ended.stdout
