"""Several runs on one page: each is there, over the others, and nothing that a study says is markup."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelworks.errors import ModelworksError
from modelworks.report import Foresight, moved_by_chance, render_comparison
from modelworks.report.comparison import run_titles
from modelworks.runs import Run, Store, compare


def specs_of(html: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="figure-(\w+)-specs">(.*?)</script>', html)
    return {name: json.loads(text) for name, text in found}


def values_of(spec: dict[str, Any]) -> dict[str, Any]:
    return dict(spec["data"]["values"][0])


def test_each_run_lies_over_the_others(compared_runs: list[Run]) -> None:
    """Six, in the order given; the medians drawn are those of the runs' own tables."""
    specs = specs_of(render_comparison(compare(compared_runs)))
    assert list(specs) == ["compared", "numbers", "parameters"]
    ids = [run.id for run in compared_runs]
    (panel,) = specs["compared"]
    drawn = values_of(panel)
    assert list(dict.fromkeys(drawn["run"])) == ids
    medians = dict(zip(drawn["run"], drawn["q50"], strict=True))
    assert [medians[each] for each in ids] == [100, 110, 120, 130, 140, 150]
    for name in ("numbers", "parameters"):
        assert list(dict.fromkeys(values_of(specs[name][0])["kind"])) == ids


def test_what_moved_and_what_differs_is_said(compared_runs: list[Run]) -> None:
    html = render_comparison(compare(compared_runs[:2]))
    for said in ("40.0 (30.0 to 55.0)", "41.0 (30.0 to 55.0)", "up by 2.5%", "Assumptions that differ", "1.6"):
        assert said in html
    assert "up by 100%, no more than chance" in html
    assert "What differs: assumptions. 1 number of 2 moved by more than chance makes." in html
    assert "Data that differ" not in html


def number(value: float, unit: str, text: str) -> dict[str, Any]:
    return {"title": "Ill", "unit": unit, "median": value, "low": value - 1, "high": value + 1, "text": text}


def told_of(tmp_path: Path, *each: dict[str, Any]) -> str:
    """Runs of one quantity, whose draws lie around it, side by side."""
    store = Store(tmp_path / "runs")
    runs = []
    for k, said in enumerate(each):
        folder = tmp_path / f"made{k}"
        folder.mkdir(parents=True)
        draws = pd.DataFrame({"name": "ill", "draw": range(9), "value": said["median"] + np.linspace(-1, 1, 9)})
        draws.to_parquet(folder / "quantities.parquet")
        runs.append(
            store.publish(("flu", "sir", "x"), stages={"project": folder}, record={"quantities": {"ill": said}})
        )
    return render_comparison(compare(runs))


def test_numbers_in_other_units_are_not_held_against_each_other(tmp_path: Path) -> None:
    """Three weeks are no seventh of twenty-one days: nothing moved by a percentage, and no curve lies over another."""
    html = told_of(tmp_path, number(3.0, "weeks", ""), number(21.0, "days", ""))
    assert "in another unit" in html
    assert "up by" not in html
    assert "weeks" in html
    assert "days" in html
    assert specs_of(html) == {}


@pytest.mark.parametrize("unit", ["date", ""])
def test_a_day_is_the_same_day_wherever_the_model_begins(tmp_path: Path, unit: str) -> None:
    """The number behind it is a time of the model, and 10 days after one beginning are 3 after another."""
    first, same = (
        number(value, each, "2021-03-12 (2021-03-11 to 2021-03-13)") for value, each in ((10.0, unit), (3.0, "date"))
    )
    html = told_of(tmp_path, first, same)
    assert "the same" in html
    assert "The runs were made from the same inputs." in html
    assert specs_of(html) == {}
    later = told_of(tmp_path / "later", first, number(5.0, unit, "2021-03-14 (2021-03-13 to 2021-03-15)"))
    assert "later by 2 days, outside the earlier interval" in later


