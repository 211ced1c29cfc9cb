"""How long it will take is said before, from what it took, and is laid beside what it took in the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from modelworks.jobs import Pace, Queue
from modelworks.study import Estimate, check_study, estimate, explain_job, order_study, queue_around, run_study
from modelworks.study import worker_around as worker_of


def expected(study: Path, until: str = "simulate") -> Estimate:
    with queue_around(study) as queue:
        return estimate(check_study(study), until, queue)


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
