"""A dataset that is not in the catalogue yet: sent, completed in a form, proposed, and accepted by somebody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from visitors import WICKED, git, let_in, token_on

from modelworks.inputs import Catalogue
from modelworks.study import draft_of, new_repository, proposals
from modelworks.website import create_app, read_settings

pytestmark = pytest.mark.needs("git")

TABLE = b"week,cases,district\n2021-01-04,10,N\n2021-01-11,-3,N\n2021-01-18,30,N\n"
SAID = {
    "title": "Cases reported each week", "publisher": "Ministry of Health", "licence": "CC BY 4.0",
    "source": "https://example.org/bulletin", "name": "weekly",
    "unit 0": "date", "meaning 0": "the Monday", "use 0": "yes",
    "unit 1": "people", "meaning 1": "cases", "use 1": "yes",
}  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of git without any dataset, in a folder of it."""
    root = new_repository(tmp_path_factory.mktemp("top") / "ours")
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        # What is sent is read in a process of its own, which on a busy machine takes its time to begin.
        file.write("\n[website]\nmodel_seconds = 300\n")
    git(root.parent, "init", "--quiet", "--initial-branch=main")
    git(root.parent, "add", "--all")
    git(root.parent, "commit", "--quiet", "--message=Begin")
    return root


@pytest.fixture(scope="module")
def site(repository: Path) -> Iterator[dict[str, TestClient]]:
    app = create_app(read_settings(repository))
    with TestClient(app, base_url="http://127.0.0.1:8420") as first:
        found = {"modeller": first}
        for kind in ("viewer", "reviewer"):
            found[kind] = TestClient(app, base_url="http://127.0.0.1:8420")
        for kind, browser in found.items():
            browser.headers["accept"] = "text/html"
            let_in(browser, app, kind, kind)
        yield found


@pytest.fixture
def root(repository: Path) -> Iterator[Path]:
    """The same, which is afterwards as it was before."""
    began = git(repository, "rev-parse", "HEAD")
    yield repository
    git(repository, "reset", "--quiet", "--hard", began)
    git(repository, "clean", "--quiet", "--force", "-d", "data")
    for branch in git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/proposal").split():
        git(repository, "update-ref", "-d", branch)


def send(browser: TestClient, table: bytes = TABLE, name: str = "weekly.csv", **said: str) -> Any:
    given = {"form_token": token_on(browser, "/w/ours/new-data"), "sensitive": "no", **said}
    return browser.post("/w/ours/new-data", data=given, files={"file": (name, table)})


def say(browser: TestClient, **said: str) -> Any:
    given = {**SAID, "form_token": token_on(browser, "/w/ours/new-data/columns"), **said}
    return browser.post("/w/ours/new-data/columns", data={name: value for name, value in given.items() if value != "-"})


def decide(browser: TestClient, address: str, what: str, **said: str) -> Any:
    text = browser.get(address).text
    commit = re.search(r'name="commit" value="(\w+)"', text)
    given = {"form_token": token_on(browser, address), "commit": commit[1] if commit else "", **said}
    return browser.post(f"{address}/{what}", data=given)


def values(text: str) -> dict[str, str]:
    """What stands in the fields of a form."""
    return dict(re.findall(r'<input [^>]*?name="([^"]+)" value="([^"]*)"', text))


