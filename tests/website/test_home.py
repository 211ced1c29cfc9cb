"""Home of a team with many studies: a picture beside a sentence, search and order."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from compared import made_run
from servers import BUCKET
from starlette.testclient import TestClient
from visitors import let_in

from modelworks.runs import BucketStore, Run, Store, propose, sign
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings
from modelworks.website._house import Workspace
from modelworks.website._sparkline import HEIGHT, WIDTH, drawn, sparkline

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
    assert picture.about == (
        "In bed (people) from 22 January 1978 to 26 January 1978: the median is 100 at its highest, and the data 120"
    )
    across = [0, WIDTH / 4, WIDTH / 2, 3 * WIDTH / 4, WIDTH]
    assert points(picture.median) == [(x, HEIGHT / 6) for x in across]
    seen = zip((across[0], *across[2:]), (HEIGHT, HEIGHT / 2, HEIGHT / 6, 0), strict=True)
    assert points(picture.seen) == list(seen)


def points(path: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, each)) for each in re.findall(r"[ML]([\d.]+),([\d.]+)", path)]


def test_a_run_without_a_series_or_with_a_damaged_one_has_no_picture(run: Run) -> None:
    told = run.record["in_brief"]
    assert drawn(told) is not None
    assert drawn(None) is None
    lacking = {name: value for name, value in told.items() if name != "median"}
    short, late = {**told, "low": told["low"][:2]}, {**told, "time": [told["time"][0]] * 5}
    for damaged in (lacking, short, late, {**told, "high": [float("inf")] * 5}, {**told, "time": ["soon"] * 5}):
        assert drawn(damaged) is None


@pytest.mark.slow
@pytest.mark.needs("weed")
def test_a_run_of_a_bucket_has_its_picture_and_is_not_downloaded_for_it(s3_endpoint: str, tmp_path: Path) -> None:
    address = f"s3://{BUCKET}/{tmp_path.name}"
    key = made_run(BucketStore(address, tmp_path / "theirs"), tmp_path / "made", 0).key
    root = new_repository(tmp_path / "ours")
    settings = root / "modelworks.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('store = "runs"', f'store = "{address}"'), encoding="utf-8")
    workspace = Workspace("ours", root)
    assert sparkline(workspace, key) is not None
    assert not (workspace.store.root / key).exists()
    workspace.close()


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
