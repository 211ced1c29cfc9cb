"""`$filter` and `$orderby`: what they mean, against Python's own reckoning row by row."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelworks.errors import ModelworksError
from modelworks.website.feeds._schema import SERIES, Column, Table
from modelworks.website.feeds._source import Feed
from modelworks.website.feeds.expressions import column_of, parse_filter, parse_key, parse_orderby, rows_that

TABLE = Table(
    "things", "a thing", ("name",),
    (
        Column("name", "text", "its name"), Column("other", "text", "another"), Column("size", "number", "its size"),
        Column("many", "integer", "how many"), Column("sound", "boolean", "whether"), Column("seen", "moment", "when"),
        Column("on", "day", "which day"),
    ),
)  # fmt: skip

Row: TypeAlias = dict[str, Any]
Said: TypeAlias = tuple[str, Callable[[Row], Any]]
"""An expression as it is written, and what it is of a row."""


def table_of(rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, TABLE.arrow())


# -- rows and expressions made at random, each with its meaning in Python --------------------------------------

texts = st.text(st.sampled_from("abé'% _A"), max_size=5)
numbers = st.sampled_from([0.0, 1.5, -2.25, 1e-3, 3e7, 0.1]) | st.floats(-1e6, 1e6)
counts = st.integers(-50, 50)
moments = st.datetimes(datetime(1978, 1, 1), datetime(2030, 1, 1)).map(lambda each: each.replace(microsecond=0))
days = st.dates(date(1978, 1, 1), date(2030, 1, 1))
rows_made = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | texts, "other": st.none() | texts, "size": st.none() | numbers,
            "many": st.none() | counts, "sound": st.none() | st.booleans(), "seen": st.none() | moments,
            "on": st.none() | days,
        }
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


def constant(text: str, value: Any) -> Said:
    return text, lambda row: value


def column(name: str) -> Said:
    return name, lambda row: row[name]


def both(a: Any, b: Any, does: Callable[[Any, Any], Any]) -> Any:
    return None if a is None or b is None else does(a, b)


COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a is not None and b is not None and a > b,
    "ge": lambda a, b: a is not None and b is not None and a >= b,
    "lt": lambda a, b: a is not None and b is not None and a < b,
    "le": lambda a, b: a is not None and b is not None and a <= b,
}


def whole_quotient(a: int, b: int) -> int | None:
    return None if b == 0 else int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def remainder(a: int, b: int) -> int | None:
    quotient = whole_quotient(a, b)
    return None if quotient is None else a - b * quotient


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def calls(name: str, does: Callable[..., Any], *given: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    """A function of OData beside the one of Python; of nothing both make nothing."""

    def made(said: tuple[Said, ...]) -> Said:
        def value(row: Row) -> Any:
            values = [each[1](row) for each in said]
            return None if None in values else does(*values)

        return f"{name}({','.join(each[0] for each in said)})", value

    return st.tuples(*given).map(made)


def joins(names: dict[str, Callable[[Any, Any], Any]], of: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    def made(parts: tuple[str, Said, Said]) -> Said:
        name, a, b = parts
        return f"({a[0]} {name} {b[0]})", lambda row: both(a[1](row), b[1](row), names[name])

    return st.tuples(st.sampled_from(sorted(names)), of, of).map(made)


text_said = st.deferred(
    lambda: (
        st.sampled_from([column("name"), column("other")])
        | texts.map(lambda each: constant(quoted(each), each))
        | calls("tolower", str.lower, text_said)
        | calls("concat", lambda a, b: a + b, text_said, text_said)
        | calls("substring", lambda a, start: a[max(start, 0) :], text_said, small_said)
        | calls("trim", str.strip, text_said)
    )
)
small_said = st.integers(0, 4).map(lambda each: constant(str(each), each))
integer_said = st.deferred(
    lambda: (
        st.just(column("many"))
        | counts.map(lambda each: constant(str(each), each))
        | calls("length", len, text_said)
        | calls("indexof", str.find, text_said, text_said)
        | calls("year", lambda each: each.year, moment_said)
        | calls("month", lambda each: each.month, day_said)
        | joins({"div": whole_quotient, "mod": remainder}, integer_said)
        | joins({"add": lambda a, b: a + b, "sub": lambda a, b: a - b}, integer_said)
    )
)
number_said = st.deferred(
    lambda: (
        st.just(column("size"))
        | numbers.map(lambda each: constant(repr(each), each))
        | joins({"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b}, number_said)
        | calls("floor", lambda each: float(math.floor(each)), number_said)
        | calls("ceiling", lambda each: float(math.ceil(each)), number_said)
    )
)
moment_said = st.just(column("seen")) | moments.map(lambda each: constant(f"{each.isoformat()}Z", each))
day_said = (
    st.just(column("on"))
    | days.map(lambda each: constant(each.isoformat(), each))
    | calls("date", datetime.date, moment_said)
)


def compares(of: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    def made(parts: tuple[str, Said, Said]) -> Said:
        name, a, b = parts
        return f"{a[0]} {name} {b[0]}", lambda row: COMPARED[name](a[1](row), b[1](row))

    return st.tuples(st.sampled_from(sorted(COMPARED)), of, of | st.just(constant("null", None))).map(made)


def listed(of: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    def made(parts: tuple[Said, list[Said]]) -> Said:
        value, several = parts
        text = f"{value[0]} in ({','.join(each[0] for each in several)})"
        return text, lambda row: any(value[1](row) == each[1](row) for each in several)

    return st.tuples(of, st.lists(of, min_size=1, max_size=3)).map(made)


def logic(a: bool | None, b: bool | None, decides: bool) -> bool | None:
    """`or` is decided by a true, `and` by a false; otherwise what is not known stays unknown."""
    if decides in (a, b):
        return decides
    return None if None in (a, b) else not decides


def joined(parts: tuple[str, Said, Said]) -> Said:
    word, a, b = parts
    return f"({a[0]} {word} {b[0]})", lambda row: logic(a[1](row), b[1](row), word == "or")


def denied(said: Said) -> Said:
    def value(row: Row) -> bool | None:
        found = said[1](row)
        return None if found is None else not found

    return f"not ({said[0]})", value


conditions_said = st.deferred(
    lambda: (
        compares(text_said)
        | compares(number_said)
        | compares(integer_said)
        | compares(moment_said)
        | compares(day_said)
        | listed(text_said)
        | st.just(column("sound"))
        | calls("contains", lambda a, b: b in a, text_said, text_said)
        | calls("startswith", str.startswith, text_said, text_said)
        | calls("endswith", str.endswith, text_said, text_said)
        | st.tuples(st.sampled_from(["and", "or"]), conditions_said, conditions_said).map(joined)
        | conditions_said.map(denied)
    )
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rows_made, conditions_said)
def test_a_filter_means_what_python_says_of_each_row(rows: list[Row], said: Said) -> None:
    """Whatever is joined with whatever: nothing, texts with quotes, division by nothing."""
    text, value = said
    kept = unless_too_much(lambda: rows_that(parse_filter(text, TABLE), table_of(rows)).to_pylist())
    assert kept is None or kept == [row for row in rows if value(row)]


def unless_too_much(does: Callable[[], list[Row]]) -> list[Row] | None:
    """None for what is too deep or too long, which hypothesis likes to be."""
    try:
        return does()
    except ModelworksError as error:
        if "are enough" in str(error):
            return None
        raise


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.sampled_from("abn (),'09.-:TZ eqdortmu$é\n"), max_size=40))
def test_whatever_is_written_is_read_or_answered_with_a_letter(text: str) -> None:
    for read in (parse_filter, parse_orderby, parse_key):
        with contextlib.suppress(ModelworksError):
            read(text, TABLE)


# -- by hand: what the standard says -------------------------------------------------------------------------

ROWS = [
    {"name": "ann", "size": 1.0, "many": 7, "sound": True, "seen": datetime(2025, 1, 1, 12), "on": date(2025, 1, 1)},
    {"name": "O'Neil", "size": None, "many": -7, "sound": False, "seen": None, "on": None},
    {"name": None, "size": 2.5, "many": 0, "sound": None, "seen": datetime(2025, 6, 1), "on": date(2025, 6, 1)},
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name eq 'O''Neil'", [1]),
        ("name eq null", [2]),
        ("name ne null", [0, 1]),
        ("null eq null", [0, 1, 2]),
        ("not (size gt 1)", [0, 1]),
        ("not sound", [1]),
        ("sound", [0]),
        ("many mod 4 eq -3", [1]),
        ("many div 2 eq -3", [1]),
        ("many divby 2 eq -3.5", [1]),
        ("1 add 2 mul 3 eq 7", [0, 1, 2]),
        ("-many eq 7", [1]),
        ("true or false and false", [0, 1, 2]),
        ("size gt 2 eq true", [2]),
        ("many in (7, 0)", [0, 2]),
        ("name in ('ann', null)", [0, 2]),
        ("seen ge 2025-01-01T14:00:00+02:00 and on lt 2025-02-01", [0]),
        ("date(seen) eq on", [0, 1, 2]),
        ("hour(seen) eq 12 and minute(seen) eq 0 and day(on) eq 1", [0]),
        ("round(size) eq 3", [2]),
        ("contains(toupper(name), 'N')", [0, 1]),
        ("length(name) gt 3", [1]),
        ("seen lt now()", [0, 2]),
    ],
)
def test_what_the_standard_says(text: str, expected: list[int]) -> None:
    """OData 4.01, part 2, section 5.1.1: nothing is neither more nor less than anything, and division is as in C."""
    rows = [{name: row.get(name) for name in TABLE.arrow().names} for row in ROWS]
    assert rows_that(parse_filter(text, TABLE), table_of(rows)).to_pylist() == [rows[each] for each in expected]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("name eq fine", "W211", "no column `fine`"),
        ("nam eq 'x'", "W211", "did you mean `name`"),
        ("name eq 'x", "W210", "can not be read"),
        ("name eq", "W210", "the end where a column"),
        ("name eq 'a' 'b'", "W210", "where the end"),
        ("(name eq 'a'", "W210", "`)`"),
        ("name eq 3", "W212", "a text is compared with a whole number"),
        ("seen eq 2025-01-01", "W212", "T00:00:00Z"),
        ("not name eq 'a'", "W212", "brackets"),
        ("size", "W212", "no condition"),
        ("contains(name)", "W212", "takes 2 values"),
        ("contains(name, 3)", "W212", "a text should be"),
        ("soundex(name) eq 'x'", "W214", "no function `soundex`"),
        ("owner/name eq 'x'", "W214", "another table"),
        ("seen eq 2025-13-01T00:00:00Z", "W210", "no day"),
        ("(" * 300 + "sound" + ")" * 300, "W210", "brackets"),
        ("many" + " add 1" * 300 + " eq 1", "W210", "one after the other"),
        ("x" * 9000, "W210", "9,000 characters"),
    ],
)
def test_a_mistake_is_named(text: str, code: str, says: str) -> None:
    with pytest.raises(ModelworksError) as told:
        parse_filter(text, TABLE)
    assert told.value.codes == (code,)
    assert says in str(told.value)


def test_many_conditions_are_no_deep_expression() -> None:
    """A program that asks for seven hundred rows by their names joins as many conditions."""
    text = " or ".join(["many eq 1"] * 600)
    assert column_of(parse_filter(text, TABLE), table_of([dict.fromkeys(TABLE.arrow().names)])).to_pylist() == [False]


def test_a_moment_has_its_zone() -> None:
    found = parse_filter("seen eq 2025-01-01T00:00:00.1234567-05:30", TABLE)
    expected = datetime(2025, 1, 1, 5, 30, 0, 123456, UTC).replace(tzinfo=None)
    assert rows_that(found, table_of([{"seen": expected}, {"seen": None}])).num_rows == 1


def test_what_cannot_be_worked_out_is_a_letter() -> None:
    with pytest.raises(ModelworksError) as told:
        column_of(parse_filter("many mul 9223372036854775807 gt 1", TABLE), table_of([{"many": 7}]))
    assert told.value.codes == ("W213",)


def test_pandas_keeps_the_same_rows(feed: Feed) -> None:
    """On real columns with gaps, beside pandas' own query."""
    series = feed.cache.table(feed.entries[0], SERIES)
    frame: pd.DataFrame = series.to_pandas()
    asked = "kind eq 'projected' and (q50 gt 20 or q975 le 100) and not (scenario eq 'closed' and q25 lt 5)"
    kept = rows_that(parse_filter(asked, SERIES), series).to_pandas()
    same = "kind == 'projected' and (q50 > 20 or q975 <= 100) and not (scenario == 'closed' and q25 < 5)"
    pd.testing.assert_frame_equal(kept, frame.query(same).reset_index(drop=True))
    assert 0 < len(kept) < len(frame)
