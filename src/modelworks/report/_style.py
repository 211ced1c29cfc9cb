"""Files that lie beside the code: templates, the stylesheet, the script."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def asset(name: str) -> str:
    """The text of a file in `templates/`."""
    return resources.files("modelworks.report").joinpath("templates", name).read_text(encoding="utf-8")


def stylesheet() -> str:
    """The one stylesheet of reports and of the website."""
    return asset("style.css")
