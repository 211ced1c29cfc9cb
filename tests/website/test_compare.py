"""Runs side by side on the website."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from compared import made_run
from starlette.testclient import TestClient
from visitors import let_in

from modelworks.plots import Figure
from modelworks.runs import Run
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings
from modelworks.website.pages.runs import _told

AT = "/w/ours"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Seven runs of a study."""
    store = store_around(new_repository(tmp_path_factory.mktemp("compared") / "ours"))
    return [made_run(store, tmp_path_factory.mktemp("made"), number) for number in range(7)]


@pytest.fixture(scope="module")
def browser(runs: list[Run]) -> Iterator[TestClient]:
    root = next(each for each in runs[0].path.parents if each.name == "ours")
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as opened:
        let_in(opened, app, "viewer", "viewer")
        yield opened


def text(browser: TestClient, *runs: Run, status: int = 200) -> str:
    query = "&".join(f"run={run.id}" for run in runs)
    answer = browser.get(f"{AT}/compare?{query}", headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return answer.text


def test_numbers_assumptions_and_figures_of_two_runs_stand_side_by_side(browser: TestClient, runs: list[Run]) -> None:
    said = text(browser, runs[0], runs[3])
    for wanted in ("40.0", "43.0", "1.5", "1.8", "What the model says", f"{AT}/runs/{runs[3].id}", "In bed"):
        assert wanted.lower() in said.lower(), wanted
    assert "<script>alert" not in said
    assert said.count('class="live"') == 3


def test_a_picture_is_drawn_in_another_process_for_who_asks_for_it(
    browser: TestClient, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What draws lets nobody else of its process go on meanwhile, so the page comes without, and no picture is drawn
    in this one."""
    monkeypatch.setattr(Figure, "svg", property(lambda figure: pytest.fail("drawn here")))
    said = text(browser, runs[1], runs[2])
    pictures = [unescape(each) for each in re.findall(r'<img class="still" src="([^"]+)"', said)]
    assert len(pictures) == 3
    for address in pictures:
        drawn = browser.get(address)
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
        assert drawn.text.startswith("<svg")
    assert browser.get(f"{AT}/compare/none.svg?run={runs[1].id}&run={runs[2].id}").status_code == 404
    assert browser.get(f"{AT}/compare/compared.svg?run={runs[1].id}").status_code == 404


def test_the_earliest_is_what_the_others_are_held_against(browser: TestClient, runs: list[Run]) -> None:
    """Whichever was ticked first; runs of one second go by their ids."""
    earliest, latest = sorted((runs[0], runs[6]), key=lambda run: run.key.split("/")[-2:])
    for chosen in ((earliest, latest), (latest, earliest)):
        said = text(browser, *chosen)
        assert said.index(f"/runs/{earliest.id}") < said.index(f"/runs/{latest.id}")


def test_the_list_of_runs_leads_there(browser: TestClient, runs: list[Run]) -> None:
    said = browser.get(f"{AT}/runs", headers={"accept": "text/html"}).text
    assert f'action="{AT}/compare"' in said
    assert f'name="run" value="{runs[2].id}"' in said


@pytest.mark.parametrize("chosen", [(), (0,), (0, 0)])
def test_fewer_than_two_are_told_what_to_do(browser: TestClient, runs: list[Run], chosen: tuple[int, ...]) -> None:
    assert "Choose two runs or more" in text(browser, *(runs[k] for k in chosen))


def test_more_than_six_are_a_letter(browser: TestClient, runs: list[Run]) -> None:
    assert "R161" in text(browser, *runs, status=422)


def test_a_run_that_is_not_there_is_a_letter(browser: TestClient) -> None:
    answer = browser.get(f"{AT}/compare?run=ffffff&run=eeeeee", headers={"accept": "text/html"})
    assert (answer.status_code, "R101" in answer.text) == (404, True)


def listed(browser: TestClient, query: str = "", status: int = 200) -> str:
    answer = browser.get(f"{AT}/runs{query}", headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return answer.text


def in_order(said: str, runs: list[Run]) -> list[int]:
    """Which of the runs a list shows, in its order."""
    numbers = {run.id: number for number, run in enumerate(runs)}
    return [numbers[each] for each in re.findall(r'aria-label="Compare run (\w+)"', said)]


def test_a_click_on_a_column_sorts_by_it_and_a_second_turns_it_round(browser: TestClient, runs: list[Run]) -> None:
    by_time = sorted(range(7), key=lambda number: (runs[number].key.split("/")[3], runs[number].id))
    assert in_order(listed(browser, "?sort=time"), runs) == by_time
    said = listed(browser)
    assert in_order(said, runs) == by_time[::-1]
    assert 'aria-sort="descending"' in said
    assert f'href="{AT}/runs?sort=time"' in said
    assert f'href="{AT}/runs?sort=-seconds"' in said
    assert f'href="{AT}/runs?sort=seconds"' in listed(browser, "?sort=-seconds")
    assert "R151" in listed(browser, "?sort=colour", status=422)


def test_columns_are_chosen_and_kept_in_the_address(browser: TestClient, runs: list[Run]) -> None:
    """A number of the runs may be one; a name that is none is left out."""
    said = listed(browser, "?column=study&column=number:rate&column=%3Cb%3E")
    titles = re.findall(r'role="columnheader"[^>]*>(?:<a[^>]*>)?([^<]+)', said)
    assert titles == ["Run", "Study", "Rate"]
    assert f'href="{AT}/runs?sort=-study&amp;column=study' in listed(browser, "?sort=study&column=study")
    assert "<b>" not in said
    assert '0.100 (0 to 1.00)<span class="note">per day</span>' in said


def test_a_number_in_a_column_is_told_as_its_run_tells_it() -> None:
    """A date as a day, and not as the time of a model that is behind it; a number of the study before its namesake."""
    peak = {
        "median": 247.0,
        "low": 240.0,
        "high": 261.0,
        "unit": "date",
        "text": "2021-08-11 (2021-08-04 to 2021-08-25)",
    }
    said = {
        "quantities": {"peak": peak, "rate": {"median": 2.0, "low": 1.0, "high": 3.0, "unit": "per week"}},
        "parameters": {"rate": {"value": 0.3, "unit": "per day"}, "boys": {"value": 763.0, "unit": "people"}, "old": 5},
        "measures": {"divergences": 12},
    }
    assert _told(said, "peak") == ("2021-08-11 (2021-08-04 to 2021-08-25)", "")
    assert _told(said, "rate") == ("2.00 (1.00 to 3.00)", "per week")
    assert _told(said, "boys") == ("763", "people")
    assert _told(said, "old") == ("5.00", "")
    assert _told(said, "divergences") == ("12.0", "")
    assert _told(said, "none") is None


def test_a_facet_says_how_many_and_is_taken_back(browser: TestClient, runs: list[Run]) -> None:
    said = listed(browser, "?verdict=look")
    assert "No run is like that" in said
    chosen = re.search(r'<a href="([^"]+)" aria-current="true">Look <span class="count">0</span>', said)
    assert chosen is not None
    assert chosen[1] == f"{AT}/runs"


def test_the_list_is_sorted_by_a_number_of_the_runs(browser: TestClient, runs: list[Run]) -> None:
    """By a click on its column, which is shown wherever the list is sorted by it."""
    said = listed(browser, "?column=study&column=number:rate")
    assert f'href="{AT}/runs?column=study&amp;column=number%3Arate&amp;sort=-number%3Arate"' in said
    largest = listed(browser, "?sort=-number:rate")
    assert in_order(largest, runs) == [6, 5, 4, 3, 2, 1, 0]
    assert re.search(r'aria-sort="descending" class="is-number"><a class="sorts" [^>]+>Rate</a>', largest)
    assert '<option value="-number:rate" selected>Rate, the largest first</option>' in largest
    assert in_order(listed(browser, "?sort=number:rate"), runs) == [0, 1, 2, 3, 4, 5, 6]
    assert "R151" in listed(browser, "?sort=number:rat", status=422)


def test_all_that_the_list_may_be_narrowed_to_is_found(browser: TestClient, runs: list[Run]) -> None:
    """Of many the most frequent are shown, and all of them are one click away, and can be searched."""
    root = next(each for each in runs[0].path.parents if each.name == "ours")
    for number in range(10):
        store_around(root).publish((f"other-{number}", "sir", "here"), stages={}, record={})
    assert facet(said := listed(browser), "study") == ["flu", *(f"other-{number}" for number in range(7))]
    assert f'href="{AT}/runs?facet=study#facet-study">Find among all 11' in said
    every = facet(listed(browser, "?facet=study"), "study")
    assert every == ["flu", *(f"other-{number}" for number in range(10))]
    found = listed(browser, "?facet=study&find=R-9&sort=study")
    assert facet(found, "study") == ["other-9"]
    assert f'href="{AT}/runs?sort=study&amp;study=other-9"' in found
    assert facet(listed(browser, "?facet=study&find=%3Cb%3E"), "study") == []


def facet(said: str, name: str) -> list[str]:
    """The values that the list may be narrowed to by a facet, as they are shown."""
    shown = said.partition(f'id="facet-{name}"')[2].partition("</ul>")[0]
    return re.findall(r'<a [^>]+>([^<]+) <span class="count">', shown)
