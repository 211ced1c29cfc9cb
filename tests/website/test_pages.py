"""What the pages say, and that whatever a study or a log says stays text."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import pytest
from starlette.testclient import TestClient
from visitors import WICKED, Site, token_on

from modelworks.report.words import moment
from modelworks.website._guard import POLICY

PAGES = ("", "/runs", "/runs/{run}", "/jobs", "/jobs/{job}")


def get(site: Site, place: str, kind: str = "viewer") -> str:
    answer = site.browsers[kind].get(site.at + place, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("place", PAGES)
def test_markup_in_what_others_wrote_is_shown_as_text(site: Site, place: str) -> None:
    """A title, a person and a job's name are data."""
    text = get(site, place.format(run=site.run.id, job=site.job))
    assert WICKED not in text
    assert "<script>" not in text
    assert place in ("",) or "&lt;script&gt;" in text


@pytest.mark.parametrize("place", [*PAGES, "/nothing", "/runs/ffffff"])
def test_every_answer_lets_a_browser_run_only_our_own_files(site: Site, place: str) -> None:
    """A mistake and a page that is not there included."""
    answer = site.browsers["viewer"].get(site.at + place.format(run=site.run.id, job=site.job))
    assert answer.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_home_tells_a_change_since_the_run(site: Site) -> None:
    """The number on the slide was made with other files."""
    assert "Stale" not in get(site, "")
    assert "How contagious?" in get(site, "/runs/" + site.run.id)


@pytest.mark.parametrize("name", ["../run.json", "..%2f..%2frun.json", "/etc/passwd", "%2e%2e/%2e%2e/modelworks.toml"])
def test_no_path_leads_out_of_a_run(site: Site, name: str) -> None:
    """Nor does a link that somebody put into its folder."""
    assert site.browsers["admin"].get(f"{site.at}/runs/{site.run.id}/files/{name}").status_code in (404, 307)


def test_a_page_of_a_run_is_saved_and_never_opened(site: Site) -> None:
    """A report that was tampered with would act as the website."""
    answer = site.browsers["viewer"].get(f"{site.at}/runs/{site.run.id}/files/report.html")
    assert answer.headers["content-disposition"].startswith("attachment")


