"""A corrected file of data that somebody sends becomes a branch of git, which a team merges or does not."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from visitors import KINDS, WICKED, git, let_in, token_on

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue
from modelworks.study import (
    accept_proposal,
    carry_out_decision,
    decided,
    decline_proposal,
    new_repository,
    proposal_of,
    proposals,
    propose_file,
    store_around,
)
from modelworks.website import create_app, read_settings

pytestmark = pytest.mark.needs("git")

WEEKS = ("2021-01-04", "2021-01-11", "2021-01-18", "2021-01-25")
PRESENT = "week,cases\n" + "".join(f"{week},{cases}\n" for week, cases in zip(WEEKS, (10, 20, 30, 40), strict=True))
# One cell is another, the first week is gone, two came, the order is another; and one number is below 0.
CORRECTED = "week,cases\n2021-02-08,60\n2021-02-01,-5\n2021-01-25,40\n2021-01-18,33\n2021-01-11,20\n"
ENTRY = """
{name}:
  title: Cases
  publisher: Ministry of Health
  licence: CC BY 4.0
  source: https://example.org/bulletin
  retrieved: 2021-02-01
  {origin}
  columns:
    week: {{unit: date, meaning: the Monday}}
    cases: {{unit: people, meaning: cases reported, lower: -100}}
  checks:
    every week once: {{unique: {{columns: [week]}}}}
    nobody counts backwards: {{between: {{column: cases, at_least: 0}}}}
"""
FINE = CORRECTED.replace("-5", "5")
HTML = {"accept": "text/html"}
REASON = "The district of N was counted twice."


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of git with `ours` in a folder of it: one raw dataset, one that is prepared, one not committed."""
    root = new_repository(tmp_path_factory.mktemp("top") / "ours")
    raw = root / "data" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "cases.csv").write_text(PRESENT, encoding="utf-8")
    (raw / "late.csv").write_text(PRESENT + "2021-02-01,50\n", encoding="utf-8")

    def origin(name: str) -> str:
        return f"file: raw/{name}.csv\n  sha256: {hashlib.sha256((raw / f'{name}.csv').read_bytes()).hexdigest()}"

    entries = [ENTRY.format(name=name, origin=origin(name)) for name in ("cases", "late")]
    entries.append(ENTRY.format(name="made", origin="prepare: prepare/x.py:same\n  uses: [raw/cases.csv]"))
    (root / "data" / "catalogue.yaml").write_text("".join(entries), encoding="utf-8")
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        # What is sent is read in a process of its own, which on a busy machine takes its time to begin.
        file.write("\n[website]\nmodel_seconds = 300\n")
    top = root.parent
    git(top, "init", "--quiet", "--initial-branch=main")
    git(top, "add", "--all")
    git(top, "rm", "--quiet", "--cached", "ours/data/raw/late.csv")
    git(top, "commit", "--quiet", "--message=Begin")
    return root


@pytest.fixture
def root(repository: Path) -> Iterator[Path]:
    """The same, which is afterwards as it was before."""
    began, settings = git(repository, "rev-parse", "HEAD"), (repository / "modelworks.toml").read_text("utf-8")
    yield repository
    git(repository, "reset", "--quiet", "--hard", began)
    for branch in git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/proposal").split():
        git(repository, "update-ref", "-d", branch)
    (repository / "modelworks.toml").write_text(settings, encoding="utf-8")
    (repository / "data/raw/cases.csv.age").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def site(repository: Path) -> Iterator[dict[str, TestClient]]:
    """A browser for each kind of person."""
    app = create_app(read_settings(repository))
    with TestClient(app, base_url="http://127.0.0.1:8420", follow_redirects=False) as first:
        browsers = {"nobody": first}
        for kind in KINDS[1:]:
            browsers[kind] = TestClient(app, base_url="http://127.0.0.1:8420", follow_redirects=False)
            let_in(browsers[kind], app, kind, *(("viewer", "theirs") if kind == "stranger" else (kind, "ours")))
        yield browsers


def send(browser: TestClient, found: str | bytes = CORRECTED, reason: str = REASON, name: str = "cases.csv") -> Any:
    page = "/w/ours/data/cases/propose"
    fields = {"reason": reason, "form_token": token_on(browser, page)}
    html = {"accept": "text/html"}
    return browser.post(
        page,
        data=fields,
        files={"file": (name, found if isinstance(found, bytes) else found.encode(), "text/csv")},
        headers=html,
    )


