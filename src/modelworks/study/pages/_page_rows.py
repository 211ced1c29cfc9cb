"""The rows of the report's tables, and the words around them, from what the stages wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks.diagnostics import Check, guide, summary
from modelworks.inputs import Catalogue
from modelworks.report import (
    CheckRow,
    DataRow,
    FitRow,
    ForecastRow,
    PosteriorRow,
    QuantityRow,
    RelianceRow,
    ScenarioRow,
    StageRow,
    TargetRow,
)
from modelworks.report.words import plural
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._observations import Observations
from modelworks.study.own_stages._stage_study import Study
from modelworks.study.pages._target_words import likelihood_in_words
from modelworks.study.projection._prior_predictive import letters_of
from modelworks.units import as_written

if TYPE_CHECKING:
    from pathlib import Path

    from modelworks.calibration import Posterior
    from modelworks.study.stages import Work

# An error of the solver that might show beside the scatter of the best of data.
WORTH_SAYING = 1e-3


def unit_of(observed: Observations) -> str:
    """The target's unit; of a count also the time it is over; of trials what is shown, which is how many had it."""
    if "trials" in observed.entry.likelihood.arguments:
        return "of those examined"
    return (
        observed.entry.unit
        if observed.entry.covers == "instant"
        else f"{observed.entry.unit} per {observed.entry.covers}"
    )


def reliance_rows(work: Work, quantities: Mapping[str, Any]) -> Iterator[RelianceRow]:
    found = json.loads((work.finished["project"] / "reliance.json").read_text(encoding="utf-8"))
    for row in found["rows"]:
        told = quantities[row["name"]]
        unit = work.study.inputs.study.time.unit if told["unit"] == "date" else told["unit"]
        yield RelianceRow(
            row["name"], told["title"], row["kind"], row["source"], row["move"], unit, row["in_sd"], row["distance"]
        )


def quantity_rows(quantities: Mapping[str, Mapping[str, Any]]) -> Iterator[QuantityRow]:
    for name, q in quantities.items():
        yield QuantityRow(name, q["title"] or name, q["unit"] or "", q["median"], q["low"], q["high"], q["text"])


def posterior_rows(study: BoundStudy, posterior: Posterior) -> Iterator[PosteriorRow]:
    for row in summary({name: np.asarray(posterior.draws(name)) for name in study.free}):
        entry = study.entry(row.name)
        yield PosteriorRow(
            row.name, entry.meaning or "", entry.unit, study.belief(row.name), row.mean, row.sd,
            row.q025, row.q50, row.q975, row.r_hat, row.ess_bulk, row.ess_tail,
        )  # fmt: skip


def scenario_rows(study: BoundStudy) -> Iterator[ScenarioRow]:
    for name, scenario in study.inputs.study.scenarios.items():
        changed = [f"{parameter} {changed_to(change)}" for parameter, change in scenario.parameters.items()]
        changed += [f"{data} from {dataset}" for data, dataset in scenario.data.items()]
        yield ScenarioRow(name, scenario.title or name, tuple(changed))


def changed_to(change: Any) -> str:
    return f"× {as_written(change.multiply)}" if hasattr(change, "multiply") else f"= {as_written(change)}"


def target_rows(study: BoundStudy) -> Iterator[TargetRow]:
    for each in study.observations:
        entry = each.entry
        source = entry.source or (study.inputs.catalogue[entry.dataset].source if entry.dataset else "")
        yield TargetRow(
            entry.name, entry.output, entry.unit, entry.covers, int(each.included.sum()), int((~each.included).sum()),
            min(each.dates).isoformat(), max(each.dates).isoformat(),
            likelihood_in_words(study, each), source,
        )  # fmt: skip


def check_rows(diagnosis: Mapping[str, Any], whose: str = "") -> Iterator[CheckRow]:
    for check in map(Check.from_dict, diagnosis["checks"]):
        told = guide(check)
        yield CheckRow(
            check.name, f"{whose}{check.title}", check.verdict, check.reason, check.value, told.measures,
            check.threshold, told.remedy,
        )  # fmt: skip


def evidence_of(posterior: Posterior) -> tuple[float, float] | None:
    """The log evidence and its error, where the sampler gives it."""
    found = posterior.attributes.get("log_evidence")
    return None if found is None else (float(found), float(posterior.attributes["log_evidence_error"]))


