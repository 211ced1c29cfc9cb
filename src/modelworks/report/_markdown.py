"""The page as Markdown, for a pull request or a wiki: the same words and tables, pictures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain

from modelworks.report import _views, words
from modelworks.report._views import Cell, Table
from modelworks.report.page import Page

# What means something to a Markdown reader; the rest of the punctuation is left readable.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])|^(\s*)([#+-]|\d+\.)(?=\s)", re.MULTILINE)


def render_markdown(page: Page, figure_paths: Mapping[str, str]) -> str:
    """The whole page; `figure_paths` says for each figure's name where its picture lies, seen from the text.

    A figure without a path is left out.
    """
    blocks = chain(_head(page), _answer(page), _figures(page, figure_paths), _tables(page), _origin(page))
    return "\n\n".join(blocks) + "\n"


def _head(page: Page) -> Iterator[str]:
    heading, sentences = words.headline(page.verdict, page.sentences)
    yield f"# {plain(page.title)}"
    yield f"*{plain(page.question)}*"
    byline = " · ".join(part for part in (", ".join(page.authors), words.moment(page.finished)) if part)
    if byline:
        yield plain(byline)
    yield "\n".join(
        [f"> **{words.MARKS[page.verdict]} {plain(heading)}**", *(f">\n> {plain(each)}" for each in sentences)]
    )
    if page.warnings:
        yield "## Before you use this"
        yield _bullets(page.warnings)


def _answer(page: Page) -> Iterator[str]:
    yield "## Answer"
    yield f"**{plain(page.answer)}**" if page.answer else "The study gives no answer in one sentence."
    numbers = _views.quantities(page)
    if numbers.rows:
        yield table_text(numbers)


def _figures(page: Page, figure_paths: Mapping[str, str]) -> Iterator[str]:
    for section in page.sections:
        yield f"## {plain(section.title)}"
        if section.text:
            yield plain(section.text)
        for figure in section.figures:
            if figure.name in figure_paths:
                yield f"![{plain(figure.title)}](<{figure_paths[figure.name]}>)"
                yield f"**{plain(figure.title)}.** {plain(figure.caption)}"
        for picture in section.pictures:
            yield f"![{plain(picture.title)}](<{picture.path}>)"
        for each in section.excerpts:
            yield table_text(_views.excerpt(each))


def _tables(page: Page) -> Iterator[str]:
    for table in _views.closing_tables(page):
        yield f"## {table.heading}"
        yield f"{table.caption}."
        yield table_text(table)


def _origin(page: Page) -> Iterator[str]:
    yield "## How this was made"
    yield _bullets(f"{term}: {value}" for term, value in _views.origin(page))
    stages = _views.stages(page)
    if stages.rows:
        yield table_text(stages)
    if page.rebuild:
        yield "### To make it again"
        yield "\n".join(["```sh", *page.rebuild, "```"])
    if page.citation:
        yield "## How to cite"
        yield f"> {plain(page.citation)}"


def table_text(table: Table) -> str:
    """A table as most Markdown readers take it, numbers to the right."""
    rules = ["---:" if column.kind == "number" else "---" for column in table.columns]
    lines = [[plain(column.title) for column in table.columns], rules]
    lines += [[_cell(cell, column.kind) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(cell: Cell, kind: str) -> str:
    if cell.verdict is not None:
        return f"{words.MARKS[cell.verdict]} {plain(cell.text)}"
    text = f"`{cell.text.replace('|', '').replace('`', '')}`" if kind == "code" and cell.text else plain(cell.text)
    return f"{text}<br>{plain(cell.note)}" if cell.note else text


def _bullets(lines: Iterator[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {plain(each)}" for each in lines)


def plain(text: str) -> str:
    r"""A text in which nothing is taken for markup, on one line.

    >>> plain("contact_rate | <b>"), plain("1. first")
    ('contact\\_rate \\| \\<b\\>', '1\\. first')
    """
    return _SPECIAL.sub(_escaped, " ".join(text.split()))


def _escaped(found: re.Match[str]) -> str:
    if found[1]:
        return f"\\{found[1]}"
    sign = found[3]
    return f"{found[2]}{sign[:-1]}\\{sign[-1]}"
