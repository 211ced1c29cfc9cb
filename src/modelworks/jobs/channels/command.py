"""A program of the team's own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from modelworks.errors import fail
from modelworks.jobs.channels import Notice

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Command:
    """Its words; the subject comes as one more, and all of the notice as JSON by its input."""

    run: Sequence[str]

    def send(self, notice: Notice) -> None:
        told = json.dumps(notice.as_dict(), ensure_ascii=False)
        hint = "give the command `run` of [notify.command] by hand, as the person whom the worker runs as"
        try:
            ended = subprocess.run(
                [*self.run, notice.subject], input=told, capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            fail("J153", f"`{self.run[0]}` could not be carried out: {error}", hint=hint)
        if ended.returncode:
            last = (ended.stderr or ended.stdout).strip().splitlines()[-1:]
            fail("J153", f"`{self.run[0]}` ended with status {ended.returncode}: {''.join(last)}", hint=hint)
