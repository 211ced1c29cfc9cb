"""A study's files together: read, layered, and held against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from modelworks.errors import Letter, Letters, ModelworksError, fail, near
from modelworks.inputs._layers import read_layers
from modelworks.inputs._nodes import Place
from modelworks.inputs._reading import InputFile, Reading, file_sha256
from modelworks.inputs._series import check_series
from modelworks.inputs._yaml import read_mapping
from modelworks.inputs.catalogue import Catalogue, check_dataset, read_catalogue
from modelworks.inputs.encryption import is_encrypted
from modelworks.inputs.groups import GroupEntry, group_of
from modelworks.inputs.parameters import Parameters, read_parameters, turns_sign
from modelworks.inputs.repository import SETTINGS, STUDY_FILE, Repository, check_store
from modelworks.inputs.scenarios import Multiply
from modelworks.inputs.stage_entries import check_stage_files
from modelworks.inputs.study_file import Question, StudyDraft, StudyFile, read_study_file
from modelworks.inputs.targets import TargetEntry, Targets, read_targets


@dataclass(frozen=True)
class StageInputs:
    """All that the folder of a study says which is made of the team's own stages.

    `files` are all files that were read, with their checksums; of the data those the study uses,
    but for what is encrypted, which stays where it is. `stage_files` has those of each stage of the team's own, by
    the name they have in its working folder.
    """

    folder: Path
    repository: Repository
    study: Question
    catalogue: Catalogue
    files: tuple[InputFile, ...]
    stage_files: Mapping[str, Mapping[str, Path]]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that the study uses, by its name in the catalogue."""
        return self.of_stages

    @property
    def of_stages(self) -> tuple[str, ...]:
        """The datasets that stages of the team's own are given."""
        return tuple(dict.fromkeys(name for entry in self.study.stages.values() for name in entry.data.values()))


