"""What the team stands behind: nobody's word is lost, none is forged by accident, and one answer stands at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import (
    Index,
    Policy,
    Promotion,
    Requirement,
    Run,
    StageCache,
    Store,
    Wanted,
    Word,
    approved_runs,
    plan,
    promotion_of,
    promotions,
    propose,
    prune,
    sign,
    withdraw,
)

FINE = (Requirement("verdict", True, "fine"),)
Publish = Callable[..., Run]
Forward = Callable[..., Promotion]
BOTH = pytest.mark.parametrize("kind", ["folder", pytest.param("bucket", marks=pytest.mark.needs("weed"))])


@pytest.fixture
def forward(store: Store) -> Forward:
    def forward(run: Run, *needs: str, by: str = "Ada") -> Promotion:
        return propose(store, run.key, needs=needs or ("reviewer",), found=FINE, by=by)

    return forward


def letter_of(code: str, call: Callable[[], object]) -> str:
    with pytest.raises(ModelworksError) as caught:
        call()
    assert caught.value.codes == (code,)
    return caught.value.letters[0].message


@BOTH
def test_a_run_is_approved_when_everybody_has_signed(store: Store, publish: Publish, forward: Forward) -> None:
    run = publish()
    assert forward(run, "lead", "reviewer").missing == ("lead", "reviewer")
    assert sign(store, run.key, by="Grace", role="lead").state == "open"
    assert approved_runs(store) == ()
    made = sign(store, run.key, by="Emmy", role="reviewer", comment="as in the survey")
    assert made.state == "approved"
    assert made.in_words() == "approved by Grace and Emmy on 2026-11-21"
    assert made.signatures[1].text == "as in the survey"
    assert made.signatures[0].seal == store.seal(run.key)
    assert approved_runs(store) == (made,)


@BOTH
def test_a_later_approval_supersedes_and_a_withdrawal_brings_nothing_back(
    store: Store, publish: Publish, forward: Forward
) -> None:
    first, second, other = publish(), publish(), publish("tb")
    for run in (first, other, second):
        forward(run)
        sign(store, run.key, by="Grace", role="reviewer")
    assert [each.run for each in approved_runs(store)] == [second.key, other.key]
    before = promotion_of(store, first.key)
    assert before is not None
    assert (before.state, before.superseded_by) == ("superseded", second.key)
    made = withdraw(store, second.key, by="Emmy", reason="cases counted twice")
    assert made.in_words().endswith("withdrawn by Emmy on 2026-11-21: cases counted twice")
    assert [each.run for each in approved_runs(store)] == [other.key]
    assert letter_of("R173", lambda: withdraw(store, second.key, by="Emmy", reason="again"))
    # Put forward again it needs new signatures.
    assert forward(second).missing == ("reviewer",)
    assert sign(store, second.key, by="Grace", role="reviewer").state == "approved"


def test_a_changed_run_has_no_valid_signature(store: Store, publish: Publish, forward: Forward) -> None:
    run = publish()
    forward(run, "lead", "reviewer")
    sign(store, run.key, by="Grace", role="lead")
    table = run.path / "simulate" / "table.csv"
    table.chmod(0o644)
    table.write_text("a,b\n1,3\n", encoding="utf-8")
    assert "table.csv: differs" in letter_of("R174", lambda: sign(store, run.key, by="Emmy", role="reviewer"))
    # Whoever forges the checksums too has another run before them, to which nobody has put a name.
    checksums = run.path / "checksums.json"
    checksums.chmod(0o644)
    known = json.loads(checksums.read_text(encoding="utf-8"))
    known["simulate/table.csv"] = "00"
    checksums.write_text(json.dumps(known), encoding="utf-8")
    found = promotion_of(store, run.key)
    assert found is not None
    assert found.state == "changed"


def test_every_mistake_is_a_letter(store: Store, publish: Publish, forward: Forward) -> None:
    run = publish(provenance={"person": "Ada"})
    letter_of("R173", lambda: sign(store, run.key, by="Grace", role="reviewer"))
    letter_of("R173", lambda: withdraw(store, run.key, by="Grace", reason="no"))
    letter_of("R172", lambda: propose(store, run.key, needs=(), found=FINE, by="Ada"))
    bad = (Requirement("verdict", False, "stop"), Requirement("code", False, "not committed"))
    with pytest.raises(ModelworksError) as caught:
        propose(store, run.key, needs=("reviewer",), found=bad, by="Ada")
    assert caught.value.codes == ("R170", "R170")
    assert promotions(store) == ()
    forward(run, "lead", "reviewer")
    letter_of("R171", lambda: forward(run))
    letter_of("R175", lambda: sign(store, run.key, by="Grace", role="emperor"))
    letter_of("R179", lambda: sign(store, run.key, by="ada", role="lead"))
    letter_of("R174", lambda: sign(store, run.key, by="Grace", role="lead", seal="of another page"))
    sign(store, run.key, by="Grace", role="lead")
    letter_of("R175", lambda: sign(store, run.key, by="Emmy", role="lead"))
    letter_of("R176", lambda: sign(store, run.key, by="grace", role="reviewer"))
    letter_of("R178", lambda: withdraw(store, run.key, by="Grace", reason=" "))
    assert sign(store, run.key, by="Ada", role="reviewer", own_run=True).state == "approved"
    letter_of("R173", lambda: sign(store, run.key, by="Emmy", role="reviewer"))


@pytest.mark.parametrize("person", [None, "", "unknown", "the schedule nightly"])
def test_who_puts_forward_what_nobody_is_known_to_have_made_does_not_sign_it(
    store: Store, publish: Publish, forward: Forward, person: str | None
) -> None:
    run = publish(provenance={"person": person})
    forward(run, by="Ada")
    assert "ada put it forward" in letter_of("R179", lambda: sign(store, run.key, by="ada", role="reviewer"))
    assert sign(store, run.key, by="Grace", role="reviewer").state == "approved"


def test_two_of_the_same_name_are_told_apart_by_what_they_sign_in_with(store: Store, publish: Publish) -> None:
    run = publish(provenance={"person": "Ada", "login": "ada.l"})
    propose(store, run.key, needs=("lead", "reviewer"), found=FINE, by="Ada", login="ada.l")
    letter_of("R179", lambda: sign(store, run.key, by="Ada Lovelace", login="ADA.L", role="lead"))
    # At a desk nobody signs in: only the name is known, whichever it is.
    letter_of("R179", lambda: sign(store, run.key, by="ada", role="lead"))
    letter_of("R179", lambda: sign(store, run.key, by="ada.l", role="lead"))
    sign(store, run.key, by="Ada", login="ada.b", role="lead")
    letter_of("R176", lambda: sign(store, run.key, by="Ada B.", login="ada.b", role="reviewer"))
    made = sign(store, run.key, by="Ada", login="ada.k", role="reviewer")
    assert made.in_words().startswith("approved by Ada (ada.b) and Ada (ada.k) on ")


@pytest.mark.parametrize("name", ["ZOË ada", "Zoe\u0308 Ada", "Zoë  Ada ", "Zoë\u00a0Ada", "Zo\u200bë Ada"])
def test_who_made_a_run_is_known_however_their_name_is_stored(store: Store, publish: Publish, name: str) -> None:
    """One keyboard writes an accent as one letter and another as two, and nobody sees which."""
    run = publish(provenance={"person": "Zoë Ada"})
    propose(store, run.key, needs=("lead",), found=FINE, by="Grace")
    letter_of("R179", lambda: sign(store, run.key, by=name, role="lead"))


def test_signers_who_look_alike_are_shown_with_what_they_sign_in_with(store: Store, publish: Publish) -> None:
    run = publish()
    propose(store, run.key, needs=("lead", "reviewer"), found=FINE, by="Ada")
    sign(store, run.key, by="Zoë", login="zoe", role="lead")
    made = sign(store, run.key, by="Zoe\u0308", login="zoe.b", role="reviewer")
    assert made.signers == ("Zoë (zoe)", "Zoe\u0308 (zoe.b)")


def test_nobody_signs_without_knowing_what_was_approved_meanwhile(
    store: Store, publish: Publish, forward: Forward
) -> None:
    first, second = publish(), publish()
    forward(first)
    forward(second)
    sign(store, second.key, by="Grace", role="reviewer")
    assert second.id in letter_of("R177", lambda: sign(store, first.key, by="Grace", role="reviewer"))
    withdraw(store, first.key, by="Ada", reason="look again")
    assert forward(first).proposal.supersedes == second.key
    assert sign(store, first.key, by="Grace", role="reviewer").state == "approved"


@BOTH
def test_of_many_who_sign_at_once_each_counts_once(store: Store, publish: Publish, forward: Forward) -> None:
    run = publish()
    forward(run, "reviewer", "reviewer", "lead")
    outcomes: list[str] = []
    begin = threading.Barrier(6)

    def signing(by: str, role: str) -> None:
        begin.wait()
        try:
            outcomes.append(f"{by} {sign(store, run.key, by=by, role=role).state}")
        except ModelworksError as error:
            outcomes.append(error.codes[0])

    people = [("Grace", "reviewer"), ("Grace", "lead"), ("Emmy", "reviewer"), ("Mary", "reviewer"), ("Rosa", "lead")]
    threads = [threading.Thread(target=signing, args=each) for each in people]
    for thread in threads:
        thread.start()
    begin.wait()
    for thread in threads:
        thread.join()
    made = promotion_of(store, run.key)
    assert made is not None
    assert len(set(made.signers)) == len(made.signatures) <= 3
    signed = {f"{by} {state}" for by, _ in people for state in ("open", "approved")}
    assert set(outcomes) <= signed | {"R173", "R175", "R176"}
    # Whoever was told that they signed is among those who did.
    assert {each.split()[0] for each in outcomes if " " in each} == set(made.signers)


@BOTH
def test_who_is_overtaken_while_signing_is_told_so(
    store: Store, publish: Publish, forward: Forward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never first told that they signed, and then not among those who did."""
    run = publish()
    forward(run, "reviewer", "lead")
    speak = store.speak

    def overtaken(word: Word) -> bool:
        monkeypatch.setattr(store, "speak", speak)
        sign(store, run.key, by="Emmy", role="reviewer")
        return speak(word)

    monkeypatch.setattr(store, "speak", overtaken)
    with pytest.raises(ModelworksError) as told:
        sign(store, run.key, by="Grace", role="reviewer")
    assert told.value.codes == ("R175",)
    made = sign(store, run.key, by="Grace", role="lead")
    assert (made.state, made.signers) == ("approved", ("Emmy", "Grace"))


