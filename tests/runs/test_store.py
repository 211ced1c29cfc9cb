"""A run appears whole, can be found, and is never changed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store, _run

Publish = Callable[..., Run]


def codes(work: Callable[[], object]) -> tuple[str, ...]:
    with pytest.raises(ModelworksError) as raised:
        work()
    return raised.value.codes


def test_a_run_that_is_pruned_while_it_is_verified_is_missing(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, read = publish(), _run.read_json

    def read_and_gone(path: Path) -> dict[str, Any]:
        found = read(path)
        run.path.rename(run.path.with_name("pruned"))
        return found

    monkeypatch.setattr(_run, "read_json", read_and_gone)
    complaints = run.verify()
    assert {"run.json: missing", "simulate/table.csv: missing"} <= set(complaints)
    assert {each.partition(": ")[2] for each in complaints} == {"missing"}


def test_a_folder_that_goes_while_it_is_made_is_made_again(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever discards the last run of a moment removes the moment's folder, perhaps while another is on the way in.

    `mkdir` then finds the folder, and does not find it any more when it asks whether it is one.
    """
    whole, refused = Path.mkdir, []

    def mkdir(self: Path, *options: Any, **more: Any) -> None:
        if self.name.endswith("Z") and not refused:
            refused.append(self)
            raise FileExistsError(errno.EEXIST, "File exists", str(self))
        whole(self, *options, **more)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert publish().verify() == []
    assert refused


def test_a_run_can_be_read_with_nothing_of_ours(publish: Publish) -> None:
    """In ten years there may be no modelworks, but there will be JSON and text."""
    run = publish(verdict="fine", provenance={"commit": "0f3c2ab9" * 5, "patch": "diff --git a/x b/x\n"})
    assert run.key.startswith("flu/sir/england/20261121T051500Z/0f3c2ab-")
    assert {path.name for path in run.path.iterdir()} == {
        "README.txt", "checksums.json", "environment.lock", "log.jsonl", "run.json", "simulate", "uncommitted.patch",
    }  # fmt: skip
    record = json.loads((run.path / "run.json").read_text("utf-8"))
    assert record["verdict"] == "fine"
    assert record["provenance"]["patch"] == "uncommitted.patch"
    assert "numpy==" in (run.path / "environment.lock").read_text("utf-8")
    assert "simulate/table.csv" in (run.path / "README.txt").read_text("utf-8")


def test_a_run_is_as_it_was_written_until_somebody_changes_it(publish: Publish) -> None:
    """A copy that was cut short, or a number that was mended by hand, is noticed."""
    run = publish()
    assert run.verify() == []
    table = run.path / "simulate" / "table.csv"
    assert not table.stat().st_mode & 0o222
    table.chmod(0o644)
    table.write_text("a,b\n1,3\n", encoding="utf-8")
    (run.path / "run.json").unlink()
    (run.path / "note.txt").write_text("?", encoding="utf-8")
    assert run.verify() == ["note.txt: extra", "run.json: missing", "simulate/table.csv: differs"]


def test_what_its_owner_goes_on_editing_is_copied(store: Store, stage: Path, tmp_path: Path) -> None:
    """A hard link to parameters.yaml would let tomorrow's edit into yesterday's run."""
    mine = tmp_path / "parameters.yaml"
    mine.write_text("a: 1\n", encoding="utf-8")
    run = store.publish(
        ("flu", "sir", "england"), stages={"calibrate": stage}, record={}, files={"inputs/parameters.yaml": mine}
    )
    mine.write_text("a: 2\n", encoding="utf-8")
    assert (run.path / "inputs" / "parameters.yaml").read_text("utf-8") == "a: 1\n"
    assert run.verify() == []
    assert os.stat(run.path / "calibrate" / "table.csv").st_nlink == 2


def test_the_front_stage_lies_at_the_top(store: Store, stage: Path) -> None:
    """Who opens the folder looks for report.html there."""
    (stage / "report.html").write_text("<!doctype html>", encoding="utf-8")
    run = store.publish(("flu", "sir", "england"), stages={"report": stage}, record={})
    assert run.file("report.html") == run.path / "report.html"
    assert run.file("nothing.html") is None


def test_runs_are_listed_the_latest_first(store: Store, publish: Publish) -> None:
    """And those of another study can be left out."""
    first, other, last = publish("flu"), publish("tb"), publish("flu")
    assert store.runs() == [last, other, first]
    assert store.runs("flu") == [last, first]
    assert store.runs("measles") == []
    assert Store(store.root / "nowhere").runs() == []


@pytest.mark.slow
def test_a_run_is_found_by_the_first_digits_of_its_id(store: Store, publish: Publish) -> None:
    """Nobody types a whole key, but everybody pastes one."""
    runs = [publish() for _ in range(20)]
    for run in runs:
        assert store.find(run.id) == store.find(run.key) == store.find(run.id.upper()) == run
        assert store.find(str(run.path)) == run
    assert codes(lambda: store.find("zzz")) == ("R101",)
    assert codes(lambda: store.find("")) == ("R101",)
    # Twenty ids begin with at most sixteen digits.
    first = [run.id[0] for run in runs]
    assert codes(lambda: store.find(max(first, key=first.count))) == ("R102",)


