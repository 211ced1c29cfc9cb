"""What the website knows of corrected files: those that wait for a decision, and what was decided, by the trail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from modelworks.runs import ask_git
from modelworks.study import (
    ACCEPTED,
    DECLINED,
    DataProposal,
    Decided,
    carry_out_decision,
    decided,
    proposals,
    tell_of_decision,
)
from modelworks.website._files import stamps
from modelworks.website._house import Workspace
from modelworks.website.access.people import Deed, People

# What the trail says of a decision.
DEEDS = {ACCEPTED: "accepted a proposed file", DECLINED: "declined a proposed file"}
_ABOUT = re.compile(r"dataset (.+), proposal ([0-9a-f]{8}), commit [0-9a-f]{12}(?:: (.*))?", re.DOTALL)
# What git writes to when a branch is made, moved or removed, or another commit is checked out.
_OF_GIT = ("HEAD", "logs/HEAD", "packed-refs", "refs/heads", "refs/heads/proposal", "reftable")


@dataclass(frozen=True, slots=True)
class Correction:
    """A decision on a proposed file, as the trail has it: `by` is how one calls whoever made it."""

    what: str
    id: str
    by: str
    when: str
    why: str


def waiting(workspace: Workspace, dataset: str = "") -> list[DataProposal]:
    """The proposals that wait for a decision, of one dataset or of all; git is asked when it has changed."""
    root = workspace.root
    folders = workspace.remembered(("git", root), lambda: _folders_of_git(root))
    stamp = stamps(folder / name for folder in folders for name in _OF_GIT)
    found = workspace.remembered(("waiting", stamp), lambda: proposals(root))
    return [each for each in found if dataset in ("", each.dataset)]


def _folders_of_git(root: Path) -> list[Path]:
    """Where git keeps what belongs to this checkout, and what belongs to all of them."""
    said = (ask_git(root, "rev-parse", "--git-dir", "--git-common-dir") or "").splitlines()
    return sorted({(root / each).resolve() for each in said})


def settle(people: People, workspace: Workspace, address: str = "") -> list[str]:
    """Write down and carry out what was decided; what can not be done yet, in words.

    Whoever decided may have been killed before that, so this is done at each look.
    """
    left = []
    for made in decided(workspace.root):
        people.note_once(made.login, workspace.name, DEEDS[made.what], _about(made), address)
        tell_of_decision(workspace.root, made)
        problem = carry_out_decision(workspace.root, made)
        if problem:
            left.append(f"Proposal {made.id} for `{made.dataset}` is {made.what}, but not at hand yet: {problem}")
    return left


def corrections(people: People, workspace: Workspace, dataset: str, id: str = "") -> list[Correction]:
    """The decisions on files of a dataset, or on one proposal; the latest first."""
    about = f"dataset {dataset}, proposal {id}"
    return [_correction(people, each) for each in people.done(workspace.name, tuple(DEEDS.values()), about)]


def _about(made: Decided) -> str:
    about = f"dataset {made.dataset}, proposal {made.id}, commit {made.commit[:12]}"
    return f"{about}: {made.why}" if made.why else about


def _correction(people: People, deed: Deed) -> Correction:
    said = _ABOUT.fullmatch(deed.about)
    someone = people.find(deed.person)
    what = next(what for what, words in DEEDS.items() if words == deed.what)
    by = someone.title if someone is not None else deed.person
    return Correction(what, said[2] if said else "", by, deed.time, (said[3] or "") if said else "")
