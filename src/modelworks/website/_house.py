"""What a request works with: the team's repositories, each a workspace with its runs and jobs, and its people."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from starlette.requests import HTTPConnection

from modelworks.errors import ModelworksError, fail
from modelworks.inputs.repository import SETTINGS, Repository
from modelworks.jobs import Queue
from modelworks.runs import Index, Run, Store, usage
from modelworks.study import index_around, jobs_of, queue_around, store_around
from modelworks.website._files import stamps
from modelworks.website._settings import Settings
from modelworks.website._storage import Storage
from modelworks.website._team_code import OF_FIGURES, OF_FILES, TeamCode
from modelworks.website.access.oidc import Provider
from modelworks.website.access.people import People

P = ParamSpec("P")
T = TypeVar("T")
# What models and studies are written in: the process of each begins anew when such a file changes.
_OF_MODELS = (".py", ".yaml")
# How many things of a kind are kept that were read and may be asked for again; a page holds the data of its figures.
REMEMBERED = 2000
OF_LARGE_KINDS = {
    "page": 20,
    "comparison": 20,
    "rows": 20,
    "svg": 50,
    "of study": 50,
    "data": 1,
    "drawn": 20,
    "waits": 1,
    "trends": 1,
    "map": 100,
    "repository": 1,
}


class Workspace:
    """A repository as the website sees it: what is asked often is opened once, and may be used by many threads."""

    def __init__(
        self,
        name: str,
        root: Path,
        team_code: TeamCode | None = None,
        files: TeamCode | None = None,
        figures: TeamCode | None = None,
    ) -> None:
        self.name = name
        self.root = root
        self._team_code, self._files = team_code or TeamCode(), files or TeamCode(words=OF_FILES)
        self._figures = figures or TeamCode(words=OF_FIGURES)
        self._kept: dict[str, OrderedDict[Hashable, Any]] = {}
        self._lock = threading.Lock()

    @property
    def repository(self) -> Repository:
        """The repository with its settings as they are now; the file is read again when it changed."""
        try:
            found = (self.root / SETTINGS).stat()
        except FileNotFoundError:
            return Repository.around(self.root)
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        return self.remembered(("repository", stamp), lambda: Repository.around(self.root))

    @property
    def title(self) -> str:
        try:
            return self.repository.title
        except ModelworksError:
            # The page that tells what is wrong with the settings has a title, too.
            return self.name

    @cached_property
    def store(self) -> Store:
        return store_around(self.root)

    @cached_property
    def index(self) -> Index:
        return index_around(self.root)

    @cached_property
    def queue(self) -> Queue:
        return queue_around(self.root)

    @cached_property
    def storage(self) -> Storage:
        return Storage(lambda: usage(self.store, self.index.copies()))

    def close(self) -> None:
        """Let go of the databases that were asked."""
        opened = self.__dict__
        if "index" in opened:
            self.index.close()
        if "queue" in opened:
            self.queue.close()

    @property
    def jobs(self) -> Path:
        """Where the attempts of jobs lie."""
        return jobs_of(self.repository)

    def run(self, run_id: str) -> Run:
        """The run whose id begins so; R101 where there is none, R102 where there are several."""
        # Among ten thousand runs the store looks for half a second, and the index for none that one would notice.
        found = self.index.keys(run_id) if run_id else []
        is_one = len(found) == 1 and self.store.stamp(found[0]) is not None
        return self.store.open(found[0]) if is_one else self.store.find(run_id)

    def of_study(self, study: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What a function gives that runs a study's model, as its files are now; in a child process, see `TeamCode`."""
        return self._team_code.call((self.name, "study", study), self.model_files(), function, *arguments, **named)

    def model_files(self) -> tuple[tuple[str, int, int], ...]:
        """The files that models and studies are written in, and what tells whether one was written since."""
        # By texts alone: it is asked for many pages.
        walks = (os.walk(self.root / folder) for folder in ("models", "studies"))
        files = (f"{folder}/{name}" for walk in walks for folder, _, names in walk for name in names)
        return stamps(sorted(file for file in files if file.endswith(_OF_MODELS)))

    def of_run(self, run: Run, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """The same with the model that a run keeps, which never changes."""
        stamp = self.store.stamp(run.key)
        return self._team_code.call((self.name, "run", run.key), stamp, function, *arguments, **named)

    def of_data(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What a function gives that reads a file of data which somebody sent, in such a process, too."""
        return self._files.call((self.name, "data"), None, function, *arguments, **named)

    def of_figures(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What a function gives that draws, in the one process that does so for all workspaces."""
        return self._figures.call("figures", None, function, *arguments, **named)

    def remembered(self, key: tuple[str, *tuple[Hashable, ...]], make: Callable[[], T]) -> T:
        """What was made for this key before; of each kind, which it begins with, what was asked for long ago goes."""
        with self._lock:
            kept = self._kept.setdefault(key[0], OrderedDict())
            if key in kept:
                kept.move_to_end(key)
                return cast(T, kept[key])
        # Made without the lock: of two who ask at once both make it, and neither waits for what others ask.
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > OF_LARGE_KINDS.get(key[0], REMEMBERED):
                kept.popitem(last=False)
        return made


@dataclass(frozen=True)
class House:
    """All of a server: its settings, its people, its workspaces by name, and who else says who somebody is."""

    settings: Settings
    people: People
    workspaces: Mapping[str, Workspace]
    provider: Provider | None = None

    def workspace(self, name: str) -> Workspace:
        """The workspace of that name; W104 where there is none."""
        if name not in self.workspaces:
            no_such_place()
        return self.workspaces[name]


def no_such_place() -> NoReturn:
    """What somebody hears who asks for what is not there, or is not for them: the same words for both."""
    fail("W104", "there is no such page, or it is not for you to see", hint="go back to the start")


def nothing_can_be_made(folder: Path, error: OSError) -> NoReturn:
    """What somebody hears whose repository or study can not be written."""
    reason = error.strerror or str(error)
    fail("W122", f"nothing can be made in {folder}: {reason}", hint="start `modelworks serve` in a folder of yours")


@contextmanager
def opened(settings: Settings) -> Iterator[House]:
    """A house whose doors are open for as long as the block lasts."""
    people = People(settings.database, settings.session_days)
    patience = settings.model_seconds, settings.model_gb
    children = TeamCode(*patience), TeamCode(*patience, OF_FILES), TeamCode(*patience, OF_FIGURES)
    named = workspace_names(settings.folders)
    workspaces = {name: Workspace(name, folder, *children) for name, folder in named.items()}
    provider = Provider(settings.oidc, settings.address) if settings.oidc else None
    try:
        yield House(settings, people, workspaces, provider)
    finally:
        for code in children:
            code.close()
        people.close()
        for each in workspaces.values():
            each.close()


def workspace_names(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Each repository by the name of its folder, with a number where two have the same.

    >>> list(workspace_names((Path("/a/Our Studies"), Path("/b/our-studies"))))
    ['our-studies', 'our-studies-2']
    """
    named: dict[str, Path] = {}
    for folder in folders:
        plain = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or "studies"
        name, number = plain, 2
        while name in named:
            name, number = f"{plain}-{number}", number + 1
        named[name] = folder
    return named


def house(request: HTTPConnection) -> House:
    """The house a request has come to."""
    return cast(House, request.app.state.house)
