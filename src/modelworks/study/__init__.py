"""A study from its folder to its report: files bound to a model, stages run in order, a run published."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.study._approval import needs_of, promote, requirements, sign_run, withdraw_run
    from modelworks.study._assumptions import FORMATS, assumptions_of, layers_of, named_run, what_changed
    from modelworks.study._batch import choose_studies, new_batch, order_summary
    from modelworks.study._binding import BoundStudy
    from modelworks.study._clean import clean, leftovers
    from modelworks.study._controls import Control, read_moved
    from modelworks.study._data_pages import data_pages
    from modelworks.study._estimate import Estimate, estimate, took_in_words
    from modelworks.study._explorer import Explored, Explorer, Ribbon, explorer_of
    from modelworks.study._foretold import Foretold, foresight, foretold
    from modelworks.study._here import run_here
    from modelworks.study._incidence import QuickLook, quick_look
    from modelworks.study._job_log import JobLog, log_in_words
    from modelworks.study._jobs import executor_names, jobs_of, order_study, queue_around
    from modelworks.study._line import Result, run_study
    from modelworks.study._logs import log_of_job
    from modelworks.study._notices import channels_of, notice_to_try
    from modelworks.study._repository import (
        check_model,
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
    from modelworks.study._rerun import Rerun, explored_copy, rerun
    from modelworks.study._sbc import SimulatedCalibration, sbc
    from modelworks.study._schedules import last_time, look_at_schedules, next_time
    from modelworks.study._sensitivity import Sensitivity, sensitivity
    from modelworks.study._stage_study import StageStudy, missing_program
    from modelworks.study._stale import stages_before
    from modelworks.study._template import new_repository, new_study
    from modelworks.study._together import order_studies
    from modelworks.study._why import Explained, explain_job
    from modelworks.study._work import carry_out, other_python, worker_around

_HOME = {
    "explored_copy": "_rerun",
    "leftovers": "_clean",
    "clean": "_clean",
    "log_of_job": "_logs",
    "notice_to_try": "_notices",
    "channels_of": "_notices",
    "explorer_of": "_explorer",
    "Ribbon": "_explorer",
    "Explorer": "_explorer",
    "Explored": "_explorer",
    "read_moved": "_controls",
    "Control": "_controls",
    "last_time": "_schedules",
    "next_time": "_schedules",
    "look_at_schedules": "_schedules",
    "order_studies": "_together",
    "withdraw_run": "_approval",
    "sign_run": "_approval",
    "requirements": "_approval",
    "promote": "_approval",
    "needs_of": "_approval",
    "BoundStudy": "_binding",
    "JobLog": "_job_log",
    "log_in_words": "_job_log",
    "FORMATS": "_assumptions",
    "Foretold": "_foretold",
    "QuickLook": "_incidence",
    "Reproduction": "_reproduce",
    "Rerun": "_rerun",
    "Result": "_line",
    "Sensitivity": "_sensitivity",
    "SimulatedCalibration": "_sbc",
    "carry_out": "_work",
    "Estimate": "_estimate",
    "estimate": "_estimate",
    "took_in_words": "_estimate",
    "choose_studies": "_batch",
    "new_batch": "_batch",
    "order_summary": "_batch",
    "executor_names": "_jobs",
    "jobs_of": "_jobs",
    "run_here": "_here",
    "order_study": "_jobs",
    "other_python": "_work",
    "queue_around": "_jobs",
    "worker_around": "_work",
    "Explained": "_why",
    "explain_job": "_why",
    "assumptions_of": "_assumptions",
    "check_model": "_repository",
    "check_study": "_repository",
    "damaged_runs": "_repository",
    "data_pages": "_data_pages",
    "find_run": "_repository",
    "foresight": "_foretold",
    "foretold": "_foretold",
    "find_studies": "_repository",
    "find_study": "_repository",
    "index_around": "_repository",
    "StageStudy": "_stage_study",
    "layers_of": "_assumptions",
    "missing_program": "_stage_study",
    "named_run": "_assumptions",
    "new_repository": "_template",
    "new_study": "_template",
    "quick_look": "_incidence",
    "remark": "_repository",
    "repository_around": "_repository",
    "reproduce": "_reproduce",
    "rerun": "_rerun",
    "retention_around": "_repository",
    "run_study": "_line",
    "runs_of_repository": "_repository",
    "sbc": "_sbc",
    "sensitivity": "_sensitivity",
    "stages_before": "_stale",
    "store_around": "_repository",
    "what_changed": "_assumptions",
}

__all__ = [
    "FORMATS",
    "BoundStudy",
    "Control",
    "Estimate",
    "Explained",
    "Explored",
    "Explorer",
    "Foretold",
    "JobLog",
    "QuickLook",
    "Reproduction",
    "Rerun",
    "Result",
    "Ribbon",
    "Sensitivity",
    "SimulatedCalibration",
    "StageStudy",
    "assumptions_of",
    "carry_out",
    "channels_of",
    "check_model",
    "check_study",
    "choose_studies",
    "clean",
    "damaged_runs",
    "data_pages",
    "estimate",
    "executor_names",
    "explain_job",
    "explored_copy",
    "explorer_of",
    "find_run",
    "find_studies",
    "find_study",
    "foresight",
    "foretold",
    "index_around",
    "jobs_of",
    "last_time",
    "layers_of",
    "leftovers",
    "log_in_words",
    "log_of_job",
    "look_at_schedules",
    "missing_program",
    "named_run",
    "needs_of",
    "new_batch",
    "new_repository",
    "new_study",
    "next_time",
    "notice_to_try",
    "order_studies",
    "order_study",
    "order_summary",
    "other_python",
    "promote",
    "queue_around",
    "quick_look",
    "read_moved",
    "remark",
    "repository_around",
    "reproduce",
    "requirements",
    "rerun",
    "retention_around",
    "run_here",
    "run_study",
    "runs_of_repository",
    "sbc",
    "sensitivity",
    "sign_run",
    "stages_before",
    "store_around",
    "took_in_words",
    "what_changed",
    "withdraw_run",
    "worker_around",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
