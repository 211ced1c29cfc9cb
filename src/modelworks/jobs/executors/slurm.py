"""Attempts as jobs of an existing Slurm cluster.

All that the two sides have in common is the attempt's folder: nothing listens for the nodes, and nothing is sent to
them but a script. What Slurm says of a job is one source of several: a controller that does not answer says nothing
about the job, accounting may be switched off, and Slurm starts a job twice when it must. So an attempt is known to be
over by its own outcome, and Slurm's word decides only where there is none.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from modelworks.errors import fail
from modelworks.jobs._attempt import DISK_STATUS, OTHERS_STATUS, Attempt
from modelworks.jobs._job import Order
from modelworks.jobs.executors import NOT_NOW, Sight, Standing

PATIENCE_SECONDS = 60.0
# Slurm sends a signal so long before the time is up.
WARNING_SECONDS = 30
# So long after a controller was started anew, a node may tell it to cancel what it had from the one before.
RESTART_SECONDS = 300.0
# What Slurm says ended a job whose output it could not open on the node; it is no signal of the system's.
FILES_SIGNAL = 53
# How many letters of the end of what a job printed are looked at.
LAST_WORDS = 4000
_TOO_MUCH = r"slurmstepd\S*: error: .*(exceeded memory limit|oom.kill)"
# sbatch of a controller that is down or overwhelmed, of a user who has as many jobs as may be, and ssh.
_NOT_NOW = r"contact|connect|no answer|timed out|temporarily|zero bytes|MaxSubmit|not resolve|no route"
_NO_ACCOUNTS = "accounting storage is disabled|no program|command not found"

_ENDED: Mapping[str, tuple[Standing, str, str]] = {
    "COMPLETED": ("lost", "", "Slurm says that it is complete, and its outcome is not to be seen yet"),
    "CANCELLED": ("ended", "scancel", "somebody cancelled it in Slurm"),
    "TIMEOUT": ("ended", "walltime", "the time it was given on the cluster was up"),
    "DEADLINE": ("ended", "walltime", "the time it was given on the cluster was up"),
    "OUT_OF_MEMORY": ("ended", "memory", "it used more memory than it was given"),
    "NODE_FAIL": ("ended", "node", "the node it ran on failed"),
    "BOOT_FAIL": ("ended", "node", "the node it ran on did not start"),
    "PREEMPTED": ("ended", "preempted", "the cluster took its place for other work"),
    "REVOKED": ("ended", "preempted", "the cluster took its place for other work"),
}
# What squeue is asked for, with room for each: a reason may hold blanks.
_COLUMNS = (
    ("JobID", 24),
    ("Name", 48),
    ("State", 24),
    ("Reason", 80),
    ("exit_code", 12),
    ("NodeList", 80),
    ("SubmitTime", 24),
    ("EndTime", 24),
)
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}

# What a reason of Slurm's for not starting a job means to somebody who has never seen a scheduler.
_REASONS: Sequence[tuple[str, str]] = (
    (r"^(Priority|Resources)", "it waits its turn: the cluster is busy"),
    (
        r"(QOS|Assoc)Max\w*Per(Job|Node)",
        "it asks for more than your account or QOS gives one job: submit it with fewer --cores, --memory or --minutes",
    ),
    (
        r"Invalid(Account|QOS)|(Account|QOS)NotAllowed",
        "its account or QOS may not be used any more: change [slurm] in modelworks.toml, and submit it again",
    ),
    (r"Grp\w*Minutes", "your account's share of computing time is used up: ask the cluster's administrators"),
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
        script = attempt.folder / "job.sh"
        if script.exists():
            # Somebody was here before, and may have died before he could say under which number it runs.
            known = self.ask("squeue", "--noheader", "--format=%i", f"--name={_name(attempt)}", "--states=all")
            if known.returncode == 0 and known.stdout.strip():
                return known.stdout.split()[0]
        script.write_text(self.script(attempt, order), encoding="utf-8")
        made = self.ask("sbatch", "--parsable", str(script))
        if made.returncode != 0:
            said = (made.stderr or made.stdout).strip()
            if re.search(_NOT_NOW, said, re.IGNORECASE):
                hint = "it is tried again until it can; where that takes long: modelworks cluster doctor"
                fail(NOT_NOW, f"the cluster can not take the job now: {said}", hint=hint)
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

    def poll(self, handles: Mapping[Attempt, str]) -> Mapping[Attempt, Sight]:
        """What Slurm says of each: first those it still knows, then those that accounting remembers."""
        columns = ",".join(f"{name}:{width}" for name, width in _COLUMNS)
        # --all: also those in a partition that is hidden.
        asked = self.ask("squeue", "--noheader", "--states=all", "--all", f"--Format={columns}", "--me")
        if asked.returncode != 0:
            said = (asked.stderr or asked.stdout).strip().splitlines()
            text = f"the cluster's controller does not answer: {said[-1] if said else 'no word'}"
            # What has not begun is not silent: it waits for the controller, as we do.
            return {each: Sight("unknown" if each.process() else "pending", text) for each in handles}
        ours = _ours(handles, map(_row, asked.stdout.splitlines()))
        missing = {attempt: handle for attempt, handle in handles.items() if attempt not in ours}
        sights = {attempt: self._told(attempt, seen) for attempt, seen in ours.items()}
        return sights | self._remembered(missing) if missing else sights

    def cancel(self, handles: Mapping[Attempt, str]) -> None:
        # By its name too: a controller that was killed may have given the number to another job. One that does not
        # answer is asked again at the worker's next round.
        for attempt, handle in handles.items():
            self.ask("scancel", f"--name={_name(attempt)}", handle)

    def _told(self, attempt: Attempt, seen: _Seen) -> Sight:
        sight = _of(attempt, seen)
        if sight.reason == "scancel" and self._was_restarted_about(seen.submitted, seen.ended):
            # The new controller has no node for it, or another: what the old one did last is not in its files.
            return Sight("ended", "the cluster cancelled it when its controller was started anew", "node")
        return sight

    def _was_restarted_about(self, submitted: str, ended: str) -> bool:
        """Whether the controller was started anew since a job was submitted, and about when that job ended."""
        said = re.search(r"BOOT_TIME\s*=\s*(\S+)", self.ask("scontrol", "show", "config").stdout)
        began, restarted, end = (_moment(text) for text in (submitted, said[1] if said else "", ended))
        if began is None or restarted is None or end is None:
            return False
        return began < restarted and abs((restarted - end).total_seconds()) < RESTART_SECONDS

    def _remembered(self, handles: Mapping[Attempt, str]) -> dict[Attempt, Sight]:
        """What accounting says of jobs that the controller has forgotten; nothing where it is switched off."""
        numbers = ",".join(sorted(set(handles.values())))
        columns = "--format=JobID,State,ExitCode,NodeList,Submit,End,JobName"
        # --duplicates: also the older records of a number that was given again.
        words = ("--noheader", "--allocations", "--duplicates", "--parsable2", columns, f"--jobs={numbers}")
        asked = self.ask("sacct", *words)
        if asked.returncode != 0 and not re.search(_NO_ACCOUNTS, asked.stderr):
            text = "the controller has forgotten it, and the cluster's accounting does not answer"
            return dict.fromkeys(handles, Sight("unknown", text))
        ours = _ours(handles, map(_record, asked.stdout.splitlines() if asked.returncode == 0 else []))
        return {attempt: self._forgotten(attempt, ours.get(attempt)) for attempt in handles}

    def _forgotten(self, attempt: Attempt, seen: _Seen | None) -> Sight:
        """What accounting's word says of an attempt whose job the controller knows nothing of."""
        if seen is None:
            return Sight("lost", "the cluster knows nothing of it")
        sight = self._told(attempt, seen)
        if sight.standing in ("pending", "running") or seen.state == "CANCELLED":
            # A controller that lost its state never tells how its jobs ended. When it is back, accounting calls those
            # cancelled too, but `by` nobody; they may still be running.
            return Sight("lost", "the controller has forgotten it, and accounting does not know how it ended")
        return sight

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give a command of Slurm's, here or on the login node; one that can not be given ends with a status too."""
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """A job as Slurm tells of it; `code` is its process's status, or below zero the signal that ended it."""

    number: str
    name: str
    state: str
    reason: str = ""
    code: int = 0
    nodes: str = ""
    submitted: str = ""
    ended: str = ""


