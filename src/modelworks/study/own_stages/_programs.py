"""Which program a stage was run by: its version, its packages, and a hash of the file that was started."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelworks.errors import fail
from modelworks.inputs import StageEntry
from modelworks.runs import installed
from modelworks.study.own_stages._execution import search_path, surroundings

_PATIENCE_SECONDS = 60
_R = (
    "cat(R.version.string, sep = '\\n'); known <- installed.packages()[, c('Package', 'Version'), drop = FALSE];"
    "cat(paste(known[, 1], known[, 2], sep = '=='), sep = '\\n')"
)
_PYTHON = (
    "import sys, importlib.metadata as m; print('Python ' + sys.version.split()[0]);"
    "known = ((d.metadata['Name'], d.version) for d in m.distributions());"
    "print('\\n'.join(sorted({f'{name}=={version}' for name, version in known if name})))"
)
# How a program is asked for its version, and for its packages as further lines `name==version`. A program that is not
# listed is known by its hash alone: to call it with words that it may not understand could start anything.
_ASKED: Mapping[str, tuple[str, ...]] = {
    "Rscript": ("--no-init-file", "-e", _R),
    "R": ("--no-save", "--no-init-file", "--slave", "-e", _R),
    "python": ("-c", _PYTHON),
    "java": ("-version",),
    **dict.fromkeys(
        (
            "javac", "julia", "octave", "node", "bash", "perl", "ruby", "make", "cmake", "gcc", "g++", "cc", "c++",
            "clang", "clang++", "gfortran", "cargo", "rustc", "ghc", "stanc",
        ),
        ("--version",),
    ),
}  # fmt: skip
INSTALLING = {
    "Rscript": "apt-get install r-base-core, or https://cran.r-project.org",
    "R": "apt-get install r-base-core, or https://cran.r-project.org",
    "julia": "https://julialang.org/downloads",
    "java": "apt-get install default-jre-headless",
    "javac": "apt-get install default-jdk-headless",
    "g++": "apt-get install g++",
    "gcc": "apt-get install gcc",
}


@dataclass(frozen=True, slots=True)
class Program:
    """A program as it is installed here; `version` is what it says of itself, and empty where it is not asked."""

    name: str
    sha256: str
    version: str
    packages: Mapping[str, str]


def programs_of(entry: StageEntry) -> tuple[Program, ...]:
    """The programs that a stage is run by, the first of its command and those it declares; not its own input files.

    Raises
    ------
    ModelworksError
        Y601 with what to install, where one is not there.
    """
    if entry.kind != "command":
        return (program(sys.executable),)
    return tuple(program(place_of(name, entry)) for name in program_names(entry))


def program_names(entry: StageEntry) -> tuple[str, ...]:
    """What has to be installed for a stage, by name."""
    own = () if entry.kind != "command" or "/" in entry.words[0] else (entry.words[0],)
    return tuple(dict.fromkeys((*own, *entry.programs)))


def place_of(name: str, entry: StageEntry) -> str:
    """Where a program lies; Y601 where it is not installed."""
    found = shutil.which(name, path=search_path())
    if found is None:
        install = INSTALLING.get(name)
        file, line = entry.place("programs" if name in entry.programs else "command")
        fail(
            "Y601",
            f"the stage `{entry.name}` is run by `{name}`, which is not installed here",
            hint=f"install it: {install}" if install else "install it, or write the path of a file of the repository",
            file=file,
            line=line,
        )
    return found


@functools.cache
def program(path: str) -> Program:
    """What is known of the program at a path."""
    name = Path(path).name
    known = "python" if name.startswith("python") else name
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if path == sys.executable:
        return Program(name, digest, f"Python {sys.version.split()[0]}", installed())
    lines = _said(path, _ASKED[known]) if known in _ASKED else []
    packages = dict(line.split("==", 1) for line in lines[1:] if "==" in line)
    return Program(name, digest, lines[0].strip() if lines else "", packages)


def _said(path: str, words: tuple[str, ...]) -> list[str]:
    """What a program answers, on whichever stream; nothing where it does not answer."""
    try:
        ended = subprocess.run(
            [path, *words],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=surroundings({}, None),
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # Its hash is known, and whoever runs it is told why it does not run.
        return []
    return [line for line in (ended.stdout.strip() or ended.stderr.strip()).splitlines() if line.strip()]
