"""Whatever is done to runs by several at once, and whoever is killed at it: none is lost, half there, or altered."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store

PROGRAM = Path(__file__).with_name("lives.py")
START = datetime(2026, 11, 21, tzinfo=UTC)
SECONDS = float(os.environ.get("MODELWORKS_LIVES_SECONDS", "12"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "database"),
    [
        pytest.param("folder", "sqlite"),
        pytest.param("folder", "postgres", marks=pytest.mark.needs("postgres", "psycopg")),
        pytest.param("bucket", "sqlite", marks=pytest.mark.needs("weed")),
        pytest.param("bucket", "postgres", marks=pytest.mark.needs("weed", "postgres", "psycopg")),
    ],
)
def test_no_kill_loses_halves_or_alters_a_run(
    kind: str, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A team of three publishes, remarks, prunes, restores and lists at once, and is killed most of the time.

    MODELWORKS_LIVES_SECONDS lets them live longer, MODELWORKS_LIVES_SEED does the same things again.
    """
    store, index = str(tmp_path / "runs"), f"sqlite:///{tmp_path / 'index.sqlite'}"
    if kind == "bucket":
        request.getfixturevalue("s3_endpoint")
        store = f"s3://team/{secrets.token_hex(6)}"
    if database == "postgres":
        index = request.getfixturevalue("postgres_url")
    seed = os.environ.get("MODELWORKS_LIVES_SEED") or str(secrets.randbelow(10**9))
    command = [sys.executable, str(PROGRAM), str(tmp_path), store, index, str(SECONDS), seed]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    sys.stdout.write(f"MODELWORKS_LIVES_SEED={seed}\n{done.stdout}")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["bad"] == []
    assert report["killed"] >= 3
    assert report["done"]["publish done"] >= 1


def flipped(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.chmod(0o644)
    path.write_bytes(content)


def test_every_flipped_bit_is_told_with_the_name_of_its_file(store: Store, stage: Path) -> None:
    """A record or a list of checksums with a flipped bit may no longer be readable, and that is told too."""
    run = store.publish(("flu", "sir", "england"), stages={"simulate": stage}, record={})
    files = sorted(path for path in run.path.rglob("*") if path.is_file())
    for path in files:
        name, whole = path.relative_to(run.path).as_posix(), path.read_bytes()
        bits = range(0, 8 * len(whole), max(1, 8 * len(whole) // 40))
        for bit in bits:
            flipped(path, bit)
            if name in ("checksums.json", "run.json"):
                assert complaints(store, run.key)
            else:
                assert complaints(store, run.key) == [f"{name}: differs"]
            path.write_bytes(whole)
    assert store.verify(run.key) == []


def complaints(store: Store, key: str) -> list[str]:
    try:
        return store.verify(key)
    except ModelworksError as error:
        return list(error.codes)


FILL = """
import sys
from pathlib import Path
from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store
disk, stage = Path(sys.argv[1]), Path(sys.argv[2])
ballast = disk / "ballast"
ballast.write_bytes(bytes(300_000))
store, published = Store(disk / "runs"), 0
def publish():
    # Another disk than the stage's, so that every file is copied.
    return store.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={})
while True:
    try:
        publish()
    except ModelworksError as error:
        print(error)
        break
    published += 1
runs = store.runs()
print(published, len(runs), [run.verify() for run in runs if run.verify()], list((disk / "runs/.attempts").iterdir()))
ballast.unlink()
print(publish().verify())
"""


@pytest.mark.needs("mounts")
def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path, stage: Path) -> None:
    """What was published before stays whole, and with room made the same command goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (stage / "large.bin").write_bytes(bytes(100_000))
    mount = f"mount -t tmpfs -o size=1m tmpfs {shlex.quote(str(disk))}"
    command = f"{mount} && exec {shlex.join([sys.executable, '-c', FILL, str(disk), str(stage)])}"
    # A name space of its own, with which the mount goes.
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    done = subprocess.run([*apart, command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    letter, *_, looked, again = done.stdout.splitlines()
    assert letter.startswith("R120: the disk is full: ")
    published, seen, damaged, left = looked.split(maxsplit=3)[:4]
    assert int(published) == int(seen) > 0
    assert (damaged, left, again) == ("[]", "[]", "[]")


def test_two_writers_of_one_run_get_the_same_run(store: Store, tmp_path: Path) -> None:
    """Whoever is first: all files are of that one."""
    for number in range(10):
        stages = [tmp_path / f"{who} {number}" for who in ("ada", "bob")]
        for stage in stages:
            stage.mkdir()
            (stage / "table.csv").write_text(f"{stage.name}\n", encoding="utf-8")

        def publish(stage: Path, name: tuple[datetime, str] = (START, f"{number:06x}")) -> Run:
            return store.publish(
                ("flu", "sir", "uk"), stages={"simulate": stage}, record={"who": stage.name}, name=name
            )

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(publish, stages)
        assert first == second
        assert first.record == second.record
        assert first.verify() == []
        assert (first.path / "simulate" / "table.csv").read_text("utf-8").strip() == first.record["who"]
    assert len(store.runs()) == 10
