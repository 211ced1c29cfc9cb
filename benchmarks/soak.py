"""A thousand faults at a queue and its workers, on PostgreSQL: `python benchmarks/soak.py [FAULTS] [SEED]`.

Prints a line for each hundred faults, with what was done, how the jobs ended, and the seed that decided it.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import servers
from jobs.chaos import Chaos

A_SESSION = 100


def main(faults: int, seed: int) -> None:
    for session in range(-(-faults // A_SESSION)):
        with tempfile.TemporaryDirectory() as name:
            soak(Path(name), min(A_SESSION, faults - session * A_SESSION), seed + session)


def soak(folder: Path, faults: int, seed: int) -> None:
    """One session; it ends with an AssertionError, and the story of the job, where a promise is broken."""
    with servers.Postgres() as server, Chaos(folder / "chaos", server.url, seed, server) as chaos:
        chaos.strike(faults)
        chaos.settle()
        chaos.check()
        sys.stdout.write(f"seed {seed}: {chaos.told()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    main(words[0] if words else 1000, words[1] if len(words) > 1 else secrets.randbelow(10**9))
