"""A study of which only some scenarios are run, and what can then be told."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelworks.errors import Letters, near
from modelworks.inputs._nodes import Place
from modelworks.inputs.scenarios import BASELINE, Scenario

if TYPE_CHECKING:
    from modelworks.inputs.study_file import StudyFile


def check_chosen(names: Collection[str], scenarios: Mapping[str, Scenario], place: Place, letters: Letters) -> None:
    """A letter for each chosen scenario that is not there."""
    for name in names:
        if name not in scenarios:
            message = f"the projection is to run a scenario `{name}`, which is not there"
            letters.add("Y128", message, hint=near(name, scenarios), file=place.file, line=place.line)


def only_chosen(study: StudyFile) -> StudyFile:
    """The study with the scenarios that its projection names, and the baseline, which others are compared with.

    Quantities and decisions that need others are left out, and the answer where it tells of one of these.
    """
    if not study.projection.scenarios:
        return study
    kept = {BASELINE, *study.projection.scenarios}
    scenarios = {name: each for name, each in study.scenarios.items() if name in kept}
    quantities = {name: each for name, each in study.quantities.items() if kept.issuperset(each.scenarios)}
    decisions = {
        name: each
        for name, each in study.decisions.items()
        if kept.issuperset(each.among) and each.quantity in quantities
    }
    told = {*quantities, *(f"{name}{end}" for name in decisions for end in ("", "_knowing"))}
    asked = {name for _, name, _, _ in string.Formatter().parse(study.answer or "") if name is not None}
    return replace(
        study,
        scenarios=MappingProxyType(scenarios),
        quantities=MappingProxyType(quantities),
        decisions=MappingProxyType(decisions),
        answer=study.answer if asked <= told else None,
    )
