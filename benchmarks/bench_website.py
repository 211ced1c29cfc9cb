"""The website among many runs: how long readers wait for each page and feed, and what the server holds in memory.

Ten thousand runs, two processes as a small team's server has, and fifty readers who each ask for something, look at it
for about a second, and ask for the next. Readers and server share the machine, as their times say: with only two cores
the readers' own work is part of what is measured. What others took of the machine's processors meanwhile (`steal`) is
told beside it: a tenth of them taken doubles every wait.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

import h11
import httpx
import numpy as np
import pandas as pd
from bench_record import write_runs
from measurement import Measurement, compared

from modelworks.runs import propose, sign
from modelworks.study import new_repository, store_around
from modelworks.website import read_settings
from modelworks.website.access.people import People

RUNS = 10_000
# Those that `write_runs` writes runs of.
STUDIES = 10
READERS = 50
SECONDS = 30.0
# What a reader looks at before the next question, in seconds.
LOOKING = (0.5, 1.5)
ALLOWED_MS = 100.0
FIRST_ANSWER_SECONDS = 120.0
ROUNDS_BEFORE = 8
MOST_READ = 1 << 18
# Which of the times of a processor was another machine's.
_STEAL = 7


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        root = new_repository(Path(folder) / "ours")
        ids = _filled(root)
        token = reader_token(root)
        port = _free_port()
        command = [sys.executable, "-m", "modelworks", "serve", "--no-browser", "--workers", "2", "--port", str(port)]
        server = subprocess.Popen(command, cwd=root, start_new_session=True, stderr=subprocess.DEVNULL)
        try:
            yield from _measured(f"http://127.0.0.1:{port}", token, ids, server.pid)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def _filled(root: Path) -> list[str]:
    """A repository with many runs, each with series, and one that is approved; gives the ids of the many.

    The studies that they are of are there, so that all is looked at that a page looks at.
    """
    store = store_around(root)
    for number in range(STUDIES):
        shutil.copytree(root / "studies" / "first-study", root / "studies" / f"study-{number}")
    stage = root.parent / "project"
    stage.mkdir()
    _series().to_parquet(stage / "outputs.parquet", index=False)
    numbers = {"r0": {"title": "Reproduction number", "unit": "ratio", "median": 2.5, "low": 2.4, "high": 2.7}}
    made = store.publish(("flu", "sir", "here"), stages={"project": stage}, record={"quantities": numbers})
    propose(store, made.key, needs=("reviewer",), found=(), by="Ada")
    sign(store, made.key, by="Grace", role="reviewer")
    return [_with_series(stage, store.root / key) for key in write_runs(store.root, RUNS)]


def _series() -> pd.DataFrame:
    """Two outputs in two scenarios over half a year."""
    days = pd.date_range("2025-01-01", periods=180)
    keys = pd.MultiIndex.from_product([("baseline", "closed"), ("cases", "deaths"), days])
    table = keys.to_frame(index=False, name=["scenario", "output", "time"])
    values = np.sort(np.random.default_rng(1).lognormal(3, 1, (len(table), 5)), axis=1)
    return table.assign(**dict(zip(("q025", "q25", "q50", "q75", "q975"), values.T, strict=True)))


def _with_series(stage: Path, folder: Path) -> str:
    """The series as those of another run; linked, so that the disk holds them once."""
    (folder / "project").mkdir()
    os.link(stage / "outputs.parquet", folder / "project" / "outputs.parquet")
    return folder.name.rpartition("-")[2]


def reader_token(root: Path) -> str:
    """What an admin of the repository called `ours`, who sees every page, sends with each question."""
    settings = read_settings(root)
    people = People(settings.database, settings.session_days)
    try:
        someone = people.add("reader", "A reader")
        people.set_role(someone.id, "ours", "admin")
        return people.make_token(someone.id, "benchmark", "ours", "admin", 1)
    finally:
        people.close()


def _measured(address: str, token: str, ids: Sequence[str], server: int) -> Iterator[Measurement]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/html, application/json"}
    _warm(address, headers, ids)
    before, times = _memory(server), _processor_times()
    taken = asyncio.run(_read(address, headers, ids))
    spent = _processor_times() - times
    for what, seconds in sorted(taken.items()):
        seconds.sort()
        value = seconds[int(0.95 * (len(seconds) - 1))] * 1e3
        name = f"website: {what}, of {RUNS:,} runs for {READERS} readers, 95% wait less"
        yield compared(name, value, "ms", "what is allowed", ALLOWED_MS)
    yield Measurement("website: what others took of the processors", 100 * float(spent[_STEAL] / spent.sum()), "%")
    yield Measurement("website: memory of the server when it begins to be read", before, "MB")
    yield Measurement(f"website: memory of the server after {SECONDS:.0f} s", _memory(server), "MB")


def _places(ids: Sequence[str], chance: random.Random) -> dict[str, str]:
    """What is read, by what it is."""
    run, other = chance.sample(ids, 2)
    feeds = "/w/ours/feeds"
    return {
        "home": "/w/ours",
        "the list of runs": "/w/ours/runs",
        "the page of a run": f"/w/ours/runs/{run}",
        "two runs compared": f"/w/ours/compare?run={run}&run={other}",
        "the form of a new run": f"/w/ours/studies/study-{chance.randrange(STUDIES)}/run",
        "the page to put a run forward": f"/w/ours/runs/{run}/approve",
        "the page of approvals": "/w/ours/approvals",
        "the page of jobs": "/w/ours/jobs",
        "the page of the workflow": "/w/ours/workflow",
        "the page of data": "/w/ours/data",
        "the page of people": "/w/ours/people",
        "the page of settings": "/w/ours/settings",
        "the page of feeds": feeds,
        "OData, approved numbers": f"{feeds}/approved/odata/quantities",
        "OData, a page of all runs": f"{feeds}/all/odata/runs?$top=100&$filter=verdict eq 'fine'",
        "OData, the series of a run": f"{feeds}/runs/{run}/odata/series",
        "OData, a page of all parameters": f"{feeds}/all/odata/parameters?$top=100",
        "the API's list of runs": "/api/v1/workspaces/ours/runs?limit=50",
        "the API's run": f"/api/v1/workspaces/ours/runs/{run}",
    }


def _warm(address: str, headers: dict[str, str], ids: Sequence[str]) -> None:
    """Every page some times, so that each process has answered: the first of all readers waits for the index, and the
    first of each study for its model."""
    end = time.monotonic() + FIRST_ANSWER_SECONDS
    # A connection that is kept leads to the same process each time.
    headers = {**headers, "Connection": "close"}
    of_studies = [
        place
        # The runs were written of one study after the other.
        for number, run in enumerate(ids[:STUDIES])
        for place in (f"/w/ours/studies/study-{number}/run", f"/w/ours/runs/{run}/approve")
    ]
    with httpx.Client(base_url=address, headers=headers, timeout=FIRST_ANSWER_SECONDS) as client:
        rounds = 0
        while rounds < ROUNDS_BEFORE:
            try:
                for place in ("/readyz", *_places(ids, random.Random(0)).values(), *of_studies):
                    client.get(place).raise_for_status()
                rounds += 1
            except httpx.TransportError:
                # Nobody listens yet.
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


async def _read(address: str, headers: dict[str, str], ids: Sequence[str]) -> dict[str, list[float]]:
    """How long each answer took, by what was read."""
    taken: dict[str, list[float]] = {}
    end = time.monotonic() + SECONDS

    async def reader(chance: random.Random) -> None:
        browser = await _Browser.opened(address, headers)
        while time.monotonic() < end:
            await asyncio.sleep(chance.uniform(*LOOKING))
            what, place = chance.choice(list(_places(ids, chance).items()))
            began = time.perf_counter()
            await browser.get(place)
            taken.setdefault(what, []).append(time.perf_counter() - began)
        browser.close()

    await asyncio.gather(*(reader(random.Random(number)) for number in range(READERS)))
    return taken


class _Browser:
    """A connection that one reader keeps, as a browser does: a client of all would send most by the few that it has.

    It does no more than it must: `httpx` took 4 ms of a processor for each answer, which the server then did not have.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
        self._reader, self._writer, self._headers = reader, writer, headers
        self._connection = h11.Connection(h11.CLIENT)

    @classmethod
    async def opened(cls, address: str, headers: dict[str, str]) -> Self:
        place = urlsplit(address)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        return cls(reader, writer, {"Host": place.netloc, "Accept-Encoding": "gzip", **headers})

    async def get(self, place: str) -> None:
        """Ask, and take the whole answer, which has to be one that was meant to be."""
        asked = h11.Request(method="GET", target=quote(place, safe="/?&=$,"), headers=list(self._headers.items()))
        self._writer.write((self._connection.send(asked) or b"") + (self._connection.send(h11.EndOfMessage()) or b""))
        while (event := self._connection.next_event()) is not h11.PAUSED and not isinstance(event, h11.EndOfMessage):
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._reader.read(MOST_READ))
            elif isinstance(event, h11.Response) and event.status_code != 200:
                raise RuntimeError(f"{place} was answered by {event.status_code}")
        self._connection.start_next_cycle()

    def close(self) -> None:
        self._writer.close()


def _processor_times() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """What all processors did since the machine started, as `/proc/stat` tells it; the guests' time stands twice."""
    return np.array(Path("/proc/stat").read_text(encoding="ascii").split()[1 : _STEAL + 2], dtype=np.int64)


def _memory(server: int) -> float:
    """Megabytes that the processes of the server hold together; what they share counts for each its part."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == server:
                text = (process / "smaps_rollup").read_text(encoding="ascii")
                total += int(text.partition("Pss:")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 1e3


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
