"""A proposed file is merged or declined: whole, or not at all, whatever is under way in the repository."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue
from modelworks.study import (
    DataProposal,
    accept_proposal,
    carry_out_decision,
    decided,
    decline_proposal,
    proposal_of,
    proposals,
    propose_file,
    withdraw_proposal,
)
from modelworks.study import _data_proposals as waiting
from modelworks.study.jobs._correction_notices import tell_of_corrections, tell_of_decision
from modelworks.study.jobs._notices import tell_of_jobs

pytestmark = pytest.mark.needs("git")

PRESENT = "week,cases\n2021-01-04,10\n2021-01-11,20\n"
CORRECTED = PRESENT.replace("20", "22")
ENTRY = """
{name}:
  title: Cases
  publisher: Ministry of Health
  licence: CC BY 4.0
  source: https://example.org/bulletin
  retrieved: 2021-02-01
  file: raw/{name}.csv
  sha256: {checksum}
  columns:
    week: {{unit: date, meaning: the Monday}}
    cases: {{unit: people, meaning: cases reported}}
"""
FILE, CATALOGUE = "data/raw/cases.csv", "data/catalogue.yaml"
ADA = {"by": "Ada Lovelace", "login": "ada"}


def git(root: Path, *words: str) -> str:
    named = ("-c", "user.name=Git", "-c", "user.email=git@example.org")
    found = subprocess.run(["git", "-C", str(root), *named, *words], check=True, capture_output=True, text=True)
    return found.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of two datasets in a folder of one of git."""
    root = tmp_path / "ours"
    (root / "data" / "raw").mkdir(parents=True)
    (root / "modelworks.toml").write_text("", encoding="utf-8")
    (root / ".gitignore").write_text(".modelworks/\n", encoding="utf-8")
    checksum = hashlib.sha256(PRESENT.encode()).hexdigest()
    for name in ("cases", "deaths"):
        (root / "data" / "raw" / f"{name}.csv").write_text(PRESENT, encoding="utf-8")
        with (root / CATALOGUE).open("a", encoding="utf-8") as file:
            file.write(ENTRY.format(name=name, checksum=checksum))
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message=Begin")
    return root


def proposed(root: Path, text: str = CORRECTED, name: str = "cases") -> DataProposal:
    made = propose_file(root, name, text.encode(), why="One district was counted twice.", by="Grace", login="grace")
    found = proposal_of(root, name, made)
    assert found is not None
    return found


def settle(root: Path) -> list[str]:
    """What whoever looks next does."""
    found = decided(root)
    assert [carry_out_decision(root, each) for each in found] == [""] * len(found)
    assert decided(root) == []
    return [each.what for each in found]


def state(root: Path) -> tuple[str, str, str]:
    return git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), (root / FILE).read_text("utf-8")


def test_an_accepted_file_is_merged_and_at_hand(root: Path) -> None:
    """By whom stands in the history; whoever could read the file can read it still, and another's work is as it was."""
    (root / FILE).chmod(0o664)
    (root / "notes.txt").write_text("of somebody at work", encoding="utf-8")
    git(root, "add", "notes.txt")
    accept_proposal(root, proposed(root), **ADA, why="The bulletin of March says so too.")
    assert settle(root) == ["accepted"]
    assert git(root, "log", "-1", "--format=%an <%ae>%n%B").splitlines() == [
        "Ada Lovelace <ada>", f"Accept proposal {hashlib.sha256(CORRECTED.encode()).hexdigest()[:8]} for cases", "",
        "The bulletin of March says so too.",
    ]  # fmt: skip
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(root, "status", "--porcelain") == "A  ours/notes.txt"
    assert Catalogue.read(root).dataset("cases").table()["cases"].tolist() == [10, 22]
    assert (root / FILE).stat().st_mode & 0o777 == 0o664
    assert (proposals(root), git(root, "branch", "--list", "proposal/*")) == ([], "")


def test_two_files_are_accepted_one_after_the_other(root: Path) -> None:
    """Each changed its own lines of the catalogue; what was corrected once can be put back by another proposal."""
    first, second = proposed(root), proposed(root, CORRECTED, "deaths")
    for each in (first, second):
        accept_proposal(root, each, **ADA)
        assert settle(root) == ["accepted"]
    back = proposed(root, PRESENT)
    accept_proposal(root, back, **ADA)
    settle(root)
    found = {name: each.table()["cases"].tolist() for name, each in Catalogue.read(root).items()}
    assert found == {"cases": [10, 20], "deaths": [10, 22]}
    assert git(root, "status", "--porcelain") == ""
    assert proposed(root).id == first.id