def test_from_a_file_to_a_table_that_a_study_can_use(site: dict[str, TestClient], root: Path) -> None:
    """Whoever sent it decides nothing; whoever accepts it has the file and its entry at hand, and git knows both."""
    modeller, reviewer = site["modeller"], site["reviewer"]
    form = send(modeller, name="..\\My weekly (1).CSV")
    assert form.url.path == "/w/ours/new-data/columns"
    guessed = values(form.text)
    assert guessed["name"] == "my-weekly-1"
    assert (guessed["unit 0"], guessed["unit 1"], guessed["unit 2"]) == ("date", "people", "text")
    proposed = say(modeller, reason="For the model of <b>next</b> year.")
    address = proposed.url.path
    assert re.fullmatch(r"/w/ours/data/weekly/proposals/[0-9a-f]{8}", address)
    for expected in ("&lt;b&gt;next&lt;/b&gt;", "1 number below 0", "A reviewer decides"):
        assert expected in proposed.text
    assert "weekly, a new dataset" in site["viewer"].get("/w/ours/data").text
    assert "1 proposed file" in site["viewer"].get("/w/ours").text
    assert not (root / "data/raw/My-weekly-1.csv").exists()
    assert decide(modeller, address, "accept").status_code == 403
    accepted = decide(reviewer, address, "accept", comment="As in the bulletin.")
    assert "was accepted" in accepted.text
    table = Catalogue.read(root).dataset("weekly").table()
    assert table["cases"].tolist() == [10, -3, 30]
    assert list(table.columns) == ["week", "cases"]
    assert (root / "data/raw/My-weekly-1.csv").read_bytes() == TABLE
    assert git(root, "status", "--porcelain", "--", "data") == ""
    assert git(root, "log", "-1", "--format=%an: %s").startswith("Reviewer: Accept proposal")
    assert "Cases reported each week" in site["viewer"].get("/w/ours/data/weekly").text
    assert draft_of(root, "modeller") is None


def test_a_mistake_stands_at_its_field_with_all_that_was_typed(site: dict[str, TestClient], root: Path) -> None:
    """By the same letters as `modelworks data add`; and nothing is proposed."""
    modeller = site["modeller"]
    send(modeller)
    for said, code, field in (
        ({"licence": ""}, "D109", "f-licence"),
        ({"name": "no name"}, "D118", "f-name"),
        ({"unit 1": "peeple"}, "D115", "c-1-unit"),
        ({"unit 2": "date", "meaning 2": "x", "use 2": "yes"}, "D108", "c-2-unit"),
        ({"meaning 1": ""}, "D109", "c-1-meaning"),
    ):
        answer = say(modeller, **said)
        assert answer.status_code == 422, said
        block = next(each for each in answer.text.split('class="field wrong"')[1:] if code in each)
        assert re.search(rf'id="{field}"[^>]* aria-invalid="true"', block)
        shown = values(answer.text)
        assert {name: shown[name] for name in said if name != "use 2"} == {
            k: v for k, v in said.items() if k != "use 2"
        }
    assert proposals(root) == []
    assert WICKED not in say(modeller, title=WICKED, name="no name").text


def test_what_can_not_be_read_or_must_not_be_sent_is_not_kept(site: dict[str, TestClient], root: Path) -> None:
    modeller = site["modeller"]
    for said, table, name, code in (
        ({"sensitive": "yes"}, TABLE, "weekly.csv", "D147"),
        ({"sensitive": ""}, TABLE, "weekly.csv", "D147"),
        ({}, b"", "weekly.csv", "D147"),
        ({}, b"a,b\n", "weekly.csv", "D112"),
        ({}, b"\x00\xff\xfe", "weekly.xlsx", "D112"),
    ):
        answer = send(modeller, table, name, **said)
        assert answer.status_code == 422
        assert f'<code class="code">{code}</code>' in answer.text
        assert draft_of(root, "modeller") is None
    assert 'name="file"' in modeller.get("/w/ours/new-data/columns").text
    assert modeller.post(
        "/w/ours/new-data/columns", data={**SAID, "form_token": token_on(modeller, "/w/ours/new-data")}
    ).status_code == 409  # fmt: skip


def test_days_that_may_be_two_are_asked_for(site: dict[str, TestClient], root: Path) -> None:
    modeller, table = site["modeller"], b"day;cases\n03/04/2021;1\n04/04/2021;2\n"
    asked = send(modeller, table)
    assert asked.status_code == 422
    assert "D108" in asked.text
    form = send(modeller, table, days="day/month/year", separator="semicolon")
    assert values(form.text)["unit 0"] == "date"
    proposed = say(modeller, name="spring")
    assert "2021-04-03 to 2021-04-04" in re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", proposed.text))


def test_numbers_that_may_be_two_are_asked_for(site: dict[str, TestClient], root: Path) -> None:
    modeller, table = site["modeller"], b"day;cases\n2021-01-01;986\n2021-01-02;1.204\n"
    asked = send(modeller, table)
    assert asked.status_code == 422
    assert "D120" in asked.text
    send(modeller, table, numbers="thousands")
    proposed = say(modeller, name="autumn")
    assert "986 to 1204" in re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", proposed.text))


