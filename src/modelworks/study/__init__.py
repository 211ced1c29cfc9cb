"""A study from its folder to its report: files bound to a model, stages run in order, a run published."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.study._binding import BoundStudy
    from modelworks.study._line import Result, run_study
    from modelworks.study._repository import (
        check_study,
        damaged_runs,
        find_run,
        find_studies,
        find_study,
        index_around,
        remark,
        repository_around,
        retention_around,
        runs_of_repository,
        store_around,
    )
    from modelworks.study._reproduce import Reproduction, reproduce
    from modelworks.study._template import new_repository, new_study

_HOME = {
    "BoundStudy": "_binding",
    "Reproduction": "_reproduce",
    "Result": "_line",
    "check_study": "_repository",
    "damaged_runs": "_repository",
    "find_run": "_repository",
    "find_studies": "_repository",
    "find_study": "_repository",
    "index_around": "_repository",
    "new_repository": "_template",
    "new_study": "_template",
    "remark": "_repository",
    "repository_around": "_repository",
    "reproduce": "_reproduce",
    "retention_around": "_repository",
    "run_study": "_line",
    "runs_of_repository": "_repository",
    "store_around": "_repository",
}

__all__ = [
    "BoundStudy",
    "Reproduction",
    "Result",
    "check_study",
    "damaged_runs",
    "find_run",
    "find_studies",
    "find_study",
    "index_around",
    "new_repository",
    "new_study",
    "remark",
    "repository_around",
    "reproduce",
    "retention_around",
    "run_study",
    "runs_of_repository",
    "store_around",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