def test_a_median_moved_by_chance_where_independent_draws_would_move_it_so_far(compared_runs: list[Run]) -> None:
    """The median of n draws of a standard normal has the standard error sqrt(pi / 2n), of two of them sqrt(pi / n)."""
    comparison = compare(compared_runs[:2])
    size = 4000
    (deaths,) = [each for each in comparison.numbers if each.name == "deaths"]

    def told(moved: float, values: dict[str, float] | None = None) -> bool:
        chance = np.random.default_rng(3)
        draws = tuple({"deaths": chance.normal(size=(4, size // 4))} for _ in range(2))
        before, after = ({"median": at, "low": -2.0, "high": 2.0} | (values or {}) for at in (0.0, moved))
        asked = dataclasses.replace(deaths, values=(before, after))
        found = moved_by_chance(dataclasses.replace(comparison, numbers=(asked,)), {"quantities": draws})
        return found == {("quantities", "deaths")}

    error = math.sqrt(math.pi / size)
    assert [told(times * error) for times in (0.0, 0.5, 1.6, 2.4, -1.6, -2.4)] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]
    # A probability is no median, and its draws say nothing of its error.
    assert not told(0.5 * error, {"low": 0.5, "high": 0.5})


def test_what_has_few_draws_is_not_judged(compared_runs: list[Run]) -> None:
    comparison = compare(compared_runs[:2])
    (rate,) = [each for each in comparison.numbers if each.name == "rate"]
    draws = tuple({"rate": np.random.default_rng(k).normal(size=(1, 200))} for k in (1, 2))
    few = tuple({"rate": each["rate"][:, :50]} for each in draws)

    alone = dataclasses.replace(comparison, numbers=(rate,))
    assert moved_by_chance(alone, {"parameters": draws}) == {("parameters", "rate")}
    assert moved_by_chance(alone, {"parameters": few}) == frozenset()


def test_a_page_needs_nothing_else_and_runs_nothing_of_a_study(compared_runs: list[Run]) -> None:
    """A run's title is text; the policy names the scripts that may be run by their checksums."""
    html = render_comparison(compare(compared_runs[:2]), [Foresight("abc", why_not="<b>no</b>")], home="list.html")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;b&gt;no&lt;/b&gt;" in html
    assert re.search(r"default-src &#39;none&#39;; script-src (&#39;sha256-[\w+/=]+&#39; ?){2};", html)
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!data:|#|list\.html)', markup)


def test_runs_with_nothing_in_common_have_tables_and_no_figures(compared_runs: list[Run], bare_run: Run) -> None:
    html = render_comparison(compare([compared_runs[0], bare_run]))
    assert "data-specs" not in html
    assert f"flu · england · {compared_runs[0].id}" in html
    assert "no longer asked" in html


def test_a_copy_of_a_study_is_called_by_its_study(compared_runs: list[Run]) -> None:
    """The name of a copy says all that was assumed otherwise: over a figure it would be cut off."""
    first, second, third = compared_runs[:3]
    name = "flu-rate-normal-1-2-3f5a1c"
    record = {**second.record, "study": name, "rerun": {"of": "flu", "changes": ["prior rate = normal(1, 2)"]}}
    copy = dataclasses.replace(second, key=second.key.replace("flu/", f"{name}/"), record=record)
    assert run_titles([first, copy]) == {first.id: first.id, copy.id: f"changed · {copy.id}"}
    other = dataclasses.replace(third, key=third.key.replace("/england/", "/wales/"))
    assert run_titles([copy, other]) == {copy.id: f"england · changed · {copy.id}", other.id: f"wales · {other.id}"}


def test_a_long_table_is_folded(compared_runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelworks.report.comparison.MOST_IN_SIGHT", 1)
    html = render_comparison(compare(compared_runs[:2]))
    assert html.count('id="table-moved"') == html.count('id="table-moved-more"') == 1


def test_the_website_leads_to_each_report(compared_runs: list[Run]) -> None:
    links = {compared_runs[0].id: "runs/first.html"}
    assert f'<a href="runs/first.html">{compared_runs[0].id}</a>' in render_comparison(
        compare(compared_runs[:2]), links=links
    )


def test_a_seventh_run_is_refused(compared_runs: list[Run]) -> None:
    with pytest.raises(ModelworksError, match="R161"):
        render_comparison(compare([*compared_runs, compared_runs[0]]))


def test_a_damaged_table_is_a_letter(compared_runs: list[Run], tmp_path: Path) -> None:
    damaged = compared_runs[1].path / "project" / "outputs.parquet"
    damaged.chmod(0o644)
    damaged.write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(ModelworksError, match=f"R166: project/outputs.parquet of the run {compared_runs[1].id}"):
        render_comparison(compare(compared_runs[:2]))
