"""Where runs are found quickly: a table of what the folders say, which can be thrown away at any time.

The folders are the truth. The index remembers when each folder of runs was last looked at, and looks again only
where a name was added or removed since; deleting its file costs one slow listing.
"""

from __future__ import annotations

import operator
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import sqlalchemy as sql

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.runs._find import COMPARISONS, FACETS, NUMBER, ORDERS, PARTS, Condition, Wanted, day
from modelworks.runs._index_tables import FILES, NUMBERS, RUNS, TAGS, WORDS, beginning, portions
from modelworks.runs._index_upkeep import STATE, Upkeep
from modelworks.runs._promotion import APPROVED, Promotion, by_run, waiting, what_holds
from modelworks.runs._run import id_of
from modelworks.runs._store import DEPTH, ID_DIGITS, folder_name
from modelworks.runs._words import Word, word_of

if TYPE_CHECKING:
    from modelworks.runs._store import Store

T = TypeVar("T")
# So many questions are answered again as they were, while nothing changed, and none for more runs than a page shows.
QUESTIONS, SHORT = 64, 500


@dataclass(frozen=True, slots=True)
class Row:
    """One run as a list shows it; where something was assumed otherwise than in `of_study`, `changes` say what."""

    key: str
    id: str
    study: str
    of_study: str
    changes: str | None
    model: str
    region: str
    commit: str
    dirty: bool
    until: str | None
    verdict: str | None
    finished: str | None
    seconds: float | None
    title: str | None
    answer: str | None
    person: str | None
    pinned: bool
    tags: tuple[str, ...]
    promotion: Promotion | None = None


_LATEST = (RUNS.c.time.desc(), RUNS.c.id.desc())
# Asked for many pages, so they are put together once.
_HERE: sql.BindParameter[str] = sql.bindparam("here")
_BY_ID = sql.select(RUNS.c.key).where(RUNS.c.store == _HERE, RUNS.c.id == sql.bindparam("digits")).limit(2)
_SPOKEN = sql.select(WORDS.c.said).where(WORDS.c.store == _HERE)
# What a row of the table says of a run, in the order of `Row`: all but its tags and its promotion.
_TOLD = operator.attrgetter(*list(Row.__dataclass_fields__)[:-2])


@dataclass(frozen=True, slots=True)
class Listing:
    """The runs asked for, and how many there are of them without a limit; `approved` are the keys of all runs, asked
    for or not, that the team stands behind now."""

    rows: tuple[Row, ...]
    total: int
    damaged: tuple[Letter, ...] = ()
    approved: tuple[str, ...] = ()


@dataclass(slots=True)
class _Answers:
    """What was answered in one state of the index, with the promotions that held then."""

    state: str | None
    promotions: tuple[Promotion, ...] = ()
    known: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def once(self, question: Hashable, answer: Callable[[], T]) -> T:
        """The answer to a question, which is looked for where it was not asked lately."""
        with self.turn:
            if question in self.known:
                self.known.move_to_end(question)
                return cast(T, self.known[question])
        found = answer()
        with self.turn:
            self.known[question] = found
            if len(self.known) > QUESTIONS:
                self.known.popitem(last=False)
        return found


