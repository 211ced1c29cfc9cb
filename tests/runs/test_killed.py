"""Kill the program anywhere: nothing half-written is visible, and the next attempt succeeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def report_of(program: str, tmp_path: Path) -> dict[str, Any]:
    """The last line of a program beside this one, which is JSON."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(Path(__file__).with_name(program)), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_killing_somebody_who_signs_loses_no_word_and_forges_none(tmp_path: Path) -> None:
    """At every call while a run is put forward and signed: it is approved when all have signed, and not before."""
    report = report_of("killed_signing.py", tmp_path)
    assert report["bad"] == []
    assert report["status"] == 0
    assert report["killed"] > 60
    # Put forward by nobody yet, by somebody, signed by one, by both: each was seen.
    assert report["seen"] == 4


@pytest.mark.slow
def test_killing_at_every_call_leaves_no_half_run_and_the_next_succeeds(tmp_path: Path) -> None:
    """A laptop's battery and a cluster's time limit choose their moment themselves."""
    report = report_of("killed.py", tmp_path)
    assert report["bad"] == []
    assert report["status"] == 0
    assert report["killed"] > 60
