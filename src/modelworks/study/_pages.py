"""Filling the report's page: what the stages wrote, in the words and pictures a reader judges by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks import plots
from modelworks.diagnostics import summary
from modelworks.inputs import group_of
from modelworks.model import diagram, output_columns, written_numbers
from modelworks.report import (
    AssumptionRow,
    CheckRow,
    DataRow,
    ForecastRow,
    Page,
    PosteriorRow,
    QuantityRow,
    ScenarioRow,
    Section,
    StageRow,
    TargetRow,
    write_figure,
    write_report,
)
from modelworks.report.words import plural
from modelworks.study import _projection
from modelworks.study._assumptions import assumption_rows
from modelworks.study._binding import BoundStudy
from modelworks.study._observations import Observations
from modelworks.study._prior_predictive import figure_of, letters_of
from modelworks.study._questions import BASELINE
from modelworks.study._target_words import likelihood_in_words

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import ArrayLike

    from modelworks.calibration import Posterior
    from modelworks.plots import Figure
    from modelworks.study.stages import Work

# More panels than this in one figure and nobody looks at any of them.
MOST_OUTPUTS = 8
# Draws enough for a smooth density.
DRAWS_SHOWN = 2000
# An error of the solver that might show beside the scatter of the best of data.
WORTH_SAYING = 1e-3


def write_page(work: Work) -> None:
    """Write the page of a study into the stage's folder: HTML, Markdown, figures and tables."""
    write_report(page(work), work.folder)


def page(work: Work) -> Page:
    """Everything the report says."""
    study, asked = work.study, work.study.inputs.study
    posterior = work.posterior()
    diagnosis = work.diagnosis()
    quantities = json.loads((work.finished["project"] / "quantities.json").read_text(encoding="utf-8"))
    return Page(
        study=study.name,
        title=asked.title,
        question=asked.question,
        model=study.model.name,
        region=asked.region or "",
        answer=_projection.answer(asked.answer, quantities) or "",
        verdict=diagnosis["verdict"],
        sentences=tuple(diagnosis["sentences"]),
        warnings=tuple(_warnings(work)),
        checks=tuple(CheckRow(c["name"], c["title"], c["verdict"], c["reason"]) for c in diagnosis["checks"]),
        sections=tuple(_sections(work, posterior)),
        quantities=tuple(
            QuantityRow(name, q["title"] or name, q["unit"] or "", q["median"], q["low"], q["high"], q["text"])
            for name, q in quantities.items()
        ),
        posterior=tuple(_posterior_rows(study, posterior)),
        scenarios=tuple(_scenario_rows(study)),
        targets=tuple(_target_rows(study)),
        forecasts=tuple(_forecast_rows(study, diagnosis)),
        assumptions=(*assumption_rows(study), *_written_rows(study)),
        data=tuple(_data_rows(study)),
        diagram=diagram(study.model),
        provenance=work.provenance,
        stages=tuple(_stage_rows(work)),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        authors=tuple(asked.authors),
        citation=asked.citation or _citation(study),
        rebuild=_rebuild(study, work.provenance),
    )


def write_beliefs(work: Work) -> None:
    """Pictures of the priors, and of what they foresee beside what was seen, before anything is calibrated."""
    study = work.study
    if not study.free:
        return
    key = np.random.default_rng(study.inputs.study.calibration.seed)
    draws = study.prior_draws(key, DRAWS_SHOWN)
    found = {name: draws[name] for name in study.free}
    write_figure(plots.figure("priors")(found, labels=_parameter_labels(study)), work.folder / "figures")
    foreseen = _foreseen(study, work.folder)
    if foreseen is not None:
        write_figure(foreseen, work.folder / "figures")


def _foreseen(study: BoundStudy, folder: Path) -> Figure | None:
    return figure_of(folder, observed_table(study), _target_labels(study)) if study.observations else None


# -- pictures --------------------------------------------------------------------------------------


