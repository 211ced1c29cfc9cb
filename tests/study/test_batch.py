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
from modelworks.study import choose_studies, find_run, queue_around, worker_around

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
