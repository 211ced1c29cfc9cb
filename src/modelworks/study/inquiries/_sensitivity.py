"""What a study's named number depends on: which of what is not known moves it, and by how much."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Posterior, latin_hypercube, partial_rank_correlations, sobol_indices, sobol_rows
from modelworks.errors import counted, fail, near
from modelworks.runs import Progress
from modelworks.study import stages
from modelworks.study._line import run_study
from modelworks.study._record import input_files
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.binding._questions import quantity_unit
from modelworks.study.jobs._elsewhere import machines_of
from modelworks.study.projection._projection import thinned_draws
from modelworks.study.projection._quantities import needed_scenarios, said, values_of

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.inputs import Quantity
    from modelworks.plots import Figure

Array = NDArray[np.float64]
Method = Literal["tornado", "prcc", "sobol"]

METHODS = ("tornado", "prcc", "sobol")
# Runs of a rank correlation, and of each of the designs that Sobol's indices are taken from (a power of two).
RUNS = {"prcc": 500, "sobol": 512}
# The ends of what is believed of a parameter, one at a time.
ENDS = (0.025, 0.5, 0.975)
# Quantiles of what has no closed form are those of so many draws.
DRAWS = 4000
# Which branch of the study's seed the rows come from.
SENSITIVITY = 11
# So many runs say how long all will take.
TRIED = 16


@dataclass(frozen=True)
class Sensitivity:
    """A table with one row a parameter, the strongest first; `runs` of the model in `seconds`.

    Columns of a tornado: parameter, low, high (its 95% ends), at_low, at_high (the quantity there); of rank
    correlations: parameter, value, low, high; of Sobol's indices: also total, total_low, total_high.
    """

    study: BoundStudy
    quantity: Quantity
    unit: str
    method: Method
    over: str
    table: pd.DataFrame
    middle: float
    runs: int
    seconds: float

    def figure(self) -> Figure:
        from modelworks import plots

        time = self.study.inputs.study.time
        # Along the axis a day is a time of the model.
        of_day = f"days since {time.start}" if time.unit == "days" else "year"
        unit = of_day if self.unit == "date" else self.unit or "number"
        return plots.figure("sensitivity")(self.table, self.middle, title=f"{self.quantity.title} ({unit})")

    def words(self, value: float) -> str:
        """A value of the quantity as it is written in tables."""
        return said(self.study, self.quantity, value)


def sensitivity(
    folder: Path,
    quantity: str | None = None,
    *,
    method: Method = "tornado",
    over: Literal["prior", "posterior"] = "prior",
    runs: int | None = None,
    cores: int | None = None,
    quiet: bool = False,
) -> Sensitivity:
    """How a named number of a study changes with each parameter, over what is believed of it.

    Each parameter is varied by itself, over its prior or over its part of the posterior; that some of them go
    together there is left aside.

    Raises
    ------
    ModelworksError
        Y511: no such quantity; Y512: nothing is uncertain; C711: a number that does not vary; J170, J171 and J172
        where the machines that `dask` in the settings names can not be used.
    """
    study = bind(folder)
    asked = _asked(study, quantity)
    machines = machines_of(study, input_files(study)) if asked.output is not None else None
    varied = [name for name in study.free if name in study.model.parameters or name == asked.parameter]
    if not varied:
        fail("Y512", f"no parameter of the study `{study.name}` that its model uses has a prior", hint="give one")
    progress = Progress(quiet=quiet)
    draws = _draws(study, over, cores, quiet)
    rows = _rows(study, method, len(varied), runs)
    values = {name: np.full(len(rows), np.median(draws[name])) for name in study.names}
    for k, name in enumerate(varied):
        values[name] = _quantile(study, name, rows[:, k], draws[name], over)
    _estimate(study, asked, values, cores, progress, is_timed=machines is None)
    began = time.perf_counter()
    progress.start(method, total=len(rows) * _scenarios(study, asked))
    found = values_of(study, asked, values, cores, progress, machines)
    progress.finish()
    if machines is not None:
        machines.forget()
    told = _table(method, varied, values, found, np.column_stack([values[name] for name in varied]), study)
    return Sensitivity(
        study, asked, quantity_unit(asked, study.inputs, study.model)[1], method, over,
        told, float(found[0]) if method == "tornado" else float(np.median(found)),
        len(rows) * _scenarios(study, asked), time.perf_counter() - began,
    )  # fmt: skip


def _asked(study: BoundStudy, name: str | None) -> Quantity:
    known = study.inputs.study.quantities
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        what = f"the study `{study.name}` has {counted(len(known), 'quantity', 'quantities')}, and none was named"
        fail("Y511", what, hint=f"--quantity with one of {', '.join(known)}" if known else "write `quantities:`")
    if name not in known:
        fail("Y511", f"the study `{study.name}` has no quantity `{name}`", hint=near(name, known))
    return known[name]


def _scenarios(study: BoundStudy, asked: Quantity) -> int:
    return 0 if asked.output is None else len(needed_scenarios(study, asked))


def _draws(study: BoundStudy, over: str, cores: int | None, quiet: bool) -> dict[str, Array]:
    """Draws of every parameter, of what was believed before the data or after."""
    if over == "prior":
        return study.prior_draws(_key(study), DRAWS)
    result = run_study(study.inputs.folder, until=stages.CALIBRATE, cores=cores, quiet=quiet)
    file = None if result.run is None else result.run.file("calibrate/posterior.nc")
    if file is None:
        raise RuntimeError("a calibration was finished but its posterior is not there")
    return thinned_draws(study, Posterior.read(file), DRAWS)


def _key(study: BoundStudy) -> np.random.Generator:
    return np.random.default_rng([study.inputs.study.calibration.seed, SENSITIVITY])


def _rows(study: BoundStudy, method: Method, parameters: int, runs: int | None) -> Array:
    """Where in the unit cube (run, parameter) the model is run."""
    if method == "prcc":
        return latin_hypercube(parameters, runs or RUNS[method], _key(study))
    if method == "sobol":
        return sobol_rows(parameters, 1 << int(np.ceil(np.log2(runs or RUNS[method]))), _key(study))
    rows = np.full((2 * parameters + 1, parameters), ENDS[1])
    for k in range(parameters):
        rows[2 * k + 1, k], rows[2 * k + 2, k] = ENDS[0], ENDS[2]
    return rows


def _quantile(study: BoundStudy, name: str, at: Array, draws: Array, over: str) -> Array:
    """A parameter's values at these probabilities."""
    if over == "prior" and name in study.priors:
        return np.asarray(study.priors[name].quantile(at), dtype=float)
    return np.quantile(draws, at)


