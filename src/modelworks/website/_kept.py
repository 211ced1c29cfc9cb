"""A form that came too late: who sent it is signed in no more, or anew since. What was typed into it is kept.

It stands again in the page that says so, and in nothing of ours; only what a page of this website sent is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import Request

from modelworks.website.access.visits import FORM_TOKEN, SAFE

# The letters of a form that came too late: nobody is signed in, or its token is of another session.
LATE = frozenset({"W107", "W109"})
MOST_LETTERS, MOST_FIELDS = 100_000, 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the form was to go, the page it was filled in on, and its fields; none where it can not be kept."""

    action: str
    page: str
    fields: tuple[tuple[str, str], ...] = ()


async def kept(request: Request) -> Kept | None:
    """What was typed into a form of this website; None of anything else."""
    # Passwords are typed elsewhere than in a workspace.
    if request.method in SAFE or not request.url.path.startswith("/w/") or not _is_own(request):
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    found = Kept(request.url.path + query, came_from(request).partition("?")[0] or "/")
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        # A file can not be put into a form by anybody but its owner.
        return found
    sent = [(name, value) for name, value in (await request.form()).multi_items() if name != FORM_TOKEN]
    fields = tuple((name, value) for name, value in sent if not isinstance(value, UploadFile))
    size = sum(len(name) + len(value) for name, value in fields)
    if size > MOST_LETTERS or len(fields) > MOST_FIELDS or any("password" in name for name, _ in fields):
        return found
    return Kept(found.action, found.page, fields)


def _is_own(request: Request) -> bool:
    """Whether a browser says that a page of this website sent it: another's is not to be sent again in good faith."""
    told = request.headers.get("sec-fetch-site")
    if told is not None:
        return told == "same-origin"
    return _is_here(request, request.headers.get("origin", ""))


def came_from(request: Request) -> str:
    """The page that a form stood on, as a place on this website; empty where it stood elsewhere or nobody knows."""
    came = request.headers.get("referer", "")
    if not _is_here(request, came):
        return ""
    found = urlsplit(came)
    return (found.path or "/") + (f"?{found.query}" if found.query else "")


def _is_here(request: Request, address: str) -> bool:
    try:
        return urlsplit(address).netloc == request.headers.get("host") != ""
    except ValueError:
        return False
