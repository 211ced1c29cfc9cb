"""The script that makes the environment, as far as it can be tried without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import set_up

ROOT = Path(__file__).parents[2]


def test_the_installer_itself_is_locked() -> None:
    """What installs everything else is installed by hash too."""
    lines = set_up.locked("uv").splitlines()
    assert lines[0].startswith("uv==")
    assert all("--hash=sha256:" in line for line in lines[1:])


def test_a_package_that_is_not_locked_is_told_so() -> None:
    """A lock that was cut short is a letter, not a traceback."""
    with pytest.raises(SystemExit, match="does not name `no-such-package`"):
        set_up.locked("no-such-package")


def test_a_python_that_does_not_start_is_no_python(tmp_path: Path) -> None:
    """Version managers leave shims on the path with nothing behind them."""
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n", "utf-8")
    shim.chmod(0o755)
    assert set_up.version_of(str(shim)) == ()
    assert set_up.version_of(str(tmp_path / "nothing")) == ()
    assert set_up.version_of(sys.executable) == sys.version_info[:2]


def test_an_old_python_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing a newcomer meets should not be a syntax error."""
    monkeypatch.setattr(set_up, "OLDEST", (4, 0))
    with pytest.raises(SystemExit, match=r"needs 4\.0 or newer[\s\S]*apt-get install"):
        set_up.new_enough_python()


def test_without_venv_pip_or_uv_it_says_the_one_line_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Debian splits `venv`; its own message comes after a page of output."""
    monkeypatch.setattr(set_up, "can_import", lambda python, module: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="sudo apt-get install -y python3-venv"):
        set_up.make_environment(sys.executable, str(tmp_path))


@pytest.mark.needs("make")
def test_every_command_of_the_makefile_is_in_its_help() -> None:
    """`make help` is the list of what can be made."""
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for target in ("demo", "test", "bench", "lock", "docs", "clean", "help"):
        assert f"make {target} " in listed.stdout
