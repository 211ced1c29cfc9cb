"""Takes the README's picture: `python tools/photograph.py examples/runs/…/report.html docs/images/report.png`."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

# The first screen of a report down to its first figure with the caption.
WIDTH, HEIGHT = 1120, 1580
WAIT_FOR_FIGURES_MS = 2500


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(given.page.resolve().as_uri())
        page.wait_for_timeout(WAIT_FOR_FIGURES_MS)
        page.screenshot(path=given.picture)
        browser.close()


if __name__ == "__main__":
    main()
