"""A run of the first day that runs could be made again from their folders is one of today's, months and editions later.

`earliest_run.zip` holds it as it was published: the boarding school with 40 draws of two chains, up to `project`, by
commit 7692b2e.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from modelworks.report import export_crate
from modelworks.runs import Run, compare, trace_file, trace_number
from modelworks.study import find_run, index_around, reproduce, store_around

ID = "4674c3"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of today with that run in its store."""
    folder = tmp_path_factory.mktemp("team")
    (folder / "modelworks.toml").write_text('title = "Our studies"\n', encoding="utf-8")
    with zipfile.ZipFile(Path(__file__).with_name("earliest_run.zip")) as kept:
        kept.extractall(folder / "runs")
    return folder


@pytest.fixture
def run(team: Path) -> Run:
    return find_run(team, ID)


def test_it_is_found_and_whole(team: Path, run: Run) -> None:
    """By everything that a list and a search know of, although its record says less than one of today."""
    assert store_around(team).verify(run.key) == []
    with index_around(team) as index:
        (row,) = index.select().rows
        assert (row.id, row.person, row.until) == (ID, "Ada", "project")
        assert str(row.answer).startswith("One boy infected 3.25 (2.77 to 3.70) others")
        (number,) = trace_number(index, "3.25")
        assert number.name == "reproduction_number"
        (file,) = trace_file(index, run.path / "project" / "outputs.parquet")
        assert file.name == "project/outputs.parquet"


def test_it_goes_into_an_archive(run: Run, tmp_path: Path) -> None:
    export_crate(run, tmp_path / "crate")
    assert (tmp_path / "crate" / "ro-crate-metadata.json").is_file()


@pytest.mark.slow
def test_it_is_made_again_by_the_code_of_today(run: Run, tmp_path: Path) -> None:
    """Other kernels may round otherwise and a sampler may draw others, but of the same posterior; the model alone,
    where nothing is drawn, gives the very numbers."""
    made = reproduce(run, here=True, keep=tmp_path / "kept", quiet=True)
    assert made.verdict in ("bit-identical", "statistically identical"), made.sentences
    then, now = (pd.read_parquet(each.path / "simulate" / "outputs.parquet") for each in (run, made.again))
    pd.testing.assert_frame_equal(then, now, rtol=1e-9)
    kinds = {each.kind for each in compare([run, made.again]).differences}
    assert not kinds & {"data", "assumptions", "targets", "scenarios"}