def _row(line: str) -> _Seen:
    """From a line of squeue."""
    words, start = [], 0
    for _, width in _COLUMNS:
        words.append(line[start : start + width].strip())
        start += width
    number, name, state, reason, status, nodes, submitted, ended = words
    return _Seen(number, name, state, reason, os.waitstatus_to_exitcode(int(status or 0)), nodes, submitted, ended)


def _moment(text: str) -> datetime | None:
    """A time as Slurm writes it, which may be `N/A`; all of one cluster are in one time zone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _record(line: str) -> _Seen:
    """From a line of sacct, which writes a status as `3:0` and a signal as `0:9`."""
    number, state, status, nodes, submitted, ended, name = line.split("|", 6)
    code, _, by = status.partition(":")
    nodes = "" if nodes == "None assigned" else nodes
    return _Seen(number, name, state, "", -int(by) if int(by or 0) else int(code or 0), nodes, submitted, ended)


def _ours(handles: Mapping[Attempt, str], told: Iterable[_Seen]) -> dict[Attempt, _Seen]:
    """What is told of each attempt's own job; the last word, where one was begun again.

    A controller that is killed forgets its last seconds, and gives their numbers a second time.
    """
    known = {(seen.number, seen.name): seen for seen in told}
    named = {attempt: (handle, _name(attempt)) for attempt, handle in handles.items()}
    return {attempt: known[name] for attempt, name in named.items() if name in known}


def _of(attempt: Attempt, seen: _Seen) -> Sight:
    """What Slurm's word on its job says of an attempt, with what the attempt's folder says."""
    sight = _sight(seen)
    if sight.reason == "killed" and re.search(_TOO_MUCH, _last_words(attempt)):
        # Where there are no control groups, a node kills what uses too much memory as anybody would.
        return _sight(replace(seen, state="OUT_OF_MEMORY"))
    if sight.reason == "scancel" and seen.nodes and attempt.process() is None:
        # Slurm cancels by itself what a node could not start.
        return Sight("ended", f"{seen.nodes} could not start it", "node")
    return sight


def _sight(seen: _Seen) -> Sight:
    """What a state of Slurm's means; it may say more behind a blank, as in `CANCELLED by 0`."""
    word = seen.state.split()[0].rstrip("+") if seen.state.split() else ""
    if word == "FAILED":
        return _failed(seen.code)
    if word in _ENDED:
        standing, why, text = _ENDED[word]
        return Sight(standing, text, why)
    if word in _WAITING:
        said = next((text for pattern, text in _REASONS if re.search(pattern, seen.reason)), "")
        return Sight("pending", said or f"it waits on the cluster ({seen.reason or word.lower()})")
    return Sight("running", f"on {seen.nodes}" if seen.nodes else "")


