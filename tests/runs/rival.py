"""An attempt at runs that another process attempts too: `rival.py BUCKET MIRROR WHO`.

For each line `MOMENT ID` that it is given it publishes that run, with content of its own, and answers with the key,
and whose run it has then got.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime
from pathlib import Path

from modelworks.runs import BucketStore, _assembly

FILES = 12


def answer(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(url: str, mirror: Path, who: str) -> None:
    # Looking for every installed package takes most of the time, and what it finds is the same for all.
    _assembly.installed = lambda: {"numpy": "2"}
    store = BucketStore(url, mirror)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FILES):
            (Path(folder) / f"{number}.csv").write_text(f"{who}\n" * 1000, encoding="utf-8")
        answer("ready")
        for line in sys.stdin:
            moment, run_id = line.split()
            name = (datetime.fromisoformat(moment), run_id)
            run = store.publish(("flu", "sir", "uk"), stages={"simulate": Path(folder)}, record={"who": who}, name=name)
            answer(f"{run.key} {run.record['who']}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
