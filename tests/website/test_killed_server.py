"""The website of a team: several processes, one database, a proxy before it; and what a kill in the middle leaves."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import servers
import sqlalchemy as sql
import uvicorn
from ports import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from visitors import PASSWORD, git

from modelworks.databases import open_database
from modelworks.processes import Process
from modelworks.runs import Run, promotion_of, propose
from modelworks.study import index_around, new_repository, proposals, queue_around, store_around
from modelworks.website import read_settings
from modelworks.website.access.people import People
from modelworks.website.access.tables import BEGUN, TRAIL
from modelworks.website.pages.data import EXAMPLE

# Servers are started and killed.
pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 120.0
REGIONS = [f"region-{number}" for number in range(8)]
ADDRESS = "https://models.example.org"
HTML = {"accept": "text/html"}


def until(holds: Callable[[], object], why: str = "") -> None:
    """Wait for what must come to be."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, why
        time.sleep(0.05)


@dataclass
class Team:
    """A repository with runs that wait for a signature, somebody who may do everything, and its website."""

    root: Path
    runs: list[Run]
    token: str
    port: int
    database: str
    postgres: servers.Postgres | None = None
    website: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def at(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "modelworks", "serve", "--no-browser", "--no-jobs", "--workers", "2"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with (self.root.parent / "server.log").open("ab") as log:
            self.website = subprocess.Popen(
                [*command, "--port", str(self.port)], cwd=self.root, env=environment, stderr=log, stdout=log
            )
        until(self.is_ready, self.log())

    def is_ready(self) -> bool:
        assert self.website is not None
        assert self.website.poll() is None, self.log()
        try:
            return httpx.get(f"{self.at}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        return (self.root.parent / "server.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def answering(self) -> list[Process]:
        """The processes that answer, which the first one has started."""
        assert self.website is not None
        pid = self.website.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        # One of them only counts what is shared, and has no part in answering.
        return [Process.of(int(each)) for each in children if b"spawn_main" in _command_of(each)]

    def kill(self) -> None:
        """All of it, with SIGKILL, as a power cut would."""
        assert self.website is not None
        all_of_it = self.answering()
        self.website.kill()
        for each in all_of_it:
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        self.website.wait()
        until(lambda: all(each.is_gone() for each in all_of_it))

    def stop(self) -> None:
        if self.website is not None and self.website.poll() is None:
            self.website.terminate()
            self.website.wait(PATIENCE_SECONDS)

    def client(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.at}/api/v1/workspaces/ours",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=PATIENCE_SECONDS,
        )


def _command_of(pid: str) -> bytes:
    """How a process was begun; nothing where it has ended meanwhile."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextmanager
def opened(
    top: Path, postgres: servers.Postgres | None, fill: Callable[[Path], None] = lambda root: None
) -> Iterator[Team]:
    root = new_repository(top / "ours")
    fill(root)
    store = store_around(root)
    stage = top / "stage"
    stage.mkdir()
    runs = [store.publish(("flu", "sir", region), stages={"project": stage}, record={}) for region in REGIONS]
    for run in runs:
        propose(store, run.key, needs=("reviewer",), found=(), by="Ada")
    if postgres is not None:
        file = root / "modelworks.toml"
        text = file.read_text(encoding="utf-8")
        text = f'index = "{postgres.url}"\nqueue = "{postgres.url}"\n{text}\n'
        text += f'[website]\naddress = "{ADDRESS}"\nproxies = ["127.0.0.1"]\ndatabase = "{postgres.url}"\n'
        file.write_text(text, encoding="utf-8")
    settings = read_settings(root)
    people = People(settings.database, settings.session_days)
    grace = people.add("grace", "Grace")
    people.set_password(grace.id, PASSWORD)
    people.set_role(grace.id, "ours", "admin")
    token = people.make_token(grace.id, "tests", "ours", "admin", 1)
    people.close()
    team = Team(root, runs, token, free_port(), settings.database, postgres)
    team.start()
    try:
        yield team
    finally:
        team.stop()


# -- in the middle of it -----------------------------------------------------------------------------------


@dataclass
class Writers:
    """Several who sign runs, hand jobs over and write remarks, over and over; what they were told was done."""

    team: Team
    signed: list[str] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def sign(self) -> None:
        for run in self.team.runs:
            answer = self._sent(f"/promotions/{run.id}/sign", {"role": "reviewer"}, 200)
            if answer is not None:
                self.signed.append(run.id)

    def submit(self) -> None:
        for number in range(3):
            answer = self._sent("/jobs", {"study": "first-study", "until": "simulate", "priority": number}, 201)
            if answer is not None:
                self.jobs.append(answer["id"])
                for deed in ("cancel", "retry"):
                    self._sent(f"/jobs/{answer['id']}/{deed}", {}, 200)

    def _sent(self, path: str, said: Any, done: int) -> Any:
        """What is answered when it is done; None where nobody answered, or said that something does not answer."""
        try:
            with self.team.client() as client:
                answer = client.post(path, json=said)
        except httpx.TransportError:
            return None
        # A run that was signed when the kill cut off the answer, and is asked to be signed again.
        if answer.status_code not in (done, 409, 503):
            self.wrong.append(f"{path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.status_code == done else None

    @property
    def done(self) -> int:
        return len(self.signed) + len(self.jobs)


def check(team: Team, writers: Writers) -> None:
    """What was answered is there; of the rest each is done or not done, and nothing in between."""
    assert writers.wrong == [], team.log()
    with team.client() as client:
        told = {each["run"]: each for each in client.get("/promotions").json()}
        jobs = {each["id"] for each in client.get("/jobs", params={"limit": 100}).json()}
    assert set(told) == {run.id for run in team.runs}
    for run_id, each in told.items():
        expected = {"approved": ["Grace"], "open": []}
        assert each["signers"] == expected[each["state"]]
        assert each["state"] == "approved" or run_id not in writers.signed
    assert set(writers.jobs) <= jobs
    # The same told by the files and the tables themselves.
    store = store_around(team.root)
    with index_around(team.root) as index, queue_around(team.root) as queue:
        for run in team.runs:
            assert store.verify(run.key) == []
            known = promotion_of(store, run.key)
            assert known is not None
            assert known.state == promotion_of(index, run.key).state == told[run.id]["state"]  # type: ignore[union-attr]
        for job in jobs:
            found = queue.get(job)
            assert (found.state, found.order.by) in (("waiting", "Grace"), ("cancelled", "Grace"))
            # What it is to run was put aside before it was handed over.
            assert Path(found.order.task["study"]).is_dir()
        done = Counter(each.what for job in jobs for each in queue.events(job))
    done["signed"] = sum(bool(each["signers"]) for each in told.values())
    check_trail(team, done)


def check_trail(team: Team, done: Counter[str]) -> None:
    """Whatever was done stands in the trail, or among what was begun, where the kill came between the two."""
    engine = open_database(team.database)
    with engine.connect() as connection:
        lines = Counter(
            word.split()[0] for each in (TRAIL, BEGUN) for word in connection.scalars(sql.select(each.c.what))
        )
    engine.dispose()
    assert {what: lines[what] - count for what, count in done.items() if lines[what] < count} == {}


@contextmanager
def writing(team: Team) -> Iterator[Writers]:
    """While the block lasts, and until they have done all."""
    writers = Writers(team)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(writers.sign), pool.submit(writers.submit)]
        try:
            yield writers
        finally:
            for each in both:
                each.result(4 * PATIENCE_SECONDS)


def test_killing_the_website_in_the_middle_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """Whoever was told that a run is signed or a job handed over finds it so; nobody finds half of it."""
    with opened(tmp_path, None) as team:
        with writing(team) as writers:
            until(lambda: writers.done >= 3, team.log())
            team.kill()
        team.start()
        check(team, writers)
        writers.sign()
        check(team, writers)
        with team.client() as client:
            assert {each["state"] for each in client.get("/promotions").json()} == {"approved"}


def kill_one_and_the_database(team: Team, server: servers.Postgres) -> None:
    """In the middle of it one process that answers, and then the database: both are told, and both pass."""
    with writing(team) as writers:
        until(lambda: writers.done >= 2, team.log())
        [first, *_] = team.answering()
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: first.is_gone() and len(team.answering()) == 2, team.log())
        until(team.is_ready, team.log())
        server.kill()
        with team.client() as client:
            away = client.get("/jobs")
        assert (away.status_code, away.headers["retry-after"]) == (503, "5"), away.text
        server.start()
        # Nobody is told any more that it is away, though each process has connections of before the kill.
        assert answered_by_all(team) == {200}
    check(team, writers)


def answered_by_all(team: Team) -> set[int]:
    """What those are told who ask one after the other, each anew, so that every process answers some."""
    told = set()
    for path in ("/jobs", "/promotions", "/runs") * 10:
        with team.client() as client:
            told.add(client.get(path).status_code)
    return told


# -- in the middle of what is done in git, and with people ---------------------------------------------------

FILE, CATALOGUE = "data/raw/cases.csv", "data/catalogue.yaml"


def with_data(root: Path) -> None:
    """A dataset of which git has the file, and whoever corrects it may accept that."""
    table = "week,cases\n2021-01-04,10\n"
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(table, encoding="utf-8")
    entry = EXAMPLE.replace("CHECKSUM", hashlib.sha256(table.encode()).hexdigest())
    (root / CATALOGUE).write_text(entry, encoding="utf-8")
    (root / "modelworks.toml").write_text("[approval]\nown_run = true\n\n[website]\nmodel_seconds = 600\n", "utf-8")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=Begin")


@dataclass
class Senders:
    """Somebody who corrects a file again and again, and somebody who invites; what they were told was done."""

    team: Team
    accepted: list[str] = field(default_factory=list)
    invited: list[str] = field(default_factory=list)
    number: int = 0

    def correct(self) -> None:
        for _ in range(4):
            self.number += 1
            table = f"week,cases\n2021-01-04,{self.number}\n"
            sent = self._sent("/data/cases/propose", {"reason": "so"}, {"file": ("cases.csv", table)})
            if sent is None:
                continue
            place, id = sent.headers["location"], sent.headers["location"].rpartition("/")[2]
            commit = git(self.team.root, "rev-parse", f"refs/heads/proposal/cases-{id}")
            if self._sent(f"{place.removeprefix('/w/ours')}/accept", {"commit": commit}) is not None:
                self.accepted.append(id)

    def invite(self) -> None:
        for _ in range(12):
            name = f"guest-{len(self.invited)}-{time.monotonic_ns()}"
            if self._sent("/people", {"name": name, "role": "modeller"}, status=200) is not None:
                self.invited.append(name)

    def _sent(self, path: str, form: dict[str, str], files: Any = None, *, status: int = 303) -> httpx.Response | None:
        """What is answered when it is done; None where nobody answered."""
        bearer = {"Authorization": f"Bearer {self.team.token}", **HTML}
        try:
            answer = httpx.post(
                f"{self.team.at}/w/ours{path}", data=form, files=files, headers=bearer, timeout=PATIENCE_SECONDS
            )
        except httpx.TransportError:
            return None
        # What was proposed before an answer was cut off is open, or accepted, and is not proposed once more.
        assert answer.status_code in (status, 409, 422), f"{answer.status_code} {answer.text[:2000]} {self.team.log()}"
        return answer if answer.status_code == status else None


def check_sent(team: Team, senders: Senders) -> None:
    """Files, git, people and the trail say the same, and all that was answered."""
    # Whoever looks next makes up for what was cut off.
    page = httpx.get(f"{team.at}/w/ours/data/cases", headers={"Authorization": f"Bearer {team.token}"}, timeout=600)
    assert page.status_code == 200, team.log()
    assert "error" not in git(team.root, "fsck", "--strict")
    assert git(team.root, "status", "--porcelain", "--untracked-files=no") == ""
    checksum = hashlib.sha256((team.root / FILE).read_bytes()).hexdigest()
    assert checksum in (team.root / CATALOGUE).read_text(encoding="utf-8")
    said = git(team.root, "log", "--format=%s")
    merged = {line.split()[2] for line in said.splitlines() if line.startswith("Accept proposal")}
    assert set(senders.accepted) <= merged
    assert not merged & {each.id for each in proposals(team.root)}
    assert [*(team.root / ".modelworks" / "deciding").glob("*")] == []
    known = People(team.database, 1)
    trail = Counter((each.what, each.about.partition(", commit")[0]) for each in known.trail("ours", limit=1000))
    assert {id: trail["accepted a proposed file", f"dataset cases, proposal {id}"] for id in merged} == dict.fromkeys(
        merged, 1
    )
    members = {each.name: role for each, role in known.everybody("ours") if each.name.startswith("guest")}
    known.close()
    # Whoever is there has their role and their line; nobody has one without the other.
    assert set(senders.invited) <= set(members)
    assert set(members.values()) <= {"modeller"}
    assert {what[1]: count for what, count in trail.items() if what[0] == "invited"} == {
        f"{name} as modeller": 1 for name in members
    }


@pytest.mark.needs("git")
@pytest.mark.parametrize("after", [0, 1])
def test_killing_the_website_while_a_file_is_accepted_and_people_come_leaves_no_half(
    tmp_path: Path, after: int
) -> None:
    """The files at hand, git, the people and the trail are of one mind whenever it was."""
    with opened(tmp_path, None, with_data) as team:
        senders = Senders(team)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(senders.correct), pool.submit(senders.invite)]
            until(lambda: len(senders.accepted) >= min(after, 1) and len(senders.invited) >= after, team.log())
            team.kill()
            for each in both:
                each.result(4 * PATIENCE_SECONDS)
        team.start()
        check_sent(team, senders)
        senders.correct()
        senders.invite()
        check_sent(team, senders)


# -- several processes, one database, a proxy --------------------------------------------------------------


@contextmanager
def proxy(to: str) -> Iterator[str]:
    """What stands before a team's website: takes HTTPS off, and says for whom it asks."""

    async def forward(request: Request) -> Response:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
        headers |= {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "host": "models.example.org"}
        # A connection of its own for each, so that now one process answers and now the other.
        async with httpx.AsyncClient(base_url=to, timeout=PATIENCE_SECONDS) as client:
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            got = await client.request(request.method, path, headers=headers, content=await request.body())
        answer = Response(got.content, got.status_code)
        hop = ("content-length", "content-encoding", "transfer-encoding", "connection")
        answer.raw_headers += [(name, value) for name, value in got.headers.raw if name.decode().lower() not in hop]
        return answer

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.needs("postgres", "psycopg")
def test_several_processes_with_one_database_behind_a_proxy_are_one_website(tmp_path: Path) -> None:
    """Who signs in at one is known to the other, also when one, or the database, was killed in the middle."""
    with servers.Postgres() as server, opened(tmp_path, server) as team, proxy(team.at) as address:
        mine = signed_in(address)
        assert read_by_forty(address, mine) == {200}
        kill_one_and_the_database(team, server)
        assert read_by_forty(address, mine) == {200}
        told = [httpx.get(f"{address}/metrics", headers=mine, timeout=PATIENCE_SECONDS).text for _ in range(20)]
        lines = [each for text in told for each in text.splitlines() if each.startswith("modelworks_answer_seconds_c")]
        answered = {each.partition('process="')[2].partition('"')[0] for each in lines}
        assert answered == {str(each.pid) for each in team.answering()}


def signed_in(address: str) -> dict[str, str]:
    """The headers of a browser in which somebody is signed in; its cookies are for HTTPS alone."""
    with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as browser:
        page = browser.get("/sign-in", headers=HTML)
        form = {"name": "grace", "password": PASSWORD, "form_token": token_in(page.text)}
        done = browser.post("/sign-in", data=form, headers={**HTML, "cookie": cookies_of(page)})
        assert done.status_code == 303, done.text
        assert all("secure" in each.lower() for each in done.headers.get_list("set-cookie"))
        mine = {**HTML, "cookie": cookies_of(done)}
        # Where somebody comes from is what the proxy says.
        assert "203.0.113.7" in browser.get("/account", headers=mine).text
    return mine


def read_by_forty(address: str, mine: dict[str, str]) -> set[int]:
    """How they are answered who ask for pages all at once."""
    paths = ["/w/ours", "/w/ours/runs", "/w/ours/approvals", "/w/ours/jobs"] * 20
    with ThreadPoolExecutor(40) as pool:
        read = pool.map(lambda path: httpx.get(address + path, headers=mine, timeout=PATIENCE_SECONDS), paths)
        return {each.status_code for each in read}


def token_in(page: str) -> str:
    return page.partition('name="form_token" value="')[2].partition('"')[0]


def cookies_of(answer: httpx.Response) -> str:
    """As a browser keeps them; the client itself does not send by HTTP what is for HTTPS alone."""
    return "; ".join(each.partition(";")[0] for each in answer.headers.get_list("set-cookie"))
