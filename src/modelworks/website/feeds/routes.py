"""The addresses below `/w/{workspace}/feeds`: OData, CSV, Parquet, Atom, and a page that says how to use them."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, NoReturn

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.runs import Run
from modelworks.website._render import at, page
from modelworks.website.access.visits import Reader, Visit
from modelworks.website.feeds._atom import CONTENT_TYPE, atom
from modelworks.website.feeds._export import FORMS
from modelworks.website.feeds._feeds import Feeds
from modelworks.website.feeds._query import Query as Wanted
from modelworks.website.feeds._schema import TABLES, Table, published
from modelworks.website.feeds._source import Feed
from modelworks.website.feeds.expressions import parse_filter
from modelworks.website.feeds.odata import Answer, Asked, answer, refusal

router = APIRouter()
# Programs that load tables ask with HEAD first whether there are any.
read = functools.partial(router.api_route, methods=["GET", "HEAD"])

# What was approved may be another run tomorrow: whoever keeps an answer asks again before showing it.
FRESH = {"Cache-Control": "private, no-cache"}
LONGEST_NAME = 100


def feeds_of(visit: Visit) -> Feeds:
    """The feeds of the workspace somebody is in."""
    workspace = visit.workspace
    return workspace.remembered(("feeds",), lambda: Feeds(workspace.store, workspace.index))


@read("/w/{workspace}/feeds")
def how_to(request: Request, visit: Reader) -> Response:
    """What to click in Power BI and in Excel, with the text to paste."""
    root = f"{visit.house.settings.address}{at(visit.workspace.name, 'feeds')}"
    return page(request, "feeds.html.j2", root=root, tables=TABLES.values())


@read("/w/{workspace}/feeds/schema.json")
def schema(visit: Reader) -> Response:
    """Every table and column, with its type, unit and meaning."""
    return Response(published(), media_type="application/json")


@read("/w/{workspace}/feeds/approved.atom")
def news(visit: Reader) -> Response:
    """What was approved, the latest first."""
    workspace = visit.workspace
    address = f"{visit.house.settings.address}{at(workspace.name)}"

    def record(key: str) -> dict[str, object]:
        try:
            return workspace.remembered(("record", key), lambda: dict(workspace.store.record(key)))
        except ModelworksError:
            # A run that was superseded may have been pruned; that it was approved once stays true.
            return {}

    return Response(
        atom(workspace.title, address, feeds_of(visit).promotions(), record), media_type=CONTENT_TYPE, headers=FRESH
    )


@read("/w/{workspace}/feeds/runs/{run_id}/odata")
@read("/w/{workspace}/feeds/runs/{run_id}/odata/{path:path}")
def odata_of_run(request: Request, visit: Reader, run_id: str, path: str = "") -> Response:
    """The OData service of one run."""
    run, feed = _of_run(visit, run_id)
    return _odata(request, visit, ("runs", run.id), feed, path)


@read("/w/{workspace}/feeds/{feed}/odata")
@read("/w/{workspace}/feeds/{feed}/odata/{path:path}")
def odata(request: Request, visit: Reader, feed: str, path: str = "") -> Response:
    """The OData service of what is approved, or of all runs."""
    return _odata(request, visit, (feed,), feeds_of(visit).called(feed), path)


@read("/w/{workspace}/feeds/runs/{run_id}/{table}.{form}")
def table_of_run(
    visit: Reader, run_id: str, table: str, form: str, where: Annotated[str | None, Query(alias="$filter")] = None
) -> Response:
    """A table of one run as CSV or Parquet."""
    run, feed = _of_run(visit, run_id)
    return _file(feed, f"{run.study}-{run.id}", table, form, where)


@read("/w/{workspace}/feeds/{feed}/{table}.{form}")
def table(
    visit: Reader, feed: str, table: str, form: str, where: Annotated[str | None, Query(alias="$filter")] = None
) -> Response:
    """A table of what is approved, or of all runs, as CSV or Parquet."""
    return _file(feeds_of(visit).called(feed), f"{visit.workspace.name}-{feed}", table, form, where)


def _of_run(visit: Visit, run_id: str) -> tuple[Run, Feed]:
    with visit.workspace.index.as_now():
        run = visit.workspace.run(run_id)
        return run, feeds_of(visit).of_run(run)


def _odata(request: Request, visit: Visit, place: tuple[str, ...], feed: Feed, path: str) -> Response:
    root = f"{visit.house.settings.address}{at(visit.workspace.name, 'feeds', *place, 'odata')}"
    asked = Asked(path, request.query_params.multi_items(), dict(request.headers))
    return _sent(answer(feed, root, asked))


def is_odata(request: Request) -> bool:
    """Whether a request is for an OData service, which has a form of its own for what is wrong."""
    return re.match(r"/w/[^/]+/feeds/(runs/)?[^/]+/odata(/|$)", request.url.path) is not None


def refused(letters: Iterable[Letter], status: int) -> Response:
    """What the website refuses, in that form."""
    return _sent(refusal(next(iter(letters)), status))


def _sent(told: Answer) -> Response:
    return Response(told.body, told.status, {**FRESH, **told.headers}, told.content_type)


def _file(feed: Feed, name: str, table: str, form: str, where: str | None) -> Response:
    kind, write = FORMS[form] if form in FORMS else _unknown(form, FORMS)
    wanted: Table = TABLES[table] if table in TABLES else _unknown(table, TABLES)
    query = Wanted(wanted, where=parse_filter(where, wanted) if where is not None else None)
    said = {**FRESH, "Content-Disposition": f'attachment; filename="{name}-{table}.{form}"'}
    return StreamingResponse(_begun(write(feed, query)), media_type=kind, headers=said)


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, the first of them made now: what is wrong with the first run is told before anything is sent."""
    return itertools.chain([next(parts, b"")], parts)


def _unknown(name: str, known: Iterable[str]) -> NoReturn:
    fail("W217", f"there is nothing called `{name[:LONGEST_NAME]}` here", hint=near(name[:LONGEST_NAME], known))
