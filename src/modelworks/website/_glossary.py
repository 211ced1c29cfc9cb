"""The words of the field on our pages: each leads to what it means, which stands in `glossary.md` and nowhere else."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup, escape

# Those that a page explains where it first says them. Words of every day, such as a run or a group, are in the
# glossary too and would only be in the way.
EXPLAINED = (
    "R-hat", "effective sample size", "ESS", "effective draws", "draw", "chain", "warmup", "95% interval",
    "credible interval", "prior", "prior predictive", "posterior", "posterior predictive", "likelihood",
    "log-likelihood", "log-density", "overdispersion", "Pareto k", "ELPD", "leave-one-out", "power-scaling",
    "divergence", "derived quantity", "force of infection", "incidence", "prevalence", "basic reproduction number",
    "baseline",
)  # fmt: skip

_ENTRY = re.compile(r"^(\*\*.+)\n: ((?:.+\n?)+)", re.MULTILINE)
_NAME = re.compile(r"\*\*(.+?)\*\*")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
# What is a link already, or no text.
_NO_TEXT = re.compile(r"(<a\b.*?</a>|<code\b.*?</code>|<[^>]*>)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One meaning with its names; `text` is in Markdown, of which it uses bold, italics and links."""

    names: tuple[str, ...]
    text: str

    @property
    def id(self) -> str:
        """Where it stands on the page.

        >>> Entry(("effective sample size", "ESS"), "").id
        'effective-sample-size'
        """
        return re.sub(r"[^a-z0-9]+", "-", self.names[0].lower()).strip("-")

    @property
    def plain(self) -> str:
        """What it means, without markup.

        >>> Entry(("verdict",), "*fine* or **look**. [More](there.md).").plain
        'fine or look. More.'
        """
        return _LINK.sub(r"\1", self.text).replace("*", "").replace("`", "")

    @property
    def shown(self) -> Markup:
        """What it means, for a page; the pages that it links to are those of the documentation, which is not here.

        >>> print(Entry(("verdict",), "*fine* < **look**").shown)
        <em>fine</em> &lt; <strong>look</strong>
        """
        text = str(escape(_LINK.sub(r"\1", self.text)))
        for marks, tag in ((r"\*\*", "strong"), (r"\*", "em"), ("`", "code")):
            text = re.sub(rf"{marks}(.+?){marks}", rf"<{tag}>\1</{tag}>", text)
        return Markup(text)


def source() -> str:
    """The glossary as it is written; the documentation has a copy."""
    return resources.files("modelworks.website").joinpath("glossary.md").read_text(encoding="utf-8")


@functools.cache
def glossary() -> dict[str, tuple[Entry, ...]]:
    """Every section by its title."""
    _, *parts = re.split(r"^## ", source(), flags=re.MULTILINE)
    titled = (part.split("\n", 1) for part in parts)
    return {title: tuple(map(_entry, _ENTRY.finditer(body))) for title, body in titled}


def _entry(found: re.Match[str]) -> Entry:
    return Entry(tuple(_NAME.findall(found[1])), " ".join(found[2].split()))


@functools.cache
def _explained() -> tuple[dict[str, Entry], re.Pattern[str]]:
    """The entry of each word that pages explain, and what finds one of them, the longest first, in the plural too."""
    known = {name.lower(): each for entries in glossary().values() for each in entries for name in each.names}
    found = {name.lower(): known[name.lower()] for name in EXPLAINED}
    words = "|".join(re.escape(name) for name in sorted(found, key=len, reverse=True))
    return found, re.compile(rf"(?<![\w-])({words})(s?)(?![\w-])", re.IGNORECASE)


class Explainer:
    """Leads each word of the glossary to its entry where a page says it first; `address` is that of the glossary.

    >>> explain = Explainer("/glossary")
    >>> print(explain("R-hat < 1.01 & R-hat"))  # doctest: +ELLIPSIS
    <a class="term" href="/glossary#r-hat" title="whether the chains agree...">R-hat</a> &lt; 1.01 &amp; R-hat
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._met: set[str] = set()

    def __call__(self, text: str) -> Markup:
        """A text for a page; what is a link or code in it stays as it is."""
        pieces = _NO_TEXT.split(str(escape(text)))
        return Markup("".join(piece if k % 2 else self._led(piece) for k, piece in enumerate(pieces)))

    def _led(self, piece: str) -> str:
        entries, words = _explained()

        def link(found: re.Match[str]) -> str:
            entry = entries[found[1].lower()]
            if entry.id in self._met:
                return found[0]
            self._met.add(entry.id)
            address, meaning = escape(f"{self._address}#{entry.id}"), escape(entry.plain)
            return f'<a class="term" href="{address}" title="{meaning}">{found[0]}</a>'

        return words.sub(link, piece)