def test_a_file_that_is_sent_is_shown_and_changes_nothing(root: Path, site: dict[str, TestClient]) -> None:
    """Who, when, why, what differs and what the checks find; files, index and branch at hand are as they were."""
    before = (
        git(root, "status", "--porcelain"),
        git(root, "rev-parse", "HEAD"),
        (root / "data/raw/cases.csv").read_text(),
    )
    answer = send(site["modeller"], reason=f"{REASON} {WICKED}", name="../../../models/evil.py")
    assert answer.status_code == 303
    text = site["viewer"].get(answer.headers["location"]).text
    assert "by Modeller" in text
    assert REASON in text
    assert "<script>window" not in text
    assert "2 rows added, 1 row gone, 1 cell changed." in text
    cells = [
        re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in re.findall(r'<tr role="row"><th scope="row".*', text)
    ]
    assert cells[:4] == [
        ["week 2021-01-18", "changed", "cases", "30", "33"],
        ["week 2021-01-04", "gone", "", "", ""],
        ["week 2021-02-08", "added", "", "", ""],
        ["week 2021-02-01", "added", "", "", ""],
    ]
    assert "`cases` is not at least 0: -5 (row 2)" in text
    assert "Studies can not use this table as it is." in text
    [listed] = proposals(root)
    assert listed.id in site["viewer"].get("/w/ours/data/cases").text
    after = (
        git(root, "status", "--porcelain"),
        git(root, "rev-parse", "HEAD"),
        (root / "data/raw/cases.csv").read_text(),
    )
    assert after == before
    assert git(root, "diff", "--name-only", "main", listed.branch).splitlines() == [
        "ours/data/catalogue.yaml", "ours/data/raw/cases.csv",
    ]  # fmt: skip


def test_merging_its_branch_takes_it(root: Path, site: dict[str, TestClient]) -> None:
    """One command of git, which the page says; the catalogue has the new checksum, and the proposal is over."""
    page = site["viewer"].get(send(site["modeller"], FINE).headers["location"]).text
    command = re.findall(r"<code>git (merge proposal/[^<]*)</code>", page)
    git(root, *command[0].split())
    assert Catalogue.read(root).dataset("cases").table()["cases"].tolist() == [60, 5, 40, 33, 20]
    assert not [each for each in Catalogue.read(root).findings("cases") if each.problem]
    assert proposals(root) == []


def press(browser: TestClient, place: str, what: str, **fields: str) -> Any:
    """A button of a proposal's page, as it is there now."""
    text = browser.get(place, headers=HTML).text
    known = {name: text.partition(f'name="{name}" value="')[2].partition('"')[0] for name in ("form_token", "commit")}
    known["form_token"] = known["form_token"] or token_on(browser, "/account")
    return browser.post(f"{place}/{what}", data=known | fields, headers=HTML)


def test_a_proposal_is_withdrawn_by_its_author(root: Path, site: dict[str, TestClient]) -> None:
    theirs = send(site["reviewer"]).headers["location"]
    own = send(site["modeller"], CORRECTED.replace("33", "34")).headers["location"]
    tried = [("viewer", own), ("modeller", theirs), ("admin", theirs), ("modeller", own), ("modeller", own)]
    assert [press(site[kind], place, "withdraw").status_code for kind, place in tried] == [403, 403, 403, 303, 404]
    assert [each.id for each in proposals(root)] == [theirs.rpartition("/")[2]]
    trail = site["admin"].get("/w/ours/settings").text
    assert "proposed a file" in trail
    assert "withdrew a proposed file" in trail


def trail_of(site: dict[str, TestClient]) -> list[str]:
    """What the trail has of decisions."""
    people = site["admin"].app.state.house.people  # type: ignore[attr-defined]
    return [f"{each.person} {each.what}: {each.about.partition(': ')[2]}" for each in people.trail("ours")
            if each.what.startswith(("accepted", "declined"))]  # fmt: skip


