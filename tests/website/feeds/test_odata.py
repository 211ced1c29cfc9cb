"""The OData service: what it says of itself, pages that neither lose nor repeat a row, and mistakes as letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree

import pandas as pd
import pytest
from feeds_runs import feed_of

from modelworks.errors import explanations
from modelworks.runs import Store
from modelworks.website.feeds import _query
from modelworks.website.feeds._schema import TABLES
from modelworks.website.feeds._source import Feed, TableCache
from modelworks.website.feeds.odata import Answer, Asked, answer

ROOT = "http://localhost/feeds/runs/odata"
SERIES = TABLES["series"]


def ask(feed: Feed, address: str, **headers: str) -> Answer:
    """The answer to an address below the root, as a web server would hand it over."""
    path, _, query = address.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    return answer(feed, ROOT, Asked(unquote(path), options, {k.replace("_", "-"): v for k, v in headers.items()}))


def read(feed: Feed, address: str, **headers: str) -> dict[str, Any]:
    found = ask(feed, address, **headers)
    assert found.status == 200, found.body
    assert found.headers["OData-Version"] == "4.0"
    told: dict[str, Any] = json.loads(found.body)
    return told


def pages(feed: Feed, address: str, size: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of every page, following the links."""
    while True:
        told = read(feed, address, prefer=f"odata.maxpagesize={size}")
        yield told["value"]
        if "@odata.nextLink" not in told:
            return
        link = urlsplit(told["@odata.nextLink"])
        address = f"{link.path.rpartition('/')[2]}?{link.query}"


def everything(feed: Feed, name: str) -> pd.DataFrame:
    """All rows of a table, without the service."""
    found: pd.DataFrame = pd.concat(
        [feed.cache.table(each, TABLES[name]).to_pandas() for each in feed.entries], ignore_index=True
    )
    return found


# -- what it says of itself ----------------------------------------------------------------------------------


def test_the_service_lists_its_tables(feed: Feed) -> None:
    told = read(feed, "")
    assert told["@odata.context"] == f"{ROOT}/$metadata"
    assert [each["url"] for each in told["value"]] == list(TABLES)


def test_the_description_has_every_column_with_its_type(feed: Feed) -> None:
    """In XML, which every client reads, and the same in JSON."""
    found = ask(feed, "$metadata")
    assert (found.content_type, found.headers["OData-Version"]) == ("application/xml", "4.0")
    names = {"m": "http://docs.oasis-open.org/odata/ns/edm"}
    types = {each.get("Name"): each for each in ElementTree.fromstring(found.body).iterfind(".//m:EntityType", names)}
    in_json = json.loads(ask(feed, "$metadata?$format=json").body)["modelworks"]
    for table in TABLES.values():
        kind = types[f"{table.name}_row"]
        told = {each.get("Name"): each.get("Type") for each in kind.iterfind("m:Property", names)}
        assert list(told) == [each.name for each in table.columns]
        assert [each.get("Name") for each in kind.iterfind("m:Key/m:PropertyRef", names)] == list(table.key)
        same = {
            name: said.get("$Type", "Edm.String")
            for name, said in in_json[f"{table.name}_row"].items()
            if name[0] != "$"
        }
        assert same == told
        assert in_json["feeds"][table.name]["$Type"] == f"modelworks.{table.name}_row"


def test_the_description_comes_as_xml_to_whoever_takes_it(feed: Feed) -> None:
    """Power Query names JSON first for everything, and reads the description as XML only."""
    power_query = "application/json;odata.metadata=minimal;q=1.0,application/atomsvc+xml;q=0.8,application/xml;q=0.7"
    assert ask(feed, "$metadata", accept=power_query).content_type == "application/xml"
    assert "json" in ask(feed, "$metadata", accept="application/json").content_type
    assert ask(feed, "$metadata", accept="application/json", odata_maxversion="4.0").content_type == "application/xml"


def test_rows_are_json_with_as_much_about_them_as_was_asked_for(feed: Feed) -> None:
    found = ask(feed, "runs?$select=id,verdict&$top=1")
    assert found.content_type == "application/json;odata.metadata=minimal"
    assert json.loads(found.body)["@odata.context"] == f"{ROOT}/$metadata#runs(id,verdict)"
    plain = ask(feed, "runs?$top=1", accept="application/json;odata.metadata=none")
    assert list(json.loads(plain.body)) == ["value"]


def test_numbers_and_moments_come_back_as_they_were(feed: Feed) -> None:
    """Every digit of a number; moments in ISO 8601 with their zone; nothing for what is not known."""
    told = pd.DataFrame([row for rows in pages(feed, "series", 100) for row in rows])
    expected = everything(feed, "series")
    assert set(told["time"].str[-1]) == {"Z"}
    told["time"] = pd.to_datetime(told["time"]).dt.tz_localize(None)
    pd.testing.assert_frame_equal(told, expected, check_exact=True, check_dtype=False)


