"""Databases that several open and change at the same time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import servers


def test_a_new_file_is_waited_for_as_long_as_another_makes_its_tables(tmp_path: Path) -> None:
    """SQLite itself refuses that at once, and two workers that begin in a new repository meet there."""
    path = tmp_path / "new.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE made (number)")
    ends: list[str] = []

    def opens() -> None:
        try:
            with servers.changing(f"sqlite:///{path}") as connection:
                ends.extend(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars())
        except Exception as error:  # noqa: BLE001 - told by the test
            ends.append(str(error))

    thread = threading.Thread(target=opens)
    thread.start()
    # Long enough to be refused, which is not waited for where it does not come.
    thread.join(0.5)
    assert ends == []
    other.execute("COMMIT")
    other.close()
    thread.join()
    assert ends == ["made"]
