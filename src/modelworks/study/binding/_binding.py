"""Where a study's files meet the model: names, units, bounds and dates must fit, or file and line are told.

The model declares what it needs and knows no files; the files know no model. Both are brought
together here, and every mistake of the meeting is collected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Distance, Prior, Target
from modelworks.calibration.samplers import BY_CHANCE as SAMPLERS_BY_CHANCE
from modelworks.dates import Calendar
from modelworks.errors import Letter, Letters, ModelworksError, counted
from modelworks.inputs import ParameterEntry, PriorEntry, StageInputs, StudyInputs, check_files, with_model
from modelworks.model import (
    CompiledModel,
    FunctionModel,
    FunctionRuns,
    Model,
    Parameter,
    StochasticModel,
    longest_stable_step,
    settle_step,
)
from modelworks.model.solvers import BY_CHANCE, solver
from modelworks.study.binding._compared import check_distance, distance_of
from modelworks.study.binding._hub_points import check_hub
from modelworks.study.binding._model_file import AnyModel, ModelFile, load_model
from modelworks.study.binding._observations import Observations, bind_observations, check_twice, target_of, weights
from modelworks.study.binding._parameters import BoundParameters, bind_parameters
from modelworks.study.binding._questions import (
    check_figures,
    check_quantities,
    check_scenario_models,
    check_scenarios,
    grid,
)
from modelworks.study.binding._scaled import Scaled, ScaledByChance, ScaledFunction, ScaledModel
from modelworks.units import as_written

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.inputs.study_file import StudyFile

Array = NDArray[np.float64]

# The solver's error wanted in any output, as a part of the output's largest value: far below what
# any likelihood can tell, and still reached in milliseconds.
ACCURACY = 1e-5
# So many draws of the priors are looked at for the fastest rates. It takes a tenth of a second.
DRAWS_TRIED = 64
# Events per person now living add up but for the change of their number within a row; a share of events
# doubles with the rows.
UNEVEN = 0.1


@dataclass(frozen=True)
class BoundStudy:
    """A study whose files fit its model."""

    inputs: StudyInputs
    file: ModelFile
    calendar: Calendar
    data: Mapping[str, pd.DataFrame]
    parameters: BoundParameters
    observations: tuple[Observations, ...]

    @property
    def factors(self) -> Mapping[str, float]:
        """What turns each parameter's unit into the model's."""
        return self.parameters.factors

    @property
    def priors(self) -> Mapping[str, Prior]:
        """The parameters to find that are believed in one by one; see `free`."""
        return self.parameters.priors

    @property
    def fixed(self) -> Mapping[str, float]:
        return self.parameters.fixed

    @property
    def free(self) -> tuple[str, ...]:
        """Every parameter to find: those with a prior, then the members of groups."""
        return self.parameters.beliefs.free

    @property
    def name(self) -> str:
        return self.inputs.folder.name

    @property
    def model(self) -> AnyModel:
        return self.file.model

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter of the study: those to find, then those with a value."""
        return self.parameters.beliefs.names

    def entry(self, name: str) -> ParameterEntry:
        """What the files say of a parameter, or of its group."""
        return self.parameters.entries[name]

    def members(self, name: str) -> tuple[str, ...]:
        """The parameters that a name of the files stands for: itself, or the members of its group."""
        return tuple(each for each in self.names if each == name or each.startswith(f"{name}["))

    @cached_property
    def declared(self) -> Mapping[str, Parameter]:
        """The model's parameters by name; all of a large model is searched for them, which is noticed in a slider."""
        return self.model.parameters

    @cached_property
    def report_times(self) -> Array:
        """Model times of the study's reported outputs, from its start to its end."""
        time = self.inputs.study.time
        return grid(self.calendar.number(time.start), self.calendar.number(time.end), float(time.every))

    def in_words(self) -> str:
        points = sum(int(o.included.sum()) for o in self.observations)
        return (
            f"model {self.model.name}, {counted(len(self.free), 'parameter')} to find, {len(self.fixed)} fixed, "
            f"{counted(len(self.observations), 'target')} with {counted(points, 'value')}, "
            f"{counted(len(self.inputs.study.scenarios), 'scenario')}"
        )

    def summary(self) -> dict[str, Any]:
        return {
            "study": self.name,
            "model": self.model.name,
            "free_parameters": list(self.free),
            "fixed_parameters": dict(self.fixed),
            "targets": {o.entry.name: int(o.included.sum()) for o in self.observations},
            "scenarios": list(self.inputs.study.scenarios),
        }

    def belief(self, name: str) -> str:
        """What is believed of a parameter, in words; with the interval it was stated by."""
        if name in self.fixed:
            return as_written(self.fixed[name])
        if name not in self.priors:
            return next(group.in_words() for group in self.parameters.groups if name in group.members)
        words, prior = self.priors[name].in_words(), self.entry(name).prior
        stated = prior.stated if isinstance(prior, PriorEntry) else ""
        cut = " before the cut" if ", cut at" in words else ""
        return f"{words} ({stated}{cut})" if stated else words

    def support(self, name: str) -> tuple[float, float]:
        """Between which values a parameter to find lies."""
        if name in self.priors:
            return self.priors[name].support
        return next(group.support for group in self.parameters.groups if name in group.members)

    def centre(self) -> Array:
        """The middle of what is believed: each prior's median, each fixed value; in the order of `names`."""
        return np.array(list(self.parameters.centre.values()), dtype=float)

    def spread(self) -> Array:
        """What is believed, far and wide: always the same draws of the priors, shape (draw, name), as in `names`."""
        draws = self.prior_draws(np.random.default_rng(0), DRAWS_TRIED)
        return np.column_stack([draws[name] for name in self.names]) if self.names else np.zeros((1, 0))

    def prior_draws(self, key: np.random.Generator, number: int) -> dict[str, Array]:
        """Independent draws of what is believed, each parameter's as an array (draw,); the fixed ones repeated."""
        beliefs = self.parameters.beliefs
        return dict(zip(beliefs.names, beliefs.everything(beliefs.sample(key, number)[0]).T, strict=True))

    @property
    def by_chance(self) -> bool:
        """Whether the study's model runs by chance."""
        if isinstance(self.model, FunctionModel):
            return self.model.is_random
        return self.inputs.study.time.solver in BY_CHANCE

    def simulator(self, times: Array, data: Mapping[str, pd.DataFrame] | None = None) -> Scaled:
        """The model for some output times, as the study's solver runs it."""
        model, seed = self.model if data is None else self._built(data), self.inputs.study.calibration.seed
        if isinstance(model, FunctionModel):
            return ScaledFunction(FunctionRuns(model, times), self.names, self.factors, seed)
        if self.by_chance:
            time = self.inputs.study.time
            compiled = StochasticModel(model, times, method=time.solver, calendar=self.calendar, step=time.step)
            return ScaledByChance(compiled, self.names, self.factors, seed)
        return self.compiled(times) if data is None else self._settled(self._compile(model, times))

    def compiled(self, times: Array) -> ScaledModel:
        """The model for some output times, where it is declared and does not run by chance."""
        return self._settled(self._compiled.at(times))

    def _built(self, data: Mapping[str, pd.DataFrame]) -> AnyModel:
        """The model of other data."""
        return load_model(self.file.path, data, self.shown_model, self.inputs.repository.root).model

    def _settled(self, compiled: CompiledModel) -> ScaledModel:
        """A compiled model with its step settled at the centre of the priors and stable all over them."""
        scaled = ScaledModel(compiled, self.names, self.factors)
        spread = np.array([scaled.given(row) for row in self.spread()])
        stable = longest_stable_step(compiled, spread)
        scaled.accuracy = settle_step(compiled, scaled.given(self.centre()), ACCURACY, at_most=stable)
        return scaled

    @cached_property
    def _compiled(self) -> CompiledModel:
        assert isinstance(self.model, Model)
        return self._compile(self.model, self.report_times)

    def _compile(self, model: Model, times: Array) -> CompiledModel:
        time = self.inputs.study.time
        return CompiledModel(model, times, calendar=self.calendar, solver=time.solver, step=time.step)

    @property
    def shown_model(self) -> str:
        return str(self.inputs.study.model)

    def calibration_times(self) -> Array:
        """Where the model is looked at while it is calibrated: the ends of every observation."""
        ends = [time for o in self.observations for time in (*o.starts, *o.ends)]
        return np.unique(np.concatenate([[self.calendar.number(self.inputs.study.time.start)], ends]))

    def targets(self, compiled: Scaled, *, every: bool = False) -> list[Target]:
        """The observations as the calibration takes them; with `every`, also those it may not see."""
        chosen = [(each, np.ones_like(each.included) if every else each.included) for each in self.observations]
        return [target_of(each, compiled.times, points) for each, points in chosen if points.any()]

    def distance(self) -> Distance | None:
        """How far simulated data lie from those seen, where the study declares it."""
        return distance_of(self.inputs, self.file, self.observations)

    def check_sums(self, model: Scaled) -> None:
        """What a target counts over a period is the same however that time is cut; T206 where it is not.

        A share of events, say, is summed over as many rows as other targets happen to cut the period into. Steps that
        are part of the model can not be cut.
        """
        if not isinstance(model, ScaledModel) or model.compiled.method.order is None:
            return
        times = model.times
        finer = model.compiled.at(np.sort(np.concatenate([times, (times[1:] + times[:-1]) / 2])))
        finer.with_step(model.compiled.step)
        values = model.given(self.centre())
        letters = Letters()
        for each in self.observations:
            if (each.starts == each.ends).all():
                continue
            columns, every = [model.outputs.index(name) for name in each.columns], np.ones_like(each.included)
            found, cut = (
                (weights(each, compiled.times, every) * compiled.run(values)[:, columns].T).sum(axis=1)
                for compiled in (model.compiled, finer)
            )
            if (np.abs(cut - found) > UNEVEN * np.abs(found).max()).any():
                letters.add(
                    "T206",
                    f"the target `{each.entry.name}` counts `{each.entry.output}` over a {each.entry.covers}, but its "
                    "sum is another when the same time is cut into more rows: it does not add up over time",
                    hint="divide by people, not by events; or take the events themselves as the output, and a count "
                    "of them as the target",
                    file=each.entry.file,
                    line=each.entry.line,
                )
        letters.raise_if_any()


