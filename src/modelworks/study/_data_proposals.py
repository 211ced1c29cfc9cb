"""A corrected file of data, proposed: a branch of git with one commit, which a team merges or does not.

The files at hand never change by it, and nothing of a proposal is used before somebody has merged its branch.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from modelworks.errors import ModelworksError, fail
from modelworks.inputs import Catalogue, Changes, Dataset, Repository, changes, with_another_file
from modelworks.processes import alone
from modelworks.report import DataPage
from modelworks.runs import ask_git, commit_aside, file_of_commit
from modelworks.study.pages._data_pages import data_page

FOLDER = "proposal"
CATALOGUE = "data/catalogue.yaml"
ID = "[0-9a-f]{8}"
# So many wait for each dataset, and so much of all of them, as git keeps it.
MOST_OPEN, MOST_BYTES = 20, 10**9
# What git says of a branch, with a NUL between; the reason, which may have many lines, comes last.
_ASKED = "%(refname:strip=2)%00%(authorname)%00%(authoremail:trim)%00%(authordate:iso-strict)%00%(objectname)"


@dataclass(frozen=True, slots=True)
class DataProposal:
    """A proposed file of a dataset: whose it is (`login` is their account), when and why; `commit` holds it.

    `branch` is at that commit until it is decided.
    """

    dataset: str
    id: str
    by: str
    login: str
    when: str
    why: str
    commit: str
    branch: str


def proposals(root: Path) -> list[DataProposal]:
    """What is proposed for any dataset and not merged, the latest first."""
    return _found(root, "")


def proposal_of(root: Path, dataset: str, id: str) -> DataProposal | None:
    """One of them; None where there is none, or it is merged."""
    if not re.fullmatch(ID, id):
        return None
    return next(iter(_found(root, f"{dataset}-{id}")), None)


def branch_of(root: Path, dataset: str, id: str) -> str:
    """The branch of a proposal; D147 where git does not say where in its repository the folder is."""
    begin = _branches(root)
    if begin is None:
        refuse("git does not answer", "whoever runs this site sees whether git answers there")
    return f"{begin}{dataset}-{id}"


def _branches(root: Path) -> str | None:
    """What the branches of a workspace begin with: of several in one repository of git each has its own."""
    inside = ask_git(root, "rev-parse", "--show-prefix")
    if inside is None:
        return None
    # What else may stand in the name of a folder, and not everywhere in that of a branch.
    return f"{FOLDER}/{quote(inside, safe='/').replace('.', '%2E').replace('~', '%7E')}"


def _found(root: Path, one: str) -> list[DataProposal]:
    form, begin = f"--format={_ASKED}%00%(contents:body)%01", _branches(root)
    if begin is None:
        return []
    answer = ask_git(root, "for-each-ref", "--no-merged=HEAD", form, f"refs/heads/{begin}{one}") or ""
    found = []
    for said in answer.split("\1"):
        branch, *rest = said.strip("\n").split("\0")
        name = re.fullmatch(rf"{re.escape(begin)}([^/]+)-({ID})", branch)
        if name and len(rest) == 5:
            by, login, when, commit, why = rest
            found.append(DataProposal(name[1], name[2], by, login, when, why.strip(), commit, branch))
    return sorted(found, key=lambda each: each.when, reverse=True)


def may_be_corrected(root: Path, name: str) -> Dataset:
    """A dataset for whose file another may be proposed.

    Raises
    ------
    ModelworksError
        D101 where there is none of that name, D147 where its file is not for git, or not in it.
    """
    return with_file(root, name)[0]


def check_table(root: Path, name: str, found: bytes) -> None:
    """Refuse a file that can not be read as the columns of the dataset are declared: nobody could accept it.

    Raises
    ------
    ModelworksError
        D101 where there is no such dataset, and every mistake of the file.
    """
    Catalogue.read(root).trying(name, found).dataset(name).table()


def same_proposed(root: Path, name: str, found: bytes) -> DataProposal | None:
    """The proposal of this very file, if there is one."""
    return next((each for each in proposals(root) if (each.dataset, each.id) == (name, id_of(found))), None)


def id_of(found: bytes) -> str:
    """What a proposal of a file is called."""
    return hashlib.sha256(found).hexdigest()[:8]


def propose_file(root: Path, name: str, found: bytes, *, why: str, by: str, login: str) -> str:
    """Keep another file of a dataset as a branch upon the last commit; gives the proposal's id.

    The name that the file had is not asked for: the branch has it under that of the catalogue, with its checksum there.

    Raises
    ------
    ModelworksError
        D101 where there is no such dataset, D147 with why the file can not be proposed.
    """
    dataset, tip, before = with_file(root, name)
    reason = printable(why)
    if not reason:
        refuse("nobody said why the file is another", "write what was wrong, and who says so")
    if not found:
        refuse("no file came, or an empty one", "choose the corrected file, and send it again")
    checksum = hashlib.sha256(found).hexdigest()
    made = id_of(found)
    branch = branch_of(root, name, made)
    with alone(lock_of(root)):
        dataset, tip, before = with_file(root, name)
        if found == before:
            refuse(f"the file is the one that `{name}` has already", "choose the corrected one")
        if proposal_of(root, name, made) is not None:
            hint = "look at that proposal; if it was withdrawn, load the page anew"
            refuse("this very file is proposed already", hint)
        check_room(root, name, len(found))
        catalogue = (file_of_commit(root, tip, CATALOGUE) or b"").decode("utf-8")
        files = {
            f"data/{dataset.file}": found,
            CATALOGUE: with_another_file(catalogue, name, checksum, date.today()).encode("utf-8"),
        }
        # Of a proposal that was merged by hand the branch may still be there.
        ask_git(root, "branch", "--quiet", "--delete", branch)
        author = (printable(by) or login, login)
        if not commit_aside(root, branch, files, f"Correct the data of {name}\n\n{reason}\n", upon=tip, by=author):
            refuse("git could not make the branch", "whoever runs this site sees whether git can write there")
    return made


def withdraw_proposal(root: Path, proposal: DataProposal) -> bool:
    """Remove the branch of a proposal; False where it is gone, or no longer what it was."""
    with alone(lock_of(root)):
        is_open = proposal_of(root, proposal.dataset, proposal.id) is not None
        gone = is_open and ask_git(root, "update-ref", "-d", f"refs/heads/{proposal.branch}", proposal.commit)
    return gone is not None and is_open


def lock_of(root: Path) -> Path:
    """Who changes or decides proposals holds this, so that no two do at once."""
    return Repository.around(root).kept / "proposals.lock"


def check_room(root: Path, name: str, size: int) -> None:
    """Not more wait than a team can look at, and than a repository is to hold for nothing."""
    if sum(each.dataset == name for each in proposals(root)) >= MOST_OPEN:
        refuse(f"{MOST_OPEN} corrected files of `{name}` wait already", "have one of them decided or withdrawn first")
    kept = ask_git(root, "rev-list", "--disk-usage", "--objects", f"--branches={FOLDER}/*", "--not", "HEAD")
    if int(kept or 0) + size > MOST_BYTES:
        problem = f"what waits and this file would take more than {MOST_BYTES / 1e9:g} GB of the repository"
        refuse(problem, "have some proposals decided or withdrawn first")


def proposed_page(root: Path, proposal: DataProposal) -> tuple[DataPage, Changes | None]:
    """The dataset's page as it would be with the proposed file, and what differs from the present table.

    There is no difference where one of the tables can not be had; the page then says why.
    """
    catalogue = Catalogue.read(Repository.around(root).root)
    dataset = catalogue.dataset(proposal.dataset)
    found = file_of_commit(root, proposal.commit, f"data/{dataset.file}")
    if found is None:
        refuse(f"`{proposal.branch}` has no file data/{dataset.file}", f"git branch -D {proposal.branch} removes it")
    tried = catalogue.trying(proposal.dataset, found)
    page = data_page(tried, proposal.dataset)
    if dataset.is_sensitive or page.problem:
        return page, None
    try:
        return page, changes(dataset, tried[proposal.dataset])
    except ModelworksError:
        # What is wrong with the present file stands on the dataset's own page.
        return page, None


def with_file(root: Path, name: str) -> tuple[Dataset, str, bytes]:
    """A dataset whose file the last commit has as the catalogue says, that commit, and the file's bytes."""
    dataset = Catalogue.read(root).dataset(name)
    if dataset.is_sensitive:
        refuse(
            f"`{name}` is sensitive, and what is sent here would lie in the clear on its way",
            "put the file where the other lies, `modelworks data encrypt` it there, and commit that",
        )
    if dataset.file is None:
        refuse(f"`{name}` is made by {dataset.prepare}", "propose another file of a dataset that it is made from")
    tip = ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    before = file_of_commit(root, tip, f"data/{dataset.file}") if tip else None
    if tip is None or before is None or hashlib.sha256(before).hexdigest() != dataset.checksum:
        refuse(
            f"the last commit of git has not the file data/{dataset.file} that the catalogue was written for",
            f"git add data/{dataset.file} {CATALOGUE}, and commit; a file that git does not keep is changed by hand",
        )
    return dataset, tip, before


def printable(text: str) -> str:
    return "".join(each for each in text.replace("\r\n", "\n") if each.isprintable() or each == "\n").strip()


def refuse(problem: str, hint: str) -> NoReturn:
    """Say why a file can not be proposed."""
    fail("D147", problem, hint=hint)
