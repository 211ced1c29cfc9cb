"""The record: how soon runs are listed when there are many, and what a large run holds in memory.

Bounded by default: 10,000 runs and a run of 256 MB. With MODELWORKS_BENCH_FULL=1 there are 100,000 runs as well, and a
run of 5 GB, for which the disk of TMPDIR needs room twice. With MODELWORKS_BENCH_BUCKET=s3://… the large run also goes
up to that bucket and is verified there; a fifth of the size, for every byte of it travels.
"""

from __future__ import annotations

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

from modelworks.runs import Index, Store, Wanted, condition

FULL = os.environ.get("MODELWORKS_BENCH_FULL") == "1"
BUCKET = os.environ.get("MODELWORKS_BENCH_BUCKET")
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
        yield from large_run("bucket", MEGABYTES // 5)


def listing(number: int) -> Iterator[Measurement]:
    """A store with so many runs: the first listing, which reads them all, and those after it."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "runs")
        keys = list(write_runs(store.root, number))
        for key in keys[:: number // 100]:
            store.remark(key, "tag", "paper", by="Ada")
        with Index(store, f"sqlite:///{folder}/index.sqlite") as index:
            began = time.process_time()
            index.refresh()
            yield Measurement(f"record: index of {number:,} runs made anew", time.process_time() - began, "s")
            for what, wanted in ASKED.items():
                taken = seconds_each(partial(index.select, wanted))
                name = f"record: list of {number:,} runs, {what}"
                yield compared(name, taken * 1e3, "ms", "what is allowed", ALLOWED[number])


def write_runs(root: Path, number: int) -> Iterator[str]:
    """Folders as `publish` leaves them, with a record each and no more; gives their keys."""
    for k in range(number):
        moment = START + timedelta(minutes=10 * k)
        key = f"study-{k % 10}/sir/region-{k // 10 % 10}/{moment:%Y%m%dT%H%M%SZ}/0f3c2ab-{k:06x}"
        record = {
            "key": key,
            "verdict": ("fine", "look", "stop")[k % 3],
            "finished": moment.isoformat(),
            "parameters": {"rate": {"value": k % 1009 / 1009}, "duration": {"median": 5.0, "low": 4.0, "high": 6.0}},
            "provenance": {"person": "Ada", "commit": "0f3c2ab"},
        }
        folder = root / key
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
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
