"""What one can move in a study: each thing that a scenario changes, as a slider or a choice, between which bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import Letters, near
from modelworks.inputs import Multiply, Scenario
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import BASELINE, allowed, narrower

Array = NDArray[np.float64]
Kind = Literal["value", "factor", "choice"]

# How far a factor goes beyond those that are declared.
ROOM = 2.0
STEPS = 100
_PREFIXES: Mapping[Kind, str] = {"value": "", "factor": "times.", "choice": "data."}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a parameter stands as calibrated, or as believed before that: its value or its median, in its unit."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class ScenarioChange:
    """What a scenario makes of a parameter: `factor` times what it is, or the value `becomes`, whatever it was."""

    before: Standing
    becomes: float
    factor: float | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """A slider or a choice. `kind` says what it does: sets a parameter, multiplies it, or takes another dataset.

    A slider goes from `low` to `high`, in `unit`. `baseline` is where it stands when nothing is changed; None is as
    calibrated, which is another value in each draw. `options` are the datasets of a choice with their titles, the
    study's own first. A factor multiplies each of `multiplied`, which stand at the medians of the draws.
    """

    kind: Kind
    about: str
    title: str
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    baseline: float | None = None
    options: tuple[tuple[str, str], ...] = ()
    multiplied: tuple[Standing, ...] = ()

    @property
    def name(self) -> str:
        """Its name in a form and in a link."""
        return _PREFIXES[self.kind] + self.about

    @property
    def step(self) -> float:
        """A hundredth of its range, or so, that can be written in one digit."""
        rough = (self.high - self.low) / STEPS
        return float(f"{rough:.0e}")


# What is moved: by the name of a control a number, or the name of a dataset.
Moved = Mapping[str, float | str]


def controls_of(study: BoundStudy, draws: Mapping[str, Array]) -> tuple[Control, ...]:
    """What the study's scenarios change, in their order; `draws` (draw,) are those that are explored."""
    found: dict[str, Control] = {}
    for scenario in study.inputs.study.scenarios.values():
        for name, change in scenario.parameters.items():
            made = (_factor if isinstance(change, Multiply) else _value)(study, name, draws)
            found.setdefault(made.name, made)
        for name in scenario.data:
            made = _choice(study, name)
            found.setdefault(made.name, made)
    return tuple(found.values())


def moved_by(scenario: Scenario) -> dict[str, float | str]:
    """Where the controls stand in a declared scenario; those that are not named stand at their baseline."""
    parameters = {
        (_PREFIXES["factor"] + name if isinstance(change, Multiply) else name): (
            change.multiply if isinstance(change, Multiply) else float(change)
        )
        for name, change in scenario.parameters.items()
    }
    return {**parameters, **{_PREFIXES["choice"] + name: dataset for name, dataset in scenario.data.items()}}


def scenario_changes(study: BoundStudy) -> dict[str, tuple[ScenarioChange, ...]]:
    """Of each scenario what becomes of every parameter that it changes, from the middle of what is believed of it."""
    middle = study.parameters.centre
    return {
        name: tuple(
            ScenarioChange(each, each.value * change.multiply, change.multiply)
            if isinstance(change, Multiply)
            else ScenarioChange(each, float(change))
            for changed, change in scenario.parameters.items()
            for each in _standing(study, changed, middle)
        )
        for name, scenario in study.inputs.study.scenarios.items()
    }


def _standing(study: BoundStudy, name: str, values: Mapping[str, float]) -> tuple[Standing, ...]:
    """Where each of the parameters stands that a name of the files is for."""
    return tuple(Standing(each, values[each], study.entry(each).unit) for each in study.members(name))


def read_moved(controls: tuple[Control, ...], said: Mapping[str, str]) -> dict[str, float | str]:
    """What was moved, from a form or a link: what is empty, or stands at its baseline, is not.

    Raises
    ------
    ModelworksError
        Y552 with every name that is no control, and every value beyond its bounds.
    """
    known, letters = {each.name: each for each in controls}, Letters()
    found: dict[str, float | str] = {}
    for name, text in said.items():
        control = known.get(name)
        if control is None:
            letters.add("Y552", f"`{name}` is nothing that a scenario of the study changes", hint=near(name, known))
            continue
        value = _read(control, text.strip(), letters)
        if value is not None and value != _baseline(control):
            found[name] = value
    letters.raise_if_any()
    return found


