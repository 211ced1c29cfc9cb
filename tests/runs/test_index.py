"""The index is quick, follows the folders by itself, and is worth nothing when they say otherwise."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from modelworks.errors import ModelworksError
from modelworks.runs import Index, Listing, Run, Store, Wanted, condition, propose, sign, withdraw
from modelworks.runs._index_tables import SCHEMA

Publish = Callable[..., Run]


SQLITE = pytest.param("sqlite")
POSTGRES = pytest.param("postgres", marks=pytest.mark.needs("postgres", "psycopg"))


@pytest.fixture(params=[SQLITE, POSTGRES])
def url(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database for an index; that of the server has other tests' runs in it, as a team's has another team's."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'index.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def index(store: Store, url: str) -> Iterator[Index]:
    with Index(store, url) as index:
        yield index


def ids(listing: Listing) -> list[str]:
    return [row.id for row in listing.rows]


@pytest.mark.slow
def test_a_new_run_is_found_without_being_told_of(index: Index, publish: Publish) -> None:
    assert ids(index.select()) == []
    first = publish(verdict="fine")
    assert ids(index.select()) == [first.id]
    second = publish("tb", verdict="look")
    assert ids(index.select()) == [second.id, first.id]


@pytest.mark.slow
def test_what_is_asked_for_is_found(index: Index, publish: Publish) -> None:
    early = publish(
        verdict="fine", parameters={"rate": {"value": 1.2}}, provenance={"commit": "abc1234", "person": "Ada"}
    )
    late = publish(
        "tb",
        verdict="look",
        parameters={"rate": {"median": 2.5, "low": 2.0, "high": 3.0}},
        quantities={"deaths": {"median": 40.0, "low": 30.0, "high": 55.0}, "train.accuracy": {"value": 0.93}},
        measures={"divergences": 0.0},
    )
    for wanted, expected in {
        Wanted(study="TB"): [late],
        Wanted(verdict="fine"): [early],
        Wanted(commit="abc"): [early],
        Wanted(person="Ada"): [early],
        Wanted(region="england", limit=1): [late],
        Wanted(model="seir"): [],
        Wanted(since="2026-11-22"): [],
        Wanted(since="2026-11-21", until="2026-11"): [late, early],
        Wanted(until="2026-11-20"): [],
        Wanted(conditions=(condition("rate > 2"),)): [late],
        Wanted(conditions=(condition("rate<=1.2"),)): [early],
        Wanted(conditions=(condition("train.accuracy>0.9"),)): [late],
        Wanted(conditions=(condition("rate > 1"), condition("deaths=40"))): [late],
        Wanted(conditions=(condition("divergences == 0"),)): [late],
    }.items():
        assert ids(index.select(wanted)) == [run.id for run in expected], wanted


@pytest.mark.slow
def test_a_limit_says_how_many_there_are(index: Index, publish: Publish) -> None:
    runs = [publish() for _ in range(4)]
    listing = index.select(Wanted(limit=2))
    assert ids(listing) == [runs[3].id, runs[2].id]
    assert listing.total == 4


def test_the_list_goes_on_after_a_run(index: Index, publish: Publish) -> None:
    """Each run once, also after one that is gone; all are counted on every page."""
    keys = [publish().key for _ in range(5)][::-1]
    pages = [index.select(Wanted(limit=2, after=after)) for after in (None, keys[1], keys[3], keys[4])]
    assert [[row.key for row in page.rows] for page in pages] == [keys[:2], keys[2:4], keys[4:], []]
    assert {page.total for page in pages} == {5}
    with pytest.raises(ModelworksError) as told:
        index.select(Wanted(after="no key"))
    assert told.value.codes == ("R151",)


def test_runs_are_listed_in_the_order_asked_for(index: Index, publish: Publish) -> None:
    """What says nothing comes last either way, and of those that are alike the latest comes first."""
    said = [("b", 3.0), ("a", 1.0), ("b", 2.0), ("c", None)]
    b3, a1, b2, c = (
        publish(study, **({} if seconds is None else {"seconds": seconds, "measures": {"rate": seconds}}))
        for study, seconds in said
    )
    for order, descending, expected in (
        ("time", False, [b3, a1, b2, c]),
        ("seconds", True, [b3, b2, a1, c]),
        ("seconds", False, [a1, b2, b3, c]),
        ("study", False, [a1, b2, b3, c]),
        ("study", True, [c, b2, b3, a1]),
        ("number:rate", True, [b3, b2, a1, c]),
        ("number:rate", False, [a1, b2, b3, c]),
    ):
        wanted = Wanted(order=order, descending=descending)
        for limit in (None, 4, 3, 2):
            assert ids(index.select(replace(wanted, limit=limit))) == [run.id for run in expected[:limit]], wanted
    for none in ("colour", "number:rat"):
        with pytest.raises(ModelworksError) as told:
            index.select(Wanted(order=none))
        assert told.value.codes == ("R151",)


def test_a_run_is_listed_once_by_a_number_that_it_has_twice(index: Index, publish: Publish) -> None:
    """A parameter and a quantity may have one name."""
    both, high = (
        publish(parameters={"rate": {"value": 1.0}}, quantities={"rate": {"value": 3.0}}),
        publish(parameters={"rate": {"value": 4.0}}),
    )
    for limit in (None, 2):
        assert ids(index.select(Wanted(order="number:rate", limit=limit))) == [high.id, both.id]


def test_what_was_assumed_otherwise_stands_under_its_study(index: Index, publish: Publish) -> None:
    """A rerun has a folder of its own, as a study has, but nobody thinks of it as one."""
    as_it_is = publish("flu")
    rerun = publish("flu-rate-2-3f5a1c", rerun={"of": "Flu", "changes": ["value rate = 2", "target deaths without"]})
    other = publish("tb")
    found = index.select(Wanted(of_study="flu"))
    assert index.counts(Wanted(), [])["of_study"] == {"flu": 2, "tb": 1}
    assert ids(found) == [rerun.id, as_it_is.id]
    assert [row.changes for row in found.rows] == ["value rate = 2; target deaths without", None]
    assert ids(index.select(Wanted(study="flu"))) == [as_it_is.id]
    assert ids(index.select(Wanted(order="study", descending=False))) == [rerun.id, as_it_is.id, other.id]


def test_runs_are_counted_by_what_one_would_see_instead(index: Index, publish: Publish) -> None:
    """What is chosen of a facet narrows the others; its own counts say what another choice would show."""
    first = publish("a", verdict="fine", parameters={"rate": {"median": 2.0, "low": 1.0, "high": 3.0}})
    for study, verdict in (("a", "fine"), ("a", "stop"), ("b", "stop")):
        publish(study, verdict=verdict, provenance={"person": "Ada"})
    every = index.select().approved
    counts = index.counts(Wanted(), every)
    assert counts["of_study"] == {"a": 3, "b": 1}
    assert counts["verdict"] == {"fine": 2, "stop": 2}
    assert counts["person"] == {"Ada": 3}
    assert counts["approved"] == {"yes": 0}
    narrowed = index.counts(Wanted(of_study="a", person="Ada"), [first.key])
    assert narrowed["of_study"] == {"a": 2, "b": 1}
    assert narrowed["verdict"] == {"fine": 1, "stop": 1}
    assert narrowed["person"] == {"Ada": 2}
    assert index.counts(Wanted(approved=True), [first.key])["verdict"] == {"fine": 1}
    assert index.counts(Wanted(conditions=(condition("rate > 1"),)), every)["of_study"] == {"a": 1}
    assert index.names_in(index.select(Wanted(of_study="a"))) == ["rate"]
    assert index.names_in(index.select(Wanted(of_study="b"))) == []


def test_a_run_is_found_by_the_first_digits_of_its_id(index: Index, publish: Publish) -> None:
    runs = [publish() for _ in range(3)]
    assert index.keys(runs[1].id.upper()) == [runs[1].key]
    assert len(index.keys("")) == 2
    assert index.keys("%") == []


def test_a_number_no_run_has_is_a_letter_with_the_near_names(index: Index, publish: Publish) -> None:
    publish(parameters={"contact_rate": {"value": 1.0}})
    with pytest.raises(ModelworksError, match="R151") as raised:
        index.select(Wanted(conditions=(condition("contact_rat > 1"),)))
    assert "contact_rate" in raised.value.letters[0].hint


@pytest.mark.parametrize("text", ["rate", "rate is 2", "> 2", "rate > high", ""])
def test_a_condition_that_says_nothing_is_a_letter(text: str) -> None:
    with pytest.raises(ModelworksError, match="R151"):
        condition(text)


def test_tags_and_pins_are_remarks_that_do_not_touch_the_run(store: Store, index: Index, publish: Publish) -> None:
    kept, other = publish(), publish()
    store.remark(kept.key, "tag", "paper", by="Ada")
    store.remark(kept.key, "pin", "figure 2", by="Ada")
    store.remark(other.key, "tag", "draft", by="Ada")
    assert ids(index.select(Wanted(tag="paper"))) == [kept.id]
    assert ids(index.select(Wanted(pinned=True))) == [kept.id]
    store.remark(kept.key, "untag", "paper", by="Bob")
    store.remark(kept.key, "tag", "submitted", by="Bob")
    (row,) = index.select(Wanted(pinned=True)).rows
    assert row.tags == ("submitted",)
    assert kept.verify() == []


def test_a_tag_is_one_word(store: Store, publish: Publish) -> None:
    with pytest.raises(ModelworksError, match="R140"):
        store.remark(publish().key, "tag", "for the paper", by="Ada")


def test_a_run_that_was_damaged_or_removed_by_hand_is_not_shown(index: Index, publish: Publish) -> None:
    """Even where no folder's list of names changed that we look at."""
    damaged, removed, whole = publish(verdict="fine"), publish(), publish()
    assert len(ids(index.select())) == 3
    (damaged.path / "run.json").chmod(0o644)
    (damaged.path / "run.json").write_text("{", encoding="utf-8")
    shutil.rmtree(removed.path)
    listing = index.select()
    assert ids(listing) == [whole.id]
    assert listing.total == 1
    assert [letter.code for letter in listing.damaged] == ["R103"]
    (damaged.path / "run.json").write_text(json.dumps({"verdict": "look"}), encoding="utf-8")
    assert ids(index.select(Wanted(verdict="look"))) == [damaged.id]


