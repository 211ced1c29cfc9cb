"""A look at a cluster before the first job: can it be reached, does it take a job, and does a node see what we see?"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelworks import logs
from modelworks.doctor import Finding
from modelworks.errors import ModelworksError
from modelworks.jobs import Attempt, Claim, Order, Resources
from modelworks.jobs.executors.slurm import Site, SlurmExecutor

PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.5
# Slurm may tell a job that its time is nearly up a minute before it is.
JOB_SECONDS = 180.0
# What clocks may differ by before moments in logs mislead; no rule of ours compares the clocks of two machines.
CLOCKS_SECONDS = 5.0

# A name and its value, which may be in quotes, and those in a text of JSON; what follows an option or a scheme's name.
_NAMED = r"[\w-]*(?:token|secret|passw|key|credential|authorization)[\w-]*"
_SECRET = re.compile(
    rf"""({_NAMED}["']?\s*[=:]\s*)(\\?["']).*?\2|"""
    rf"""({_NAMED}\s*=\s*|--{_NAMED}\s+|\b(?:bearer|basic)\s+)[^\s"',\\]+""",
    re.IGNORECASE,
)

# What a node is asked: all that a job needs there, and what it reads of a file that was written here.
PROBE = """
import os, platform, shutil, sys, time
from pathlib import Path
import modelworks
from modelworks.jobs import Attempt
attempt = Attempt(Path(sys.argv[1]))
with attempt.at_work() as found:
    found["node"] = os.uname().nodename
    found["python"] = platform.python_version()
    found["modelworks"] = modelworks.__version__
    found["word"] = (attempt.folder / "word").read_text()
    found["clock"] = time.time()
    found["free_gb"] = shutil.disk_usage(attempt.folder).free / 1e9
"""


@dataclass
class Examined:
    """What was found, and `said`: what Slurm and the node said on the way, by the name of a file for it."""

    findings: list[Finding] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def add(self, about: str, verdict: str, words: str) -> bool:
        """A finding; gives whether one can go on."""
        self.findings.append(Finding(about, verdict, words))
        return verdict != "stop"

    def bundle(self, path: Path) -> None:
        """All of it in one file, for somebody who has no access to the cluster; without what looks like a secret."""
        lines = [f"{each.verdict:5} {each.about}: {each.words}\n" for each in self.findings]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, text in {"findings.txt": "".join(lines), **self.said}.items():
                file.writestr(name, without_secrets(text))


def examine_cluster(site: Site, home: Path, *, patience_seconds: float = PATIENCE_SECONDS) -> Examined:
    """Look at a cluster with a job of a second; `home` is where the attempts of jobs lie."""
    found = Examined()
    found.said["site.json"] = json.dumps({name: getattr(site, name) for name in site.__slots__}, indent=1)
    slurm = SlurmExecutor(site)
    if _reached(slurm, site, found) and _partition(slurm, site, found):
        _accounting(slurm, found)
        _job(slurm, home / f"doctor-{secrets.token_hex(4)}", patience_seconds, found)
    return found


def _asked(slurm: SlurmExecutor, found: Examined, *words: str) -> tuple[bool, str]:
    """Whether a command of Slurm's ended well, and what it printed."""
    ended = slurm.ask(*words)
    told = ended.stdout + ended.stderr
    found.said[f"{words[0]}.txt"] = f"$ {' '.join(words)}\n{told}\nstatus {ended.returncode}\n"
    return ended.returncode == 0, told.strip()


def _reached(slurm: SlurmExecutor, site: Site, found: Examined) -> bool:
    where = site.login or "this machine"
    well, told = _asked(slurm, found, "sbatch", "--version")
    if not well:
        hint = "see whether `ssh -o BatchMode=yes` comes in without a password" if site.login else "give the command "
        hint += "" if site.login else "on a machine of the cluster, or name its login node: `login` in [slurm]"
        return found.add("login", "stop", f"Slurm can not be used from {where}: {_last(told)}; {hint}")
    found.add("login", "fine", f"{told} from {where}")
    well, told = _asked(slurm, found, "squeue", "--me", "--noheader")
    if not well:
        return found.add("controller", "stop", f"it does not answer: {_last(told)}; ask the cluster's administrators")
    return found.add("controller", "fine", "it answers")


def _partition(slurm: SlurmExecutor, site: Site, found: Examined) -> bool:
    _, told = _asked(slurm, found, "sinfo", "--noheader", "--format=%P|%a|%l|%c|%m|%D")
    rows = [line.split("|") for line in told.splitlines() if line.count("|") == 5]
    names = sorted({row[0].rstrip("*") for row in rows})
    ours = [row for row in rows if (row[0].rstrip("*") == site.partition if site.partition else row[0].endswith("*"))]
    if not ours:
        what = f"there is no partition `{site.partition}`" if site.partition else "no partition is the usual one"
        return found.add("partition", "stop", f"{what}: name one of {', '.join(names)} in [slurm] of modelworks.toml")
    name, state, limit, cores, memory, nodes = ours[0]
    if state != "up":
        return found.add("partition", "stop", f"`{name.rstrip('*')}` is {state}: name another in [slurm]")
    size = float(memory.rstrip("+")) * 2**20 / 1e9
    words = f"`{name.rstrip('*')}`, {nodes} nodes of {cores} cores and {size:.0f} GB, at most {limit} a job"
    return found.add("partition", "fine", words)


def _accounting(slurm: SlurmExecutor, found: Examined) -> None:
    well, told = _asked(slurm, found, "sacct", "--noheader", "--allocations", "--format=JobID")
    if well:
        found.add("accounting", "fine", "it remembers jobs that the controller has forgotten")
    else:
        words = f"it can not be asked ({_last(told)}); how a job ended is then known from its own folder alone"
        found.add("accounting", "look", words)


def _job(slurm: SlurmExecutor, home: Path, patience: float, found: Examined) -> None:
    """A job that says what a node has and sees; it is taken away afterwards."""
    order = Order("a look at the cluster", (sys.executable, "-c", PROBE), environment=_environment(), executor="slurm",
                  resources=Resources(1, 0.5, JOB_SECONDS), id="doctor")  # fmt: skip
    attempt = Attempt.prepare(home, Claim(order.id, "doctor", 1, 1, 1, order))
    word = secrets.token_hex(8)
    (attempt.folder / "word").write_text(word, encoding="ascii")
    began = time.time()
    try:
        handle = slurm.submit(attempt, order)
        state = _waited(slurm, handle, attempt, patience)
        _from_node(attempt, state, word, began, found)
    except ModelworksError as error:
        found.add("job", "stop", f"{error.letters[0].message}; {error.letters[0].hint}")
    finally:
        for name in ("job.sh", "output.txt"):
            if (attempt.folder / name).is_file():
                found.said[name] = (attempt.folder / name).read_text(encoding="utf-8", errors="replace")
        shutil.rmtree(home, ignore_errors=True)


def _environment() -> Mapping[str, str]:
    """That a node imports this very package, as it does for a job."""
    return {"PYTHONPATH": str(Path(__file__).parents[1])}


def _waited(slurm: SlurmExecutor, handle: str, attempt: Attempt, patience: float) -> str:
    """Until the job has said something, has ended, or patience has; gives what Slurm said of it last."""
    end, pause = time.monotonic() + patience, threading.Event()
    while attempt.outcome() is None:
        sight = slurm.poll({attempt: handle})[attempt]
        if sight.standing in ("ended", "lost") and attempt.outcome() is None:
            # A shared disk may show a file some seconds after it was written elsewhere.
            pause.wait(10 * LOOK_SECONDS)
            return f"{sight.standing}: {sight.text}"
        if time.monotonic() > end:
            slurm.cancel({attempt: handle})
            return f"{sight.standing}: {sight.text}"
        pause.wait(LOOK_SECONDS)
    return ""


def _from_node(attempt: Attempt, state: str, word: str, began: float, found: Examined) -> None:
    outcome = attempt.outcome()
    if outcome is None:
        found.findings += _silent(attempt, state)
        return
    told: dict[str, Any] = outcome["result"]
    found.said["node.json"] = json.dumps(told, indent=1)
    took = time.time() - began
    found.add("job", "fine", f"a job was taken, begun on {told['node']} and over {took:.0f} s after it was asked for")
    found.add("packages", "fine", f"modelworks {told['modelworks']} with Python {told['python']} on the node")
    both = told["word"] == word
    words = "a file written here is seen there, and the other way round" if both else "a node reads another file there"
    found.add("shared disk", "fine" if both else "stop", f"{words}; {told['free_gb']:.0f} GB free")
    # The node said its time between our asking and our seeing; what lies outside of that is a difference of clocks.
    apart = max(began - told["clock"], told["clock"] - (began + took), 0.0)
    verdict = "fine" if apart <= CLOCKS_SECONDS else "look"
    words = "agree" if verdict == "fine" else "differ by at least"
    found.add("clocks", verdict, f"they {words}" + ("" if verdict == "fine" else f" {apart:.0f} s; results are right"))


def _silent(attempt: Attempt, state: str) -> Iterator[Finding]:
    """The job came to nothing that is seen here: why?"""
    output = attempt.folder / "output.txt"
    printed = output.read_text(encoding="utf-8", errors="replace").strip() if output.is_file() else ""
    if state.startswith(("pending", "running", "unknown")):
        yield Finding("job", "look", f"it was not over in time ({state}); look again when the cluster is less busy")
    elif "No module named" in printed or "No such file" in printed or "not found" in printed:
        yield Finding("packages", "stop", f"a node can not start our Python: {_last(printed)}; `modules` and `before` "
                      "in [slurm] prepare a node, and the environment lies on a disk that nodes see")  # fmt: skip
    elif not printed:
        yield Finding("shared disk", "stop", f"a job ended ({state}), and nothing that it wrote is seen in "
                      f"{attempt.folder.parents[2]}; keep the repository on a disk that the nodes see too")  # fmt: skip
    else:
        yield Finding("job", "stop", f"a job ended badly ({state}): {_last(printed)}")


def without_secrets(text: str) -> str:
    """A text in which the value of whatever is named like a secret is left out, and what this process knows as one.

    >>> without_secrets("export API_TOKEN=abc LANG=C")
    'export API_TOKEN=… LANG=C'
    """
    return _SECRET.sub(lambda found: f"{found[1] or found[3]}…", logs.without_secrets(text))


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no word"])[-1]
