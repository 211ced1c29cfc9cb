"""The page of a job in a real browser: it tells one state and not two, and says when the site has gone."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from browsers import PATIENCE_MS, Visit, serving

from modelworks.jobs import Capacity, Order
from modelworks.study import new_repository, queue_around

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium", "playwright")]


def test_a_page_follows_its_job_and_says_when_the_site_has_gone(chromium_path: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    root = new_repository(tmp_path / "ours")
    with queue_around(root) as queue, serving(root) as site, sync_playwright() as playwright:
        [job] = queue.submit([Order("a job", ("true",), executor="elsewhere")])
        tab = Visit(playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"]), site).tab
        tab.goto(site.link)
        tab.goto(f"{site.address}/w/ours/jobs/{job}")
        told, lost = tab.locator("#told"), tab.locator("#lost")
        expect(told).to_contain_text("is waiting")
        [_] = queue.claim(queue.enter("here"), Capacity(("elsewhere",), cores=8, memory_gb=64.0))
        expect(told).to_contain_text("is running")
        expect(told).not_to_contain_text("is waiting")
        expect(tab.locator(".byline .state")).to_have_text("Running")

        site.process.send_signal(signal.SIGINT)
        site.process.wait(PATIENCE_MS / 1000)
        expect(lost).to_contain_text("No connection")
        port = site.address.rpartition(":")[2]
        command = [sys.executable, "-m", "modelworks", "serve", "--port", port, "--no-browser", "--no-jobs"]
        again = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
        try:
            expect(lost).to_be_empty()
        finally:
            again.send_signal(signal.SIGINT)
            again.wait(PATIENCE_MS / 1000)
