"""A study that is made of the team's own stages, and what it is called beside one with a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from modelworks.errors import Letter, Letters, ModelworksError, counted
from modelworks.inputs import StageInputs, StudyInputs, check_files
from modelworks.runs import condition
from modelworks.study.binding._binding import BoundStudy, bind_read
from modelworks.study.own_stages._programs import place_of, program_names

# What a run is filed under in place of a model's name.
NO_MODEL = "no-model"


@dataclass(frozen=True)
class StageStudy:
    """A study without a model, whose files are without a mistake."""

    inputs: StageInputs

    @property
    def name(self) -> str:
        return self.inputs.folder.name

    def in_words(self) -> str:
        stages = self.inputs.study.stages
        return f"{counted(len(stages), 'stage')} of its own: {', '.join(stages)}"

    def summary(self) -> dict[str, Any]:
        return {"study": self.name, "model": None, "stages": list(self.inputs.study.stages)}


Study: TypeAlias = BoundStudy | StageStudy


def open_study(folder: Path) -> Study:
    """A study with a model bound to it, or one of stages alone; a `ModelworksError` with every mistake otherwise."""
    inputs, letters = check_files(folder)
    if inputs is None or isinstance(inputs, StudyInputs):
        study: Study = bind_read(inputs, letters)
    elif letters:
        raise ModelworksError(letters)
    else:
        study = StageStudy(inputs)
    _check_gates(study.inputs)
    return study


def _check_gates(inputs: StageInputs) -> None:
    """The gates of a study can be understood; R151 for each that can not, where it stands."""
    letters, study = Letters(), inputs.study
    for gate in study.approval.gates:
        try:
            condition(gate)
        except ModelworksError as error:
            letters.extend(letter.at(*study.place("approval.gates")) for letter in error.letters)
    letters.raise_if_any()


def missing_program(folder: Path) -> Letter | None:
    """The letter about a program that a study needs and this machine does not have; None where all are there."""
    inputs, _ = check_files(folder)
    for entry in inputs.study.stages.values() if inputs is not None else ():
        for name in program_names(entry):
            try:
                place_of(name, entry)
            except ModelworksError as error:
                return error.letters[0]
    return None
