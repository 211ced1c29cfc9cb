"""A team's repository: the folder with `modelworks.toml`, its settings and its studies."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelworks.errors import Letters, fail, near
from modelworks.inputs._nodes import shortened
from modelworks.inputs._reading import is_a_path, resolve, shown
from modelworks.inputs._settings import SETTINGS as SETTINGS
from modelworks.inputs._settings import TeamSettings
from modelworks.inputs.notify import WAYS, Notify, read_notify
from modelworks.inputs.schedules import Schedule, read_schedules

STUDY_FILE = "study.yaml"
KNOWN = (
    "title",
    "store",
    "index",
    "queue",
    "mirror",
    "people",
    "retention",
    "data",
    "slurm",
    "schedule",
    "dask",
    "jobs",
    "notify",
    "website",
    "approval",
)
# What we keep for ourselves in a repository; nothing in it is the team's.
KEPT = ".modelworks"
# Says of a copy of a repository, made for a job, which one it is of.
PIN = "pin.json"
# Copies of the runs of a bucket.
MIRROR = ".modelworks/mirror"
# Copies of studies with something assumed otherwise.
RERUNS = ".modelworks/reruns"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# What may be said of which runs are kept, and of which type it is.
RETENTION: Mapping[str, type] = {
    "keep_days": float,
    "keep_latest": int,
    "keep_verdicts": list,
    "keep_tags": list,
    "budget_gb": float,
    "trash_days": float,
}

# Whose signature it takes to stand behind a run, where nothing is said.
USUAL_SIGN = ("reviewer",)

# What is particular to a team's cluster; `login` is where its commands can be given, if not here.
SLURM: Mapping[str, type] = {
    "account": str,
    "partition": str,
    "qos": str,
    "constraint": str,
    "modules": list,
    "before": list,
    "options": list,
    "login": str,
}

# What is particular to a team's website; passwords and secrets are never here, for this file is committed.
WEBSITE: Mapping[str, type] = {
    "host": str,
    "port": int,
    "address": str,
    "database": str,
    "key_file": str,
    "workspaces": list,
    "proxies": list,
    "session_days": float,
    "upload_mb": float,
    "model_seconds": float,
    "model_gb": float,
    "oidc_issuer": str,
    "oidc_client_id": str,
    "oidc_title": str,
}


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a team keeps its studies. `store` is the folder of the runs; `people` are as in the settings.

    `index` is the address of a database that finds runs quickly, where the team has one; empty for a file of our own.
    `retention` says which runs are kept, of what is said; the rest is as usual. `bucket` is the address of the bucket
    that runs are kept in, where `store` is one; `store` is then the folder of this machine's copies. `mirror` is a
    folder or a bucket where raw data are looked for first, `data_store` one where files too large for git are kept.
    `recipients` are the public keys of who may read sensitive data, `key_file` is where the secret one is looked for.
    `queue` is the address of a database of jobs, where the team has one; empty for a file of our own. `kept` is where
    finished stages and jobs are. `slurm` is what is said of the team's cluster; None where nothing is. `schedules` are
    what is run by itself, `notify` says who hears of jobs that end, `keep_job_days` how long what they leave behind is
    kept; None where nobody says. `dask` is the address of a scheduler of dask, for many simulations. `website` is what
    is said of the website. `sign` are the roles in which a run is signed before the team stands behind it, where its
    study says nothing; `signers` names who has a role, and `own_run` lets people sign what they made themselves.
    """

    root: Path
    title: str
    store: Path
    people: tuple[str, ...] = ()
    index: str = ""
    retention: Mapping[str, Any] = field(default_factory=dict)
    bucket: str = ""
    mirror: str = ""
    data_store: str = ""
    recipients: tuple[str, ...] = ()
    key_file: str = ""
    queue: str = ""
    kept: Path = Path(KEPT)
    slurm: Mapping[str, Any] | None = None
    schedules: tuple[Schedule, ...] = ()
    notify: Notify = field(default_factory=Notify)
    keep_job_days: float | None = None
    dask: str = ""
    website: Mapping[str, Any] = field(default_factory=dict)
    sign: tuple[str, ...] = USUAL_SIGN
    own_run: bool = False
    signers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def around(cls, path: Path) -> Repository:
        """The repository that a folder or file lies in.

        Raises
        ------
        ModelworksError
            Y133 where there is none, Y132 with every mistake of its settings.
        """
        start = path.resolve()
        for folder in (start, *start.parents):
            if (folder / SETTINGS).is_file():
                return _read(folder)
        fail(
            "Y133",
            f"`{path}` does not lie in a repository of studies: no folder above it holds a {SETTINGS}",
            hint="make one with `modelworks new NAME`, or go into the one you have",
        )

    @property
    def data(self) -> Path:
        """The folder of the datasets and their catalogue."""
        return self.root / "data"

    def shown(self, path: Path) -> str:
        """A path as a reader of the repository knows it."""
        return shown(path, self.root)

    def studies(self) -> tuple[Path, ...]:
        """The folder of every study, in the order of their names.

        A folder named `base`, or whose name begins with `_` or `.`, only lends its files to others.
        """
        top = self.root / "studies"
        found = []
        for folder, inner, names in os.walk(top):
            inner[:] = [name for name in inner if not _only_lends(name)]
            if STUDY_FILE in names and os.path.isfile(f"{folder}/{STUDY_FILE}"):
                found.append(Path(folder))
        return tuple(sorted(found))

    def find_study(self, name: str) -> Path:
        """The folder of a study by its name, its path under `studies/`, or any path to it."""
        wanted = Path(name)
        if wanted.name == STUDY_FILE:
            wanted = wanted.parent
        for folder in (self.root / "studies" / wanted, self.root / wanted, self.root / RERUNS / wanted, wanted):
            if _is_file(folder / STUDY_FILE) and folder.resolve().is_relative_to(self.root):
                return folder.resolve()
        named = [folder for folder in self.studies() if folder.name == name]
        if len(named) == 1:
            return named[0]
        if named:
            fail(
                "Y134",
                f"{len(named)} studies are named `{name}`",
                hint="name one by its path: " + ", ".join(f"`{self.shown(each)}`" for each in named),
            )
        fail("Y134", f"there is no study `{name}`", hint=near(name, [each.name for each in self.studies()]))


