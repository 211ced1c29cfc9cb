"""Atom: a number that is no longer stood behind is not told as if it were."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

from feeds_runs import START, approve, write_run

from modelworks.runs import Store, promotions
from modelworks.website.feeds._atom import atom

ATOM = "{http://www.w3.org/2005/Atom}"


def test_a_superseded_answer_says_so_in_its_title_and_is_news(tmp_path: Path) -> None:
    """A reader that shows titles, and asks again only for entries that moved, must not go on showing the old number."""
    hours = count()
    store = Store(tmp_path / "runs", clock=lambda: START + timedelta(hours=next(hours)))
    old, new = (write_run(store, tmp_path / "made", number) for number in (0, 1))
    approve(store, old.key)
    (before,) = told(store)
    assert before["title"] == "Influenza <in> a school: It is 0, 'so to say'."
    approve(store, new.key)
    first, second = told(store)
    assert first["title"] == "Influenza <in> a school: It is 1, 'so to say'."
    assert second["title"] == "Superseded: Influenza <in> a school: It is 0, 'so to say'."
    assert second["id"] == before["id"]
    assert second["updated"] == first["published"] > before["updated"]
    assert second["published"] == before["published"]


def told(store: Store) -> list[dict[str, str | None]]:
    text = atom("Ours", "http://127.0.0.1/w/ours", promotions(store), store.record)
    entries = ElementTree.fromstring(text).iter(f"{ATOM}entry")
    return [{name: e.findtext(ATOM + name) for name in ("title", "id", "updated", "published")} for e in entries]