def test_two_that_are_proposed_at_once_are_both_taken(site: dict[str, TestClient], root: Path) -> None:
    """Each adds its entry at the end of the same catalogue, which git alone would call a conflict."""
    modeller, reviewer, places = site["modeller"], site["reviewer"], []
    for name in ("first", "second"):
        send(modeller, TABLE + f"2021-01-25,{len(name)},S\n".encode(), f"{name}.csv")
        places.append(say(modeller, name=name).url.path)
    for place in places:
        assert "was accepted" in decide(reviewer, place, "accept").text
    assert set(Catalogue.read(root)) == {"first", "second"}
    assert git(root, "status", "--porcelain", "--", "data") == ""
    # The same file again is one that is there; another of the same name is told at its field.
    assert (
        "is the dataset `first` already".replace("`first`", "<code>first</code>")
        in send(modeller, TABLE + b"2021-01-25,5,S\n").text
    )
    send(modeller, TABLE + b"2021-01-25,50,S\n", "first.csv")
    assert "there is a dataset <code>first</code> already" in say(modeller, name="first").text
    assert "another file <code>data/raw/first.csv</code>" in say(modeller, name="third").text


def test_the_same_file_again_leads_to_its_proposal(site: dict[str, TestClient], root: Path) -> None:
    send(site["modeller"])
    place = say(site["modeller"]).url.path
    send(site["reviewer"])
    again = say(site["reviewer"])
    assert "proposed already" in again.text
    assert f'href="{place}"' in again.text


def test_one_that_is_declined_or_withdrawn_leaves_nothing(site: dict[str, TestClient], root: Path) -> None:
    modeller, reviewer = site["modeller"], site["reviewer"]
    send(modeller)
    place = say(modeller).url.path
    declined = decide(reviewer, place, "decline", reason="It is of another year.")
    assert "was declined" in declined.text
    assert "There is no such dataset" in modeller.get(place).text
    send(modeller)
    place = say(modeller, name="again").url.path
    assert decide(modeller, place, "withdraw").url.path == "/w/ours/data"
    assert proposals(root) == []
    assert modeller.get(place).status_code == 404


def test_a_branch_that_does_more_than_was_shown_is_not_accepted(site: dict[str, TestClient], root: Path) -> None:
    """Somebody with git put another file, or another entry, into it."""
    modeller, reviewer = site["modeller"], site["reviewer"]
    for name in ("plots/own.py", "data/catalogue.yaml"):
        send(modeller)
        place = say(modeller).url.path
        branch = f"proposal/ours/weekly-{place.rpartition('/')[2]}"
        git(root, "switch", "--quiet", branch)
        text = (root / name).read_text(encoding="utf-8") if name.endswith(".yaml") else ""
        again = text.partition("weekly:")[2]
        (root / name).write_text(f"{text}other:{again}" if again else "# more", encoding="utf-8")
        git(root, "add", "--all", ".")
        git(root, "commit", "--quiet", "--message=More")
        git(root, "switch", "--quiet", "main")
        refused = decide(reviewer, place, "accept")
        assert refused.status_code == 409
        assert "D148" in refused.text
        assert "does more than add the dataset" in refused.text
        git(root, "branch", "--quiet", "-D", branch)


def test_a_viewer_sends_nothing(site: dict[str, TestClient]) -> None:
    assert site["viewer"].get("/w/ours/new-data").status_code == 403
    assert "new-data" not in site["viewer"].get("/w/ours/data").text


def test_without_a_commit_there_is_nothing_to_propose_upon(tmp_path: Path) -> None:
    root = new_repository(tmp_path / "ours")
    app = create_app(read_settings(root))
    with TestClient(app, base_url="http://127.0.0.1:8420") as browser:
        browser.headers["accept"] = "text/html"
        let_in(browser, app, "ada", "modeller")
        answer = send(browser)
        assert answer.status_code == 422
        assert "no commit of git" in answer.text
