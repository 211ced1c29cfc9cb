"""The numbers of a figure as a table: what is drawn, and all of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelworks import plots
from modelworks.plots import drawn_rows

LEVELS = ["q025", "q25", "q50", "q75", "q975"]
# Of those the ones that are drawn where several series share a panel.
SHOWN = ["q025", "q50", "q975"]


def ribbons(output: str, days: int, seed: int) -> pd.DataFrame:
    values = np.sort(np.random.default_rng(seed).lognormal(3, 2, size=(days, 5)), axis=1)
    time = pd.date_range("2024-02-27 12:00", periods=days)
    return pd.DataFrame(values, columns=LEVELS).assign(output=output, time=time)


def test_the_rows_are_those_of_the_table_that_was_drawn() -> None:
    """Of two scenarios and their difference, under the headings they stand under, over a leap day."""
    both = pd.concat([ribbons("cases", 5, 1).assign(scenario="baseline"), ribbons("cases", 5, 2).assign(scenario="x")])
    less = ribbons("cases", 5, 3).assign(scenario="x")
    figure = plots.figure("scenarios")(both, less, labels={"cases": "Cases", "baseline": "As it is", "x": "Closed"})
    rows = pd.DataFrame(drawn_rows(figure.spec))
    (first, second) = rows["panel"].unique()
    assert first == "Cases: In each scenario"
    assert second.startswith("Cases: ")
    for name, table in ((first, both), (second, less)):
        told = rows[rows["panel"] == name]
        assert pd.to_datetime(told["time"]).dt.tz_localize(None).tolist() == table["time"].tolist()
        np.testing.assert_allclose(told[SHOWN], table[SHOWN], rtol=5e-5)
    assert rows["time"].iloc[2] == "2024-02-29T12:00:00Z"
    assert rows["scenario"].tolist() == ["As it is"] * 5 + ["Closed"] * 10


def test_what_lies_over_each_other_is_told_apart_and_what_was_counted_is_exact() -> None:
    days = pd.date_range("1978-01-22", periods=3)
    seen = pd.DataFrame({"target": "in_bed", "output": "in_bed", "time": days, "value": [1234567.0, 25.0, np.nan]})
    model = ribbons("in_bed", 3, 4).assign(time=days)
    new = ribbons("in_bed", 3, 5).assign(time=days)
    figure = plots.figure("fit")(model, seen.assign(included=True), predictive=new, labels={"in_bed": "In bed"})
    rows = pd.DataFrame(drawn_rows(figure.spec)).set_index("layer")
    assert rows.loc["observed", "value"].tolist()[:2] == [1234567, 25]
    assert np.isnan(rows.loc["observed", "value"].tolist()[2])
    np.testing.assert_allclose(rows.loc["expected", "q50"].astype(float), model["q50"], rtol=5e-5)
    np.testing.assert_allclose(rows.loc["new observations", "q975"].astype(float), new["q975"], rtol=5e-5)


def test_parameters_that_share_a_cloud_have_their_names() -> None:
    """Within the figure they go by numbers."""
    draws = {name: np.random.default_rng(k).normal(size=(2, 50)) for k, name in enumerate(("rate[0-4]", "a.b_c"))}
    labels = {"rate[0-4]": "rate[0-4] (per day)", "a.b_c": "a.b_c (people)"}
    rows = pd.DataFrame(drawn_rows(plots.figure("pairs")(draws, labels=labels).spec))
    for name, title in labels.items():
        np.testing.assert_allclose(rows[title].dropna().astype(float), draws[name].ravel(), rtol=5e-5)


@pytest.mark.parametrize("rows", [[{"a": 1}, {}], [{"a": 1}]])
def test_a_table_of_the_teams_own_figure_is_read_too(rows: list[dict[str, int]]) -> None:
    spec = {"$schema": "…", "description": "Caption", "title": ["Two", "lines"], "datasets": {"seen": rows}}
    assert drawn_rows(spec) == [{"panel": "Two lines", "layer": "seen", "a": 1}]


def test_columns_of_unequal_length_are_filled_up_as_vega_does() -> None:
    """A figure of the team's may unfold what it likes."""
    spec = {"data": {"values": [{"a": [1, 2], "b": ["x"], "c": 3}]}, "transform": [{"flatten": ["a", "b", "c", "d"]}]}
    rows = [{name: row[name] for name in "abcd"} for row in drawn_rows(spec)]
    assert rows == [{"a": 1, "b": "x", "c": 3, "d": None}, {"a": 2, "b": None, "c": None, "d": None}]
