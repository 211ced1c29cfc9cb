"""Prepared tables are made in order, several at once, and only where something changed."""

from __future__ import annotations

from pathlib import Path

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
