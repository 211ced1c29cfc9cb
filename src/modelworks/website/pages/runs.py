"""The list of runs, and what may be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from modelworks.runs import Wanted, condition
from modelworks.website._render import page
from modelworks.website._studies import studies
from modelworks.website.access.visits import Reader

router = APIRouter()

SHOWN = 50
MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked of the list; what is empty asks nothing."""

    study: str = ""
    verdict: str = ""
    region: str = ""
    person: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""
    where: str = ""

    def wanted(self, limit: int) -> Wanted:
        """The same, as the index takes it; R151 where a day or a condition is none."""
        texts = {name: value.strip() or None for name, value in self.said().items() if name != "where"}
        conditions = tuple(condition(each) for each in self.where.split(",") if each.strip())
        return Wanted(**texts, conditions=conditions, limit=limit)  # type: ignore[arg-type]

    def said(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@router.get("/w/{workspace}/runs")
def runs(
    request: Request,
    visit: Reader,
    study: str = "",
    verdict: str = "",
    region: str = "",
    person: str = "",
    tag: str = "",
    since: str = "",
    until: str = "",
    where: str = "",
    show: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = SHOWN,
) -> Response:
    """The runs asked for, the latest first."""
    asked = Asked(study, verdict, region, person, tag, since, until, where)
    listing = visit.workspace.index.select(asked.wanted(show))
    said = {name: value for name, value in asked.said().items() if value}
    more = urlencode({**said, "show": min(2 * show, MOST_SHOWN)}) if listing.total > show < MOST_SHOWN else ""
    names = [each.name for each in studies(visit.workspace)]
    return page(request, "runs.html.j2", listing=listing, asked=asked, more=more, studies=names)
