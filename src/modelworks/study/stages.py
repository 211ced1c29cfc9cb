"""The line, stage by stage: read this file first.

Each stage is one function. It takes the bound study and what earlier stages wrote, and writes its
own files into one folder; nothing else leaves it. `_line.py` decides which stages are stale and
publishes what they wrote as a run.

    check → simulate → calibrate → diagnose → project → report
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import NO_ANSWER_IN_TIME, Enough, LogDensity, Posterior, Settings, calibrate
from modelworks.diagnostics import Diagnosis, diagnose
from modelworks.errors import ModelworksError
from modelworks.runs import Ledger
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._scaled import ScaledModel
from modelworks.study.own_stages._stage_study import StageStudy
from modelworks.study.pages import _pages, _stage_pages
from modelworks.study.projection import _hub, _projection, _reliance
from modelworks.study.projection._every_run import Elsewhere
from modelworks.study.projection._prior_predictive import foresee
from modelworks.study.projection._step import StepEffect, shorten, step_effect
from modelworks.study.projection._time_limit import TimeLimit

if TYPE_CHECKING:
    from modelworks.inputs.study_file import CalibrationSettings
    from modelworks.runs import Progress

SIMULATE, CALIBRATE, DIAGNOSE, PROJECT, REPORT = "simulate", "calibrate", "diagnose", "project", "report"

# Draws of each chain at most, where it ends as soon as there are enough.
MOST_DRAWS = 5000
# Samplers whose draws do not come one after the other.
MAKES_THEM_ALL = ("laplace_is", "smc")


@dataclass(frozen=True)
class Work:
    """What a stage is given: the study, its own empty folder, and the folders of finished stages.

    `provenance` is of the moment at which the study was read; `ledger` the file in which a calibration keeps what it
    worked out, for the case that it is killed or more draws are asked for; `run` the name of the run, where another
    process may carry it on. With `known`, draws (draw,) by name of a study like it, a calibration begins among these.
    `elsewhere` are other machines that may be given runs of the model.
    """

    study: BoundStudy
    folder: Path
    finished: Mapping[str, Path]
    progress: Progress
    cores: int | None
    provenance: Mapping[str, Any]
    ledger: Path
    run: str | None = None
    known: Mapping[str, NDArray[np.float64]] | None = None
    elsewhere: Elsewhere | None = None

    def posterior(self) -> Posterior:
        return Posterior.read_once(self.finished[CALIBRATE] / "posterior.nc")

    def diagnosis(self) -> dict[str, Any]:
        return dict(json.loads((self.finished[DIAGNOSE] / "diagnosis.json").read_text(encoding="utf-8")))

    def write_json(self, name: str, value: Any) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
        (self.folder / name).write_text(text + "\n", encoding="utf-8")


def simulate_stage(work: Work) -> None:
    """One run at the middle of what is believed, the solver's error, and what the priors foresee of the data."""
    study = work.study
    model = study.simulator(study.report_times)
    outputs = model.run(study.centre())
    _projection.series_table(study, model.compiled, outputs).to_parquet(work.folder / "outputs.parquet", index=False)
    if isinstance(model, ScaledModel) and model.accuracy is not None:
        told = {**asdict(model.accuracy), "error": _known(model.accuracy.error)}
        work.write_json("solver.json", {**told, "solver": model.compiled.method.name, "time_unit": study.model.time})
    foreseen = foresee(study, work.progress, work.cores)
    if foreseen is not None:
        foreseen.write(work.folder)
    _pages.write_beliefs(work)


