"""Starting the website: on a laptop one process with everything, for a team several behind a proxy."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from modelworks.errors import fail
from modelworks.inputs.repository import Repository
from modelworks.processes import Process
from modelworks.runs import person
from modelworks.website._app import create_app
from modelworks.website._connections import Connection, FairLoop, make_room
from modelworks.website._house import workspace_names
from modelworks.website._settings import Settings, is_loopback, read_settings
from modelworks.website.access.people import OWNER, People, Person

# By these a process that another one starts finds what it was told.
FOLDER, HOST, PORT = "MODELWORKS_WEBSITE", "MODELWORKS_WEBSITE_HOST", "MODELWORKS_WEBSITE_PORT"
ALIVE = "/healthz"
# Nor is one gone that takes its time; where nobody listens, that is known at once.
ALIVE_SECONDS = 30.0
# A process that has not answered its parent for so long is killed, with all that it was asked: a busy machine is slow.
SLOWEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Running:
    """A website that runs already: where, as which process, and a page of it that answers."""

    address: str
    process: Process
    page: str = ALIVE


def running(folder: Path) -> Running | None:
    """The website of a repository that runs on this machine; None where none does."""
    return running_by(announcement(folder))


def running_by(file: Path) -> Running | None:
    """What a file tells of (see `announced`); None where nothing runs there any more."""
    if not file.is_file():
        return None
    said = json.loads(file.read_text(encoding="utf-8"))
    found = Running(said["address"], Process(said["place"], said["pid"], said["started"]), said.get("page", ALIVE))
    if found.process.is_gone():
        return None
    try:
        answer = httpx.get(f"{said['local']}{found.page}", timeout=ALIVE_SECONDS)
    except httpx.HTTPError:
        return None
    return found if answer.status_code == 200 else None


def sign_in_link(folder: Path, address: str) -> str:
    """What lets the owner of a repository into the website at an address, once and within minutes."""
    settings = read_settings(folder)
    people = People(settings.database, settings.session_days)
    try:
        someone = _owner(people, settings, person(folder))
        link = people.make_link(someone.id, "enter")
    finally:
        people.close()
    return f"{address}/enter/{link}"


def _owner(people: People, settings: Settings, title: str) -> Person:
    """Whoever may start the website may do everything on it."""
    someone = people.find(OWNER) or people.add(OWNER, title)
    for name in workspace_names(settings.folders):
        people.set_role(someone.id, name, "admin")
    return someone


def serve(
    folder: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int = 1,
    work: bool = True,
    begun: Callable[[str], None] = lambda address: None,
) -> None:
    """Answer until interrupted; `begun` hears the address as soon as somebody answers there.

    Raises
    ------
    ModelworksError
        W119 where the port is taken, and what `read_settings` raises.
    """
    make_room()
    settings = read_settings(folder, host=host, port=port, work=work and workers == 1)
    taken = listening(settings.host, settings.port)
    # What a process that uvicorn starts is to read; it gets no arguments of ours.
    os.environ |= {FOLDER: str(folder), HOST: settings.host, PORT: str(settings.port)}
    with announced(announcement(folder), settings):
        if workers > 1:
            begun(settings.address)
            again = configured("modelworks.website._serve:app", settings, factory=True, workers=workers)
            Multiprocess(again, sockets=[taken]).run()
        else:
            website = create_app(settings)
            server = Server(configured(website, settings), lambda: begun(settings.address))
            website.state.stop = server.stop if is_own(settings) else None
            server.run(sockets=[taken])


def is_own(settings: Settings) -> bool:
    """Whether a website is somebody's own, on their own machine: it may be stopped by a button."""
    return is_loopback(settings.host) and settings.address == _local(settings)


@contextmanager
def announced(file: Path, settings: Settings, page: str = ALIVE) -> Iterator[None]:
    """Tell in a file where a website runs, for as long as the block lasts."""
    me = Process.current()
    said = {
        "address": settings.address,
        "local": _local(settings),
        "place": me.place,
        "pid": me.pid,
        "started": me.started,
        "page": page,
    }
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    # The page of somebody's first start is a secret.
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(said), encoding="utf-8")
    aside.rename(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def configured(app: Any, settings: Settings, **more: Any) -> uvicorn.Config:
    """How uvicorn is to serve an application."""
    return uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=SLOWEST_SECONDS, http=Connection,
        loop=f"{FairLoop.__module__}:{FairLoop.__qualname__}",
        proxy_headers=bool(settings.proxies), forwarded_allow_ips=list(settings.proxies) or None, **more,
    )  # fmt: skip


class Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begun()

    def stop(self) -> None:
        """Let whoever is answered have their answer, and end."""
        self.should_exit = True


def app(environment: Mapping[str, str] = os.environ) -> FastAPI:
    """The website of the repository that the environment names, for `uvicorn --factory modelworks.website:app`."""
    folder = Path(environment.get(FOLDER, "."))
    port = environment.get(PORT)
    return create_app(read_settings(folder, host=environment.get(HOST), port=int(port) if port else None))


def listening(host: str, port: int) -> socket.socket:
    """The socket of the address, so that a port that is taken is a letter and no log."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol said, asyncio sends the end of an answer at once (TCP_NODELAY). A socket that does not say it,
    # as Python makes them, lets it wait 40 ms for the reader's word that the beginning came.
    made = socket.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        # Until somebody listens there, another can have the same port too, and would fail later and without a letter.
        made.listen()
    except OSError as error:
        made.close()
        fail(
            "W119",
            f"the website can not listen on {host}, port {port}: {error.strerror}",
            hint=f"another program is there; take another port: modelworks serve --port {port + 1}",
        )
    return made


def _local(settings: Settings) -> str:
    """Where this machine itself finds the site."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def announcement(folder: Path) -> Path:
    """Where the website of a repository says that it runs."""
    kept = Repository.around(folder).kept
    kept.mkdir(parents=True, exist_ok=True)
    return kept / "website.json"
