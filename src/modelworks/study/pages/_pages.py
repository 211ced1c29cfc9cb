"""Filling the report's page: what the stages wrote, in the words and pictures a reader judges by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from modelworks import plots
from modelworks.diagnostics import worst
from modelworks.inputs import group_of
from modelworks.model import Model, diagram, output_columns, written_numbers
from modelworks.report import (
    AvertedRow,
    Page,
    Section,
    ThresholdRow,
    take_picture,
    write_figure,
    write_report,
)
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._questions import BASELINE
from modelworks.study.pages._assumptions import assumption_rows
from modelworks.study.pages._page_rows import (
    check_rows,
    citation,
    data_rows,
    evidence_of,
    fit_rows,
    forecast_rows,
    posterior_rows,
    quantity_rows,
    rebuild,
    reliance_rows,
    scenario_rows,
    stage_rows,
    target_rows,
    unit_of,
    warnings,
)
from modelworks.study.pages._stage_sections import told_by_stages
from modelworks.study.projection import _projection, _quantities, _reliance
from modelworks.study.projection._prior_predictive import figure_of
from modelworks.study.projection._scenario_runs import baseline_name
from modelworks.study.projection._thresholds import thresholds

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import ArrayLike

    from modelworks.calibration import Posterior
    from modelworks.inputs.study_file import StudyFile
    from modelworks.plots import Figure
    from modelworks.study.stages import Work

# More panels than this in one figure and nobody looks at any of them.
MOST_OUTPUTS = 8
# Draws enough for a smooth density.
DRAWS_SHOWN = 2000


def write_page(work: Work) -> None:
    """Write the page of a study into the stage's folder: HTML, Markdown, figures and tables."""
    write_report(page(work), work.folder, work.progress)


def page(work: Work) -> Page:
    """Everything the report says."""
    study, asked = work.study, work.study.inputs.study
    posterior = work.posterior()
    diagnosis = _reliance.told(work.diagnosis(), work.finished["project"])
    own = told_by_stages(study.inputs, work.finished)
    quantities = json.loads((work.finished["project"] / "quantities.json").read_text(encoding="utf-8"))
    return Page(
        study=study.name,
        title=asked.title,
        question=asked.question,
        model=study.model.name,
        region=asked.region or "",
        answer=_quantities.answer(asked.answer, quantities) or "",
        verdict=worst([diagnosis["verdict"], *own.verdicts]),
        sentences=(*diagnosis["sentences"], *own.sentences),
        warnings=tuple(warnings(work)),
        checks=(*check_rows(diagnosis), *own.checks),
        sections=(*_sections(work, posterior), *own.sections),
        quantities=(
            *quantity_rows(dict(sorted(quantities.items(), key=lambda item: _order(asked, item[0])))),
            *own.quantities,
        ),
        reliance=tuple(reliance_rows(work, quantities)),
        posterior=(*posterior_rows(study, posterior), *own.posterior),
        scenarios=tuple(scenario_rows(study)),
        averted=tuple(_averted_rows(work)),
        thresholds=tuple(_threshold_rows(work)),
        targets=tuple(target_rows(study)),
        forecasts=tuple(forecast_rows(study, diagnosis)),
        evidence=evidence_of(posterior),
        fits=tuple(fit_rows(diagnosis)),
        assumptions=tuple(assumption_rows(study)),
        data=tuple(data_rows(study)),
        diagram=diagram(study.model) if isinstance(study.model, Model) else "",
        provenance=work.provenance,
        stages=tuple(stage_rows(work.finished)),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        authors=tuple(asked.authors),
        citation=asked.citation or citation(study),
        rebuild=rebuild(study, work.provenance),
    )


def _order(asked: StudyFile, name: str) -> int:
    """The place of a named number in the study's file; what belongs to a decision comes after the quantities."""
    known = list(asked.quantities)
    return known.index(name) if name in known else len(known)


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
    return figure_of(folder, observed_table(study), target_labels(study)) if study.observations else None


# -- pictures --------------------------------------------------------------------------------------


