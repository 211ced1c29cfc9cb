"""Work of machines of dask: to the last bit that of here, also when one of them is killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import Progress
from modelworks.study import run_study, sbc, sensitivity
from modelworks.study._record import input_files
from modelworks.study.binding._binding import bind
from modelworks.study.jobs import _elsewhere
from modelworks.study.jobs._elsewhere import Machines, machines_of
from modelworks.study.projection._projection import Projected, project

PATIENCE_SECONDS = 120.0
STUDIES = 6
NOBODY = "tcp://127.0.0.1:9"
DAYS = "start: 2021-01-01, end: 2021-01-10, every: 1"
ASKED = """
scenarios:
  baseline: {title: As it is}
  fast: {title: Faster, parameters: {rate: {multiply: 3}}}
quantities:
  asked: {title: Who left, output: left, statistic: sum, scenario: fast, minus: baseline, to: 2021-01-08}
"""
# A program of a team's own: by chance, and slow.
FUNCTION = """
import time

import numpy as np
from modelworks.model import FunctionModel, FunctionOutput, Parameter


def simulate(values, times, key):
    time.sleep(0.03)
    if values["rate"] > 5:
        raise ValueError("so fast is nobody")
    left = key.poisson(values["rate"] * values["first"] * np.exp(-values["rate"] * times))
    left[0] = 0
    return {"left": left}


