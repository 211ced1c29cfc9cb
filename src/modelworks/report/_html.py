"""The page as one HTML file that needs nothing else: no network, no folder beside it, no program of ours."""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from markupsafe import Markup

from modelworks.caches import cache_folder, read_entry, write_entry
from modelworks.plots import Figure
from modelworks.report import _views, words
from modelworks.report._templates import asset, environment, policy, stylesheet
from modelworks.report.page import Page

# A drawing of lines is small and sharp as SVG; one of thousands of points is smaller as PNG, at a scale that can
# be read on any screen. The run's folder has the picture for a paper.
LARGEST_DRAWING = 400_000
STILL_SCALE = 1.5


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as the page holds it: what the script draws, and the picture that stands there without it.

    `still` is the picture's address, and its width and height are in CSS pixels; 0 where that is not known before it
    is drawn.
    """

    figure: Figure
    id: str
    specs: Markup
    still: str
    width: int
    height: int
    columns: int


def render_html(page: Page) -> str:
    """The whole page as one HTML text.

    Whatever a study's files say is shown as text: markup in a title is escaped, and the page's own content
    security policy lets no script run but the two it was written with, and nothing be fetched.
    """
    shown = [[show(figure) for figure in section.figures] for section in page.sections]
    scripts = figure_scripts() if page.figures else ()
    return environment("modelworks.report").get_template("report.html.j2").render(
        page=page,
        sections=list(zip(page.sections, shown, strict=True)),
        **_views.views(page),
        data_address=data_address,
        diagram=data_address(page.diagram.encode("utf-8"), "image/svg+xml") if page.diagram else "",
        scripts=[Markup(script) for script in scripts],
        style=Markup(stylesheet()),
        policy=policy([stylesheet()], scripts),
    )  # fmt: skip


def show(figure: Figure, address: str = "") -> Shown:
    """A figure made ready for the page; its picture stands in the page, or is drawn for who asks for its address."""
    address, width, height = (address, 0, 0) if address else still(figure)
    panels = figure.panels
    return Shown(
        figure,
        words.anchor(figure.name, "figure"),
        script_json(list(panels)),
        address,
        width,
        height,
        columns_for(len(panels), figure.spec.get("columns", 1)),
    )


def columns_for(panels: int, asked: int) -> int:
    """How many panels lie side by side where there is room: as many as the figure asks for, and three in one row.

    >>> columns_for(6, 2), columns_for(3, 2), columns_for(1, 2)
    (2, 3, 1)
    """
    return 3 if panels == 3 else min(panels, asked, 3)


def still(figure: Figure) -> tuple[str, int, int]:
    """The picture that stands in the page, whichever form is small, and its width and height in CSS pixels.

    It is shown as an image, in which a browser runs no script.
    """
    if not is_large(figure):
        drawing = renumbered(figure.svg).encode("utf-8")
        return data_address(drawing, "image/svg+xml"), *svg_size(drawing)
    picture = figure.png(STILL_SCALE)
    width, height = png_size(picture)
    return data_address(picture, "image/png"), round(width / STILL_SCALE), round(height / STILL_SCALE)


def is_large(figure: Figure) -> bool:
    """Whether a page is smaller with the picture of a figure than with its drawing."""
    return len(figure.svg) > LARGEST_DRAWING


def figure_scripts() -> tuple[str, str]:
    """What draws figures in a browser: Vega, and our own script that puts drawings in the place of pictures."""
    return bundle(), asset("zoom.js") + asset("figures.js")


@functools.cache
def bundle() -> str:
    """Vega, Vega-Lite and their embedding as one script (BSD 3-clause), from a package on this machine.

    To put it together takes longer than all else of a small report, so it is kept from one process to the next.
    """
    import vl_convert

    kept = cache_folder("scripts") / f"vega-{version('vl-convert-python')}.js"
    known = read_entry(kept)
    if known is not None:
        return known.decode("utf-8")
    # The stubs forget that the snippet has a default.
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("this version of Vega can not stand inside a page: it would end its own script element")
    # A browser reads every line end as one character, and the policy's checksum is of what it reads.
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    write_entry(kept, script.encode("utf-8"))
    return script


def script_json(value: Any) -> Markup:
    r"""JSON that can stand inside a script element.

    >>> script_json({"title": "</script><script>alert(1)"})
    Markup('{"title":"\\u003c/script\\u003e\\u003cscript\\u003ealert(1)"}')
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def data_address(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def renumbered(drawing: str) -> str:
    """An SVG picture whose clips and gradients are counted from one: Vega counts on from figure to figure.

    >>> renumbered('<clipPath id="clip46"/><g clip-path="url(#clip46)"/><clipPath id="clip9"/>')
    '<clipPath id="clip1"/><g clip-path="url(#clip1)"/><clipPath id="clip2"/>'
    """
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return found[1] + str(numbers.setdefault(found[2], len(numbers) + 1))

    return re.sub(r"""(id="(?:clip|gradient_)|url\(#(?:clip|gradient_))(\d+)""", number, drawing)


def svg_size(drawing: bytes) -> tuple[int, int]:
    """Width and height of an SVG picture as Vega writes it.

    >>> svg_size(b'<svg xmlns="..." width="660.5" height="300" viewBox="0 0 660 300">')
    (660, 300)
    """
    start = drawing[: drawing.index(b">")].decode("utf-8")
    found = [re.search(rf'\b{side}="([\d.]+)"', start) for side in ("width", "height")]
    width, height = (round(float(each[1])) if each else 0 for each in found)
    return width, height


def png_size(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the first chunk of a PNG (W3C PNG, 11.2.2)."""
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")
