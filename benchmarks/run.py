"""Measures everything in `bench_*.py` and prints one JSON object a line.

    python benchmarks/run.py                 everything
    python benchmarks/run.py start simulate  bench_start.py and bench_simulate.py

Both sides of a ratio are measured in the same minute on the same machine, so a ratio travels and a time does not.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(chosen: list[str]) -> int:
    names = chosen or sorted(file.stem.removeprefix("bench_") for file in HERE.glob("bench_*.py"))
    failed = 0
    for name in names:
        try:
            for measurement in importlib.import_module(f"bench_{name}").measure():
                sys.stdout.write(measurement.as_json() + "\n")
                sys.stdout.flush()
        except Exception as error:  # noqa: BLE001 - the other measurements are still wanted; the exit status tells
            sys.stderr.write(f"bench_{name}: {type(error).__name__}: {error}\n")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
