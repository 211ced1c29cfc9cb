"""An icon that opens the website of a folder, for whoever has no terminal: putting it there, and what a click does.

Source: Desktop Entry Specification, version 1.5 (freedesktop.org), for what stands in an entry and how it is quoted.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from modelworks.errors import ModelworksError, fail
from modelworks.inputs.repository import Repository
from modelworks.processes import alone
from modelworks.study import repository_around
from modelworks.website._first import first_running, kept_of, made_before, repository_here, serve_first
from modelworks.website._render import unsigned
from modelworks.website._serve import running, serve, sign_in_link
from modelworks.website._settings import PORT

# So many ports are tried, one after the other, where other programs have the usual one.
MOST_PORTS = 20


def make_icons(folder: Path, home: Path | None = None) -> list[Path]:
    """Put an icon for a folder where the desktop looks for one; the files that were written.

    On Linux among the programs, and on the desktop where there is one; on a Mac on the desktop.

    Raises
    ------
    ModelworksError
        W128 where no icon can be made.
    """
    home = home or Path.home()
    root = repository_around(folder) or folder
    title = Repository.around(root).title if repository_around(folder) else "modelworks"
    words = [sys.executable, "-m", "modelworks", "serve", "--from-icon", str(root)]
    name = f"modelworks-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
    if sys.platform == "darwin":
        made = {home / "Desktop" / f"{re.sub(r'[/:]', '-', title)}.command": f"#!/bin/sh\nexec {shlex.join(words)}\n"}
    elif sys.platform == "linux":
        folders = [Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") / "applications", _desktop(home)]
        made = {each / f"{name}.desktop": desktop_entry(title, words) for each in folders if each is not None}
    else:
        fail("W128", f"modelworks does not know how to make an icon on {sys.platform}", hint="modelworks serve")
    try:
        for file, text in made.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            file.chmod(0o755)
    except OSError as error:
        fail(
            "W128", f"{error.filename}: {error.strerror}", hint="see whether its folder is yours; or: modelworks serve"
        )
    return list(made)


def desktop_entry(title: str, words: list[str]) -> str:
    """What freedesktop's desktops read of a program: its name, its picture and its command.

    >>> print(desktop_entry("Ours", ["python", "/my studies/50%"]).splitlines()[4])
    Exec="python" "/my studies/50%%"
    """
    picture = str(resources.files("modelworks.website").joinpath("static", "icon.svg"))
    said = {
        "Type": "Application",
        "Name": _escaped(title),
        "Comment": "The studies of this folder, in the browser",
        "Exec": _escaped(" ".join(map(_quoted, words))),
        "Icon": _escaped(picture),
        "Terminal": "false",
        "Categories": "Science;",
    }
    return "[Desktop Entry]\n" + "".join(f"{key}={value}\n" for key, value in said.items())


def clicked(folder: Path, show: Callable[[str], object] = webbrowser.open) -> None:
    """Show the website of a folder; where none runs, be it until somebody stops it.

    Whoever clicked reads no terminal: what stands in the way is shown as a page, too.
    """
    try:
        with ExitStack() as starting:
            # A double click is two clicks on some desktops: the second is to find what the first one starts.
            starting.enter_context(alone(kept_of(folder) / "lock"))
            _open(folder, show, starting.close)
    except ModelworksError as error:
        file = kept_of(folder) / "letters.html"
        file.write_bytes(bytes(unsigned("letters.html.j2", letters=error.letters, number=0).body))
        show(file.as_uri())


def _open(folder: Path, show: Callable[[str], object], begun: Callable[[], None]) -> None:
    here = made_before(folder) or _here(folder)
    found = running(here) if here is not None else None
    waiting = first_running(folder) if here is None else None

    def shown(link: str) -> None:
        show(link)
        begun()

    if here is not None and found is not None:
        shown(sign_in_link(here, found.address))
    elif waiting is not None:
        shown(waiting)
    elif here is not None:
        _at_a_free_port(lambda port: serve(here, port=port, begun=lambda at: shown(sign_in_link(here, at))))
    else:
        _at_a_free_port(lambda port: serve_first(folder, port=port, begun=shown))


def _here(folder: Path) -> Path | None:
    """The repository that is meant; None where there is none, and where the page has to ask which."""
    try:
        return repository_here(folder)
    except ModelworksError as error:
        if error.codes != ("W124",):
            raise
        return None


def _at_a_free_port(start: Callable[[int | None], None]) -> None:
    for port in (None, *range(PORT + 1, PORT + MOST_PORTS)):
        try:
            return start(port)
        except ModelworksError as error:
            if error.codes != ("W119",) or port == PORT + MOST_PORTS - 1:
                raise


def _desktop(home: Path) -> Path | None:
    """The folder whose files stand on the desktop, where there is one (xdg-user-dirs)."""
    written = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "user-dirs.dirs"
    text = written.read_text(encoding="utf-8") if written.is_file() else ""
    said = re.search(r'^XDG_DESKTOP_DIR="(.*)"', text, re.MULTILINE)
    folder = Path(said[1].replace("$HOME", str(home))) if said else home / "Desktop"
    return folder if folder.is_dir() and folder != home else None


def _quoted(word: str) -> str:
    """An argument of a command in an entry: in quotes, with what has a meaning there escaped."""
    return '"' + re.sub(r'(["`$\\])', r"\\\1", word).replace("%", "%%") + '"'


def _escaped(text: str) -> str:
    """A value of an entry, which is one line."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