def fit_rows(diagnosis: Mapping[str, Any]) -> Iterator[FitRow]:
    for row in diagnosis["fits"]:
        chance = row["p_values"].get
        yield FitRow(
            row["target"], row["points"], row["inside"], chance("mean"), chance("maximum"), chance("time of maximum"),
            chance("dispersion"), row["autocorrelation"], row["elpd"], row["se"], row["doubtful"],
        )  # fmt: skip


def forecast_rows(study: BoundStudy, diagnosis: Mapping[str, Any]) -> Iterator[ForecastRow]:
    units = {name: unit_of(each) for each in study.observations for name in each.names}
    for row in diagnosis["forecasts"]:
        yield ForecastRow(
            row["target"], units[row["target"]], row["points"], row["inside"], row["chance"], row["crps"],
            row["naive_crps"],
        )  # fmt: skip


def data_rows(study: BoundStudy) -> Iterator[DataRow]:
    for name in study.inputs.datasets:
        yield data_row(study.inputs.catalogue, name)


def data_row(catalogue: Catalogue, name: str) -> DataRow:
    """A dataset of the catalogue, as a page lists it."""
    dataset = catalogue[name]
    return DataRow(
        name, dataset.title, dataset.publisher, dataset.licence, dataset.source, dataset.sha256 or "",
        str(dataset.retrieved or ""), checked(catalogue, name),
    )  # fmt: skip


def checked(catalogue: Catalogue, name: str) -> str:
    """What the checks of a dataset found: how many hold, and which failing was accepted, and why."""
    found = catalogue.findings(name)
    lived_with = [each for each in found if each.problem]
    told = [f"{plural(len(found) - len(lived_with), 'check')} held"] if found else []
    told += [f"{each.check.name}: {each.problem}; accepted: {each.check.accepted}" for each in lived_with]
    return "; ".join(told)


def stage_rows(finished: Mapping[str, Path]) -> Iterator[StageRow]:
    for name, folder in finished.items():
        entry: Mapping[str, Any] = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
        yield StageRow(name, entry["seconds"])


def warnings(work: Work) -> Iterator[str]:
    """What a reader must know that is no check of the draws."""
    calibration = json.loads((work.finished["calibrate"] / "calibration.json").read_text(encoding="utf-8"))
    if (calibration["solver_error"] or 0.0) > WORTH_SAYING:
        yield (
            f"The solver's error reaches {calibration['solver_error']:.1g} of the largest value of an output: "
            "write `solver: adaptive` under `time:` before small differences are believed."
        )
    yield from calibration["warnings"]
    for each in work.study.observations:
        if each.entry.weight != 1:
            counts = f"counts {each.entry.weight:g} times what its data say"
            yield f"The target {each.entry.name} {counts}: {each.entry.why}."
    yield from (
        letter.message[0].upper() + letter.message[1:] + "." for letter in letters_of(work.finished["simulate"])
    )
    held = sum(int((~o.included).sum()) for o in work.study.observations)
    if held:
        until = work.study.inputs.study.calibration.until
        yield f"{plural(held, 'observation')} after {until} {'was' if held == 1 else 'were'} held out of the fit."
        diagnosis = work.diagnosis()
        told = diagnosis["sentences"]
        yield from (c["reason"] for c in diagnosis["checks"] if c["name"] == "held_out" and c["reason"] not in told)


def rebuild(study: Study, known: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands that make the page again: from the commit, or from the files the run keeps of itself."""
    lock = "# packages as they were: environment.lock in the folder of this run"
    run = f"modelworks run {study.name}"
    commit = known.get("commit")
    if commit and not known.get("dirty"):
        return lock, f"git checkout {commit}", run
    if commit and known.get("patch") and not known.get("not_in_patch"):
        return lock, f"git checkout {commit}", "git apply uncommitted.patch  # in the folder of this run", run
    return lock, "cd inputs  # in the folder of this run: every file of the study as it was", run


def citation(study: Study) -> str:
    """How to cite a result of which the study does not say it."""
    asked = study.inputs.study
    done = "Calibrated" if isinstance(study, BoundStudy) else "Made"
    who = ", ".join(asked.authors) or "The authors of the study"
    title = asked.title if asked.title.endswith((".", "?", "!")) else f"{asked.title}."
    return f"{who} ({datetime.now(UTC).year}). {title} {done} with modelworks."
