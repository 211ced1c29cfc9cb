"""The studies as a commit holds them, beside what lies in the working folder and is somebody's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path

from modelworks.errors import fail
from modelworks.inputs import Catalogue
from modelworks.inputs.repository import PIN, Repository
from modelworks.runs import files_of_commit, provenance
from modelworks.study.jobs._pinned import OF_THE_ASKER


def study_root(repository: Repository, commit: str) -> Path:
    """The folder with the repository as it is in a commit; made on the first call.

    Raises
    ------
    ModelworksError
        J141 where git does not have the commit, or its remote does not answer.
    """
    root = repository.kept / "branches" / commit
    if root.is_dir():
        return root
    draft = root.with_name(f".{commit}-{secrets.token_hex(4)}")
    draft.mkdir(parents=True)
    try:
        if not files_of_commit(repository.root, commit, draft):
            fail("J141", f"the files of commit {commit[:7]} can not be had", hint="see whether `git fetch` works here")
        known = {**provenance(repository.root), "commit": commit, "branch": None, "dirty": False, "patch": None}
        about = {"of": str(repository.root), "provenance": {name: known[name] for name in OF_THE_ASKER}}
        (draft / PIN).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
        _bring_data(repository, Repository.around(draft))
        # Whoever comes second finds a folder that is not empty, and uses that one.
        os.rename(draft, root)
    except OSError:
        if not root.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return root


def _bring_data(repository: Repository, copy: Repository) -> None:
    """Data that git does not hold are those of the repository; sensitive ones stay where they are."""
    for dataset in Catalogue.read(copy.root).values():
        for path in dataset.files():
            source = repository.root / path.relative_to(copy.root)
            if path.exists() or not source.is_file():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if dataset.is_sensitive:
                path.symlink_to(source)
            else:
                shutil.copyfile(source, path)
