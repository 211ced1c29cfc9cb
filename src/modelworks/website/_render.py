"""How an answer becomes a page: `page(request, "runs.html.j2", runs=…)`, with what stands on every page added."""

from __future__ import annotations

import functools
import hashlib
import re
from decimal import Decimal
from importlib import resources
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from modelworks.report import environment, figure_scripts, stylesheet, words
from modelworks.study import Standing
from modelworks.website._glossary import Explainer
from modelworks.website._house import house
from modelworks.website._signatures import to_sign
from modelworks.website.access.people import OWNER, Person, Role
from modelworks.website.access.visits import FORM_TOKEN, Visit, form_token, welcome_stranger, who

# What stands in the bar: its words, its place in a workspace, and the role it takes.
PAGES: tuple[tuple[str, str, Role], ...] = (
    ("Studies", "", "viewer"),
    ("Runs", "runs", "viewer"),
    ("Approved", "approvals", "viewer"),
    ("Jobs", "jobs", "viewer"),
    ("Workflow", "workflow", "viewer"),
    ("Data", "data", "viewer"),
    ("Feeds", "feeds", "viewer"),
    ("People", "people", "viewer"),
    ("Settings", "settings", "admin"),
)
# A run is never written over, so what is asked of it by its id may be kept by a browser, but by nobody between.
LASTING = {"Cache-Control": "private, max-age=86400"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """The page of a template in `templates/app/`.

    Every template knows `visit` (who is here, in which workspace; None for strangers), `someone`, `to_sign()`
    (the runs that wait for their signature), `form_token`, `at("runs", run.id)`, the address of something here, and
    `termed(text)`, in which the words of the field lead to the glossary.
    """
    text = rendered(request, template, **values)
    response = HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
    welcome_stranger(request, response)
    return response


def unsigned(template: str, status: int = 200, **values: Any) -> Response:
    """A page before there is anybody who could sign in, or anything to sign in to."""
    text = _templates().get_template(f"app/{template}").render(visit=None, someone=None, may_stop=False, **values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def part(workspace: str, template: str, **values: Any) -> Markup:
    """A part of a page that is the same whoever looks at it, and so may be remembered."""
    return Markup(_templates().get_template(f"app/{template}").render(at=functools.partial(at, workspace), **values))


def rendered(request: Request, template: str, **values: Any) -> str:
    """A template with what every template knows; a part of a page, where a script asks for no more."""
    visit: Visit | None = getattr(request.state, "visit", None)
    someone = who(request)
    return _templates().get_template(f"app/{template}").render(
        request=request,
        visit=visit,
        to_sign=functools.cache(functools.partial(to_sign, visit)) if visit is not None else tuple,
        someone=someone,
        may_stop=may_stop(request, someone),
        house=house(request),
        at=functools.partial(at, visit.workspace.name) if visit is not None else at,
        termed=Explainer(at(visit.workspace.name, "glossary")) if visit is not None else escape,
        form_token=form_token(request),
        guarded=functools.partial(_guarded, form_token(request)),
        **values,
    )  # fmt: skip


def may_stop(request: Request, someone: Person | None) -> bool:
    """Whether somebody may end this website by a button: their own, on their own machine."""
    return someone is not None and someone.name == OWNER and request.app.state.stop is not None


def at(workspace: str, *parts: str) -> str:
    """The address of something in a workspace.

    >>> at("our-studies", "runs", "7f3a21"), at("ours")
    ('/w/our-studies/runs/7f3a21', '/w/ours')
    """
    return "/".join(["/w", quote(workspace, safe=""), *(quote(part, safe="") for part in parts)])


def dated(text: str) -> str:
    """A sentence with its days as one reads them.

    >>> dated("approved by Ada on 2026-11-21")
    'approved by Ada on 21 November 2026'
    """
    return _DAY.sub(lambda day: words.moment(day[0]).partition(",")[0], text)


def short(value: float) -> str:
    """A number of a form: four digits or, where it has more before the point, all of these; none that says nothing.

    >>> short(0.24), short(2.0), short(12345.6), short(0.00001234567)
    ('0.24', '2', '12,346', '0.00001235')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{Decimal(f'{value:.4g}'):,f}"


def product(before: Standing, factor: float) -> str:
    """What a factor makes of a parameter; `explore.js` says the same while a slider moves.

    >>> product(Standing("contact_rate", 0.3, "per day"), 0.8)
    '0.3 × 0.8 = 0.24 per day'
    """
    return f"{short(before.value)} × {short(factor)} = {short(before.value * factor)} {before.unit}".rstrip()


@functools.cache
def _templates() -> Environment:
    made = environment("modelworks.website")
    made.filters |= {"dated": dated, "short": short}
    made.globals |= {"static": _static, "pages": PAGES, "version": version("modelworks")}
    return made


def _guarded(token: str) -> Markup:
    """What every form that is sent holds."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FORM_TOKEN, token)


def _static(name: str) -> str:
    return f"/static/{digest(name)}/{name}"


# -- what is the same for everybody -----------------------------------------------------------------------


@functools.cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Every stylesheet and script by name, with its kind; all are small, but for the drawing of figures."""
    folder = resources.files("modelworks.website").joinpath("static")
    found = {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in _KINDS}
    found["style.css"] = stylesheet().encode("utf-8") + b"\n" + found["style.css"]
    found["vega.js"], found["figures.js"] = (script.encode("utf-8") for script in figure_scripts())
    return {name: (content, _KINDS[name.rpartition(".")[2]]) for name, content in found.items()}


@functools.cache
def digest(name: str) -> str:
    """A few letters that change when a file does, so that browsers may keep it for ever."""
    return hashlib.sha256(static_files()[name][0]).hexdigest()[:12]
