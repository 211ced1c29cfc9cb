"""Can this study's calibration find what is there? Simulation-based calibration (Talts et al. 2018, arXiv:1804.06788).

Parameters are drawn from the priors and data from the study's own observation model at its targets' times; each such
study is calibrated as the real one is, and the truth ranked among the draws. Where all is right, ranks are even.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import LogDensity, Target, Uniformity, calibrate, predictions, uniformity
from modelworks.errors import ModelworksError, counted, fail
from modelworks.runs import Progress
from modelworks.study import stages
from modelworks.study._record import input_files
from modelworks.study._stale import fingerprints
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.jobs._elsewhere import machines_of
from modelworks.study.projection._projection import log_density

if TYPE_CHECKING:
    from modelworks.plots import Figure

Array = NDArray[np.float64]

# The truth is ranked among so many draws, far enough apart to be nearly independent.
RANKED = 99
# Which branch of the study's seed the simulated studies come from, and their test.
SIMULATED, TESTED = 12, 13
# So many draws of the priors may fail to run before one that does.
TRIES = 200
# Less likely than this, over all parameters, and the calibration is not believed; less than LOOK, it is doubted.
STOP, LOOK = 0.01, 0.05
# Ranks that lie on one side, or in the middle, by so much are said to do so.
ASKEW = 0.05


@dataclass(frozen=True)
class SimulatedCalibration:
    """What came of it: `ranks` (study,) of each parameter's truth among `RANKED` draws, and the test of each."""

    study: str
    ranks: Mapping[str, NDArray[np.int_]]
    tests: Mapping[str, Uniformity]
    failed: int

    @property
    def number(self) -> int:
        return len(next(iter(self.ranks.values())))

    @property
    def verdict(self) -> Literal["fine", "look", "stop"]:
        least = min(each.p_value for each in self.tests.values()) * len(self.tests)
        return "stop" if least < STOP else "look" if least < LOOK or self.failed else "fine"

    def sentences(self) -> list[str]:
        """What it means, in words."""
        limit = LOOK / len(self.tests)
        uneven = [name for name, test in self.tests.items() if test.p_value < limit]
        studies = counted(self.number, "simulated study", "simulated studies")
        said = [f"The truth ranks {'un' if uneven else ''}evenly among the draws of {studies}."]
        said += [f"`{name}`: {_shape(self.ranks[name])} (p = {self.tests[name].p_value:.2g})." for name in uneven]
        if self.failed:
            said.append(f"{counted(self.failed, 'calibration')} did not come to an end.")
        return said

    def figure(self) -> Figure:
        from modelworks import plots

        return plots.figure("calibration_ranks")(self.tests)


def _shape(ranks: NDArray[np.int_]) -> str:
    """How ranks are uneven, in words."""
    at = (ranks + 0.5) / (RANKED + 1)
    if abs(at.mean() - 0.5) > ASKEW:
        return "the draws are too low" if at.mean() > 0.5 else "the draws are too high"
    # Even ranks have a variance of a twelfth.
    return "the draws are too narrow" if at.var() > 1 / 12 else "the draws are too wide"


def sbc(folder: Path, number: int = 50, *, cores: int | None = None, quiet: bool = False) -> SimulatedCalibration:
    """Calibrate so many simulated studies; those that are done already are kept, and more may be asked for later.

    Raises
    ------
    ModelworksError
        Y531: targets or priors from which no data can be simulated; J170, J171 and J172 where the machines that `dask`
        in the settings names can not be used.
    """
    study = bind(folder)
    progress = Progress(quiet=quiet)
    simulator = study.simulator(study.calibration_times())
    density = log_density(study, simulator)
    _check(study, density)
    kept = study.inputs.repository.kept / "sbc" / fingerprints(study)[stages.CALIBRATE]
    kept.mkdir(parents=True, exist_ok=True)
    todo = [k for k in range(number) if not (kept / f"{k}.json").is_file()]
    progress.say(f"{counted(len(todo), 'calibration')} to do, {number - len(todo)} done before")
    began = time.perf_counter()
    for done, (k, found) in enumerate(_each(study, density, todo, cores)):
        if done == 0:
            spent = time.perf_counter() - began
            progress.say(f"{spent:.1f} s for the first; at most {spent * (len(todo) - 1):.0f} s for the others")
        _write(kept / f"{k}.json", found)
    results = [json.loads((kept / f"{k}.json").read_text(encoding="utf-8")) for k in range(number)]
    good = [each for each in results if each is not None]
    if not good:
        fail("Y531", f"none of {number} simulated calibrations came to an end", hint="modelworks calibrate says why")
    ranks = {name: np.array([each[name] for each in good]) for name in study.free}
    key = np.random.default_rng([study.inputs.study.calibration.seed, TESTED])
    tests = {name: uniformity(each, RANKED, key) for name, each in ranks.items()}
    return SimulatedCalibration(study.name, ranks, tests, len(results) - len(good))


