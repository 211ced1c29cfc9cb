"""Hundreds of faults at random moments: no job lost, none recorded twice, none running for ever, each state true."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import servers
from jobs.chaos import Chaos

Told = Callable[[str, object], None]

pytestmark = pytest.mark.slow

SESSIONS = 4
FAULTS = 80
FAULTS_ON_A_CLUSTER = 40
SEED = int(os.environ.get("MODELWORKS_CHAOS_SEED", 20261121))


def struck(chaos: Chaos, seed: int, record_property: Told, faults: int = FAULTS, each: int = 4) -> None:
    """One session; what it did is told, however it ends."""
    try:
        chaos.strike(faults, each)
        chaos.settle()
        chaos.check()
    finally:
        record_property("told", f"seed {seed}: {chaos.told()}")


@pytest.mark.parametrize("session", range(SESSIONS // 2))
def test_whatever_is_killed_frozen_filled_or_set_back_every_job_ends_once_and_truly(
    session: int, tmp_path: Path, record_property: Told
) -> None:
    seed = SEED + session
    with Chaos(tmp_path / "chaos", f"sqlite:///{tmp_path}/queue.sqlite", seed) as chaos:
        struck(chaos, seed, record_property)


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("session", range(SESSIONS // 2, SESSIONS))
def test_the_database_may_be_killed_as_well(session: int, tmp_path: Path, record_property: Told) -> None:
    """Nobody can say or hear anything for a while, and what was being said may have been heard or not."""
    seed = SEED + session
    with servers.Postgres() as server, Chaos(tmp_path / "chaos", server.url, seed, server) as chaos:
        struck(chaos, seed, record_property)


@pytest.mark.needs("slurm")
def test_the_controller_of_a_cluster_and_its_nodes_may_be_killed(
    slurm: Any, tmp_path: Path, record_property: Told
) -> None:
    """Slurm then begins jobs a second time, and gives their numbers to others."""
    seed = SEED + SESSIONS
    url = f"sqlite:///{tmp_path}/queue.sqlite"
    try:
        with Chaos(tmp_path / "chaos", url, seed, cluster=slurm) as chaos:
            struck(chaos, seed, record_property, FAULTS_ON_A_CLUSTER, each=1)
    finally:
        slurm.renew()
