"""Whose signature is waited for: what every page says in its bar, and Home in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    return bool(roles_to_sign(visit, promotion))


def roles_to_sign(visit: Visit, promotion: Promotion) -> list[str]:
    """In which roles somebody could sign a run that waits, as `modelworks.runs.sign` has it."""
    return [] if why_not(visit, promotion) else [each for each in visit.signs_as if each in promotion.missing]


def why_not(visit: Visit, promotion: Promotion) -> str:
    """Why somebody does not sign a run whatever their roles are; empty where that is not so."""
    me = Someone(visit.person.title, visit.person.name)
    if promotion.has_signed(me):
        return "You have signed it already."
    if visit.workspace.repository.own_run or not counts_as_maker(
        me, record(visit.workspace, promotion.run), promotion.proposal
    ):
        return ""
    return "You made this run, so somebody else signs it."


def may_sign(visit: Visit, promotion: Promotion) -> dict[str, list[str]]:
    """Of each role whose signature is missing, the names of those of the workspace who may give it."""
    members = [
        replace(visit, person=someone, role=role)
        for someone, role in visit.house.people.everybody(visit.workspace.name)
    ]
    found = {each.person.title: roles_to_sign(each, promotion) for each in members}
    return {
        role: [title for title, roles in found.items() if role in roles] for role in dict.fromkeys(promotion.missing)
    }


def _said_of(visit: Visit, promotion: Promotion) -> ToSign:
    said = record(visit.workspace, promotion.run)
    title = str(said.get("title") or promotion.question[0])
    return ToSign(promotion.run[-6:], title, promotion.proposal.by, promotion.proposal.when)