model = FunctionModel(
    "decay",
    simulate,
    [Parameter("rate", "per day", lower=0), Parameter("first", "people", lower=0), Parameter("share", "proportion")],
    {"left": FunctionOutput("people", counts_events=True)},
)
"""


class Posterior:
    """Draws of the rate, in one chain."""

    def __init__(self, rates: list[float]) -> None:
        self._rates = rates

    def draws(self, _: str) -> Any:
        return np.array([self._rates])


RATES = Posterior(np.linspace(0.05, 0.5, 50).tolist())


def squared(folder: str, item: int) -> int:
    return len(folder) + item * item


def two_workers() -> Any:
    """Two workers of dask, each a process."""
    import distributed

    return distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_workers() as running:
        yield running


@pytest.fixture
def mortal() -> Iterator[Any]:
    """For a test that kills one of them."""
    with two_workers() as running:
        yield running


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever there is to do is handed over, in small parts."""
    monkeypatch.setattr(_elsewhere, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(_elsewhere, "PART_SECONDS", 0.1)


@pytest.fixture
def believed(decay: Callable[..., Path], tmp_path: Path) -> Path:
    values = "2021-01-01: 90, 2021-01-02: 82, 2021-01-03: 74, 2021-01-04: 67"
    more = f"calibration: {{chains: 2, draws: 200, warmup: 150}}\n{ASKED}"
    return decay(tmp_path, DAYS, values=values, more=more)


@pytest.fixture
def slow(decay: Callable[..., Path], tmp_path: Path) -> Path:
    folder = decay(tmp_path, DAYS, more=ASKED)
    (tmp_path / "models" / "decay.py").write_text(FUNCTION, encoding="utf-8")
    return folder


def declared(folder: Path, text: str) -> None:
    (folder.parents[1] / "modelworks.toml").write_text(text, encoding="utf-8")


def kept(folder: Path) -> Path:
    return folder.parents[1] / ".modelworks"


def projected(folder: Path, posterior: Any = RATES, progress: Progress | None = None) -> Projected:
    study = bind(folder)
    return project(study, posterior, progress or Progress(quiet=True), 1, machines_of(study, input_files(study)))


@contextlib.contextmanager
def killed_after_the_first(process: Callable[[], int], place: Path, pattern: str) -> Iterator[None]:
    """As soon as one piece of work has come back, when others are under way, a process is killed."""
    found: list[int] = []
    over = threading.Event()

    def kill() -> None:
        for _ in range(int(PATIENCE_SECONDS / 0.01)):
            if any(place.glob(pattern)):
                found.append(process())
                os.kill(found[0], signal.SIGKILL)
                return
            if over.wait(0.01):
                return

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
    assert found


def worker_of(cluster: Any) -> Callable[[], int]:
    return lambda: int(next(iter(cluster.workers.values())).pid)


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_ranks_are_those_of_here_although_a_worker_is_killed(mortal: Any, believed: Path) -> None:
    declared(believed, f'dask = "{mortal.scheduler_address}"\n')
    with killed_after_the_first(worker_of(mortal), kept(believed), "sbc/*/*.json"):
        elsewhere = sbc(believed, STUDIES, quiet=True)
    kept(believed).rename(believed.parents[1] / "gone")
    declared(believed, "")
    here = sbc(believed, STUDIES, quiet=True)
    assert elsewhere.ranks.keys() == here.ranks.keys()
    for name, ranks in here.ranks.items():
        np.testing.assert_array_equal(elsewhere.ranks[name], ranks)


@pytest.mark.slow
@pytest.mark.needs("distributed")
@pytest.mark.usefixtures("little")
def test_projections_are_those_of_here_although_a_worker_is_killed(mortal: Any, slow: Path) -> None:
    declared(slow, f'dask = "{mortal.scheduler_address}"\n')
    with killed_after_the_first(worker_of(mortal), kept(slow), "handed/*/*.npy"):
        elsewhere = projected(slow)
    declared(slow, "")
    here = projected(slow)
    for name in ("outputs", "differences", "ratios", "fitted", "predictive"):
        pd.testing.assert_frame_equal(getattr(elsewhere, name), getattr(here, name), check_exact=True)
    np.testing.assert_array_equal(elsewhere.values["asked"], here.values["asked"])
    assert elsewhere.quantities == here.quantities


@pytest.mark.slow
@pytest.mark.needs("distributed")
@pytest.mark.usefixtures("little")
def test_a_sensitivity_is_that_of_here_although_a_worker_is_killed(mortal: Any, slow: Path) -> None:
    declared(slow, f'dask = "{mortal.scheduler_address}"\n')
    with killed_after_the_first(worker_of(mortal), kept(slow), "handed/*/*.npy"):
        elsewhere = sensitivity(slow, method="prcc", runs=50, quiet=True)
    assert not list(kept(slow).glob("handed/*")), "what is done is not kept twice"
    declared(slow, "")
    here = sensitivity(slow, method="prcc", runs=50, quiet=True)
    pd.testing.assert_frame_equal(elsewhere.table, here.table, check_exact=True)
    assert elsewhere.middle == here.middle


@pytest.mark.slow
@pytest.mark.needs("distributed")
@pytest.mark.usefixtures("little")
def test_the_stage_of_a_run_writes_the_same_files(
    cluster: Any, believed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job carries out no other stages than these."""
    declared(believed, f'dask = "{cluster.scheduler_address}"\n')
    elsewhere = run_study(believed, until="project").run
    assert "are handed to dask at" in capsys.readouterr().err
    kept(believed).rename(believed.parents[1] / "gone")
    declared(believed, "")
    here = run_study(believed, until="project", quiet=True).run
    assert elsewhere is not None
    assert here is not None
    names = sorted(each.name for each in (here.path / "project").iterdir())
    assert "outputs.parquet" in names
    for name in names:
        if name.endswith((".parquet", "quantities.json")):
            assert (elsewhere.path / "project" / name).read_bytes() == (here.path / "project" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.needs("distributed")
@pytest.mark.usefixtures("little")
def test_what_stops_a_run_there_is_told_as_here(cluster: Any, slow: Path) -> None:
    declared(slow, f'dask = "{cluster.scheduler_address}"\n')
    with pytest.raises(ModelworksError, match="so fast is nobody, at rate = 6") as raised:
        projected(slow, Posterior([*([0.1] * 40), 2.0]))
    assert raised.value.codes == ("S129",)


@pytest.mark.slow
@pytest.mark.needs("distributed")
@pytest.mark.usefixtures("little")
def test_a_scheduler_that_is_lost_costs_what_was_under_way(slow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_elsewhere, "PATIENCE_SECONDS", 5.0)
    with scheduler_and_worker(slow.parents[1]) as (scheduler, address):
        declared(slow, f'dask = "{address}"\n')
        with (
            killed_after_the_first(lambda: scheduler.pid, kept(slow), "handed/*/*.npy"),
            pytest.raises(ModelworksError, match="J170"),
        ):
            projected(slow)
    came_back = sum(len(np.load(file)) for file in kept(slow).glob("handed/*/*.npy"))
    assert came_back > 0
    # The same command goes on; what is left is little enough to be done here.
    monkeypatch.setattr(_elsewhere, "WORTH_SECONDS", 1e6)
    heard: list[str] = []
    progress = Progress(quiet=True)
    monkeypatch.setattr(progress, "mention", heard.append)
    elsewhere = projected(slow, progress=progress)
    assert (told := re.match(r"(\d+) runs of .* are done here", heard[0]))
    assert int(told[1]) <= 100 - came_back
    declared(slow, "")
    pd.testing.assert_frame_equal(elsewhere.outputs, projected(slow).outputs, check_exact=True)


@contextlib.contextmanager
def scheduler_and_worker(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler of its own process, with a worker, as an administrator begins them; and its address."""
    file = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    begin = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen(begin, **quiet)  # type: ignore[call-overload]
    worker = subprocess.Popen(
        [*dask, "worker", "--no-dashboard", "--no-nanny", "--nthreads", "1", "--scheduler-file", str(file)],
        cwd=folder, **quiet,
    )  # type: ignore[call-overload]  # fmt: skip
    try:
        pause = threading.Event()
        for _ in range(int(PATIENCE_SECONDS / 0.05)):
            if file.is_file() and (address := re.search(r'"address": "(.*?)"', file.read_text("utf-8"))):
                break
            pause.wait(0.05)
        assert address
        yield scheduler, address[1]
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_workers_with_other_code_or_without_the_files_are_not_used(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    away = Machines(cluster.scheduler_address, str(tmp_path / "away"), tmp_path)
    with pytest.raises(ModelworksError, match="J172"):
        list(away.each(squared, {"one": (1,)}))
    monkeypatch.setattr(_elsewhere, "source_hash", lambda _: "of another edition")
    with pytest.raises(ModelworksError, match="J171"):
        list(Machines(cluster.scheduler_address, str(tmp_path), tmp_path).each(squared, {"one": (1,)}))


@pytest.mark.slow
@pytest.mark.needs("distributed")
def test_a_scheduler_that_is_not_there_is_a_letter(monkeypatch: pytest.MonkeyPatch, believed: Path) -> None:
    monkeypatch.setattr(_elsewhere, "PATIENCE_SECONDS", 1.0)
    declared(believed, f'dask = "{NOBODY}"\n')
    with pytest.raises(ModelworksError, match="J170"):
        sbc(believed, 1, quiet=True)


def test_what_is_quickly_done_stays_here(believed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is even asked: there is nobody at that address."""
    declared(believed, f'dask = "{NOBODY}"\n')
    there = sensitivity(believed, method="prcc", runs=1000)
    assert "are done here: to hand them to dask would take longer" in capsys.readouterr().err
    declared(believed, "")
    assert there.table.equals(sensitivity(believed, method="prcc", runs=1000, quiet=True).table)
