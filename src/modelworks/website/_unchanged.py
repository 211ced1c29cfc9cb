"""What was asked of a study's model before, told again while no file that it follows from is another one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from modelworks.errors import ModelworksError
from modelworks.inputs.repository import SETTINGS
from modelworks.website import _catalogue
from modelworks.website._files import stamps
from modelworks.website._house import Workspace

P = ParamSpec("P")


class FromFiles(Protocol):
    """What names the files that it follows from; None where nobody can say."""

    @property
    def files(self) -> tuple[Path, ...] | None: ...


T = TypeVar("T", bound=FromFiles)


def while_unchanged(
    workspace: Workspace,
    study: str,
    also: Hashable,
    function: Callable[P, T],
    *arguments: P.args,
    **named: P.kwargs,
) -> T:
    """What a function gives that runs a study's model, or gave with the same arguments when all files were as they are.

    Looked at are the files of models and studies, the settings, and the data that the catalogue names. What follows
    from another one as well is asked anew each time; `also` is what else it follows from.
    """

    def ask() -> T:
        return workspace.of_study(study, function, *arguments, **named)

    try:
        watched, state = _watched(workspace)
    except ModelworksError:
        # The catalogue has mistakes, so nobody knows which files there are.
        return ask()
    asked: Hashable = (function.__name__, also, arguments, tuple(sorted(named.items())))
    known = workspace.remembered(("of study", study, asked, state), ask)
    is_all = known.files is not None and watched.issuperset(map(str, known.files))
    return known if is_all else ask()


def files_now(workspace: Workspace) -> str:
    """A text that changes when a file of a model, a study, its data or the settings is written."""
    return _watched(workspace)[1]


def _watched(workspace: Workspace) -> tuple[set[str], str]:
    """The files that are looked at, and a text that changes when one of them is written."""
    settings = stamps([workspace.root / SETTINGS])
    models = workspace.model_files()
    day, data = _catalogue.state(workspace)
    state = hashlib.sha256(repr((models, settings, day, data)).encode()).hexdigest()
    return {name for name, *_ in (*models, *settings, *data)}, state
