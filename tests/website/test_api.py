"""The JSON API: what programs read and do, with every answer as it is described."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pandas as pd
import pytest
from feeds_runs import START, approve, write_run
from starlette.testclient import TestClient

import modelworks.client
from modelworks.errors import ModelworksError
from modelworks.jobs import Order
from modelworks.logs import Log
from modelworks.runs import Run
from modelworks.study import new_repository, store_around
from modelworks.website import create_app, read_settings
from modelworks.website.api.routes import openapi


@dataclasses.dataclass
class Team:
    """A website of a repository with three runs, and a token of each role."""

    app: Any
    browser: TestClient
    runs: list[Run]
    tokens: dict[str, str]
    place: str = "/api/v1/workspaces/ours"

    def get(self, path: str, role: str = "viewer", **more: Any) -> Any:
        return self.browser.get(f"{self.place}{path}", auth=("x", self.tokens[role]), **more)

    def post(self, path: str, body: Any = None, role: str = "modeller") -> Any:
        return self.browser.post(f"{self.place}{path}", json=body, auth=("x", self.tokens[role]))

    @property
    def house(self) -> Any:
        return self.app.state.house.workspaces["ours"]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    top = tmp_path_factory.mktemp("api")
    folder = new_repository(top / "ours")
    store = store_around(folder)
    hours = iter(range(100))
    store._clock = lambda: START + timedelta(hours=next(hours))
    runs = [write_run(store, top / "made", number, f"flu{number % 2}") for number in range(3)]
    approve(store, runs[0].key)
    app = create_app(read_settings(folder))
    with TestClient(app, base_url="http://127.0.0.1:8420", raise_server_exceptions=False) as browser:
        people = app.state.house.people
        tokens = {}
        for role in ("viewer", "modeller", "reviewer"):
            someone = people.add(role, role.capitalize())
            people.set_role(someone.id, "ours", role)
            tokens[role] = people.make_token(someone.id, "a program", "ours", role, 1)
        yield Team(app, browser, runs, tokens)


def test_a_token_says_what_it_opens(team: Team) -> None:
    found = team.browser.get("/api/v1/workspaces", auth=("x", team.tokens["reviewer"])).json()
    assert found == [{"name": "ours", "title": found[0]["title"], "role": "reviewer"}]
    assert team.browser.get("/api/v1/workspaces").status_code == 401


def test_runs_are_listed_a_page_at_a_time(team: Team) -> None:
    """Each run once, the latest first, whatever the page."""
    after, seen = None, []
    for _ in team.runs:
        page = team.get("/runs", params={"limit": 1, **({"after": after} if after else {})}).json()
        seen += [each["id"] for each in page["runs"]]
        assert page["total"] == len(team.runs)
        after = page["next"]
    assert after is None
    assert seen == [run.id for run in reversed(team.runs)]
    some = team.get("/runs", params={"study": "flu0", "where": "r0 > 2.6"}).json()
    assert [each["id"] for each in some["runs"]] == [team.runs[2].id]
    assert [each["id"] for each in team.get("/runs", params={"approved": True}).json()["runs"]] == [team.runs[0].id]


def test_a_run_is_its_record_and_its_files(team: Team) -> None:
    run = team.runs[0]
    told = team.get(f"/runs/{run.id}").json()
    assert told["record"] == run.record
    assert "tables/quantities.parquet" in told["files"]
    assert told["promotion"]["state"] == "approved"
    assert told["promotion"]["signers"] == ["Grace", "Emmy"]
    assert team.get("/runs/ffffff").status_code == 404


def test_runs_are_compared(team: Team) -> None:
    told = team.get("/compare", params={"run": [team.runs[0].id, team.runs[2].id]}).json()
    moved = {each["name"]: each for each in told["numbers"]}
    medians = [value["median"] for value in moved["r0"]["values"]]
    assert medians == [team.runs[each].record["quantities"]["r0"]["median"] for each in (0, 2)]
    assert moved["r0"]["moved"]
    assert team.get("/compare", params={"run": [team.runs[0].id]}).status_code == 422


def test_studies_say_what_is_wrong_with_them(team: Team) -> None:
    [study] = team.get("/studies").json()
    assert (study["name"], study["mistakes"], study["latest"]) == ("first-study", [], None)
    assert team.get("/studies/first-study").json() == study
    missing = team.get("/studies/frst-study")
    assert missing.status_code == 404
    assert "did you mean `first-study`" in missing.json()["mistakes"][0]["hint"]


def test_a_study_is_handed_over_looked_on_cancelled_and_retried(team: Team) -> None:
    """By a modeller and by nobody less; its log comes line by line."""
    assert team.post("/jobs", {"study": "first-study"}, role="viewer").status_code == 403
    made = team.post("/jobs", {"study": "first-study", "until": "simulate"})
    assert made.status_code == 201, made.text
    job = made.json()["id"]
    assert made.json()["by"] == "Modeller"
    attempt = team.house.jobs / job / "attempt-1"
    attempt.mkdir(parents=True)
    log = Log(attempt / "log.jsonl")
    log.event("said", text="one")
    first = team.get(f"/jobs/{job}/progress").json()
    log.event("said", text="two")
    then = team.get(f"/jobs/{job}/progress", params={"after": first["next"]}).json()
    assert [[line["text"] for line in each["lines"]] for each in (first, then)] == [["one"], ["two"]]
    assert not then["over"]
    assert team.post(f"/jobs/{job}/retry").status_code == 409
    assert team.post(f"/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert team.post(f"/jobs/{job}/retry").json()["state"] == "waiting"
    events = team.get(f"/jobs/{job}/events").json()
    assert events[0]["what"] == "submitted"
    assert "Modeller" in str(events)
    team.post(f"/jobs/{job}/cancel")
    assert [each["id"] for each in team.get("/jobs", params={"state": "cancelled"}).json()] == [job]


def test_a_study_is_handed_over_in_one_of_its_scenarios(team: Team) -> None:
    made = team.post("/jobs", {"study": "first-study", "scenarios": ["fewer-contacts"]})
    assert made.json()["title"] == "first-study: report, in fewer-contacts", made.text
    team.post(f"/jobs/{made.json()['id']}/cancel")
    unknown = team.post("/jobs", {"study": "first-study", "scenarios": ["fewer-contact"]})
    assert unknown.status_code == 422
    assert "J132" in unknown.text


@pytest.mark.parametrize("study", ["../theirs/studies/first-study", "/etc", "studies/first-study", ""])
def test_a_study_is_named_and_never_a_path(team: Team, study: str) -> None:
    assert team.post("/jobs", {"study": study}).status_code in (404, 422)


def test_what_does_not_hold_is_not_put_forward(team: Team) -> None:
    """A made-up run was never committed: all that is missing is said at once."""
    found = team.post("/promotions", {"run": team.runs[1].id})
    assert found.status_code == 409
    assert {each["code"] for each in found.json()["mistakes"]} == {"R170"}
    assert team.post("/promotions", {"run": team.runs[1].id}, role="viewer").status_code == 403


def test_what_is_stood_behind_is_signed_and_taken_back(team: Team) -> None:
    run = team.runs[0].id
    assert team.post(f"/promotions/{run}/sign", {}, role="modeller").status_code == 403
    assert team.post(f"/promotions/{run}/sign", {}, role="reviewer").status_code == 409
    assert team.post(f"/promotions/{run}/withdraw", {"reason": " "}, role="reviewer").status_code == 422
    gone = team.post(f"/promotions/{run}/withdraw", {"reason": "data corrected"}, role="reviewer").json()
    assert (gone["state"], "data corrected" in gone["words"]) == ("withdrawn", True)
    assert [each["state"] for each in team.get("/promotions").json()] == ["withdrawn"]


def test_the_catalogue_is_read(team: Team) -> None:
    assert team.get("/data").json() == []
    assert team.get("/data/nothing").status_code == 404


def test_every_answer_is_described() -> None:
    """Every operation names each kind of refusal, and says in a sentence what it is for."""
    told = openapi()
    for path, operations in told["paths"].items():
        for method, each in operations.items():
            assert each.get("description") or each.get("summary"), (method, path)
            assert {"401", "503"} <= set(each["responses"]), (method, path)
    assert "HTTPValidationError" not in told["components"]["schemas"]


@pytest.mark.slow
@pytest.mark.needs("schemathesis")
def test_nothing_that_is_asked_breaks_it_or_gets_an_answer_that_is_not_described(team: Team) -> None:
    """Requests made at random from the description, right ones and wrong ones, by a program nobody here wrote."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

    described = schemathesis.openapi.from_dict(openapi())
    described.app = team.app
    team.house.queue.submit([Order("something", ("true",), id="feed5")])
    asked = 0

    @settings(
        max_examples=10, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def ask(case: Any) -> None:
        nonlocal asked
        # By chance alone nothing would ever be found.
        known = {"workspace": "ours"} | ({"job_id": "feed5", "run_id": team.runs[2].id} if asked % 2 else {})
        case.path_parameters |= {name: known[name] for name in case.path_parameters.keys() & known.keys()}
        answer = case.call(session=team.browser, headers={"Authorization": f"Bearer {team.tokens['reviewer']}"})
        case.validate_response(
            answer, checks=[not_a_server_error, status_code_conformance, response_schema_conformance]
        )
        asked += 1

    for operation in described.get_all_operations():
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            # Of what takes nothing there is no wrong form.
            with contextlib.suppress(Unsatisfiable):
                given(case=operation.ok().as_strategy(generation_mode=mode))(ask)()
    assert asked > 200


# -- the same from Python ------------------------------------------------------------------------------------------


@pytest.fixture
def ours(team: Team) -> modelworks.client.Team:
    """The team's website as a program in Python has it, without a network in between."""
    team.browser.headers["Authorization"] = f"Bearer {team.tokens['modeller']}"
    return modelworks.client._team(team.browser, None)


def test_runs_and_tables_come_as_they_are_in_the_store(team: Team, ours: modelworks.client.Team) -> None:
    assert [each.id for each in ours.runs()] == [run.id for run in reversed(team.runs)]
    assert [each.id for each in ours.runs(where=["r0 > 2.6", "r0 < 2.7"])] == [team.runs[1].id]
    found = ours.run(team.runs[1].id)
    assert (found.key, found.study, found.record) == (team.runs[1].key, "flu1", team.runs[1].record)
    there = pd.read_parquet(team.runs[1].path / "tables" / "quantities.parquet")
    assert list(found.table("quantities")["median"]) == list(there["median"])
    assert found.file("tables/quantities.parquet") == (team.runs[1].path / "tables/quantities.parquet").read_bytes()
    every = ours.table("series", feed="all", where="kind eq 'projected'")
    assert set(every["run"]) == {run.id for run in team.runs}
    assert ours.compare(team.runs[0].id, team.runs[1].id)["numbers"]
    assert ours.studies()[0]["name"] == "first-study"
    assert ours.data() == []


def test_a_job_is_followed_to_its_end(team: Team, ours: modelworks.client.Team) -> None:
    job = ours.submit("first-study", until="simulate")
    log = Log(team.house.jobs / job.id / "attempt-1" / "log.jsonl")
    log.path.parent.mkdir(parents=True)
    log.event("said", text="one")
    job.cancel()
    assert [each["text"] for each in job.log()] == ["one"]
    assert job.wait() is None
    assert job.status()["text"] == "cancelled by Modeller"
    job.retry()
    assert job in ours.jobs("waiting")
    job.cancel()


def test_what_the_website_refuses_is_its_own_letter(team: Team, ours: modelworks.client.Team) -> None:
    with pytest.raises(ModelworksError) as told:
        ours.run("ffffff")
    assert told.value.codes == ("R101",)
    with pytest.raises(ModelworksError, match="did you mean `first-study`") as told:
        ours.submit("frst-study")
    assert told.value.codes == ("W301",)
    with pytest.raises(ModelworksError, match="name one: workspace='ours'") as told:
        modelworks.client._team(team.browser, "theirs")
    assert told.value.codes == ("W312",)
    team.browser.headers["Authorization"] = "Bearer mw_wrong"
    with pytest.raises(ModelworksError, match="this token opens nothing") as told:
        modelworks.client._team(team.browser, None)
    assert told.value.codes == ("W107",)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "models.example", "http://["])
def test_an_address_where_nobody_answers_is_a_letter(url: str) -> None:
    with pytest.raises(ModelworksError) as told:
        modelworks.connect(url, token="mw_x")
    assert told.value.codes == ("W310",)


def test_something_else_at_the_address_is_told_of() -> None:
    said = httpx.MockTransport(lambda request: httpx.Response(502, text="<h1>Bad Gateway</h1>"))
    with pytest.raises(ModelworksError, match="502 Bad Gateway") as told:
        modelworks.client._team(httpx.Client(transport=said, base_url="http://proxy"), None)
    assert told.value.codes == ("W311",)
