"""Templates, the stylesheet and the policy that pages of this package have in common."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import escape

from modelworks.report import words

if TYPE_CHECKING:
    from jinja2 import Environment


@functools.cache
def asset(name: str) -> str:
    """The text of a file in `templates/`."""
    return resources.files("modelworks.report").joinpath("templates", name).read_text(encoding="utf-8")


def stylesheet() -> str:
    """The one stylesheet of reports and of the website."""
    return asset("style.css")


@functools.cache
def environment(package: str) -> Environment:
    """The templates of a room, and those of the report; every value put into one is escaped."""
    import jinja2

    loaders = [jinja2.PackageLoader(each, "templates") for each in dict.fromkeys((package, "modelworks.report"))]
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"linked": words.linked, "moment": words.moment, "coded": words.coded}
    # A page that has a glossary beside it leads its words there; a report stands alone.
    made.globals |= {"words": words, "termed": escape}
    return made


def policy(styles: Sequence[str], scripts: Sequence[str] = ()) -> str:
    """What a browser may do with a page: use these styles, run these scripts, show inlined pictures, nothing else.

    Styles and scripts are named by their checksums, so that nothing that found its way into the page is run.
    """
    allowed = {
        "default-src": ["'none'"],
        "script-src": [_checksum(each) for each in scripts] or ["'none'"],
        "style-src": [_checksum(each) for each in styles],
        "img-src": ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in allowed.items())


def _checksum(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
