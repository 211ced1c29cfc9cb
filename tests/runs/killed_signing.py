"""Somebody who is killed at one call after another while they put a run forward and sign it, and what they leave.

Run as a program: `killed_signing.py FOLDER`. For n = 1, 2, 3, … a child puts a run forward and signs it, and sends
itself SIGKILL just before its n-th call that touches the disk. What is visible then is told, and another goes on from
there. The last line is a report as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from killing import kill_at

from modelworks.runs import Requirement, Store, promotion_of, propose, sign
from modelworks.runs import _assembly as assembly


def work(store: Store, key: str) -> None:
    """Go on from wherever it stands."""
    known = promotion_of(store, key)
    if known is None:
        propose(store, key, needs=("lead", "reviewer"), found=(Requirement("verdict", True, "fine"),), by="Ada")
    for by, role in (("Grace", "lead"), ("Emmy", "reviewer")):
        known = promotion_of(store, key)
        assert known is not None
        if role in known.missing:
            sign(store, key, by=by, role=role)


def child(store: Store, key: str, number: int | None) -> int:
    process = os.fork()
    if process == 0:
        if number is not None:
            sys.setprofile(kill_at(number))
        work(store, key)
        os._exit(0)
    return os.waitpid(process, 0)[1]


def complaints(store: Store, key: str, states: set[str | None]) -> list[str]:
    """Everything that is not as a reader may expect it."""
    known = promotion_of(store, key)
    state = None if known is None else known.state
    found = [] if state in states else [f"it is {state}"]
    if known is not None and known.state == "approved" and set(known.signers) != {"Grace", "Emmy"}:
        found.append(f"it is approved by {known.signers}")
    return found + store.verify(key)


def main(place: Path) -> None:
    # Looking for every installed package takes most of the time and writes nothing.
    assembly.installed = lambda: {"numpy": "2"}
    killed, bad, seen = 0, [], set()
    while True:
        root = place / str(killed)
        stage = root / "stage"
        stage.mkdir(parents=True)
        (stage / "table.csv").write_text("a\n1\n", encoding="utf-8")
        store = Store(root / "runs")
        key = store.publish(("flu", "sir", "england"), stages={"simulate": stage}, record={}).key
        status = child(store, key, killed + 1)
        if not os.WIFSIGNALED(status):
            break
        known = promotion_of(store, key)
        seen.add(None if known is None else known.missing)
        bad += [f"killed at {killed + 1}: {each}" for each in complaints(store, key, {None, "open", "approved"})]
        if child(store, key, None) != 0:
            bad.append(f"killed at {killed + 1}: the next attempt failed")
        bad += [f"after {killed + 1}: {each}" for each in complaints(store, key, {"approved"})]
        shutil.rmtree(root)
        killed += 1
    sys.stdout.write(json.dumps({"killed": killed, "status": status, "bad": bad, "seen": len(seen)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
