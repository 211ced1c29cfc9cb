"""The record: how soon runs are listed when there are many, and what a large run holds in memory.

Bounded by default: 10,000 runs and a run of 256 MB. With MODELWORKS_BENCH_FULL=1 there are 100,000 runs as well, and a
run of 5 GB, for which the disk of TMPDIR needs room twice. With MODELWORKS_BENCH_BUCKET=s3://… the large run also goes
up to that bucket and is verified there, and with MODELWORKS_BENCH_POSTGRES=postgresql+psycopg://… the index is kept in
that database as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from measurement import Measurement, compared, seconds_each

from modelworks.runs import Index, Store, Wanted, condition, trace_file, trace_number

FULL = os.environ.get("MODELWORKS_BENCH_FULL") == "1"
BUCKET = os.environ.get("MODELWORKS_BENCH_BUCKET")
POSTGRES = os.environ.get("MODELWORKS_BENCH_POSTGRES")
RUNS = (10_000, 100_000) if FULL else (10_000,)
MEGABYTES = 5_000 if FULL else 256
# What a person does not feel as waiting, in milliseconds.
ALLOWED = {10_000: 50.0, 100_000: 300.0}
START = datetime(2024, 1, 1, tzinfo=UTC)
ASKED = {
    "the latest 50": Wanted(limit=50),
    "of a study and region, with a verdict": Wanted(study="study-3", region="region-7", verdict="fine", limit=50),
    "with a parameter in a range": Wanted(conditions=(condition("rate > 0.9"), condition("rate < 0.91")), limit=50),
    "with a tag": Wanted(tag="paper", limit=50),
}


def measure() -> Iterator[Measurement]:
    for number in RUNS:
        yield from listing(number)
    yield from large_run("folder", MEGABYTES)
    if BUCKET:
        yield from large_run("bucket", MEGABYTES)


def listing(number: int) -> Iterator[Measurement]:
    """A store with so many runs: the first listing, which reads them all, and those after it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs")
        keys = list(write_runs(store.root, number))
        for key in keys[:: number // 100]:
            store.remark(key, "tag", "paper", by="Ada")
        databases = {"SQLite": f"sqlite:///{folder}/index.sqlite"} | ({"PostgreSQL": POSTGRES} if POSTGRES else {})
        for name, url in databases.items():
            yield from of_index(f"record: {{}} of {number:,} runs in {name}", store, url, number)


# A server's time is not ours: only the wall's clock has it.
elapsed = partial(seconds_each, clock=time.perf_counter)


def of_index(name: str, store: Store, url: str, number: int) -> Iterator[Measurement]:
    """An index made anew, lists of what it holds, and the way back from a number and from a file."""
    file = store.root.parent / "table.csv"
    file.write_text(table_of(number // 2), encoding="utf-8")
    with Index(store, url) as index:
        began = time.perf_counter()
        index.refresh()
        yield Measurement(name.format("index made anew"), time.perf_counter() - began, "s")
        for what, wanted in ASKED.items():
            taken = elapsed(partial(index.select, wanted))
            said = name.format("list") + f", {what}"
            yield compared(said, taken * 1e3, "ms", "what is allowed", ALLOWED[number])
        taken = elapsed(lambda: next(trace_number(index, f"{number // 2}.25")))
        yield Measurement(name.format("run of a number") + ", one", taken * 1e3, "ms")
        began = time.perf_counter()
        next(trace_file(index, file))
        yield Measurement(name.format("run of a file") + ", the first time", time.perf_counter() - began, "s")
        taken = elapsed(lambda: next(trace_file(index, file)))
        yield Measurement(name.format("run of a file") + ", afterwards", taken * 1e3, "ms")


def table_of(k: int) -> str:
    return f"run,number\n{k},{k}.25\n"


def write_runs(root: Path, number: int) -> Iterator[str]:
    """Folders as `publish` leaves them, with a record each, and checksums of files that are not there; their keys."""
    for k in range(number):
        moment = START + timedelta(minutes=10 * k)
        key = f"study-{k % 10}/sir/region-{k // 10 % 10}/{moment:%Y%m%dT%H%M%SZ}/0f3c2ab-{k:06x}"
        record = {
            "key": key,
            "verdict": ("fine", "look", "stop")[k % 3],
            "finished": moment.isoformat(),
            "parameters": {"rate": {"value": k % 1009 / 1009}, "duration": {"median": 5.0, "low": 4.0, "high": 6.0}},
            "quantities": {f"number {n}": {"value": k + n + 0.25, "unit": "people"} for n in range(10)},
            "provenance": {"person": "Ada", "commit": "0f3c2ab"},
        }
        checksums = {f"figures/{n}.png": hashlib.sha256(f"{k} {n}".encode()).hexdigest() for n in range(29)}
        checksums["table.csv"] = hashlib.sha256(table_of(k).encode()).hexdigest()
        folder = root / key
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        (folder / "checksums.json").write_text(json.dumps(checksums), encoding="utf-8")
        yield key


LARGE = """
import os, resource, sys, time
from pathlib import Path
from modelworks.runs import BucketStore, Store
url, folder, megabytes = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
stage = folder / "stage"
stage.mkdir()
with (stage / "draws.bin").open("wb") as file:
    for _ in range(megabytes):
        file.write(os.urandom(10**6))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
store = BucketStore(url, folder / "mirror") if url else Store(folder / "runs")
began = time.perf_counter()
run = store.publish(("large", "sir", "uk"), stages={"simulate": stage}, record={})
published = time.perf_counter()
assert store.verify(run.key) == []
print(published - began, time.perf_counter() - published, peak())
"""


def large_run(kind: str, megabytes: int) -> Iterator[Measurement]:
    """Publish and verify a run of one large file, and what the process holds at its most."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"{(BUCKET or '').rstrip('/')}/bench-{time.time_ns()}" if kind == "bucket" else ""
        command = [sys.executable, "-c", LARGE, address, folder, str(megabytes)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    publishing, verifying, peak = map(float, done.stdout.split())
    name = f"record: run of {megabytes:,} MB in a {kind}"
    yield Measurement(f"{name}, published", publishing, "s")
    yield Measurement(f"{name}, verified", verifying, "s")
    yield compared(f"{name}, memory of the whole process at its most", peak, "MB", "all of it held", float(megabytes))
