"""What becomes of a proposed file: it is merged into the branch that is checked out, or declined with a word.

A decision is made by one change of a reference of git, which happens or does not. It is written down before, and what
follows from it (the files at hand, git's index, whoever has to be told) is made up for at the next look by whoever
finds it, so that a kill at any moment leaves nothing half.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from modelworks.errors import fail
from modelworks.inputs import Dataset, Repository
from modelworks.processes import alone
from modelworks.runs import ask_git, changed_files, commit_of, file_of_commit, follow_in_index, merged_text
from modelworks.study._data_new import added_file, is_new_dataset
from modelworks.study._data_proposals import CATALOGUE, DataProposal, lock_of, printable, proposal_of, with_file

ACCEPTED, DECLINED = "accepted", "declined"
# What a person at the terminal is in the middle of.
UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


@dataclass(frozen=True, slots=True)
class Decided:
    """A proposal that was accepted or declined (`what`), by whom (`login` is their account) and why.

    `commit` is the merge into `branch`, which was at `upon`; of a declined one it is what was proposed. `file` is the
    dataset's, from `data/`.
    """

    what: str
    dataset: str
    id: str
    file: str
    by: str
    login: str
    why: str
    proposed_by: str
    proposed: str
    branch: str
    upon: str
    commit: str
    # What an earlier modelworks wrote down names none.
    proposed_branch: str = ""

    @property
    def proposal(self) -> str:
        """The branch that was proposed, as git refers to it."""
        return f"refs/heads/{self.proposed_branch or f'proposal/{self.dataset}-{self.id}'}"


def accept_proposal(root: Path, proposal: DataProposal, *, by: str, login: str, why: str = "") -> None:
    """Merge a proposal into the branch that is checked out; the files at hand follow with `carry_out_decision`.

    Raises
    ------
    ModelworksError
        D148 with why it can not be merged, D147 where the dataset has no file that could be another.
    """
    with alone(lock_of(root)):
        _still_open(root, proposal)
        branch = ask_git(root, "symbolic-ref", "--quiet", "HEAD")
        if not branch:
            _refuse("no branch is checked out in the repository", "git switch main, or whatever the team's branch is")
        if is_new_dataset(root, proposal):
            tip, files = _added(root, proposal)
        else:
            dataset, tip, before = with_file(root, proposal.dataset)
            files = _merged(root, proposal, dataset, tip, before)
        [file] = files.keys() - {CATALOGUE}
        words = f"Accept proposal {proposal.id} for {proposal.dataset}\n\n{printable(why)}".strip() + "\n"
        author = (printable(by) or login, login)
        commit = commit_of(root, files, words, upon=(tip, proposal.commit), by=author)
        if commit is None:
            _refuse("git could not write the merge", "whoever runs this site sees whether git can write there")
        made = _decision(ACCEPTED, proposal, file, by, login, why, branch=branch, upon=tip, commit=commit)
        said = f"modelworks: accept {proposal.branch}"
        _decide(root, made, "update-ref", "-m", said, branch, commit, tip)


def decline_proposal(root: Path, proposal: DataProposal, *, by: str, login: str, why: str) -> None:
    """Remove a proposal's branch, with a word to whoever made it.

    Raises
    ------
    ModelworksError
        D148 where nobody says why, or it is no longer what it was.
    """
    if not printable(why):
        _refuse("a proposal is declined with a word", "say what is wrong with it to whoever proposed it")
    with alone(lock_of(root)):
        _still_open(root, proposal)
        made = _decision(DECLINED, proposal, "", by, login, why, commit=proposal.commit)
        _decide(root, made, "update-ref", "-d", made.proposal, proposal.commit)


def decided(root: Path) -> list[Decided]:
    """The decisions that were made and are not carried out; one that was only written down never was one."""
    folder = _folder(root)
    if not folder.is_dir() or not any(folder.glob("*.json")):
        return []
    with alone(lock_of(root)):
        found = [Decided(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(folder.glob("*.json"))]
        known = [(each, _is_made(root, each)) for each in found]
        for each, is_made in known:
            if is_made is False:
                # Whoever made it was killed before: what was proposed is open as it was.
                _file(root, each).unlink(missing_ok=True)
        return [each for each, is_made in known if is_made]


def carry_out_decision(root: Path, made: Decided) -> str:
    """Bring what was decided to the files at hand, once everybody was told; why that can not be done now, or nothing.

    What somebody has changed at hand since stays as it is. What can not be done is left to the next look.
    """
    with alone(lock_of(root)):
        try:
            is_done = made.what == DECLINED or _is_at_hand(root, made)
        except OSError as error:
            return f"{error.filename or root}: {error.strerror or error}"
        if not is_done:
            return "git can not write its index, for somebody is at work in the repository"
        ask_git(root, "update-ref", "-d", made.proposal, made.proposed)
        _file(root, made).unlink(missing_ok=True)
        return ""


# -- what is merged -----------------------------------------------------------------------------------


def _still_open(root: Path, proposal: DataProposal) -> None:
    found = proposal_of(root, proposal.dataset, proposal.id)
    if found is None or found.commit != proposal.commit:
        _refuse("somebody else has decided it, withdrawn it or changed its branch just now", "load the page anew")


def _merged(root: Path, proposal: DataProposal, dataset: Dataset, tip: str, before: bytes) -> dict[str, bytes]:
    """The two files as they are after the merge."""
    name = f"data/{dataset.file}"
    base = ask_git(root, "merge-base", tip, proposal.commit)
    changed = changed_files(root, base, proposal.commit) if base else None
    if base is None or changed is None:
        _refuse("git does not say what its branch changes", "whoever runs this site sees whether git answers there")
    by_hand = f"git merge {proposal.branch}"
    if changed != {name, CATALOGUE}:
        others = ", ".join(sorted(changed - {name, CATALOGUE})[:3]) or f"not {name} and {CATALOGUE} alone"
        _refuse(f"its branch changes other files than were shown: {others}", f"whoever answers for them: {by_hand}")
    if file_of_commit(root, base, name) != before:
        hint = f"have the file proposed once more, from the present one; or merge it by hand: {by_hand}"
        _refuse(f"data/{dataset.file} has changed since this was proposed", hint)
    ours, theirs, earlier = (file_of_commit(root, each, CATALOGUE) for each in (tip, proposal.commit, base))
    _nothing_under_way(root, {name: before, CATALOGUE: ours})
    catalogue = theirs if ours == earlier else merged_text(ours or b"", earlier or b"", theirs or b"")
    found = file_of_commit(root, proposal.commit, name)
    if catalogue is None or found is None:
        hint = f"merge it by hand, and say which is meant: {by_hand}"
        _refuse(f"both it and the catalogue at hand changed the same lines of {CATALOGUE}", hint)
    return {name: found, CATALOGUE: catalogue}


def _added(root: Path, proposal: DataProposal) -> tuple[str, dict[str, bytes]]:
    """The last commit, and the file and the catalogue as they are when a new dataset is put upon it."""
    tip = ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    base = ask_git(root, "merge-base", tip, proposal.commit) if tip else None
    changed = changed_files(root, base, proposal.commit) if base else None
    if tip is None or base is None or changed is None:
        _refuse("git does not say what its branch changes", "whoever runs this site sees whether git answers there")
    by_hand = f"whoever answers for them: git merge {proposal.branch}"
    name = added_file(root, proposal, base)
    ours, theirs, earlier = (file_of_commit(root, each, CATALOGUE) or b"" for each in (tip, proposal.commit, base))
    found = file_of_commit(root, proposal.commit, name) if name else None
    if name is None or found is None or changed != {name, CATALOGUE} or not theirs.startswith(earlier):
        _refuse("its branch does more than add the dataset that was shown, and its file", by_hand)
    if file_of_commit(root, tip, name) is not None:
        _refuse(f"there is another file {name} by now", "have it proposed once more, under another name")
    _nothing_under_way(root, {name: None, CATALOGUE: ours or None})
    # Of several that are proposed at once each adds its own at the same end.
    between = b"" if not ours or ours.endswith(b"\n") else b"\n"
    return tip, {name: found, CATALOGUE: ours + between + theirs[len(earlier) :]}


def _nothing_under_way(root: Path, wanted: dict[str, bytes | None]) -> None:
    """Nobody's work at the terminal is in the way: the files are as the last commit has them, and nothing is staged."""
    unlike = [name for name, found in wanted.items() if _bytes_of(root / name) != found]
    staged = ask_git(root, "diff", "--cached", "--name-only", "--", *wanted)
    if unlike or staged is None or staged:
        which = " and ".join(unlike) or "one of the two files"
        hint = "whoever works in the repository commits it, or puts it back: git status"
        _refuse(f"{which} has changes there that are in no commit", hint)
    if any(ask_git(root, "rev-parse", "--verify", "--quiet", each) for each in UNDER_WAY):
        _refuse("somebody is in the middle of a merge in the repository", "whoever is ends it: git status says how")


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


