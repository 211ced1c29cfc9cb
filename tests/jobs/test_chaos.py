"""Hundreds of faults at random moments: no job lost, none recorded twice, none running for ever, each state true."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from jobs.chaos import Chaos

pytestmark = pytest.mark.slow

FAULTS_IN_ALL = 320
SESSIONS = 4


@pytest.mark.parametrize("session", range(SESSIONS))
def test_whatever_is_killed_frozen_filled_or_set_back_every_job_ends_once_and_truly(
    session: int, queue_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("MODELWORKS_CHAOS_SEED", 20261121)) + session
    with Chaos(tmp_path / "chaos", queue_url, seed) as chaos:
        chaos.strike(FAULTS_IN_ALL // SESSIONS)
        chaos.settle()
        chaos.check()
        with capsys.disabled():
            sys.stdout.write(f"\nseed {seed}: {chaos.told()}\n")