def _failed(code: int) -> Sight:
    """What its process ended with; below zero it is the signal that ended it."""
    if code == DISK_STATUS:
        return Sight("ended", "the disk was full", "disk")
    if code == OTHERS_STATUS:
        return Sight("lost", "Slurm began it twice, and another process carries it out")
    if code == -signal.SIGTERM:
        return Sight("ended", "it was told to end, as Slurm does when its time is nearly up", "walltime")
    if code == -FILES_SIGNAL:
        return Sight("ended", "its node could not open its files: is the repository on a disk that it sees?", "node")
    if code < 0:
        return Sight("ended", f"its process was killed, by signal {-code}", "killed")
    return Sight("ended", f"its process ended with status {code}", "exit")


def _last_words(attempt: Attempt) -> str:
    """The end of what it printed, where a node's daemon writes too; nothing where there is no file to be read."""
    with contextlib.suppress(OSError):
        return (attempt.folder / "output.txt").read_text(encoding="utf-8", errors="replace")[-LAST_WORDS:]
    return ""


def _advice(said: str) -> str:
    """What to do about a refusal of sbatch."""
    known = (
        (r"violates", "a limit of your account or QOS is reached: wait for your other jobs, or ask for less"),
        (r"account", "name one of yours: `account` in [slurm] of modelworks.toml; `sacctmgr show assoc` lists them"),
        (r"partition", "name one that is there: `partition` in [slurm] of modelworks.toml; `sinfo` lists them"),
        (r"qos", "name one that you may use: `qos` in [slurm] of modelworks.toml"),
        (r"memory|CPU|node configuration", "no node is that large: ask for less with --cores or --memory"),
        (r"time", "ask for less time with --minutes"),
        (r"no program", "give the command on a machine that has Slurm, or name its login node in [slurm]"),
    )
    return next(
        (hint for pattern, hint in known if re.search(pattern, said, re.IGNORECASE)), "modelworks cluster doctor"
    )
