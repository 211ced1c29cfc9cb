"""What holds for every request and every answer, whatever the page: how large, and what a browser may do with it."""

from __future__ import annotations

import asyncio
import re

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelworks.website._settings import Settings
from modelworks.website.access.visits import who_comes

# How long a reader may take to send the next piece of what they send.
PATIENCE_SECONDS = 60.0
# Whatever is sent is taken apart before anybody is asked who they are, and but for files it is read into memory. Only
# where files are taken more than this is read, and only of somebody who is known.
MOST_WRITTEN_BYTES = 1_000_000
FILES = re.compile(r"/w/[^/]+/(new-data|data/[^/]+/propose)")
# No script and no style but our own files, nothing from elsewhere, nothing in somebody else's frame.
POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
TWO_LENGTHS = "the request says twice how long it is: send Content-Length, or Transfer-Encoding, and not both\n"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Unless an answer says otherwise: what only members may see lies in nobody's cache.
    "Cache-Control": "no-store",
}


class Guard:
    """Adds what every answer says to a browser; reads no more of a request than it may be, and not for ever."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._most = int(settings.upload_mb * 1e6)
        self._headers = headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        if "content-length" in asked and "transfer-encoding" in asked:
            # A proxy before us may have taken the other one, and would take what follows for a question of its own.
            answer = PlainTextResponse(TWO_LENGTHS, 400, {**self._headers, "Connection": "close"})
            await answer(scope, receive, send)
            return
        said, most = asked.get("content-length", "0"), self._most
        is_file = asked.get("content-type", "").lower().startswith("multipart/form-data")
        if not (is_file and FILES.fullmatch(scope["path"])):
            most = min(most, MOST_WRITTEN_BYTES)
        read, more, is_known = 0, True, False

        async def counted() -> Message:
            nonlocal read, more, is_known
            if not more:
                # Whoever asks now waits for the reader to go away.
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), PATIENCE_SECONDS)
            except TimeoutError:
                raise HTTPException(408) from None
            read += len(message.get("body", b""))
            more = bool(message.get("more_body"))
            if read > most or (said.isdigit() and int(said) > most):
                raise HTTPException(413, f"more than {most / 1e6:g} MB came at once")
            if read > MOST_WRITTEN_BYTES and not is_known:
                await run_in_threadpool(who_comes, Request(scope))
                is_known = True
            return message

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answer.setdefault(name, value)
            await send(message)

        await self._app(scope, counted, guarded)


def headers(settings: Settings) -> dict[str, str]:
    """What every answer says to a browser."""
    secure = {"Strict-Transport-Security": "max-age=31536000"} if settings.is_secure else {}
    return {**HEADERS, **secure}
