"""Reading `$filter` and `$orderby`: a recursive descent that knows the table's columns and the kind of each value.

The order in which operators bind is that of the URL Conventions of OData 4.01 (part 2, operator precedence).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NoReturn

from modelworks.errors import fail, near
from modelworks.website.feeds._schema import Table
from modelworks.website.feeds.expressions._functions import FUNCTIONS, NUMBERS, Function
from modelworks.website.feeds.expressions._tree import Call, Constant, Expression, Kind, Property

NO_ALIASES: Mapping[str, str] = {}
LONGEST = 8000
# Python's own stack allows a few hundred; nobody writes by hand what is so deep.
DEEPEST = 50
MOST_IN_A_LIST = 1000

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d))
    | (?P<day>\d{4}-\d\d-\d\d)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<alias>@[^\W\d]\w*)
    | (?P<name>[^\W\d]\w*)
    | (?P<mark>[(),/=-])
    )""",
    re.VERBOSE,
)
_RELATIONS = ("gt", "ge", "lt", "le")
_ARITHMETIC = (("add", "sub"), ("mul", "div", "divby", "mod"))
_WORDS: dict[str, Constant] = {
    "null": Constant(None, "null"),
    "true": Constant(True, "boolean"),
    "false": Constant(False, "boolean"),
    "INF": Constant(float("inf"), "number"),
    "NaN": Constant(float("nan"), "number"),
}


@dataclass(frozen=True, slots=True)
class Order:
    """What rows are ordered by, the smallest first unless it is `descending`."""

    by: Expression
    descending: bool


def parse_filter(text: str, table: Table, aliases: Mapping[str, str] = NO_ALIASES) -> Expression:
    """The condition that a `$filter` says; what an alias stands for is null where nobody says it.

    Raises
    ------
    ModelworksError
        W210 where it is no expression, W211 for a name that the table does not have, W212 for kinds that do not
        go together.
    """
    found = _Parser(text, table, aliases).whole()
    if found.kind not in ("boolean", "null"):
        fail(
            "W212",
            f"$filter is {_IN_WORDS[found.kind]}, and no condition",
            hint="compare it with something: verdict eq 'fine'",
        )
    return found


def parse_orderby(text: str, table: Table, aliases: Mapping[str, str] = NO_ALIASES) -> tuple[Order, ...]:
    """What a `$orderby` says; letters as for a filter."""
    return tuple(_Parser(text, table, aliases).orders())


def parse_key(text: str, table: Table) -> Expression:
    """The condition of a key in brackets, as in `runs('7f3a21')` or `scenarios(run='7f3a21',scenario='baseline')`."""
    return _Parser(text, table).key()


