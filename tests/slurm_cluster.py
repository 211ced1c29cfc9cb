"""A real Slurm of two nodes on this machine, whose parts a test may kill, freeze and start again."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ports import free_port

PATIENCE_SECONDS = 120.0
MUNGE_LOCK = Path(tempfile.gettempdir()) / "modelworks-tests-munge.lock"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
PARTS = ("slurmctld", "n1", "n2")
# What the parts remember over a restart.
PARTS_KEEP = ("state", "spool-n1", "spool-n2")

SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
CredType=cred/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=2
MessageTimeout=5
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
{remembers}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=2 RealMemory=8000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=n1,n2 MaxTime=60 State=UP PriorityTier=9
"""


def find(program: str) -> str | None:
    """A program, also one of the system's own, which are in nobody's PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def there() -> bool:
    return all(map(find, PROGRAMS))


class Cluster:
    """The cluster that `SLURM_CONF` leads to; every part is a process of ours."""

    remembers = """
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=300
"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "slurm.conf"
        self._parts: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self) -> None:
        ports = {part: free_port() for part in ("controller", "first", "second")}
        host = socket.gethostname().split(".")[0]
        words = {"host": host, "folder": self.folder, "remembers": self.remembers, **ports}
        self.settings.write_text(SETTINGS.format(**words), encoding="utf-8")
        _start_munge()
        self._start_all()

    def renew(self) -> None:
        """A cluster that has forgotten everything, at the same address.

        After a controller was killed its nodes remember numbers that it gives again, and refuse the jobs that get them.
        """
        self.kill_all()
        for kept in PARTS_KEEP:
            shutil.rmtree(self.folder / kept)
        self._start_all()

    def _start_all(self) -> None:
        for kept in PARTS_KEEP:
            (self.folder / kept).mkdir()
        for part in PARTS:
            self.start(part)
        self.wait_for_nodes(2)

    def kill_all(self) -> None:
        self.ask("scancel", "--me", "--signal=KILL", "--full")
        self.ask("scancel", "--me")
        for process in self._parts.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def start(self, part: str, hidden: Path | None = None) -> None:
        """The controller, or a node by its name; such a node does not see what lies in a `hidden` folder."""
        words = ["slurmctld", "-D"] if part == "slurmctld" else ["slurmd", "-D", "-N", part]
        hide = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{hidden}" && exec "$@"', "sh"]
        self.run(part, *(hide if hidden else []), *words)

    def run(self, part: str, *words: str, **more: str) -> None:
        """A part of the cluster, with `more` in its environment."""
        path = f"{os.environ['PATH']}:/usr/sbin"
        environment = {**os.environ, "PATH": path, "SLURM_CONF": str(self.settings), **more}
        with (self.folder / f"{part}.out").open("ab") as log:
            self._parts[part] = subprocess.Popen(words, stdout=log, stderr=log, env=environment)

    def kill(self, part: str) -> None:
        self._parts[part].kill()
        self._parts[part].wait()

    def wait_for_nodes(self, number: int) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            # Their whole states: to Slurm a node that is drained is idle too.
            asked = self.ask("sinfo", "-h", "-N", "-p", "main", "-o", "%T")
            if sum(state in ("idle", "allocated", "mixed") for state in asked.stdout.split()) >= number:
                return
            for node in ("n1", "n2"):
                # As an administrator does; a node that needs it not is left as it is.
                self.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
            assert time.monotonic() < end, self.last_words()
            time.sleep(0.1)

    def last_words(self) -> str:
        """What the nodes and the jobs look like now, and the end of the controller's log."""
        seen = [self.ask(*words).stdout for words in (("sinfo", "-N", "-l"), ("squeue", "--states=all"))]
        return "\n".join([*seen, end_of(self.folder / "slurmctld.log")])

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SLURM_CONF": str(self.settings)}
        return subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60, check=False)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    made = Cluster(folder)
    try:
        made.begin()
        yield made
    finally:
        made.kill_all()


def _start_munge() -> None:
    """The daemon by which the parts of Slurm know each other; one serves the whole machine."""
    # Two suites, or two processes of one, may want it at the same moment; who comes second finds it there.
    with MUNGE_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _start_munge_alone()


def _start_munge_alone() -> None:
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
        return
    subprocess.run(["install", "-d", "-o", "munge", "-g", "munge", "-m", "755", "/run/munge"], check=True)
    as_munge = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
    subprocess.run([*as_munge, "/usr/sbin/munged"], check=True)
    end = time.monotonic() + PATIENCE_SECONDS
    while subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.05)


def end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else f"{log.name} has nothing"
