"""The same outputs from several runs, over each other in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelworks.plots._figure import Figure
from modelworks.plots._lines import DASHES, Lines, Look, lines_panel, look
from modelworks.plots._panels import QUANTILES, chosen, label, need_columns, small_multiples
from modelworks.plots._theme import COLOURS, GREY

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("output", "run", "time", *QUANTILES)
CAPTION = (
    "Lines: medians; bands: 95% of the draws. The first run is grey; where lines lie on each other, nothing moved."
)


def draw(
    quantiles: pd.DataFrame,
    *,
    outputs: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "Over time",
) -> Figure:
    """A panel for each output, with a line and a band for each run that has it.

    Parameters
    ----------
    quantiles : table with columns output, run, time, q025, q25, q50, q75, q975
        `run` is the run's title.
    outputs : names of the outputs to draw, in order; all where not given
    labels : name of an output to its title
    """
    import pandas as pd

    need_columns(quantiles, COLUMNS, "the table of runs")
    # By positions, of arrays: a page waits for it.
    output, known = pd.factorize(quantiles["output"])
    lines = Lines.of(quantiles, "run")
    drawn_as = run_look(lines.names)
    names = chosen(outputs, known, "output")
    of_each = [lines.at(np.flatnonzero(output == known.get_loc(name))) for name in names]
    panels = [
        lines_panel(each, label(name, labels), drawn_as, "run", index)
        for index, (name, each) in enumerate(zip(names, of_each, strict=True))
    ]
    return small_multiples("compared", title, CAPTION, panels)


def run_look(runs: Sequence[str]) -> Look:
    """Grey for the first run and a colour for each other one, as where their draws lie over each other."""
    others = len(runs) - 1
    return look(
        runs,
        [GREY, *(COLOURS[k % len(COLOURS)] for k in range(others))],
        [DASHES[k % len(DASHES)] for k in range(len(runs))],
    )
