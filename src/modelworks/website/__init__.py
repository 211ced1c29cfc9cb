"""The runs of a team for everybody who will never open a terminal: a website that is served, or a folder of pages.

`_app.py` lists the rooms of the website; `pages/` are its pages, `access/` says who may see them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelworks.website._app import create_app
    from modelworks.website._first import first_running, repository_here, serve_first
    from modelworks.website._icon import clicked, make_icons
    from modelworks.website._serve import app, running, serve, sign_in_link
    from modelworks.website._settings import Settings, read_settings
    from modelworks.website._site import publish_site

_HOME = {
    "Settings": "_settings",
    "app": "_serve",
    "clicked": "_icon",
    "create_app": "_app",
    "first_running": "_first",
    "make_icons": "_icon",
    "publish_site": "_site",
    "read_settings": "_settings",
    "repository_here": "_first",
    "running": "_serve",
    "serve": "_serve",
    "serve_first": "_first",
    "sign_in_link": "_serve",
}

__all__ = [
    "Settings",
    "app",
    "clicked",
    "create_app",
    "first_running",
    "make_icons",
    "publish_site",
    "read_settings",
    "repository_here",
    "running",
    "serve",
    "serve_first",
    "sign_in_link",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