def _is_file(path: Path) -> bool:
    """What is too long to be a name is none; that a folder may not be looked into is told."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def _only_lends(name: str) -> bool:
    return name == "base" or name.startswith(("_", "."))


def _read(root: Path) -> Repository:
    """The repository with the settings of its file."""
    letters = Letters()
    settings = TeamSettings(_parsed(root / SETTINGS), letters, KNOWN)
    home = _home(root)
    title = settings.text("title", root.name)
    store = settings.text("store", "runs")
    people = settings.texts("people")
    index = settings.database("index")
    queue = settings.database("queue")
    mirror = _place(settings, "mirror", home)
    data = settings.below("data", ("store", "recipients", "key_file"))
    key_file = data.text("key_file", "") if "key_file" in data.values else ""
    retention = settings.table("retention", RETENTION)
    slurm = settings.table("slurm", SLURM) if "slurm" in settings.values else None
    schedules = read_schedules(settings.group("schedule"))
    dask = settings.text("dask", "tcp://host:8786") if "dask" in settings.values else ""
    keep_job_days = settings.table("jobs", {"keep_days": float}).get("keep_days")
    notify = read_notify(settings.below("notify", ("on", *WAYS)))
    website = settings.table("website", WEBSITE)
    approval = settings.below("approval", ("sign", "own_run", "people"))
    sign = approval.texts("sign") if "sign" in approval.values else USUAL_SIGN
    own_run, people_by_role = approval.flag("own_run"), approval.group("people")
    signers = {role: people_by_role.texts(role) for role in people_by_role.values}
    bucket = store.rstrip("/") if store.startswith("s3://") else ""
    if bucket:
        store = MIRROR
        _check_bucket(bucket, settings)
    elif is_a_path(store):
        _check_store(home / store, settings)
    else:
        settings.say(f"`store` is {shortened(store)!r}, which is no path", 'name a folder, as in `store = "runs"`')
    data_store, recipients = _place(data, "store", home), data.texts("recipients")
    letters.raise_if_any()
    return Repository(
        root,
        title,
        home / store,
        people,
        index,
        retention,
        bucket,
        mirror,
        data_store,
        recipients,
        key_file,
        queue,
        home / KEPT,
        slurm,
        schedules,
        notify,
        keep_job_days,
        dask,
        website,
        sign,
        own_run,
        signers,
    )


def _place(settings: TeamSettings, name: str, root: Path) -> str:
    """A folder, from the root, or the address of a bucket; empty where none is said."""
    place = settings.text(name, "") if name in settings.values else ""
    return str(root / Path(place).expanduser()) if place and "://" not in place else place


def _home(root: Path) -> Path:
    """The repository that keeps what is made: this one, or that of which it is a copy for a job."""
    pin = root / PIN
    return Path(json.loads(pin.read_text(encoding="utf-8"))["of"]) if pin.is_file() else root


def _check_store(store: Path, settings: TeamSettings) -> None:
    """The store is a folder, or can become one."""
    there = next((each for each in (store, *store.parents) if os.path.lexists(each)), store)
    if not there.is_dir():
        settings.say(f"`store` leads to `{there.name}`, which is no folder", 'name a folder, as in `store = "runs"`')


def _check_bucket(bucket: str, settings: TeamSettings) -> None:
    """The address of a bucket, without keys: this file is committed."""
    name = bucket.removeprefix("s3://").partition("/")[0]
    if "@" in name or not _BUCKET.fullmatch(name):
        settings.say(
            f"`store` is {shortened(bucket)!r}, which is no address of a bucket",
            'write `store = "s3://bucket/folder"`; keys and endpoint come from the environment (AWS_ACCESS_KEY_ID, …)',
        )


def check_store(repository: Repository, letters: Letters) -> None:
    """Runs can be written, which is better known before a calibration than after it.

    A store within the repository is made where the team's other files are. One outside may lie where nobody
    can make a folder, which only shows when one is made.
    """
    store = repository.store
    if resolve(store).is_relative_to(resolve(repository.root)):
        return
    there = next(each for each in (store, *store.parents) if each.is_dir())
    try:
        Path(tempfile.mkdtemp(dir=there, prefix=".modelworks-")).rmdir()
    except OSError as error:
        letters.add(
            "Y132",
            f"runs can not be kept in `{store}`: {error.strerror or error}",
            hint='name a folder you may write in, as in `store = "runs"`',
            file=SETTINGS,
        )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r"at line (\d+)", str(error))
        fail(
            "Y132",
            f"{SETTINGS} can not be read: {error}",
            hint='a setting is written `name = "value"`, as in `store = "runs"`',
            file=SETTINGS,
            line=int(line[1]) if line else None,
        )