@dataclass(frozen=True)
class StudyInputs(StageInputs):
    """All that a study's folder says, without a mistake that files alone can show."""

    study: StudyFile
    parameters: Parameters
    targets: Targets

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that the study uses: for its targets, its model, its scenarios, and stages of its own."""
        named = [target.dataset for target in self.targets.values() if target.dataset]
        named += self.study.data.values()
        named += [name for scenario in self.study.scenarios.values() for name in scenario.data.values()]
        return tuple(dict.fromkeys([*named, *self.of_stages]))


def read_study(folder: Path) -> StudyInputs:
    """The inputs of a study.

    Raises
    ------
    ModelworksError
        With every mistake of every file, in the order of the files; Y147 where the study has no model.
    """
    inputs, letters = check_files(folder)
    if inputs is None or letters:
        raise ModelworksError(letters)
    return with_model(inputs)


def with_model(inputs: StageInputs) -> StudyInputs:
    """The inputs, if they are those of a study with a model, for whoever can do nothing without one; Y147 otherwise."""
    if not isinstance(inputs, StudyInputs):
        fail(
            "Y147",
            f"the study `{inputs.folder.name}` has no model: it is made of stages of its own",
            hint="`modelworks run` runs these; what is about a model needs `model:` in study.yaml",
            file=inputs.study.file,
        )
    return inputs


def with_changes(inputs: StudyInputs, content: bytes, letters: Letters) -> StudyInputs:
    """The inputs as they are where one more file extends the parameters, which holds this; with its mistakes."""
    layers, node = inputs.parameters.layers, read_mapping(content, "what was typed", letters)
    if layers is None or node is None:
        return inputs
    above = replace(layers, nodes=(*layers.nodes, node))
    return replace(inputs, parameters=read_parameters(above, letters))


def check_files(folder: Path) -> tuple[StageInputs | None, tuple[Letter, ...]]:
    """The inputs of a study with every mistake of every file; None where not even the study's file can be used.

    They are `StudyInputs` where the study has a model.

    With mistakes the inputs are what could be read, for those who look for more mistakes and nothing else.
    What needs the model (whether it has such a parameter or output) is for those who know the model.
    """
    letters = Letters()
    try:
        repository = Repository.around(folder)
        _check_is_study(folder, repository)
    except ModelworksError as error:
        return None, error.letters
    check_store(repository, letters)
    reading = Reading(repository.root)
    settings = repository.root / SETTINGS
    reading.note(settings, file_sha256(settings, repository.root, "Y133"))
    draft = read_study_file(read_layers(folder / STUDY_FILE, reading, letters), letters)
    stage_files = check_stage_files(draft.stages, repository.root, letters)
    if draft.without_model:
        return _without_model(folder, repository, draft, reading, stage_files, letters)
    parameters = read_parameters(read_layers(folder / "parameters.yaml", reading, letters), letters)
    targets = read_targets(read_layers(folder / "targets.yaml", reading, letters), letters)
    catalogue = read_catalogue(reading, letters)
    _check_parameter_names(draft, parameters, targets, letters)
    _check_scenario_values(draft, parameters, letters)
    used = _check_data(draft, targets.values(), catalogue, letters)
    for target in targets.values():
        if target.dataset is None or target.dataset in used:
            check_series(target, catalogue, draft.time, letters)
    if not isinstance(draft.study, StudyFile):
        return None, tuple(_once(letters))
    files = _noted(used, catalogue, stage_files, reading)
    inputs = StudyInputs(folder.resolve(), repository, draft.study, catalogue, files, stage_files, parameters, targets)
    return inputs, tuple(_once(letters))


def _without_model(
    folder: Path,
    repository: Repository,
    draft: StudyDraft,
    reading: Reading,
    stage_files: Mapping[str, Mapping[str, Path]],
    letters: Letters,
) -> tuple[StageInputs | None, tuple[Letter, ...]]:
    """The inputs of a study that is made of the team's own stages; it needs no catalogue where no stage needs data."""
    catalogue = read_catalogue(reading, letters)
    used = _check_data(draft, (), catalogue, letters)
    if draft.study is None:
        return None, tuple(_once(letters))
    files = _noted(used, catalogue, stage_files, reading)
    return StageInputs(folder.resolve(), repository, draft.study, catalogue, files, stage_files), tuple(_once(letters))


def _check_is_study(folder: Path, repository: Repository) -> None:
    if not (folder / STUDY_FILE).is_file():
        fail(
            "Y135",
            f"`{repository.shown(folder)}` is not a study: it has no {STUDY_FILE}",
            hint=near(folder.name, [each.name for each in repository.studies()]),
        )


def _once(letters: Letters) -> Iterator[Letter]:
    """Each letter once: a base that two files extend has its mistakes once."""
    yield from dict.fromkeys(letters)


def _check_parameter_names(draft: StudyDraft, parameters: Parameters, targets: Targets, letters: Letters) -> None:
    """Whoever names a parameter names one that has an entry."""
    if not parameters.complete:
        return

    def say(code: str, message: str, name: str, place: Place) -> None:
        letters.add(code, message, hint=near(name, parameters.names), file=place.file, line=place.line)

    for entry in parameters.values():
        if isinstance(entry.prior, GroupEntry):
            for name in entry.prior.names:
                if name not in parameters.names:
                    message = f"the prior of `{entry.name}` names a parameter `{name}`, which has no entry"
                    say("P118", message, name, entry.prior.place)
    for target in targets.values():
        for name in (*target.likelihood.names, *([] if target.weekday is None else [target.weekday])):
            if not parameters.have(name):
                whose = "the likelihood of the target" if name in target.likelihood.names else "`weekday` of the target"
                message = f"{whose} `{target.name}` names a parameter `{name}`, which has no entry"
                say("T106", message, name, target.likelihood.place)
    for scenario in draft.scenarios.values():
        for name in scenario.parameters:
            if not parameters.have(name):
                message = f"the scenario `{scenario.name}` changes a parameter `{name}`, which has no entry"
                say("Y127", message, name, scenario.places[name])
    for quantity in draft.quantities.values():
        if quantity.parameter is not None and not parameters.have(quantity.parameter):
            message = f"the quantity `{quantity.name}` is a parameter `{quantity.parameter}`, which has no entry"
            say("Y127", message, quantity.parameter, quantity.place)


