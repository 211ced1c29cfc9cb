"""What if, on the website: sliders and switches that answer from a run's own draws, with and without a script."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient
from visitors import let_in, token_on

from modelworks.inputs import read_study
from modelworks.runs import Run
from modelworks.study import new_repository, run_study
from modelworks.website import create_app, read_settings

# It takes a finished run of a model, and so a calibration.
pytestmark = pytest.mark.slow

SCENARIO = "  fixed:\n    title: At one value\n    parameters: {contact_rate: 0.2}\n"


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A browser of a modeller in a repository with one finished run, and that run."""
    root = new_repository(tmp_path_factory.mktemp("explored") / "ours")
    folder = root / "studies" / "first-study"
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    declared = "    parameters: {contact_rate: {multiply: 0.8}}\n"
    assert declared in text
    (folder / "study.yaml").write_text(text.replace(declared, declared + SCENARIO), encoding="utf-8")
    run = run_study(folder, quiet=True).run
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as browser:
        let_in(browser, app, "modeller", "modeller")
        browser.follow_redirects = False
        yield browser, run


def address(run: Run, ending: str = "") -> str:
    return f"/w/ours/runs/{run.id}/explore{ending}"


def test_the_page_answers_without_a_script(explored: Any) -> None:
    browser, run = explored
    page = browser.get(address(run), params={"times.contact_rate": "0.5"}, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert 'type="range"' in page.text
    assert 'value="0.5"' in page.text
    assert "A fifth fewer contacts" in page.text
    assert re.search(r"0\.\d+ × 0\.5 = 0\.\d+ per day", page.text)
    picture = browser.get(address(run, ".png"), params={"times.contact_rate": "0.5"})
    assert picture.content.startswith(b"\x89PNG")


def test_a_slider_at_a_declared_scenario_gives_what_the_run_recorded(explored: Any) -> None:
    browser, run = explored
    recorded = pd.read_parquet(run.path / "project" / "outputs.parquet")
    output = str(recorded["output"].iloc[0])
    asked = {"times.contact_rate": "0.8", "output": output, "all": "on"}
    found = browser.get(address(run, ".json"), params=asked).json()
    then = recorded[(recorded["scenario"] == "fewer-contacts") & (recorded["output"] == output)]["q50"]
    numbers = json.dumps(found["panels"])
    assert f"{then.max():.3g}"[:3] in numbers
    assert "all " in found["told"]
    assert len(found["panels"]) == 2


def test_numbers_are_in_their_units_and_a_link_keeps_every_digit(explored: Any) -> None:
    """A count is of people a day at the end, and of people in all."""
    browser, run = explored
    third = repr(1 / 3)
    asked = {"times.contact_rate": third, "output": "incidence"}
    page = browser.get(address(run), params=asked, headers={"accept": "text/html"}).text
    assert f'name="times.contact_rate" value="{third}"' in page
    assert f"explore.png?output=incidence&amp;times.contact_rate={third}" in page
    table = page.partition("<table>")[2].partition("</table>")[0]
    heads = re.findall(r'<th scope="row">([\w ]+) <span class="note">([\w ]+)</span></th>', table)
    a_day = "people per day"
    assert heads == [("In all", "people"), ("At its highest", a_day), ("At the end", a_day)]
    assert "Incidence (people per day)" in browser.get(address(run, ".json"), params=asked).text


def test_a_calibrated_parameter_is_set_only_where_it_is_ticked(explored: Any) -> None:
    browser, run = explored
    alone = browser.get(address(run, ".json"), params={"contact_rate": "0.2"}).json()
    ticked = browser.get(address(run, ".json"), params={"contact_rate": "0.2", "set.contact_rate": "on"})
    assert len(alone["panels"]) == 1
    assert len(ticked.json()["panels"]) == 2


@pytest.mark.parametrize(
    "asked",
    [{"times.contact_rate": "-1"}, {"times.contact_rate": "much"}, {"nothing": "1"}, {"output": "<b>"}],
)
def test_what_can_not_be_moved_is_told_on_the_page(explored: Any, asked: dict[str, str]) -> None:
    browser, run = explored
    page = browser.get(address(run), params=asked, headers={"accept": "text/html"})
    assert page.status_code == 422
    assert "Y552" in page.text
    assert "<b>" not in page.text
    answer = browser.get(address(run, ".json"), params=asked)
    assert answer.status_code == 422
    assert answer.json()["mistakes"][0]["code"] == "Y552"


def test_a_found_scenario_becomes_a_real_run(explored: Any, tmp_path: Path) -> None:
    """As a job of the study with one more scenario, which `modelworks work` would carry out."""
    browser, run = explored
    data = {"times.contact_rate": "0.7", "form_token": token_on(browser, address(run))}
    done = browser.post(address(run), data=data)
    assert done.status_code == 303
    workspace = browser.app.state.house.workspaces["ours"]
    job = workspace.queue.get(done.headers["location"].rpartition("/")[2])
    assert job.order.by == "Modeller"
    assert job.order.task["maker"] == {"person": "Modeller", "login": "modeller"}
    study = Path(job.order.task["study"])
    made = run_study(study, until="project", quiet=True).run
    assert made is not None
    assert "explored" in set(pd.read_parquet(made.path / "project" / "outputs.parquet")["scenario"])
    wrong = {"times.contact_rate": "7", "form_token": data["form_token"]}
    assert browser.post(address(run), data=wrong, headers={"accept": "text/html"}).status_code == 422


def save(browser: TestClient, run: Run, title: str, **moved: str) -> Any:
    data = {"called:": title, "output": "incidence", "form_token": token_on(browser, address(run)), **moved}
    return browser.post(f"/w/ours/runs/{run.id}/scenarios", data=data, headers={"accept": "text/html"})


def test_a_found_scenario_is_saved_shared_and_becomes_a_run_of_that_name(explored: Any) -> None:
    """Its link leads to the controls as they stood, the list names it, and so does the study of the real run."""
    browser, run = explored
    title = "Half <b>the</b> contacts"
    made = save(browser, run, title, **{"times.contact_rate": "0.5"})
    assert made.status_code == 303
    place = made.headers["location"]
    leads = browser.get(place).headers["location"]
    assert leads.startswith(address(run) + "?")
    assert "output=incidence&times.contact_rate=0.5" in leads
    page = browser.get(leads, headers={"accept": "text/html"}).text
    assert "Half &lt;b&gt;the&lt;/b&gt; contacts" in page
    assert f"http://127.0.0.1:8420{place}" in page
    assert place in browser.get(address(run, ".json"), params={"times.contact_rate": "0.5"}).json()["told"]
    assert place not in browser.get(address(run, ".json"), params={"times.contact_rate": "0.6"}).json()["told"]
    people = browser.app.state.house.people
    token = people.make_token(people.find("modeller").id, "a program", "ours", "viewer", 1)
    [told] = browser.get("/api/v1/workspaces/ours/scenarios", auth=("x", token)).json()
    assert (told["title"], told["run"], told["person"]) == (title, run.id, "Modeller")
    data = {"times.contact_rate": "0.5", "form_token": token_on(browser, address(run))}
    done = browser.post(address(run), data=data)
    job = browser.app.state.house.workspaces["ours"].queue.get(done.headers["location"].rpartition("/")[2])
    study = read_study(Path(job.order.task["study"]))
    assert study.study.scenarios["explored"].title == title
    removed = browser.post(f"{place}/remove", data={"form_token": data["form_token"]})
    assert removed.status_code == 303
    assert browser.get(place, headers={"accept": "text/html"}).status_code == 404
    assert "Nothing is saved yet" in browser.get("/w/ours/scenarios", headers={"accept": "text/html"}).text


@pytest.mark.parametrize(
    ("title", "moved"),
    [("", "0.5"), ("x" * 101, "0.5"), ("As it is", "1"), ("taken", "0.5")],
    ids=["no name", "too long", "nothing moved", "taken"],
)
def test_what_can_not_be_saved_is_told_where_it_was_moved(explored: Any, title: str, moved: str) -> None:
    browser, run = explored
    if title == "taken":
        save(browser, run, "taken", **{"times.contact_rate": "0.4"})
    answer = save(browser, run, title, **{"times.contact_rate": moved})
    assert answer.status_code == 422
    assert "W126" in answer.text


def test_a_viewer_reads_what_others_saved_and_another_team_does_not(explored: Any) -> None:
    browser, run = explored
    place = save(browser, run, "For all to see", **{"times.contact_rate": "0.3"}).headers["location"]
    viewer = TestClient(browser.app, base_url="http://127.0.0.1:8420", follow_redirects=False)
    let_in(viewer, browser.app, "viewer", "viewer")
    assert viewer.get(place).status_code == 303
    assert save(viewer, run, "Mine", **{"times.contact_rate": "0.3"}).status_code == 403
    assert viewer.post(f"{place}/remove", data={"form_token": token_on(viewer, address(run))}).status_code == 403
    stranger = TestClient(browser.app, base_url="http://127.0.0.1:8420", follow_redirects=False)
    assert stranger.get(place).status_code == 401
    let_in(stranger, browser.app, "stranger", "viewer", "theirs")
    assert stranger.get(place).status_code == 404


def test_only_who_is_of_the_workspace_explores(explored: Any) -> None:
    browser, run = explored
    stranger = TestClient(browser.app, base_url="http://127.0.0.1:8420", follow_redirects=False)
    assert [stranger.get(address(run, each)).status_code for each in ("", ".json", ".png")] == [401] * 3
