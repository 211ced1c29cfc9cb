"""Which of two runs foretells the same data better: leave-one-out cross-validation, and the evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Posterior
from modelworks.diagnostics.loo import Loo, LooDifference, difference, loo
from modelworks.errors import ModelworksError, fail
from modelworks.report import Foresight
from modelworks.report.words import signed
from modelworks.runs import Run, rows_of
from modelworks.study import stages

# Of a target, what says which data points it has; a density is per unit, and a weight makes it none.
SAME = ("unit", "covers", "points", "first", "last")
WEIGHTED = "; weight "


@dataclass(frozen=True, slots=True)
class Evidence:
    """By how much the log evidence of the second of two models is larger, with its standard error."""

    difference: float
    error: float

    @property
    def in_words(self) -> str:
        better = "second" if self.difference > 0 else "first"
        return f"log evidence: larger by {abs(self.difference):.1f} ± {self.error:.1f} for the {better}"


@dataclass(frozen=True)
class Foretold:
    """How much better the later run foretells each target, and all of them; `evidence` where both runs have it."""

    by_target: Mapping[str, LooDifference]
    total: LooDifference
    evidence: Evidence | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        evidence = self.evidence and {"difference": self.evidence.difference, "error": self.evidence.error}
        by_target = {name: _plain(each) for name, each in self.by_target.items()}
        return {"total": _plain(self.total), "by_target": by_target, "evidence": evidence}


def foretold(before: Run, after: Run) -> Foretold:
    """Hold two runs against each other on the data that both were calibrated to.

    Raises
    ------
    ModelworksError
        Y541, where the runs did not see the same data points, or one of them has no draws.
    """
    one, other = (_posterior(run) for run in (before, after))
    _check_same(before, after, one, other)
    densities = [each.log_likelihood() for each in (one, other)]
    # Where nothing was observed the densities of both are zero; what one of them is sure of may be zero in that one.
    there = {name: ((values != 0) | (densities[1][name] != 0)).any(axis=0) for name, values in densities[0].items()}
    first, second = ({name: loo(each[name][:, there[name]]) for name in there} for each in densities)
    by_target = {name: difference(first[name], second[name]) for name in there}
    return Foretold(by_target, difference(_together(first), _together(second)), _evidence(one, other))


def foresight(runs: Sequence[Run]) -> list[Foresight]:
    """How much better each later run foretells the data than the first, series by series; or why nobody can say."""
    rows: list[Foresight] = []
    for after in runs[1:]:
        try:
            found = foretold(runs[0], after)
        except ModelworksError as error:
            rows.append(Foresight(after.id, why_not=error.letters[0].message))
            continue
        for name, each in {**found.by_target, "all series": found.total}.items():
            rows.append(Foresight(after.id, name, f"{signed(each.elpd, decimals=1)} ± {each.se:.1f}", each.in_words))
    return rows


def _posterior(run: Run) -> Posterior:
    path = run.file(f"{stages.CALIBRATE}/posterior.nc")
    if path is None:
        fail(
            "Y541",
            f"the run {run.id} has no draws, so nothing says how well it foretells the data",
            hint=f"modelworks run {run.record.get('study', '')}",
        )
    found = Posterior.read(path)
    if found.by_distance:
        fail(
            "Y541",
            f"the draws of {run.id} came by a distance to the data, so no likelihood says how well they foretell it",
            hint="compare runs whose sampler takes a likelihood, as `pmmh` does of a model that runs by chance",
        )
    return found


def _check_same(before: Run, after: Run, one: Posterior, other: Posterior) -> None:
    """Both have the same targets with the same observations, of which none is weighted."""
    seen, again = one.observed(), other.observed()
    told, told_again = _targets(before), _targets(after)
    unlike = sorted(seen.keys() ^ again.keys())
    if unlike:
        _other_data(before, after, f"only one of them has {', '.join(unlike)}")
    for name, values in seen.items():
        rows = [each.get(name, {}) for each in (told, told_again)]
        other_points = not np.array_equal(values, again[name], equal_nan=True)
        if other_points or any(rows[0].get(part) != rows[1].get(part) for part in SAME):
            _other_data(before, after, f"the observations of {name} differ")
        if any(WEIGHTED in f"; {row.get('likelihood', '')}" for row in rows):
            _other_data(before, after, f"{name} is weighted, and a weighted density is none of data")


def _other_data(before: Run, after: Run, why: str) -> None:
    fail(
        "Y541",
        f"{before.id} and {after.id} can not be compared by how well they foretell the data: {why}",
        hint="compare runs that were calibrated to the same values of the same targets, each counted once",
    )


def _targets(run: Run) -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in rows_of(run.file("tables/targets.csv"))}


def _together(parts: Mapping[str, Loo]) -> Loo:
    def joined(arrays: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.concatenate(arrays) if arrays else np.empty(0)

    return Loo(joined([each.pointwise for each in parts.values()]), joined([each.k for each in parts.values()]))


def _evidence(one: Posterior, other: Posterior) -> Evidence | None:
    found = [each.attributes.get("log_evidence") for each in (one, other)]
    errors = [float(each.attributes.get("log_evidence_error", 0.0)) for each in (one, other)]
    if found[0] is None or found[1] is None:
        return None
    return Evidence(float(found[1] - found[0]), math.hypot(*errors))


def _plain(found: LooDifference) -> dict[str, Any]:
    se = found.se if np.isfinite(found.se) else None
    return {"elpd": found.elpd, "se": se, "points": found.points, "doubtful": found.doubtful}
