"""Whether priors, fixed values, simulator and targets fit each other; every mistake is collected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelworks.calibration._simulator import Simulator
from modelworks.calibration._target import Target
from modelworks.calibration.groups import Group
from modelworks.calibration.likelihoods import Range
from modelworks.calibration.priors import Prior
from modelworks.errors import Letters, ModelworksError, near


def check(
    priors: Mapping[str, Prior],
    groups: Sequence[Group],
    fixed: Mapping[str, float],
    simulator: Simulator,
    targets: Sequence[Target],
) -> None:
    """Raise one `ModelworksError` with all that does not fit."""
    letters = Letters()
    _check_parameters(priors, groups, fixed, simulator, targets, letters)
    members = {member: group for group in groups for member in group.members}
    names = [target.name for target in targets]
    if not targets:
        letters.add("C306", "there is no target, so there is nothing to calibrate to", hint="add an observed series")
    for name in sorted({name for name in names if names.count(name) > 1}):
        letters.add("C305", f"there is more than one target called `{name}`", hint="give each its own name")
    for target in targets:
        _check_target(target, simulator, letters)
        _check_arguments(target, {**priors, **members}, fixed, letters)
    letters.raise_if_any()


def _check_parameters(
    priors: Mapping[str, Prior],
    groups: Sequence[Group],
    fixed: Mapping[str, float],
    simulator: Simulator,
    targets: Sequence[Target],
    letters: Letters,
) -> None:
    free = (*priors, *(member for group in groups for member in group.members))
    known = (*free, *fixed)
    used = {*simulator.parameters, *(name for target in targets for name in target.names)}
    for group in groups:
        used |= {*group.parameters.values(), *group.members}
        try:
            group.check(priors, fixed)
        except ModelworksError as error:
            letters.extend(error.letters)
    if not free:
        letters.add("C304", "no parameter has a prior, so there is nothing to find", hint="give one a prior")
    for name in sorted({name for name in known if known.count(name) > 1}):
        letters.add("C301", f"`{name}` has more than one of a prior, a group and a fixed value", hint="keep one")
    for name in simulator.parameters:
        if name not in known:
            letters.add(
                "C302", f"the model's parameter `{name}` has neither a prior nor a value", hint=near(name, known)
            )
    for name in known:
        if name not in used:
            hint = near(name, used)
            letters.add("C303", f"`{name}` is used neither by the model nor by a likelihood", hint=hint)
    for name, value in fixed.items():
        if not math.isfinite(value):
            letters.add("C307", f"the fixed value of `{name}` is {value}, which is not a number")


def _check_target(target: Target, simulator: Simulator, letters: Letters) -> None:
    for output in dict.fromkeys(target.outputs):
        if output not in simulator.outputs:
            letters.add(
                "C211",
                f"the target `{target.name}` looks at an output `{output}`, which the model does not have",
                hint=near(output, simulator.outputs),
            )
    rows, times = target.weights.shape[1], len(simulator.times)
    if rows != times:
        letters.add(
            "C212",
            f"the weights of the target `{target.name}` are for {rows} times, but the model has {times}",
            hint="weights are (point, time), with the simulator's own times",
        )


def _check_arguments(
    target: Target, priors: Mapping[str, Prior | Group], fixed: Mapping[str, float], letters: Letters
) -> None:
    for name in dict.fromkeys(target.multipliers or ()):
        if name not in priors and name not in fixed:
            hint = near(name, (*priors, *fixed))
            letters.add(
                "C209", f"a multiplier of the target `{target.name}` is `{name}`, which is not a parameter", hint=hint
            )
    for argument, name in target.parameters.items():
        allowed = target.family.arguments[argument]
        what = f"`{argument}` of the target `{target.name}`"
        if name in priors:
            _check_prior(what, name, priors[name], allowed, letters)
        elif name not in fixed:
            hint = near(name, (*priors, *fixed))
            letters.add("C209", f"{what} is `{name}`, which is not a parameter", hint=hint)
        elif not allowed.holds(fixed[name]):
            letters.add("C203", f"{what} is `{name}` = {fixed[name]:g}, but must be {allowed.in_words()}")


def _check_prior(what: str, name: str, prior: Prior | Group, allowed: Range, letters: Letters) -> None:
    low, high = prior.support
    if not allowed.can_be_found:
        letters.add("C210", f"{what} is `{name}`, which has a prior", hint="give it a value: it can not be estimated")
    elif low < allowed.lower or high > allowed.upper:
        letters.add(
            "C203",
            f"{what} must be {allowed.in_words()}, but the prior of `{name}` reaches from {low:g} to {high:g}",
            hint="give the prior bounds, or a family that ends there",
        )