def _check_scenario_values(draft: StudyDraft, parameters: Parameters, letters: Letters) -> None:
    """A scenario sets a parameter within the parameter's own bounds, and turns no sign."""
    for scenario in draft.scenarios.values():
        for name, change in scenario.parameters.items():
            entry = parameters.entries.get(name, parameters.entries.get(group_of(name)))
            if entry is None:
                continue
            place = scenario.places[name]
            if isinstance(change, Multiply):
                if turns_sign(change.multiply, entry):
                    message = f"the scenario `{scenario.name}` multiplies `{name}` by {change.multiply:g}"
                    letters.add(
                        "Y130",
                        message,
                        hint="a factor below 0 turns its sign; write one from 0 on",
                        file=place.file,
                        line=place.line,
                    )
            elif entry.bounds is not None and not entry.bounds.holds(change):
                message = (
                    f"the scenario `{scenario.name}` sets `{name}` to {change:g}, but its bounds say that it lies "
                )
                message += str(entry.bounds)
                letters.add(
                    "P105", message, hint=f"the bounds are those of {entry.place}", file=place.file, line=place.line
                )


def _check_data(
    draft: StudyDraft, targets: Iterable[TargetEntry], catalogue: Catalogue, letters: Letters
) -> tuple[str, ...]:
    """The datasets that the study uses and that can be had; a letter for each that can not."""
    if not catalogue.complete:
        return ()
    wanted: dict[str, Place] = {}
    for target in targets:
        if target.dataset is not None:
            wanted.setdefault(target.dataset, target.at("dataset"))
    for key, name in draft.data.items():
        wanted.setdefault(name, draft.places[f"data.{key}"])
    for scenario in draft.scenarios.values():
        for key, name in scenario.data.items():
            wanted.setdefault(name, scenario.places[key])
    for entry in draft.stages.values():
        for name in entry.data.values():
            wanted.setdefault(name, entry.place("data"))
    found = []
    for name, place in wanted.items():
        if name not in catalogue.names:
            message = f"there is no dataset `{name}` in {catalogue.file}"
            letters.add("D101", message, hint=near(name, catalogue.names), file=place.file, line=place.line)
        elif name in catalogue and catalogue[name].is_sensitive:
            message = f"the dataset `{name}` is sensitive, and would show in the study's runs and reports"
            hint = "prepare a table from it that anybody may see, with `sensitivity: aggregate`, and name that"
            letters.add("D175", message, hint=hint, file=place.file, line=place.line)
        elif name in catalogue:
            before = len(letters.collected)
            check_dataset(catalogue, name, letters)
            if len(letters.collected) == before:
                found.append(name)
    return tuple(found)


def _noted(
    used: tuple[str, ...], catalogue: Catalogue, stage_files: Mapping[str, Mapping[str, Path]], reading: Reading
) -> tuple[InputFile, ...]:
    """Every file that was read, those of the data and of the team's own stages among them."""
    for name in used:
        dataset = catalogue[name]
        # Of an aggregate the table itself, for what it is made from does not come along.
        files = dataset.files() if dataset.sensitivity == "public" else (*dataset.files(), dataset.path)
        for path in files:
            if not is_encrypted(path):
                reading.note(path, file_sha256(path, reading.root, "D102"))
    for path in (path for given in stage_files.values() for path in given.values()):
        reading.note(path, file_sha256(path, reading.root, "Y117"))
    return tuple(reading.files.values())