def test_a_declined_file_is_gone(root: Path) -> None:
    before, found = state(root), proposed(root)
    decline_proposal(root, found, **ADA, why="The ministry has not confirmed it.")
    [made] = decided(root)
    assert (made.what, made.by, made.proposed_by, made.why) == (
        "declined", "Ada Lovelace", "Grace", "The ministry has not confirmed it.",
    )  # fmt: skip
    assert settle(root) == ["declined"]
    assert (proposals(root), state(root)) == ([], before)


def edited(root: Path) -> None:
    (root / FILE).write_text(PRESENT + "2021-01-18,30\n", encoding="utf-8")


def staged(root: Path) -> None:
    catalogue = (root / CATALOGUE).read_text("utf-8")
    (root / CATALOGUE).write_text(catalogue + "# mine\n", encoding="utf-8")
    git(root, "add", CATALOGUE)
    (root / CATALOGUE).write_text(catalogue, encoding="utf-8")


def corrected_by_hand(root: Path) -> None:
    other = PRESENT.replace("20", "21")
    (root / FILE).write_text(other, encoding="utf-8")
    checksums = [hashlib.sha256(each.encode()).hexdigest() for each in (PRESENT, other)]
    text = (root / CATALOGUE).read_text("utf-8")
    (root / CATALOGUE).write_text(text.replace(*checksums, 1), encoding="utf-8")
    git(root, "commit", "--quiet", "--all", "--message=By hand")


def retrieved_anew(root: Path) -> None:
    text = (root / CATALOGUE).read_text("utf-8")
    (root / CATALOGUE).write_text(text.replace("retrieved: 2021-02-01", "retrieved: 2021-03-01"), encoding="utf-8")
    git(root, "commit", "--quiet", "--all", "--message=Another day")


def away(root: Path) -> None:
    git(root, "checkout", "--quiet", "--detach")


def within_a_merge(root: Path) -> None:
    git(root, "update-ref", "MERGE_HEAD", "HEAD")


def with_code(root: Path) -> None:
    git(root, "checkout", "--quiet", proposals(root)[0].branch)
    (root / "code.py").write_text("print()", encoding="utf-8")
    git(root, "add", "code.py")
    git(root, "commit", "--quiet", "--message=More than was shown")
    git(root, "checkout", "--quiet", "main")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (edited, "data/raw/cases.csv has changes there that are in no commit"),
        (staged, "one of the two files has changes there"),
        (corrected_by_hand, "data/raw/cases.csv has changed since this was proposed"),
        (retrieved_anew, "changed the same lines of data/catalogue.yaml"),
        (away, "no branch is checked out"),
        (within_a_merge, "in the middle of a merge"),
        (with_code, "other files than were shown: code.py"),
    ],
)
def test_what_stands_in_the_way_is_said_and_nothing_is_done(root: Path, what: object, said: str) -> None:
    found = proposed(root)
    assert callable(what)
    what(root)
    before, latest = state(root), proposal_of(root, "cases", found.id)
    assert latest is not None
    with pytest.raises(ModelworksError, match=said) as told:
        accept_proposal(root, latest, **ADA)
    assert told.value.codes == ("D148",)
    assert (state(root), decided(root)) == (before, [])
    assert len(proposals(root)) == 1


def test_what_is_accepted_is_what_was_shown(root: Path) -> None:
    """Its branch may have moved since the page was loaded, or somebody else been quicker."""
    shown = proposed(root)
    with_code(root)
    for decide in (accept_proposal, decline_proposal):
        with pytest.raises(ModelworksError, match="just now"):
            decide(root, shown, **ADA, why="so")
    [moved] = proposals(root)
    assert withdraw_proposal(root, shown) is False
    assert withdraw_proposal(root, moved) is True
    with pytest.raises(ModelworksError, match="just now"):
        accept_proposal(root, moved, **ADA)


def test_work_of_a_person_after_the_merge_stays(root: Path) -> None:
    """They edited the file in the moment before it was brought to hand."""
    accept_proposal(root, proposed(root), **ADA)
    edited(root)
    assert settle(root) == ["accepted"]
    assert (root / FILE).read_text("utf-8").endswith("30\n")