def test_a_reviewer_accepts_it_on_its_page(root: Path, site: dict[str, TestClient]) -> None:
    """One button: git, the files at hand, the trail and the pages agree; who comes later reads what became of it."""
    place = send(site["modeller"], FINE).headers["location"]
    assert [press(site[kind], place, "accept").status_code for kind in ("nobody", "viewer", "modeller")] == [
        401,
        403,
        403,
    ]
    assert f'href="{place}"' in site["viewer"].get("/w/ours/data").text
    assert "1 proposed file of the data" in site["viewer"].get("/w/ours").text
    assert '<button class="main"' not in site["viewer"].get(place).text
    done = press(site["reviewer"], place, "accept", comment=f"The bulletin says so. {WICKED}")
    assert (done.status_code, done.headers["location"]) == (303, place)
    assert Catalogue.read(root).dataset("cases").table()["cases"].tolist() == [60, 5, 40, 33, 20]
    assert git(root, "status", "--porcelain") == "?? ours/data/raw/late.csv"
    assert git(root, "log", "-1", "--format=%an") == "Reviewer"
    for shown in (place, "/w/ours/data/cases"):
        text = site["viewer"].get(shown).text
        assert "accepted" in text
        assert "The bulletin says so." in text
        assert "<script>window" not in text
    assert place not in site["viewer"].get("/w/ours/data").text
    assert "proposed file" not in site["viewer"].get("/w/ours").text
    assert trail_of(site) == [f"reviewer accepted a proposed file: The bulletin says so. {WICKED}"]
    # Pressed twice, it is told again what became of it.
    assert press(site["reviewer"], place, "accept").status_code == 303
    assert len(trail_of(site)) == 1


def test_what_becomes_stale_is_said_before_and_after(root: Path, site: dict[str, TestClient]) -> None:
    """Of the results that are shown only those that were made from this file."""
    store, made_from = (
        store_around(root),
        {f"inputs/data/raw/{name}.csv": root / f"data/raw/{name}.csv" for name in ("cases", "late")},
    )
    record = {"study": "first-study", "verdict": "fine", "finished": "2026-11-21T05:15:00+00:00"}
    run = store.publish(("first-study", "sir", "here"), stages={}, record=record, files=made_from)
    try:
        place = send(site["modeller"], FINE).headers["location"]
        before = site["reviewer"].get(place).text
        assert "Results that become stale" in before
        assert f"run {run.id}" in before
        assert press(site["reviewer"], place, "accept").status_code == 303
        after = site["viewer"].get(place).text
        assert "They are stale until" in after
        assert f"run {run.id}" in after
        back = send(site["modeller"], PRESENT).headers["location"]
        assert press(site["reviewer"], back, "accept").status_code == 303
        assert "They are stale until" not in site["viewer"].get(back).text
    finally:
        shutil.rmtree(run.path)


def test_a_reviewer_declines_it_with_a_word(root: Path, site: dict[str, TestClient]) -> None:
    began, place = git(root, "rev-parse", "HEAD"), send(site["modeller"]).headers["location"]
    count = len(trail_of(site))
    silent = press(site["reviewer"], place, "decline", reason=" ")
    assert silent.status_code == 409
    assert "declined with a word" in silent.text
    assert press(site["modeller"], place, "decline", reason="so").status_code == 403
    assert press(site["reviewer"], place, "decline", reason="Not confirmed.").status_code == 303
    assert "Not confirmed." in site["modeller"].get(place).text
    assert (git(root, "rev-parse", "HEAD"), proposals(root)) == (began, [])
    assert trail_of(site)[0] == "reviewer declined a proposed file: Not confirmed."
    assert len(trail_of(site)) == count + 1


def test_nobody_accepts_their_own_unless_the_settings_say_so(root: Path, site: dict[str, TestClient]) -> None:
    place = send(site["reviewer"], FINE).headers["location"]
    text = site["reviewer"].get(place).text
    assert "Another reviewer decides" in text
    refused = site["reviewer"].post(
        f"{place}/accept", headers=HTML,
        data={"form_token": token_on(site["reviewer"], place), "commit": proposals(root)[0].commit},
    )  # fmt: skip
    assert refused.status_code == 409
    assert "D149" in refused.text
    with (root / "modelworks.toml").open("a", encoding="utf-8") as file:
        file.write("\n[approval]\nown_run = true\n")
    assert press(site["reviewer"], place, "accept").status_code == 303
    assert git(root, "log", "-1", "--format=%s").startswith("Accept proposal")


