"""What the study's named numbers rest on, and how well they are known: for who has to decide, and for a referee."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modelworks.calibration import Posterior
from modelworks.diagnostics import Diagnosis
from modelworks.diagnostics.reliance import Reliance, reliance
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.projection import _projection

if TYPE_CHECKING:
    from modelworks.study.stages import Work

Array = NDArray[np.float64]

PRIOR, TARGET = "prior", "series"


def sources_of(study: BoundStudy, posterior: Posterior) -> dict[tuple[str, str], Array]:
    """The log density of each prior and the log likelihood of each target, at every draw (sample,).

    Of a group its hyperparameters have priors; those of its members follow from them. Draws that came by a distance to
    the data rest on no likelihood.
    """
    found = {
        (PRIOR, name): np.asarray(prior.log_density(posterior.draws(name).ravel()))
        for name, prior in study.priors.items()
    }
    if posterior.by_distance:
        return found
    return found | {(TARGET, name): each.sum(axis=1) for name, each in posterior.log_likelihood().items()}


def write(work: Work, projected: _projection.Projected) -> None:
    """The draws of every named number, what each rests on, and a sentence on how well the answer is known."""
    study, posterior = work.study, work.posterior()
    asked = study.inputs.study
    sources = sources_of(study, posterior)
    total = posterior.draws(study.free[0]).size if study.free else 1
    places = _projection.thinned(total, asked.projection.draws)
    draws, found = [], {}
    for name, values in projected.values.items():
        at = places if len(values) == len(places) else np.arange(len(values))
        draws.append(pd.DataFrame({"name": name, "draw": at, "value": values}))
        above = asked.quantities[name].above
        judged = values if above is None else (values > above).astype(float)
        # What does not depend on what was calibrated has one value, and rests on none of it.
        found[name] = reliance(judged, {source: each[at] for source, each in sources.items()}) if study.free else []
    if draws:
        pd.concat(draws, ignore_index=True).to_parquet(work.folder / "quantities.parquet", index=False)
    rows = [{"name": name, **each.as_dict()} for name, listed in found.items() for each in listed]
    known = how_well_known(asked.answer, projected.quantities, found)
    work.write_json("reliance.json", {"known": known, "rows": rows})


def told(diagnosis: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """A diagnosis whose last sentence is about the answer and not about parameters, where that is known."""
    known = json.loads((project / "reliance.json").read_text(encoding="utf-8"))["known"]
    found = Diagnosis.from_dict(diagnosis)
    return (replace(found, known=known) if known else found).as_dict()


def how_well_known(
    template: str | None, quantities: Mapping[str, Mapping[str, Any]], found: Mapping[str, list[Reliance]]
) -> str:
    """One sentence: the numbers of the answer known best and least, and on what the latter rests; or nothing.

    >>> two = {"a": {"title": "All", "median": 100.0, "low": 90.0, "high": 110.0}}
    >>> two["b"] = {"title": "Less", "median": 5.0, "low": -2.0, "high": 12.0}
    >>> how_well_known(None, two, {"a": [], "b": [Reliance("prior", "lag", 3.0, 0.7, 0.1)]})
    '“All” is known to within 10%, but not whether “Less” is above zero; that rests most on what was assumed about lag.'
    """
    named = [name for name in asked_for(template, quantities) if "high" in quantities[name] and name in found]
    if not named:
        return ""
    least = max(named, key=lambda name: _width(quantities[name]))
    best = min(named, key=lambda name: _width(quantities[name]))
    rests = _rests_on(found[least])
    title = f"“{quantities[least]['title']}”"
    if not np.isfinite(_width(quantities[least])):
        known = f"It is not known whether {title} is above zero"
        if np.isfinite(_width(quantities[best])):
            known = f"{_known(quantities[best])}, but not whether {title} is above zero"
        return f"{known}{rests}."
    if best == least:
        return f"{_known(quantities[least])}{rests}."
    return f"{_known(quantities[best])}, {title} to within {_percent(quantities[least])}{rests}."


def asked_for(template: str | None, quantities: Mapping[str, Any]) -> Iterator[str]:
    """The quantities of the answer; all where it names none."""
    said = [name for _, name, _, _ in string.Formatter().parse(template or "") if name and name in quantities]
    yield from dict.fromkeys(said) or quantities


def _known(told: Mapping[str, Any]) -> str:
    return f"“{told['title']}” is known to within {_percent(told)}"


def _percent(told: Mapping[str, Any]) -> str:
    """Two digits of a share in percent, however large.

    >>> _percent({"low": 0.342, "median": 3.41, "high": 15.1})
    '220%'
    """
    return f"{float(f'{100 * _width(told):.2g}'):,g}%"


def _width(told: Mapping[str, Any]) -> float:
    """Half of the 95% interval as a share of the median; infinite where the interval holds zero."""
    low, middle, high = (float(told[name]) for name in ("low", "median", "high"))
    return np.inf if low <= 0 <= high else (high - low) / (2 * abs(middle))


def _rests_on(found: list[Reliance]) -> str:
    if not found or not found[0].matters:
        return ""
    source = f"what was assumed about {found[0].source}" if found[0].kind == PRIOR else f"the data of {found[0].source}"
    return f"; that rests most on {source}"