def as_scenario(study: BoundStudy, controls: tuple[Control, ...], moved: Moved) -> Scenario:
    """What was moved as a scenario of the study."""
    values = {each.about: moved[each.name] for each in controls if each.kind == "value" and each.name in moved}
    factors = {each.about: moved[each.name] for each in controls if each.kind == "factor" and each.name in moved}
    data = {each.about: str(moved[each.name]) for each in controls if each.kind == "choice" and each.name in moved}
    changes: dict[str, float | Multiply] = {name: Multiply(float(factor)) for name, factor in factors.items()}
    for name, value in values.items():
        changes[name] = float(value) * float(factors.get(name, 1.0))
    place = study.inputs.study.place("scenarios")
    places = MappingProxyType(dict.fromkeys((*changes, *data), place))
    return Scenario("explored", "Explored", MappingProxyType(changes), MappingProxyType(data), place, places)


def _read(control: Control, text: str, letters: Letters) -> float | str | None:
    """A value as a person or a link says it; None where it says nothing, or is wrong, which is told."""
    if not text:
        return None
    if control.kind == "choice":
        names = [name for name, _ in control.options]
        if text not in names:
            letters.add("Y552", f"`{control.about}` can not be `{text[:60]}`", hint=near(text, names))
            return None
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not control.low <= value <= control.high:
        between = f"{control.low:g} to {control.high:g} {control.unit}".rstrip()
        letters.add("Y552", f"{control.title}: `{text[:60]}` does not lie within {between}", hint="move it back")
        return None
    return value


def _baseline(control: Control) -> float | str | None:
    return control.options[0][0] if control.kind == "choice" else control.baseline


def _title(study: BoundStudy, name: str) -> str:
    meaning = study.entry(study.members(name)[0]).meaning
    return meaning[:1].upper() + meaning[1:] if meaning else name.replace("_", " ").capitalize()


def _limits(study: BoundStudy, name: str) -> tuple[float, float]:
    """Between which values every member of a name may lie, in the files' unit."""
    found = [
        narrower(
            allowed(study.model.parameters[each], study.entry(each), study.factors[each]), study.entry(each).bounds
        )
        for each in study.members(name)
        if each in study.model.parameters
    ]
    return max(each.low for each in found), min(each.high for each in found)


def _value(study: BoundStudy, name: str, draws: Mapping[str, Array]) -> Control:
    """Sets a parameter: over what it is declared to be, and what is believed of it."""
    members = study.members(name)
    likely = list(_declared(study, name))
    for each in members:
        likely += [study.fixed[each]] if each in study.fixed else _believed(study, each, draws[each])
    low, high = _limits(study, name)
    low = low if math.isfinite(low) else min(likely)
    # A share ends where it ends; what could be any number ends where it was ever looked at.
    high = high if math.isfinite(high) else max(likely)
    if high <= low:
        high = low + (abs(low) or 1.0)
    fixed = {study.fixed.get(each) for each in members}
    baseline = fixed.pop() if len(fixed) == 1 else None
    return Control("value", name, _title(study, name), study.entry(members[0]).unit, low, high, baseline)


def _factor(study: BoundStudy, name: str, draws: Mapping[str, Array]) -> Control:
    """Multiplies a parameter: no further than every draw of it can go."""
    high = ROOM * max(1.0, *_declared(study, name))
    most = max((float(draws[each].max()) for each in study.members(name)), default=0.0)
    limit = _limits(study, name)[1]
    if math.isfinite(limit) and most > 0:
        high = min(high, limit / most)
    medians = {each: float(np.median(draws[each])) for each in study.members(name)}
    title = f"{_title(study, name)}, times"
    return Control("factor", name, title, "", 0.0, high, 1.0, multiplied=_standing(study, name, medians))


def _choice(study: BoundStudy, name: str) -> Control:
    """Takes another dataset: under the title of the first scenario that does."""
    asked = study.inputs.study
    own = asked.data[name]
    titles = {
        own: asked.scenarios[BASELINE].title if BASELINE in asked.scenarios else study.inputs.catalogue[own].title
    }
    for each in asked.scenarios.values():
        if name in each.data:
            titles.setdefault(each.data[name], each.title)
    return Control("choice", name, name.replace("_", " ").capitalize(), options=tuple(titles.items()))


def _declared(study: BoundStudy, name: str) -> Iterator[float]:
    for scenario in study.inputs.study.scenarios.values():
        change = scenario.parameters.get(name)
        if change is not None:
            yield change.multiply if isinstance(change, Multiply) else float(change)


def _believed(study: BoundStudy, name: str, draws: Array) -> list[float]:
    """Where most of what was believed of a parameter lay, and most of its draws do."""
    found = [float(each) for each in np.quantile(draws, [0.025, 0.975])]
    if name in study.priors:
        found += [float(each) for each in study.priors[name].quantile([0.025, 0.975])]
    return found