class _Parser:
    def __init__(self, text: str, table: Table, aliases: Mapping[str, str] = NO_ALIASES) -> None:
        if len(text) > LONGEST:
            fail("W210", f"the expression has {len(text):,} characters", hint=f"{LONGEST:,} are enough for everybody")
        self._text, self._table = text, table
        self._tokens = list(itertools.islice(_put_in(_tokens(text), aliases), LONGEST))
        if len(self._tokens) == LONGEST:
            fail("W210", "the expression is too long with its aliases", hint=f"{LONGEST:,} words are enough")
        self._at = 0
        self._depth = 0

    # -- what is asked for ------------------------------------------------------------------------------

    def whole(self) -> Expression:
        found = self._or()
        self._end()
        _check_depth(found)
        return found

    def orders(self) -> Iterator[Order]:
        while True:
            by = self._or()
            _check_depth(by)
            word = self._word("asc", "desc")
            yield Order(by, word == "desc")
            if not self._mark(","):
                return self._end()

    def key(self) -> Expression:
        named: dict[str, Expression] = {}
        while True:
            name = self._table.key[0]
            if self._next()[0] == "name":
                name = self._take()[1]
                self._expect("=")
            if name not in self._table.key or name in named:
                fail("W211", f"`{name}` is not in the key of {self._table.name}", hint=near(name, self._table.key))
            named[name] = self._compare("eq", self._property(name), self._primary())
            if not self._mark(","):
                break
        self._end()
        if len(named) < len(self._table.key):
            missing = next(each for each in self._table.key if each not in named)
            fail("W211", f"the key of {self._table.name} also needs `{missing}`", hint=f"write {missing}='…' in it")
        return Call("and", tuple(named.values()), "boolean")

    # -- from what binds loosest to what binds tightest ---------------------------------------------------

    def _or(self) -> Expression:
        with _Deeper(self):
            parts = [self._and()]
            while self._word("or"):
                parts.append(self._and())
        return parts[0] if len(parts) == 1 else self._logic("or", parts)

    def _and(self) -> Expression:
        parts = [self._equality()]
        while self._word("and"):
            parts.append(self._equality())
        return parts[0] if len(parts) == 1 else self._logic("and", parts)

    def _logic(self, word: str, parts: list[Expression]) -> Expression:
        for each in parts:
            if each.kind not in ("boolean", "null"):
                fail(
                    "W212",
                    f"`{word}` stands beside {_IN_WORDS[each.kind]}",
                    hint="it joins conditions, as in a eq 1 and b eq 2",
                )
        return Call(word, tuple(parts), "boolean")

    def _equality(self) -> Expression:
        found = self._relation()
        while word := self._word("eq", "ne", "in"):
            found = self._several(found) if word == "in" else self._compare(word, found, self._relation())
        return found

    def _relation(self) -> Expression:
        found = self._sum()
        while word := self._word(*_RELATIONS):
            found = self._compare(word, found, self._sum())
        return found

    def _compare(self, word: str, a: Expression, b: Expression) -> Expression:
        if not _go_together(a.kind, b.kind):
            fail(
                "W212", f"{_IN_WORDS[a.kind]} is compared with {_IN_WORDS[b.kind]}", hint=_how_to_write(a.kind, b.kind)
            )
        return Call(word, (a, b), "boolean")

    def _several(self, found: Expression) -> Expression:
        self._expect("(")
        given = [self._sum()]
        while self._mark(","):
            given.append(self._sum())
        self._expect(")")
        if len(given) > MOST_IN_A_LIST:
            fail("W210", f"a list has {len(given):,} values", hint=f"ask for {MOST_IN_A_LIST:,} at a time")
        for each in given:
            self._compare("eq", found, each)
        return Call("in", (found, *given), "boolean")

    def _sum(self, level: int = 0) -> Expression:
        if level == len(_ARITHMETIC):
            return self._unary()
        found = self._sum(level + 1)
        while word := self._word(*_ARITHMETIC[level]):
            other = self._sum(level + 1)
            for each in (found, other):
                if each.kind not in (*NUMBERS, "null"):
                    fail("W212", f"`{word}` stands beside {_IN_WORDS[each.kind]}", hint="it is between numbers")
            whole = found.kind == other.kind == "integer" and word != "divby"
            found = Call(word, (found, other), "integer" if whole else "number")
        return found

    def _unary(self) -> Expression:
        with _Deeper(self):
            if self._word("not"):
                return self._logic_not(self._unary())
            if self._mark("-"):
                return self._negative(self._unary())
            return self._primary()

    def _logic_not(self, found: Expression) -> Expression:
        if found.kind not in ("boolean", "null"):
            fail(
                "W212",
                f"`not` stands before {_IN_WORDS[found.kind]}",
                hint="put the condition in brackets: not (a eq 1)",
            )
        return Call("not", (found,), "boolean")

    def _negative(self, found: Expression) -> Expression:
        if found.kind not in NUMBERS:
            fail("W212", f"a minus stands before {_IN_WORDS[found.kind]}", hint="it is for numbers")
        if isinstance(found, Constant):
            return Constant(-found.value, found.kind)
        return Call("negate", (found,), found.kind)

    def _primary(self) -> Expression:
        kind, text = self._take()
        if kind == "name":
            return self._named(text)
        if text == "(":
            found = self._or()
            self._expect(")")
            return found
        if kind in ("mark", "end", "alias"):
            self._wrong(f"`{text}`" if text else "the end", "a column, a value or a function")
        return _constant(kind, text)

    def _named(self, name: str) -> Expression:
        if self._next()[1] == "(":
            return self._function(name)
        if self._next()[1] == "/":
            fail("W214", f"`{name}/…` goes to another table, which this service does not", hint="filter each table")
        if self._table.column(name) is None and name in _WORDS:
            return _WORDS[name]
        return self._property(name)

    def _property(self, name: str) -> Property:
        column = self._table.column(name)
        if column is None:
            hint = near(name, [each.name for each in self._table.columns])
            fail("W211", f"{self._table.name} has no column `{name}`", hint=hint)
        return Property(name, column.kind)

    def _function(self, name: str) -> Expression:
        function = FUNCTIONS.get(name)
        if function is None:
            fail("W214", f"there is no function `{name}` here", hint=near(name, FUNCTIONS))
        self._expect("(")
        given = [] if self._next()[1] == ")" else [self._or()]
        while given and self._mark(","):
            given.append(self._or())
        self._expect(")")
        return _call(name, function, given)

    # -- words ------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self) -> tuple[str, str]:
        token = self._next()
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _word(self, *words: str) -> str:
        """One of these words, if it comes next."""
        kind, text = self._next()
        return self._take()[1] if kind == "name" and text in words else ""

    def _mark(self, mark: str) -> bool:
        if self._next() != ("mark", mark):
            return False
        self._take()
        return True

    def _expect(self, mark: str) -> None:
        if not self._mark(mark):
            self._wrong(f"`{self._next()[1]}`" if self._next()[1] else "the end", f"`{mark}`")

    def _end(self) -> None:
        if self._next()[0] != "end":
            self._wrong(f"`{self._next()[1]}`", "the end, or `and`, `or` and a comparison")

    def _wrong(self, found: str, wanted: str) -> NoReturn:
        said = self._text if len(self._text) < 200 else f"{self._text[:200]}…"
        fail("W210", f"in `{said}` there is {found} where {wanted} should be", hint="text stands in 'single quotes'")

    def deeper(self, by: int) -> None:
        self._depth += by
        if self._depth > 2 * DEEPEST:
            fail("W210", "the expression has too many brackets within brackets", hint=f"{DEEPEST} are enough")


