"""Prepared tables are made in order, several at once, and only where something changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue, prepare, sources

CODE = """
from pathlib import Path
import pandas as pd

def one(*files):
    with (Path(__file__).parent / "calls.txt").open("a") as log:
        log.write("x")
    return pd.DataFrame({"a": [1.0 + sum(pd.read_csv(file)["a"].sum() for file in files)]})

def broken(*files):
    raise ValueError("no such luck")
"""
ENTRY = (
    "{name}: {{title: T, publisher: P, licence: L, source: S, prepare: prepare/x.py:{function}, uses: [{uses}], "
    "columns: {{a: {{unit: people, meaning: m}}}}}}\n"
)


def catalogue(root: Path, **entries: tuple[str, str]) -> Catalogue:
    (root / "data" / "prepare").mkdir(parents=True, exist_ok=True)
    (root / "data" / "prepare" / "x.py").write_text(CODE, encoding="utf-8")
    text = "".join(ENTRY.format(name=name, function=f, uses=uses) for name, (f, uses) in entries.items())
    (root / "data" / "catalogue.yaml").write_text(text, encoding="utf-8")
    return Catalogue.read(root)


def calls(root: Path) -> int:
    return len((root / "data" / "prepare" / "calls.txt").read_text())


CHAIN = {"c": ("one", "prepared/a.csv, prepared/b.csv"), "a": ("one", ""), "b": ("one", "prepared/a.csv")}


@pytest.mark.parametrize("cores", [1, 2])
def test_each_is_made_after_what_it_is_made_from(tmp_path: Path, cores: int) -> None:
    made, letters = prepare(catalogue(tmp_path, **CHAIN), ["c"], cores=cores)
    assert (made, letters) == (["a", "b", "c"], [])
    assert Catalogue.read(tmp_path)["c"].table()["a"].tolist() == [4.0]
    assert sources(Catalogue.read(tmp_path), Catalogue.read(tmp_path)["c"]) == ["a", "b"]


@pytest.mark.slow
def test_several_are_made_at_once_and_nothing_twice(tmp_path: Path) -> None:
    found = catalogue(tmp_path, **{f"d{k}": ("one", "") for k in range(5)})
    assert sorted(prepare(found, found, cores=3)[0]) == [f"d{k}" for k in range(5)]
    assert prepare(Catalogue.read(tmp_path), found, cores=3) == ([], [])
    assert calls(tmp_path) == 5


def test_what_depends_on_one_that_failed_is_left_alone(tmp_path: Path) -> None:
    entries = {**CHAIN, "a": ("broken", ""), "d": ("one", "")}
    made, letters = prepare(catalogue(tmp_path, **entries), entries, cores=1)
    assert made == ["d"]
    assert [letter.code for letter in letters] == ["D111"]


def test_a_circle_is_a_letter(tmp_path: Path) -> None:
    found = catalogue(tmp_path, a=("one", "prepared/b.csv"), b=("one", "prepared/a.csv"))
    with pytest.raises(ModelworksError, match="a → b → a"):
        prepare(found, found)


MIXED = """
import pandas as pd

def table():
    return pd.DataFrame({
        "day": pd.to_datetime(["2021-01-04", "2021-01-11", None]),
        "place": ["North", "Süd, Ost", "NA"],
        "cases": [0.1 + 0.2, None, 7.0],
        "unused": [{}, {}, {}],
    })

def lists():
    return table().assign(cases=[[1], [2], [3]])

def several_kinds():
    return table().assign(cases=[1, "two", 3.0])
"""


def mixed(root: Path, function: str = "table", more: str = "") -> Catalogue:
    (root / "data" / "prepare").mkdir(parents=True, exist_ok=True)
    (root / "data" / "prepare" / "x.py").write_text(MIXED, encoding="utf-8")
    (root / "data" / "catalogue.yaml").write_text(
        f"t:\n  title: T\n  publisher: P\n  licence: L\n  source: S\n  prepare: prepare/x.py:{function}\n{more}"
        "  columns:\n    day: {unit: date, meaning: m}\n    place: {unit: text, meaning: m}\n"
        "    cases: {unit: people, meaning: m}\n",
        encoding="utf-8",
    )
    return Catalogue.read(root)


def test_a_table_kept_as_parquet_is_the_one_kept_as_csv(tmp_path: Path) -> None:
    """Days, text and numbers to the last bit; anybody reads the file, and the record beside it is of its bytes."""
    as_csv = mixed(tmp_path)["t"]
    expected, was = as_csv.table(), as_csv.sha256
    found = mixed(tmp_path, more="  kept_as: parquet\n")["t"]
    pd.testing.assert_frame_equal(found.table(), expected)
    assert found.sha256 == was
    folder = tmp_path / "data" / "prepared"
    assert sorted(each.name for each in folder.iterdir()) == ["t.made.json", "t.parquet"]
    raw = pd.read_parquet(folder / "t.parquet")
    assert raw["cases"].tolist()[0] == 0.1 + 0.2
    assert raw["day"].iloc[1] == pd.Timestamp("2021-01-11")
    made = json.loads((folder / "t.made.json").read_text(encoding="utf-8"))
    assert made["table_sha256"] == hashlib.sha256((folder / "t.parquet").read_bytes()).hexdigest()
    assert not mixed(tmp_path, more="  kept_as: parquet\n")["t"].is_stale()


@pytest.mark.parametrize(
    ("function", "said"), [("lists", "lists in the cells of its column `cases`"), ("several_kinds", "cases")]
)
def test_what_parquet_does_not_hold_is_a_letter(tmp_path: Path, function: str, said: str) -> None:
    with pytest.raises(ModelworksError, match=said) as raised:
        mixed(tmp_path, function, "  kept_as: parquet\n")["t"].table()
    assert raised.value.codes == ("D114",)


def test_another_form_is_a_letter(tmp_path: Path) -> None:
    with pytest.raises(ModelworksError, match="did you mean `parquet`"):
        mixed(tmp_path, more="  kept_as: parket\n")
