"""A website with two workspaces, one run, and somebody of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient
from visitors import KINDS, WICKED, Site, let_in

from modelworks import plots
from modelworks.jobs import Order
from modelworks.report import Page, QuantityRow, Section
from modelworks.report import write_report as write_page
from modelworks.runs import Run
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository called `ours` with a study and a run of it, beside one called `theirs`."""
    top = tmp_path_factory.mktemp("site")
    ours, theirs = new_repository(top / "ours"), new_repository(top / "theirs")
    settings = ours / "modelworks.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f'{text}\n[website]\nworkspaces = ["{theirs}"]\n', encoding="utf-8")
    return ours


@pytest.fixture(scope="session")
def a_run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose texts try to be markup."""
    import pandas as pd

    ribbon = {name: [1.0, 2.0] for name in ("q025", "q25", "q50", "q75", "q975")}
    lines = pd.DataFrame({"time": [0.0, 1.0], "output": "infectious", **ribbon})
    figure = plots.figure("outputs")(lines)
    said = Page(
        study="first-study", title=f"How contagious? {WICKED}", question=f"Was it? {WICKED}", model="sir",
        answer=f"One infected 4 others. {WICKED}", verdict="fine", sentences=("The chains agree.",),
        sections=(Section("Figures", (figure,)),),
        quantities=(QuantityRow("r0", f"Reproduction number {WICKED}", "ratio", 4.0, 3.0, 5.0),),
    )  # fmt: skip
    made = tmp_path_factory.mktemp("report")
    write_page(said, made)
    record = {
        "study": "first-study", "title": said.title, "question": said.question, "verdict": "fine", "until": "report",
        "answer": said.answer, "finished": "2026-11-21T05:15:00+00:00", "seconds": 12.0,
        "quantities": {"r0": {"median": 4.0, "low": 3.0, "high": 5.0}}, "provenance": {"person": WICKED},
    }  # fmt: skip
    return store_around(folder).publish(("first-study", "sir", "here"), stages={"report": made}, record=record)


@pytest.fixture(scope="session")
def site(folder: Path, a_run: Run) -> Iterator[Site]:
    """The website of both, with a browser in which each kind of person is signed in."""
    app = create_app(read_settings(folder))
    with TestClient(app, base_url="http://127.0.0.1:8420") as first:
        browsers = {"nobody": first}
        for kind in KINDS[1:]:
            browsers[kind] = TestClient(app, base_url="http://127.0.0.1:8420", follow_redirects=False)
            let_in(browsers[kind], app, kind, *(("viewer", "theirs") if kind == "stranger" else (kind, "ours")))
        first.follow_redirects = False
        queue = app.state.house.workspace("ours").queue
        [job] = queue.submit([Order(f"first-study: {WICKED}", ("true",), by=WICKED, executor="inline")])
        queue.cancel(job)
        yield Site(folder, a_run, job, app, browsers)
