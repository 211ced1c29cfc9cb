"""What would have happened otherwise, and by how much it differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelworks.errors import fail, near
from modelworks.plots._figure import Figure, Spec
from modelworks.plots._lines import DASHES, Lines, Look, lines_panel, look
from modelworks.plots._panels import (
    QUANTILES,
    chosen,
    label,
    need_columns,
    small_multiples,
    with_level,
)
from modelworks.plots._theme import BLACK, COLOURS

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("output", "scenario", "time", *QUANTILES)


def draw(
    quantiles: pd.DataFrame,
    differences: pd.DataFrame | None = None,
    *,
    baseline: str = "baseline",
    outputs: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Scenarios",
) -> Figure:
    """Each output under every scenario and, beside it, the difference from the baseline.

    Parameters
    ----------
    quantiles : table with columns output, scenario, time, q025, q25, q50, q75, q975
    differences : the same table, of scenario minus baseline in each draw, optional
        Quantiles of differences can not be had from differences of quantiles, so they are given.
    baseline : name of the scenario that the others are compared with, drawn in dark grey
    outputs : names of the outputs to draw, in order; all where not given
    labels : name of an output or of a scenario to its title
    """
    need_columns(quantiles, COLUMNS, "the table of scenarios")
    scenarios = list(dict.fromkeys(map(str, quantiles["scenario"])))
    if baseline not in scenarios:
        fail("G203", f"there is no scenario `{baseline}` to compare with", hint=near(baseline, scenarios))
    drawn_as = scenario_look(scenarios, baseline, labels)
    panels: list[Spec] = []
    for name in chosen(outputs, quantiles["output"], "output"):
        lines = Lines.of(titled(quantiles[quantiles["output"] == name], labels), "scenario")
        heading = {"text": label(name, labels), "subtitle": "In each scenario"}
        panels.append(lines_panel(lines, heading, drawn_as, "scenario", len(panels)))
        if differences is not None:
            need_columns(differences, COLUMNS, "the table of differences")
            other = differences[(differences["output"] == name) & (differences["scenario"] != baseline)]
            if len(other):
                heading = {**heading, "subtitle": f"Difference from: {label(baseline, labels)}"}
                lines = Lines.of(titled(other, labels), "scenario")
                drawn = lines_panel(lines, heading, drawn_as, "scenario", len(panels))
                panels.append(with_level(drawn, 0.0))
    return small_multiples("scenarios", title, caption(differences is not None, label(baseline, labels)), panels)


def caption(has_differences: bool, baseline: str) -> str:
    """What the marks mean, and what to look for in the differences."""
    bands = "Lines: medians; bands: 95% of the draws."
    if not has_differences:
        return bands
    named = "" if baseline.lower() == "baseline" else f" ({baseline})"
    return (
        f"{bands} Differences from the baseline{named} are taken draw by draw; where their band keeps clear of "
        "zero, the model is 95% sure of the direction."
    )


def scenario_look(scenarios: Sequence[str], baseline: str, labels: Mapping[str, str] | None) -> Look:
    """A dark grey line for the baseline, which comes first; a colour for each other one, the same in every panel."""
    others = [name for name in scenarios if name != baseline]
    colours = [each for each in COLOURS if each != BLACK]
    # The baseline's line is whole and so is the first scenario's: dark grey and a colour are told apart.
    return look(
        [label(name, labels) for name in (baseline, *others)],
        [BLACK, *(colours[index % len(colours)] for index in range(len(others)))],
        [DASHES[0], *(DASHES[index % len(DASHES)] for index in range(len(others)))],
    )


def titled(rows: pd.DataFrame, labels: Mapping[str, str] | None) -> pd.DataFrame:
    """The rows with the titles of their scenarios in place of the names."""
    return rows.assign(scenario=[label(str(name), labels) for name in rows["scenario"]])
