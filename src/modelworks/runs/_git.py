"""What git knows, asked without ever standing in the way of the person at work."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

_PATIENCE_SECONDS = 20.0


def ask_git(folder: Path, *words: str, raw: bool = False, fine: tuple[int, ...] = (0,)) -> str | None:
    """What git answers; None where there is no git, no repository, or no answer in good time."""
    program = shutil.which("git")
    if program is None:
        return None
    # Looking must not take the locks of the person who is at work in the same repository.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        answer = subprocess.run(
            [program, "-C", str(folder), "-c", "core.quotepath=false", *words],
            capture_output=True, timeout=_PATIENCE_SECONDS, env=environment, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode not in fine:
        return None
    text = answer.stdout.decode("utf-8", "replace")
    return text if raw else text.strip()


def begin_history(folder: Path, words: str, *, by: str) -> bool:
    """Put a new folder under version control, with a first commit of all that it holds.

    False where there is no git, or where the folder lies in a repository of git already, which is its owner's to use.
    """
    if ask_git(folder, "rev-parse", "--is-inside-work-tree") is not None:
        return False
    # Who never used git has not told it a name, and it makes no commit without one.
    is_known = all(ask_git(folder, "config", f"user.{each}") for each in ("name", "email"))
    named = () if is_known else ("-c", f"user.name={by}", "-c", "user.email=")
    steps = (
        ("-c", "init.defaultBranch=main", "init", "--quiet"),
        ("add", "--all"),
        (*named, "commit", "--quiet", "--no-verify", "--no-gpg-sign", f"--message={words}"),
    )
    return all(ask_git(folder, *step) is not None for step in steps)


def branch_tip(folder: Path, branch: str) -> str | None:
    """The commit that a branch is at now, of the repository or of a remote (`origin/main`), which is asked.

    None where there is no such branch, or where the remote does not answer.
    """
    remote, _, name = branch.partition("/")
    if name and remote in (ask_git(folder, "remote") or "").split():
        said = ask_git(folder, "ls-remote", "--exit-code", remote, f"refs/heads/{name}")
        return said.split()[0] if said else None
    return ask_git(folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}") or None


def files_of_commit(folder: Path, commit: str, target: Path) -> bool:
    """Write what a commit holds of a folder of the repository into another one; False where it can not be had.

    A commit of a remote that is not here yet is fetched, by its number and so without moving any branch.
    """
    if ask_git(folder, "cat-file", "-e", f"{commit}^{{commit}}") is None:
        for remote in (ask_git(folder, "remote") or "").split():
            if ask_git(folder, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, commit) is not None:
                break
        else:
            return False
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        if ask_git(folder, "archive", "--format=tar", f"--output={archive.name}", commit) is None:
            return False
        with tarfile.open(archive.name) as found:
            found.extractall(target, filter="data")
    return True
