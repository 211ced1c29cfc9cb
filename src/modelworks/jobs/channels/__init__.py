"""Ways to tell somebody what became of a job: one file each. A channel is one method; `Channel` says what it promises.

Passwords and the like come from the environment, or from a file that it names (as containers are given secrets), and go
nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from modelworks.errors import fail


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell: of which occasion, in a line, in a paragraph, and for programs. `id` is its own for ever."""

    id: str
    occasion: str
    subject: str
    text: str
    about: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Channel(Protocol):
    """Tells somebody; `send` returns when the other side has taken it, and raises a `ModelworksError` otherwise."""

    def send(self, notice: Notice) -> None: ...


def secret(variable: str) -> str:
    """What the environment says under a name, or the file whose name is under `NAME_FILE`; empty where neither is.

    Raises
    ------
    ModelworksError
        J154 where that file can not be read.
    """
    file = os.environ.get(f"{variable}_FILE")
    if variable in os.environ or not file:
        return os.environ.get(variable, "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        fail(
            "J154", f"the file that {variable}_FILE names can not be read: {error.strerror}", hint="see who may read it"
        )
