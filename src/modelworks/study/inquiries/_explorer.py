"""What would be if: a run's own draws through its own model, with what its scenarios change moved by hand.

The model is built from the files that the run keeps, never from what the working folder has become. Draws are common
to all answers, so a difference from the baseline is due to what was moved alone.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError, counted, fail, near
from modelworks.inputs import Scenario
from modelworks.model import CompiledModel, KnownRuns, settle_step
from modelworks.runs import Run
from modelworks.study.binding._binding import ACCURACY, BoundStudy, bind
from modelworks.study.binding._questions import adds_up, projection_times, row_times
from modelworks.study.binding._scaled import Scaled, ScaledModel, gathered
from modelworks.study.inquiries._controls import Control, Moved, as_scenario, controls_of, moved_by
from modelworks.study.pages._pages import shown_units
from modelworks.study.projection._projection import LEVELS, moments, thinned, thinned_draws
from modelworks.study.projection._scenario_runs import all_prepared, baseline_name, changed_draws, other_data

Array = NDArray[np.float64]

# So many draws are run while a slider is moved; all that the projection took when it rests.
QUICK_DRAWS = 200
# Explorers that a process keeps, and the bytes of what they hold; what was not asked for longest goes first.
MOST_KEPT = 6
MOST_BYTES = 512 * 2**20
# Models for other data, of which each took seconds to build.
MOST_MODELS = 6
# By so much of an output's largest value the run's own numbers may differ from ours before that is said.
UNLIKE = 1e-6


@dataclass(frozen=True)
class Ribbon:
    """An output's quantiles over draws at each time: `baseline`, `explored`, and their difference, draw by draw.

    Each is (level, time) with the levels 2.5%, 25%, 50%, 75%, 97.5%, in `unit`. `highest` are the same of the largest
    value of each draw, (level,), and `totals` of its sum over all times, in `total_unit`, where it is a number of
    events: by `baseline`, `explored` and `difference`.
    """

    output: str
    unit: str
    total_unit: str
    times: NDArray[np.datetime64]
    baseline: Array
    explored: Array
    difference: Array
    highest: Mapping[str, Array]
    totals: Mapping[str, Array] | None


@dataclass(frozen=True)
class Explored:
    """An answer: what was moved, the ribbons of the outputs asked for, from how many of the run's draws, how long."""

    moved: Moved
    ribbons: tuple[Ribbon, ...]
    draws: int
    of_draws: int
    seconds: float

    @property
    def thinning(self) -> str:
        """Which of the draws these are, in words."""
        if self.draws == self.of_draws:
            return f"all {self.draws} draws of the projection"
        return f"{self.draws} of the projection's {self.of_draws} draws, evenly spaced"


@dataclass(frozen=True)
class _Ready:
    """A model, and its runs of the draws as they are, in the midst of which others can begin."""

    model: Scaled
    known: KnownRuns | None

    @property
    def nbytes(self) -> int:
        return 0 if self.known is None else self.known.nbytes


@dataclass(frozen=True)
class Explorable:
    """What a page of an explorer is made of: what one can move and look at, and from how many draws.

    `scenarios` are the declared ones, each with its title and where the controls stand in it; `unlike` says where the
    numbers of the run are not what comes out now.
    """

    outputs: tuple[str, ...]
    controls: tuple[Control, ...]
    scenarios: tuple[tuple[str, Moved], ...]
    of_draws: int
    unlike: str


