"""What git knows, asked without ever standing in the way of the person at work."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_PATIENCE_SECONDS = 20.0
_WHO = ("NAME", "EMAIL")
# What a branch is at that is not there yet.
_NO_COMMIT = "0" * 40
# A file that is no program.
NEW_MODE = "100644"


def ask_git(folder: Path, *words: str, raw: bool = False, fine: tuple[int, ...] = (0,)) -> str | None:
    """What git answers; None where there is no git, no repository, or no answer in good time."""
    answer = _answer(folder, words, fine)
    if answer is None:
        return None
    text = answer.decode("utf-8", "replace")
    return text if raw else text.strip()


def _answer(
    folder: Path, words: Sequence[str], fine: tuple[int, ...] = (0,), said: Mapping[str, str] | None = None
) -> bytes | None:
    """What git answers, byte by byte; `said` is added to its environment."""
    program = shutil.which("git")
    if program is None:
        return None
    # Looking must not take the locks of the person who is at work in the same repository.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(said or {})}
    try:
        answer = subprocess.run(
            [program, "-C", str(folder), "-c", "core.quotepath=false", *words],
            capture_output=True, timeout=_PATIENCE_SECONDS, env=environment, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode in fine else None


def file_of_commit(folder: Path, commit: str, path: str) -> bytes | None:
    """The bytes that a commit has of a file, by its path from the folder; None where it has none."""
    return _answer(folder, ("cat-file", "blob", f"{commit}:./{path}"))


def commit_aside(
    folder: Path, branch: str, files: Mapping[str, bytes], words: str, *, upon: str, by: tuple[str, str]
) -> bool:
    """Make a new branch with one commit upon another; see `commit_of`. False where there is such a branch."""
    commit = commit_of(folder, files, words, upon=(upon,), by=by)
    # Of two who make the same branch at once the second is refused.
    return bool(commit) and ask_git(folder, "update-ref", f"refs/heads/{branch}", str(commit), _NO_COMMIT) is not None


def commit_of(
    folder: Path, files: Mapping[str, bytes], words: str, *, upon: Sequence[str], by: tuple[str, str]
) -> str | None:
    """A commit that no branch has yet; neither the files at hand nor git's index change.

    It holds what the first of those that it is made `upon` does, with these `files`, by their paths from the folder;
    `by` is a name and an address. None where git can not write.
    """
    with tempfile.TemporaryDirectory() as aside:
        who = {
            f"GIT_{role}_{key}": said for role in ("AUTHOR", "COMMITTER") for key, said in zip(_WHO, by, strict=True)
        }

        def ask(*words: str) -> str | None:
            answer = _answer(folder, words, said={"GIT_INDEX_FILE": f"{aside}/index", **who})
            return None if answer is None else answer.decode().strip()

        prefix = ask("rev-parse", "--show-prefix")
        if prefix is None or ask("read-tree", upon[0]) is None:
            return None
        content = Path(aside, "content")
        for path, found in files.items():
            content.write_bytes(found)
            blob = ask("hash-object", "-w", "--no-filters", "--", str(content))
            if blob is None or ask("update-index", "--add", "--cacheinfo", f"{NEW_MODE},{blob},{prefix}{path}") is None:
                return None
        content.write_text(words, encoding="utf-8")
        tree = ask("write-tree")
        parents = [word for each in upon for word in ("-p", each)]
        return (tree and ask("commit-tree", tree, *parents, "-F", str(content))) or None


def changed_files(folder: Path, before: str, after: str) -> set[str] | None:
    """The files that differ between two commits, by their paths from the folder (`../…` of what lies outside it).

    None where git does not answer.
    """
    prefix, up = (ask_git(folder, "rev-parse", said) for said in ("--show-prefix", "--show-cdup"))
    told = ask_git(folder, "diff-tree", "-r", "-z", "--no-renames", "--name-only", before, after, raw=True)
    if prefix is None or up is None or told is None:
        return None
    names = filter(None, told.split("\0"))
    return {name.removeprefix(prefix) if name.startswith(prefix) else f"{up}{name}" for name in names}


def merged_text(ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """What two made of one text, together; None where both changed the same lines."""
    with tempfile.TemporaryDirectory() as aside:
        for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
            Path(aside, name).write_bytes(text)
        return _answer(Path(aside), ("merge-file", "-p", "ours", "base", "theirs"))


def follow_in_index(folder: Path, names: Sequence[str], before: str, after: str) -> bool:
    """Let git's index have files as one commit has them where it had them as another; what is staged otherwise stays.

    One that is new with the other commit comes into the index where it is not in it.

    False where git can not write its index now.
    """
    prefix = ask_git(folder, "rev-parse", "--show-prefix")
    taken = []
    for name in names:
        staged = (ask_git(folder, "ls-files", "--stage", "--", name) or "").split()
        old, new = (ask_git(folder, "rev-parse", "--verify", "--quiet", f"{each}:./{name}") for each in (before, after))
        if new and len(staged) > 1 and staged[1] == old != new:
            taken += ["--cacheinfo", f"{staged[0]},{new},{prefix}{name}"]
        if new and not old and not staged:
            taken += ["--add", "--cacheinfo", f"{NEW_MODE},{new},{prefix}{name}"]
    return not taken or ask_git(folder, "update-index", *taken) is not None


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