def test_a_damaged_run_changes_nothing_for_as_long_as_it_is_damaged_alike(index: Index, publish: Publish) -> None:
    damaged, whole = publish(), publish()
    (damaged.path / "run.json").chmod(0o644)
    (damaged.path / "run.json").write_text("{", encoding="utf-8")
    index.select()
    state = index.state()
    assert ids(index.select(Wanted(limit=5))) == [whole.id]
    assert index.state() == state
    (damaged.path / "run.json").unlink()
    assert [letter.file for letter in index.select(Wanted(limit=5)).damaged] == [str(damaged.path)]
    shutil.rmtree(damaged.path)
    assert index.select(Wanted(limit=5)).damaged == ()
    assert index.state() != state


def test_an_index_that_is_no_database_is_made_anew(store: Store, publish: Publish, tmp_path: Path) -> None:
    """A cut power line may leave anything; nothing in the file is worth a word to its owner."""
    run = publish()
    (tmp_path / "index.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    assert ids(Index(store, f"sqlite:///{tmp_path / 'index.sqlite'}").select()) == [run.id]


def test_an_index_of_another_edition_is_made_anew(
    store: Store, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = publish()
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"
    assert ids(Index(store, url).select()) == [run.id]
    monkeypatch.setattr("modelworks.runs._index_upkeep.EDITION", 0)
    assert ids(Index(store, url).select()) == [run.id]


def test_tables_that_another_makes_in_the_same_moment_are_taken(store: Store, url: str, publish: Publish) -> None:
    """Between the question that finds none and the one whether there are none, they may have come."""
    run = publish()
    with Index(store, url) as first, Index(store, url) as other:
        SCHEMA.drop_all(first._engine)
        failed: list[str] = []

        def made_by_another(context: sqlalchemy.engine.ExceptionContext) -> None:
            failed.append(str(context.original_exception))
            other.refresh()

        sqlalchemy.event.listen(first._engine, "handle_error", made_by_another)
        assert ids(first.select()) == [run.id]
        assert len(failed) == 1, failed


@pytest.mark.needs("psycopg")
def test_a_server_that_is_not_there_is_a_letter_without_the_password(store: Store) -> None:
    with pytest.raises(ModelworksError, match="R150") as raised:
        Index(store, "postgresql+psycopg://ada:secret@127.0.0.1:9/runs").select()
    assert "secret" not in str(raised.value)


@pytest.mark.slow
def test_many_who_look_at_once_see_the_same(store: Store, url: str, publish: Publish) -> None:
    """Each brings the index up to date by itself, and none trips over another."""
    runs = [publish(parameters={"rate": {"value": 1.0}}) for _ in range(20)]

    def look(number: int) -> list[str]:
        with Index(store, url) as index:
            if number % 3 == 0:
                store.remark(runs[number].key, "tag", "paper", by="Ada")
            return ids(index.select())

    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(look, range(16)):
            assert seen == [run.id for run in reversed(runs)]
    with Index(store, url) as index:
        assert len(ids(index.select(Wanted(tag="paper")))) == 6


class Life(RuleBasedStateMachine):
    """Runs come, go, are copied, remarked on and broken, while an index looks now and then."""

    runs: Bundle[str] = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        seconds = itertools.count()
        self.store = Store(
            self.root / "runs", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(seconds) // 2)
        )
        self.copies = itertools.count()
        self.stage = self.root / "stage"
        self.stage.mkdir()
        (self.stage / "table.csv").write_text("a\n1\n", encoding="utf-8")
        self.index = Index(self.store, f"sqlite:///{self.root / 'index.sqlite'}")

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(target=runs, study=st.sampled_from(["flu", "tb"]), region=st.sampled_from(["a", "b"]), rate=st.integers(0, 9))
    def publish(self, study: str, region: str, rate: int) -> str:
        record = {"verdict": "fine", "parameters": {"rate": {"value": float(rate)}}}
        return self.store.publish((study, "sir", region), stages={"simulate": self.stage}, record=record).key

    @rule(run=consumes(runs), whole=st.booleans())
    def remove(self, run: str, whole: bool) -> None:
        folder = self.store.root / run
        shutil.rmtree(folder, ignore_errors=True)
        if whole and folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()

    @rule(run=consumes(runs))
    def remove_region(self, run: str) -> None:
        shutil.rmtree((self.store.root / run).parent.parent, ignore_errors=True)

    @rule(target=runs, run=runs)
    def copy_in(self, run: str) -> str:
        """From another machine, of a moment of its own: a folder that nobody published here."""
        source = self.store.root / run
        moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=next(self.copies))
        copy = source.parents[1] / f"{moment:%Y%m%dT%H%M%SZ}" / source.name
        if source.exists():
            shutil.copytree(source, copy)
        return copy.relative_to(self.store.root).as_posix()

    @rule(run=runs, text=st.sampled_from(["", "{", '{"verdict": "look"}']))
    def write_over(self, run: str, text: str) -> None:
        record = self.store.root / run / "run.json"
        if record.exists():
            record.chmod(0o644)
            record.write_text(text, encoding="utf-8")

    @rule(run=runs, kind=st.sampled_from(["tag", "untag", "pin", "unpin"]))
    def remark(self, run: str, kind: str) -> None:
        self.store.remark(run, kind, "paper", by="Ada")

    @rule(run=runs, who=st.sampled_from(["Ada", "Grace"]))
    def stand_behind(self, run: str, who: str) -> None:
        with contextlib.suppress(ModelworksError):
            propose(self.store, run, needs=("reviewer",), found=(), by=who)
        with contextlib.suppress(ModelworksError):
            sign(self.store, run, by="Emmy", role="reviewer")

    @rule(run=runs)
    def take_back(self, run: str) -> None:
        with contextlib.suppress(ModelworksError):
            withdraw(self.store, run, by="Emmy", reason="a mistake")

    @rule(run=runs)
    def change(self, run: str) -> None:
        """Not its record, which the index looks at, and not a folder: what was signed is void all the same."""
        checksums = self.store.root / run / "checksums.json"
        if checksums.exists():
            checksums.chmod(0o644)
            checksums.write_text("{}", encoding="utf-8")

    @rule()
    def look(self) -> None:
        self.index.select(Wanted(limit=1))

    @invariant()
    def is_what_the_folders_say(self) -> None:
        with Index(self.store, "sqlite://") as fresh:
            assert shown(self.index) == shown(fresh)
            with self.index.as_now():
                assert shown(self.index) == shown(fresh)
        assert sorted(ids(self.index.select())) == sorted(run.id for run in self.store.runs())


def shown(index: Index) -> tuple[object, ...]:
    """All that a page of runs shows, in questions whose answers are remembered and in one whose are not."""
    # All of them first: only of a run that would be shown is it seen that somebody wrote over its record.
    asked = (Wanted(), Wanted(limit=2), Wanted(limit=2, study="flu"), Wanted(limit=9, approved=True))
    listings = [index.select(each) for each in asked]
    counts = [index.counts(each, listings[0].approved) for each in asked]
    return listings, counts, [index.names_in(each) for each in listings], index.waiting()


TestLife = pytest.mark.slow(Life.TestCase)
TestLife.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_run_that_comes_to_a_moment_long_past_is_found(store: Store, url: str, stage: Path) -> None:
    """Two jobs ordered in the same second end at different times, and have their folder's moment in common."""
    moment = datetime(2026, 11, 1, tzinfo=UTC)

    def publish(run_id: str) -> Run:
        return store.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={}, name=(moment, run_id))

    with Index(store, url) as index:
        first = publish("aaaaaa")
        for folder in (first.path.parent, first.path.parent.parent):
            os.utime(folder, (moment.timestamp(), moment.timestamp()))
        for _ in range(2):
            assert ids(index.select()) == [first.id]
        second = publish("bbbbbb")
        assert ids(index.select()) == [second.id, first.id]
        store.discard(first.key, "Ada", moment)
        assert ids(index.select()) == [second.id]
        store.bring_back(first.key)
        assert ids(index.select()) == [second.id, first.id]


