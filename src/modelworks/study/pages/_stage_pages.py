"""The page of a study that is made of the team's own stages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelworks.diagnostics import worst
from modelworks.report import Page, write_report
from modelworks.study.own_stages._stage_record import answer, metrics
from modelworks.study.own_stages._stage_study import StageStudy
from modelworks.study.pages._page_rows import citation, data_row, rebuild, stage_rows
from modelworks.study.pages._stage_sections import told_by_stages


def write_page(study: StageStudy, folder: Path, finished: Mapping[str, Path], provenance: Mapping[str, Any]) -> None:
    """Write the page into the folder of its stage: HTML, Markdown, figures and tables."""
    inputs, asked = study.inputs, study.inputs.study
    own = told_by_stages(inputs, finished)
    numbers = {name: each for stage in asked.stages for name, each in metrics(finished[stage]).items()}
    page = Page(
        study=study.name,
        title=asked.title,
        question=asked.question,
        model="",
        region=asked.region or "",
        answer=answer(inputs, numbers) or "",
        verdict=worst(own.verdicts) if own.verdicts else None,
        sentences=own.sentences,
        checks=own.checks,
        sections=own.sections,
        quantities=own.quantities,
        posterior=own.posterior,
        data=tuple(data_row(inputs.catalogue, name) for name in inputs.datasets),
        provenance=provenance,
        stages=tuple(stage_rows(finished)),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        authors=asked.authors,
        citation=asked.citation or citation(study),
        rebuild=rebuild(study, provenance),
    )
    write_report(page, folder)