def calibrate_stage(work: Work) -> None:
    """The parameters that fit the targets: draws from the posterior, with what is needed to judge them."""
    study = work.study
    study.check_sums(study.simulator(study.calibration_times()))
    density = log_density(study)
    seconds = study.inputs.study.calibration.time_limit
    limit = None if seconds is None else TimeLimit(seconds, work.run)
    posterior = _drawn(work, density, work.ledger, limit)
    effect = step_effect(density, posterior)
    if effect is not None and effect.matters and not posterior.attributes.get("is_short"):
        _shortened(work, density, effect)
        # What was worked out with other steps is remembered by itself.
        finer = _again(work, density, work.ledger.with_stem(f"{work.ledger.stem}-finer"), limit)
        if finer is None:
            posterior = _with_coarse_steps(posterior)
        else:
            posterior, effect = finer, step_effect(density, finer)
    told = {
        "solver_error": None if effect is None else effect.error,
        "solver_shift": None if effect is None else effect.shift,
    }
    posterior = Posterior(posterior.groups, {**posterior.attributes, **told})
    posterior.to_netcdf(work.folder / "posterior.nc")
    work.write_json("calibration.json", posterior.attributes)


def _drawn(work: Work, density: LogDensity, file: Path, limit: TimeLimit | None) -> Posterior:
    """A calibration that goes on from what a ledger holds."""
    asked = work.study.inputs.study.calibration
    with Ledger(file) as ledger:
        if len(ledger):
            work.progress.mention(f"goes on from {len(ledger):,} runs of the model that were made before")
        if limit is not None:
            limit.goes_on_in(ledger)
        settings = settings_of(asked, asked.seed, work.cores)
        time_is_up = None if limit is None else limit.is_over
        return calibrate(density, settings, work.progress, ledger, time_is_up, work.known)


def _again(work: Work, density: LogDensity, file: Path, limit: TimeLimit | None) -> Posterior | None:
    """A second calibration in what is left of the time; None where that was too little for an answer."""
    try:
        return _drawn(work, density, file, limit)
    except ModelworksError as error:
        if error.codes != (NO_ANSWER_IN_TIME,):
            raise
        return None


def _with_coarse_steps(posterior: Posterior) -> Posterior:
    """The draws of the first calibration, of which a warning says that there was no time for a second."""
    told = {
        "is_short": True,
        "stopped": "stopped by the time limit before it was repeated with shorter steps of the solver",
        "warnings": [
            *posterior.attributes["warnings"],
            "The solver's steps were too long where the draws are, and no time was left to calibrate with shorter "
            "ones: run the study again with a longer `time_limit`, and it goes on.",
        ],
    }
    return Posterior(posterior.groups, {**posterior.attributes, **told})


def _shortened(work: Work, density: LogDensity, effect: StepEffect) -> None:
    """Make the solver's steps shorter, and say so."""
    assert isinstance(density.simulator, ScaledModel)
    compiled = density.simulator.compiled
    before = compiled.step
    shorten(compiled, effect)
    work.progress.mention(
        f"the solver's steps of {before:.2g} are too long where the draws are (the log density moves by "
        f"{effect.shift:.2g}): calibrated again with {compiled.step:.2g}"
    )


def settings_of(asked: CalibrationSettings, seed: int, cores: int | None) -> Settings:
    """How a calibration is asked for; what the study leaves out is as usual."""
    usual = Enough()
    enough = Enough(asked.r_hat or usual.r_hat, asked.effective_draws or usual.effective_draws)
    unlimited = asked.sampler not in MAKES_THEM_ALL
    if asked.draws is not None and asked.r_hat is None and asked.effective_draws is None:
        unlimited = False
    plain = Settings()
    return Settings(
        sampler=asked.sampler,
        chains=asked.chains,
        draws=asked.draws or (MOST_DRAWS if unlimited else plain.draws),
        warmup=asked.warmup,
        seed=seed,
        cores=cores,
        enough=enough if unlimited else None,
    )


def diagnose_stage(work: Work) -> None:
    """Whether the draws may be believed: checks, a verdict, and the reason in plain words."""
    diagnosis = judge(work.study, work.posterior(), work.progress, work.cores)
    work.write_json("diagnosis.json", diagnosis.as_dict())


