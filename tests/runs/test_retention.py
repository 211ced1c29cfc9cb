"""Old runs go, whatever is worth keeping stays, and what went comes back as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import (
    Index,
    Plan,
    Policy,
    Run,
    StageCache,
    Store,
    empty_trash,
    plan,
    prune,
    pruned,
    restore,
    usage,
)

Publish = Callable[..., Run]
# When the store's clock begins.
START = datetime(2026, 11, 21, 5, 15, tzinfo=UTC)
LATER = START + timedelta(days=100)
NOTHING_SPECIAL = Policy(keep_days=30, keep_latest=1)


@pytest.fixture
def cache(tmp_path: Path) -> StageCache:
    return StageCache(tmp_path / "stages")


def gone(planned: Plan) -> list[str]:
    return [each.run.id for each in planned.leaving]


def test_the_old_go_and_the_latest_of_each_study_stays(store: Store, publish: Publish) -> None:
    first, second, third, other = publish(), publish(), publish(), publish("tb")
    planned = plan(store, NOTHING_SPECIAL, LATER)
    assert gone(planned) == [first.id, second.id]
    assert planned.kept == {"one of the latest 1 of its study": 2}
    assert {run.id for run in store.runs()} == {first.id, second.id, third.id, other.id}


def test_the_young_stay(store: Store, publish: Publish) -> None:
    publish(), publish()
    assert gone(plan(store, NOTHING_SPECIAL, START + timedelta(days=29))) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("record", "mark", "policy"),
    [
        ({}, ("pin", "figure 2"), NOTHING_SPECIAL),
        ({}, ("tag", "paper"), Policy(keep_days=30, keep_latest=1, keep_tags=("paper",))),
        ({"verdict": "fine"}, None, Policy(keep_days=30, keep_latest=1, keep_verdicts=("fine",))),
        ({}, None, Policy(keep_days=30, keep_latest=2)),
    ],
)
def test_what_is_worth_keeping_stays(
    store: Store, publish: Publish, record: dict[str, str], mark: tuple[str, str] | None, policy: Policy
) -> None:
    kept = publish(**record)
    publish()
    if mark is not None:
        store.remark(kept.key, *mark, by="Ada")
    assert gone(plan(store, policy, LATER)) == []


def test_a_run_that_another_was_made_from_stays(store: Store, publish: Publish) -> None:
    source = publish()
    publish(made_from=[source.key])
    assert gone(plan(store, NOTHING_SPECIAL, LATER)) == []


def test_within_a_budget_only_the_oldest_go(store: Store, publish: Publish) -> None:
    runs = [publish() for _ in range(4)]
    all_go = plan(store, Policy(keep_days=0, keep_latest=0, budget_gb=0), LATER)
    assert gone(all_go) == [run.id for run in runs]
    assert all_go.frees == all_go.bytes_before > 0
    room_for_two = (all_go.bytes_before - all_go.leaving[0].frees - 1) / 1e9
    assert gone(plan(store, Policy(keep_days=0, keep_latest=0, budget_gb=room_for_two), LATER)) == gone(all_go)[:2]


def test_what_is_said_to_be_freed_is_freed(store: Store, publish: Publish, cache: StageCache) -> None:
    """Runs share files; a file is freed with the last run that has it."""
    for _ in range(3):
        publish()
    planned = plan(store, NOTHING_SPECIAL, LATER)
    before = on_disk(store.root)
    recipes = prune_all(store, planned, cache)
    freed = empty_trash(store, older_than_days=0, now=LATER)
    assert freed == planned.frees
    assert on_disk(store.root) == before - freed + recipes


def prune_all(store: Store, planned: Plan, cache: StageCache) -> int:
    """Bytes of the recipes that were written."""
    prune(store, planned.leaving, cache, by="Ada", now=LATER)
    return on_disk(store.root / ".pruned")


def on_disk(folder: Path) -> int:
    files = {(each.st_ino, each.st_size) for path in folder.rglob("*") if path.is_file() for each in [os.lstat(path)]}
    return sum(size for _, size in files)


def test_a_pruned_run_comes_back_as_it_was(store: Store, publish: Publish, cache: StageCache) -> None:
    old, _ = publish(verdict="fine"), publish()
    prune_all(store, plan(store, NOTHING_SPECIAL, LATER), cache)
    assert old.id not in {run.id for run in store.runs()}
    assert [why["key"] for why in pruned(store)] == [old.key]
    back = restore(store, old.id[:4])
    assert back.key == old.key
    assert back.verify() == []
    assert pruned(store) == []
    assert not (store.root / ".trash").exists() or not list((store.root / ".trash").rglob("*"))


def test_what_was_emptied_leaves_its_record_and_recipe(
    store: Store, stage: Path, tmp_path: Path, cache: StageCache
) -> None:
    """Data are known by their checksums, and are not kept a second time."""
    files = {}
    for name in ("inputs/models/sir.py", "inputs/data/raw/cases.csv"):
        files[name] = tmp_path / Path(name).name
        files[name].write_text("x = 1\n", encoding="utf-8")
    old, _ = (
        store.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={"verdict": "fine"}, files=files)
        for _ in range(2)
    )
    prune_all(store, plan(store, NOTHING_SPECIAL, LATER), cache)
    assert empty_trash(store, older_than_days=30, now=LATER + timedelta(days=29)) == 0
    assert empty_trash(store, older_than_days=30, now=LATER + timedelta(days=31)) > 0
    left = {path.relative_to(store.root / ".pruned" / old.key).as_posix() for path in recipe_files(store)}
    assert left == {"run.json", "checksums.json", "environment.lock", "pruned.json", "inputs/models/sir.py"}
    with pytest.raises(ModelworksError, match="R141") as raised:
        restore(store, old.id)
    assert "recipe" in raised.value.letters[0].hint


@pytest.mark.parametrize("kind", ["folder", pytest.param("bucket", marks=pytest.mark.needs("weed"))])
def test_who_restores_what_another_erased_meanwhile_is_told_and_removes_nothing(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of an erased run is its recipe; to restore it too late once took that away as well."""
    run = publish()
    store.discard(run.key, "Ada", LATER)
    waiting = list(store.discarded())
    assert store.erase(run.key) > 0
    with monkeypatch.context() as patched:
        patched.setattr(store, "discarded", lambda: iter(waiting))
        with pytest.raises(ModelworksError, match="R141"):
            restore(store, run.id)
    assert [(why["key"], is_there) for why, is_there in store.discarded()] == [(run.key, False)]
    assert list(store.published()) == []


