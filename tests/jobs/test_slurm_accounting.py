"""A real cluster that keeps accounts: how a job ended is known although its controller has forgotten the job."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelworks.cluster import Examined, examine_cluster
from modelworks.errors import ModelworksError
from modelworks.jobs import Attempt, Claim, Order, Resources
from modelworks.jobs.executors import NOT_NOW, Sight
from modelworks.jobs.executors.slurm import Site, SlurmExecutor
from modelworks.testing import look

pytestmark = [pytest.mark.slow, pytest.mark.needs("slurm", "slurmdbd")]

FOREVER = "sleep 600"
AGAIN = '[ -z "$SLURM_RESTART_COUNT" ] || exit 4; sleep 600'
# As a process of ours does that has begun.
CLAIMED = """echo '{"place": "n1", "pid": 1, "started": 1}' > "$0/claim.json"; sleep 600"""
GREEDY = """exec python3 -c "kept = b'x' * 500_000_000; import time; time.sleep(600)" """
Begun = tuple[str, Attempt]


@pytest.fixture(scope="module")
def begin(accounted: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Begun]:
    """Begin a line of shell as a job, with words for sbatch; gives its number and its attempt."""
    home = tmp_path_factory.mktemp("jobs")

    def begin(line: str, *options: str) -> Begun:
        order = Order("a test", ("bash", "-c", line), executor="slurm", resources=Resources(memory_gb=0.2))
        attempt = Attempt.prepare(home, Claim(order.id, "test", 1, 1, 1, order))
        return SlurmExecutor(Site(options=options)).submit(attempt, order), attempt

    return begin


def state(cluster: Any, handle: str) -> str:
    """What the controller says of a job; nothing where it has forgotten it."""
    asked = cluster.ask("squeue", "--noheader", "--states=all", "--format=%i %T")
    known = dict(line.split() for line in asked.stdout.splitlines())
    return "" if asked.returncode == 0 and handle not in known else known.get(handle, "not to be asked")


def wait_for(cluster: Any, begun: Begun, wanted: str = "") -> Begun:
    cluster.wait_until(lambda: state(cluster, begun[0]) == wanted)
    return begun


def told(cluster: Any, begun: Begun) -> Sight:
    """What is said of a job that the controller has forgotten, once accounting has heard of its end."""
    wait_for(cluster, begun)
    unheard = "accounting does not know|accounting does not answer|knows nothing of it"
    cluster.wait_until(lambda: not re.search(unheard, look(SlurmExecutor(), *begun).text))
    return look(SlurmExecutor(), *begun)


@pytest.fixture(scope="module")
def late(accounted: Any, begin: Callable[..., Begun]) -> Begun:
    """A job whose time is soon up; Slurm looks every half a minute, so other tests have that time."""
    begun = wait_for(accounted, begin("trap '' TERM; while true; do sleep 1; done", "--nodelist=n2"), "RUNNING")
    accounted.ask("scontrol", "update", f"JobId={begun[0]}", "EndTime=now+1")
    return begun


@pytest.fixture(scope="module")
def ended(accounted: Any, begin: Callable[..., Begun], late: Begun) -> Mapping[str, Begun]:
    """Jobs that ended in each way there is, by its name, once the controller has forgotten them."""
    lines = {"done": "true", "status": "exit 3", "disk": "exit 74", "killed": "kill -9 $$", "told": "kill $$"}
    lines |= {"memory": GREEDY, "running": CLAIMED}
    jobs = {"again": begin(AGAIN, "--nodelist=n1", "--requeue")}
    jobs |= {name: begin(line, "--nodelist=n1") for name, line in lines.items()}
    jobs |= {name: begin("true", "--begin=now+1hour") for name in ("waiting", "files")}
    accounted.ask("scancel", jobs["waiting"][0])
    (jobs["files"][1].folder / "output.txt").mkdir()
    accounted.ask("scontrol", "update", f"JobId={jobs['files'][0]}", "StartTime=now")
    accounted.ask("scontrol", "requeue", wait_for(accounted, jobs["again"], "RUNNING")[0])
    accounted.wait_until(lambda: jobs["running"][1].process() is not None)
    accounted.ask("scancel", jobs["running"][0])
    return {name: wait_for(accounted, begun) for name, begun in jobs.items()}


@pytest.mark.parametrize(
    ("name", "standing", "reason", "said"),
    [
        # Whose outcome is seen is done; this one has none.
        ("done", "lost", "", "complete"),
        ("status", "ended", "exit", "status 3"),
        ("disk", "ended", "disk", "disk was full"),
        ("killed", "ended", "killed", "signal 9"),
        ("told", "ended", "walltime", "nearly up"),
        ("memory", "ended", "memory", "more memory"),
        ("files", "ended", "node", "disk that it sees"),
        ("waiting", "ended", "scancel", "somebody cancelled it"),
        ("running", "ended", "scancel", "somebody cancelled it"),
        ("again", "ended", "exit", "status 4"),
    ],
)
def test_how_a_forgotten_job_ended_is_known_by_accounting(
    accounted: Any, ended: Mapping[str, Begun], name: str, standing: str, reason: str, said: str
) -> None:
    sight = told(accounted, ended[name])
    assert (sight.standing, sight.reason) == (standing, reason), sight
    assert said in sight.text


@dataclass(frozen=True)
class Outage:
    """What was seen while accounting was killed, of a job that ran and of one that ended and was forgotten."""

    ended: Begun
    running_sight: Sight
    ended_sight: Sight
    doctor: Examined


@pytest.fixture(scope="module")
def outage(accounted: Any, begin: Callable[..., Begun], tmp_path_factory: pytest.TempPathFactory) -> Outage:
    running = wait_for(accounted, begin(FOREVER), "RUNNING")
    accounted.kill("slurmdbd")
    ended = begin("exit 3")
    wait_for(accounted, ended)
    sights = [look(SlurmExecutor(), *begun) for begun in (running, ended)]
    doctor = examine_cluster(Site(), tmp_path_factory.mktemp("doctor"))
    accounted.start_accounting()
    accounted.ask("scancel", running[0])
    return Outage(ended, *sights, doctor)


def test_accounting_that_is_down_says_nothing_of_any_job(outage: Outage) -> None:
    assert (outage.running_sight.standing, outage.ended_sight.standing) == ("running", "unknown")
    assert "accounting does not answer" in outage.ended_sight.text
    assert verdict(outage.doctor, "accounting") == "look"


def verdict(found: Examined, about: str) -> str:
    return next(finding.verdict for finding in found.findings if finding.about == about)


@pytest.mark.parametrize(
    ("limit", "options", "said"),
    [
        ("MaxJobsPerUser=0", (), "other work of the account"),
        ("MaxTRESPerJob=cpu=0", (), "--cores"),
        ("MaxWall=1", ("--time=30",), "--minutes"),
        ("GrpTRESMins=cpu=0", (), "computing time is used up"),
    ],
)
def test_a_limit_that_keeps_a_job_waiting_is_told_in_words(
    accounted: Any, begin: Callable[..., Begun], limit: str, options: tuple[str, ...], said: str
) -> None:
    name = f"limit-{secrets.token_hex(3)}"
    accounted.manage("add", "qos", name, "set", limit)
    accounted.manage("modify", "user", "root", "set", f"qos+={name}")
    begun = begin("true", f"--qos={name}", *options)
    accounted.wait_until(lambda: said in look(SlurmExecutor(), *begun).text)
    assert look(SlurmExecutor(), *begun).standing == "pending"
    accounted.ask("scancel", begun[0])


def test_who_has_as_many_jobs_as_may_be_waits_for_one_to_end(accounted: Any, begin: Callable[..., Begun]) -> None:
    name = f"limit-{secrets.token_hex(3)}"
    accounted.manage("add", "qos", name, "set", "MaxSubmitJobsPerUser=1")
    accounted.manage("modify", "user", "root", "set", f"qos+={name}")
    first = begin(FOREVER, f"--qos={name}")
    with pytest.raises(ModelworksError) as refused:
        begin("true", f"--qos={name}")
    assert refused.value.codes == (NOT_NOW,)
    SlurmExecutor().cancel({first[1]: first[0]})


@pytest.mark.parametrize(
    ("option", "hint"), [("--account=nobodys", "sacctmgr show assoc"), ("--qos=nobodys", "`qos` in [slurm]")]
)
def test_an_account_that_is_not_there_is_refused_in_words(begin: Callable[..., Begun], option: str, hint: str) -> None:
    with pytest.raises(ModelworksError) as refused:
        begin("true", option)
    assert refused.value.codes == ("J130",)
    assert hint in refused.value.letters[0].hint


def test_the_doctor_finds_a_cluster_fine_that_keeps_accounts(accounted: Any, tmp_path: Path) -> None:
    found = examine_cluster(Site(), tmp_path)
    assert {finding.verdict for finding in found.findings} == {"fine"}, found
    assert verdict(found, "accounting") == "fine"


def test_a_node_that_failed_and_a_time_that_was_up_are_known_by_accounting(
    accounted: Any, begin: Callable[..., Begun], late: Begun
) -> None:
    node = wait_for(accounted, begin(FOREVER, "--nodelist=n1"), "RUNNING")
    accounted.ask("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=test")
    for begun, reason in ((node, "node"), (late, "walltime")):
        sight = told(accounted, begun)
        assert (sight.standing, sight.reason) == ("ended", reason), sight
    accounted.wait_for_nodes(2)


def test_accounting_that_was_down_tells_later_what_it_missed(accounted: Any, outage: Outage) -> None:
    assert told(accounted, outage.ended).reason == "exit"


def test_a_number_that_was_given_again_leaves_the_first_job_what_it_was(
    accounted: Any, begin: Callable[..., Begun], ended: Mapping[str, Begun]
) -> None:
    """A controller lost its state: it counts from one again, and what ran then is neither running nor cancelled."""
    running, waiting = begin(FOREVER), begin("true", "--hold")
    for (handle, _), word in ((running, "RUNNING"), (waiting, "PENDING")):
        accounted.wait_until(lambda handle=handle, word=word: word in accounted.ask("sacct", "-n", "-j", handle).stdout)
    accounted.forget()
    assert ended["status"][0] in [begin("true", "--hold")[0] for _ in ended]
    executor = SlurmExecutor()
    assert look(executor, *ended["status"]).text == "its process ended with status 3"
    for begun in (running, waiting):
        sight = look(executor, *begun)
        assert sight.standing == "lost"
        assert "does not know how it ended" in sight.text
    accounted.ask("scancel", "--me")
