"""What a report says, before it is decided how it looks: plain values, filled in by whoever has the results.

Every row is one line of a table. Texts are shown as they are; nothing in them is taken for markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from modelworks.diagnostics import Verdict
from modelworks.plots import Figure


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One question asked of the draws, and its answer in a sentence.

    `value` is what was measured, which `measures` says, held against `threshold`; `remedy` is what to do where it is
    not fine.
    """

    name: str
    title: str
    verdict: Verdict
    reason: str
    value: float | None = None
    measures: str = ""
    threshold: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class QuantityRow:
    """A named number of the study: median and 95% interval, in `unit`.

    `text` is the number as it should be read where the three are not (a date of a peak, say).
    """

    name: str
    title: str
    unit: str
    median: float | None
    low: float | None
    high: float | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class RelianceRow:
    """How a named number changes when one source, a prior or a series, is trusted twice as much, to the first order.

    `distance` is how far its distribution moves (0 to 1, cumulative Jensen-Shannon, per doubling); `move` is of its
    mean, in `unit`, and `in_sd` in its standard deviations.
    """

    name: str
    title: str
    kind: str
    source: str
    move: float
    unit: str
    in_sd: float
    distance: float


@dataclass(frozen=True, slots=True)
class PosteriorRow:
    """A calibrated parameter: what was believed before, and where the draws lie, in `unit`."""

    name: str
    meaning: str
    unit: str
    prior: str
    mean: float
    sd: float
    q025: float
    q50: float
    q975: float
    r_hat: float
    ess_bulk: float
    ess_tail: float


@dataclass(frozen=True, slots=True)
class AvertedRow:
    """What a scenario averts of an output's events over the whole time: median and 95%, and its share of them.

    Negative where the scenario has more of them than the baseline.
    """

    scenario: str
    output: str
    unit: str
    median: float
    low: float
    high: float
    share: float | None
    share_low: float | None
    share_high: float | None


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """How probable it is that an output goes above a threshold in a scenario: ever, and most on one day.

    `likely` is the first day by which it is more probable than not; empty where there is none.
    """

    name: str
    title: str
    scenario: str
    ever: float
    highest: float
    highest_on: str
    likely: str


@dataclass(frozen=True, slots=True)
class AssumptionRow:
    """A value or a prior that somebody chose, with where it was found and where it is written.

    `place` is the file and line; `by`, `when` and `why` say who chose it.
    """

    name: str
    value: str
    unit: str
    source: str
    place: str = ""
    meaning: str = ""
    by: str = ""
    when: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A series the model was fitted to: how many values, of which dates, how compared, and where from."""

    name: str
    output: str
    unit: str
    covers: str
    points: int
    held_out: int
    first: str
    last: str
    likelihood: str
    source: str


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """How the observations of a target that were held out compare with what was predicted for them.

    `inside` of `points` lie in the 95% range, with a chance of `chance` of so few in a sound model; `crps` is
    the mean continuous ranked probability score in `unit`, `naive_crps` that of repeating the last value seen.
    """

    name: str
    unit: str
    points: int
    inside: int
    chance: float
    crps: float | None
    naive_crps: float | None


@dataclass(frozen=True, slots=True)
class FitRow:
    """How a target compares with what the posterior predicts for it, in numbers.

    `inside` of `points` lie in the 95% range; `p_…` are two-sided posterior predictive p-values; `autocorrelation` is
    of neighbouring residuals; `elpd`, with its standard error `se`, the log density of the observations, each foretold
    from all the others (LOO), which for `doubtful` of them the draws can not say.
    """

    name: str
    points: int
    inside: int
    p_mean: float | None
    p_maximum: float | None
    p_time_of_maximum: float | None
    p_dispersion: float | None
    autocorrelation: float | None
    elpd: float | None
    se: float | None
    doubtful: int


@dataclass(frozen=True, slots=True)
class DataRow:
    """A dataset of the catalogue; `sha256` is of the file as it was used.

    `checks` says what was asked of it, and which failing was accepted for which reason.
    """

    name: str
    title: str
    publisher: str
    licence: str
    source: str
    sha256: str
    retrieved: str = ""
    checks: str = ""


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """A scenario and what differs in it from the baseline, one change a text."""

    name: str
    title: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage of the line with the time it took; `reused` says that it had been finished before."""

    name: str
    seconds: float
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture that somebody else's program made; `path` is its place in the folder of the run."""

    path: str
    title: str
    content: bytes
    kind: Literal["image/png", "image/svg+xml"]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The first rows of a table that somebody else's program made, as texts; `total` is how many rows it has."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int


@dataclass(frozen=True, slots=True)
class Section:
    """Figures that belong together, under one heading, with pictures and tables that are not ours."""

    title: str
    figures: tuple[Figure, ...]
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()


@dataclass(frozen=True)
class Page:
    """Everything a report says.

    Attributes
    ----------
    study, model, region : str
        Names, as in the key of a run; the model's is empty where there is none.
    verdict : Verdict or None
        None where the draws have not been judged.
    sentences : texts
        Why the verdict is what it is, for people who do not sample.
    diagram : str
        The model as an SVG picture.
    evidence : (float, float)
        The log evidence and its standard error, where the sampler gives it.
    provenance : mapping
        What `runs.provenance` gives: commit, branch, dirty, person, machine, packages, …
    finished : str
        When, as ISO 8601 in UTC.
    citation : str
        How to cite this result.
    rebuild : texts
        The commands that make this page again.
    warnings : texts
        What a reader must know that is no check: left-out data, an old lock, a model run that failed.
    """

    study: str
    title: str
    question: str
    model: str
    region: str = ""
    answer: str = ""
    verdict: Verdict | None = None
    sentences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    sections: tuple[Section, ...] = ()
    quantities: tuple[QuantityRow, ...] = ()
    reliance: tuple[RelianceRow, ...] = ()
    posterior: tuple[PosteriorRow, ...] = ()
    scenarios: tuple[ScenarioRow, ...] = ()
    averted: tuple[AvertedRow, ...] = ()
    thresholds: tuple[ThresholdRow, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    forecasts: tuple[ForecastRow, ...] = ()
    evidence: tuple[float, float] | None = None
    fits: tuple[FitRow, ...] = ()
    assumptions: tuple[AssumptionRow, ...] = ()
    data: tuple[DataRow, ...] = ()
    diagram: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[StageRow, ...] = ()
    finished: str = ""
    authors: tuple[str, ...] = ()
    citation: str = ""
    rebuild: tuple[str, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure, in the order of the page."""
        return tuple(figure for section in self.sections for figure in section.figures)
