"""A run that lacks something of what every run holds is told of, thing by thing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelworks.logs import Log
from modelworks.runs import LOG, Run, Store, lacks, provenance

FILES = (
    "calibrate/posterior.nc", "calibrate/calibration.json", "report/report.html", "report/report.md",
    "report/figures/fit.png", "report/figures/fit.vl.json", "report/tables/checks.csv", "report/tables/checks.parquet",
)  # fmt: skip
Make = Callable[..., Run]


@pytest.fixture
def make(store: Store, tmp_path: Path) -> Make:
    """A run with all that it should hold, but for files and words of its record."""

    def make(without: tuple[str, ...] = (), told: dict[str, Any] | None = None) -> Run:
        stages = [name for name in ("calibrate", "report") if f"log of {name}" not in without]
        for name in FILES:
            path = tmp_path / "made" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name not in without:
                path.write_text("x", encoding="utf-8")
        for stage in stages:
            Log(tmp_path / "made" / stage / LOG).event("stage ended", stage=stage)
        record = {
            "study": "flu",
            "model": "sir",
            "stages": [{"name": "calibrate", "seconds": 2.0}, {"name": "report", "seconds": 1.0}],
            "fingerprints": {},
            "seconds": 3.0,
            "finished": "2026-11-21T05:15:00+00:00",
            "calibration": {"seed": 1},
            "provenance": provenance(tmp_path),
        }
        (tmp_path / "study.yaml").write_text("title: Flu\n", encoding="utf-8")
        return store.publish(
            ("flu", "sir", "uk"),
            stages={name: tmp_path / "made" / name for name in ("calibrate", "report")},
            record={**record, **(told or {})},
            files={} if "inputs" in without else {"inputs/study.yaml": tmp_path / "study.yaml"},
        )

    return make


def test_a_whole_run_lacks_nothing(make: Make) -> None:
    assert lacks(make()) == []


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("calibrate/posterior.nc", "calibrate/posterior.nc"),
        ("report/report.html", "report.html"),
        ("report/figures/fit.png", "figures/fit.png"),
        ("report/tables/checks.parquet", "tables/checks.parquet"),
        ("inputs", "inputs/: the files it was made from"),
        ("log of calibrate", "log.jsonl: when the stage calibrate was done"),
    ],
)
def test_a_file_that_should_be_there_is_missed(make: Make, without: str, said: str) -> None:
    assert lacks(make((without,))) == [said]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"calibration": {}}, "run.json: calibration.seed"),
        ({"stages": [{"name": "calibrate"}, {"name": "report", "seconds": 1.0}]}, "how long the stage calibrate took"),
        ({"provenance": {"machine": {}}}, "run.json: provenance.machine.processor"),
        ({"provenance": {"machine": {}}}, "run.json: provenance.commit"),
    ],
)
def test_a_word_that_should_be_said_is_missed(make: Make, told: dict[str, Any], said: str) -> None:
    assert any(said in each for each in lacks(make(told=told)))


@pytest.mark.parametrize("name", ["log.jsonl", "environment.lock", "README.txt", "checksums.json"])
def test_what_a_run_has_of_its_own_is_missed(make: Make, name: str) -> None:
    run = make()
    run.path.chmod(0o755)
    (run.path / name).unlink()
    assert name in lacks(run)


def test_a_record_without_stages_is_read_all_the_same(make: Make) -> None:
    """Of an older edition, or of another program: everything is missed, and nothing fails."""
    run = make()
    (run.path / "run.json").chmod(0o644)
    (run.path / "run.json").write_text(json.dumps({}), encoding="utf-8")
    assert "run.json: stages" in lacks(Run(run.path, run.key, run.id, {}))