def _each(
    study: BoundStudy, density: LogDensity, todo: Sequence[int], cores: int | None
) -> Iterator[tuple[int, dict[str, int] | None]]:
    """The ranks of each simulated study, as they come: from here, or from the machines that the settings name."""
    machines = machines_of(study, input_files(study)) if todo else None
    if machines is not None:
        yield from machines.each(ranks_of, {k: (k,) for k in todo})
        return
    for k in todo:
        yield k, _ranks(study, density, k, cores)


def ranks_of(folder: str, k: int) -> dict[str, int] | None:
    """The ranks of the truth in the k-th simulated study of a folder; for machines that are given no more than that."""
    study, density = _bound(folder)
    return _ranks(study, density, k, 1)


@functools.lru_cache(maxsize=2)
def _bound(folder: str) -> tuple[BoundStudy, LogDensity]:
    study = bind(Path(folder))
    return study, log_density(study, study.simulator(study.calibration_times()))


def _check(study: BoundStudy, density: LogDensity) -> None:
    """Data can be simulated from the priors and the likelihood, and from nothing else."""
    weighted = [each.target.name for each in density.observations if each.target.weight != 1.0]
    if not study.free or not density.observations:
        what = "parameter to find" if not study.free else "target"
        fail("Y531", f"the study `{study.name}` has no {what}, so there is nothing to calibrate", hint="see the study")
    if weighted:
        fail(
            "Y531",
            f"the target `{weighted[0]}` has a `weight`, and of a weighted likelihood there are no data",
            hint="ask with weights of one, in a copy of the study: modelworks rerun shows how such a copy is made",
        )


def _ranks(study: BoundStudy, density: LogDensity, k: int, cores: int | None) -> dict[str, int] | None:
    """The ranks of the truth in the k-th simulated study; None where its calibration failed."""
    asked = study.inputs.study.calibration
    key = np.random.default_rng([asked.seed, SIMULATED, k])
    truth, targets = _simulated(study, density, key)
    beliefs = density.beliefs
    again = LogDensity(
        priors=beliefs.priors,
        groups=beliefs.groups,
        fixed=beliefs.fixed,
        simulator=density.simulator,
        targets=targets,
        distance=density.distance,
        inference=density.inference,
    )
    seed = int(key.integers(2**31))
    settings = stages.settings_of(asked, seed, cores)
    try:
        posterior = calibrate(again, settings)
    except ModelworksError:
        # Counted and told; that a calibration fails for data of its own model is a result, too.
        return None
    found = {}
    for name, true in zip(study.free, truth, strict=True):
        draws = np.asarray(posterior.draws(name)).reshape(-1)
        chosen = draws[np.linspace(0, draws.size - 1, RANKED).round().astype(int)]
        found[name] = int((chosen < true).sum())
    return found


def _simulated(study: BoundStudy, density: LogDensity, key: np.random.Generator) -> tuple[Array, list[Target]]:
    """Parameters from the priors (free,), and the targets with what would have been seen.

    Parameters with which the model can not run are drawn again: the likelihood has them impossible, too.
    """
    for _ in range(TRIES):
        truth = density.prior_values(key, 1)
        found = predictions(density, truth, 1, Progress(quiet=True))
        if len(found.values):
            new = found.observations(key)
            seen = zip(density.observations, new, strict=True)
            return truth[0], [_seen(each.target, values[0]) for each, values in seen]
    fail(
        "Y531",
        f"the model of `{study.name}` can not run with any of {TRIES} draws of the priors",
        hint="modelworks simulate says why; narrow the priors to what is possible",
    )


def _seen(target: Target, values: Array) -> Target:
    """Where something was observed, in full: nobody reports a limit of what is simulated."""
    return replace(target, observed=np.where(target.present, values, np.nan), censored=None)


def _write(file: Path, found: dict[str, int] | None) -> None:
    """As a whole or not at all, so that who interrupts finds no half of it."""
    begun = file.with_suffix(".part")
    begun.write_text(json.dumps(found), encoding="utf-8")
    begun.replace(file)
