"""Simulated studies by machines of dask: the same ranks as here, also when one of them is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelworks.errors import ModelworksError
from modelworks.study import sbc
from modelworks.study.inquiries._elsewhere import each_elsewhere

PATIENCE_SECONDS = 120.0
STUDIES = 6


def squared(base: int, item: int) -> int:
    return base + item * item


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two workers, each a process, which is begun anew when it is lost."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as running:
        yield running


@pytest.fixture
def believed(decay: Callable[..., Path], tmp_path: Path) -> Path:
    values = "2021-01-01: 90, 2021-01-02: 82, 2021-01-03: 74, 2021-01-04: 67"
    more = "calibration: {chains: 2, draws: 200, warmup: 150}\n"
    return decay(tmp_path, "start: 2021-01-01, end: 2021-01-10, every: 1", values=values, more=more)


def declared(folder: Path, text: str) -> None:
    (folder.parents[1] / "modelworks.toml").write_text(text, encoding="utf-8")


def kept(folder: Path) -> Path:
    return folder.parents[1] / ".modelworks" / "sbc"


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_ranks_are_those_of_here_although_a_worker_is_killed(cluster: Any, believed: Path) -> None:
    declared(believed, f'dask = "{cluster.scheduler_address}"\n')
    killed: list[int] = []

    def kill() -> None:
        """As soon as the first has come back, when others are under way."""
        pause = threading.Event()
        for _ in range(int(PATIENCE_SECONDS / 0.01)):
            if any(kept(believed).glob("*/*.json")):
                process = next(iter(cluster.workers.values())).process
                killed.append(process.pid)
                os.kill(process.pid, signal.SIGKILL)
                return
            pause.wait(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    elsewhere = sbc(believed, STUDIES, quiet=True)
    killer.join()
    assert killed
    kept(believed).rename(believed.parents[1] / "gone")
    declared(believed, "")
    here = sbc(believed, STUDIES, quiet=True)
    assert elsewhere.ranks.keys() == here.ranks.keys()
    for name, ranks in here.ranks.items():
        np.testing.assert_array_equal(elsewhere.ranks[name], ranks)


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_workers_with_other_code_are_not_used(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelworks.study.inquiries._elsewhere.source_hash", lambda _: "of another edition")
    with pytest.raises(ModelworksError, match="J171"):
        list(each_elsewhere(cluster.scheduler_address, squared, [1, 2]))


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_a_scheduler_that_is_not_there_is_a_letter(monkeypatch: pytest.MonkeyPatch, believed: Path) -> None:
    monkeypatch.setattr("modelworks.study.inquiries._elsewhere.PATIENCE_SECONDS", 1.0)
    declared(believed, 'dask = "tcp://127.0.0.1:9"\n')
    with pytest.raises(ModelworksError, match="J170"):
        sbc(believed, 1, quiet=True)
