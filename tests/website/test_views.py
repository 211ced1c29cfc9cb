"""What the list of runs is asked again and again, under a name; and addresses of before that still lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient
from visitors import let_in, token_on

from modelworks.study import index_around, new_repository, store_around
from modelworks.website import _views, create_app, read_settings
from modelworks.website.access.people import People

HTML = {"accept": "text/html"}
RUNS = "/w/ours/runs"


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, TestClient]]:
    """A browser of each role in a workspace with a run that stopped, and one of its study with another assumption."""
    top = tmp_path_factory.mktemp("views")
    root = new_repository(top / "ours")
    store = store_around(root)
    (top / "nothing").mkdir()
    for study, said in (("flu", {}), ("flu-rate-2-3f5a1c", {"rerun": {"of": "Flu", "changes": ["value rate = 2"]}})):
        record = {"study": "Flu", "verdict": "stop", "parameters": {"rate": {"value": 1.0}}, **said}
        store.publish((study, "sir", "here"), stages={"report": top / "nothing"}, record=record)
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as first:
        found = {kind: TestClient(app, base_url="http://127.0.0.1:8420", follow_redirects=False) for kind in KINDS}
        for kind, browser in found.items():
            let_in(browser, app, kind, kind.partition("-")[0])
        found["nobody"] = first
        yield found


KINDS = ("viewer", "modeller", "modeller-2", "admin")


def page(browser: TestClient, **asked: str) -> str:
    answer = browser.get(f"{RUNS}?{urlencode(asked)}", headers=HTML)
    assert answer.status_code == 200
    return answer.text


def post(browser: TestClient, place: str, **said: str) -> Any:
    return browser.post(f"/w/ours/views{place}", data={"form_token": token_on(browser, RUNS), **said}, headers=HTML)


def listed(text: str) -> list[str]:
    """The names of the views that a page lists; who shares one stands behind it."""
    nav = text.partition('aria-label="Saved views"')[2].partition("</nav>")[0]
    found = re.findall(r"<a [^>]*>(.*?)</a>", nav)
    return [re.sub(r"<[^>]*>", "", each) for each in found]


def id_of(text: str) -> str:
    """The view that a page is of."""
    [found] = re.findall(r"/views/([0-9a-f]+)/remove", text)
    return str(found)


def deeds(browser: TestClient) -> list[tuple[str, str, str]]:
    people: People = browser.app.state.house.people  # type: ignore[attr-defined]
    return [(each.person, each.what, each.about) for each in people.trail("ours") if "view" in each.what]


def test_a_view_is_saved_for_oneself_shared_and_removed(browsers: dict[str, TestClient]) -> None:
    """What a page itself offers is what is sent: the form, the address in the list, the buttons."""
    mine, other, viewer = browsers["modeller"], browsers["modeller-2"], browsers["viewer"]
    text = page(mine, verdict="stop", sort="-seconds", column="region")
    [query] = re.findall(r'name="query" value="([^"]*)"', text)
    saved = post(mine, "", title="  Stopped,  slow ", query=query.replace("&amp;", "&"))
    assert saved.status_code == 303
    assert saved.headers["location"] == f"{RUNS}?verdict=stop&sort=-seconds&column=region"
    text = page(mine, verdict="stop", sort="-seconds", column="region")
    assert listed(text) == ["Stopped, slow"]
    assert 'aria-current="true">Stopped, slow' in text
    assert "Save this view" not in text
    # Nobody else sees it, in the list, in the trail, or by its id.
    view = id_of(text)
    assert (listed(page(other)), listed(page(browsers["admin"]))) == ([], [])
    assert deeds(mine)[0] == ("modeller", "saved a view of the runs", "one's own")
    for browser in (other, browsers["admin"]):
        assert post(browser, f"/{view}/share", shared="yes").status_code == 404
        assert post(browser, f"/{view}/remove").status_code == 404
    assert post(mine, f"/{view}/share", shared="yes").status_code == 303
    assert deeds(mine)[0] == ("modeller", "shared a view of the runs", "Stopped, slow")
    assert listed(page(viewer)) == ["Stopped, slow by Modeller"]
    assert "Remove the view" not in page(viewer, verdict="stop", sort="-seconds", column="region")
    assert post(other, f"/{view}/remove").status_code == 404
    assert post(browsers["admin"], f"/{view}/remove").status_code == 303
    assert deeds(mine)[0] == ("admin", "removed a view of the runs", "Stopped, slow")
    assert listed(page(mine)) == []


def test_who_looks_on_saves_for_themselves_and_names_nothing_for_others(browsers: dict[str, TestClient]) -> None:
    viewer = browsers["viewer"]
    assert 'name="shared"' not in page(viewer, study="flu")
    refused = post(viewer, "", title="Flu", query="study=flu", shared="yes")
    assert (refused.status_code, "W108" in refused.text) == (403, True)
    assert post(viewer, "", title="Flu", query="study=flu").status_code == 303
    text = page(viewer, study="flu")
    assert listed(text) == ["Flu"]
    assert post(viewer, f"/{id_of(text)}/share", shared="yes").status_code == 403
    # Two people may use one name, each for their own.
    assert post(browsers["modeller"], "", title="Flu", query="study=flu", shared="yes").status_code == 303
    assert listed(page(viewer)) == ["Flu", "Flu by Modeller"]
    for browser in (viewer, browsers["modeller"]):
        assert post(browser, f"/{id_of(page(browser, study='flu'))}/remove").status_code == 303
    assert listed(page(viewer)) == []


@pytest.mark.parametrize(
    ("title", "query", "told"),
    [
        ("Taken", "verdict=stop", "called `Taken` already"),
        ("", "verdict=stop", "one letter to 60"),
        ("x" * 61, "verdict=stop", "one letter to 60"),
        ("All", "sort=-time&unheard=of", "nothing is asked"),
        ("Long", "tag=" + "x" * 2500, "too much is asked"),
    ],
)
def test_what_can_not_be_saved_is_told_where_it_was_typed(
    browsers: dict[str, TestClient], title: str, query: str, told: str
) -> None:
    browser = browsers["modeller"]
    before = listed(page(browser))
    if "Taken" not in before:
        assert post(browser, "", title="Taken", query="verdict=fine").status_code == 303
    answer = post(browser, "", title=title, query=query)
    assert answer.status_code == 422
    assert "W150" in answer.text
    assert told in re.sub(r"</?code>", "`", answer.text)
    assert listed(page(browser)) == ["Taken"]


def test_a_person_keeps_no_more_than_some(browsers: dict[str, TestClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_views, "MOST", 1)
    browser = browsers["modeller-2"]
    assert post(browser, "", title="One", query="verdict=stop").status_code == 303
    refused = post(browser, "", title="Two", query="verdict=fine")
    assert (refused.status_code, "1 views already" in refused.text) == (422, True)


def test_a_view_of_what_is_gone_opens_and_says_so(browsers: dict[str, TestClient]) -> None:
    """A number that no run has any more is a letter to whoever types it; who saved it has to get rid of it, too."""
    browser = browsers["admin"]
    for title, query in (("Gone", "where=contacts+>+1"), ("Order", "sort=number:contacts"), ("Bob", "person=Bob")):
        assert post(browser, "", title=title, query=query).status_code == 303
    for asked in ({"where": "contacts > 1"}, {"sort": "number:contacts"}):
        text = page(browser, **asked)
        assert "This view asks for what no run has any more" in text
        assert "contacts" in text
        assert "Remove the view" in text
        assert browsers["viewer"].get(f"{RUNS}?{urlencode(asked)}", headers=HTML).status_code == 422
    assert "No run is like that" in page(browser, person="Bob")
    assert "asks for colour, by which runs are not narrowed" in page(browser, colour="red", verdict="stop")


def test_an_address_that_named_a_rerun_leads_to_its_study(browsers: dict[str, TestClient]) -> None:
    """It was a study of its own in the list; links to it stand in letters and notes."""
    browser = browsers["viewer"]
    answer = browser.get(f"{RUNS}?study=flu-rate-2-3f5a1c&verdict=stop")
    assert (answer.status_code, answer.headers["location"]) == (302, f"{RUNS}?study=flu&verdict=stop")
    assert "2 runs" in page(browser, study="flu", verdict="stop")
    # Nothing is found of a study for another reason.
    assert "No run is like that" in page(browser, study="flu", verdict="fine")
    assert "No run is like that" in page(browser, study="unheard-of")


def test_the_copies_of_studies_are_no_studies(browsers: dict[str, TestClient]) -> None:
    house = browsers["nobody"].app.state.house  # type: ignore[attr-defined]
    root: Path = house.workspace("ours").root
    with index_around(root) as index:
        assert index.copies() == {"flu-rate-2-3f5a1c": "flu"}
    text = browsers["admin"].get("/w/ours/settings", headers=HTML).text
    assert (
        '<th scope="row">flu</th><td class="is-number">2<span class="note">1 with something assumed otherwise' in text
    )
