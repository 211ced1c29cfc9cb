"""The OData service of a feed: a path, its options and headers in; a status and a body out. It knows of no web server.

Source: OData Version 4.01, part 1, Protocol (OASIS Standard, 23 April 2020), and OData JSON Format Version 4.01 (11 May
2020). It says that it is of version 4.0, which every client takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.website.feeds._query import MOST_PAGE_ROWS, PAGE_ROWS, Page, Place, Query, count, page
from modelworks.website.feeds._schema import TABLES, Table
from modelworks.website.feeds._source import Feed
from modelworks.website.feeds.expressions import parse_filter, parse_key, parse_orderby
from modelworks.website.feeds.odata._metadata import csdl_json, csdl_xml, service_document
from modelworks.website.feeds.odata._rows import addresses, rows_as_json

VERSION = "4.0"
JSON, XML, TEXT = "application/json", "application/xml", "text/plain"
OPTIONS = ("$select", "$filter", "$orderby", "$top", "$skip", "$count", "$skiptoken", "$format")
_NOT_HERE = ("$expand", "$search", "$apply", "$compute", "$levels", "$deltatoken")
# What stands between the brackets of a key may be any text, a slash too.
_RESOURCE = re.compile(r"(?P<table>[^/(]*)(?:\((?P<key>.*)\))?(?P<more>/[^)]*)?", re.DOTALL)
# What a letter of ours is in the language of HTTP; the others say that the question was wrong.
_STATUS = {"W214": 501, "W217": 404, "W218": 404, "W219": 406, "W221": 500}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: what comes after the service's root, the query's names and values, and the headers in lower case."""

    path: str
    options: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def option(self, name: str) -> str | None:
        return next((value for each, value in self.options if each == name), None)

    @property
    def aliases(self) -> dict[str, str]:
        """The values that stand elsewhere in the query, as in `$filter=run eq @r&@r='7f3a21'`."""
        return {name: value for name, value in self.options if name.startswith("@")}


def answer(feed: Feed, root: str, asked: Asked) -> Answer:
    """What the service at `root` (an address without a slash at its end) says to a request."""
    try:
        return _answer(feed, root, asked)
    except ModelworksError as error:
        return refusal(error.letters[0])


def refusal(letter: Letter, status: int | None = None) -> Answer:
    """A letter as OData writes its errors."""
    said = f"{letter.message}; {letter.hint}" if letter.hint else letter.message
    return _json({"error": {"code": letter.code, "message": said}}, status or _STATUS.get(letter.code, 400))


def _answer(feed: Feed, root: str, asked: Asked) -> Answer:
    _check_version(asked)
    _check_options(asked)
    path = asked.path.strip("/")
    if path == "$metadata":
        return _metadata(asked)
    plain = _plain(asked)
    if path == "":
        return _json(service_document(root), plain=plain)
    found = _RESOURCE.fullmatch(path)
    table = TABLES.get(found["table"]) if found else None
    if found is None or table is None:
        name = path.partition("(")[0].partition("/")[0]
        fail("W217", f"there is nothing called `{name}` here", hint=near(name, TABLES))
    if (found["more"] or "") not in ("", "/$count") or (found["key"] is not None and found["more"]):
        hint = f"ask for the row, and say which column: {table.name}(…)?$select={table.columns[-1].name}"
        fail("W214", f"nothing of {table.name} has an address like `{found['more']}`", hint=hint)
    query = _query(table, asked)
    if found["key"] is not None:
        return _entity(feed, root, query, parse_key(found["key"], table), plain)
    if found["more"]:
        return Answer(200, str(count(feed, query)).encode(), TEXT, {"OData-Version": VERSION})
    return _collection(feed, root, query, asked, plain)


def _collection(feed: Feed, root: str, query: Query, asked: Asked, plain: bool) -> Answer:
    wished = re.search(r"(?:odata\.)?maxpagesize\s*=\s*(\d{1,9})", asked.headers.get("prefer", ""))
    size = min(max(int(wished[1]), 1), MOST_PAGE_ROWS) if wished else PAGE_ROWS
    found: Page = page(feed, _with_key(query, plain), size)
    told: dict[str, Any] = {} if plain else {"@odata.context": _context(root, query)}
    if _truth(asked.option("$count"), "$count"):
        told["@odata.count"] = count(feed, replace(query, after=None))
    if found.next is not None:
        told["@odata.nextLink"] = _next_link(root, query.table, asked, found.next)
    applied = {"Preference-Applied": f"odata.maxpagesize={size}"} if wished else {}
    rows = f'"value":[{",".join(_written(found.rows, root, query, plain))}]'
    return _said(_with_first(told, rows), headers=applied, plain=plain)


def _entity(feed: Feed, root: str, query: Query, key: Any, plain: bool) -> Answer:
    one = replace(_with_key(query, plain), where=key, order=(), skip=0, top=1, after=None)
    rows = _written(page(feed, one, 1).rows, root, query, plain)
    if not rows:
        fail("W218", f"no row of {query.table.name} has this key", hint=f"list them: {root}/{query.table.name}")
    context = {} if plain else {"@odata.context": f"{_context(root, query)}/$entity"}
    return _said(_with_first(context, rows[0][1:-1]), plain=plain)


def _with_key(query: Query, plain: bool) -> Query:
    """The same with the whole key, of which the address is made that stands in a row shown without it."""
    return query if plain or not query.select else replace(query, select=(*query.select, *query.table.key))