def _sections(work: Work, posterior: Posterior) -> Iterator[Section]:
    import pandas as pd

    study = work.study
    ribbons = pd.read_parquet(work.finished["project"] / "outputs.parquet")
    differences = pd.read_parquet(work.finished["project"] / "differences.parquet")
    baseline = _projection.baseline_name(study)
    draws = {name: np.asarray(posterior.draws(name)) for name in study.free}
    labels = _parameter_labels(study)
    if study.observations:
        fit = plots.figure("fit")(
            _fit_ribbons(work, ribbons[ribbons["scenario"] == baseline]),
            observed_table(study),
            predictive=pd.read_parquet(work.finished["project"] / "predictive.parquet"),
            labels=_target_labels(study),
        )
        yield Section("Does it fit what was seen?", (fit,))
    foreseen = _foreseen(study, work.finished["simulate"])
    if foreseen is not None:
        yield Section("Could the assumptions have foreseen it?", (foreseen,))
    shown, split = _shown(study)
    captions = {**_output_labels(study), **_scenario_labels(study)}
    asked: list[Figure] = []
    if shown:
        gaps = differences if len(differences) else None
        asked.append(plots.figure("scenarios")(ribbons, gaps, baseline=baseline, outputs=shown, labels=captions))
    if split:
        rows = _by_stratum(study, ribbons[ribbons["scenario"] == baseline], split)
        title = f"Stratum by stratum, in the scenario: {captions[baseline]}"
        asked.append(plots.figure("strata")(rows, labels=captions, title=title))
    if asked:
        yield Section("What if?" if len(set(ribbons["scenario"])) > 1 else "What the model says", tuple(asked))
    if draws:
        prior = {name: np.asarray(posterior.prior(name)) for name in study.free}
        yield Section(
            "What did the data teach?",
            (
                plots.figure("prior_posterior")(draws, prior, labels=labels),
                plots.figure("pairs")(draws, diverging=posterior.sample_stats_arrays().get("diverging"), labels=labels),
            ),
        )
        grouped = _by_group(study, draws), _by_group(study, prior)
        if grouped[0]:
            titles = {group: f"{group} ({study.entry(next(iter(study.members(group)))).unit})" for group in grouped[0]}
            yield Section("Member by member", (plots.figure("groups")(*grouped, labels=titles),))
        yield Section(
            "Did the chains agree?",
            (plots.figure("traces")(draws, labels=labels), plots.figure("ranks")(draws, labels=labels)),
        )
    contacts = tuple(_contacts(study))
    if contacts:
        yield Section("Who meets whom?", contacts)


def _by_group(study: BoundStudy, draws: Mapping[str, ArrayLike]) -> dict[str, dict[str, ArrayLike]]:
    """Draws of the members of each group, by label."""
    found: dict[str, dict[str, ArrayLike]] = {}
    for name in study.free:
        group = group_of(name)
        if group != name:
            found.setdefault(group, {})[name[len(group) + 1 : -1]] = draws[name]
    return found


def _contacts(study: BoundStudy) -> Iterator[Figure]:
    """Matrices of contacts, which no table shows well; the same for several infections is drawn once."""
    matrices: dict[str, Any] = {}
    strata: dict[str, tuple[str, ...]] = {}
    labels: dict[str, str] = {}
    for each in written_numbers(study.model):
        if each.matrix is not None and not any(np.array_equal(each.matrix, other) for other in matrices.values()):
            matrices[each.name], strata[each.name] = each.matrix, each.strata
            labels[each.name] = f"{each.name} ({each.unit})"
    if matrices:
        yield plots.figure("contacts")(matrices, strata, labels=labels)


def _fit_ribbons(work: Work, baseline: pd.DataFrame) -> pd.DataFrame:
    """What each target is held against, in the target's unit; `output` is the target's name.

    A count is shown for the very time each observation stands for, as a week's cases are not a day's; a
    stock is shown at all times.
    """
    import pandas as pd

    fitted = pd.read_parquet(work.finished["project"] / "fitted.parquet")
    parts = []
    for each in work.study.observations:
        part = fitted[fitted["output"].isin(each.names)]
        if (each.starts == each.ends).all() and each.is_the_output:
            part = baseline[baseline["output"] == each.columns[0]].copy()
            part[list(_projection.LEVELS)] *= each.factor
            part = part.assign(output=each.entry.name)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def observed_table(study: BoundStudy) -> pd.DataFrame:
    """Every observation in the middle of what it stands for: target, output, time, value, included."""
    import pandas as pd

    parts = [
        pd.DataFrame(
            {
                "target": each.names,
                "output": each.names,
                "time": _projection.moments(study, (each.starts + each.ends) / 2),
                "value": each.values,
                # Of a limit, all that lies below it.
                "low": np.where(each.limited, 0.0, each.values),
                "high": each.values,
                "included": each.included,
            }
        )
        for each in study.observations
    ]
    return pd.concat(parts, ignore_index=True)