def project_stage(work: Work) -> None:
    """Every scenario from the same draws, its difference from the baseline, and the study's named numbers."""
    projected = _projection.project(work.study, work.posterior(), work.progress, work.cores, work.elsewhere)
    projected.outputs.to_parquet(work.folder / "outputs.parquet", index=False)
    projected.differences.to_parquet(work.folder / "differences.parquet", index=False)
    projected.ratios.to_parquet(work.folder / "ratios.parquet", index=False)
    projected.averted.to_parquet(work.folder / "averted.parquet", index=False)
    projected.thresholds.to_parquet(work.folder / "thresholds.parquet", index=False)
    projected.fitted.to_parquet(work.folder / "fitted.parquet", index=False)
    projected.predictive.to_parquet(work.folder / "predictive.parquet", index=False)
    work.write_json("quantities.json", projected.quantities)
    _reliance.write(work, projected)
    _hub.write(work)
    if work.elsewhere is not None:
        work.elsewhere.forget()


def report_stage(work: Work) -> None:
    """The page someone can judge: verdict first, pictures, tables, assumptions, provenance."""
    _pages.write_page(work)


def report_without_model(
    study: StageStudy, folder: Path, finished: Mapping[str, Path], provenance: Mapping[str, Any]
) -> None:
    """The page of a study that is made of the team's own stages."""
    _stage_pages.write_page(study, folder, finished, provenance)


STAGES: dict[str, Callable[[Work], None]] = {
    SIMULATE: simulate_stage,
    CALIBRATE: calibrate_stage,
    DIAGNOSE: diagnose_stage,
    PROJECT: project_stage,
    REPORT: report_stage,
}


def log_density(study: BoundStudy) -> LogDensity:
    """Priors times likelihood of a study, as the samplers take it."""
    model = study.simulator(study.calibration_times())
    return _projection.log_density(study, model)


def _known(error: float) -> float | None:
    """An error, or nothing where it is not a number: JSON has none that is not."""
    return None if np.isnan(error) else error


def judge(study: BoundStudy, posterior: Posterior, progress: Progress, cores: int | None) -> Diagnosis:
    """The diagnosis of a posterior."""
    later, unseen = _projection.held_out(study, posterior, progress, cores)
    first = posterior.attributes.get("first_answer") or {}
    # Where k-hat said already that it would not do, its difference says nothing of the draws.
    second = first if first.get("is_warranted") else {}
    return diagnose(
        {name: np.asarray(posterior.draws(name)) for name in study.free},
        prior_draws={name: np.asarray(posterior.prior(name)) for name in study.free},
        sample_stats=posterior.sample_stats_arrays(),
        predictive=posterior.predictive(),
        observed=posterior.observed(),
        bounds={name: limits(study, name) for name in study.free},
        # What draws would be without one observation is a ratio of likelihoods for those alone that came by one.
        log_likelihood={} if posterior.by_distance else posterior.log_likelihood(),
        labels={each.entry.name: each.labels for each in study.observations},
        log_prior=log_prior(study, posterior),
        held_out_predictive=later,
        held_out_observed=unseen,
        second_means=second.get("mean"),
        second_spreads=second.get("sd"),
        solver_shift=posterior.attributes.get("solver_shift"),
    )


def limits(study: BoundStudy, name: str) -> tuple[float, float]:
    """Between which values a parameter would be pressed; no overdispersion at all is a Poisson, and no limit."""
    low, high = study.support(name)
    scatters = {each.entry.likelihood.arguments.get("overdispersion") for each in study.observations}
    return (-np.inf if name in scatters and low == 0 else low), high


def log_prior(study: BoundStudy, posterior: Posterior) -> NDArray[np.float64] | None:
    """The log density of every prior but those of groups, which follow from their hyperparameters; (sample,)."""
    if not study.priors:
        return None
    each = [prior.log_density(posterior.draws(name).ravel()) for name, prior in study.priors.items()]
    return np.asarray(np.sum(each, axis=0))