def bind(folder: Path) -> BoundStudy:
    """Read a study and fit it to its model; a `ModelworksError` with every mistake otherwise."""
    return bind_read(*check_files(folder))


def bind_read(read: StageInputs | None, found: Sequence[Letter]) -> BoundStudy:
    """`bind` for inputs that `check_files` gave, with the mistakes that it found in them."""
    letters = Letters(list(found))
    if read is None:
        raise ModelworksError(found)
    inputs = with_model(read)
    try:
        data = _tables(inputs)
    except ModelworksError as error:
        # They leave no model to hold the other files against; who read the files told of them, and where.
        raise ModelworksError(found or error.letters) from error
    try:
        root = inputs.repository.root
        file = load_model(root / inputs.study.model, data, inputs.study.model, root)
    except ModelworksError as error:
        # What is wrong with the name of the model, and not in its file, stands in the study.
        place = inputs.study.place("model")
        new = (letter for letter in error.letters if letter not in letters.collected)
        letters.extend(letter if letter.file else letter.at(*place) for letter in new)
        raise ModelworksError(letters) from error
    calendar = _calendar(inputs, file.model, letters)
    _check_solver(inputs, file.model, letters)
    parameters = bind_parameters(inputs, file.model, letters)
    observations = bind_observations(inputs, file.model, calendar, letters)
    check_twice(observations, letters)
    check_distance(inputs, file, observations, letters)
    check_scenarios(inputs, file.model, parameters, letters)
    check_quantities(inputs, file.model, calendar, letters)
    check_figures(inputs, file.model, calendar, letters)
    check_hub(inputs, observations, bool(parameters.priors or parameters.groups), calendar, letters)
    if not letters:
        # Each is a model to build, which waits until the study's own is sound.
        check_scenario_models(inputs, file, data, calendar, letters)
    if letters:
        raise ModelworksError(dict.fromkeys(letters))
    return BoundStudy(inputs, file, calendar, data, parameters, tuple(observations))