class Explorer:
    """A finished run that answers what if; it may be used by several threads at once.

    Raises
    ------
    ModelworksError
        Y551 where a run has no model, no draws or no scenarios; Y553 where it is not as it was published, or its
        study can not be read from what it holds.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        folder = Path(tempfile.mkdtemp(prefix="modelworks-explores-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.study = _study_of(run, folder / "repository")
        asked = self.study.inputs.study
        self._times = projection_times(self.study.inputs, self.study.calendar)
        posterior = Posterior.read(run.path / "calibrate" / "posterior.nc")
        self._draws = thinned_draws(self.study, posterior, asked.projection.draws)
        self.of_draws = len(next(iter(self._draws.values())))
        self.controls: tuple[Control, ...] = controls_of(self.study, self._draws)
        names = tuple(asked.scenarios)
        prepared = all_prepared(self.study, names, self._times, self._draws)
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[tuple[str, str], ...], _Ready] = OrderedDict()
        for name in names:
            if _key(asked.scenarios[name]) not in self._models:
                self._models[_key(asked.scenarios[name])] = self._ready(self._shown(prepared[name][0]))
        ready = self._model(None)
        self.columns = ready.model.compiled.columns
        self._baseline = self._run(ready, asked.scenarios[baseline_name(self.study)], np.arange(self.of_draws))
        self.unlike = self._unlike()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what can be shown."""
        return tuple(column.name for column in self.columns)

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        tables = sum(int(table.memory_usage(deep=True).sum()) for table in self.study.data.values())
        known = sum(each.nbytes for each in list(self._models.values()))
        return self._baseline.nbytes + sum(each.nbytes for each in self._draws.values()) + known + tables + 16 * 2**20

    @property
    def scenarios(self) -> dict[str, dict[str, float | str]]:
        """Where the controls stand in each declared scenario."""
        return {name: moved_by(each) for name, each in self.study.inputs.study.scenarios.items()}

    @property
    def about(self) -> Explorable:
        """What may be known of it elsewhere."""
        declared = self.study.inputs.study.scenarios
        titled = tuple((declared[name].title, moved) for name, moved in self.scenarios.items())
        return Explorable(self.outputs, self.controls, titled, self.of_draws, self.unlike)

    def answer(self, moved: Moved, outputs: Sequence[str], *, all_draws: bool = False) -> Explored:
        """The outputs asked for with some controls moved, from 200 draws, or from all of the projection's.

        Raises
        ------
        ModelworksError
            Y552 for an output that there is not, Y202 where a parameter would leave its limits in some draws, and what
            a run of the model raises.
        """
        began = time.perf_counter()
        for name in outputs:
            if name not in self.outputs:
                fail("Y552", f"the run shows no output `{name}`", hint=near(name, self.outputs))
        # By chance the dice of a draw follow from its place among all.
        whole = all_draws or not isinstance(self._model(None).model, ScaledModel)
        chosen = np.arange(self.of_draws) if whole else thinned(self.of_draws, QUICK_DRAWS)
        baseline = self._baseline[chosen]
        scenario = self.scenario(moved)
        explored = baseline
        if moved:
            explored = self._run(self._model(scenario), scenario, chosen, settled=self._is_settled(moved))
        ribbons = tuple(self._ribbon(self.outputs.index(name), baseline, explored) for name in outputs)
        return Explored(moved, ribbons, len(chosen), self.of_draws, time.perf_counter() - began)

    def scenario(self, moved: Moved) -> Scenario:
        """What was moved as a scenario of the study."""
        return as_scenario(self.study, self.controls, moved)

    # -- running ---------------------------------------------------------------------------------------

    def _run(
        self, ready: _Ready, scenario: Scenario | None, chosen: NDArray[np.intp], *, settled: bool = True
    ) -> Array:
        """Outputs (draw, time, column) of some draws in a scenario."""
        rows, model = self._rows(ready.model, scenario, chosen), ready.model
        if not settled and isinstance(model, ScaledModel):
            model = self._settled(model, rows[len(rows) // 2])
        if ready.known is None or model is not ready.model:
            return gathered(model.blocks(rows, cores=None), len(rows))
        return ready.known.run(rows, chosen)

    def _rows(self, model: Scaled, scenario: Scenario | None, chosen: NDArray[np.intp]) -> Array:
        """Values (draw, parameter) of some draws in a scenario, in the model's order and units."""
        draws = {name: values[chosen] for name, values in self._draws.items()}
        changed = changed_draws(self.study, scenario, draws)
        return model.given(np.column_stack([changed[name] for name in model.parameters]))

    def _ready(self, model: Scaled) -> _Ready:
        """A model with its runs of the draws as they are, for the sliders to begin in the midst of these."""
        if not isinstance(model, ScaledModel):
            return _Ready(model, None)
        moved = [m for each in self.controls if each.kind != "choice" for m in self.study.members(each.about)]
        return _Ready(model, KnownRuns(model.compiled, self._rows(model, None, np.arange(self.of_draws)), moved))

    def _is_settled(self, moved: Moved) -> bool:
        """Whether all that was moved lies between values for which the solver's step was settled."""
        for control in (each for each in self.controls if each.kind != "choice" and each.name in moved):
            known = [float(each[control.name]) for each in self.scenarios.values() if control.name in each]
            if control.baseline is not None:
                known.append(control.baseline)
            else:
                known += [float(each) for m in self.study.members(control.about) for each in self._draws[m]]
            if not min(known) <= float(moved[control.name]) <= max(known):
                return False
        return True

    def _settled(self, model: ScaledModel, row: Array) -> ScaledModel:
        """The model with a step that is short enough far from where it was settled, too."""
        copy = model.compiled.at(model.compiled.times).with_step(model.compiled.step, model.compiled.tolerance)
        settle_step(copy, row, ACCURACY, at_most=model.compiled.step)
        if copy.step >= model.compiled.step and copy.tolerance >= model.compiled.tolerance:
            return model
        return ScaledModel(copy, model.parameters, self.study.factors)

    def _model(self, scenario: Scenario | None) -> _Ready:
        """The model for a scenario's data, built where it was not before."""
        key = _key(scenario)
        with self._lock:
            if key not in self._models:
                own = self._models[()].model
                made = self._shown(self.study.simulator(self._times, other_data(self.study, scenario)))
                if isinstance(made, ScaledModel) and isinstance(own, ScaledModel):
                    # With one step for all, what two scenarios differ by is none of the solver's error.
                    made.compiled.with_step(own.compiled.step, own.compiled.tolerance)
                self._models[key] = self._ready(made)
                if len(self._models) > MOST_MODELS:
                    del self._models[next(each for each in self._models if each)]
            return self._models[key]

    def _shown(self, model: Scaled) -> Scaled:
        """The model with nothing but the outputs that the study draws: what is not shown is not computed."""
        shown = self.study.inputs.study.figures
        if not isinstance(model, ScaledModel) or not shown:
            return model
        whole = model.compiled
        names = list(dict.fromkeys(name.partition("[")[0] for name in shown))
        made = CompiledModel(
            whole.model.reporting(*names),
            whole.times,
            calendar=whole.calendar,
            solver=whole.method.name,
            step=whole.step if whole.method.order is None else None,
        )
        made.with_step(whole.step, whole.tolerance)
        return ScaledModel(made, model.parameters, self.study.factors)

    # -- telling ---------------------------------------------------------------------------------------

    def _ribbon(self, column: int, baseline: Array, explored: Array) -> Ribbon:
        about = self.columns[column]
        first = 1 if about.counts_events else 0
        before, after = (values[:, first:, column] for values in (baseline, explored))
        rows = row_times(self._times, counts_events=about.counts_events)[first:]
        return Ribbon(
            about.name,
            shown_units(self.study)[about.output],
            self.study.model.series[about.output].unit,
            moments(self.study, rows),
            quantiles(before),
            quantiles(after),
            quantiles(after - before),
            _held_together(before.max(1), after.max(1)),
            _held_together(before.sum(1), after.sum(1)) if adds_up(self.study.model, about) else None,
        )

    def _unlike(self) -> str:
        """Where the numbers of the run are not what comes out now, in a sentence; empty where they are."""
        import pandas as pd

        path = self.run.file("project/outputs.parquet")
        if path is None:
            return ""
        table = pd.read_parquet(path)
        recorded = table[table["scenario"] == baseline_name(self.study)]
        worst = 0.0
        for k, about in enumerate(self.columns):
            then = recorded[recorded["output"] == about.name]["q50"].to_numpy()
            now = np.median(self._baseline[:, 1 if about.counts_events else 0 :, k], axis=0)
            if then.shape == now.shape:
                worst = max(worst, float(np.max(np.abs(now - then)) / max(np.max(np.abs(then)), 1e-300)))
        if worst <= UNLIKE:
            return ""
        return f"This modelworks gives numbers that differ from those of the run by up to {worst:.1g} of their size."


def quantiles(values: Array) -> Array:
    """The levels of a ribbon over draws (draw, …)."""
    return np.quantile(values, list(LEVELS.values()), axis=0)


def _held_together(before: Array, after: Array) -> dict[str, Array]:
    """The levels (level,) of a number of each draw (draw,) as it was, as it came out, and of its change by draw."""
    said = {"baseline": before, "explored": after, "difference": after - before}
    return {name: quantiles(values) for name, values in said.items()}


# -- one for each run ----------------------------------------------------------------------------------

_KEPT: OrderedDict[str, Explorer] = OrderedDict()
_LOCK = threading.Lock()


def explorer_of(run: Run) -> Explorer:
    """The explorer of a run, kept by the process for whoever asks next, within bounds of memory."""
    name = str(run.path)
    with _LOCK:
        if name in _KEPT:
            _KEPT.move_to_end(name)
            return _KEPT[name]
    # Without the lock, for it takes seconds: of two who ask at once both build it, and one is kept.
    made = Explorer(run)
    with _LOCK:
        _KEPT[name] = made
        while len(_KEPT) > 1 and (len(_KEPT) > MOST_KEPT or sum(each.nbytes for each in _KEPT.values()) > MOST_BYTES):
            _KEPT.popitem(last=False)
    return made


def _key(scenario: Scenario | None) -> tuple[tuple[str, str], ...]:
    return () if scenario is None else tuple(sorted(scenario.data.items()))


def _study_of(run: Run, root: Path) -> BoundStudy:
    """The study as it was, from the files that the run keeps."""
    if run.file("calibrate/posterior.nc") is None or run.file("project/outputs.parquet") is None:
        fail(
            "Y551",
            f"the run {run.id} has no draws that were carried into scenarios",
            hint="run the study to its report: modelworks run",
        )
    changed = run.verify()
    if changed:
        fail(
            "Y553",
            f"the run {run.id} is not as it was published ({counted(len(changed), 'file')})",
            hint="copy it again from where it was published",
        )
    shutil.copytree(run.path / "inputs", root, copy_function=shutil.copyfile)
    (root / "modelworks.toml").write_text('title = "explored"\n', encoding="utf-8")
    name = str(run.record.get("study") or run.study)
    folder = next((each.parent for each in sorted(root.rglob("study.yaml")) if each.parent.name == name), None)
    if folder is None:
        fail("Y553", f"the run {run.id} does not hold its study", hint="it is of a version that kept no inputs")
    try:
        return bind(folder)
    except ModelworksError as error:
        told = [*error.letters[:1]]
        fail("Y553", f"the study of the run {run.id} can not be read from what it holds: {told[0].message}")