def _sections(work: Work, posterior: Posterior) -> Iterator[Section]:
    import pandas as pd

    study = work.study
    ribbons = pd.read_parquet(work.finished["project"] / "outputs.parquet")
    differences = pd.read_parquet(work.finished["project"] / "differences.parquet")
    baseline = baseline_name(study)
    draws = {name: np.asarray(posterior.draws(name)) for name in study.free}
    labels = _parameter_labels(study)
    if study.observations:
        fit = plots.figure("fit")(
            _fit_ribbons(work, ribbons[ribbons["scenario"] == baseline]),
            observed_table(study),
            predictive=pd.read_parquet(work.finished["project"] / "predictive.parquet"),
            labels=target_labels(study),
        )
        yield Section("Does it fit what was seen?", (fit,))
    foreseen = _foreseen(study, work.finished["simulate"])
    if foreseen is not None:
        take_picture(foreseen, work.finished["simulate"] / "figures")
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
    beyond = pd.read_parquet(work.finished["project"] / "thresholds.parquet")
    if len(beyond):
        titles = {each.name: each.title for each in thresholds(study)}
        asked.append(plots.figure("thresholds")(beyond, baseline=baseline, labels={**captions, **titles}))
    if asked:
        yield Section("What if?" if len(set(ribbons["scenario"])) > 1 else "What the model says", tuple(asked))
    resting = _resting(work)
    if resting is not None:
        yield Section("What does the answer rest on?", (resting,))
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


def _averted_rows(work: Work) -> Iterator[AvertedRow]:
    """Of the outputs that are drawn, and of their strata; all of them are in the stage's own table."""
    import pandas as pd

    single, split = _shown(work.study)
    labels, scenarios, units = _output_labels(work.study), _scenario_labels(work.study), work.study.model.series
    table = pd.read_parquet(work.finished["project"] / "averted.parquet")
    rows: list[dict[str, Any]] = [dict(row) for _, row in table.iterrows()]
    for row in rows:
        output = row["output"].partition("[")[0]
        if row["output"] not in single and output not in split:
            continue
        shares = (None if np.isnan(row[name]) else row[name] for name in ("share", "share_low", "share_high"))
        title, unit = labels[row["output"]].rpartition(" (")[0], units[output].unit
        yield AvertedRow(scenarios[row["scenario"]], title, unit, row["median"], row["low"], row["high"], *shares)


def _threshold_rows(work: Work) -> Iterator[ThresholdRow]:
    import pandas as pd

    table, scenarios = pd.read_parquet(work.finished["project"] / "thresholds.parquet"), _scenario_labels(work.study)
    for asked in thresholds(work.study):
        for name, rows in table[table["name"] == asked.name].groupby("scenario", sort=False):
            day = [f"{moment:%Y-%m-%d}" for moment in rows["time"]]
            that_day, by_then = rows["that_day"].to_numpy(), rows["by_then"].to_numpy()
            likely = day[int((by_then > 0.5).argmax())] if by_then[-1] > 0.5 else ""
            highest = int(that_day.argmax())
            yield ThresholdRow(
                asked.name, asked.title, scenarios[str(name)], float(by_then[-1]), float(that_day[highest]),
                day[highest] if that_day[highest] > 0 else "", likely,
            )  # fmt: skip


def _resting(work: Work) -> Figure | None:
    """What the numbers of the answer rest on."""
    import pandas as pd

    quantities = work.study.inputs.study.quantities
    found = json.loads((work.finished["project"] / "reliance.json").read_text(encoding="utf-8"))
    rows = pd.DataFrame(found["rows"])
    if rows.empty:
        return None
    told = [
        name for name in _reliance.asked_for(work.study.inputs.study.answer, quantities) if name in set(rows["name"])
    ]
    titles = {name: each.title for name, each in quantities.items()}
    return plots.figure("reliance")(rows, quantities=told[:MOST_OUTPUTS], labels=titles) if told else None


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
    for each in written_numbers(study.model) if isinstance(study.model, Model) else ():
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


def first_output(study: BoundStudy) -> tuple[str, str] | None:
    """The output that is drawn first and is one series, with its title and unit; None where each has strata."""
    single, _ = _shown(study)
    return (single[0], _output_labels(study)[single[0]]) if single else None


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


def target_labels(study: BoundStudy) -> dict[str, str]:
    """The title of each target, and of each of its categories, with its unit."""
    titles = {name: output.title for name, output in study.model.series.items()}
    found = {}
    for each in study.observations:
        title = each.entry.title or titles.get(each.entry.output) or each.entry.output
        for name in dict.fromkeys(each.names):
            category = f", {name[len(each.entry.name) + 1 : -1]}" if name != each.entry.name else ""
            found[name] = f"{title}{category} ({unit_of(each)})"
    return found


def _scenario_labels(study: BoundStudy) -> dict[str, str]:
    named = {name: scenario.title or name for name, scenario in study.inputs.study.scenarios.items()}
    return named or {BASELINE: "As it is"}