def _written(rows: pa.Table, root: str, query: Query, plain: bool) -> list[str]:
    shown = rows.select(query.columns)
    if not plain and not set(query.table.key) <= set(query.columns):
        shown = shown.add_column(0, "@odata.id", addresses(rows, query.table, root))
    return rows_as_json(shown)


def _query(table: Table, asked: Asked) -> Query:
    where, order, token = (asked.option(name) for name in ("$filter", "$orderby", "$skiptoken"))
    return Query(
        table,
        where=parse_filter(where, table, asked.aliases) if where is not None else None,
        order=parse_orderby(order, table, asked.aliases) if order is not None else (),
        select=_select(asked.option("$select"), table),
        skip=_whole(asked.option("$skip"), "$skip") or 0,
        top=_whole(asked.option("$top"), "$top"),
        after=Place.of(token) if token is not None else None,
    )


def _select(text: str | None, table: Table) -> tuple[str, ...]:
    names = tuple(each.strip() for each in text.split(",")) if text is not None else ()
    if "*" in names:
        return ()
    for name in names:
        if table.column(name) is None:
            hint = near(name, [each.name for each in table.columns])
            fail("W211", f"{table.name} has no column `{name}`", hint=hint)
    return names


def _whole(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        fail("W220", f"{name} is `{text}`", hint="write a whole number, 0 or more")
    return int(text)


def _truth(text: str | None, name: str) -> bool:
    if text not in (None, "true", "false"):
        fail("W220", f"{name} is `{text}`", hint="write true or false")
    return text == "true"


def _check_version(asked: Asked) -> None:
    """A client that takes no answer of version 4 is told so; one that says nothing takes it."""
    most = asked.headers.get("odata-maxversion", VERSION).strip()
    if not re.fullmatch(r"[4-9](\.\d+)?", most):
        fail(
            "W219", f"OData-MaxVersion is `{most}`, and this service is of version {VERSION}", hint=f"ask for {VERSION}"
        )


def _check_options(asked: Asked) -> None:
    """Names of ours, each once; a name without `$` is the client's own affair."""
    names = [name for name, _ in asked.options if name.startswith("$")]
    for name in names:
        if name in _NOT_HERE:
            fail("W214", f"{name} is not offered here", hint=f"what is: {', '.join(OPTIONS)}")
        if name not in OPTIONS:
            fail("W220", f"there is no option `{name}`", hint=near(name, OPTIONS))
        if names.count(name) > 1:
            fail("W220", f"{name} is given twice", hint="join conditions with `and`")
    _truth(asked.option("$count"), "$count")


# -- forms ------------------------------------------------------------------------------------------------


def _metadata(asked: Asked) -> Answer:
    form, accepted = asked.option("$format"), asked.headers.get("accept", "")
    if form is not None and form not in ("json", "xml") and not form.startswith((JSON, XML)):
        fail("W219", f"the description does not come as `{form}`", hint="write $format=xml or $format=json")
    # JSON is a form that clients of 4.0 do not know, so it has to be asked for.
    told_json = form is not None and "json" in form
    only_json = form is None and JSON in accepted and "xml" not in accepted and "*/*" not in accepted
    if told_json or (only_json and asked.headers.get("odata-maxversion", "4.01") != "4.0"):
        return _json(csdl_json(), version="4.01")
    return Answer(200, csdl_xml(), XML, {"OData-Version": VERSION})


def _plain(asked: Asked) -> bool:
    """Whether rows are wanted without the addresses that say what they are; W219 where they are not wanted as JSON."""
    form, accepted = asked.option("$format"), asked.headers.get("accept", "")
    if form is not None and form != "json" and not form.startswith(JSON):
        fail(
            "W219",
            f"rows do not come as `{form}`",
            hint="write $format=json; CSV and Parquet have addresses of their own",
        )
    if form is None and accepted and not re.search(r"application/json|\*/\*|application/\*|text/plain", accepted):
        fail("W219", f"rows do not come as `{accepted}`", hint="ask for application/json")
    return "metadata=none" in (form or accepted)


def _json(value: Any, status: int = 200, *, plain: bool = False, version: str = VERSION) -> Answer:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _said(text, status, plain=plain, version=version)


def _said(
    text: str,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    plain: bool = False,
    version: str = VERSION,
) -> Answer:
    form = f"{JSON};odata.metadata={'none' if plain else 'minimal'}"
    return Answer(status, text.encode(), form, {"OData-Version": version, **(headers or {})})


def _with_first(told: Mapping[str, Any], written: str) -> str:
    """An object of what is told and, after it, of members that are written already."""
    first = json.dumps(told, ensure_ascii=False, separators=(",", ":"))[:-1]
    return f"{first}{',' if told else ''}{written}}}"


def _context(root: str, query: Query) -> str:
    chosen = f"({','.join(query.columns)})" if query.select else ""
    return f"{root}/$metadata#{query.table.name}{chosen}"


def _next_link(root: str, table: Table, asked: Asked, place: Place) -> str:
    kept = [(name, value) for name, value in asked.options if name not in ("$top", "$skip", "$count", "$skiptoken")]
    options = urlencode([*kept, ("$skiptoken", place.as_text())], quote_via=quote, safe="$")
    return f"{root}/{table.name}?{options}"