def test_of_many_who_ask_at_once_everybody_sees_what_was_there_when_they_asked(publish: Publish, index: Index) -> None:
    """One looks for several, and yet nobody is told of the time before they asked."""

    def publish_and_ask(_: int) -> bool:
        key = publish().key
        return key in {row.key for row in index.select(Wanted(limit=1000)).rows}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(publish_and_ask, range(30)))


@pytest.mark.needs("postgres", "psycopg")
def test_a_server_knows_at_once_how_much_came(
    store: Store, publish: Publish, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes a table of 10,000 runs for an empty one needs a second for each list, until it looks by itself."""
    monkeypatch.setattr("modelworks.runs._index_upkeep.MANY", 2)
    publish()
    publish()
    with Index(store, postgres_url) as index:
        assert len(index.select().rows) == 2
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        asked = "SELECT reltuples FROM pg_class WHERE relname = 'modelworks_runs'"
        assert connection.execute(sqlalchemy.text(asked)).scalar_one() >= 2
    engine.dispose()


def test_what_is_asked_together_is_answered_by_one_look(
    store: Store, publish: Publish, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of ten studies asks ten times, and seals of approved runs are read from the disk."""
    run = publish()
    propose(store, run.key, needs=("reviewer",), found=(), by="Ada")
    sign(store, run.key, by="Grace", role="reviewer")
    read: list[str] = []
    monkeypatch.setattr(store, "seal", lambda key, seal=store.seal: read.append(key) or seal(key))
    assert [index.select(Wanted(approved=True)).total for _ in range(3)] == [1] * 3
    each_time = len(read)
    read.clear()
    with index.as_now():
        assert [index.select(Wanted(approved=True)).total for _ in range(3)] == [1] * 3
        with index.as_now():
            assert index.select(Wanted(approved=True)).total == 1
    assert len(read) == each_time / 3
    withdraw(store, run.key, by="Grace", reason="a mistake")
    with index.as_now():
        assert index.select(Wanted(approved=True)).total == 0


def test_runs_of_a_verdict_are_counted_by_study_and_month(index: Index, publish: Publish) -> None:
    """By the month of UTC in which they were handed over; with something assumed otherwise as of their study."""
    publish("flu", verdict="stop"), publish("flu", verdict="fine"), publish("tb", verdict="stop")
    publish("flu-rate-2-3f5a1c", verdict="stop", rerun={"of": "Flu", "changes": ["value rate = 2"]})
    assert index.by_month("stop") == {("flu", "2026-11"): 2, ("tb", "2026-11"): 1}
    assert index.by_month("look") == {}


def test_what_one_process_remembers_of_the_tables_another_one_has_changed(
    store: Store, publish: Publish, url: str
) -> None:
    """Each keeps what it read of them until it hears that somebody looked since."""
    with Index(store, url) as here, Index(store, url) as there:
        first, second = publish(), publish()
        assert set(ids(here.select())) == set(ids(there.select())) == {first.id, second.id}
        state = here.state()
        assert here.state() == there.state() == state
        # Taken up there, so that here nothing is left to take up.
        store.remark(first.key, "tag", "good", by="Ada")
        assert ids(there.select(Wanted(tag="good"))) == [first.id]
        assert ids(here.select(Wanted(tag="good"))) == [first.id]
        assert here.state() == there.state() != state
        shutil.rmtree(second.path)
        third = publish()
        assert set(ids(there.select())) == set(ids(here.select())) == {first.id, third.id}
        (first.path / "run.json").chmod(0o644)
        (first.path / "run.json").write_text("{", encoding="utf-8")
        assert [len(each.select().damaged) for each in (there, here)] == [1, 1]
        there.rebuild()
        store.remark(third.key, "tag", "better", by="Ada")
        assert ids(here.select(Wanted(tag="better"))) == ids(there.select(Wanted(tag="better"))) == [third.id]


def test_nothing_new_is_one_question(store: Store, publish: Publish, index: Index) -> None:
    """Every page begins with a look, and the tables of a hundred regions are not read for each."""
    for name in ("flu", "tb", "covid"):
        publish(name)
    # What had changed just before it was looked at is looked at again.
    for folder in (*store.root.rglob("*"), store.root):
        if folder.is_dir():
            os.utime(folder, (0, 0))
    asked: list[str] = []
    sqlalchemy.event.listen(index._engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    index.select()
    index.refresh()
    asked.clear()
    index.refresh()
    assert len(asked) == 1, asked
