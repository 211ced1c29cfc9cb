"""Where a result comes from: the commit and what was not committed, the machine, the packages, the person.

Environment variables are never recorded, for that is where secrets live. Nor are data: a dataset is known by its
checksum, and may be one that must not leave.
"""

from __future__ import annotations

import dataclasses
import getpass
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from modelworks.runs._assembly import installed
from modelworks.runs._environment import own_source
from modelworks.runs._git import ask_git
from modelworks.runs._maker import UNKNOWN

# What a person writes to say how a result is made. Anything else that is not committed is named, not kept.
_WRITTEN = {
    ".py", ".yaml", ".yml", ".toml", ".md", ".txt", ".r", ".rmd", ".jl", ".java", ".c", ".cc", ".cpp", ".h", ".hpp",
    ".f90", ".rs", ".sh", ".stan", ".ipynb",
}  # fmt: skip
_SECRET = re.compile(
    r"(^|[/._-])(env|secrets?|credentials?|passwords?|tokens?|id_[dr]sa|netrc)([/._-]|$)", re.IGNORECASE
)
_LARGEST_FILE_BYTES = 200_000
_LARGEST_PATCH_BYTES = 2_000_000


def provenance(folder: Path) -> dict[str, Any]:
    """Everything known of how a result made in a folder now comes about; works without git too.

    Keys: `commit`, `branch`, `dirty`, `patch` (of code and settings, for `git apply`), `not_in_patch` (names),
    `person` (`user.name` of git), `machine`, `packages`, `modelworks` (the code of ours). What is not known is None.
    """
    ours = dataclasses.asdict(own_source())
    return {**_git(folder), "machine": machine(), "packages": installed(), "modelworks": ours}


def person(folder: Path) -> str:
    """Who is at work, as git knows them, or else as the machine does."""
    known = ask_git(folder, "config", "user.name")
    if known:
        return known
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a number nobody gave a name.
        return UNKNOWN


def machine() -> dict[str, Any]:
    """The processor, the memory in GB (10⁹ bytes), the system and the Python a result was made with."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_allowed": _cores_allowed(),
        "memory_gb": _memory_gb(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
    }


def _git(folder: Path) -> dict[str, Any]:
    root = ask_git(folder, "rev-parse", "--show-toplevel")
    known: dict[str, Any] = dict.fromkeys(("commit", "branch", "dirty", "patch"))
    if not root:
        return {**known, "not_in_patch": [], "person": ask_git(folder, "config", "user.name") or None}
    top = Path(root.strip())
    tracked, untracked = _changed(top)
    kept = [name for name in tracked if _may_be_kept(top, name)]
    new = [name for name in untracked if _may_be_kept(top, name)]
    patch = _patch(top, kept, new)
    is_small = len(patch.encode("utf-8", "replace")) <= _LARGEST_PATCH_BYTES
    left_out = sorted({*tracked, *untracked} - ({*kept, *new} if is_small else set()))
    return {
        "commit": ask_git(top, "rev-parse", "--verify", "HEAD") or None,
        "branch": ask_git(top, "rev-parse", "--abbrev-ref", "HEAD") or None,
        "dirty": bool(tracked or untracked),
        "patch": patch if patch and is_small else None,
        "not_in_patch": left_out,
        "person": ask_git(top, "config", "user.name") or None,
    }


def _changed(top: Path) -> tuple[list[str], list[str]]:
    """Names of files that differ from the last commit, and of those that git neither knows nor ignores."""
    tracked = ask_git(top, "diff", "--name-only", "--no-renames", "-z", "HEAD", raw=True) or ""
    untracked = ask_git(top, "ls-files", "--others", "--exclude-standard", "-z", raw=True) or ""
    return [name for name in tracked.split("\0") if name], [name for name in untracked.split("\0") if name]


def _may_be_kept(top: Path, name: str) -> bool:
    path = top / name
    if path.suffix.lower() not in _WRITTEN or _SECRET.search(name):
        return False
    # A file that was deleted is small, too.
    return not path.is_symlink() and (not path.exists() or path.stat().st_size <= _LARGEST_FILE_BYTES)


def _patch(top: Path, tracked: list[str], untracked: list[str]) -> str:
    # No program of the user's own, no colours: the patch must be one that `git apply` reads.
    plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--binary")
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
    parts = [ask_git(top, "diff", *plain, *prefixes, "HEAD", "--", *tracked, raw=True)] if tracked else []
    # With --no-index git exits with 1 where files differ, as they always do from nothing.
    parts += [
        ask_git(top, "diff", *plain, *prefixes, "--no-index", "--", os.devnull, name, raw=True, fine=(0, 1))
        for name in untracked
    ]
    return "".join(part for part in parts if part)


def _processor() -> str:
    """The processor's name as it calls itself."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    named = re.search(r"(?m)^(?:model name|Model)\s*:\s*(.+)$", text)
    return named[1].strip() if named else platform.machine()


def _cores_allowed() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