def _shown(study: BoundStudy) -> tuple[list[str], list[str]]:
    """Which outputs are drawn: those that are one series each, and those that have one for each stratum."""
    series, asked = study.model.series, study.inputs.study.figures
    split = [name for name in asked or series if name in series and series[name].by]
    single = [name for name in asked or series if name not in split]
    return (single, split) if asked else (single[:MOST_OUTPUTS], split[:MOST_OUTPUTS])


def _by_stratum(study: BoundStudy, ribbons: pd.DataFrame, outputs: list[str]) -> pd.DataFrame:
    """The rows of outputs by strata: the output's name alone, and the names of its strata."""
    import pandas as pd

    parts = [
        ribbons[ribbons["output"] == column.name].assign(
            output=column.output, stratum=", ".join(stratum for _, stratum in column.strata)
        )
        for name in outputs
        for column in output_columns(study.model, study.calendar)
        if column.output == name
    ]
    return pd.concat(parts, ignore_index=True)


def _parameter_labels(study: BoundStudy) -> dict[str, str]:
    """Names as in the files, the tables and the checks, so that nobody has to guess that two are the same."""
    return {name: f"{name} ({study.entry(name).unit})" for name in study.free}


def _output_labels(study: BoundStudy) -> dict[str, str]:
    """Titles of outputs, and of each of their strata, with the unit."""
    units, series = shown_units(study), study.model.series
    titles = {name: output.title or name for name, output in series.items()}
    for column in output_columns(study.model, study.calendar):
        strata = ", ".join(stratum for _, stratum in column.strata)
        titles.setdefault(column.name, f"{titles[column.output]}, {strata}")
        units.setdefault(column.name, units[column.output])
    time = study.inputs.study.time
    over = per_words(time.every, time.unit)
    # A title may say itself over which time it counts.
    shown = {
        name: units[name].removesuffix(f" {over}") if over in each else units[name] for name, each in titles.items()
    }
    return {name: f"{title} ({shown[name]})" for name, title in titles.items()}


def shown_units(study: BoundStudy) -> dict[str, str]:
    """The unit of each output as it is reported; of a count also the time each of its values is over."""
    time = study.inputs.study.time
    over = per_words(time.every, time.unit)
    counting = {column.output for column in output_columns(study.model, study.calendar) if column.counts_events}
    return {
        name: f"{output.unit} {over}" if name in counting else output.unit
        for name, output in study.model.series.items()
    }


def per_words(every: float, unit: str) -> str:
    """How often, in words.

    >>> per_words(1, "days"), per_words(7, "days"), per_words(0.25, "years")
    ('per day', 'per week', 'per 0.25 years')
    """
    if every == 1:
        return f"per {unit.removesuffix('s')}"
    return "per week" if (every, unit) == (7, "days") else f"per {every:g} {unit}"


def _target_labels(study: BoundStudy) -> dict[str, str]:
    titles = {name: output.title for name, output in study.model.series.items()}
    found = {}
    for each in study.observations:
        title = each.entry.title or titles.get(each.entry.output) or each.entry.output
        for name in dict.fromkeys(each.names):
            category = f", {name[len(each.entry.name) + 1 : -1]}" if name != each.entry.name else ""
            found[name] = f"{title}{category} ({_unit(each)})"
    return found


def _unit(observed: Observations) -> str:
    """The target's unit; of a count also the time it is over; of trials what is shown, which is how many had it."""
    if "trials" in observed.entry.likelihood.arguments:
        return "of those examined"
    return (
        observed.entry.unit
        if observed.entry.covers == "instant"
        else f"{observed.entry.unit} per {observed.entry.covers}"
    )


def _scenario_labels(study: BoundStudy) -> dict[str, str]:
    named = {name: scenario.title or name for name, scenario in study.inputs.study.scenarios.items()}
    return named or {BASELINE: "As it is"}


# -- tables ----------------------------------------------------------------------------------------


def _posterior_rows(study: BoundStudy, posterior: Posterior) -> Iterator[PosteriorRow]:
    for row in summary({name: np.asarray(posterior.draws(name)) for name in study.free}):
        entry = study.entry(row.name)
        yield PosteriorRow(
            row.name, entry.meaning or "", entry.unit, study.belief(row.name), row.mean, row.sd,
            row.q025, row.q50, row.q975, row.r_hat, row.ess_bulk, row.ess_tail,
        )  # fmt: skip


