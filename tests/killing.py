"""A process that ends itself as a battery or a cluster does: at once, and at a moment that is chosen beforehand."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any

# What can change or flush something on the disk; between two of these a kill leaves the same as just before the second.
CHANGES = {
    "mkdir", "rename", "replace", "link", "chmod", "fsync", "open", "open_code", "write", "close", "flush", "unlink",
    "rmdir", "rmtree", "copyfile", "_fastcopy_sendfile", "sendfile",
}  # fmt: skip


def kill_at(number: int, calls: Collection[str] = CHANGES) -> Callable[[FrameType, str, Any], None]:
    """A profiler that kills its own process just before the n-th of these calls, of all its threads together."""
    seen = 0

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal seen
        if event == "c_call" and getattr(argument, "__name__", "") in calls:
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    return watch
