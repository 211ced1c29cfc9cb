"""Raw files: as they were received, and held to the checksum they had then."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modelworks.errors import fail
from modelworks.inputs._reading import file_bytes, shown

# How what stands in for a large file begins, until the file itself is fetched.
_POINTERS = {
    b"version https://git-lfs": "it is kept by Git LFS: `git lfs pull` fetches it",
    b"outs:": "it is kept by DVC: `dvc pull` fetches it",
    b"/annex/objects": "it is kept by git-annex: `git annex get` fetches it",
}


def raw_bytes(path: Path, root: Path) -> bytes:
    """The bytes of a file of data, and not of a pointer to it."""
    name = shown(path, root)
    if not path.is_file() and path.with_name(path.name + ".dvc").is_file():
        fail("D104", f"`{name}` is not here, only what points to it", hint=_POINTERS[b"outs:"])
    found = file_bytes(path, root, "D102")
    for beginning, hint in _POINTERS.items():
        if found[:200].lstrip().startswith(beginning):
            fail("D104", f"`{name}` holds no data, only what points to them", hint=hint)
    return found


def hold_to_checksum(found: bytes, wanted: str | None, name: str) -> None:
    """Refuse bytes that are not those the catalogue was written for."""
    actual = hashlib.sha256(found).hexdigest()
    if wanted is not None and actual != wanted:
        fail(
            "D103",
            f"`{name}` is not the one the catalogue was written for: its SHA-256 is {actual}",
            hint="put the file back as it was received. If it is a new edition, or a package it is prepared from "
            "has changed, look at what differs and then write the new checksum into the catalogue",
        )
