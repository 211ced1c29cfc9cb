"""A study from its folder to its report: files bound to a model, stages run in order, a run published."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.study._approval import Asked, asked_of, needs_of, promote, requirements, sign_run, withdraw_run
    from modelworks.study._data_decisions import (
        ACCEPTED,
        DECLINED,
        Decided,
        accept_proposal,
        carry_out_decision,
        decided,
        decline_proposal,
    )
    from modelworks.study._data_proposals import (
        DataProposal,
        may_be_corrected,
        proposal_of,
        proposals,
        propose_file,
        proposed_page,
        withdraw_proposal,
    )
    from modelworks.study._line import Result, run_study
    from modelworks.study._record import files_of
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
    from modelworks.study._stale import stages_before
    from modelworks.study._template import new_repository, new_study
    from modelworks.study.binding._binding import BoundStudy
    from modelworks.study.inquiries._controls import Control, Moved, read_moved
    from modelworks.study.inquiries._explorer import Explorable, Explored, Explorer, Ribbon, explorer_of
    from modelworks.study.inquiries._foretold import Foretold, foresight, foretold
    from modelworks.study.inquiries._incidence import QuickLook, quick_look
    from modelworks.study.inquiries._reproduce import Reproduction, reproduce
    from modelworks.study.inquiries._rerun import Rerun, changed_prior, explored_copy, read_change, rerun
    from modelworks.study.inquiries._sbc import SimulatedCalibration, sbc
    from modelworks.study.inquiries._sensitivity import Sensitivity, sensitivity
    from modelworks.study.jobs._batch import choose_studies, new_batch, order_summary, scenarios_of
    from modelworks.study.jobs._clean import clean, leftovers
    from modelworks.study.jobs._correction_notices import tell_of_decision
    from modelworks.study.jobs._estimate import Estimate, Place, estimate, estimates, took_in_words
    from modelworks.study.jobs._here import run_here
    from modelworks.study.jobs._job_log import JobLog, log_in_words
    from modelworks.study.jobs._jobs import executor_names, jobs_of, order_study, queue_around
    from modelworks.study.jobs._logs import log_of_job
    from modelworks.study.jobs._notices import channels_of, notice_to_try
    from modelworks.study.jobs._schedules import last_time, look_at_schedules, next_time
    from modelworks.study.jobs._together import order_studies
    from modelworks.study.jobs._why import Explained, explain_job
    from modelworks.study.jobs._work import carry_out, other_python, worker_around
    from modelworks.study.own_stages._stage_study import StageStudy, missing_program
    from modelworks.study.pages._assumptions import FORMATS, Changed, assumptions_of, layers_of, named_run, what_changed
    from modelworks.study.pages._data_pages import data_files, data_pages

_HOME = {
    "changed_prior": "inquiries._rerun",
    "explored_copy": "inquiries._rerun",
    "read_change": "inquiries._rerun",
    "leftovers": "jobs._clean",
    "clean": "jobs._clean",
    "log_of_job": "jobs._logs",
    "notice_to_try": "jobs._notices",
    "channels_of": "jobs._notices",
    "explorer_of": "inquiries._explorer",
    "Ribbon": "inquiries._explorer",
    "Explorer": "inquiries._explorer",
    "Explored": "inquiries._explorer",
    "Explorable": "inquiries._explorer",
    "Moved": "inquiries._controls",
    "read_moved": "inquiries._controls",
    "Control": "inquiries._controls",
    "last_time": "jobs._schedules",
    "next_time": "jobs._schedules",
    "look_at_schedules": "jobs._schedules",
    "order_studies": "jobs._together",
    "withdraw_run": "_approval",
    "sign_run": "_approval",
    "requirements": "_approval",
    "Asked": "_approval",
    "files_of": "_record",
    "asked_of": "_approval",
    "promote": "_approval",
    "needs_of": "_approval",
    "BoundStudy": "binding._binding",
    "JobLog": "jobs._job_log",
    "log_in_words": "jobs._job_log",
    "FORMATS": "pages._assumptions",
    "Foretold": "inquiries._foretold",
    "QuickLook": "inquiries._incidence",
    "Reproduction": "inquiries._reproduce",
    "Rerun": "inquiries._rerun",
    "Result": "_line",
    "Sensitivity": "inquiries._sensitivity",
    "SimulatedCalibration": "inquiries._sbc",
    "carry_out": "jobs._work",
    "Estimate": "jobs._estimate",
    "Place": "jobs._estimate",
    "estimate": "jobs._estimate",
    "estimates": "jobs._estimate",
    "took_in_words": "jobs._estimate",
    "choose_studies": "jobs._batch",
    "new_batch": "jobs._batch",
    "order_summary": "jobs._batch",
    "scenarios_of": "jobs._batch",
    "executor_names": "jobs._jobs",
    "jobs_of": "jobs._jobs",
    "run_here": "jobs._here",
    "order_study": "jobs._jobs",
    "other_python": "jobs._work",
    "queue_around": "jobs._jobs",
    "worker_around": "jobs._work",
    "Explained": "jobs._why",
    "explain_job": "jobs._why",
    "assumptions_of": "pages._assumptions",
    "check_model": "_repository",
    "check_study": "_repository",
    "damaged_runs": "_repository",
    "data_files": "pages._data_pages",
    "data_pages": "pages._data_pages",
    "ACCEPTED": "_data_decisions",
    "DECLINED": "_data_decisions",
    "Decided": "_data_decisions",
    "accept_proposal": "_data_decisions",
    "carry_out_decision": "_data_decisions",
    "decided": "_data_decisions",
    "decline_proposal": "_data_decisions",
    "DataProposal": "_data_proposals",
    "may_be_corrected": "_data_proposals",
    "tell_of_decision": "jobs._correction_notices",
    "proposal_of": "_data_proposals",
    "proposals": "_data_proposals",
    "propose_file": "_data_proposals",
    "proposed_page": "_data_proposals",
    "withdraw_proposal": "_data_proposals",
    "find_run": "_repository",
    "foresight": "inquiries._foretold",
    "foretold": "inquiries._foretold",
    "find_studies": "_repository",
    "find_study": "_repository",
    "index_around": "_repository",
    "StageStudy": "own_stages._stage_study",
    "layers_of": "pages._assumptions",
    "missing_program": "own_stages._stage_study",
    "named_run": "pages._assumptions",
    "new_repository": "_template",
    "new_study": "_template",
    "quick_look": "inquiries._incidence",
    "remark": "_repository",
    "repository_around": "_repository",
    "reproduce": "inquiries._reproduce",
    "rerun": "inquiries._rerun",
    "retention_around": "_repository",
    "run_study": "_line",
    "runs_of_repository": "_repository",
    "sbc": "inquiries._sbc",
    "sensitivity": "inquiries._sensitivity",
    "stages_before": "_stale",
    "store_around": "_repository",
    "what_changed": "pages._assumptions",
    "Changed": "pages._assumptions",
}

__all__ = [
    "ACCEPTED",
    "DECLINED",
    "FORMATS",
    "Asked",
    "BoundStudy",
    "Changed",
    "Control",
    "DataProposal",
    "Decided",
    "Estimate",
    "Explained",
    "Explorable",
    "Explored",
    "Explorer",
    "Foretold",
    "JobLog",
    "Moved",
    "Place",
    "QuickLook",
    "Reproduction",
    "Rerun",
    "Result",
    "Ribbon",
    "Sensitivity",
    "SimulatedCalibration",
    "StageStudy",
    "accept_proposal",
    "asked_of",
    "assumptions_of",
    "carry_out",
    "carry_out_decision",
    "changed_prior",
    "channels_of",
    "check_model",
    "check_study",
    "choose_studies",
    "clean",
    "damaged_runs",
    "data_files",
    "data_pages",
    "decided",
    "decline_proposal",
    "estimate",
    "estimates",
    "executor_names",
    "explain_job",
    "explored_copy",
    "explorer_of",
    "files_of",
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
    "may_be_corrected",
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
    "proposal_of",
    "proposals",
    "propose_file",
    "proposed_page",
    "queue_around",
    "quick_look",
    "read_change",
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
    "scenarios_of",
    "sensitivity",
    "sign_run",
    "stages_before",
    "store_around",
    "tell_of_decision",
    "took_in_words",
    "what_changed",
    "withdraw_proposal",
    "withdraw_run",
    "worker_around",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
