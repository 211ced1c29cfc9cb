"""Home of a team with many studies: a picture beside a sentence, search and order."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from compared import made_run
from starlette.testclient import TestClient
from visitors import let_in

from modelworks.runs import Run, Store, propose, sign
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings
from modelworks.website._sparkline import HEIGHT, SERIES, WIDTH, _drawn, sparkline

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAMES = [f"study-{letter}" for letter in "abcdefgh"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Ten studies, of which `flu` has a run."""
    root = new_repository(tmp_path_factory.mktemp("home") / "ours")
    for name in ("flu", *NAMES):
        shutil.copytree(root / "studies" / "first-study", root / "studies" / name)
    made_run(store_around(root), tmp_path_factory.mktemp("made"), 0)
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as opened:
        let_in(opened, app, "viewer", "viewer")
        yield opened


@pytest.fixture(scope="module")
def run(browser: TestClient) -> Run:
    (found,) = browser.app.state.house.workspaces["ours"].store.runs()  # type: ignore[attr-defined]
    assert isinstance(found, Run)
    return found


def home(browser: TestClient, **asked: str) -> str:
    return browser.get("/w/ours", params=asked, headers={"accept": "text/html"}).text


def shown(said: str) -> list[str]:
    return re.findall(r'id="study-([\w-]+)"', said)


def test_studies_are_searched_and_put_in_order(browser: TestClient) -> None:
    assert shown(home(browser)) == ["first-study", "flu", *NAMES]
    assert shown(home(browser, search="FLU")) == ["flu"]
    assert shown(home(browser, order="latest"))[0] == "flu"
    nothing = home(browser, search="<b>measles")
    assert shown(nothing) == []
    assert "No study speaks of that" in nothing
    assert "<b>" not in nothing


def test_a_picture_stands_beside_the_sentence(browser: TestClient, run: Run) -> None:
    """The series is 100 throughout, its ribbon from 80 to 120: the median lies a sixth below the top."""
    assert home(browser).count('class="sparkline"') == 1
    picture = sparkline(browser.app.state.house.workspaces["ours"], run.key)  # type: ignore[attr-defined]
    assert picture is not None
    assert picture.about == "In bed from 22 January 1978 to 26 January 1978: the median is 100 at its highest"
    points = [tuple(map(float, each)) for each in re.findall(r"[ML]([\d.]+),([\d.]+)", picture.median)]
    assert [x for x, _ in points] == pytest.approx([0, WIDTH / 4, WIDTH / 2, 3 * WIDTH / 4, WIDTH])
    assert [y for _, y in points] == pytest.approx([HEIGHT / 6] * 5)


def test_a_run_without_a_series_or_with_a_damaged_one_has_no_picture(run: Run, tmp_path: Path) -> None:
    assert _drawn(tmp_path / "nothing.parquet") is None
    file = tmp_path / "outputs.parquet"
    file.write_bytes((run.path / SERIES).read_bytes()[:100])
    assert _drawn(file) is None
    series = pd.read_parquet(run.path / SERIES)
    for lacking in (series[:0], series[:1], series.drop(columns="q50"), series.assign(q50=float("inf"))):
        lacking.to_parquet(file)
        assert _drawn(file) is None


def test_each_region_has_its_answer_and_variants_hide_no_run(tmp_path: Path) -> None:
    """What the team stands behind is one run of each region; what was tried since is neither, however often."""
    root = new_repository(tmp_path / "ours")
    (root / "studies" / "first-study").rename(root / "studies" / "Flu")
    hours = count()
    store = Store(store_around(root).root, clock=lambda: NOON + timedelta(hours=next(hours)))

    def made(region: str, **said: Any) -> str:
        (tmp_path / "nothing").mkdir(exist_ok=True)
        record = {"study": "Flu", "answer": f"In {region}.", "verdict": "fine", **said}
        return store.publish(("Flu", "sir", region), stages={"report": tmp_path / "nothing"}, record=record).key

    def approve(key: str) -> None:
        propose(store, key, needs=("reviewer",), found=(), by="Ada")
        sign(store, key, by="Grace", role="reviewer")

    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as opened:
        let_in(opened, app, "viewer", "viewer")
        latest = made("south")
        for _ in range(21):
            made("south", rerun={"changes": ["value contact_rate = 0.3"]})
        text = home(opened)
        assert 'class="answer">In south.' in text
        assert latest.rpartition("-")[2] in text
        north = made("north")
        approve(latest)
        approve(north)
        text = home(opened)
        assert re.findall(r'class="answer">(.*)</p>', text) == [
            "<strong>north:</strong> In north.", "<strong>south:</strong> In south.",
        ]  # fmt: skip
        assert "is not approved" not in text
        made("north")
        assert "is not approved" in home(opened)


def test_what_is_said_of_a_long_series_is_of_all_its_points(tmp_path: Path) -> None:
    """Of 365 days some are drawn; the highest day and the last one are said, and drawn, whichever these are."""
    days = pd.date_range("2020-01-01", "2020-12-30")
    median = pd.Series(range(365), dtype=float)
    median[100] = 5000.0
    series = pd.DataFrame({"scenario": "baseline", "output": "cases", "time": days, "q50": median})
    file = tmp_path / "outputs.parquet"
    series.assign(q025=series["q50"], q975=series["q50"]).to_parquet(file)
    picture = _drawn(file)
    assert picture is not None
    assert picture.about == "Cases from 1 January 2020 to 30 December 2020: the median is 5,000 at its highest"
    points = [tuple(map(float, each)) for each in re.findall(r"[ML]([\d.]+),([\d.]+)", picture.median)]
    assert len(points) < 150
    assert (round(WIDTH * 100 / 364, 1), 0.0) in points
    assert points[-1] == (WIDTH, pytest.approx(HEIGHT * (1 - 364 / 5000), abs=0.06))


def test_a_mistake_in_the_settings_is_told_on_a_page_and_gone_when_it_is_mended(browser: TestClient) -> None:
    settings = browser.app.state.house.workspace("ours").root / "modelworks.toml"  # type: ignore[attr-defined]
    as_it_was = settings.read_text(encoding="utf-8")
    settings.write_text(f"{as_it_was}\n[website\n", encoding="utf-8")
    try:
        told = browser.get("/w/ours", headers={"accept": "text/html"})
        jobs = browser.get("/w/ours/jobs", headers={"accept": "text/html"})
    finally:
        settings.write_text(as_it_was, encoding="utf-8")
    assert told.status_code == 422
    assert "Y132" in told.text
    assert "modelworks.toml" in told.text
    assert jobs.status_code < 500
    assert browser.get("/w/ours", headers={"accept": "text/html"}).status_code == 200
