"""A look at this machine: can everything run here, and what is slow or missing?"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from modelworks.errors import ModelworksError, counted

RANKS = {"fine": 0, "look": 1, "stop": 2}
OLDEST_PYTHON = (3, 11)
ENOUGH_DISK_GB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: *fine*, *look* (works, but) or *stop* (will not work), and what to do."""

    about: str
    verdict: str
    words: str

    @property
    def rank(self) -> int:
        return RANKS[self.verdict]

    def as_dict(self) -> dict[str, str]:
        return {"about": self.about, "verdict": self.verdict, "words": self.words}


def examine(folder: Path) -> list[Finding]:
    """Everything worth knowing before the first run, whatever state the machine is in."""
    looks: list[Callable[[], Finding]] = [
        _python,
        _packages,
        _processor,
        _compiler,
        _kernel_cache,
        _pictures,
        lambda: _disk(folder),
        lambda: _git(folder),
        lambda: _repository(folder),
        lambda: _runs(folder),
    ]
    return list(_each(looks))


def _each(looks: list[Callable[[], Finding]]) -> Iterator[Finding]:
    for look in looks:
        try:
            yield look()
        except Exception as error:  # noqa: BLE001 - the doctor reports what is broken, it does not break
            name = getattr(look, "__name__", "look").strip("_").replace("_", " ")
            yield Finding(name, "stop", f"{type(error).__name__}: {error}")


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "stop", f"{version} is too old; install 3.11 or newer")
    return Finding("Python", "fine", f"{version} in {sys.prefix}")


def _packages() -> Finding:
    wanted = importlib.metadata.requires("modelworks") or []
    missing = []
    for requirement in wanted:
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].split(">")[0].split("=")[0].split("<")[0].strip()
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("packages", "stop", f"missing: {', '.join(missing)}; install modelworks again")
    return Finding("packages", "fine", f"modelworks {importlib.metadata.version('modelworks')} and all it needs")


def _processor() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        return Finding("processor", "look", "one core: calibrations take about twice as long as on two")
    return Finding("processor", "fine", f"{cores} cores")


def _compiler() -> Finding:
    """Compile and run a model, and see that it gives the textbook's number."""
    from modelworks.model import simulate
    from modelworks.model.library.sir import sir

    started = time.perf_counter()
    values = {"contact_rate": 0.6, "recovery_rate": 0.3, "population": 1e6, "first_cases": 1e-3}
    outputs = simulate(sir(), values, [0.0, 200.0, 400.0])
    infected = float(outputs["incidence"].sum()) / 1e6
    # Final size for R0 = 2: the root of z = 1 - exp(-2 z).
    if abs(infected - 0.7968121300) > 1e-4:
        return Finding(
            "numbers", "stop", f"a test epidemic infected {infected:.6f}, not 0.796812: do not use this machine"
        )
    return Finding(
        "numbers", "fine", f"a test epidemic is right; compiled and run in {time.perf_counter() - started:.2f} s"
    )


def _kernel_cache() -> Finding:
    from modelworks.model import kernel_folder

    place = kernel_folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding("kernel cache", "look", f"{place} can not be written ({error.strerror}); set MODELWORKS_CACHE")
    return Finding("kernel cache", "fine", str(place))


def _pictures() -> Finding:
    import vl_convert

    vl_convert.svg_to_png("<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>")
    return Finding("pictures", "fine", "can be drawn")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    if free < ENOUGH_DISK_GB:
        return Finding("disk", "look", f"{free:.1f} GB free; a calibration with its record takes up to 0.1 GB")
    return Finding("disk", "fine", f"{free:.0f} GB free")


def _git(folder: Path) -> Finding:
    if shutil.which("git") is None:
        return Finding("git", "look", "not installed: runs will not know the commit they came from")
    inside = subprocess.run(
        ["git", "rev-parse", "--is-inside-work-tree"], cwd=folder, capture_output=True, text=True, check=False
    )
    if inside.returncode != 0:
        return Finding(
            "git", "look", "this folder is not in a git repository: runs will not know their commit (git init)"
        )
    return Finding("git", "fine", "runs will record the commit and any uncommitted change")


def _repository(folder: Path) -> Finding:
    from modelworks.study import find_studies, repository_around

    root = repository_around(folder)
    if root is None:
        return Finding(
            "repository", "look", "no modelworks.toml here or above: make one with `modelworks new our-studies`"
        )
    try:
        number = len(find_studies(None, start=folder))
    except ModelworksError as error:
        return Finding("repository", "look", error.letters[0].message)
    return Finding("repository", "fine", f"{root}, {counted(number, 'study', 'studies')}")


def _runs(folder: Path) -> Finding:
    """Runs that can not be read: their numbers are lost until a whole copy is found."""
    from modelworks.study import damaged_runs, repository_around, runs_of_repository

    if repository_around(folder) is None:
        return Finding("runs", "fine", "none, outside of a repository")
    try:
        damaged, number = damaged_runs(folder), len(runs_of_repository(folder))
    except ModelworksError as error:
        return Finding("runs", "look", error.letters[0].message)
    if damaged:
        shown = "; ".join(f"{letter.message} ({letter.file})" for letter in damaged[:3])
        return Finding("runs", "look", f"{counted(len(damaged), 'run')} can not be read: {shown}")
    return Finding("runs", "fine", counted(number, "run"))
