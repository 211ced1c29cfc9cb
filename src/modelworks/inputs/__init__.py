"""What a study says of itself, from its files: the question, the parameters, the targets, the data.

`read_study` gives the inputs of a study's folder, or every mistake of every file at once. Nothing here
knows a model; each value keeps the file and line it came from, for those who do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.inputs._cells import TextForm
    from modelworks.inputs._changes import Change, Changes, changes
    from modelworks.inputs._entries import catalogue_entries, entries_of
    from modelworks.inputs._guessing import Guess
    from modelworks.inputs._nodes import Earlier, Place
    from modelworks.inputs._reading import InputFile
    from modelworks.inputs._scalars import looks_like_a_number
    from modelworks.inputs._series import Series
    from modelworks.inputs.adding import Proposal, add, propose
    from modelworks.inputs.catalogue import Catalogue, Dataset
    from modelworks.inputs.columns import Column
    from modelworks.inputs.decisions import Decision
    from modelworks.inputs.encryption import KEY_FILE_VARIABLE, encrypt_file, new_key
    from modelworks.inputs.fetching import Fetched, accept, fetch, fetch_new, look_for_news, push, with_another_file
    from modelworks.inputs.groups import GroupEntry, group_of
    from modelworks.inputs.hub import Hub
    from modelworks.inputs.likelihoods import ByDate, FromColumn, LikelihoodEntry
    from modelworks.inputs.parameters import ParameterEntry, Parameters, largest_share, turns_sign
    from modelworks.inputs.preparing import prepare, sources
    from modelworks.inputs.priors import Bounds, PriorEntry
    from modelworks.inputs.quality import Check, Finding
    from modelworks.inputs.quantities import Quantity
    from modelworks.inputs.repository import Repository
    from modelworks.inputs.scenarios import Multiply, Scenario
    from modelworks.inputs.schedules import Schedule, add_schedule, find_schedule, remove_schedule
    from modelworks.inputs.stage_entries import StageEntry
    from modelworks.inputs.study_file import CalibrationSettings, ProjectionSettings, Question, StudyFile, TimeSpan
    from modelworks.inputs.study_inputs import (
        StageInputs,
        StudyInputs,
        check_files,
        read_study,
        with_changes,
        with_model,
    )
    from modelworks.inputs.targets import WEEKDAYS, TargetEntry, Targets

_HOME = {
    "remove_schedule": "schedules",
    "find_schedule": "schedules",
    "add_schedule": "schedules",
    "Schedule": "schedules",
    "look_for_news": "fetching",
    "Bounds": "priors",
    "ByDate": "likelihoods",
    "CalibrationSettings": "study_file",
    "Catalogue": "catalogue",
    "Change": "_changes",
    "Changes": "_changes",
    "Check": "quality",
    "Column": "columns",
    "Dataset": "catalogue",
    "Decision": "decisions",
    "Earlier": "_nodes",
    "Fetched": "fetching",
    "Finding": "quality",
    "FromColumn": "likelihoods",
    "GroupEntry": "groups",
    "Guess": "_guessing",
    "Hub": "hub",
    "InputFile": "_reading",
    "KEY_FILE_VARIABLE": "encryption",
    "LikelihoodEntry": "likelihoods",
    "Multiply": "scenarios",
    "ParameterEntry": "parameters",
    "Parameters": "parameters",
    "Place": "_nodes",
    "PriorEntry": "priors",
    "ProjectionSettings": "study_file",
    "Proposal": "adding",
    "Quantity": "quantities",
    "Question": "study_file",
    "Repository": "repository",
    "Scenario": "scenarios",
    "Series": "_series",
    "StageEntry": "stage_entries",
    "StageInputs": "study_inputs",
    "StudyFile": "study_file",
    "StudyInputs": "study_inputs",
    "TargetEntry": "targets",
    "TextForm": "_cells",
    "Targets": "targets",
    "TimeSpan": "study_file",
    "WEEKDAYS": "targets",
    "accept": "fetching",
    "add": "adding",
    "changes": "_changes",
    "catalogue_entries": "_entries",
    "check_files": "study_inputs",
    "encrypt_file": "encryption",
    "entries_of": "_entries",
    "fetch": "fetching",
    "fetch_new": "fetching",
    "group_of": "groups",
    "largest_share": "parameters",
    "new_key": "encryption",
    "prepare": "preparing",
    "propose": "adding",
    "push": "fetching",
    "read_study": "study_inputs",
    "sources": "preparing",
    "turns_sign": "parameters",
    "with_another_file": "fetching",
    "looks_like_a_number": "_scalars",
    "with_changes": "study_inputs",
    "with_model": "study_inputs",
}

__all__ = [
    "KEY_FILE_VARIABLE",
    "WEEKDAYS",
    "Bounds",
    "ByDate",
    "CalibrationSettings",
    "Catalogue",
    "Change",
    "Changes",
    "Check",
    "Column",
    "Dataset",
    "Decision",
    "Earlier",
    "Fetched",
    "Finding",
    "FromColumn",
    "GroupEntry",
    "Guess",
    "Hub",
    "InputFile",
    "LikelihoodEntry",
    "Multiply",
    "ParameterEntry",
    "Parameters",
    "Place",
    "PriorEntry",
    "ProjectionSettings",
    "Proposal",
    "Quantity",
    "Question",
    "Repository",
    "Scenario",
    "Schedule",
    "Series",
    "StageEntry",
    "StageInputs",
    "StudyFile",
    "StudyInputs",
    "TargetEntry",
    "Targets",
    "TextForm",
    "TimeSpan",
    "accept",
    "add",
    "add_schedule",
    "catalogue_entries",
    "changes",
    "check_files",
    "encrypt_file",
    "entries_of",
    "fetch",
    "fetch_new",
    "find_schedule",
    "group_of",
    "largest_share",
    "look_for_news",
    "looks_like_a_number",
    "new_key",
    "prepare",
    "propose",
    "push",
    "read_study",
    "remove_schedule",
    "sources",
    "turns_sign",
    "with_another_file",
    "with_changes",
    "with_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
