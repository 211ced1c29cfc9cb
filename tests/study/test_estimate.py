"""How long it will take is said before, from what it took, and is laid beside what it took in the end."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelworks.jobs import Capacity, Order, Pace, Queue
from modelworks.runs import BucketStore, Store
from modelworks.study import (
    Estimate,
    check_study,
    estimate,
    estimates,
    explain_job,
    order_study,
    queue_around,
    run_study,
    store_around,
)
from modelworks.study import worker_around as worker_of
from modelworks.study.jobs import _estimate


def expected(study: Path, until: str = "simulate") -> Estimate:
    with queue_around(study) as queue:
        return estimate(check_study(study), until, queue)


def hourly(store: Store | BucketStore) -> None:
    """An hour between any two runs: of those of the same second nobody could say which is the latest."""
    hours = itertools.count()
    store._clock = lambda: datetime(2026, 11, 21, tzinfo=UTC) + timedelta(hours=next(hours))


def test_what_is_kept_takes_nothing_and_what_was_done_takes_what_it_took(quick: Path) -> None:
    first = expected(quick)
    assert first.stages == {"simulate": None}
    assert first.seconds is None
    run = run_study(quick, until="simulate", quiet=True).run
    assert run is not None
    assert expected(quick).in_words() == "nothing to do: no input has changed"
    text = (quick / "study.yaml").read_text(encoding="utf-8")
    assert "seed: " in text
    (quick / "study.yaml").write_text(text.replace("seed: ", "seed: 1"), encoding="utf-8")
    (took,) = [stage["seconds"] for stage in run.record["stages"]]
    again = expected(quick)
    assert (again.seconds, again.stages) == (took, {"simulate": took})


def test_a_calibration_never_done_is_reckoned_from_one_run_of_the_model(quick: Path) -> None:
    """More cores than chains are of no use; the same with one core takes as many times longer as there are chains."""
    study = check_study(quick)
    with queue_around(quick) as queue:
        alone = estimate(study, "calibrate", queue, 1).stages["calibrate"]
        many = estimate(study, "calibrate", queue, 64)
    assert alone is not None
    assert many.stages["calibrate"] is not None
    assert "from a run of the model" in many.grounds
    assert 1.0 < alone / many.stages["calibrate"] < 4 * study.inputs.study.calibration.chains


def test_chains_that_end_when_there_are_enough_draws_are_not_reckoned_to_the_last_they_may_make(quick: Path) -> None:
    """Of NUTS, 10 steps a draw: 400 effective ones of 0.3 each, of two chains, and 120 before each."""
    text = (quick / "study.yaml").read_text(encoding="utf-8")
    grounds = {}
    for asked in ("draws: 120", "effective_draws: 400", "draws: 150\n  effective_draws: 400", "r_hat: 1.01"):
        (quick / "study.yaml").write_text(text.replace("draws: 120", asked, 1), encoding="utf-8")
        grounds[asked] = expected(quick, "calibrate").grounds.rpartition(" times ")[2].partition(";")[0]
    assert list(grounds.values()) == ["4,800", "16,400", "5,400", "16,400"]


def test_each_executor_is_told_what_it_took_there_or_else_elsewhere(quick: Path, repository: Path) -> None:
    """A cluster is not a laptop: of each its own history counts, and how long jobs waited there."""
    study, store = check_study(quick), store_around(repository)
    hourly(store)
    with queue_around(repository) as queue:
        for executor, took, memory in (("process", 40.0, 1.5), ("slurm", 10.0, 6.0)):
            stages = [{"name": "simulate", "seconds": took, "reused": False}]
            run = store.publish((study.name, "sir", "here"), stages={}, record={"stages": stages})
            queue.submit([Order("x", ("true",), executor=executor, labels={"study": study.name})])
            [claim] = queue.claim(queue.enter("here"), Capacity((executor,), cores=8, memory_gb=64.0))
            result = {"result": {"run": run.id}, "took": {"seconds": took, "memory_gb": memory, "cpu_seconds": took}}
            queue.finish(claim, "done", result)
        found = {each.executor: each for each in estimates(study, "simulate", queue, ("process", "slurm", "dask"))}
    expected = {name: (each.expected.seconds, each.expected.memory_gb) for name, each in found.items()}
    # The latest run anywhere is the cluster's.
    assert expected == {"process": (40.0, 1.5), "slurm": (10.0, 6.0), "dask": (10.0, 6.0)}
    assert found["slurm"].expected.grounds == "simulate as the last time"
    assert found["dask"].expected.grounds == "simulate as the last time, elsewhere"
    assert found["dask"].wait_seconds is None
    assert found["slurm"].wait_seconds is not None
    assert found["slurm"].wait_seconds < 60.0


def test_what_was_never_done_takes_what_it_took_in_other_studies_and_what_is_partly_known_more(quick: Path) -> None:
    study, store = check_study(quick), store_around(quick)
    assert expected(quick).seconds is None
    taken = {"stages": [{"name": "simulate", "seconds": 3.0, "reused": False}]}
    store.publish(("another", "sir", "here"), stages={}, record=taken)
    told = expected(quick)
    assert (told.seconds, told.grounds) == (3.0, "simulate as in other studies")
    with queue_around(quick) as queue:
        order = order_study(quick, until="diagnose")
        (job,) = queue.submit([order])
        [claim] = queue.claim(queue.enter("here"), Capacity((order.executor,), cores=8, memory_gb=64.0))
        queue.finish(claim, "done", {"took": {"seconds": 90.0, "memory_gb": 1.0, "cpu_seconds": 90.0}})
        part = estimate(study, "diagnose", queue)
    assert part.in_words().startswith("more than ")
    assert "where more than " in explain_job(quick, job).text


@pytest.mark.slow
def test_what_a_job_took_is_recorded_beside_what_was_expected(quick: Path, repository: Path) -> None:
    run_study(quick, until="simulate", quiet=True)
    queue: Queue
    with queue_around(repository) as queue:
        (job,) = queue.submit([order_study(quick, until="simulate")])
        pace = Pace(lease=2.0, backoff=0.01, poll=0.02)
        worker_of(repository, cores=4, memory_gb=8.0, pace=pace).run(threading.Event(), until_idle=True)
        took = queue.get(job).outcome["took"]
    assert 0.03 < took["memory_gb"] < 4.0
    assert took["seconds"] > 0.0
    assert "were expected" in explain_job(repository, job).text


def test_of_many_runs_only_the_latest_are_read(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that reads ten thousand runs to say how long one takes is not waited for."""
    study, store = check_study(quick), store_around(quick)
    hourly(store)
    for number in range(6):
        taken = {"stages": [{"name": "simulate", "seconds": float(number), "reused": False}]}
        store.publish((study.name, "sir", "here"), stages={}, record=taken)
    opened: list[str] = []
    monkeypatch.setattr(_estimate, "LOOKED_AT", 2)
    monkeypatch.setattr(Store, "open", lambda self, key, open_it=Store.open: opened.append(key) or open_it(self, key))
    assert expected(quick).stages["simulate"] == 5.0
    assert len(opened) == 2
    assert opened == store.latest_first(study.name)[:2]
