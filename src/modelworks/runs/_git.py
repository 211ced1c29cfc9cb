"""What git knows, asked without ever standing in the way of the person at work."""

from __future__ import annotations

import os
import shutil
import subprocess
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
