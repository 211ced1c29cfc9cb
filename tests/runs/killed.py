"""A process that is killed at one call after another, and what it leaves each time.

Run as a program: `killed.py FOLDER`. For n = 1, 2, 3, … it forks a child that writes a stage and publishes a run, and
that sends itself SIGKILL just before its n-th call that touches the disk; nothing can be tidied up after that. The
parent then looks at what is visible and lets another child finish. The last line is a report as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from killing import kill_at

from modelworks.errors import ModelworksError
from modelworks.runs import StageCache, Store, fingerprint
from modelworks.runs import _assembly as assembly

MARK = fingerprint("a stage")


def work(root: Path) -> None:
    cache = StageCache(root / "stages")
    if cache.get(MARK) is None:
        with cache.attempt("simulate", MARK) as folder:
            (folder / "table.csv").write_text("a\n1\n", encoding="utf-8")
            (folder / "figures").mkdir()
            (folder / "figures" / "fit.png").write_bytes(b"\x89PNG")
    found = cache.get(MARK)
    assert found is not None
    mine = {"inputs/settings.txt": root / "settings.txt"}
    Store(root / "runs").publish(("flu", "sir", "england"), stages={"simulate": found}, record={}, files=mine)


def child(root: Path, number: int | None) -> int:
    """Do the work in a process of its own; gives its status."""
    process = os.fork()
    if process == 0:
        if number is not None:
            sys.setprofile(kill_at(number))
        work(root)
        os._exit(0)
    return os.waitpid(process, 0)[1]


def complaints(root: Path, expected_runs: int | None) -> list[str]:
    """Everything that is not as a reader may expect it."""
    found = []
    stage = StageCache(root / "stages").get(MARK)
    if stage is not None and sorted(p.name for p in stage.rglob("*")) != ["figures", "fit.png", "table.csv"]:
        found.append("half a stage is visible")
    store = Store(root / "runs")
    try:
        runs = store.runs()
        found += [each.message for each in store.damaged()]
        found += [complaint for run in runs for complaint in run.verify()]
    except ModelworksError as error:
        return [*found, str(error)]
    if expected_runs is not None and len(runs) not in (expected_runs, expected_runs + 1):
        found.append(f"{len(runs)} runs where {expected_runs} or one more should be")
    left = [p for name in ("stages", "runs") for p in (root / name).glob(".attempts/*")]
    if expected_runs is not None and left:
        found.append(f"attempts are left: {left}")
    return found


def main(place: Path) -> None:
    # Looking for every installed package takes most of the time and writes nothing.
    assembly.installed = lambda: {"numpy": "2"}
    killed, bad = 0, []
    while True:
        root = place / str(killed)
        root.mkdir(parents=True)
        (root / "settings.txt").write_text("a: 1\n", encoding="utf-8")
        status = child(root, killed + 1)
        if not os.WIFSIGNALED(status):
            break
        bad += [f"killed at {killed + 1}: {each}" for each in complaints(root, None)]
        if child(root, None) != 0:
            bad.append(f"killed at {killed + 1}: the next attempt failed")
        bad += [f"after {killed + 1}: {each}" for each in complaints(root, 1)]
        shutil.rmtree(root)
        killed += 1
    sys.stdout.write(json.dumps({"killed": killed, "status": status, "bad": bad}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
