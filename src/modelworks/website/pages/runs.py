"""The list of runs, and what may be asked of it: all of it stands in the address, which can be sent to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from modelworks.errors import Letter, ModelworksError
from modelworks.report import words
from modelworks.runs import NUMBER, Listing, Wanted, condition, folder_name
from modelworks.website._house import Workspace
from modelworks.website._render import at, page, part
from modelworks.website._studies import record
from modelworks.website._views import views
from modelworks.website.access.visits import Reader, Visit

router = APIRouter()

SHOWN = 50
MOST_SHOWN = 500
# Of a facet with more values the most frequent are shown, until somebody asks for all.
VALUES_SHOWN = 8
LATEST = "-time"


class Column(NamedTuple):
    """A column of the list: its title, and how one sorts by it: as a form says it, the way of a first click first."""

    title: str
    orders: tuple[tuple[str, str], ...] = ()


def _by_letters(name: str, title: str) -> Column:
    return Column(title, ((name, f"{title}, A to Z"), (f"-{name}", f"{title}, Z to A")))


# By their names in an address.
COLUMNS: Mapping[str, Column] = {
    "study": _by_letters("study", "Study"),
    "model": _by_letters("model", "Model"),
    "region": _by_letters("region", "Region"),
    "verdict": Column("Verdict", (("-verdict", "Stop, look, fine"), ("verdict", "Fine, look, stop"))),
    "answer": Column("Answer"),
    "time": Column("Finished", ((LATEST, "The latest first"), ("time", "The earliest first"))),
    "seconds": Column("Time taken", (("-seconds", "The longest first"), ("seconds", "The shortest first"))),
    "person": _by_letters("person", "By"),
    "approval": Column("Approval"),
    "commit": Column("Commit"),
}
# What a condition or an order is about that no run has any more.
_GONE = {"R151": "a number"}
FIRST_COLUMNS = ("study", "verdict", "answer", "time", "seconds", "person")
TITLES = {"study": "Study", "verdict": "Verdict", "region": "Region", "person": "By", "approved": "Approved"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked of the list; what is empty asks nothing. `sort` has a `-` where the largest come first."""

    study: str = ""
    verdict: str = ""
    region: str = ""
    person: str = ""
    approved: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""
    where: str = ""
    sort: str = LATEST
    column: tuple[str, ...] = ()

    def wanted(self, limit: int) -> Wanted:
        """The same, as the index takes it; R151 where a day, a condition or an order is none."""
        asked = ("verdict", "region", "person", "tag", "since", "until")
        texts = {name: getattr(self, name).strip() or None for name in asked}
        conditions = tuple(condition(each) for each in self.where.split(",") if each.strip())
        return Wanted(
            **texts, of_study=self.study.strip() or None, approved=bool(self.approved), conditions=conditions,
            limit=limit, order=self.sort.removeprefix("-"), descending=self.sort.startswith("-"),
        )  # fmt: skip

    @classmethod
    def of(cls, query: str) -> Asked:
        """What the query of an address asks; what is not known of it is left out."""
        said = {name: each for name, each in parse_qs(query).items() if name in cls.__dataclass_fields__}
        return cls(**{name: tuple(each) if name == "column" else each[0] for name, each in said.items()})  # type: ignore[arg-type]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to show, in their order; numbers come after what is known of every run."""
        chosen = [name for name in COLUMNS if name in self.column]
        return (*(chosen or FIRST_COLUMNS), *self.numbers)

    @property
    def numbers(self) -> list[str]:
        """The numbers to show, as columns; what the list is sorted by is shown, too."""
        asked = (*self.column, self.sort.removeprefix("-"))
        return [name for name in dict.fromkeys(asked) if name.startswith(NUMBER)]

    @property
    def narrows(self) -> bool:
        """Whether anything is asked that not every run is."""
        return any(value for name, value in self.said().items() if name not in ("sort", "column"))

    def said(self) -> dict[str, Any]:
        """What an address has to say of it."""
        every = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in every.items() if value and (name, value) != ("sort", LATEST)}

    def but(self, **other: Any) -> str:
        """The query of an address that asks the same but for this; what is empty is left out."""
        return urlencode({name: value for name, value in (self.said() | other).items() if value}, doseq=True)

    def sorted_by(self, column: str) -> str:
        """The query behind the title of a column: sorts by it, and the other way round where it does so already."""
        (first, _), (second, _) = column_of(column).orders
        chosen = second if self.sort == first else first
        return self.but(sort="" if chosen == LATEST else chosen)

    def hidden(self, *shown: str) -> list[tuple[str, str]]:
        """What a form has to carry that shows fields for these."""
        said = [(name, value) for name, value in self.said().items() if name not in shown]
        return [(name, each) for name, value in said for each in (value if isinstance(value, tuple) else (value,))]


@dataclass(frozen=True, slots=True)
class Facet:
    """A way to narrow the list: each of its values with how many runs there are, and the address that asks for it.

    `count` is that of all its values, of which the most frequent are shown, or those that `find` finds where it is
    `opened`.
    """

    name: str
    values: tuple[tuple[str, int, str, bool], ...]
    count: int
    opened: bool = False
    find: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.name]


