"""Attempts as jobs of an existing Slurm cluster.

All that the two sides have in common is the attempt's folder: nothing listens for the nodes, and nothing is sent to
them but a script. What Slurm says of a job is one source of several: a controller that does not answer says nothing
about the job, accounting may be switched off, and Slurm starts a job twice when it must. So an attempt is known to be
over by its own outcome, and Slurm's word decides only where there is none.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelworks.errors import fail
from modelworks.jobs._attempt import Attempt
from modelworks.jobs._job import Order
from modelworks.jobs.executors import Sight, Standing

PATIENCE_SECONDS = 60.0
# Slurm sends a signal so long before the time is up.
WARNING_SECONDS = 30

_ENDED: Mapping[str, tuple[Standing, str, str]] = {
    "COMPLETED": ("lost", "", "Slurm says that it is complete, and its outcome is not to be seen yet"),
    "FAILED": ("ended", "exit", "its process ended with an error"),
    "CANCELLED": ("ended", "scancel", "somebody cancelled it in Slurm"),
    "TIMEOUT": ("ended", "walltime", "the time it was given on the cluster was up"),
    "DEADLINE": ("ended", "walltime", "the time it was given on the cluster was up"),
    "OUT_OF_MEMORY": ("ended", "memory", "it used more memory than it was given"),
    "NODE_FAIL": ("ended", "node", "the node it ran on failed"),
    "BOOT_FAIL": ("ended", "node", "the node it ran on did not start"),
    "PREEMPTED": ("ended", "preempted", "the cluster took its place for other work"),
    "REVOKED": ("ended", "preempted", "the cluster took its place for other work"),
}
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}

# What a reason of Slurm's for not starting a job means to somebody who has never seen a scheduler.
_REASONS: Sequence[tuple[str, str]] = (
    (r"Priority|Resources", "it waits its turn: the cluster is busy"),
    (r"QOS|Assoc|MaxJobs|GrpCpu", "it waits for other work of the account: a limit of the cluster is reached"),
    (r"PartitionTimeLimit", "it asks for more time than the partition gives: submit it with fewer --minutes"),
    (r"PartitionConfig|BadConstraints", "no node of the partition is that large: submit it with fewer --cores"),
    (r"PartitionNodeLimit|ReqNodeNotAvail", "no node that fits it is there now"),
    (r"PartitionDown|PartitionInactive", "the partition is closed"),
    (r"JobHeld|launch failed", "it is held: ask the cluster's administrators to release it"),
    (r"Licenses|Reservation|BeginTime|Dependency", "it waits for a moment or a reservation"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """What is particular to a cluster. `before` are lines of shell that come before the command on a node.

    `options` are words for sbatch as they are; `login` is the node, for ssh, on which Slurm's commands are given where
    this machine has none: `me@login.cluster.org`. Its disk is then this machine's too, under the same names.
    """

    account: str = ""
    partition: str = ""
    qos: str = ""
    constraint: str = ""
    modules: Sequence[str] = ()
    before: Sequence[str] = ()
    options: Sequence[str] = ()
    login: str = ""


class SlurmExecutor:
    """Each attempt is one batch job; its handle is Slurm's number for it."""

    name = "slurm"

    def __init__(self, site: Site | None = None) -> None:
        self._site = site or Site()

    def submit(self, attempt: Attempt, order: Order) -> str:
        name = _name(attempt)
        known = self._ask("squeue", "--noheader", "--format=%i", f"--name={name}", "--states=all")
        if known.returncode == 0 and known.stdout.strip():
            return known.stdout.split()[0]
        script = attempt.folder / "job.sh"
        script.write_text(self.script(attempt, order), encoding="utf-8")
        made = self._ask("sbatch", "--parsable", str(script))
        if made.returncode != 0:
            said = (made.stderr or made.stdout).strip()
            fail("J130", f"the cluster did not take the job: {said}", hint=_advice(said))
        return made.stdout.strip().split(";")[0]

    def script(self, attempt: Attempt, order: Order) -> str:
        """The batch script of an attempt, as sbatch reads it."""
        asked, site = order.resources, self._site
        options = {
            "job-name": _name(attempt),
            "nodes": 1,
            "ntasks": 1,
            "cpus-per-task": asked.cores,
            "mem": f"{max(1, round(asked.memory_gb * 1e9 / 2**20))}M",
            # Ours is the queue that tries again: a restart by Slurm would find its attempt begun.
            "no-requeue": "",
            "open-mode": "append",
            "output": f"{attempt.folder}/output.txt",
            "signal": f"B:TERM@{WARNING_SECONDS}",
            "account": site.account,
            "partition": site.partition,
            "qos": site.qos,
            "constraint": site.constraint,
            "gres": f"gpu:{asked.gpus}" if asked.gpus else "",
            "time": max(1, -(-int(asked.walltime_seconds) // 60)) if asked.walltime_seconds else "",
        }
        told = [f"#SBATCH --{name}" + (f"={value}" if value else "") for name, value in options.items()
                if value or name == "no-requeue"]  # fmt: skip
        told += [f"#SBATCH {option}" for option in site.options]
        modules = [f"module load {shlex.join(site.modules)}"] if site.modules else []
        words = ["env", *(f"{name}={value}" for name, value in order.environment.items()), *order.command]
        command = shlex.join([*words, str(attempt.folder)])
        return "\n".join(["#!/bin/bash -l", *told, "set -e", *modules, *site.before, f"exec {command}", ""])

    def poll(self, attempts: Mapping[str, Attempt]) -> Mapping[str, Sight]:
        """What Slurm says of each: first those it still knows, then those that accounting remembers."""
        asked = self._ask("squeue", "--noheader", "--states=all", "--format=%i|%T|%r|%N", "--me")
        if asked.returncode != 0:
            said = (asked.stderr or asked.stdout).strip().splitlines()
            text = f"the cluster's controller does not answer: {said[-1] if said else 'no word'}"
            return dict.fromkeys(attempts, Sight("unknown", text))
        seen = {line.split("|")[0]: _sight(*line.split("|")[1:4]) for line in asked.stdout.splitlines()}
        missing = [handle for handle in attempts if handle not in seen]
        seen |= self._remembered(missing) if missing else {}
        return {handle: seen.get(handle, Sight("lost", "the cluster knows nothing of it")) for handle in attempts}

    def cancel(self, attempts: Mapping[str, Attempt]) -> None:
        # A controller that does not answer is asked again at the worker's next round.
        self._ask("scancel", *attempts)

    def _remembered(self, handles: Sequence[str]) -> dict[str, Sight]:
        """Jobs that the controller has forgotten, by accounting; nothing where that is switched off."""
        words = ("--noheader", "--allocations", "--parsable2", "--format=JobID,State", f"--jobs={','.join(handles)}")
        asked = self._ask("sacct", *words)
        lines = asked.stdout.splitlines() if asked.returncode == 0 else []
        return {line.split("|")[0]: _sight(line.split("|")[1], "", "") for line in lines if "|" in line}

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        login = self._site.login
        # BatchMode: nobody is there to type a password.
        command = ["ssh", "-o", "BatchMode=yes", login, shlex.join(words)] if login else list(words)
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, stdin=subprocess.DEVNULL, check=False
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            said = f"no answer in {PATIENCE_SECONDS:.0f} s"
            if isinstance(error, FileNotFoundError):
                said = f"there is no program `{command[0]}` here"
            return subprocess.CompletedProcess(command, 127, "", said)


def _name(attempt: Attempt) -> str:
    """The attempt's name in Slurm, by which it is found again: `modelworks-0f3a21-1`."""
    return f"modelworks-{attempt.folder.parent.name}-{attempt.folder.name.rpartition('-')[2]}"


def _sight(state: str, reason: str, nodes: str) -> Sight:
    """What a state of Slurm's means; it may say more behind a blank, as in `CANCELLED by 0`."""
    word = state.split()[0].rstrip("+") if state.split() else ""
    if word in _ENDED:
        standing, why, text = _ENDED[word]
        return Sight(standing, text, why)
    if word in _WAITING:
        said = next((text for pattern, text in _REASONS if re.search(pattern, reason)), "")
        return Sight("pending", said or f"it waits on the cluster ({reason or word.lower()})")
    return Sight("running", f"on {nodes}" if nodes else "")


def _advice(said: str) -> str:
    """What to do about a refusal of sbatch."""
    known = (
        (r"account", "name one of yours: `account` in [slurm] of modelworks.toml; `sacctmgr show assoc` lists them"),
        (r"partition", "name one that is there: `partition` in [slurm] of modelworks.toml; `sinfo` lists them"),
        (r"qos", "name one that you may use: `qos` in [slurm] of modelworks.toml"),
        (r"memory|CPU|node configuration", "no node is that large: ask for less with --cores or --memory"),
        (r"time", "ask for less time with --minutes"),
        (r"no program", "give the command on a machine that has Slurm, or name its login node in [slurm]"),
        (r"connect|contact|no answer", "the controller may be down; the job is tried again"),
    )
    return next(
        (hint for pattern, hint in known if re.search(pattern, said, re.IGNORECASE)), "modelworks cluster doctor"
    )
