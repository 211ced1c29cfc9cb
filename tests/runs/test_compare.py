"""Two runs side by side: everything that differs is said, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modelworks.runs import Comparison, Run, Store, compare

ASSUMED = "name,value,unit,source,place\nrate,1.5,per day,Smith 2020,parameters.yaml line 2\n"
QUANTITY = {"median": 40.0, "low": 30.0, "high": 55.0, "title": "Deaths", "unit": "people", "text": "40 (30 to 55)"}


class Runs:
    """Publishes runs that differ in what one test is about."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder, self.number = store, folder, 0

    def __call__(
        self, tables: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None, **record: Any
    ) -> Run:
        self.number += 1
        stage = self.folder / str(self.number)
        (stage / "tables").mkdir(parents=True)
        (stage / "tables" / "assumptions.csv").write_text(ASSUMED, encoding="utf-8")
        for name, text in (tables or {}).items():
            (stage / "tables" / f"{name}.csv").write_text(text, encoding="utf-8")
        inputs = {}
        for name, text in (files or {}).items():
            inputs[f"inputs/{name}"] = self.folder / f"{self.number}-{Path(name).name}"
            inputs[f"inputs/{name}"].write_text(text, encoding="utf-8")
        return self.store.publish(("flu", "sir", "england"), stages={"report": stage}, record=record, files=inputs)


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Runs:
    return Runs(store, tmp_path / "made")


def told(comparison: Comparison) -> dict[str, tuple[str | None, ...]]:
    return {f"{each.kind}: {each.name}": each.values for each in comparison.differences}


def test_the_same_twice_differs_in_nothing(made: Runs) -> None:
    comparison = compare([made(quantities={"deaths": QUANTITY}), made(quantities={"deaths": QUANTITY})])
    assert comparison.differences == ()
    assert comparison.same_inputs
    assert [each.moved for each in comparison.numbers] == [False]
    assert comparison.code == ""


def test_an_assumption_is_compared_by_value_unit_and_source(made: Runs) -> None:
    """And not by the line it stands in."""
    other = ASSUMED.replace("1.5", "1.7").replace("Smith 2020", "Jones 2021").replace("line 2", "line 9")
    assert told(compare([made(), made({"assumptions": other + "age,4,years,Doe,p\n"})])) == {
        "assumptions: rate": ("1.5", "1.7"),
        "assumptions: rate: source": ("Smith 2020", "Jones 2021"),
        "assumptions: age": (None, "4"),
    }


def test_data_and_code_that_differ_are_named(made: Runs) -> None:
    data = "name,sha256\ncases,{}\n"
    before = made({"data": data.format("a" * 64)}, {"models/sir.py": "rate = 1\n"}, provenance={"commit": "abc" * 10})
    after = made({"data": data.format("b" * 64)}, {"models/sir.py": "rate = 2\n"}, provenance={"commit": "abc" * 10})
    comparison = compare([before, after])
    assert {"data: cases", "code: models/sir.py"} == told(comparison).keys()
    assert not comparison.same_inputs
    assert "-rate = 1\n+rate = 2\n" in comparison.code
    assert f"{before.id}/inputs/models/sir.py" in comparison.code


def test_numbers_of_several_runs_stand_side_by_side(made: Runs) -> None:
    runs = [
        made(quantities={"deaths": QUANTITY}, parameters={"rate": {"median": 1.0, "low": 0.9, "high": 1.1}}),
        made(quantities={"deaths": QUANTITY | {"median": 44.0}}, parameters={"rate": {"value": 1.0}}),
        made(verdict="look"),
    ]
    comparison = compare(runs)
    deaths, rate = comparison.numbers
    assert [None if each is None else each["median"] for each in deaths.values] == [40.0, 44.0, None]
    assert deaths.moved
    assert [each is None for each in rate.values] == [False, True, True]
    assert told(comparison) == {"verdicts: verdict": ("none", "none", "look")}


def test_another_seed_alone_is_chance(made: Runs) -> None:
    seeds = [made(calibration={"seed": seed, "draws": 400}) for seed in (1, 2)]
    more = made(calibration={"seed": 1, "draws": 800})
    assert told(compare(seeds)) == {"settings: seed": ("1", "2")}
    assert compare(seeds).same_inputs
    assert not compare([seeds[0], more]).same_inputs


def test_one_run_is_compared_with_nothing(made: Runs) -> None:
    with pytest.raises(ValueError, match="two"):
        compare([made()])