# -- making a decision, and what follows from it ------------------------------------------------------


def _decision(
    what: str, proposal: DataProposal, file: str, by: str, login: str, why: str, *,
    branch: str = "", upon: str = "", commit: str,
) -> Decided:  # fmt: skip
    return Decided(
        what, proposal.dataset, proposal.id, file.removeprefix("data/"), by, login, printable(why), proposal.by,
        proposal.commit, branch, upon, commit, proposal.branch,
    )  # fmt: skip


def _decide(root: Path, made: Decided, *change: str) -> None:
    """Write a decision down, and let one change of git make it."""
    file = _file(root, made)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _take(file, json.dumps(asdict(made), indent=2).encode(), made.id)
    except OSError as error:
        _refuse(f"nothing can be written in {file.parent}: {error.strerror or error}", "see whether its disk is full")
    # Where git did not answer in good time it may have done it all the same.
    ask_git(root, *change)
    if not _is_made(root, made):
        file.unlink()
        _refuse("the repository has changed at the same moment, or git can not write there", "try it once more")


def _is_made(root: Path, made: Decided) -> bool | None:
    """Whether the change of git has happened; None where git does not say."""
    if made.what == ACCEPTED:
        base = ask_git(root, "merge-base", made.commit, made.branch)
        return None if base is None else base == made.commit
    found = ask_git(root, "for-each-ref", "--format=%(objectname)", made.proposal)
    return None if found is None else found != made.proposed


def _is_at_hand(root: Path, made: Decided) -> bool:
    """Bring the merged files, where nobody has changed them since; False where git's index is somebody else's now."""
    names = []
    for name in (f"data/{made.file}", CATALOGUE):
        before, after = (file_of_commit(root, commit, name) for commit in (made.upon, made.commit))
        # Another branch may be checked out by now, or another edition committed.
        if after is None or file_of_commit(root, "HEAD", name) != after:
            continue
        names.append(name)
        if _bytes_of(root / name) == before:
            _take(root / name, after, made.id)
    return follow_in_index(root, names, made.upon, made.commit)


def _take(path: Path, found: bytes, id: str) -> None:
    """Write a file in one step; what a kill leaves beside it, the next to carry the decision out writes over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{id}")
    part.write_bytes(found)
    if path.exists():
        shutil.copymode(path, part)
    os.replace(part, path)


def _folder(root: Path) -> Path:
    return Repository.around(root).kept / "deciding"


def _file(root: Path, made: Decided) -> Path:
    return _folder(root) / f"{made.dataset}-{made.id}.json"


def _refuse(problem: str, hint: str) -> NoReturn:
    fail("D148", problem, hint=hint)