class _Deeper:
    def __init__(self, parser: _Parser) -> None:
        self._parser = parser

    def __enter__(self) -> None:
        self._parser.deeper(1)

    def __exit__(self, *_: object) -> None:
        self._parser.deeper(-1)


def _check_depth(expression: Expression) -> None:
    """A long chain of operators is a deep tree: each is within the next."""
    level = [expression]
    for _ in range(2 * DEEPEST):
        level = [inner for each in level if isinstance(each, Call) for inner in each.given]
        if not level:
            return
    fail("W210", "the expression has too many operators one after the other", hint=f"{DEEPEST} are enough")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            fail(
                "W210",
                f"`{text[at : at + 20]}` can not be read",
                hint="text stands in 'single quotes', a quote doubled",
            )
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()
    yield "end", ""


def _put_in(tokens: Iterator[tuple[str, str]], aliases: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What aliases stand for in their place, as one value; one that is not given is null."""
    for kind, text in tokens:
        if kind == "alias":
            yield "mark", "("
            yield from itertools.takewhile(lambda each: each[0] != "end", _tokens(aliases.get(text, "null")))
            yield "mark", ")"
        else:
            yield kind, text


def _constant(kind: str, text: str) -> Constant:
    try:
        if kind == "text":
            return Constant(text[1:-1].replace("''", "'"), "text")
        if kind == "day":
            return Constant(date.fromisoformat(text), "day")
        if kind == "moment":
            # Python knows microseconds, as our columns do.
            short = re.sub(r"(\.\d{6})\d+", r"\1", text)
            return Constant(datetime.fromisoformat(short).astimezone(UTC).replace(tzinfo=None), "moment")
    except (ValueError, OverflowError) as error:
        fail("W210", f"`{text}` is no day and no moment: {error}", hint="write 2026-11-21, or 2026-11-21T05:15:00Z")
    if text.isdigit() and int(text) < 2**63:
        return Constant(int(text), "integer")
    return Constant(float(text), "number")


def _call(name: str, function: Function, given: Sequence[Expression]) -> Expression:
    most = len(function.takes)
    if not most - function.optional <= len(given) <= most:
        fail("W212", f"`{name}` takes {most} values, and is given {len(given)}", hint=_signature(name, function))
    for each, kinds in zip(given, function.takes, strict=False):
        if each.kind not in kinds:
            hint = _signature(name, function)
            wanted = " or ".join(_IN_WORDS[kind] for kind in kinds)
            fail("W212", f"`{name}` is given {_IN_WORDS[each.kind]} where {wanted} should be", hint=hint)
    return Call(name, tuple(given), function.gives or given[0].kind)


def _signature(name: str, function: Function) -> str:
    return f"{name}({', '.join('|'.join(kinds) for kinds in function.takes)})"


_IN_WORDS: dict[Kind, str] = {
    "text": "a text", "number": "a number", "integer": "a whole number", "boolean": "a condition",
    "moment": "a moment", "day": "a day", "null": "nothing",
}  # fmt: skip


def _go_together(a: Kind, b: Kind) -> bool:
    return a == b or "null" in (a, b) or (a in NUMBERS and b in NUMBERS)


def _how_to_write(a: Kind, b: Kind) -> str:
    if {a, b} == {"moment", "day"}:
        return "write the moment as 2026-11-21T00:00:00Z, or compare date(…)"
    return "text stands in 'single quotes', numbers, days and moments stand alone"
