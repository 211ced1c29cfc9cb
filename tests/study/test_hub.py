"""Forecasts for a hub: what a closed form says, in the format that the Hubverse's documentation defines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hub_rules import broken

from modelworks.errors import ModelworksError
from modelworks.report import export_hubverse
from modelworks.runs import Progress, Run, Store
from modelworks.study.binding._binding import bind
from modelworks.study.projection._hub import forecasts, write

TIME = "start: 2021-01-01, end: 2021-01-29, every: 1"
HUB = """
hub:
  model_id: ours-decay
  reference_date: 2021-01-14
  location: "07"
  horizons: [0, 1, 2]
  targets: {wk inc left: left}
"""
COVERS = {"values": "2021-01-01: 600", "covers": "week"}
Decay = Callable[..., Path]


def drawn(rates: list[float]) -> Any:
    return SimpleNamespace(draws=lambda _: np.array([rates], dtype=float))


def left(rate: float, first: float, last: float) -> float:
    """People of 1000 who leave between two days."""
    return 1000 * (np.exp(-rate * first) - np.exp(-rate * last))


def test_a_week_ahead_is_the_week_that_ends_on_the_day(decay: Decay, tmp_path: Path) -> None:
    """Horizon h ends h weeks after the reference date, which is its last day; around it a Poisson scatters."""
    study = bind(decay(tmp_path, TIME, more=HUB, **COVERS))
    assert study.inputs.study.hub is not None
    table = forecasts(study, study.inputs.study.hub, drawn([0.1] * 1000), Progress(quiet=True), 1)
    for horizon in (0, 1, 2):
        part = table[table["horizon"] == horizon]
        mean = left(0.1, 7 * (horizon + 1), 7 * (horizon + 2))
        assert str(part["date"].iloc[0]) == f"2021-01-{14 + 7 * horizon}"
        assert part["value"].mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 1000))
        assert part["value"].var() == pytest.approx(mean, rel=0.2)


def test_a_sample_is_one_trajectory(decay: Decay, tmp_path: Path) -> None:
    """The same draw at every horizon: where the rate is high, all weeks together are."""
    study = bind(decay(tmp_path, TIME, more=HUB, **COVERS))
    assert study.inputs.study.hub is not None
    rates = [0.01, 0.2] * 500
    table = forecasts(study, study.inputs.study.hub, drawn(rates), Progress(quiet=True), 1)
    wide = table.pivot(index="draw", columns="horizon", values="value")
    fast = wide.index.to_numpy() % 2 == 1
    assert wide.loc[fast, 2].max() < wide.loc[~fast, 2].min()
    assert wide.loc[fast, 0].min() > wide.loc[~fast, 0].max()


@pytest.fixture
def run(decay: Decay, tmp_path: Path) -> Callable[..., Run]:
    """A run with the forecasts of a study."""

    def run(more: str = HUB) -> Run:
        study = bind(decay(tmp_path, TIME, more=more, **COVERS))
        stage = tmp_path / "stage"
        stage.mkdir()
        (stage / "quantities.json").write_text("{}", encoding="utf-8")

        def write_json(name: str, value: Any) -> None:
            (stage / name).write_text(json.dumps(value), encoding="utf-8")

        rates = list(np.random.default_rng(1).normal(0.1, 0.01, 400))
        work: Any = SimpleNamespace(
            study=study, folder=stage, posterior=lambda: drawn(rates), progress=Progress(quiet=True), cores=1
        )
        work.write_json = write_json
        write(work)
        return Store(tmp_path / "runs").publish(("decay", "decay", "there"), stages={"project": stage}, record={})

    return run


def test_the_file_is_as_hubs_take_it(run: Callable[..., Run], tmp_path: Path) -> None:
    """Rules of the Hubverse: name and place, columns, one value a task and id, levels, no quantiles that cross."""
    file = export_hubverse(run(), tmp_path / "hub")
    assert file.relative_to(tmp_path).as_posix() == "hub/model-output/ours-decay/2021-01-14-ours-decay.csv"
    text = pd.read_csv(file, dtype=str, keep_default_na=False)
    tasks = ["reference_date", "target", "horizon", "location"]
    assert list(text) == [*tasks, "output_type", "output_type_id", "value"]
    assert set(text["output_type"]) == {"quantile", "sample"}
    assert (text != "").all().all()
    assert text["reference_date"].map(lambda day: re.fullmatch(r"\d{4}-\d\d-\d\d", day) is not None).all()
    assert set(text["location"]) == {"07"}
    assert not text.duplicated([*tasks, "output_type", "output_type_id"]).any()
    quantiles = text[text["output_type"] == "quantile"].astype({"output_type_id": float, "value": float})
    for _, part in quantiles.groupby(tasks):
        assert len(part) == 23
        assert part["output_type_id"].between(0, 1).all()
        assert part["output_type_id"].is_monotonic_increasing
        assert part["value"].is_monotonic_increasing
    samples = text[text["output_type"] == "sample"]
    for _, part in samples.groupby(tasks):
        assert part["output_type_id"].astype(int).tolist() == list(range(1, 101))
    medians = quantiles[quantiles["output_type_id"] == 0.5].set_index("horizon")["value"]
    assert medians["1"] == pytest.approx(left(0.1, 14, 21), rel=0.1)


def tasks(targets: list[str], days: str = "reference_date") -> dict[str, Any]:
    """As its administrator writes a hub's `tasks.json`: what each column may hold, and what has to be there."""
    ids = {
        days: {"required": ["2021-01-14"], "optional": ["2021-01-21"]},
        "target": {"required": targets, "optional": None},
        "horizon": {"required": [0, 1, 2], "optional": [3]},
        "location": {"required": ["07"], "optional": ["US"]},
        "target_end_date": {"required": None, "optional": ["2021-01-14", "2021-01-21", "2021-01-28"]},
    }
    levels = [0.01, 0.025, *(round(k / 20, 2) for k in range(1, 20)), 0.975, 0.99]
    samples = {"min_samples_per_task": 100, "max_samples_per_task": 100}
    return {
        "round_id": days,
        "task_ids": ids,
        "output_type": {
            "quantile": {"output_type_id": {"required": levels}},
            "sample": {"output_type_id_params": {**samples, "compound_taskid_set": [days, "target", "location"]}},
        },
    }


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("several", [False, True])
def test_a_hub_takes_the_file(run: Callable[..., Run], tmp_path: Path, form: Any, several: bool) -> None:
    """By the rules of its documentation, which a reader of its `tasks.json` holds the file to."""
    found = run(HUB + "  columns: [reference_date, target, horizon, location, target_end_date]\n")
    if several:
        path = found.path / "project" / "forecasts.parquet"
        path.chmod(0o644)
        draws = pd.read_parquet(path)
        pd.concat([draws, draws.assign(target="other")]).to_parquet(path)
    asked = tasks(["wk inc left", "other"] if several else ["wk inc left"])
    file = export_hubverse(found, tmp_path / "hub", form)
    assert broken(tmp_path / "hub", file, asked) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (",07,", ",7,", "valid_vals: location"),
        (",0,07,", ",4,07,", "valid_vals: horizon"),
        ("quantile,0.01,", "quantile,0.02,", "req_vals"),
        ("quantile,0.99,", "quantile,0.99,-", "value_col"),
        ("sample,1,", "sample,one,", "valid_vals"),
        ("sample,2,", "sample,1,", "rows_unique"),
        ("output_type_id", "type_id", "colnames"),
        ("2021-01-14,wk", "2021-01-21,wk", "match_round_id"),
    ],
)
def test_those_rules_refuse_what_is_wrong(
    run: Callable[..., Run], tmp_path: Path, old: str, new: str, rule: str
) -> None:
    """What is always satisfied proves nothing."""
    found = run(HUB + "  columns: [reference_date, target, horizon, location, target_end_date]\n")
    file = export_hubverse(found, tmp_path / "hub")
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    assert any(each.startswith(rule) for each in broken(tmp_path / "hub", file, tasks(["wk inc left"])))


