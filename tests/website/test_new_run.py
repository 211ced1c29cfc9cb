"""What the form of a new run says before it begins: what differs from what is approved, and what it will take where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from feeds_runs import approve, write_run
from starlette.testclient import TestClient
from visitors import let_in

from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings

PLACE = "/w/ours/studies/first-study/run"


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[tuple[TestClient, Path]]:
    root = new_repository(tmp_path / "ours")
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write('\n[slurm]\npartition = "short"\n')
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as browser:
        let_in(browser, app, "modeller", "modeller")
        yield browser, root


def shown(browser: TestClient) -> str:
    answer: Any = browser.get(PLACE, headers={"accept": "text/html"})
    assert answer.status_code == 200
    return str(answer.text)


def test_it_is_compared_with_what_is_approved_and_not_with_what_came_later(
    ours: tuple[TestClient, Path], tmp_path: Path
) -> None:
    """What a reader of the approved number wants to know is what would become another one."""
    browser, root = ours
    store = store_around(root)
    assert "What differs" not in shown(browser)
    first = write_run(store, tmp_path / "made", 0, "first-study")
    alone = shown(browser)
    assert f"/runs/{first.id}" in alone.partition("What differs from the last run")[2][:200]
    assert "No run of this study is approved yet" in alone
    approve(store, first.key)
    later = write_run(store, tmp_path / "made", 1, "first-study")
    text = shown(browser).partition('id="differs"')[2].partition("</section>")[0]
    assert "What differs from the last approved run" in text
    assert first.id in text
    assert later.id not in text
    # The approved run's table of assumptions has `boys`, and the study's files have none.
    assert "<code>boys</code>: value is gone, it was 763" in text


def test_every_executor_has_an_estimate_of_its_own(ours: tuple[TestClient, Path]) -> None:
    """With how many cores, and how much memory, before the button."""
    text = shown(ours[0]).partition("What it will take")[2].partition("<button")[0]
    assert "On this server" in text
    assert "On the cluster" in text
    assert text.count(" GB (") == 2
    assert text.count(" core") >= 2


def test_a_number_is_typed_from_where_its_file_has_it(ours: tuple[TestClient, Path]) -> None:
    """Every digit of it: who changes the spread of a prior does not round its middle, and a country has its people."""
    browser, root = ours
    file = root / "studies" / "first-study" / "parameters.yaml"
    text = file.read_text(encoding="utf-8").replace("value: 10000", "value: 32447385")
    file.write_text(text.replace("median: 0.4,", "median: 0.41234567,"), encoding="utf-8")
    page = shown(browser)
    assert 'value="32447385"' in page
    assert 'value="log_normal(median=0.41234567, sigma=0.5)"' in page
    assert "e+07" not in page