def test_a_figure_comes_as_drawing_as_data_and_as_panels(site: Site) -> None:
    """For a slide, for a table, for the browser."""
    base = f"{site.at}/runs/{site.run.id}/figures/outputs"
    browser = site.browsers["viewer"]
    assert browser.get(f"{base}.svg").text.startswith("<svg")
    table = pd.read_csv(io.StringIO(browser.get(f"{base}.csv").text))
    assert {"panel", "time", "q50"} <= set(table.columns)
    assert len(table) > 1
    assert table["time"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
    assert browser.get(f"{base}.json").json()[0]["$schema"].startswith("https://vega.github.io/schema/vega-lite")
    assert browser.get(f"{site.at}/runs/{site.run.id}/figures/none.svg").status_code == 404


def test_a_letter_is_a_page_for_a_person_and_json_for_a_program(site: Site) -> None:
    """The same code and the same words."""
    place = site.at + "/runs?since=yesterday"
    told = site.browsers["viewer"].get(place).json()["mistakes"][0]
    assert told["code"] == "R151"
    page = site.browsers["viewer"].get(place, headers={"accept": "text/html"})
    assert page.status_code == 422
    assert "R151" in page.text
    assert "yesterday" in page.text


def test_a_form_from_elsewhere_changes_nothing(site: Site) -> None:
    """Another site can make a browser send one, but does not know what ours hold."""
    place = f"{site.at}/jobs/{site.job}/retry"
    assert site.browsers["modeller"].post(place).status_code == 403
    token = token_on(site.browsers["modeller"], site.at)
    stolen = token_on(site.browsers["viewer"], site.at)
    assert site.browsers["modeller"].post(place, data={"form_token": stolen}).status_code == 403
    headers = {"sec-fetch-site": "cross-site"}
    assert site.browsers["modeller"].post(place, data={"form_token": token}, headers=headers).status_code == 403


# -- jobs -------------------------------------------------------------------------------------------------


def write_log(site: Site, attempt: int, *lines: str) -> None:
    log = site.root / ".modelworks" / "jobs" / site.job / f"attempt-{attempt}" / "log.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps({"time": "2026-11-21T05:15:00Z", "event": "said", "text": line}) + "\n")


def heard(site: Site, place: str = "") -> tuple[list[str], str]:
    """The lines that a browser hears which was away since a place, and the place where it is then."""
    headers = {"last-event-id": place} if place else {}
    text = site.browsers["viewer"].get(f"{site.at}/jobs/{site.job}/events", headers=headers).text
    events = [dict(line.split(": ", 1) for line in each.splitlines() if ": " in line) for each in text.split("\n\n")]
    said = [each for each in events if each.get("event") == "said"]
    return [json.loads(each["data"])["line"] for each in said], (said[-1]["id"] if said else place)


def test_a_browser_that_comes_back_hears_every_line_once(site: Site) -> None:
    """The server may have been started anew, and an earlier attempt may still have had something to say."""
    write_log(site, 1, "one", "two")
    first, place = heard(site)
    assert [line.split()[-1] for line in first] == ["one", "two"]
    write_log(site, 2, "four", WICKED)
    write_log(site, 1, "three")
    second, place = heard(site, place)
    assert [line.split("  ")[-1] for line in second] == ["three", "four", WICKED]
    assert heard(site, place) == ([], place)
    assert len(heard(site, "nonsense")[0]) == 5


def test_the_saved_log_says_of_which_day_and_zone_its_times_are(site: Site) -> None:
    """Whoever opens it a week later, elsewhere, has no page around it."""
    write_log(site, 1, "one")
    first, *lines = get(site, f"/jobs/{site.job}/log", "viewer").splitlines()
    assert first.endswith(f"job {site.job}; times are in UTC")
    assert lines
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", each) for each in lines)


def test_a_line_that_is_being_written_is_heard_when_it_is_whole(tmp_path: Path) -> None:
    """Half a line is no line."""
    from modelworks.study import JobLog

    log = tmp_path / "attempt-1" / "log.jsonl"
    log.parent.mkdir()
    whole = json.dumps({"time": "2026-11-21T05:15:00Z", "event": "said", "text": "a"}) + "\n"
    log.write_text(whole + whole[:20], encoding="utf-8")
    found = list(JobLog(tmp_path).read())
    assert len(found) == 1
    log.write_text(whole + whole + "not json\n", encoding="utf-8")
    assert len(list(JobLog(tmp_path).read(found[0][0]))) == 1


def test_a_line_of_the_log_is_gone_to_without_a_mouse(site: Site) -> None:
    """A field asks for its number; the line that was asked for has the focus when the page is there, and no other."""
    write_log(site, 1, "one", "two", "three")
    text = get(site, f"/jobs/{site.job}")
    last = max(int(number) for number in re.findall(r'id="L(\d+)"', text))
    assert last >= 3
    assert f'<input type="number" name="line" min="1" max="{last}"' in text
    assert re.findall(r'<a href="\?line=(\d)#L\d" autofocus', get(site, f"/jobs/{site.job}?line=2")) == ["2"]


def test_what_happened_to_a_job_is_told_with_moments_as_everywhere(site: Site) -> None:
    queue = site.app.state.house.workspace("ours").queue
    job = queue.jobs(limit=1)[0]
    first = queue.events(job.id)[0]
    steps = get(site, f"/jobs/{job.id}").partition('id="happened"')[2]
    assert f">{moment(first.time)}</th>" in steps
    assert " UTC</th>" in steps
    assert first.time[:16] not in steps
    assert first.what in steps


# -- a new run --------------------------------------------------------------------------------------------


def sent(browser: TestClient, site: Site, unticked: Collection[str] = (), **typed: str) -> tuple[int, str]:
    place = f"{site.at}/studies/first-study/run"
    page = browser.get(place, headers={"accept": "text/html"}).text
    fields = {"form_token": token_on(browser, site.at), "until": "simulate", "executor": "process"}
    ticked = dict.fromkeys([*_names(page, "target "), *_names(page, "scenario ")], "yes")
    ticked = {name: each for name, each in ticked.items() if name not in unticked}
    answer = browser.post(place, data={**fields, **ticked, **typed}, headers={"accept": "text/html"})
    return answer.status_code, answer.text if answer.status_code != 303 else answer.headers["location"]


def _names(page: str, beginning: str) -> list[str]:
    return [each.partition('"')[0] for each in page.split('name="')[1:] if each.startswith(beginning)]


def test_a_mistake_is_told_at_its_field_and_what_was_typed_stays(site: Site) -> None:
    """With the words and the code that the command line has for it."""
    parameter = _names(get(site, "/studies/first-study/run", "modeller"), "parameter ")[0]
    status, text = sent(site.browsers["modeller"], site, **{parameter: "normal(a lot)"})
    assert status == 422
    field = text.partition(f'name="{parameter}"')[2].partition('class="field')[0]
    assert "Y521" in field
    assert 'value="normal(a lot)"' in field
    assert 'aria-invalid="true" autofocus' in field
    assert text.count("autofocus") == 1
    name = parameter.removeprefix("parameter ")
    assert f'<a href="#p-{name}">' in text.partition("1 mistake in what was typed</h2>")[2].partition("</ul>")[0]


@pytest.mark.parametrize("typed", ["0,4", "10,000", "0.4 per week", "-0.4"])
def test_a_number_as_on_paper_is_told_how_it_is_typed(site: Site, typed: str) -> None:
    """Nothing about families of priors, and no path of a copy that nobody has seen."""
    parameter = _names(get(site, "/studies/first-study/run", "modeller"), "parameter ")[0]
    status, text = sent(site.browsers["modeller"], site, **{parameter: typed})
    field = text.partition(f'name="{parameter}"')[2].partition('class="field')[0]
    assert status == 422
    assert ".modelworks" not in text
    assert "known here" not in field
    assert 'class="letter"' in field


def test_the_form_hands_the_run_over_with_what_was_changed(site: Site) -> None:
    """And the trail says who did."""
    parameter = _names(get(site, "/studies/first-study/run", "modeller"), "parameter ")[0]
    status, place = sent(site.browsers["modeller"], site, **{parameter: "0.75"})
    assert status == 303, place
    house = site.app.state.house
    job = house.workspace("ours").queue.get(place.rpartition("/")[2])
    assert f"value {parameter.removeprefix('parameter ')} = 0.75" in job.title
    assert job.order.by == "Modeller"
    assert house.people.trail("ours")[0].about.startswith(f"job {job.id}")
    house.workspace("ours").queue.cancel(job.id)


def test_a_scenario_says_what_becomes_of_each_parameter(site: Site) -> None:
    text = get(site, "/studies/first-study/run", "modeller").partition('id="futures"')[2].partition("</section>")[0]
    assert "<code>contact_rate</code>: 0.4 × 0.8 = 0.32 per day" in text


def test_only_the_scenarios_that_are_ticked_are_run(site: Site) -> None:
    """As `submit --scenario` does; all, where nothing is unticked."""
    modeller, queue = site.browsers["modeller"], site.app.state.house.workspace("ours").queue
    assert _names(get(site, "/studies/first-study/run", "modeller"), "scenario ") == [
        "scenario baseline",
        "scenario fewer-contacts",
    ]
    titles = []
    for unticked in ([], ["scenario baseline"]):
        status, place = sent(modeller, site, unticked, until="report")
        assert status == 303, place
        job = queue.get(place.rpartition("/")[2])
        queue.cancel(job.id)
        titles.append((job.title, job.order.labels["scenario"]))
    assert titles == [
        ("first-study: report", ""),
        ("first-study: report, in fewer-contacts", "fewer-contacts"),
    ]


@pytest.mark.parametrize(
    ("unticked", "until", "code", "word"),
    [
        (["scenario baseline", "scenario fewer-contacts"], "report", "W139", "none is chosen"),
        (["scenario baseline"], "calibrate", "J132", "runs no scenario"),
    ],
)
def test_no_scenario_at_all_or_one_that_is_not_reached_is_a_letter(
    site: Site, unticked: list[str], until: str, code: str, word: str
) -> None:
    status, text = sent(site.browsers["modeller"], site, unticked, until=until)
    assert status == 422
    assert code in text
    assert word in text


def test_how_chains_mix_is_heard_as_it_grows() -> None:
    """Beside the bar and not in place of it: who waits for draws enough looks at this."""
    from modelworks.website.pages.jobs import heard

    mixing = {"time": "2026-11-21T05:15:00Z", "event": "mixing", "draws": 100, "r_hat": 1.03, "effective_draws": 212.0}
    told = heard({**mixing, "by_chain": [101.0, 111.0]})
    assert told["mixing"]
    assert "R-hat 1.030, 212 effective draws (by chain 101, 111)" in told["line"]
