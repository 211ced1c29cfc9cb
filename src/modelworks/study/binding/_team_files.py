"""Which files of a team's repository a model is made from: modules it imports, and files it opens.

A result is stale when any of them changes, so none may be missed.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any


class TeamFiles:
    """While it is entered, modules under `folder` can be imported, and what is read under `root` is noted."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder.resolve()
        self.root = root.resolve()
        self._read: dict[Path, str | None] = {}
        self._path = str(folder)
        self._others: dict[str, ModuleType] = {}

    def __enter__(self) -> TeamFiles:
        _listen()
        # What somebody else has imported from here may be of another day, and would not be noted.
        self._others = self._modules()
        for name in self._others:
            del sys.modules[name]
        sys.path.insert(0, self._path)
        sys.meta_path.insert(0, self)
        _open.reader = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _open.reader = None
        sys.meta_path.remove(self)
        # The team's file may have changed the path itself.
        if self._path in sys.path:
            sys.path.remove(self._path)
        # The next study may have another module of the same name beside its model.
        for name in self._modules():
            del sys.modules[name]
        sys.modules.update(self._others)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file that was read, by its path from the folder."""
        found = {}
        for path in sorted(self._read):
            known = self._read[path]
            if known is not None or path.is_file():
                name = Path(os.path.relpath(path, self.folder)).as_posix()
                found[name] = known or hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def note(self, path: Path, digest: str | None = None) -> None:
        """A file was read. Those of installed packages and of Python's cache are not the team's."""
        path = path.resolve()
        if path.is_relative_to(self.root):
            parts = path.relative_to(self.root).parts
            if not any(part.startswith(".") or part in ("site-packages", "__pycache__") for part in parts):
                self._read[path] = digest or self._read.get(path)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """Where Python finds a module of the team's: first of all here."""
        for place in [str(self.folder)] if path is None else path:
            if Path(place).resolve().is_relative_to(self.folder):
                # A class is asked for, and anything that makes a loader is meant.
                loader: Any = functools.partial(_AsWritten, reader=self)
                spec = FileFinder(place, (loader, [".py"])).find_spec(name)
                if spec is not None and spec.loader is not None:
                    return spec
        return None

    def _modules(self) -> dict[str, ModuleType]:
        """The modules now imported that lie in the folder."""
        # Thousands are imported: to follow the links of each would take longer than the model.
        inside = (f"{self._path}{os.sep}", f"{self.folder}{os.sep}")
        found = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            # A folder without an __init__.py is a package too, and has no file.
            places = [file] if isinstance(file, str) else list(getattr(module, "__path__", None) or ())
            if name != "__main__" and any(str(place).startswith(inside) for place in places):
                found[name] = module
        return found


class _AsWritten(SourceFileLoader):
    """Compiles what stands in the file now.

    Python's own cache takes a file for unchanged when an edit keeps its size within one second.
    """

    def __init__(self, fullname: str, path: str, *, reader: TeamFiles) -> None:
        super().__init__(fullname, path)
        self._reader = reader

    def path_stats(self, path: Any) -> Any:
        raise OSError("no time of change: the cache is neither read nor written")

    def get_data(self, path: Any) -> bytes:
        content = super().get_data(path)
        self._reader.note(Path(path), hashlib.sha256(content).hexdigest())
        return content


class _Open(threading.local):
    """Who wants to know of the files that this thread opens."""

    reader: TeamFiles | None = None


_open = _Open()


@functools.cache
def _listen() -> None:
    # A hook can not be taken away again, so there is one, which mostly has nobody to tell.
    sys.addaudithook(_opened)


def _opened(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or _open.reader is None:
        return
    path, mode, flags = arguments
    written = (
        set(mode) & set("wax+")
        if isinstance(mode, str)
        else isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
    )
    # Modules are noted as they are loaded.
    if isinstance(path, (str, bytes)) and not written and not os.fsdecode(path).endswith((".py", ".pyc")):
        _open.reader.note(Path(os.fsdecode(path)))
