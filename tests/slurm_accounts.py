"""A Slurm of two nodes that keeps accounts: what its controller has forgotten, its database remembers."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import free_port
from slurm_cluster import PATIENCE_SECONDS, Cluster, end_of, find

PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "my_print_defaults")

DATABASE = """
AuthType=auth/munge
DbdHost=localhost
DbdPort={port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=accounts
"""
# Without control groups, the nodes look each second how much memory a job uses.
REMEMBERS = """
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={port}
AccountingStorageEnforce=associations,limits,qos
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MinJobAge=2
"""
# Nobody needs what it holds after a power cut.
QUICK = ("--innodb-log-file-size=4M", "--innodb-flush-method=nosync", "--innodb-doublewrite=0")


def there() -> bool:
    return all(map(find, PROGRAMS))


class AccountedCluster(Cluster):
    """Its controller forgets a job seconds after its end."""

    def begin(self) -> None:
        port = free_port()
        self.remembers = REMEMBERS.format(port=port)
        settings = self.folder / "slurmdbd.conf"
        settings.write_text(DATABASE.format(folder=self.folder, port=port), encoding="utf-8")
        settings.chmod(0o600)
        super().begin()

    def _start_all(self) -> None:
        self._start_database()
        self.start_accounting()
        self.manage("add", "cluster", "test")
        super()._start_all()

    def _start_database(self) -> None:
        self._socket = self.folder / "database.sock"
        # A server that starts takes away the tables it finds among temporary files, be they another server's.
        temporary = self.folder / "temporary"
        temporary.mkdir()
        words = ("--no-defaults", f"--datadir={self.folder}/database", f"--tmpdir={temporary}", "--user=root", *QUICK)
        made = [find("mariadb-install-db") or "", *words, "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        self.run("mariadbd", "mariadbd", *words, f"--socket={self._socket}", "--skip-networking")
        self.wait_until(self._socket.exists)

    def start_accounting(self) -> None:
        self.run("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=str(self._socket))
        self.wait_until(lambda: self.ask("sacctmgr", "--noheader", "show", "cluster").returncode == 0)

    def manage(self, *words: str) -> None:
        """Give a command to accounting, as an administrator does."""
        told = self.ask("sacctmgr", "--immediate", *words)
        assert told.returncode == 0, told.stdout + told.stderr

    def forget(self) -> None:
        """A controller that was killed and lost all that it knew; its nodes and accounting did not."""
        self.kill("slurmctld")
        shutil.rmtree(self.folder / "state")
        (self.folder / "state").mkdir()
        self.start("slurmctld")
        self.wait_for_nodes(2)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, self.last_words()
            time.sleep(0.1)

    def last_words(self) -> str:
        return f"{super().last_words()}\n{end_of(self.folder / 'slurmdbd.log')}"


@contextmanager
def accounted_cluster(folder: Path) -> Iterator[AccountedCluster]:
    made = AccountedCluster(folder)
    try:
        made.begin()
        yield made
    finally:
        made.kill_all()