# -- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", ["", "&$orderby=q50", "&$orderby=q975 desc,time", "&$orderby=scenario desc,time", "&$orderby=year(time)"]
)
@pytest.mark.parametrize("size", [7, 100])
def test_pages_neither_lose_nor_repeat_a_row(feed: Feed, order: str, size: int) -> None:
    """Whatever the order, what is left out at the beginning and how many are wanted."""
    asked = f"series?$skip=5&$top=150&$filter=kind ne 'fitted'{order}"
    told = [row for rows in pages(feed, asked, size) for row in rows]
    whole = [row for rows in pages(feed, f"series?$filter=kind ne 'fitted'{order}", 10_000) for row in rows]
    assert told == whole[5:155]
    assert len(whole) == int(ask(feed, "series/$count?$filter=kind ne 'fitted'").body)


def test_an_order_is_that_of_pandas(feed: Feed) -> None:
    """What is not known comes first, or last where the order falls; equal rows keep the order of runs."""
    told = pd.DataFrame(
        [row for rows in pages(feed, "series?$orderby=q975 desc,q025&$select=q975,q025", 50) for row in rows]
    )
    expected = everything(feed, "series")[["q975", "q025"]]
    known = expected.dropna(subset=["q975"]).sort_values(["q975", "q025"], ascending=[False, True])
    assert list(told["q975"].dropna()) == list(known["q975"])
    assert told["q975"].tail(expected["q975"].isna().sum()).isna().all()
    rising = read(feed, "series?$orderby=q975&$top=1")["value"][0]
    assert rising["q975"] is None


