"""A file that somebody sends becomes a new dataset: guessed, completed by them, and proposed as a branch of git.

Until it is proposed it is a draft, one for each person, among what the repository keeps for itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from modelworks.inputs import Catalogue, Repository, TextForm, add, propose
from modelworks.inputs import Proposal as NewDataset
from modelworks.processes import alone
from modelworks.report import DataPage
from modelworks.runs import ask_git, commit_aside, file_of_commit
from modelworks.study._data_proposals import (
    CATALOGUE,
    DataProposal,
    branch_of,
    check_room,
    id_of,
    lock_of,
    printable,
    proposal_of,
    refuse,
)
from modelworks.study.pages._data_pages import data_page

RAW = "data/raw/"
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class DraftForm:
    """How a file that was sent is to be read, where that can not be seen (see `modelworks data add`)."""

    sheet: str = ""
    separator: str = ""
    encoding: str = "utf-8"
    days: str = ""
    numbers: str = ""
    texts: tuple[str, ...] = ()


def keep_draft(root: Path, login: str, name: str, found: bytes, how: DraftForm, *, is_sensitive: bool) -> None:
    """Keep a file that somebody sent until they have said what it is; the one that they sent before goes.

    Raises
    ------
    ModelworksError
        D147 where no file came, it is sensitive, or there is no git in which a proposal could be made.
    """
    if is_sensitive:
        refuse(
            "a table that is sensitive would lie in the clear on its way",
            "add it where it lies: `modelworks data add FILE --sensitive` encrypts it and writes its entry",
        )
    if not found:
        refuse("no file came, or an empty one", "choose the file, and send it again")
    _tip(root)
    folder = _draft(root, login)
    # Who sends two at once has the one that came last.
    with alone(folder.with_suffix(".lock")):
        drop_draft(root, login)
        (folder / "file").mkdir(parents=True)
        (folder / "file" / _plain(name)).write_bytes(found)
        (folder / "how.json").write_text(json.dumps(asdict(how)), encoding="utf-8")


def drop_draft(root: Path, login: str) -> None:
    """Let somebody's draft go, if there is one."""
    shutil.rmtree(_draft(root, login), ignore_errors=True)


def draft_of(root: Path, login: str) -> tuple[Path, DraftForm] | None:
    """The file that somebody sent last and has not proposed, and how it is read."""
    folder = _draft(root, login)
    try:
        said = json.loads((folder / "how.json").read_text(encoding="utf-8"))
        return next((folder / "file").iterdir()), DraftForm(**{**said, "texts": tuple(said["texts"])})
    except (FileNotFoundError, StopIteration):
        return None


def need_draft(root: Path, login: str) -> tuple[Path, DraftForm]:
    """The same; D147 where there is none."""
    gone = "the file is no longer here: it was proposed meanwhile"
    return draft_of(root, login) or refuse(gone, "look at the page of the data")


def guessed_dataset(root: Path, file: Path, how: DraftForm) -> NewDataset:
    """What can be guessed of a file, as `modelworks data add` does; raises what `inputs.propose` does."""
    form = TextForm(how.separator, how.encoding)
    written = {"days": how.days, "numbers": how.numbers}
    return propose(file, Catalogue.read(root), sheet=how.sheet, texts=how.texts, form=form, **written)


def new_entry(root: Path, new: NewDataset) -> tuple[bytes, list[str]]:
    """The catalogue of the last commit with the entry of a new dataset, and what somebody should look at in its table.

    Raises
    ------
    ModelworksError
        What `inputs.add` raises, and D147 where git has no commit.
    """
    tip = _tip(root)
    with _aside({CATALOGUE: file_of_commit(root, tip, CATALOGUE)}) as folder:
        remarks = add(new, folder, date.today())[1]
        return (folder / CATALOGUE).read_bytes(), remarks


def propose_dataset(root: Path, new: NewDataset, catalogue: bytes, *, why: str, by: str, login: str) -> str:
    """Keep a new dataset as a branch upon the last commit, with the catalogue that `new_entry` gave; the proposal's id.

    Raises
    ------
    ModelworksError
        D147 with why it can not be proposed.
    """
    found, file = new.path.read_bytes(), RAW + new.path.name
    id = id_of(found)
    with alone(lock_of(root)):
        tip = _tip(root)
        if not catalogue.startswith(file_of_commit(root, tip, CATALOGUE) or b""):
            refuse("the catalogue has changed at the same moment", "propose it once more")
        if file_of_commit(root, tip, file) is not None or (root / file).exists():
            refuse(f"there is another file `{file}` already", "rename yours, and send it again")
        if proposal_of(root, new.name, id) is not None:
            refuse("this very file is proposed already", "look at that proposal, on the page of the data")
        check_room(root, new.name, len(found))
        branch, author = branch_of(root, new.name, id), (printable(by) or login, login)
        words = f"Add the data {new.name}\n\n{printable(why)}\n"
        if not commit_aside(root, branch, {file: found, CATALOGUE: catalogue}, words, upon=tip, by=author):
            refuse("git could not make the branch", "whoever runs this site sees whether git can write there")
    return id


def is_new_dataset(root: Path, proposal: DataProposal) -> bool:
    """Whether the dataset of a proposal is not in the catalogue yet."""
    return proposal.dataset not in Catalogue.read(Repository.around(root).root)


def new_dataset_page(root: Path, proposal: DataProposal) -> DataPage:
    """The page of a dataset that is proposed, as it would be."""
    catalogue = file_of_commit(root, proposal.commit, CATALOGUE)
    with _aside({CATALOGUE: catalogue}) as folder:
        dataset = Catalogue.read(folder).dataset(proposal.dataset)
        found = file_of_commit(root, proposal.commit, f"data/{dataset.file}")
        _put(folder, {f"data/{dataset.file}": found})
        return data_page(Catalogue.read(folder), proposal.dataset)


def added_file(root: Path, proposal: DataProposal, base: str) -> str | None:
    """The raw file of a dataset that is all that a proposal adds to the catalogue; None where it is not."""
    with _aside({CATALOGUE: file_of_commit(root, base, CATALOGUE)}) as folder:
        before = {*Catalogue.read(folder)}
        _put(folder, {CATALOGUE: file_of_commit(root, proposal.commit, CATALOGUE)})
        after = Catalogue.read(folder)
    file = after[proposal.dataset].file if {*after} - before == {proposal.dataset} else None
    return None if file is None else f"data/{file}"


@contextmanager
def _aside(files: Mapping[str, bytes | None]) -> Iterator[Path]:
    """A folder with some files of a commit, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        _put(root, files)
        yield root


def _put(root: Path, files: Mapping[str, bytes | None]) -> None:
    for name, found in files.items():
        if found is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(found)


def _tip(root: Path) -> str:
    tip = ask_git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not tip:
        refuse("the repository has no commit of git to propose it upon", "git init, git add --all, git commit")
    return tip


def _plain(name: str) -> str:
    """The name of a file that came from somewhere, as one that is nothing but a name.

    >>> _plain("../My cases (2021).CSV"), _plain("C:\\\\data\\\\.hidden")
    ('My-cases-2021.csv', 'hidden')
    """
    stem, dot, ending = re.split(r"[/\\]", name)[-1].strip(". ").rpartition(".")
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", stem if dot else ending).strip("-")[:LONGEST_NAME] or "data"
    return f"{plain}.{re.sub(r'[^a-z0-9]', '', ending.lower())[:8]}" if dot else plain


def _draft(root: Path, login: str) -> Path:
    return Repository.around(root).kept / "drafts" / hashlib.sha256(login.encode()).hexdigest()[:16]
