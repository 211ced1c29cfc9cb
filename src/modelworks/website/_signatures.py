"""Whose signature is waited for: what every page says in its bar, and Home in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelworks.errors import ModelworksError
from modelworks.runs import Promotion, Someone, counts_as_maker
from modelworks.website._studies import record
from modelworks.website.access.visits import Visit


@dataclass(frozen=True, slots=True)
class ToSign:
    """A run that waits for the signature of who looks, with its title and who put it forward when."""

    run_id: str
    title: str
    by: str
    when: str


def to_sign(visit: Visit) -> Sequence[ToSign]:
    """The runs that somebody could sign now, the one that waits longest first."""
    try:
        found = [each for each in visit.workspace.index.waiting() if _can_sign(visit, each)]
        return [_said_of(visit, each) for each in sorted(found, key=lambda each: each.proposal.when)]
    except ModelworksError:
        # It stands in the bar of the page, too, that tells why nothing can be read now.
        return ()


def _can_sign(visit: Visit, promotion: Promotion) -> bool:
    """Whether a signature of theirs is missing, as `modelworks.runs.sign` has it."""
    me = Someone(visit.person.title, visit.person.name)
    if promotion.has_signed(me) or not set(visit.signs_as) & set(promotion.missing):
        return False
    is_own = counts_as_maker(me, record(visit.workspace, promotion.run), promotion.proposal)
    return not is_own or visit.workspace.repository.own_run


def _said_of(visit: Visit, promotion: Promotion) -> ToSign:
    said = record(visit.workspace, promotion.run)
    title = str(said.get("title") or promotion.question[0])
    return ToSign(promotion.run[-6:], title, promotion.proposal.by, promotion.proposal.when)
