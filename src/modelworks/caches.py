"""What takes long to make and is the same every time, kept on disk: machine code, and the script of a page.

An entry's name says what it was made from, and it begins with the hash of its own content. So it is never wrong, only
absent; a cache that can not be read or written costs time, not correctness.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

DIGEST = hashlib.sha256().digest_size


def cache_folder(kind: str) -> Path:
    """Where entries of a kind are kept: in `MODELWORKS_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("MODELWORKS_CACHE")
    if chosen:
        return Path(chosen) / kind
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "modelworks" / kind


def read_entry(path: Path) -> bytes | None:
    """What an entry holds, or nothing where it is absent or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, kept = content[:DIGEST], content[DIGEST:]
    return kept if hashlib.sha256(kept).digest() == digest else None


def write_entry(path: Path, content: bytes) -> None:
    """Publish by rename, so that another process never reads half a file."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(hashlib.sha256(content).digest() + content)
        os.replace(part.name, path)
