"""The record: finished stages, runs, and what is known of how they came about. Disk, and no science.

A run is a folder that can be read with no server, no database and none of our software. It appears by one
rename and never changes afterwards. This room imports nothing of the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.runs._assembly import LOG, installed
    from modelworks.runs._bucket import BucketStore
    from modelworks.runs._cache import StageCache
    from modelworks.runs._cells import FORMULA, MARK, NUMBER_IN_TEXT, no_formula, rows_of, without_formulas
    from modelworks.runs._compare import KINDS_OF_DIFFERENCE, Comparison, Difference, Number, compare
    from modelworks.runs._complete import lacks
    from modelworks.runs._environment import (
        Source,
        find_source,
        forget_source,
        make_environment,
        own_source,
        package_folder,
        python_like,
        source_hash,
    )
    from modelworks.runs._find import NUMBER, Condition, Wanted, condition, numbers_of
    from modelworks.runs._fingerprint import fingerprint
    from modelworks.runs._git import (
        ask_git,
        begin_history,
        branch_tip,
        changed_files,
        commit_aside,
        commit_of,
        file_of_commit,
        files_of_commit,
        follow_in_index,
        merged_text,
    )
    from modelworks.runs._index import Index, Listing, Row
    from modelworks.runs._ledger import Ledger
    from modelworks.runs._maker import BY_SCHEDULE, Someone, alike, counts_as_maker
    from modelworks.runs._marks import standing
    from modelworks.runs._origin import Origin, origins_of, with_origin, write_with_origin
    from modelworks.runs._progress import Progress, ProgressLog, SharedProgress, duration, progress_line
    from modelworks.runs._promotion import (
        APPROVED,
        Promotion,
        approved_runs,
        promotion_of,
        promotions,
        propose,
        sign,
        withdraw,
    )
    from modelworks.runs._provenance import machine, person, provenance
    from modelworks.runs._retention import Plan, Policy, Usage, empty_trash, plan, prune, pruned, restore, usage
    from modelworks.runs._run import Run
    from modelworks.runs._store import Store, folder_name
    from modelworks.runs._trace import Trace, is_number, trace_file, trace_number
    from modelworks.runs._words import Requirement, Word

_HOME = {
    "alike": "_maker",
    "APPROVED": "_promotion",
    "approved_runs": "_promotion",
    "ask_git": "_git",
    "begin_history": "_git",
    "BY_SCHEDULE": "_maker",
    "branch_tip": "_git",
    "changed_files": "_git",
    "commit_aside": "_git",
    "commit_of": "_git",
    "follow_in_index": "_git",
    "merged_text": "_git",
    "file_of_commit": "_git",
    "BucketStore": "_bucket",
    "compare": "_compare",
    "Comparison": "_compare",
    "condition": "_find",
    "Condition": "_find",
    "counts_as_maker": "_maker",
    "Difference": "_compare",
    "duration": "_progress",
    "empty_trash": "_retention",
    "files_of_commit": "_git",
    "folder_name": "_store",
    "find_source": "_environment",
    "fingerprint": "_fingerprint",
    "forget_source": "_environment",
    "no_formula": "_cells",
    "FORMULA": "_cells",
    "NUMBER": "_find",
    "NUMBER_IN_TEXT": "_cells",
    "Index": "_index",
    "installed": "_assembly",
    "is_number": "_trace",
    "KINDS_OF_DIFFERENCE": "_compare",
    "lacks": "_complete",
    "Ledger": "_ledger",
    "Listing": "_index",
    "LOG": "_assembly",
    "machine": "_provenance",
    "MARK": "_cells",
    "make_environment": "_environment",
    "Number": "_compare",
    "numbers_of": "_find",
    "Origin": "_origin",
    "origins_of": "_origin",
    "own_source": "_environment",
    "package_folder": "_environment",
    "person": "_provenance",
    "plan": "_retention",
    "Plan": "_retention",
    "Policy": "_retention",
    "Progress": "_progress",
    "progress_line": "_progress",
    "ProgressLog": "_progress",
    "Promotion": "_promotion",
    "promotion_of": "_promotion",
    "promotions": "_promotion",
    "propose": "_promotion",
    "provenance": "_provenance",
    "prune": "_retention",
    "pruned": "_retention",
    "python_like": "_environment",
    "Requirement": "_words",
    "restore": "_retention",
    "Row": "_index",
    "rows_of": "_cells",
    "Run": "_run",
    "SharedProgress": "_progress",
    "Someone": "_maker",
    "sign": "_promotion",
    "Source": "_environment",
    "source_hash": "_environment",
    "standing": "_marks",
    "StageCache": "_cache",
    "Store": "_store",
    "Trace": "_trace",
    "trace_file": "_trace",
    "trace_number": "_trace",
    "Usage": "_retention",
    "usage": "_retention",
    "Wanted": "_find",
    "with_origin": "_origin",
    "without_formulas": "_cells",
    "withdraw": "_promotion",
    "Word": "_words",
    "write_with_origin": "_origin",
}

__all__ = [
    "APPROVED",
    "BY_SCHEDULE",
    "FORMULA",
    "KINDS_OF_DIFFERENCE",
    "LOG",
    "MARK",
    "NUMBER",
    "NUMBER_IN_TEXT",
    "BucketStore",
    "Comparison",
    "Condition",
    "Difference",
    "Index",
    "Ledger",
    "Listing",
    "Number",
    "Origin",
    "Plan",
    "Policy",
    "Progress",
    "ProgressLog",
    "Promotion",
    "Requirement",
    "Row",
    "Run",
    "SharedProgress",
    "Someone",
    "Source",
    "StageCache",
    "Store",
    "Trace",
    "Usage",
    "Wanted",
    "Word",
    "alike",
    "approved_runs",
    "ask_git",
    "begin_history",
    "branch_tip",
    "changed_files",
    "commit_aside",
    "commit_of",
    "compare",
    "condition",
    "counts_as_maker",
    "duration",
    "empty_trash",
    "file_of_commit",
    "files_of_commit",
    "find_source",
    "fingerprint",
    "folder_name",
    "follow_in_index",
    "forget_source",
    "installed",
    "is_number",
    "lacks",
    "machine",
    "make_environment",
    "merged_text",
    "no_formula",
    "numbers_of",
    "origins_of",
    "own_source",
    "package_folder",
    "person",
    "plan",
    "progress_line",
    "promotion_of",
    "promotions",
    "propose",
    "provenance",
    "prune",
    "pruned",
    "python_like",
    "restore",
    "rows_of",
    "sign",
    "source_hash",
    "standing",
    "trace_file",
    "trace_number",
    "usage",
    "with_origin",
    "withdraw",
    "without_formulas",
    "write_with_origin",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