def test_a_whole_key_is_answered_without_a_look_at_the_other_runs(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leads to no folder outside of the store."""
    run, other = publish(), publish()
    outside = Store(store.root / "flu")
    monkeypatch.setattr(Store, "published", lambda *_: pytest.fail("the others were looked at"))
    assert store.find(f" {run.key}/") == run
    monkeypatch.undo()
    assert codes(lambda: outside.find(f"../{other.key}".replace("/sir/", "/"))) == ("R101",)


def test_a_misspelt_id_is_answered_with_the_near_ones(store: Store, publish: Publish) -> None:
    """A digit is easily misread."""
    run = publish()
    slip = run.id[:5] + ("0" if run.id[5] != "0" else "1")
    with pytest.raises(ModelworksError, match=run.id):
        store.find(slip)
    with pytest.raises(ModelworksError, match="modelworks run"):
        Store(store.root / "empty").find("7f3a21")


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["{", "[]", "\x00\xff", None])
def test_a_damaged_run_is_a_letter_and_not_a_crash(store: Store, publish: Publish, damage: str | None) -> None:
    """One bad copy must not hide the others."""
    bad, good = publish(), publish()
    record = bad.path / "run.json"
    record.unlink()
    if damage is not None:
        record.write_text(damage, encoding="latin-1")
    assert store.runs() == [good]
    assert [letter.code for letter in store.damaged()] == ["R103"]
    assert codes(lambda: store.find(bad.id)) == ("R103",)


def test_only_runs_are_listed(store: Store, publish: Publish) -> None:
    """Attempts, what a person put there, and what is hidden are no runs."""
    run = publish()
    (store.root / "notes.txt").write_text("?", encoding="utf-8")
    (run.path.parent / "something-else").mkdir()
    (run.path.parent / ".hidden-7f3a21").mkdir()
    (store.root / ".attempts" / "a" / "b" / "c" / "0000000-7f3a21").mkdir(parents=True)
    assert store.runs() == [run]
    assert store.damaged() == []


def test_a_name_is_made_fit_for_a_folder(store: Store, stage: Path) -> None:
    """A region is called Côte d'Ivoire, and nothing may climb out of the store."""
    run = store.publish(("../../etc", "SIR model", "Côte d'Ivoire"), stages={"simulate": stage}, record={})
    assert run.key.startswith("etc/sir-model/côte-d-ivoire/")
    assert run.path.resolve().is_relative_to(store.root.resolve())
    assert codes(lambda: store.publish(("flu", "---", "x"), stages={"simulate": stage}, record={})) == ("R104",)


def test_two_files_can_not_have_one_name(store: Store, stage: Path) -> None:
    """Nothing in a run is overwritten, and least of all what we write ourselves."""
    assert codes(
        lambda: store.publish(
            ("f", "m", "r"), stages={"a": stage}, record={}, files={"a/table.csv": stage / "table.csv"}
        )
    ) == ("R105",)
    (stage / "run.json").write_text("{}", encoding="utf-8")
    assert codes(lambda: store.publish(("f", "m", "r"), stages={"report": stage}, record={})) == ("R105",)
    with pytest.raises(ValueError, match="outside"):
        store.publish(("f", "m", "r"), stages={}, record={}, files={"../x": stage / "table.csv"})
    assert store.runs() == []
    assert list((store.root / ".attempts").iterdir()) == []


def test_a_record_holds_what_json_can(publish: Publish) -> None:
    """JSON has no word for a number that is not finite, and numpy's numbers are numbers."""
    import numpy as np

    run = publish(a=float("nan"), b=np.int64(3), c=(1, {"d": float("inf")}), e=Path("x"))
    assert {name: run.record[name] for name in "abce"} == {"a": None, "b": 3, "c": [1, {"d": None}], "e": "x"}


def test_the_logs_of_the_stages_become_one(store: Store, stage: Path, tmp_path: Path) -> None:
    """Who reads what happened wants the order of time, not of stages."""
    later = tmp_path / "later"
    later.mkdir()
    (later / "log.jsonl").write_text('{"time": "2026-01-02", "event": "second"}\n{"time": "2026-01-', encoding="utf-8")
    (stage / "log.jsonl").write_text('{"time": "2026-01-01", "event": "first"}\n', encoding="utf-8")
    run = store.publish(("f", "m", "r"), stages={"b": later, "a": stage}, record={})
    lines = (run.path / "log.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["first", "second", "published"]


@pytest.mark.slow
def test_a_full_disk_and_a_forbidden_folder_are_letters(
    store: Store, stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is our fault, and a person can mend both."""
    for number, code in ((28, "R120"), (13, "R121")):

        def refuse(*_: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number), "runs/x")

        with monkeypatch.context() as patch:
            patch.setattr("modelworks.runs._atomic.seal", refuse)
            assert codes(lambda: store.publish(("f", "m", "r"), stages={"a": stage}, record={})) == (code,)
    assert store.runs() == []