def _tables(inputs: StudyInputs) -> dict[str, pd.DataFrame]:
    known = {name: dataset for name, dataset in inputs.study.data.items() if dataset in inputs.catalogue}
    return {name: inputs.catalogue[dataset].table() for name, dataset in known.items()}


def _calendar(inputs: StudyInputs, model: AnyModel, letters: Letters) -> Calendar:
    time = inputs.study.time
    if time.unit != model.time:
        file, line = inputs.study.place("time")
        letters.add(
            "Y201",
            f"the study counts time in {time.unit}, but the model `{model.name}` in {model.time}",
            hint=f"write `unit: {model.time}` under `time:`",
            file=file,
            line=line,
        )
    return Calendar(model.time, time.start)


def _check_solver(inputs: StudyInputs, model: AnyModel, letters: Letters) -> None:
    """The solver exists, has a step where one is part of the model, and the gradient that the sampler needs."""
    study = inputs.study
    if isinstance(model, FunctionModel):
        _check_function(study, model, letters)
        return
    asked, sampler = study.time, study.calibration.sampler
    refused = []
    if asked.solver in BY_CHANCE:
        if sampler not in ("auto", *SAMPLERS_BY_CHANCE):
            hint = "write `sampler: auto`, or leave the solver out for what happens on average"
            refused.append(("calibration.sampler", f"runs by chance, but {sampler} needs a likelihood", hint))
        if asked.step is not None and not asked.step > 0:
            refused.append(("time.step", f"is given a step of {asked.step:g}", "give a number above zero"))
        _tell_of_solver(study, refused, letters)
        return
    try:
        method = solver(asked.solver, asked.step)
    except ModelworksError as error:
        letters.extend(letter.at(*study.place("time.solver")) for letter in error.letters)
        return
    if asked.step is not None and method.order is not None:
        why, hint = "finds its own step, but one is named", "leave it out; a step belongs to `solver: euler` alone"
        refused.append(("time.step", why, hint))
    if sampler == "nuts" and not method.has_gradient:
        why, hint = "knows no gradient, but NUTS needs it", "write `sampler: auto`, or leave the solver out"
        refused.append(("calibration.sampler", why, hint))
    if sampler == "pmmh":
        why, hint = "does not run by chance, but particle MCMC is for models that do", "write `solver: chain_binomial`"
        refused.append(("calibration.sampler", why, hint))
    _tell_of_solver(study, refused, letters)