@router.get("/w/{workspace}/runs")
def runs(
    request: Request,
    visit: Reader,
    study: str = "",
    verdict: str = "",
    region: str = "",
    person: str = "",
    approved: str = "",
    tag: str = "",
    since: str = "",
    until: str = "",
    where: str = "",
    sort: str = LATEST,
    column: Annotated[Sequence[str], Query()] = (),
    show: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = SHOWN,
    facet: str = "",
    find: str = "",
) -> Response:
    """The runs asked for, the latest first or in the order that was asked for.

    `facet` names one of which all values are shown that have the letters to `find`.
    """
    asked = Asked(study, verdict, region, person, approved, tag, since, until, where, sort or LATEST, tuple(column))
    unknown = sorted({*request.query_params} - {*asked.__dataclass_fields__, "show", "facet", "find"})
    return shown(request, visit, asked, show=show, facet=facet, find=find, unknown=unknown)


def shown(
    request: Request,
    visit: Visit,
    asked: Asked,
    status: int = 200,
    *,
    show: int = SHOWN,
    facet: str = "",
    find: str = "",
    unknown: Sequence[str] = (),
    letters: tuple[Letter, ...] = (),
    named: str | None = None,
) -> Response:
    """The list; with `letters` of a view that could not be saved as it was `named`."""
    workspace = visit.workspace
    found = views(visit.house.people, workspace.name, visit.person.id)
    chosen = [each for each in found if each.query == asked.but()]
    facets: list[Facet] = []
    try:
        wanted = asked.wanted(show)
        listing = workspace.index.select(wanted)
        facets = _facets(asked, workspace.index.counts(wanted, listing.approved), facet, find)
    except ModelworksError as error:
        # What was saved is opened all the same: it says what is gone, and can be removed.
        if not (chosen and _GONE.keys() & {*error.codes}):
            raise
        listing, letters = Listing((), 0), error.letters
    if status == 200 and not listing.rows and (copied := _copied(workspace, asked.study)):
        return RedirectResponse(f"{at(workspace.name, 'runs')}?{asked.but(study=copied)}", 302)
    return page(
        request, "runs.html.j2", status,
        listing=listing, asked=asked, facets=facets, columns=COLUMNS, column_of=column_of,
        more=asked.but(show=min(2 * show, MOST_SHOWN)) if listing.total > show < MOST_SHOWN else "",
        views=found, chosen=chosen, unknown=unknown, letters=letters, named=named,
        rows=_rows(workspace, listing, asked), names=workspace.index.names_in(listing),
    )  # fmt: skip


def _copied(workspace: Workspace, study: str) -> str | None:
    """The study of which this is a copy with something assumed otherwise: addresses of before named the copy."""
    return workspace.index.copies().get(folder_name(study)) if study.strip() else None


def column_of(name: str) -> Column:
    """The column of that name, which may be one of a number."""
    if name in COLUMNS:
        return COLUMNS[name]
    title = name.removeprefix(NUMBER).replace("_", " ").capitalize()
    return Column(title, ((f"-{name}", f"{title}, the largest first"), (name, f"{title}, the smallest first")))


def _facets(asked: Asked, counts: Mapping[str, Mapping[str, int]], opened: str, find: str) -> list[Facet]:
    """What the list may be narrowed by: of a facet in which all runs are alike there is nothing to choose."""
    found = []
    for name in TITLES:
        chosen = getattr(asked, name)
        # What is chosen may be a word of which there is no run.
        counted = {
            **({chosen: 0} if chosen else {}),
            **{value: count for value, count in counts["of_study" if name == "study" else name].items() if count},
        }
        if not chosen and len(counted) < (1 if name == "approved" else 2):
            continue
        if name == opened:
            shown = sorted(value for value in counted if find.strip().casefold() in value.casefold())
        else:
            shown = sorted(counted, key=lambda value: (value != chosen, -counted[value], value))[:VALUES_SHOWN]
        values = tuple(
            (value, counted[value], asked.but(**{name: "" if value == chosen else value}), value == chosen)
            for value in shown
        )
        found.append(Facet(name, values, len(counted), name == opened, find))
    return found


def _rows(workspace: Workspace, listing: Listing, asked: Asked) -> str:
    """The rows of the table, with those numbers that stand in columns."""
    keys = [row.key for row in listing.rows]
    chosen = [name.removeprefix(NUMBER) for name in asked.columns if name.startswith(NUMBER)]
    told = {key: {name: _told(record(workspace, key), name) for name in chosen} for key in keys if chosen}

    def drawn() -> str:
        return part(
            workspace.name, "run_rows.html.j2",
            rows=listing.rows, columns=asked.columns, numbers=told, column_of=column_of,
        )  # fmt: skip

    numbers = tuple(tuple(each.items()) for each in told.values())
    return workspace.remembered(("rows", asked.columns, listing.rows, numbers), drawn)


def _told(said: Mapping[str, Any], name: str) -> tuple[str, str] | None:
    """A number of a run in words, and its unit; what the study names goes before what it assumes."""
    for group in ("quantities", "parameters", "measures"):
        found = (said.get(group) or {}).get(name)
        if found is not None:
            number = found if isinstance(found, Mapping) else {"value": found}
            unit = str(number.get("unit") or "")
            return words.told({"median": number.get("value"), **number}), "" if unit == "date" else unit
    return None