def _scenario_rows(study: BoundStudy) -> Iterator[ScenarioRow]:
    for name, scenario in study.inputs.study.scenarios.items():
        changed = [f"{parameter} {_change(change)}" for parameter, change in scenario.parameters.items()]
        changed += [f"{data} from {dataset}" for data, dataset in scenario.data.items()]
        yield ScenarioRow(name, scenario.title or name, tuple(changed))


def _change(change: Any) -> str:
    return f"× {change.multiply:g}" if hasattr(change, "multiply") else f"= {change:g}"


def _target_rows(study: BoundStudy) -> Iterator[TargetRow]:
    for each in study.observations:
        entry = each.entry
        source = entry.source or (study.inputs.catalogue[entry.dataset].source if entry.dataset else "")
        yield TargetRow(
            entry.name, entry.output, entry.unit, entry.covers, int(each.included.sum()), int((~each.included).sum()),
            min(each.dates).isoformat(), max(each.dates).isoformat(),
            likelihood_in_words(study, each), source,
        )  # fmt: skip


def _forecast_rows(study: BoundStudy, diagnosis: Mapping[str, Any]) -> Iterator[ForecastRow]:
    units = {name: _unit(each) for each in study.observations for name in each.names}
    for row in diagnosis["forecasts"]:
        yield ForecastRow(
            row["target"], units[row["target"]], row["points"], row["inside"], row["chance"], row["crps"],
            row["naive_crps"],
        )  # fmt: skip


def _written_rows(study: BoundStudy) -> Iterator[AssumptionRow]:
    """The numbers the model holds itself: assumptions like the others, of which no file says where they come from."""
    source = "written in the model, without a source"
    if study.inputs.study.data:
        source = "written in the model, without a source, or made by it from its data"
    for each in written_numbers(study.model):
        yield AssumptionRow(each.name, each.value, each.unit, source, study.shown_model)


def _data_rows(study: BoundStudy) -> Iterator[DataRow]:
    used = {o.entry.dataset: None for o in study.observations if o.entry.dataset}
    used |= dict.fromkeys(study.inputs.study.data.values())
    for scenario in study.inputs.study.scenarios.values():
        used |= dict.fromkeys(scenario.data.values())
    for name in used:
        dataset = study.inputs.catalogue[name]
        yield DataRow(
            name, dataset.title, dataset.publisher, dataset.licence, dataset.source, dataset.sha256 or "",
            str(dataset.retrieved or ""), _checked(study, name),
        )  # fmt: skip


def _checked(study: BoundStudy, name: str) -> str:
    """What the checks of a dataset found: how many hold, and which failing was accepted, and why."""
    found = study.inputs.catalogue.findings(name)
    lived_with = [each for each in found if each.problem]
    told = [f"{plural(len(found) - len(lived_with), 'check')} held"] if found else []
    told += [f"{each.check.name}: {each.problem}; accepted: {each.check.accepted}" for each in lived_with]
    return "; ".join(told)


def _stage_rows(work: Work) -> Iterator[StageRow]:
    for name, folder in work.finished.items():
        entry: Mapping[str, Any] = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
        yield StageRow(name, entry["seconds"])


def _warnings(work: Work) -> Iterator[str]:
    """What a reader must know that is no check of the draws."""
    calibration = json.loads((work.finished["calibrate"] / "calibration.json").read_text(encoding="utf-8"))
    if (calibration["solver_error"] or 0.0) > WORTH_SAYING:
        yield (
            f"The solver's error reaches {calibration['solver_error']:.1g} of the largest value of an output: "
            "run the study with a smaller step before small differences are believed."
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


def _rebuild(study: BoundStudy, known: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands that make the page again: from the commit, or from the files the run keeps of itself."""
    lock = "# packages as they were: environment.lock in the folder of this run"
    run = f"modelworks run {study.name}"
    commit = known.get("commit")
    if commit and not known.get("dirty"):
        return lock, f"git checkout {commit}", run
    if commit and known.get("patch") and not known.get("not_in_patch"):
        return lock, f"git checkout {commit}", "git apply uncommitted.patch  # in the folder of this run", run
    return lock, "cd inputs  # in the folder of this run: every file of the study as it was", run


def _citation(study: BoundStudy) -> str:
    asked = study.inputs.study
    who = ", ".join(asked.authors) or "The authors of the study"
    return f"{who} ({datetime.now(UTC).year}). {asked.title}. Calibrated with modelworks."
