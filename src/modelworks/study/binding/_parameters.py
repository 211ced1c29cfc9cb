"""Where the entries of parameters.yaml meet the parameters of the model and of the targets' likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from modelworks import units
from modelworks.calibration import Beliefs, Group, Prior, group
from modelworks.errors import Letters, ModelworksError, near
from modelworks.inputs import GroupEntry, ParameterEntry, StudyInputs
from modelworks.study.binding._model_file import AnyModel

# Arguments of a group's prior whose unit is that of its members; the others are of a logarithm, and have none.
IN_UNITS = ("mean", "median", "start", "sd")


@dataclass(frozen=True)
class BoundParameters:
    """Every parameter with what turns its unit into the model's, and its prior, its group or its value.

    `entries` has the entry that speaks of each: of a member of a group its own, or the group's.
    """

    factors: dict[str, float] = field(default_factory=dict)
    priors: dict[str, Prior] = field(default_factory=dict)
    fixed: dict[str, float] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    entries: dict[str, ParameterEntry] = field(default_factory=dict)

    @cached_property
    def beliefs(self) -> Beliefs:
        return Beliefs(self.priors, self.groups, self.fixed)

    @cached_property
    def centre(self) -> dict[str, float]:
        """The middle of what is believed of each: a prior's median, where a group centres, a value."""
        beliefs = self.beliefs
        return dict(zip(beliefs.names, beliefs.everything(beliefs.centre()).tolist(), strict=True))


def bind_parameters(inputs: StudyInputs, model: AnyModel, letters: Letters) -> BoundParameters:
    """Every parameter of the model and of the likelihoods, with a letter for each that is none, or does not fit.

    With letters the groups are left out, for their arguments may be among what is wrong.
    """
    found, before = BoundParameters(), len(letters.collected)
    declared = model.parameters
    entries = inputs.parameters
    asked = dict.fromkeys(name for target in inputs.targets.values() for name in target.parameters)
    of_groups = {name for e in entries.values() if isinstance(e.prior, GroupEntry) for name in e.prior.names}
    used = tuple(dict.fromkeys((*declared, *asked, *sorted(of_groups))))
    # A likelihood that can not be read, or names what has no entry, was told; a name left over may be what it means.
    sure = inputs.targets.complete and all(map(entries.have, asked))
    for name, entry in entries.items():
        members = _members(name, used, entries.names)
        if not members and sure:
            letters.add(
                "P201",
                f"`{name}` is not a parameter of the model `{model.name}`, nor of any target's likelihood",
                hint=near(name, used),
                file=entry.file,
                line=entry.line,
            )
        try:
            _bind(entry, members, model, found)
        except ModelworksError as error:
            letters.extend(letter.at(entry.file, entry.line) for letter in error.letters)
            continue
        first = next((member for member in members if member in declared), None)
        if first is not None:
            _within(entry, first, model, found, letters)
    for name, parameter in declared.items():
        # An entry with a mistake of its own has had its letter, as has a file that can not be read.
        if entries.complete and not entries.have(name):
            letters.add(
                "P202",
                f"the model `{model.name}` needs `{name}` ({parameter.unit}), which has no entry",
                hint=f"add a value or a prior, a unit and a source: {parameter.meaning or 'see the model file'}",
                file=entries.file,
            )
    if len(letters.collected) == before:
        _check_groups(found, letters)
    if len(letters.collected) > before:
        found.groups.clear()
    return found


def _members(name: str, used: Sequence[str], known: Sequence[str]) -> list[str]:
    """The parameters that an entry speaks of: the one of its name, or those of the group that have no other."""
    if name in used:
        return [name]
    return [each for each in used if each.startswith(f"{name}[") and each not in known]


def _bind(entry: ParameterEntry, members: Sequence[str], model: AnyModel, found: BoundParameters) -> None:
    """What an entry says of its members."""
    declared, prior = model.parameters, entry.prior
    for member in members:
        found.factors[member] = _factor(entry, declared[member].unit) if member in declared else 1.0
        found.entries[member] = entry
        if entry.value is not None:
            found.fixed[member] = float(entry.value)
        elif prior is not None and not isinstance(prior, GroupEntry):
            found.priors[member] = Prior.of(prior.family, prior.arguments, entry.bounds)
    if isinstance(prior, GroupEntry) and members:
        labels = [] if members[0] == entry.name else [each[len(entry.name) + 1 : -1] for each in members]
        found.groups.append(group(prior.family, entry.name, labels, prior.arguments))


def _factor(entry: ParameterEntry, wanted: str) -> float:
    try:
        return units.parse(entry.unit).factor_to(units.parse(wanted))
    except ModelworksError as error:
        named = (replace(each, message=f"the parameter `{entry.name}`: {each.message}") for each in error.letters)
        raise ModelworksError(named) from error


def _within(entry: ParameterEntry, name: str, model: AnyModel, found: BoundParameters, letters: Letters) -> None:
    """The value, or everything the prior holds possible, lies within what the model takes."""
    parameter, factor = model.parameters[name], found.factors[name]
    if entry.value is not None:
        low = high = entry.value
        code, what, hint = "P204", f"`{entry.name}` is", "check its sign and its unit"
    else:
        low, high = found.priors[name].support if name in found.priors else found.groups[-1].support
        code, what, hint = "P203", f"the prior of `{entry.name}` reaches", "add `bounds:`, which cut the prior there"
    if isinstance(entry.prior, GroupEntry):
        hint = "take the log_ or the logit_ form of the group, which ends there"
    for side, mine, limit in (("below", low, parameter.lower), ("above", high, parameter.upper)):
        beyond = limit is not None and (
            factor * mine < limit - 1e-12 if side == "below" else factor * mine > limit + 1e-12
        )
        if beyond:
            letters.add(
                code,
                f"{what} {side} {limit:g} {parameter.unit}, where the model stops",
                hint=hint,
                file=entry.file,
                line=entry.line,
            )


def _check_groups(found: BoundParameters, letters: Letters) -> None:
    """A group's arguments that are parameters are what they are taken for, in the unit they are taken in."""
    for each in found.groups:
        entry = found.entries[each.members[0]]
        try:
            each.check(found.priors, found.fixed)
        except ModelworksError as error:
            letters.extend(letter.at(entry.file, entry.line) for letter in error.letters)
            continue
        for argument, name in each.parameters.items():
            given = found.entries[name]
            wanted, unit = units.parse(entry.unit if argument in IN_UNITS else "dimensionless"), units.parse(given.unit)
            if not unit.fits(wanted) or unit.factor != wanted.factor:
                letters.add(
                    "P205",
                    f"`{name}` is in `{given.unit}`, but the prior of `{entry.name}` takes it as its `{argument}`, "
                    f"in `{wanted.text}`",
                    hint=f"give `{name}` in `{wanted.text}`, with its value or prior",
                    file=given.file,
                    line=given.line,
                )
