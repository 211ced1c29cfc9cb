"""What was approved as an Atom feed, for whoever wants to hear of it and not to ask.

Source: RFC 4287, The Atom Syndication Format (December 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from modelworks.runs import Promotion

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
    known = sorted((each for each in promotions if each.approved), key=_moved, reverse=True)[:MOST_ENTRIES]
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    _text(feed, "title", f"{title}: approved results")
    _text(feed, "id", f"{address}/feeds/approved.atom")
    _text(feed, "updated", _moved(known[0]) if known else "1970-01-01T00:00:00Z")
    _link(feed, f"{address}/feeds/approved.atom", "self")
    _link(feed, address, "alternate")
    for each in known:
        _entry(feed, address, each, record(each.run))
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def _entry(feed: ElementTree.Element, address: str, of: Promotion, said: Mapping[str, Any]) -> None:
    run = f"{address}/runs/{of.run.rpartition('-')[2]}"
    entry = ElementTree.SubElement(feed, f"{{{ATOM}}}entry")
    _text(entry, "title", f"{said.get('title') or of.run.partition('/')[0]}: {said.get('answer') or 'approved'}")
    # The same address for the same round of a run, whatever becomes of it: a reader shows it as one that changed.
    _text(entry, "id", f"{run}#{of.round}")
    _text(entry, "published", of.approved)
    _text(entry, "updated", _moved(of))
    for name in of.signers or (of.proposal.by,):
        _text(ElementTree.SubElement(entry, f"{{{ATOM}}}author"), "name", name)
    _link(entry, run, "alternate")
    _text(entry, "summary", of.in_words())
    ElementTree.SubElement(entry, f"{{{ATOM}}}category", term=of.state)


def _moved(of: Promotion) -> str:
    """When something last happened to a promotion that its words tell of."""
    return max(of.approved, of.withdrawal.when if of.withdrawal is not None else "")


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    # A control character has no place in XML, not even escaped.
    ElementTree.SubElement(parent, f"{{{ATOM}}}{name}").text = "".join(c for c in text if c >= " " or c in "\t\n")


def _link(parent: ElementTree.Element, address: str, relation: str) -> None:
    ElementTree.SubElement(parent, f"{{{ATOM}}}link", href=address, rel=relation)