def _estimate(
    study: BoundStudy,
    asked: Quantity,
    values: Mapping[str, Array],
    cores: int | None,
    progress: Progress,
    *,
    is_timed: bool,
) -> None:
    """Says how many runs there will be, and about how long they take; a few of them tell.

    Not where machines are there to be given them: these time the runs themselves.
    """
    number = len(next(iter(values.values())))
    if asked.output is None or number <= TRIED or not is_timed:
        progress.say(f"{number * _scenarios(study, asked)} runs of the model")
        return
    some = {name: each[:TRIED] for name, each in values.items()}
    spent = []
    # The first time the model is compiled; the second time is what each run takes.
    for _ in range(2):
        began = time.perf_counter()
        values_of(study, asked, some, cores, Progress(quiet=True))
        spent.append(time.perf_counter() - began)
    seconds = spent[1] * number / TRIED
    progress.say(f"{number * _scenarios(study, asked):,} runs of the model, at most about {seconds:.0f} s")


def _table(
    method: Method,
    varied: list[str],
    values: Mapping[str, Array],
    found: Array,
    rows: Array,
    study: BoundStudy,
) -> pd.DataFrame:
    import pandas as pd

    if method == "prcc":
        of = partial_rank_correlations(rows, found)
        table = pd.DataFrame({"parameter": varied, "value": of.value, "low": of.low, "high": of.high})
        strength = np.abs(of.value)
    elif method == "sobol":
        alone, total = sobol_indices(found, len(varied), _key(study))
        table = pd.DataFrame(
            {
                "parameter": varied, "value": alone.value, "low": alone.low, "high": alone.high,
                "total": total.value, "total_low": total.low, "total_high": total.high,
            }
        )  # fmt: skip
        strength = total.value
    else:
        low, high = (np.array([values[n][2 * k + end] for k, n in enumerate(varied)]) for end in (1, 2))
        ends = {"at_low": found[1::2], "at_high": found[2::2]}
        table = pd.DataFrame({"parameter": varied, "low": low, "high": high, **ends})
        strength = np.abs(ends["at_high"] - ends["at_low"])
    return table.iloc[np.argsort(-strength, kind="stable")].reset_index(drop=True)