def test_what_studies_could_not_use_is_not_accepted(root: Path, site: dict[str, TestClient]) -> None:
    """A check that stops studies stops a reviewer as well; and what has moved since is looked at once more."""
    place = send(site["modeller"]).headers["location"]
    page = site["reviewer"].get(place).text
    assert "It can not be accepted" in page
    fields = {"form_token": token_on(site["reviewer"], place), "commit": proposals(root)[0].commit}
    refused = site["reviewer"].post(f"{place}/accept", data=fields, headers=HTML)
    assert refused.status_code == 409
    assert "studies could not use the table" in refused.text
    moved = site["reviewer"].post(f"{place}/decline", data=fields | {"commit": "0" * 40, "reason": "so"}, headers=HTML)
    assert "has changed since the page was loaded" in moved.text
    assert len(proposals(root)) == 1


def test_what_stands_in_the_way_is_said_on_its_page(root: Path, site: dict[str, TestClient]) -> None:
    place = send(site["modeller"], FINE).headers["location"]
    (root / "data/raw/cases.csv").write_text(PRESENT + "2021-02-01,1\n", encoding="utf-8")
    refused = press(site["reviewer"], place, "accept")
    assert refused.status_code == 409
    assert "D148" in refused.text
    assert "changes there that are in no commit" in refused.text
    assert len(proposals(root)) == 1


def test_whoever_looks_next_makes_up_for_a_server_that_was_killed(root: Path, site: dict[str, TestClient]) -> None:
    """The decision was made, and nothing of what follows was done."""
    place = send(site["modeller"], FINE).headers["location"]
    count = len(trail_of(site))
    accept_proposal(root, proposals(root)[0], by="Reviewer", login="reviewer", why="so")
    assert (root / "data/raw/cases.csv").read_text() == PRESENT
    text = site["viewer"].get(place).text
    assert "was accepted" in text
    assert "by Reviewer" in text
    assert (root / "data/raw/cases.csv").read_text() == FINE
    assert len(trail_of(site)) == count + 1
    # Between the trail and the last of it, another was killed: nobody is told twice.
    again = send(site["modeller"], PRESENT).headers["location"]
    accept_proposal(root, proposals(root)[0], by="Reviewer", login="reviewer")
    (root.parent / ".git" / "index.lock").touch()
    waits = site["viewer"].get(again).text
    assert "Not done yet." in waits
    (root.parent / ".git" / "index.lock").unlink()
    with TestClient(create_app(read_settings(root))):
        assert git(root, "status", "--porcelain") == "?? ours/data/raw/late.csv"
    assert "Not done yet." not in site["viewer"].get(again).text
    assert len(trail_of(site)) == count + 2


@pytest.mark.parametrize(
    ("found", "reason", "said"),
    [
        (PRESENT, REASON, "is the one that"),
        ("", REASON, "an empty one"),
        (CORRECTED, " \n", "nobody said why"),
    ],
)
def test_what_is_no_proposal_is_refused_with_a_letter(
    root: Path, site: dict[str, TestClient], found: str, reason: str, said: str
) -> None:
    answer = send(site["modeller"], found, reason)
    assert answer.status_code == 422
    assert "D147" in answer.text
    assert said in answer.text
    assert proposals(root) == []


def test_the_same_file_is_proposed_once(root: Path, site: dict[str, TestClient]) -> None:
    assert send(site["modeller"]).status_code == 303
    again = send(site["reviewer"])
    assert again.status_code == 422
    assert "proposed already" in again.text
    assert f'href="/w/ours/data/cases/proposals/{proposals(root)[0].id}"' in again.text


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (b"PK\3\4 not what one thinks", ("D112", "is a workbook under another name")),
        (b"\x89PNG\r\n\x1a\n\0\0", ("D112", "is no table, but a picture")),
        (PRESENT.replace("week,", "w\xf6che,").encode("latin-1"), ("D112", "line 1", "windows-1252")),
        (PRESENT.replace("2021", "2978").encode(), ("D108", "lies outside the years 1300 to 2500", "line 2")),
    ],
)
def test_a_file_that_nobody_could_accept_is_refused_at_once(
    root: Path, site: dict[str, TestClient], found: bytes, said: tuple[str, ...]
) -> None:
    answer = send(site["modeller"], found)
    assert answer.status_code == 422
    for expected in said:
        assert expected in answer.text
    assert REASON in answer.text
    assert proposals(root) == []


def test_one_that_came_by_git_and_can_not_be_read_is_shown_as_such(root: Path, site: dict[str, TestClient]) -> None:
    found = PRESENT.replace(",20", ",many").encode()
    made = propose_file(root, "cases", found, why=REASON, by="Modeller", login="modeller")
    text = site["viewer"].get(f"/w/ours/data/cases/proposals/{made}").text
    for expected in ("D106", "line 3", "Hint: ", "That can not be told"):
        assert expected in text


