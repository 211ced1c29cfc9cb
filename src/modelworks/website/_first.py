"""Before there is a repository: a page that says what this is and makes one, and then its website in its place."""

from __future__ import annotations

import asyncio
import functools
import hmac
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from modelworks.errors import Letter, ModelworksError, fail
from modelworks.inputs.repository import SETTINGS, Repository
from modelworks.runs import begin_history, person
from modelworks.study import new_repository, repository_around
from modelworks.website._app import create_app
from modelworks.website._guard import Guard
from modelworks.website._house import nothing_can_be_made
from modelworks.website._render import unsigned
from modelworks.website._serve import Server, announced, configured, listening, sign_in_link
from modelworks.website._settings import HOST, PORT, Settings, is_loopback, read_settings
from modelworks.website.pages.static import static

NAME = "our-studies"


def repository_here(folder: Path) -> Path | None:
    """The repository around a folder, or else the one directly below it; None where there is none.

    Raises
    ------
    ModelworksError
        W124 where there are several below.
    """
    around = repository_around(folder)
    below = [] if around is not None else sorted(file.parent for file in folder.glob(f"*/{SETTINGS}"))
    if len(below) > 1:
        names = ", ".join(each.name for each in below)
        fail("W124", f"there are several repositories here: {names}", hint=f"go into one of them: cd {below[0].name}")
    return around or (below[0] if below else None)


def serve_first(
    folder: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    work: bool = True,
    begun: Callable[[str], None] = lambda link: None,
) -> None:
    """Show the page that makes a repository in a folder, and then its website; `begun` hears the link of the page.

    Raises
    ------
    ModelworksError
        Y133 for a host that others can reach, W119 where the port is taken.
    """
    host, port = host or HOST, port or PORT
    if not is_loopback(host):
        # Nobody but who sits at this machine makes folders on it.
        Repository.around(folder)
    settings = Settings((), host, port, f"http://{host}:{port}", "", b"", work=work)
    taken, first = listening(host, port), First(folder, settings)
    Server(configured(first, settings), lambda: begun(settings.address + first.place)).run(sockets=[taken])


@dataclass
class First:
    """What answers at the address: the page, and from when a repository is made its website."""

    folder: Path
    settings: Settings
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    made: Path | None = None

    def __post_init__(self) -> None:
        self._answers: ASGIApp = _page_of(self)
        self._open = AsyncExitStack()
        self._one_at_a_time = asyncio.Lock()

    @property
    def place(self) -> str:
        return f"/begin/{self.secret}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._answers(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        async with self._open:
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def make(self, name: str) -> str:
        """Make the repository, let its website answer from now on, and give the link that lets its owner in."""
        async with self._one_at_a_time:
            # Who clicks twice gets one.
            if self.made is None:
                root = await run_in_threadpool(made_in, self.folder, name)
                said = self.settings
                settings = read_settings(root, host=said.host, port=said.port, work=said.work)
                website = create_app(settings)
                await self._open.enter_async_context(website.router.lifespan_context(website))
                self._open.enter_context(announced(root, settings))
                self._answers, self.made = website, root
            return await run_in_threadpool(sign_in_link, self.made, "")


def made_in(folder: Path, name: str) -> Path:
    """A new repository with a first study, of this name and directly below a folder.

    It is committed, where git is there: only what a commit holds can be approved, and who begins on a page does not
    type the command.

    Raises
    ------
    ModelworksError
        Y301, Y303 and W123 for the name, W122 where nothing can be written.
    """
    root = folder / name
    if root.parent != folder:
        fail("W123", f"`{name}` leads to no folder below {folder}", hint=f"write a name alone, as in {NAME}")
    try:
        new_repository(root)
    except OSError as error:
        nothing_can_be_made(folder, error)
    begin_history(root, "A first study", by=person(root))
    return root


def _page_of(first: First) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, settings=first.settings)
    app.add_exception_handler(HTTPException, _elsewhere)
    app.add_exception_handler(ModelworksError, _elsewhere)
    app.get("/static/{version}/{name}")(static)
    shown = functools.partial(unsigned, "first.html.j2", folder=first.folder)

    @app.get("/begin/{secret}")
    def ask(secret: str) -> Response:
        _check(secret, first.secret)
        return shown(name=NAME, letters=())

    @app.post("/begin/{secret}")
    async def begin(secret: str, name: Annotated[str, Form()] = "") -> Response:
        _check(secret, first.secret)
        try:
            return RedirectResponse(await first.make(name.strip()), 303)
        except ModelworksError as error:
            return shown(422, name=name, letters=error.letters)

    return app


def _check(given: str, secret: str) -> None:
    """Other pages that a browser shows can make it send a form here, but do not know this."""
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise HTTPException(404)


async def _elsewhere(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    letter = Letter("W104", "there is nothing here yet", "open the address that `modelworks serve` said")
    return unsigned("letters.html.j2", status, letters=(letter,), number=status)