def test_of_two_who_put_a_run_forward_at_once_one_does(store: Store, publish: Publish) -> None:
    run = publish()
    begin, outcomes = threading.Barrier(2), list[str]()

    def putting(by: str) -> None:
        begin.wait()
        try:
            outcomes.append(propose(store, run.key, needs=("reviewer",), found=FINE, by=by).proposal.by)
        except ModelworksError as error:
            outcomes.append(error.codes[0])

    threads = [threading.Thread(target=putting, args=(by,)) for by in ("Ada", "Bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(promotions(store)) == 1
    assert sorted(outcomes) == sorted([promotions(store)[0].proposal.by, "R171"])


def test_what_is_said_later_is_later_whatever_the_clock_of_its_machine(
    tmp_path: Path, store: Store, publish: Publish, forward: Forward
) -> None:
    run, second = publish(), publish()
    forward(run)
    sign(store, run.key, by="Grace", role="reviewer")
    slow = Store(store.root, clock=lambda: datetime(2026, 11, 20, tzinfo=UTC))
    propose(slow, second.key, needs=("reviewer",), found=FINE, by="Ada")
    sign(slow, second.key, by="Grace", role="reviewer")
    assert [each.run for each in approved_runs(store)] == [second.key]


def test_a_run_that_was_put_forward_is_never_pruned(
    tmp_path: Path, store: Store, publish: Publish, forward: Forward
) -> None:
    waiting, signed, back, free = (publish() for _ in range(4))
    for run in (waiting, signed, back):
        forward(run)
    sign(store, signed.key, by="Grace", role="reviewer")
    withdraw(store, back.key, by="Ada", reason="a slip")
    now = datetime(2027, 11, 21, tzinfo=UTC)
    meant = plan(store, Policy(keep_days=0, keep_latest=0), now)
    assert {each.run.key for each in meant.leaving} == {back.key, free.key}
    # Put forward after the plan was made: it is there when the pruning is over.
    forward(free)
    prune(store, meant.leaving, StageCache(tmp_path / "stages"), by="Ada", now=now)
    assert {run.key for run in store.runs()} == {waiting.key, signed.key, free.key}


@BOTH
def test_the_index_knows_what_stands(tmp_path: Path, store: Store, publish: Publish, forward: Forward) -> None:
    run, other = publish(), publish("tb")
    with Index(store, f"sqlite:///{tmp_path / 'index.sqlite'}") as index:
        assert approved_runs(index) == ()
        forward(run)
        assert {row.key: row.promotion and row.promotion.state for row in index.select().rows} == {
            run.key: "open",
            other.key: None,
        }
        assert index.select(Wanted(approved=True)).rows == ()
        sign(store, run.key, by="Grace", role="reviewer")
        assert approved_runs(index) == approved_runs(store)
        assert [row.key for row in index.select(Wanted(approved=True)).rows] == [run.key]
        withdraw(store, run.key, by="Grace", reason="wrong")
        assert index.select(Wanted(approved=True)).rows == ()
        index.rebuild()
        assert promotions(index) == promotions(store)