def test_a_page_looks_into_so_many_runs(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among ten thousand runs a rare row is far away: a page may be empty, and leads on."""
    monkeypatch.setattr(_query, "RUNS_A_PAGE", 2)
    first = feed.entries[-1].id
    found = list(pages(feed, "quantities?$filter=text eq '2.50'", 10))
    assert [len(rows) for rows in found] == [0, 0, 1]
    monkeypatch.setattr(_query, "RUNS_AT_ONCE", 2)
    refused = ask(feed, "series?$orderby=q50")
    assert refused.status == 400
    assert json.loads(refused.body)["error"]["code"] == "W216"
    assert read(feed, f"series?$orderby=q50&$count=true&$filter=run eq '{first}'")["@odata.count"] == 80


def test_a_condition_on_the_run_opens_no_other(store: Store) -> None:
    feed = feed_of(store)
    wanted = feed.entries[2].id
    assert read(feed, f"series?$filter=run eq '{wanted}' and q50 gt 0")["value"]
    assert {key.rpartition("-")[2] for key, _ in feed.cache._tables} == {wanted}


def test_a_run_that_comes_meanwhile_moves_no_row(feed: Feed) -> None:
    """Somebody reads page by page while others publish."""
    older = Feed(feed.entries[1:], TableCache())
    first = read(older, "series", prefer="odata.maxpagesize=30")
    link = urlsplit(first["@odata.nextLink"])
    then = read(feed, f"series?{link.query}", prefer="odata.maxpagesize=30")
    assert then["value"] == read(older, "series?$skip=30&$top=30")["value"]


def test_memory_is_kept_within_bounds(store: Store) -> None:
    """What was read last stays, up to some bytes; how many rows the rest has is known still."""
    whole = feed_of(store)
    most = sum(whole.cache.table(each, SERIES).nbytes for each in whole.entries) - 1
    feed = Feed(whole.entries, TableCache(most_bytes=most))
    rows = sum(len(page) for page in pages(feed, "series", 1000))
    assert 0 < feed.cache._bytes <= most
    assert len(feed.cache._tables) == len(feed.entries) - 1
    assert read(feed, "series?$count=true&$top=0")["@odata.count"] == rows


# -- one row, and mistakes ---------------------------------------------------------------------------------------


def test_a_row_is_found_by_its_key(feed: Feed) -> None:
    run = feed.entries[0].id
    assert read(feed, f"runs('{run}')")["id"] == run
    told = read(feed, f"scenarios(run='{run}',scenario='closed')?$select=title")
    address = f"{ROOT}/scenarios(run='{run}',scenario='closed')"
    context = f"{ROOT}/$metadata#scenarios(title)/$entity"
    assert told == {"@odata.context": context, "@odata.id": address, "title": "Schools closed"}
    output = read(feed, f"series(run='{run}',kind='projected',scenario='closed',output='cases[age=0-4]',"
                        "time=2025-01-03T12:00:00Z)")  # fmt: skip
    assert output["output"] == "cases[age=0-4]"


@pytest.mark.parametrize("name", TABLES)
def test_a_row_without_its_key_says_where_it_is(feed: Feed, name: str) -> None:
    """JSON Format 4.0, on `odata.id`: a client that is told no key could not find the row again."""
    table = TABLES[name]
    column = next(each.name for each in table.columns if each.name not in table.key)
    for row in read(feed, f"{name}?$select={column}&$top=20")["value"]:
        again = read(feed, row["@odata.id"].removeprefix(f"{ROOT}/"))
        assert again[column] == row[column]
    assert "@odata.id" not in read(feed, f"{name}?$top=1")["value"][0]
    plain = read(feed, f"{name}?$select={column}&$top=1", accept="application/json;odata.metadata=none")
    assert list(plain["value"][0]) == [column]


def test_a_value_may_stand_elsewhere_in_the_query(feed: Feed) -> None:
    """OData Protocol 4.0, section 11.2.5.1.3; and of one that is not given nothing is known."""
    run = feed.entries[0].id
    assert [each["run"] for each in read(feed, f"scenarios?$filter=run eq @r&$top=1&@r='{run}'")["value"]] == [run]
    counted = [ask(feed, f"series/$count?$filter={each}").body for each in ("q50 gt @low&@low=20", "q50 gt 20")]
    assert counted[0] == counted[1] != b"0"
    assert read(feed, f"scenarios?$filter=run in (@a,@b)&$top=1&@a='{run}'")["value"][0]["run"] == run
    assert read(feed, "scenarios?$filter=run eq @r")["value"] == []


@pytest.mark.parametrize(("most", "status"), [("3.0", 406), ("4.0", 200), ("4.01", 200), ("x", 406)])
def test_who_takes_no_version_4_is_told(feed: Feed, most: str, status: int) -> None:
    assert ask(feed, "runs", odata_maxversion=most).status == status


@pytest.mark.parametrize(
    ("address", "status", "code", "says"),
    [
        ("run", 404, "W217", "did you mean `runs`"),
        ("runs('000000')", 404, "W218", "no row of runs"),
        ("scenarios('000000')", 400, "W211", "also needs `scenario`"),
        ("runs(3)", 400, "W212", "a text is compared"),
        ("runs?$filter=verdict eq fine", 400, "W211", "no column `fine`"),
        ("runs?$orderby=verdict down", 400, "W210", "`down`"),
        ("runs?$select=verdct", 400, "W211", "did you mean `verdict`"),
        ("runs?$top=-1", 400, "W220", "whole number"),
        ("runs?$count=yes", 400, "W220", "true or false"),
        ("runs?$filtre=x", 400, "W220", "did you mean `$filter`"),
        ("runs?$top=1&$top=2", 400, "W220", "twice"),
        ("runs?$expand=series", 501, "W214", "$expand"),
        ("runs?$skiptoken=AAAA", 400, "W215", "nextLink"),
        ("runs?$orderby=id&$skiptoken=eyJtb21lbnQiOiIiLCJyb3ciOjAsImtleXMiOltdfQ", 400, "W215", "nextLink"),
        ("runs?$format=atom", 406, "W219", "$format=json"),
        ("runs/key", 501, "W214", "$select"),
        ("runs('000000')/key/$value", 501, "W214", "$select"),
        ("runs?$filter=id eq @a&@a=@b&@b='x'", 400, "W210", "`@b`"),
        ("runs?$filter=id eq @a&@a=", 400, "W210", "`)`"),
    ],
)
def test_a_mistake_is_a_letter_in_the_form_of_odata(
    feed: Feed, address: str, status: int, code: str, says: str
) -> None:
    found = ask(feed, address)
    told = json.loads(found.body)["error"]
    assert (found.status, told["code"]) == (status, code)
    assert says in told["message"]
    assert code in explanations()


# -- a client that nobody here wrote -----------------------------------------------------------------------------


@pytest.mark.needs("odata")
def test_another_program_reads_it(feed: Feed) -> None:
    """python-odata reads the description, makes its classes from it, filters, orders and follows the pages."""
    import requests
    from odata import ODataService
    from requests.adapters import BaseAdapter

    class Direct(BaseAdapter):
        """What `requests` would send over a network goes straight to the service."""

        def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
            address = urlsplit(request.url)
            headers = {name.lower(): value for name, value in request.headers.items()}
            path = unquote(address.path).removeprefix(urlsplit(ROOT).path)
            found = answer(feed, ROOT, Asked(path, parse_qsl(address.query, keep_blank_values=True), headers))
            response = requests.Response()
            response.status_code, response.raw, response.url = found.status, BytesIO(found.body), request.url
            response.headers.update({"Content-Type": found.content_type, **found.headers})
            response.request = request
            return response

        def close(self) -> None:
            """Nothing was opened."""

    session = requests.Session()
    session.mount("http://", Direct())
    session.headers["Prefer"] = "odata.maxpagesize=30"
    service = ODataService(f"{ROOT}/", session=session, reflect_entities=True)
    assert set(service.entities) >= {f"{name}" for name in TABLES}
    runs = service.entities["runs"]
    fine = service.query(runs).filter(runs.verdict == "fine").order_by(runs.made.asc()).all()
    expected = sorted(str(each.row["id"]) for each in feed.entries if each.row["verdict"] == "fine")
    assert sorted(each.id for each in fine) == expected
    series = service.entities["series"]
    told = service.query(series).filter(series.kind == "projected").filter("q50 gt 20").all()
    frame = everything(feed, "series")
    wanted = frame[(frame["kind"] == "projected") & (frame["q50"] > 20)]
    assert sorted(each.q50 for each in told) == sorted(wanted["q50"])
    assert service.query(runs).get(feed.entries[0].id).key == feed.entries[0].row["key"]
