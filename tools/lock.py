"""Writes the locks: every version with its hashes, for every Python and system, naming no host.

`requirements.lock` is what everybody installs; `ci.lock` is what CI tests against besides.

`--check` says whether the lock still answers `pyproject.toml`, without the network.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
CI, CI_LOCK = "ci", ROOT / "ci.lock"
# Extras that nobody is made to install: large, and only for some. Their tests run where they are installed.
APART = ("jax", "notebooks", CI)
UV = Path(sysconfig.get_path("scripts")) / "uv"


def compile_lock(*, upgrade: bool) -> None:
    """Resolve anew, keeping the locked versions unless asked to upgrade."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    _compile(["pyproject.toml", *(f"--extra={name}" for name in extras if name not in APART)], LOCK, upgrade=upgrade)
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "ci.in"
        wanted.write_text("\n".join(extras[CI]) + "\n", encoding="utf-8")
        _compile([str(wanted), f"--constraint={LOCK}"], CI_LOCK, upgrade=upgrade)


def _compile(wanted: list[str], lock: Path, *, upgrade: bool) -> None:
    # One version for as many Pythons as can be: what is tested with one of them is what the others get.
    command = [str(UV), "pip", "compile", *wanted, "--universal", "--fork-strategy=fewest", "--generate-hashes"]
    command += ["--no-header", "--no-emit-index-url", "--no-annotate", "--quiet", "--output-file", lock.name]
    subprocess.run([*command, "--upgrade"] if upgrade else command, cwd=ROOT, check=True)


def locked_versions(text: str) -> dict[str, list[str]]:
    """Name → the versions a lock holds (more than one where they differ by Python).

    >>> locked_versions("numpy==2.4 ; python_full_version < '3.12' \\\\\\n    --hash=sha256:00\\n")
    {'numpy': ['2.4']}
    """
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([a-z0-9._-]+)==([^ \\\n]+)", text):
        found.setdefault(name, []).append(version)
    return found


def unanswered(pyproject: dict[str, object], lock_text: str) -> list[str]:
    """Requirements of the package that no locked version meets, each as a sentence."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = pyproject["project"]
    if not isinstance(project, dict):
        return ["pyproject.toml has no [project] table"]
    extras = [each for name, each in project["optional-dependencies"].items() if name not in APART]
    asked = [*project["dependencies"], *(each for extra in extras for each in extra)]
    locked = locked_versions(lock_text)
    mistakes: list[str] = []
    for line in asked:
        requirement = Requirement(line)
        versions = locked.get(canonicalize_name(requirement.name), [])
        if not versions:
            mistakes.append(f"`{line}` is asked for and not locked")
        mistakes += [f"`{line}` is not met by the locked {v}" for v in versions if v not in requirement.specifier]
    return mistakes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("--check", action="store_true", help="only say whether the lock answers pyproject.toml")
    options = parser.parse_args()
    if not options.check:
        compile_lock(upgrade=options.upgrade)
    mistakes = unanswered(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")), LOCK.read_text("utf-8"))
    for mistake in mistakes:
        sys.stderr.write(mistake + "\n")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
