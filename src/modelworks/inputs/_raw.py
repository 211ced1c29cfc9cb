"""Raw files: as they were received, and held to the checksum they had then."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modelworks.errors import fail
from modelworks.inputs._pointers import pointer_at
from modelworks.inputs._reading import file_bytes, shown


def raw_bytes(path: Path, root: Path) -> bytes:
    """The bytes of a file of data, and not of a pointer to it."""
    pointer = pointer_at(path)
    if pointer is not None:
        kind = pointer.kind
        hint = f"`modelworks data fetch` brings it where {kind} keeps a copy within reach; else `{pointer.command}`"
        fail("D104", f"`{shown(path, root)}` holds no data, only what points to them ({kind})", hint=hint)
    return file_bytes(path, root, "D102")


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
