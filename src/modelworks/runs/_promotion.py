"""Which runs the team stands behind: put forward, signed by those whose signature it takes, and perhaps withdrawn.

Nothing here is ever edited: what holds follows from reading all words that were said (`_words.py`). A signature is
given on the hash of a run's list of checksums, and so on every byte of it; of a run that was changed since, it is void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from modelworks.errors import Letters, fail
from modelworks.logs import stamp
from modelworks.runs._maker import Someone, alike, counts_as_maker, maker_of, who_said
from modelworks.runs._store import Store
from modelworks.runs._words import PROPOSED, SIGNED, WITHDRAWN, Requirement, Word

# Where a promotion stands.
OPEN, APPROVED, SUPERSEDED, CHANGED = "open", "approved", "superseded", "changed"


class Sealed(Protocol):
    """Where runs are: a store, or its index."""

    def seal(self, key: str, /) -> str | None: ...


class Spoken(Sealed, Protocol):
    """Where words are read: a store, or its index, which is quicker among many."""

    def spoken(self) -> Collection[Word]: ...


@dataclass(frozen=True, slots=True)
class Promotion:
    """A run (its key) put forward in one of its rounds, and what became of it.

    `state` is *open* while signatures are missing, *approved*, *superseded* by a run approved later, *withdrawn*, or
    *changed*: the run is no longer what was signed, and its signatures are void. `approved` is when the last signature
    came (UTC), empty before. `signatures` are in the order of time.
    """

    run: str
    round: int
    state: str
    proposal: Word
    signatures: tuple[Word, ...] = ()
    withdrawal: Word | None = None
    approved: str = ""
    superseded_by: str = ""

    @property
    def question(self) -> tuple[str, str]:
        """Study and region: what no more than one run is the approved answer to."""
        return _question(self.run)

    @property
    def missing(self) -> tuple[str, ...]:
        """The roles whose signature is missing."""
        return tuple(sorted((Counter(self.proposal.needs) - Counter(each.role for each in self.signatures)).elements()))

    @property
    def signers(self) -> tuple[str, ...]:
        """Who signed; those who are called the same with what they sign in with."""
        called = Counter(alike(each.by) for each in self.signatures)
        return tuple(
            f"{each.by} ({each.login})" if called[alike(each.by)] > 1 and each.login else each.by
            for each in self.signatures
        )

    def has_signed(self, who: Someone) -> bool:
        """Whether one of the signatures is theirs."""
        return any(who.is_same(who_said(each)) for each in self.signatures)

    def in_words(self) -> str:
        """`approved by Ada Lovelace and Grace Hopper on 2026-11-21`, or where it stands otherwise."""
        signed = " and ".join(self.signers)
        approval = f"approved by {signed} on {self.approved[:10]}" if self.approved else ""
        if self.state == OPEN:
            return f"put forward by {self.proposal.by}; not signed yet: {', '.join(self.missing)}"
        if self.state == WITHDRAWN and self.withdrawal is not None:
            was = f"{approval}, " if approval else ""
            return f"{was}withdrawn by {self.withdrawal.by} on {self.withdrawal.when[:10]}: {self.withdrawal.text}"
        if self.state == CHANGED:
            return "changed since it was put forward: what was signed is void"
        return f"{approval}, superseded by {self.superseded_by[-6:]}" if self.state == SUPERSEDED else approval


# -- what holds ---------------------------------------------------------------------------------------


def promotions(place: Spoken) -> tuple[Promotion, ...]:
    """Every promotion of a store, the latest put forward first."""
    return what_holds(place.spoken(), place)


def what_holds(words: Iterable[Word], place: Sealed) -> tuple[Promotion, ...]:
    """What follows from all that was said, and from what the runs are now; the latest put forward first."""
    found = _of_rounds(words)
    ended = sorted((each for each in found if each.approved), key=lambda each: (each.approved, each.run, each.round))
    last = {each.question: each for each in ended}
    settled = (_settled(each, last.get(each.question), place) for each in found)
    return tuple(sorted(settled, key=lambda each: (each.proposal.when, each.run), reverse=True))


def waiting(words: Iterable[Word]) -> tuple[Promotion, ...]:
    """What waits for signatures, by what was said alone: whether a run was changed since is not looked at."""
    return tuple(each for each in _of_rounds(words) if each.state == OPEN)


def _of_rounds(words: Iterable[Word]) -> list[Promotion]:
    rounds: dict[tuple[str, int], list[Word]] = {}
    for word in words:
        rounds.setdefault((word.run, word.round), []).append(word)
    return [made for words in rounds.values() if (made := _promotion(words)) is not None]


def approved_runs(place: Spoken) -> tuple[Promotion, ...]:
    """What the team stands behind now: no more than one run of each study and region, in their order.

    A run that was withdrawn, or changed since, leaves its question without an answer: no earlier one comes back.
    """
    return tuple(sorted((e for e in promotions(place) if e.state == APPROVED), key=lambda each: each.question))


def by_run(found: Iterable[Promotion]) -> dict[str, Promotion]:
    """Of each run the last of its promotions."""
    return {each.run: each for each in sorted(found, key=lambda each: each.round)}


def promotion_of(place: Spoken, key: str) -> Promotion | None:
    """The last promotion of a run; None where it was never put forward."""
    return by_run(promotions(place)).get(key)


def held(place: Spoken) -> set[str]:
    """Keys of runs that are never pruned: those put forward, and those that were ever approved."""
    return {each.run for each in promotions(place) if each.approved or each.state in (OPEN, CHANGED)}


def _promotion(words: list[Word]) -> Promotion | None:
    """What became of one round of one run."""
    words = sorted(words, key=lambda word: (word.when, word.name))
    proposal = next((word for word in words if word.kind == PROPOSED), None)
    if proposal is None:
        return None
    withdrawal = next((word for word in words if word.kind == WITHDRAWN), None)
    # Only a signature on what was put forward counts, in a role that was asked for.
    wanted, counted, approved = Counter(proposal.needs), list[Word](), ""
    for word in words:
        if word.kind == SIGNED and wanted[word.role] > 0 and word.seal == proposal.seal:
            wanted[word.role] -= 1
            counted.append(word)
    if not +wanted:
        approved = max((word.when for word in counted), default=proposal.when)
    if withdrawal is not None and approved > withdrawal.when:
        approved = ""
    state = WITHDRAWN if withdrawal is not None else APPROVED if approved else OPEN
    return Promotion(proposal.run, proposal.round, state, proposal, tuple(counted), withdrawal, approved)


def _settled(each: Promotion, last: Promotion | None, place: Sealed) -> Promotion:
    """A promotion in the light of others, and of what the run is now."""
    if each.state == APPROVED and last is not None and last is not each:
        return replace(each, state=SUPERSEDED, superseded_by=last.run)
    if each.state in (OPEN, APPROVED) and place.seal(each.run) != each.proposal.seal:
        return replace(each, state=CHANGED)
    return each


def _question(key: str) -> tuple[str, str]:
    study, _, region, *_ = key.split("/")
    return study, region


# -- saying it ----------------------------------------------------------------------------------------


def propose(
    store: Store,
    key: str,
    *,
    needs: Collection[str],
    found: Iterable[Requirement],
    by: str,
    comment: str = "",
    login: str = "",
) -> Promotion:
    """Put a run forward, to be signed in each of these roles; `login` is what `by` signs in with, where they do.

    Raises
    ------
    ModelworksError
        R170 with every requirement that does not hold, R171 where the run is put forward or approved already, R172
        where nobody would have to sign.
    """
    before, found = promotion_of(store, key), tuple(found)
    if before is not None and before.state in (OPEN, APPROVED):
        fail("R171", f"the run {key[-6:]} is already {before.in_words()}", hint="modelworks sign RUN, or `--withdraw`")
    letters = Letters()
    for each in found:
        if not each.holds:
            letters.add("R170", f"{each.name}: {each.words}", hint="see to it, run the study again, and promote that")
    letters.raise_if_any()
    if not needs:
        fail("R172", "nobody is named who must sign", hint="write `sign: [reviewer]` under `approval:` in study.yaml")
    standing = next((each.run for each in approved_runs(store) if each.question == _question(key)), "")
    word = Word(
        key, 1 if before is None else before.round + 1, PROPOSED, by, _now(store), _seal(store, key),
        text=comment, needs=tuple(needs), found=found, supersedes="" if standing == key else standing, login=login,
    )  # fmt: skip
    if not store.speak(word):
        fail("R171", f"somebody else has put the run {key[-6:]} forward just now", hint="modelworks approved shows it")
    if not store.is_there(key):
        fail("R101", f"the run {key[-6:]} was pruned just now", hint=f"modelworks restore {key[-6:]}")
    return _now_stands(store, key)


def sign(
    store: Store,
    key: str,
    *,
    by: str,
    role: str,
    comment: str = "",
    seal: str | None = None,
    own_run: bool = False,
    login: str = "",
) -> Promotion:
    """Sign a run that was put forward, in a role; `seal` is that of the run the signer saw, where they saw it before.

    Who made the run signs it only where `own_run` says so; where nobody knows who did, that is who put it forward.
    `login` is what `by` signs in with, where they do: it tells two of the same name apart.

    Raises
    ------
    ModelworksError
        R173 where the run is not put forward, R174 where it is not as it was put forward, R175 where no signature in
        that role is missing, R176 where this person has signed, R177 where another run was approved meanwhile,
        R179 where this person made the run, or counts as who did.
    """
    while True:
        # Counted before it is looked at what holds: whoever signs after that has the number that is ours.
        given = Counter(each.round for each in store.spoken() if (each.run, each.kind) == (key, SIGNED))
        open_one = _to_be_signed(store, key, Someone(by, login), role, seal, own_run=own_run)
        word = Word(
            key, open_one.round, SIGNED, by, _now(store), open_one.proposal.seal,
            role=role, text=comment, place=given[open_one.round], login=login,
        )  # fmt: skip
        if store.speak(word):
            return _now_stands(store, key)


def _to_be_signed(store: Store, key: str, who: Someone, role: str, seal: str | None, *, own_run: bool) -> Promotion:
    """The promotion as it stands, where this person may sign it in this role now."""
    open_one = promotion_of(store, key)
    if open_one is None or open_one.state not in (OPEN, CHANGED):
        said = "was never put forward" if open_one is None else f"is {open_one.in_words()}"
        fail("R173", f"the run {key[-6:]} {said}: there is nothing to sign", hint=f"modelworks promote {key[-6:]}")
    changed = store.verify(key)
    if open_one.state == CHANGED or changed or seal not in (None, open_one.proposal.seal):
        fail(
            "R174",
            f"the run {key[-6:]} is not as it was put forward" + (f": {'; '.join(changed[:3])}" if changed else ""),
            hint="copy it again from where it was published; a signature is given on every byte of a run",
        )
    if open_one.has_signed(who):
        fail(
            "R176",
            f"{who.name} has signed the run {key[-6:]} already",
            hint="one more person has to: modelworks approved",
        )
    if role not in open_one.missing:
        fail(
            "R175",
            f"no signature of a {role} is missing for the run {key[-6:]}",
            hint=f"missing: {', '.join(open_one.missing)}",
        )
    _check_nothing_newer(store, open_one)
    record = store.record(key)
    if counts_as_maker(who, record, open_one.proposal) and not own_run:
        made = f"{who.name} made the run {key[-6:]}"
        if maker_of(record) is None:
            made = f"nobody knows who made the run {key[-6:]}, {who.name} put it forward"
        fail(
            "R179",
            f"{made}, and so is not the one to sign it",
            hint="ask somebody else; who works alone writes `own_run = true` under [approval] in modelworks.toml",
        )
    return open_one


def withdraw(store: Store, key: str, *, by: str, reason: str) -> Promotion:
    """Take a run back that was put forward or approved, and say why. No earlier run comes back in its place.

    Raises
    ------
    ModelworksError
        R178 without a reason, R173 where there is nothing to withdraw.
    """
    if not reason.strip():
        fail(
            "R178", "a run is withdrawn for a reason", hint="say it to whoever used the number: --why 'data corrected'"
        )
    last = promotion_of(store, key)
    if last is None or last.state == WITHDRAWN:
        said = "was never put forward" if last is None else f"is {last.in_words()}"
        fail("R173", f"the run {key[-6:]} {said}: there is nothing to withdraw", hint="modelworks approved")
    word = Word(key, last.round, WITHDRAWN, by, _now(store), last.proposal.seal, text=reason.strip())
    if not store.speak(word):
        fail("R173", f"somebody else has withdrawn the run {key[-6:]} just now", hint="modelworks approved")
    return _now_stands(store, key)


def _check_nothing_newer(store: Store, open_one: Promotion) -> None:
    """Nobody signs in place of a run that they did not know of."""
    standing = next((each.run for each in approved_runs(store) if each.question == open_one.question), "")
    if standing not in ("", open_one.run, open_one.proposal.supersedes):
        fail(
            "R177",
            f"the run {standing[-6:]} was approved after {open_one.run[-6:]} was put forward",
            hint=f"compare them: modelworks compare {standing[-6:]} {open_one.run[-6:]}; then withdraw this one and "
            "promote it anew, or leave it",
        )


def _seal(store: Store, key: str) -> str:
    changed = store.verify(key)
    seal = store.seal(key)
    if changed or seal is None:
        fail("R174", f"the run {key[-6:]} is not as it was published: {'; '.join(changed[:3])}", hint="copy it again")
    return seal


def _now(store: Store) -> str:
    """This moment; later than all that was said before, for two machines' clocks differ."""
    said = max((word.when for word in store.spoken()), default="")
    return max(stamp(store.now()), _after(said) if said else "")


def _after(said: str) -> str:
    return stamp(datetime.fromisoformat(said.replace("Z", "+00:00")).astimezone(UTC) + timedelta(milliseconds=1))


def _now_stands(store: Store, key: str) -> Promotion:
    made = promotion_of(store, key)
    if made is None:
        raise RuntimeError(f"what was said of {key} can not be read back")
    return made
