"""Ten thousand who look on at one job at once: who is let in, what each takes of memory, and whether pages come.

A small team's server of two processes, and readers who are sockets and no more, so that they take little of the machine
that both share. Each process tells so many at a time what its job says; the others are told to come again.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import httpx
from bench_website import _free_port, _memory, reader_token
from measurement import Measurement

from modelworks.jobs import Order
from modelworks.study import new_repository, queue_around

READERS = 10_000
# The kernel keeps some hundreds that a server has not taken up yet.
AT_ONCE = 500
PAGES = 40
PATIENCE_SECONDS = 120.0
# Beside its sockets the process that measures opens some files.
OTHER_FILES = 200
Asked: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def measure() -> Iterator[Measurement]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    readers = READERS if most == resource.RLIM_INFINITY else min(READERS, most - OTHER_FILES)
    with tempfile.TemporaryDirectory() as folder:
        root = new_repository(Path(folder) / "ours")
        with queue_around(root) as queue:
            [job] = queue.submit([Order("one that waits", ("true",))])
        headers = {"Authorization": f"Bearer {reader_token(root)}"}
        port = _free_port()
        command = [sys.executable, "-m", "modelworks", "serve", "--no-browser", "--workers", "2", "--no-jobs"]
        server = subprocess.Popen(
            [*command, "--port", str(port)], cwd=root, start_new_session=True, stderr=subprocess.DEVNULL
        )
        try:
            yield from asyncio.run(_measured(port, job, headers, server.pid, readers))
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


async def _measured(port: int, job: str, headers: Mapping[str, str], server: int, readers: int) -> list[Measurement]:
    address = f"http://127.0.0.1:{port}/w/ours"
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=PATIENCE_SECONDS) as client:
        await _ready(client)
        await _page_seconds(client)
        memory = [_memory(server)]
        # Twice: what the first left behind is there for the second.
        for _ in range(2):
            looking_on = await _come(port, job, headers, readers)
            memory.append(_memory(server))
            seconds = sorted(await _page_seconds(client))
            for each in looking_on:
                each.close()
            await _there_is_room(port, job, headers)
    before, first, second = memory
    name = f"readers: of {readers:,} who look on at once"
    return [
        Measurement(f"{name}, are told what happens", len(looking_on), "readers"),
        Measurement(f"{name}, are told when to come again", readers - len(looking_on), "readers"),
        Measurement(f"{name}, memory of the server for each", (first - before) * 1e3 / readers, "kB"),
        Measurement(f"{name}, 95% of other pages take less", seconds[int(0.95 * (len(seconds) - 1))] * 1e3, "ms"),
        Measurement("readers: memory of the server before they come", before, "MB"),
        Measurement("readers: memory of the server while they look on", first, "MB"),
        Measurement("readers: the same when they have gone and as many have come again", second, "MB"),
    ]


async def _ready(client: httpx.AsyncClient) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            (await client.get("/jobs")).raise_for_status()
        except httpx.TransportError:
            # Nobody listens yet.
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _page_seconds(client: httpx.AsyncClient) -> list[float]:
    """How long a page takes, for somebody who asks for one after the other."""
    taken = []
    for _ in range(PAGES):
        began = time.perf_counter()
        (await client.get("/jobs")).raise_for_status()
        taken.append(time.perf_counter() - began)
    return taken


async def _come(port: int, job: str, headers: Mapping[str, str], readers: int) -> list[asyncio.StreamWriter]:
    """The connections of those who are let in; all have asked before anybody goes."""
    room = asyncio.Semaphore(AT_ONCE)

    async def come() -> Asked:
        async with room:
            return await _ask(port, job, headers)

    asked = await asyncio.gather(*(come() for _ in range(readers)))
    return [each[1] for each in asked if await _is_let_in(*each)]


async def _there_is_room(port: int, job: str, headers: Mapping[str, str]) -> None:
    """Until somebody is let in who comes now."""
    end = time.monotonic() + PATIENCE_SECONDS
    asked = await _ask(port, job, headers)
    while not await _is_let_in(*asked):
        if time.monotonic() > end:
            raise TimeoutError("those who went still take the place of others")
        await asyncio.sleep(0.1)
        asked = await _ask(port, job, headers)
    asked[1].close()


async def _ask(port: int, job: str, headers: Mapping[str, str]) -> Asked:
    reading, writing = await asyncio.open_connection("127.0.0.1", port)
    said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writing.write(f"GET /w/ours/jobs/{job}/events HTTP/1.1\r\nHost: x\r\n{said}\r\n".encode())
    return reading, writing


async def _is_let_in(reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> bool:
    """Whether a reader is told what happens; one who is told when to come again goes."""
    head = (await asyncio.wait_for(reading.readuntil(b"\r\n\r\n"), PATIENCE_SECONDS)).lower()
    if head.startswith(b"http/1.1 200"):
        return True
    writing.close()
    if not head.startswith(b"http/1.1 503") or b"retry-after:" not in head:
        raise RuntimeError(f"a reader was told: {head!r}")
    return False