def test_whoever_holds_the_index_is_waited_for(root: Path) -> None:
    accept_proposal(root, proposed(root), **ADA)
    lock = root.parent / ".git" / "index.lock"
    lock.touch()
    [made] = decided(root)
    assert "at work in the repository" in carry_out_decision(root, made)
    assert (root / FILE).read_text("utf-8") == CORRECTED
    lock.unlink()
    assert settle(root) == ["accepted"]
    assert git(root, "status", "--porcelain") == ""


def test_no_more_wait_than_a_team_can_look_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_OPEN", 2)
    for number in (31, 32):
        proposed(root, f"{PRESENT}2021-01-18,{number}\n")
    with pytest.raises(ModelworksError, match="2 corrected files of `cases` wait already"):
        proposed(root)
    proposed(root, CORRECTED, "deaths")
    monkeypatch.setattr(waiting, "MOST_BYTES", 600)
    with pytest.raises(ModelworksError, match="of the repository"):
        proposed(root, PRESENT + "2021-01-18,33\n", "deaths")
    assert len(proposals(root)) == 3


KILLED = """
import os, sys
from pathlib import Path
from killing import kill_at
from modelworks.study import accept_proposal, carry_out_decision, decided, decline_proposal, proposal_of

root, decide = Path(sys.argv[1]), {"accepted": accept_proposal, "declined": decline_proposal}[sys.argv[2]]
for line in sys.stdin:
    id, number = line.split()
    child = os.fork()
    if child == 0:
        found = proposal_of(root, "cases", id)
        sys.setprofile(kill_at(int(number), {"fork_exec", "replace", "unlink"}))
        decide(root, found, by="Ada", login="ada", why="so")
        for each in decided(root):
            carry_out_decision(root, each)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["accepted", "declined"])
def test_a_kill_at_any_moment_leaves_nothing_half(root: Path, what: str) -> None:
    """Before the change of git it is open as it was; after it, the next look makes up for all that follows."""
    began, seen, ended = git(root, "rev-parse", "HEAD"), set(), -9
    command = [sys.executable, "-c", KILLED, str(root), what]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None
        for number in range(1, 200):
            git(root, "reset", "--quiet", "--hard", began)
            found = next(iter(proposals(root)), None) or proposed(root)
            driver.stdin.write(f"{found.id} {number}\n")
            driver.stdin.flush()
            ended = int(driver.stdout.readline())
            is_open = bool(proposals(root))
            settled = settle(root)
            is_taken = git(root, "rev-parse", "HEAD") != began
            assert is_taken == (what == "accepted" and not is_open)
            assert state(root)[1:] == ("", CORRECTED if is_taken else PRESENT)
            assert bool(proposals(root)) == is_open == bool(git(root, "branch", "--list", "proposal/*"))
            assert not (is_open and settled)
            seen.add((is_open, bool(settled)))
            if ended == 0:
                break
        driver.stdin.close()
    assert ended == 0
    assert seen == {(True, False), (False, True), (False, False)}, "no kill came between what may be cut apart"


def test_what_is_proposed_and_decided_is_told_once(root: Path) -> None:
    """Whoever is killed while telling says it again, and nobody hears it twice."""
    told = root / "told.txt"
    script = f"import sys; open({str(told)!r}, 'a').write(sys.argv[1] + chr(10))"
    words = ", ".join(json.dumps(each) for each in (sys.executable, "-c", script))
    (root / "modelworks.toml").write_text(f'title = "Ours"\n[notify.command]\nrun = [{words}]\n', encoding="utf-8")
    proposed(root, CORRECTED, "deaths")
    tell_of_corrections(root)
    found = proposed(root)
    for _ in range(2):
        tell_of_corrections(root)
    decline_proposal(root, found, **ADA, why="Not confirmed.")
    [made] = decided(root)
    for _ in range(2):
        tell_of_decision(root, made)
    tell_of_corrections(root)
    for _ in range(2):
        tell_of_jobs(root)
    assert told.read_text("utf-8").splitlines() == [
        f"[Ours] cases: file {found.id} proposed by Grace",
        f"[Ours] cases: file {found.id} declined by Ada Lovelace",
    ]
