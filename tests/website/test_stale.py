"""A result is stale where something it was made from has changed, and not where another's data did."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import BUCKET

from modelworks.study import new_repository
from modelworks.website._house import Workspace
from modelworks.website._studies import changed_since

ENTRIES = """\
# What we have
cases:
  title: Cases
  file: raw/cases.csv
  columns:
    n: {unit: people, meaning: cases, lower: 0}
doses:
  title: Doses
  prepare: prepare/doses.py:weekly
  uses: [raw/register.csv.age]
register:
  title: Who had which dose
  file: raw/register.csv.age
  sha256: 00
beds:
  title: Beds
  file: raw/beds.csv
  columns: {n: {unit: people, meaning: beds}}
"""
ABOUT = "what data/catalogue.yaml says of {} has changed since"


BUCKETS = pytest.param("bucket", marks=[pytest.mark.slow, pytest.mark.needs("weed")])


@pytest.fixture(params=["folder", BUCKETS])
def stale_after(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str, str], list[str]]]:
    """Of a run of cases and doses, why it is stale once a text of the catalogue is another."""
    root = new_repository(tmp_path / "ours")
    if request.param == "bucket":
        request.getfixturevalue("s3_endpoint")
        settings = root / "modelworks.toml"
        text = settings.read_text(encoding="utf-8")
        address = f"s3://{BUCKET}/stale-{secrets.token_hex(4)}"
        settings.write_text(text.replace('store = "runs"', f'store = "{address}"'), encoding="utf-8")
    names = {
        "data/catalogue.yaml": ENTRIES,
        "data/raw/cases.csv": "n\n1\n",
        "data/prepare/doses.py": "def weekly(): ...",
    }
    for name, text in names.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    workspace = Workspace("ours", root)
    files = {f"inputs/{name}": root / name for name in names}
    run = workspace.store.publish(("flu", "sir", "here"), stages={}, record={}, files=files)
    if request.param == "bucket":
        # Another machine made it.
        shutil.rmtree(workspace.store.root / run.key)

    def after(before: str, now: str) -> list[str]:
        assert before in ENTRIES
        (root / "data/catalogue.yaml").write_text(ENTRIES.replace(before, now), encoding="utf-8")
        return list(changed_since(workspace, run.key))

    yield after
    workspace.close()


def test_only_datasets_that_a_result_was_made_from_make_it_stale(stale_after: Callable[[str, str], list[str]]) -> None:
    assert stale_after("# What we have", "") == []
    assert stale_after("title: Beds", "title: Beds of every hospital") == []
    assert stale_after("beds:\n", "wards: {title: Wards, file: raw/wards.csv}\nbeds:\n") == []
    assert stale_after("meaning: cases, lower: 0", "meaning: cases, lower: 1") == [ABOUT.format("cases")]
    assert stale_after("doses:\n", "vaccines:\n") == [ABOUT.format("doses")]
    # No file of what is sensitive is among those of a run.
    assert stale_after("sha256: 00", "sha256: 11") == [ABOUT.format("register")]


def test_a_catalogue_that_can_not_be_read_makes_every_result_stale(
    stale_after: Callable[[str, str], list[str]],
) -> None:
    assert stale_after(ENTRIES, "- a list") == ["data/catalogue.yaml has changed since"]
