"""What a model of tuberculosis reports: series of the country, of each place, and of each manifestation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from modelworks.model._declaration import Output
from modelworks.model._expression import Expression, events, people
from modelworks.model.library.tb.disease import MANIFESTATIONS


def outputs(found_by: Collection[str], places: Collection[str] = (), *, by_manifestation: bool) -> dict[str, Output]:
    """Stocks now, and what happened since the output before; `found_by` are the flows that notify.

    A name ends with the place it is of: `prevalence_majuro`.
    """
    found = {
        "population": Output(people(), "people", title="People"),
        "new_cases": Output(_new_cases(), "people", title="People who fall ill"),
        "deaths": Output(
            events("death_untreated") + events("death_treated"), "people", title="Deaths from tuberculosis"
        ),
        **_of(found_by),
    }
    for place in places:
        found |= _of(found_by, place)
    if by_manifestation:
        for each in MANIFESTATIONS:
            found[f"notifications_{each}"] = Output(
                _summed(found_by, manifestation=each), "people", title=f"Notifications, {each.replace('_', '-')}"
            )
    return found


def _of(found_by: Collection[str], place: str | None = None) -> dict[str, Output]:
    """What is reported of the country and of each place alike."""
    there: dict[str, Any] = {} if place is None else {"place": place}
    everybody = people(**there)
    end, within = ("", "") if place is None else (f"_{place}", f" in {place.capitalize()}")
    ill, latent = people("infectious", **there), people("early_latent", "late_latent", **there)
    rate = "per 100,000 people"
    return {
        f"incidence{end}": Output(1e5 * _new_cases(**there) / everybody, rate, title=f"Incidence{within}"),
        f"notifications{end}": Output(_summed(found_by, **there), "people", title=f"Notifications{within}"),
        f"prevalence{end}": Output(1e5 * ill / everybody, rate, title=f"Prevalence{within}"),
        f"latent{end}": Output(100 * latent / everybody, "percent", title=f"Latently infected{within}"),
    }


def _new_cases(**where: Any) -> Expression:
    return _summed(("early_progression", "late_progression"), **where)


def _summed(flows: Collection[str], **where: Any) -> Expression:
    first, *others = (events(flow, **where) for flow in flows)
    for each in others:
        first = first + each
    return first
