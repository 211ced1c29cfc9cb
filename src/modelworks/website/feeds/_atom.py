"""What was approved as an Atom feed, for whoever wants to hear of it and not to ask.

Source: RFC 4287, The Atom Syndication Format (December 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from modelworks.runs import APPROVED, Promotion

ATOM = "http://www.w3.org/2005/Atom"
CONTENT_TYPE = "application/atom+xml; charset=utf-8"
# A reader remembers what it has seen; nobody reads further back.
MOST_ENTRIES = 50

ElementTree.register_namespace("atom", ATOM)


def atom(
    title: str, address: str, promotions: Iterable[Promotion], record: Callable[[str], Mapping[str, Any]]
) -> bytes:
    """The approved results of a workspace whose place is `address`; also those superseded or withdrawn since.

    `record` gives what the record of a run says, by its key.
    """
    approved = [each for each in promotions if each.approved]
    last = {each.run: each.approved for each in sorted(approved, key=lambda each: each.round)}
    moved = {(each.run, each.round): _moved(each, last) for each in approved}
    known = sorted(approved, key=lambda each: moved[each.run, each.round], reverse=True)[:MOST_ENTRIES]
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    _text(feed, "title", f"{title}: approved results")
    _text(feed, "id", f"{address}/feeds/approved.atom")
    _text(feed, "updated", max(moved.values(), default="1970-01-01T00:00:00Z"))
    _link(feed, f"{address}/feeds/approved.atom", "self")
    _link(feed, address, "alternate")
    for each in known:
        _entry(feed, address, each, moved[each.run, each.round], record(each.run))
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def _entry(feed: ElementTree.Element, address: str, of: Promotion, moved: str, said: Mapping[str, Any]) -> None:
    run = f"{address}/runs/{of.run.rpartition('-')[2]}"
    entry = ElementTree.SubElement(feed, f"{{{ATOM}}}entry")
    # Many readers show the title alone: a number that is no longer stood behind is not told there as if it were.
    stands = "" if of.state == APPROVED else f"{of.state.capitalize()}: "
    title = said.get("title") or of.run.partition("/")[0]
    _text(entry, "title", f"{stands}{title}: {said.get('answer') or 'approved'}")
    # The same address for the same round of a run, whatever becomes of it: a reader shows it as one that changed.
    _text(entry, "id", f"{run}#{of.round}")
    _text(entry, "published", of.approved)
    _text(entry, "updated", moved)
    for name in of.signers or (of.proposal.by,):
        _text(ElementTree.SubElement(entry, f"{{{ATOM}}}author"), "name", name)
    _link(entry, run, "alternate")
    _text(entry, "summary", of.in_words())
    ElementTree.SubElement(entry, f"{{{ATOM}}}category", term=of.state)


def _moved(of: Promotion, approved: Mapping[str, str]) -> str:
    """When something last happened to a promotion that its words tell of; `approved` is when each run last was."""
    return max(of.approved, of.withdrawal.when if of.withdrawal is not None else "", approved.get(of.superseded_by, ""))


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    # A control character has no place in XML, not even escaped.
    ElementTree.SubElement(parent, f"{{{ATOM}}}{name}").text = "".join(c for c in text if c >= " " or c in "\t\n")


def _link(parent: ElementTree.Element, address: str, relation: str) -> None:
    ElementTree.SubElement(parent, f"{{{ATOM}}}link", href=address, rel=relation)