class Index(Upkeep):
    """The runs of one store in a table of SQLite or PostgreSQL, and what one may ask of it.

    `url` is one of SQLAlchemy's. Several processes may use one index at once, and each brings it up to date by
    itself: nobody has to tell it of a run.
    """

    def __init__(self, store: Store, url: str) -> None:
        super().__init__(store, url)
        self._answers = _Answers(None)
        self._waiting: tuple[str | None, tuple[Promotion, ...]] | None = None

    def select(self, wanted: Wanted | None = None) -> Listing:
        """The runs asked for, after a look at what the folders hold now.

        Raises
        ------
        ModelworksError
            R150 when the database does not answer, R151 for a condition on a number no run has.
        """
        asked = wanted or Wanted()
        with self._answering():
            self.refresh()
            found, listing = self._selected(asked)
            while changed := self._changed(found):
                # What somebody changed or removed by hand inside a run leaves no trace where we look for changes.
                with self._changing() as connection:
                    self._take(connection, changed)
                    self._enter_state(connection)
                self._anew("answers")
                found, listing = self._selected(asked)
            return listing

    def _selected(self, asked: Wanted) -> tuple[Sequence[sql.Row[Any]], Listing]:
        """The rows of those asked for, and the list of them."""
        answers = self._once("answers", self._as_it_is)

        def select() -> tuple[Sequence[sql.Row[Any]], Listing]:
            conditions = [*self._conditions(asked, answers.promotions)]
            found = self._found(asked, conditions)
            return found, self._listing(asked, conditions, found, by_run(answers.promotions))

        is_short = asked.limit is not None and asked.limit <= SHORT
        return answers.once(asked, select) if is_short else select()

    def _as_it_is(self) -> _Answers:
        """The answers that hold now: none, where anything changed since the last question."""
        state, before = self._known_state(), self._answers
        if state != before.state:
            before = _Answers(state)
        # A promotion rests on what its run is now, too, of which no state tells.
        now = what_holds(before.once("spoken", self._spoken), self)
        self._answers = before if now == before.promotions else _Answers(state, now)
        return self._answers

    def counts(self, wanted: Wanted, approved: Collection[str]) -> Mapping[str, Mapping[str, int]]:
        """How many runs there are with each value of each of `FACETS`, and how many are approved.

        What is asked of a facet narrows the others and not itself: its counts say what one would see instead.
        `approved` is that of a `Listing`, and nothing is looked for that came after it.
        """
        with self._answering():
            return self._answers.once(("counts", wanted, tuple(approved)), lambda: self._counted(wanted, approved))

    def _counted(self, wanted: Wanted, approved: Collection[str]) -> Mapping[str, Mapping[str, int]]:
        free = replace(wanted, of_study=None, region=None, verdict=None, person=None, approved=False)
        columns = [RUNS.c[name] for name in FACETS]
        conditions = tuple(self._conditions(free, ()))
        counted = sql.select(*columns, sql.func.count()).group_by(*columns)
        with self._engine.connect() as connection:
            # With an empty list a database would look through all runs to find none.
            few = counted.where(*conditions, RUNS.c.key.in_(approved))
            stands = connection.execute(few).all() if approved else []
            found = stands if wanted.approved else connection.execute(counted.where(*conditions)).all()
        asked = [_in_index(wanted, name) for name in FACETS]
        return {
            **{name: _tally(found, asked, k) for k, name in enumerate(FACETS)},
            "approved": {"yes": sum(_tally(stands, asked, None).values())},
        }

    def by_month(self, verdict: str) -> Mapping[tuple[str, str], int]:
        """How many runs of each study, and of each month (UTC, as in `2026-11`), were given a verdict."""
        month = sql.func.substr(RUNS.c.time, 1, 6).label("month")
        here = (RUNS.c.store == self._store.address, RUNS.c.damage.is_(None), RUNS.c.verdict == verdict)
        asked = sql.select(RUNS.c.of_study, month, sql.func.count()).where(*here).group_by(RUNS.c.of_study, month)
        with self._answering():
            self.refresh()
            with self._engine.connect() as connection:
                return {(study, f"{name[:4]}-{name[4:]}"): count for study, name, count in connection.execute(asked)}

    def copies(self) -> Mapping[str, str]:
        """The copies of studies in which something is assumed otherwise, each with the study that it is a copy of."""
        here = (RUNS.c.store == self._store.address, RUNS.c.study != RUNS.c.of_study)
        with self._answering():
            self.refresh()
            with self._engine.connect() as connection:
                rows = connection.execute(sql.select(RUNS.c.study, RUNS.c.of_study).where(*here).distinct())
                return {row.study: row.of_study for row in rows}

    def spoken(self) -> list[Word]:
        """All that was said on the way to an approval, after a look at what is there now."""
        self.refresh()
        with self._answering():
            return self._spoken()

    def waiting(self) -> tuple[Promotion, ...]:
        """What waits for signatures, by the words that were read last; for every page, so nothing is looked at anew."""
        with self._answering():
            state = self._made().get(STATE)
            if self._waiting is None or self._waiting[0] != state:
                # A word that came in between is in these, and makes the state another one the next time.
                self._waiting = (state, waiting(self._spoken()))
            return self._waiting[1]

    def _spoken(self) -> list[Word]:
        with self._engine.connect() as connection:
            return [word_of(said) for said in connection.execute(_SPOKEN, {"here": self._store.address}).scalars()]

    def seal(self, key: str) -> str | None:
        """The SHA-256 of a run's list of checksums, as it is now."""
        return self._store.seal(key)

    def keys(self, digits: str) -> list[str]:
        """The keys of runs whose id begins so, after a look at what is there now; two of them, where there are more."""
        self.refresh()
        wanted = digits.lower()
        # Whoever writes all of it, as every address of the website does, is answered without a look at the others.
        if len(wanted) == ID_DIGITS:
            asked = _BY_ID
        else:
            asked = self._keys(RUNS, RUNS.c.id.startswith(wanted, autoescape=True)).limit(2)
        with self._answering(), self._engine.connect() as connection:
            return list(connection.execute(asked, {"here": self._store.address, "digits": wanted}).scalars())

    def part(self, key: str, name: str) -> Mapping[str, Any]:
        """A file of a run that holds a mapping as JSON; R103 where it can not be read."""
        return self._store.part(key, name)

    def with_number(self, low: float, high: float) -> list[str]:
        """The keys of runs that have a number, or an end or the mean of its interval, between two; the latest first."""
        self.refresh()
        # One question for each part, so that each has its own index; one with `or` reads the whole table.
        found = (self._keys(NUMBERS, NUMBERS.c[part].between(low, high)) for part in PARTS)
        return self._with(sql.union(*found))

    def with_file(self, checksum: str) -> list[str]:
        """The keys of runs that probably have a file with this SHA-256, the latest first."""
        self.refresh()
        self.read_checksums()
        return self._with(self._keys(FILES, FILES.c.checksums.contains(beginning(checksum), autoescape=True)))

    def there(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are of runs which are there now."""
        self.refresh()
        return set(self._with(list(keys)))

    def _with(self, keys: Any) -> list[str]:
        asked = self._keys(RUNS, RUNS.c.key.in_(keys)).order_by(RUNS.c.time.desc(), RUNS.c.id.desc())
        with self._answering(), self._engine.connect() as connection:
            return list(connection.execute(asked).scalars())

    def names_of_numbers(self) -> list[str]:
        """Every parameter, quantity and measure that a condition may be about."""
        return self._names()

    def names_in(self, listing: Listing) -> list[str]:
        """Those of the runs of a list."""
        keys = tuple(row.key for row in listing.rows)
        with self._answering():
            return self._answers.once(("names", keys), lambda: self._names(NUMBERS.c.key.in_(keys)))

    def _names(self, *conditions: Any) -> list[str]:
        asked = sql.select(NUMBERS.c.name).where(NUMBERS.c.store == self._store.address, *conditions).distinct()
        with self._engine.connect() as connection:
            return sorted(connection.execute(asked).scalars())

    # -- asking --------------------------------------------------------------------------------------

    def _found(self, wanted: Wanted, conditions: Sequence[Any]) -> Sequence[sql.Row[Any]]:
        """The rows of those asked for, in their order."""
        if wanted.order.startswith(NUMBER):
            return self._by_number(wanted, conditions)
        asked = sql.select(RUNS).where(*conditions).order_by(*_order(wanted)).limit(wanted.limit)
        if wanted.after is not None:
            asked = asked.where(_after(wanted.after))
        with self._engine.connect() as connection:
            return connection.execute(asked).fetchall()

    def _by_number(self, wanted: Wanted, conditions: Sequence[Any]) -> Sequence[sql.Row[Any]]:
        """The same, in the order of a number: asked of the numbers, which lie in it, and read only so far."""
        name = wanted.order.removeprefix(NUMBER)
        self._has_to_be_a_number(name)
        here = (NUMBERS.c.store == self._store.address, NUMBERS.c.name == name)
        with_it = sql.select(RUNS).join(NUMBERS, NUMBERS.c.key == RUNS.c.key).where(*here, *conditions)
        with_it = with_it.order_by(*_directed(wanted, NUMBERS.c.value), *_LATEST)
        without = sql.select(RUNS).where(*conditions, RUNS.c.key.not_in(self._keys(NUMBERS, *here))).order_by(*_LATEST)
        with self._engine.connect() as connection:
            # A parameter, a quantity and a measure may have one name.
            most = None if wanted.limit is None else 3 * wanted.limit
            found = list({row.key: row for row in connection.execute(with_it.limit(most))}.values())[: wanted.limit]
            if wanted.limit is None or len(found) < wanted.limit:
                left = None if wanted.limit is None else wanted.limit - len(found)
                found.extend(connection.execute(without.limit(left)))
        return found

    def _changed(self, found: Iterable[sql.Row[Any]]) -> list[str]:
        """Those of the runs to be shown whose record is no longer as it was read."""
        return [row.key for row in found if self._store.stamp(row.key) != row.stamp]

    def _listing(
        self,
        wanted: Wanted,
        conditions: Sequence[Any],
        found: Sequence[sql.Row[Any]],
        stands: Mapping[str, Promotion],
    ) -> Listing:
        """The rows with their tags and what the team says of them, how many there are in all, and what is damaged."""
        total = len(found)
        with self._engine.connect() as connection:
            if wanted.after is not None or total == wanted.limit:
                count = sql.select(sql.func.count()).select_from(RUNS).where(*conditions)
                total = connection.execute(count).scalar_one()
            tags = self._tags(connection, [row.key for row in found])
            damaged = connection.execute(self._keys(RUNS, RUNS.c.damage.is_not(None)).order_by(RUNS.c.key)).scalars()
            letters = [letter for key in damaged for letter in _why_not(self._store, key)]
        rows = tuple(Row(*(*_TOLD(row), tags.get(row.key, ()), stands.get(row.key))) for row in found)
        approved = tuple(key for key, each in stands.items() if each.state == APPROVED)
        return Listing(rows, total, tuple(letters), approved)

    def _conditions(self, wanted: Wanted, promotions: Iterable[Promotion]) -> Iterator[Any]:
        yield RUNS.c.store == self._store.address
        yield RUNS.c.damage.is_(None)
        for name in ("study", "of_study", "model", "region", "verdict", "person", "pinned"):
            value = _in_index(wanted, name)
            if value is not None:
                yield RUNS.c[name] == value
        if wanted.commit is not None:
            yield RUNS.c.commit.startswith(wanted.commit.lower()[:7], autoescape=True)
        if wanted.since is not None:
            yield RUNS.c.time >= day(wanted.since)
        if wanted.until is not None:
            # A day's runs come after the day alone and before anything that begins with the next letter.
            yield RUNS.c.time < day(wanted.until) + "~"
        if wanted.approved:
            yield RUNS.c.key.in_([each.run for each in promotions if each.state == APPROVED])
        if wanted.tag is not None:
            yield RUNS.c.key.in_(self._keys(TAGS, TAGS.c.tag == wanted.tag))
        for name in dict.fromkeys(each.name for each in wanted.conditions):
            self._has_to_be_a_number(name)
            # Together, so that the two ends of a range are one stretch of the table.
            compared = [_compared(each) for each in wanted.conditions if each.name == name]
            yield RUNS.c.key.in_(self._keys(NUMBERS, NUMBERS.c.name == name, *compared))

    def _has_to_be_a_number(self, name: str) -> None:
        with self._engine.connect() as connection:
            found = connection.execute(self._keys(NUMBERS, NUMBERS.c.name == name).limit(1)).first()
        if found is None:
            fail("R151", f"no run has a number called `{name}`", hint=near(name, self.names_of_numbers()))

    def _tags(self, connection: sql.Connection, keys: list[str]) -> dict[str, tuple[str, ...]]:
        tags: dict[str, tuple[str, ...]] = {}
        for some in portions(keys):
            found = connection.execute(
                sql.select(TAGS).where(TAGS.c.store == self._store.address, TAGS.c.key.in_(some)).order_by(TAGS.c.tag)
            )
            for row in found:
                tags[row.key] = (*tags.get(row.key, ()), row.tag)
        return tags


def _after(key: str) -> Any:
    """What comes after a run in the list; R151 where that is no key."""
    parts = key.split("/")
    if len(parts) != DEPTH:
        fail("R151", f"`{key}` is no key of a run", hint="take it from the list: study/model/region/time/commit-id")
    moment = parts[3]
    earlier = sql.and_(RUNS.c.time == moment, RUNS.c.id < id_of(Path(key)))
    return sql.or_(RUNS.c.time < moment, earlier)


def _order(wanted: Wanted) -> Iterator[Any]:
    """In which order runs are listed; of those that are alike the latest come first."""
    if wanted.order not in ORDERS:
        fail("R151", f"runs are not listed by `{wanted.order}`", hint=near(wanted.order, ORDERS))
    if wanted.order == "time":
        yield from _directed(wanted, RUNS.c.time, RUNS.c.id)
        return
    # With something assumed otherwise a run stands beside those of its study.
    column = RUNS.c["of_study" if wanted.order == "study" else wanted.order]
    yield column.is_(None)
    yield from (*_directed(wanted, column), *_LATEST)


def _directed(wanted: Wanted, *columns: Any) -> Iterator[Any]:
    yield from (each.desc() if wanted.descending else each.asc() for each in columns)


def _in_index(wanted: Wanted, name: str) -> Any:
    """What is asked of a column, as it stands there: studies, models and regions are folders."""
    value = getattr(wanted, name)
    return folder_name(value) if value is not None and name in ("study", "of_study", "model", "region") else value


def _tally(counted: Iterable[Sequence[Any]], asked: Sequence[str | None], facet: int | None) -> dict[str, int]:
    """The runs of each value of a facet, of those that are as asked for in the others; None counts all under one."""
    others = [(k, value) for k, value in enumerate(asked) if value is not None and k != facet]
    found: dict[str, int] = {}
    for row in counted:
        value = "" if facet is None else row[facet]
        if value is not None and all(row[k] == wanted for k, wanted in others):
            found[value] = found.get(value, 0) + row[-1]
    return found


def _compared(condition: Condition) -> Any:
    return COMPARISONS[condition.operator](NUMBERS.c.value, condition.number)


def _why_not(store: Store, key: str) -> tuple[Letter, ...]:
    """Why a run can not be read."""
    try:
        store.record(key)
    except ModelworksError as error:
        return error.letters
    return ()
