"""The feeds as programs meet them: with a token, over HTTP, of what is approved and of each run."""

from __future__ import annotations

import html
import io
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pandas as pd
import pytest
from feeds_runs import START, approve, write_run
from starlette.testclient import TestClient

from modelworks.runs import Run, withdraw
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings
from modelworks.website.feeds._schema import TABLES

ADDRESS = "http://127.0.0.1:8420"
ATOM = "{http://www.w3.org/2005/Atom}"


class Team:
    """A website of a repository with three runs, of which one is approved, and tokens of a viewer there."""

    def __init__(self, browser: TestClient, runs: list[Run], token: str, other: str, admin: str) -> None:
        self.browser, self.runs, self.token, self.other, self.admin = browser, runs, token, other, admin

    def get(self, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.browser.get(f"/w/ours/feeds{path}", headers=headers, **more)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    top = tmp_path_factory.mktemp("team")
    folder = new_repository(top / "ours")
    store = store_around(folder)
    hours = iter(range(100))
    store._clock = lambda: START + timedelta(hours=next(hours))
    runs = [write_run(store, top / "made", number, f"flu{number % 2}") for number in range(3)]
    approve(store, runs[0].key)
    app = create_app(read_settings(folder))
    with TestClient(app, base_url=ADDRESS) as browser:
        people = app.state.house.people
        someone = people.add("grace", "Grace")
        people.set_role(someone.id, "ours", "admin")
        token = people.make_token(someone.id, "Power BI", "ours", "viewer", 1)
        other = people.make_token(someone.id, "other", "theirs", "viewer", 1)
        yield Team(browser, runs, token, other, people.make_token(someone.id, "all", "", "admin", 1))


def test_what_is_approved_is_all_that_its_feed_shows(team: Team) -> None:
    found = team.get("/approved/odata/quantities").json()
    assert [row["run"] for row in found["value"]] == [team.runs[0].id]
    assert found["@odata.context"] == f"{ADDRESS}/w/ours/feeds/approved/odata/$metadata#quantities"
    everything = team.get("/all/odata/runs?$orderby=made&$select=id,approved").json()["value"]
    assert everything == [{"id": run.id, "approved": run is team.runs[0]} for run in team.runs]
    of_run = team.get(f"/runs/{team.runs[2].id}/odata/quantities").json()
    assert [row["run"] for row in of_run["value"]] == [team.runs[2].id]
    assert of_run["value"][0]["median"] == team.runs[2].record["quantities"]["r0"]["median"]


def test_a_link_to_the_next_page_leads_there(team: Team) -> None:
    first = team.get("/all/odata/series", headers={"Prefer": "odata.maxpagesize=50"})
    assert first.headers["Preference-Applied"] == "odata.maxpagesize=50"
    assert first.headers["OData-Version"] == "4.0"
    link = urlsplit(first.json()["@odata.nextLink"])
    assert f"{link.scheme}://{link.netloc}" == ADDRESS
    path = f"{link.path.removeprefix('/w/ours/feeds')}?{link.query}"
    second = team.get(path, headers={"Prefer": "odata.maxpagesize=50"}).json()["value"]
    assert second == team.get("/all/odata/series?$skip=50&$top=50").json()["value"]


def test_power_bi_and_excel_come_in_with_the_token_as_a_password(team: Team) -> None:
    refused = team.browser.get("/w/ours/feeds/approved/odata", headers={"Accept": "application/json"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    let_in = team.browser.get("/w/ours/feeds/approved/odata/", auth=("whoever", team.token))
    assert let_in.status_code == 200
    assert team.browser.get("/w/ours/feeds/approved/odata", auth=("grace", team.other)).status_code == 404


def test_whether_there_is_a_table_can_be_asked_without_reading_it(team: Team) -> None:
    headers = {"Authorization": f"Bearer {team.token}"}
    for path in ("/approved/odata", "/approved/odata/series", "/approved/odata/$metadata", "/all/series.csv"):
        found = team.browser.head(f"/w/ours/feeds{path}", headers=headers)
        assert (found.status_code, found.content) == (200, b""), path
        assert found.headers["Content-Type"] == team.get(path).headers["Content-Type"]


def test_what_the_website_refuses_is_an_error_of_odata_there(team: Team) -> None:
    address = "/w/ours/feeds/approved/odata/runs"
    nobody, other = team.browser.get(address), team.browser.get(address, auth=("grace", team.other))
    sent = team.browser.post(address, auth=("grace", team.token), json={})
    assert [each.status_code for each in (nobody, other, sent)] == [401, 404, 405]
    for each in (nobody, other, sent):
        assert set(each.json()) == {"error"}
        assert each.headers["OData-Version"] == "4.0"
    assert set(sent.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    assert "mistakes" in team.browser.get("/w/ours/feeds/approved/runs.csv").json()


def test_the_ready_texts_for_power_query_name_what_is_there(team: Team) -> None:
    """Microsoft's own parser (@microsoft/powerquery-parser 2.0.0) read both without a complaint."""
    texts = [html.unescape(each) for each in re.findall(r"<code>(let\n.*?)</code>", team.get("").text, re.DOTALL)]
    assert len(texts) == 2
    for text in texts:
        assert f'OData.Feed("{ADDRESS}/w/ours/feeds/approved/odata", null, [Implementation = "2.0"])' in text
        tables = [TABLES[name] for name in re.findall(r'\[Name = "(\w+)", Signature = "table"\]', text)]
        picked = re.findall(r'"(\w+)"', " ".join(re.findall(r'\{("[^}]*)\}', text))) + re.findall(
            r"each \[(\w+)\]", text
        )
        # What `Table.PrefixColumns(Runs, "run")` calls `run.id` is the key of the runs.
        picked += re.findall(r'Table\.Join\(Table, "(\w+)"', text) + re.findall(r'"run\.(\w+)"', text)
        assert picked
        assert {each for each in picked if not any(table.column(each) for table in tables)} == set()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_is_a_file_as_well(team: Team, form: str) -> None:
    read = {"csv": lambda content: pd.read_csv(content, dtype={"run": str}), "parquet": pd.read_parquet}[form]
    found = team.get(f"/all/series.{form}")
    assert f'filename="ours-all-series.{form}"' in found.headers["Content-Disposition"]
    table = read(io.BytesIO(found.content))
    assert len(table) == 3 * 80
    some = read(
        io.BytesIO(team.get(f"/runs/{team.runs[1].id}/series.{form}?$filter=kind eq 'ratio' or q50 gt 20").content)
    )
    mine = table[(table["run"] == team.runs[1].id) & (table["q50"] > 20)].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, mine, check_exact=True)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/aproved/odata", 404, "W217"),
        ("/all/sries.csv", 404, "W217"),
        ("/all/series.xlsx", 404, "W217"),
        ("/all/series.csv?$filter=nothing", 422, "W211"),
        ("/runs/ffffff/odata", 404, "R101"),
        ("/all/odata/series?$filter=nothing", 400, "W211"),
    ],
)
def test_a_mistake_is_a_letter(team: Team, path: str, status: int, code: str) -> None:
    found = team.get(path)
    assert found.status_code == status
    told = found.json()
    assert (told["error"]["code"] if "error" in told else told["mistakes"][0]["code"]) == code


def test_the_page_says_what_to_click(team: Team) -> None:
    """The address and the text to paste are this site's own."""
    text = team.get("", headers={"Accept": "text/html"}).text
    assert f'OData.Feed("{ADDRESS}/w/ours/feeds/approved/odata"' in text.replace("&#34;", '"')
    assert "From OData Feed" in text
    assert team.get("/schema.json").json()["edition"] == 1


def test_prometheus_hears_of_its_own_workspaces_alone(team: Team) -> None:
    """Counts of the databases; how the server does is for an admin's token."""
    found = team.browser.get("/metrics", auth=("prometheus", team.token))
    assert 'modelworks_runs{workspace="ours"} 3.0' in found.text
    assert 'modelworks_approved_runs{workspace="ours"} 1.0' in found.text
    assert 'modelworks_jobs{state="waiting",workspace="ours"} 0.0' in found.text
    assert "modelworks_answer_seconds" not in found.text
    assert "ours" not in team.browser.get("/metrics", auth=("prometheus", team.other)).text
    text = team.browser.get("/metrics", auth=("prometheus", team.admin)).text
    assert 'route="/w/{workspace}/feeds/{feed}/odata/{path:path}",status="200"' in text
    assert f'process_cpu_seconds_total{{process="{os.getpid()}"}}' in text
    assert not re.search(r"^(process_\w+|modelworks_answer_\w+)(\{(?!.*process=).*\})? ", text, re.MULTILINE)
    assert team.browser.get("/metrics", headers={"Accept": "text/plain"}).status_code == 401


def test_news_of_what_was_approved_and_withdrawn(team: Team) -> None:
    """A reader of news hears of both: the same entry, later, in other words."""
    before = _entries(team)
    assert [each.findtext(f"{ATOM}title") for each in before] == ["Influenza <in> a school: It is 0, 'so to say'."]
    assert [name.text for name in before[0].iter(f"{ATOM}name")] == ["Grace", "Emmy"]
    store = store_around(team.runs[0].path)
    withdraw(store, team.runs[0].key, by="Ada", reason="data corrected")
    after = _entries(team)
    assert after[0].findtext(f"{ATOM}id") == before[0].findtext(f"{ATOM}id")
    assert "data corrected" in str(after[0].findtext(f"{ATOM}summary"))
    assert str(after[0].findtext(f"{ATOM}updated")) > str(before[0].findtext(f"{ATOM}updated"))
    assert team.get("/approved/odata/runs").json()["value"] == []


def _entries(team: Team) -> list[ElementTree.Element]:
    found = team.get("/approved.atom")
    assert found.headers["Content-Type"].startswith("application/atom+xml")
    return list(ElementTree.fromstring(found.content).iter(f"{ATOM}entry"))
