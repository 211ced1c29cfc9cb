"""Before there is a repository: a page that says what this is and makes one, and then its website in its place."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Form, Request
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from modelworks.caches import cache_folder
from modelworks.errors import Letter, ModelworksError, fail
from modelworks.inputs.repository import SETTINGS, Repository
from modelworks.runs import begin_history, person
from modelworks.study import new_repository, repository_around
from modelworks.website._app import create_app
from modelworks.website._guard import Guard
from modelworks.website._house import nothing_can_be_made
from modelworks.website._refused import Memory, Refused
from modelworks.website._render import unsigned
from modelworks.website._serve import (
    Running,
    Server,
    announced,
    announcement,
    configured,
    is_own,
    listening,
    running,
    running_by,
    sign_in_link,
)
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
    below = [] if around is not None else repositories_below(folder)
    if len(below) > 1:
        names = ", ".join(each.name for each in below)
        fail("W124", f"there are several repositories here: {names}", hint=f"go into one of them: cd {below[0].name}")
    return around or (below[0] if below else None)


def repositories_below(folder: Path) -> list[Path]:
    """The repositories directly below a folder."""
    return sorted(file.parent for file in folder.glob(f"*/{SETTINGS}"))


def first_running(folder: Path) -> str | None:
    """The link of the page that makes a repository in a folder, where it waits for somebody already."""
    found: Running | None = running_by(kept_of(folder) / "first.json")
    return None if found is None else found.address + found.page


def kept_of(folder: Path) -> Path:
    """What is kept of first starts in a folder, which itself stays as it is."""
    kept = cache_folder("website") / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    kept.mkdir(parents=True, exist_ok=True)
    return kept


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
    server = Server(configured(first, settings), lambda: begun(settings.address + first.place))
    first.stop = server.stop
    with announced(kept_of(folder) / "first.json", settings, first.place):
        server.run(sockets=[taken])


@dataclass
class First:
    """What answers at the address: the page, and from when a repository is made its website."""

    folder: Path
    settings: Settings
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    made: Path | None = None
    stop: Callable[[], None] | None = None

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

    async def make(self, folder: Path, name: str) -> str:
        """Make the repository, or open it where it is there already; from now on its website answers.

        Gives the link that lets its owner in.
        """
        async with self._one_at_a_time:
            # Who clicks twice gets one.
            if self.made is None:
                root = await run_in_threadpool(_there_or_made, folder, name)
                (kept_of(self.folder) / "made").write_text(str(root), encoding="utf-8")
                elsewhere = await run_in_threadpool(running, root)
                if elsewhere is not None:
                    return await run_in_threadpool(sign_in_link, root, elsewhere.address)
                said = self.settings
                settings = read_settings(root, host=said.host, port=said.port, work=said.work)
                website = create_app(settings)
                website.state.stop = self.stop if is_own(settings) else None
                await self._open.enter_async_context(website.router.lifespan_context(website))
                self._open.enter_context(announced(announcement(root), settings))
                self._answers, self.made = website, root
            return await run_in_threadpool(sign_in_link, self.made, "")


def made_before(folder: Path) -> Path | None:
    """The repository that was made last, or opened, on the page of a folder; None where it is no more."""
    try:
        root = Path((kept_of(folder) / "made").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return root if (root / SETTINGS).is_file() else None


def _there_or_made(folder: Path, name: str) -> Path:
    root = folder / name
    return root if root.parent == folder and (root / SETTINGS).is_file() else made_in(folder, name)


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
    shelf = Memory()
    app.add_middleware(Refused, whom=lambda request: "", shelf=lambda request: shelf, is_secure=False)
    app.add_middleware(Guard, settings=first.settings)
    app.add_exception_handler(HTTPException, _elsewhere)
    app.add_exception_handler(ModelworksError, _elsewhere)
    app.get("/static/{version}/{name}")(static)

    def shown(status: int = 200, **values: Any) -> Response:
        return unsigned("first.html.j2", status, ends_at=first.stop and f"{first.place}/stop", **values)

    @app.get("/begin/{secret}")
    def ask(secret: str) -> Response:
        _check(secret, first.secret)
        there = repositories_below(first.folder)
        return shown(name=NAME, folder=first.folder, there=there, letters=())

    @app.post("/begin/{secret}/stop")
    def end(secret: str) -> Response:
        _check(secret, first.secret)
        stop = first.stop
        if stop is None:
            raise HTTPException(404)
        answer = unsigned("stopped.html.j2")
        # Once that was said.
        answer.background = BackgroundTask(stop)
        return answer

    @app.post("/begin/{secret}")
    async def begin(secret: str, name: Annotated[str, Form()] = "", folder: Annotated[str, Form()] = "") -> Response:
        _check(secret, first.secret)
        try:
            return RedirectResponse(await first.make(_folder(folder, first.folder), name.strip()), 303)
        except ModelworksError as error:
            there = repositories_below(first.folder)
            return shown(422, name=name, folder=folder, there=there, letters=error.letters)

    return app


def _folder(written: str, usual: Path) -> Path:
    """The folder that was written, which has to be there; below the usual one where it is no whole path."""
    try:
        folder = usual / Path(written.strip()).expanduser()
        is_there = folder.is_dir()
    except (RuntimeError, ValueError, OSError):
        # No such person's home, or no name that a folder could have.
        is_there = False
    if not is_there:
        fail("W122", f"there is no folder {written!r}", hint=f"write one that is there, as in {usual}")
    return folder


def _check(given: str, secret: str) -> None:
    """Other pages that a browser shows can make it send a form here, but do not know this."""
    if not hmac.compare_digest(given.encode(), secret.encode()):
        raise HTTPException(404)


async def _elsewhere(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    letter = Letter("W104", "there is nothing here yet", "open the address that `modelworks serve` said")
    return unsigned("letters.html.j2", status, letters=(letter,), number=status)