def recipe_files(store: Store) -> list[Path]:
    return [path for path in (store.root / ".pruned").rglob("*") if path.is_file()]


def test_nothing_in_the_trash_is_listed(store: Store, publish: Publish, cache: StageCache) -> None:
    publish(), publish()
    prune_all(store, plan(store, NOTHING_SPECIAL, LATER), cache)
    assert len(store.runs()) == 1
    assert store.damaged() == []


def test_a_stage_only_pruned_runs_had_is_forgotten(store: Store, publish: Publish, cache: StageCache) -> None:
    for mark in ("a" * 64, "b" * 64):
        with cache.attempt("simulate", mark) as folder:
            (folder / "x").write_text("1", encoding="utf-8")
    publish(fingerprints={"simulate": "a" * 64})
    publish(fingerprints={"simulate": "b" * 64})
    prune_all(store, plan(store, NOTHING_SPECIAL, LATER), cache)
    assert cache.get("a" * 64) is None
    assert cache.get("b" * 64) is not None


def test_who_crashed_before_the_move_left_the_run_where_it_was(
    store: Store, publish: Publish, cache: StageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = publish(), publish()
    planned = plan(store, NOTHING_SPECIAL, LATER)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("modelworks.runs._trash._move", crash)
        with pytest.raises(KeyboardInterrupt):
            prune(store, planned.leaving, cache, by="Ada", now=LATER)
    assert pruned(store) == []
    assert store.find(old.id).verify() == []
    prune_all(store, plan(store, NOTHING_SPECIAL, LATER), cache)
    assert restore(store, old.id).verify() == []


def test_what_each_study_takes(store: Store, publish: Publish) -> None:
    publish(), publish(), publish("tb")
    flu, tb = usage(store, {})
    assert (flu.study, flu.runs, tb.study, tb.runs) == ("flu", 2, "tb", 1)
    assert flu.bytes > tb.bytes > 0


def test_what_is_assumed_otherwise_counts_as_its_study(store: Store, publish: Publish) -> None:
    """Nobody made a study of the copy in which it was; the list of runs shows it under the study, too."""
    index = Index(store, "sqlite://")
    publish("tb"), publish("flu"), publish("flu-rate-2-3f5a1c", rerun={"of": "Flu", "changes": ["value rate = 2"]})
    assert index.copies() == {"flu-rate-2-3f5a1c": "flu"}
    flu, tb = usage(store, index.copies())
    assert [(each.study, each.runs, each.assume) for each in (flu, tb)] == [("flu", 2, 1), ("tb", 1, 0)]
