"""The tables that other programs read: what was promised, and the report's own numbers."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from feeds_runs import START, feed_of, write_run

from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store
from modelworks.website.feeds import _schema
from modelworks.website.feeds._export import csv, parquet
from modelworks.website.feeds._of_run import table_of
from modelworks.website.feeds._query import Query
from modelworks.website.feeds._schema import TABLES
from modelworks.website.feeds._source import Feed


def test_the_columns_are_those_that_were_promised() -> None:
    """Somebody's Power BI report leans on each name: a change here is a change there.

    A column that was added belongs into schema.json, with a line in changelog/; one that was renamed, moved or means
    something else makes a new edition.
    """
    assert _schema.published() == _schema.as_text()


def test_every_column_says_what_it_means() -> None:
    for table in TABLES.values():
        names = [each.name for each in table.columns]
        assert len(set(names)) == len(names)
        assert set(table.key) <= set(names)
        assert all(each.meaning for each in table.columns)


@pytest.fixture
def run(store: Store) -> Run:
    """The latest run, which has everything."""
    return store.runs()[0]


def frame(run: Run, name: str) -> pd.DataFrame:
    found: pd.DataFrame = table_of(run, TABLES[name]).to_pandas()
    return found


def reported(run: Run, name: str) -> pd.DataFrame:
    """A table of the report, as its reader may download it."""
    return pd.read_parquet(run.path / "tables" / f"{name}.parquet")


@pytest.mark.parametrize(
    ("name", "of_report", "renamed"),
    [
        ("posterior_summaries", "posterior", {"parameter": "name"}),
        ("quantities", "quantities", {"quantity": "name"}),
        ("scenarios", "scenarios", {"scenario": "name"}),
        ("targets", "targets", {"target": "name"}),
    ],
)
def test_the_numbers_are_those_of_the_report(run: Run, name: str, of_report: str, renamed: dict[str, str]) -> None:
    """To the last digit: two programs that disagree are worse than one."""
    told, shown = frame(run, name).rename(columns=renamed), reported(run, of_report)
    assert (told["run"] == run.id).all()
    for column in shown.columns:
        assert list(told[column].astype(shown[column].dtype)) == list(shown[column]), column
    assert len(shown)


def test_series_are_the_ribbons_of_the_run(run: Run) -> None:
    """Every row, every digit; what is not known is empty in both."""
    told = frame(run, "series")
    for kind, file in {"projected": "outputs", "difference": "differences", "fitted": "fitted"}.items():
        shown = pd.read_parquet(run.path / "project" / f"{file}.parquet")
        same = told[told["kind"] == kind].reset_index(drop=True)
        columns = [each for each in shown.columns if each != "time"]
        pd.testing.assert_frame_equal(same[columns], shown[columns], check_exact=True, check_dtype=False)
        assert list(same["time"]) == list(shown["time"])
    assert set(told["kind"]) == {"projected", "difference", "fitted"}
    assert set(told.loc[told["kind"] == "fitted", "scenario"]) == {"baseline"}
    assert told["q975"].isna().sum() == 3


def test_a_run_that_only_simulated_has_its_one_series(store: Store) -> None:
    run = next(each for each in store.runs() if each.study == "tb")
    told = frame(run, "series")
    assert set(told["kind"]) == {"simulated"}
    assert list(told["q50"]) == list(pd.read_parquet(run.path / "simulate" / "outputs.parquet")["value"])
    assert told["q025"].isna().all()
    assert all(frame(run, name).empty for name in ("targets", "scenarios", "quantities", "parameters"))


def test_parameters_say_whether_the_data_had_a_say(run: Run) -> None:
    told = frame(run, "parameters").set_index("parameter")
    assert told.loc["boys", "value"] == 763
    assert not told.loc["boys", "calibrated"]
    assert told.loc["beta", "value"] == frame(run, "posterior_summaries")["q50"][0]
    assert told.loc["beta", "calibrated"]
    assert list(told["source"]) == ["BMJ 1978", "doi:10.1/x"]


def rows_of(feed: Feed, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(b"".join(parquet(feed, Query(TABLES[name]))))).to_pylist()
    return found


def test_the_table_of_runs_says_who_signed(feed: Feed) -> None:
    rows = rows_of(feed, "runs")
    assert [row["id"] for row in rows] == [each.id for each in feed.entries]
    assert [row["approved"] for row in rows] == [False] * 4 + [True]
    assert rows[-1]["approved_by"] == "Grace, Emmy"
    assert rows[-1]["approved_at"] > START.replace(tzinfo=None)
    assert rows[0]["approved_at"] is None
    assert rows[0]["key"].startswith("flu/sir/england/20261121T0")


@pytest.mark.parametrize("name", list(TABLES))
def test_csv_and_parquet_hold_the_same(feed: Feed, name: str) -> None:
    """Of all runs, the latest first, with the promised types in the one and exact numbers in the other."""
    query = Query(TABLES[name])
    whole = pq.read_table(io.BytesIO(b"".join(parquet(feed, query))))
    assert whole.schema.equals(TABLES[name].arrow(), check_metadata=False)
    text = b"".join(csv(feed, query)).decode()
    dates = [each.name for each in TABLES[name].columns if each.kind in ("moment", "day")]
    texts = {each.name: str for each in TABLES[name].columns if each.kind == "text"}
    read = pd.read_csv(io.StringIO(text), parse_dates=dates, dtype=texts)
    expected = whole.to_pandas()
    assert list(read.columns) == list(expected.columns)
    for column in expected.columns:
        there, here = read[column], expected[column]
        if column in dates:
            there, here = pd.to_datetime(there, utc=True).dt.tz_localize(None), pd.to_datetime(here)
        if here.dtype == object or isinstance(here.dtype, pd.StringDtype):
            there, here = there.fillna("").astype(str), here.fillna("").astype(str)
        assert ((there == here) | (there.isna() & here.isna())).all(), column


def test_a_damaged_run_is_told_of_and_not_left_out(tmp_path: Path) -> None:
    """A table that lacks a run without saying so would be believed; with the run named, the others can be read."""
    store = Store(tmp_path / "runs")
    kept, damaged = (write_run(store, tmp_path, number, f"flu{number}") for number in range(2))
    broken = damaged.path / "project" / "outputs.parquet"
    broken.chmod(0o644)
    broken.write_bytes(b"PAR1")
    with pytest.raises(ModelworksError, match=damaged.id) as told:
        rows_of(feed_of(store), "series")
    assert told.value.codes == ("W221",)
    feed = feed_of(store)
    shutil.rmtree(damaged.path)
    assert {row["run"] for row in rows_of(feed, "series")} == {kept.id}


def test_a_column_that_sends_one_to_its_unit_has_it_beside_it() -> None:
    for table in TABLES.values():
        if any(column.unit == "see unit" for column in table.columns):
            assert table.column("unit") is not None, table.name
