"""Several studies handed over together, watched together, and laid side by side."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from pathlib import Path

import pytest

from modelworks.cli import main
from modelworks.errors import ModelworksError
from modelworks.jobs import Pace
from modelworks.study import choose_studies, find_run, queue_around, run_study, worker_around
from modelworks.study._stale import fingerprints
from modelworks.study.binding._binding import bind
from modelworks.study.inquiries._rerun import scenarios_copy

QUICK = Pace(lease=2.0, backoff=0.01, poll=0.02)


@pytest.fixture
def two(quick: Path) -> tuple[Path, Path]:
    """A study, and the same of another region."""
    other = quick.with_name("another-school")
    shutil.copytree(quick, other)
    text = (other / "study.yaml").read_text(encoding="utf-8")
    assert "region: england" in text
    (other / "study.yaml").write_text(text.replace("region: england", "region: elsewhere"), encoding="utf-8")
    return quick, other


def said(words: list[str], capsys: pytest.CaptureFixture[str], status: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr()
    assert ended.value.code == status, told.err
    return told.out


def test_studies_are_chosen_by_region(two: tuple[Path, Path]) -> None:
    assert choose_studies((), regions=("elsewhere",), start=two[0]) == [two[1]]
    with pytest.raises(ModelworksError, match="J132"):
        choose_studies((), regions=("elsewhee",), start=two[0])
    with pytest.raises(ModelworksError, match="J132"):
        choose_studies([two[0].name], regions=("elsewhere",), start=two[0])


def test_a_mistake_in_one_study_hands_none_over(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two[0])
    (two[1] / "parameters.yaml").write_text("contact_rate: {value: 3}", encoding="utf-8")
    said(["submit", two[0].name, two[1].name], capsys, status=1)
    with queue_around(two[0]) as queue:
        assert queue.jobs() == []


def test_jobs_are_found_by_study_batch_and_person(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two[0])
    told = json.loads(said(["submit", *(each.name for each in two), "--matrix", "--json"], capsys))
    assert len(told["jobs"]) == 3

    def listed(*words: str) -> list[str]:
        return [job["id"] for job in json.loads(said(["jobs", "--json", *words], capsys))]

    first, second, last = (each["job"] for each in told["jobs"])
    assert listed("--batch", told["batch"]) == [last, second, first]
    assert listed("--study", two[1].name) == [second]
    assert listed("--by", 'nobody", "') == []
    said(["cancel", told["batch"]], capsys)
    assert listed("--state", "waiting") == []


@pytest.mark.slow
def test_a_matrix_ends_with_the_numbers_of_all_side_by_side(
    two: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row of the table is what the run itself says."""
    monkeypatch.chdir(two[0])
    told = json.loads(
        said(["submit", *(each.name for each in two), "--matrix", "--stage", "project", "--json"], capsys)
    )
    worker_around(two[0], cores=4, memory_gb=8.0, pace=QUICK).run(threading.Event(), until_idle=True)
    shown = said(["watch", told["batch"]], capsys)
    with queue_around(two[0]) as queue:
        summary = queue.get(told["jobs"][-1]["job"])
    assert summary.state == "done", summary.outcome
    with open(summary.outcome["result"]["table"], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["study"] for row in rows} == {each.name for each in two}
    for row in rows:
        record = find_run(two[0], row["run"]).record
        number = {**record["parameters"], **record["quantities"]}[row["number"]]
        assert float(row["median"]) == number["median"]
        assert row["run"] in shown


INFECTED = """
  infected: {title: Infected, unit: people, output: new_infections, statistic: sum}
  infected_isolated: {title: The same, unit: people, output: new_infections, statistic: sum, scenario: isolation}

answer: """


@pytest.fixture
def asked(quick: Path) -> Path:
    """A study that tells how many are infected, as it happened and in a scenario."""
    file = quick / "study.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("\nanswer: ", INFECTED, 1), encoding="utf-8")
    return quick


def test_scenarios_that_are_not_there_are_told(
    quick: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(quick)
    for words in (
        ["--scenario", "isolaton"],
        ["--matrix", "--scenario", "isolaton"],
        ["--scenario", "all", "--stage", "diagnose"],
    ):
        with pytest.raises(SystemExit):
            main(["submit", *words])
        assert "J132" in capsys.readouterr().err
    with pytest.raises(ModelworksError, match="isolation"):
        choose_studies([quick.name], scenarios=("isolaton",), start=quick)
    with queue_around(quick) as queue:
        assert queue.jobs() == []


def test_some_scenarios_of_a_study_tell_what_can_be_told_of_them(asked: Path) -> None:
    """Nothing is calibrated again for it, and of one alone the numbers are those in it."""
    study = bind(asked)
    alone, both = (bind(scenarios_copy(study.inputs, names)) for names in (["isolation"], ["baseline", "isolation"]))
    without = bind(scenarios_copy(study.inputs, ["baseline"]))
    assert alone.inputs.study.quantities["infected"].scenario == "isolation"
    assert both.inputs.study.quantities["infected"].scenario is None
    assert "spared" in alone.inputs.study.quantities
    assert "spared" not in without.inputs.study.quantities
    assert list(without.inputs.study.scenarios) == ["baseline"]
    assert fingerprints(alone)["calibrate"] == fingerprints(study)["calibrate"]
    assert fingerprints(alone)["project"] != fingerprints(study)["project"]


@pytest.mark.slow
def test_a_matrix_of_scenarios_calibrates_once_and_tells_the_numbers_of_each(
    asked: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those of the study that runs all of its scenarios."""
    monkeypatch.chdir(asked)
    words = ["submit", asked.name, "--matrix", "--scenario", "all", "--stage", "project", "--json"]
    shared, *each, summary = (told["job"] for told in json.loads(said(words, capsys))["jobs"])
    assert len(each) == 2
    worker_around(asked, cores=4, memory_gb=8.0, pace=QUICK).run(threading.Event(), until_idle=True)
    with queue_around(asked) as queue:
        assert [queue.get(job).state for job in (shared, *each, summary)] == 4 * ["done"]
        for job in each:
            done = {stage["name"]: stage["reused"] for stage in queue.get(job).outcome["result"]["stages"]}
            assert done["calibrate"]
        rows = queue.get(summary).outcome["result"]["rows"]
    found = {row["scenario"]: row["median"] for row in rows if row["number"] == "infected"}
    assert {row["study"] for row in rows} == {asked.name}
    whole = run_study(asked, until="project", quiet=True).run
    assert whole is not None
    told = whole.record["quantities"]
    # A step of the solver is settled for the most demanding of the scenarios that are run together.
    assert found["baseline"] == pytest.approx(told["infected"]["median"], rel=1e-3)
    assert found["isolation"] == pytest.approx(told["infected_isolated"]["median"], rel=1e-3)
    assert found["isolation"] < found["baseline"]