def _check_function(study: StudyFile, model: FunctionModel, letters: Letters) -> None:
    """A function takes no solver of ours, and only a sampler that asks nothing but runs of it."""
    for name in ("time.solver", "time.step"):
        if name in study.places:
            file, line = study.places[name]
            what = f"the study has `{name.partition('.')[2]}`, but `{model.name}` is a function, which needs none"
            letters.add("Y209", what, hint="leave it out; the step is said in the model's file", file=file, line=line)
    sampler, fits = study.calibration.sampler, ("abc", "sbi") if model.is_random else ("demcz", "laplace_is", "smc")
    also = () if model.is_random else ("abc", "sbi")
    if sampler not in ("auto", *fits, *also):
        file, line = study.place("calibration.sampler")
        why = "runs by chance and as a whole" if model.is_random else "knows no gradient and does not run by chance"
        what = f"`{model.name}` is a function that {why}, which {sampler} can not use"
        hint = f"write `sampler: auto`, or one of {', '.join(fits)}"
        letters.add("Y209", what, hint=hint, file=file, line=line)


def _tell_of_solver(study: StudyFile, refused: Sequence[tuple[str, str, str]], letters: Letters) -> None:
    """A letter for each field of the study that asks its solver for what it has not: which, why, and a hint."""
    for name, why, hint in refused:
        file, line = study.place(name)
        letters.add("Y209", f"the solver `{study.time.solver}` {why}", hint=hint, file=file, line=line)
