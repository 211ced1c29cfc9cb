"""Writing a file so that nobody sees half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(target: Path, found: bytes) -> None:
    """Write a file in one step: others see the old one or the new one, and never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(found)
        os.replace(temporary, target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
