"""Kill the program anywhere: nothing half-written is visible, and the next attempt succeeds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed.py")


@pytest.mark.slow
def test_killing_at_every_call_leaves_no_half_run_and_the_next_succeeds(tmp_path: Path) -> None:
    """A laptop's battery and a cluster's time limit choose their moment themselves."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(PROGRAM), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["bad"] == []
    assert report["status"] == 0
    assert report["killed"] > 60
