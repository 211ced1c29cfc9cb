"""What is answered to a form that is refused is a page of its own: Back leads there, and nothing is sent twice.

A browser keeps no answer to what was sent, and asks for it to be sent again when somebody comes back to it. So the
answer is kept, and the browser is led to it: an address, like that of any page. For whom it was, and for a while; and
where every process of the website finds it, for the one that is asked for the address may be another.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelworks.errors import ModelworksError
from modelworks.website._kept import came_from
from modelworks.website.access.answers import Answer

# What the address of a kept answer says, and what tells the browser that it was for from every other.
MISTAKE, BROWSER = "mistake", "modelworks_browser"
MOST_KEPT, MOST_BYTES = 200, 500_000
# What was sent to say of the answer itself, and not of this one sending of it.
_LASTING = ("content-type", "cache-control", "retry-after")


class Shelf(Protocol):
    """Where answers are kept."""

    def keep(self, token: str, answer: Answer, /) -> None: ...

    def find(self, token: str, browser: str, /) -> Answer | None: ...


class Memory:
    """Answers of a website of a single process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, token: str, answer: Answer) -> None:
        with self._lock:
            self._kept[token] = answer
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def find(self, token: str, browser: str) -> Answer | None:
        with self._lock:
            found = self._kept.get(token)
        return found if found is not None and found.browser == browser else None


class Refused:
    """Keeps what is answered to refused forms, on a `shelf`; where there is none for a request, it is answered at once.

    `whom` says by its id who is signed in, empty for nobody.
    """

    def __init__(
        self,
        app: ASGIApp,
        whom: Callable[[Request], str],
        shelf: Callable[[Request], Shelf | None],
        is_secure: bool,
    ) -> None:
        self._app, self._whom, self._shelf, self._is_secure = app, whom, shelf, is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.method in ("GET", "HEAD") and MISTAKE in request.query_params:
            answer = await run_in_threadpool(self._shown, request)
            await answer(scope, receive, send)
        elif request.method == "POST" and _is_form(request.headers) and came_from(request):
            await self._app(scope, receive, _Sending(self, request, send))
        else:
            await self._app(scope, receive, send)

    def _shown(self, request: Request) -> Response:
        """The answer of an address; where it is kept no more, or for somebody else, the page that the form is on."""
        shelf, token, browser = self._shelf(request), request.query_params[MISTAKE], request.cookies.get(BROWSER, "")
        try:
            found = shelf.find(token, browser) if shelf is not None else None
        except ModelworksError:
            # The page of the form tells of a database that does not answer.
            found = None
        if found is None or found.person not in ("", self._whom(request)):
            return _form(request)
        return Response(found.body, found.status, found.headers)

    def kept(self, request: Request, status: int, headers: Headers, body: bytes) -> Response | None:
        """Keep an answer, and give what leads the browser to it; None where it can not be kept."""
        shelf = self._shelf(request)
        if shelf is None or len(body) > MOST_BYTES:
            return None
        browser, token = request.cookies.get(BROWSER) or secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        lasting = {name: headers[name] for name in _LASTING if name in headers}
        try:
            shelf.keep(token, Answer(status, lasting, body, browser, self._whom(request)))
        except ModelworksError:
            return None
        path, _, query = came_from(request).partition("?")
        page = _without(path, query)
        answer = RedirectResponse(f"{page}{'&' if '?' in page else '?'}{MISTAKE}={token}", 303)
        for cookie in headers.getlist("set-cookie"):
            answer.headers.append("set-cookie", cookie)
        answer.set_cookie(BROWSER, browser, httponly=True, samesite="lax", secure=self._is_secure)
        return answer


class _Sending:
    """What an answer to a form goes through: one that refuses it is gathered first, any other goes on as it comes."""

    def __init__(self, refused: Refused, request: Request, send: Send) -> None:
        self._refused, self._request, self._send = refused, request, send
        self._begin: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_refusal(message):
            self._begin = message
            return
        if self._begin is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        begin, self._begin = self._begin, None
        headers = Headers(raw=begin["headers"])
        answer = await run_in_threadpool(self._refused.kept, self._request, begin["status"], headers, self._body)
        if answer is not None:
            await answer(self._request.scope, self._request.receive, self._send)
            return
        await self._send(begin)
        await self._send({"type": "http.response.body", "body": self._body})


def _is_form(asked: Headers) -> bool:
    """Whether a browser sends a form, and shows what is answered; without https it says so in an older way."""
    return asked.get("sec-fetch-mode") == "navigate" or asked.get("upgrade-insecure-requests") == "1"


def _is_refusal(begin: Message) -> bool:
    kind = Headers(raw=begin["headers"]).get("content-type", "")
    return 400 <= begin["status"] < 500 and kind.startswith("text/html")


def _form(request: Request) -> Response:
    return RedirectResponse(_without(request.url.path, request.url.query), 303)


def _without(path: str, query: str) -> str:
    """An address without what leads to a kept answer; by its place alone."""
    rest = urlencode([(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != MISTAKE])
    return f"/{path.strip('/')}" + (f"?{rest}" if rest else "")