@pytest.mark.parametrize(("name", "said"), [("made", "is made by"), ("late", "last commit of git has not")])
def test_a_dataset_without_a_file_of_git_can_not_be_corrected_here(root: Path, name: str, said: str) -> None:
    with pytest.raises(ModelworksError, match=said):
        propose_file(root, name, b"week,cases\n", why=REASON, by="Ada", login="ada")


def test_a_sensitive_dataset_is_refused(root: Path) -> None:
    """What comes by a form lies in the clear, and git never forgets."""
    (root / "data/raw/cases.csv").rename(root / "data/raw/cases.csv.age")
    path = root / "data" / "catalogue.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "file: raw/cases.csv\n", "file: raw/cases.csv.age\n  sensitivity: sensitive\n"
    )
    path.write_text(
        text.replace("uses: [raw/cases.csv]", "uses: [raw/cases.csv.age]\n  sensitivity: aggregate"), encoding="utf-8"
    )
    with pytest.raises(ModelworksError, match="is sensitive"):
        propose_file(root, "cases", CORRECTED.encode(), why=REASON, by="Ada", login="ada")
    assert git(root, "branch", "--list", "proposal/*") == ""


def test_everybody_gets_what_is_theirs(root: Path, site: dict[str, TestClient]) -> None:
    """Readers read a proposal, modellers make one; a form without its token makes nothing."""
    made = propose_file(root, "cases", CORRECTED.encode(), why=REASON, by="Ada", login="ada")
    form, shown = "/w/ours/data/cases/propose", f"/w/ours/data/cases/proposals/{made}"
    asked = {kind: (site[kind].get(form).status_code, site[kind].get(shown).status_code) for kind in KINDS}
    assert asked == {
        "nobody": (401, 401), "stranger": (404, 404), "viewer": (403, 200),
        "modeller": (200, 200), "reviewer": (200, 200), "admin": (200, 200),
    }  # fmt: skip
    forged = {kind: site[kind].post(form, files={"file": b"x"}, data={"reason": "x"}).status_code for kind in KINDS}
    assert forged == dict.fromkeys(KINDS, 403) | {"nobody": 401}
    assert len(proposals(root)) == 1


def test_of_two_workspaces_in_one_git_each_decides_its_own(tmp_path: Path) -> None:
    """Both have a dataset of one name, and are sent the same file: neither sees, declines or merges the other's."""
    roots = [new_repository(tmp_path / "our.lock" / "~ work" / name) for name in ("north", "south")]
    for root in roots:
        (root / "data" / "raw").mkdir(parents=True, exist_ok=True)
        (root / "data" / "raw" / "cases.csv").write_text(PRESENT, encoding="utf-8")
        origin = f"file: raw/cases.csv\n  sha256: {hashlib.sha256(PRESENT.encode()).hexdigest()}"
        (root / "data" / "catalogue.yaml").write_text(ENTRY.format(name="cases", origin=origin), encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message=Begin")
    north, south = roots
    made = propose_file(north, "cases", FINE.encode(), why=REASON, by="Ada", login="ada")
    [theirs] = proposals(north)
    assert (proposals(south), proposal_of(south, "cases", made)) == ([], None)
    with pytest.raises(ModelworksError, match="D148"):
        decline_proposal(south, theirs, by="Grace", login="grace", why="It is not ours.")
    assert propose_file(south, "cases", FINE.encode(), why=REASON, by="Alan", login="alan") == made
    [ours] = proposals(south)
    assert ours.by == "Alan"
    accept_proposal(south, ours, by="Grace", login="grace")
    for decision in decided(south):
        assert carry_out_decision(south, decision) == ""
    texts = [(root / "data" / "raw" / "cases.csv").read_text(encoding="utf-8") for root in roots]
    assert texts == [PRESENT, FINE]
    assert [each.by for each in proposals(north)] == ["Ada"]
    assert (proposals(south), decided(south), decided(north)) == ([], [], [])
    accept_proposal(north, theirs, by="Grace", login="grace")
    assert [carry_out_decision(north, each) for each in decided(north)] == [""]
    assert (north / "data" / "raw" / "cases.csv").read_text(encoding="utf-8") == FINE
    assert git(tmp_path, "for-each-ref", "refs/heads/proposal") == ""
    assert git(tmp_path, "status", "--porcelain", "--untracked-files=no") == ""