def test_samples_of_two_targets_have_numbers_of_their_own(run: Callable[..., Run], tmp_path: Path) -> None:
    """A hub whose samples are joint over horizons alone holds each number to one target."""
    found = run()
    draws = pd.read_parquet(found.path / "project" / "forecasts.parquet")
    path = found.path / "project" / "forecasts.parquet"
    path.chmod(0o644)
    pd.concat([draws, draws.assign(target="other")]).to_parquet(path)
    text = pd.read_csv(export_hubverse(found, tmp_path / "hub"), dtype=str)
    samples = text[text["output_type"] == "sample"]
    first, other = (set(part["output_type_id"]) for _, part in samples.groupby("target", sort=False))
    assert not first & other


def test_a_hub_chooses_its_columns_and_the_form(run: Callable[..., Run], tmp_path: Path) -> None:
    columns = "origin_date, target, location, target_end_date"
    found = run(HUB + f"  columns: [{columns}]\n  samples: 0\n  levels: [0.25, 0.5]\n")
    table = pd.read_parquet(export_hubverse(found, tmp_path / "hub", "parquet"))
    assert ", ".join(list(table)[:4]) == columns
    assert [str(each) for each in table["target_end_date"][:3]] == ["2021-01-14", "2021-01-14", "2021-01-21"]
    assert table["output_type_id"].tolist() == ["0.25", "0.5"] * 3


def test_what_was_handed_in_is_not_replaced(run: Callable[..., Run], tmp_path: Path) -> None:
    found = run()
    export_hubverse(found, tmp_path / "hub")
    with pytest.raises(ModelworksError, match="R163"):
        export_hubverse(found, tmp_path / "hub")


def test_a_run_without_forecasts_says_how_to_have_them(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "x").write_text("1", encoding="utf-8")
    found = Store(tmp_path / "runs").publish(("a", "b", "c"), stages={"project": tmp_path / "stage"}, record={})
    with pytest.raises(ModelworksError, match=r"R162.*hub"):
        export_hubverse(found, tmp_path / "hub")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ours-decay", "decay", "can not be a hub's `model_id`"),
        ("wk inc left: left", "wk inc left: lefd", "did you mean `left`"),
        ("[0, 1, 2]", "[0, 1, 9]", "2021-03-18, which the model does not reach"),
        ("[0, 1, 2]", "[0, 1, 1]", "names a number twice"),
        ("[0, 1, 2]", "[0, half]", "half"),
        ("reference_date: 2021-01-14", "reference_date: 2020-12-31", "2021-01-01, after the reference date"),
        ("horizons", "horizon", "did you mean `horizons`"),
    ],
)
def test_a_mistake_is_named_with_its_line(decay: Decay, tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in HUB
    with pytest.raises(ModelworksError) as raised:
        bind(decay(tmp_path, TIME, more=HUB.replace(old, new), **COVERS))
    told = "\n".join(map(str, raised.value.letters))
    assert said in told
    assert "study.yaml, line" in told
