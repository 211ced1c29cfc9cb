"""Datasets that a team's function makes: run once, kept under `data/prepared/`, made again when anything it
is made from changes.

The function gets the path of each file under `uses`, in order, and gives a pandas table.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from modelworks.errors import ModelworksError, fail, near
from modelworks.inputs._reading import file_bytes, shown

if TYPE_CHECKING:
    import pandas as pd


def is_a_name(name: str) -> bool:
    """Whether a dataset's name can be the name of a file on any system.

    >>> is_a_name("malaysia-cases"), is_a_name("../cases")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", name, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the table of a dataset is made: `function` is `prepare/contacts.py:malaysia_home`, from `data/`."""

    dataset: str
    root: Path
    function: str
    uses: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where the table is kept."""
        return self.root / "data" / "prepared" / f"{self.dataset}.csv"

    @property
    def _seal(self) -> Path:
        """The file that says what the kept table was made from."""
        return self.path.with_suffix(".key")

    def files(self) -> tuple[Path, ...]:
        """The function's file, and the files it uses."""
        return (self._code()[0], *self._used())

    def key(self) -> str:
        """A hash of all the table is made from: the function's name and file, the files it uses, the columns.

        Packages that the function imports are not in it. Where a table depends on one, its `sha256` in the
        catalogue says which edition is meant.
        """
        total = hashlib.sha256("\0".join((self.function, *self.columns)).encode())
        for each in self.files():
            total.update(hashlib.sha256(file_bytes(each, self.root, "D102")).digest())
        return total.hexdigest()

    def is_stale(self) -> bool:
        """Whether the table that is kept, if any, was made from something else than it would be now."""
        return self._kept(self.key()) is None

    def content(self) -> bytes:
        """The table as CSV, made anew where what is kept is stale."""
        key = self.key()
        kept = self._kept(key)
        if kept is not None:
            return kept
        found = str(self._made().to_csv(index=False, lineterminator="\n")).encode()
        replace_file(self.path, found)
        # Written last and naming the table's own hash, so that a crash in between leaves nothing that passes for kept.
        replace_file(self._seal, f"{key} {hashlib.sha256(found).hexdigest()}\n".encode())
        return found

    def _kept(self, key: str) -> bytes | None:
        """The table kept from before, if it was made from the very same and has not been touched since."""
        try:
            found = self.path.read_bytes()
            seal = self._seal.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError):
            return None
        return found if seal == [key, hashlib.sha256(found).hexdigest()] else None

    def _code(self) -> tuple[Path, str]:
        """The file and the name of the function."""
        file, _, name = self.function.partition(":")
        if not file.endswith(".py") or not name.isidentifier():
            fail(
                "D111",
                f"the dataset `{self.dataset}` is prepared by `{self.function}`, which names no function",
                hint="write file and function, as in `prepare: prepare/contacts.py:malaysia_home`",
            )
        return self.root / "data" / file, name

    def _used(self) -> tuple[Path, ...]:
        return tuple(self.root / "data" / name for name in self.uses)

    def _made(self) -> pd.DataFrame:
        """The table that the function gives, with the declared columns alone."""
        import pandas as pd

        code, name = self._code()
        file = shown(code, self.root)
        try:
            function = _function(code, name, file)
            table = function(*self._used())
        except ModelworksError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a team's function raises is told as a letter
            self._tell(error, code)
        if not isinstance(table, pd.DataFrame):
            fail(
                "D114",
                f"`{self.function}` gives a {type(table).__name__}, but a pandas table is wanted",
                hint="end the function with `return table`, where `table` is a pandas.DataFrame",
                file=file,
                line=_first_line(function),
            )
        missing = [column for column in self.columns if column not in table.columns]
        if missing:
            fail(
                "D105",
                f"`{self.function}` gives no column `{missing[0]}`, which the dataset `{self.dataset}` declares",
                hint=near(missing[0], map(str, table.columns)),
                file=file,
                line=_first_line(function),
            )
        return table[list(self.columns)]

    def _tell(self, error: Exception, code: Path) -> NoReturn:
        """The letter, at the last line of the team's file on the way to the error."""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(code)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        fail(
            "D111",
            f"preparing `{self.dataset}` stopped with {type(error).__name__}: {error}",
            hint="mend that line; the function can be tried alone in `python`",
            file=shown(code, self.root) if line is not None else None,
            line=line,
        )


def _first_line(function: Callable[..., Any]) -> int | None:
    return getattr(getattr(function, "__code__", None), "co_firstlineno", None)


def _function(code: Path, name: str, file: str) -> Callable[..., Any]:
    """A function of a team's file, which is run to get it; modules beside the file may be imported by it."""
    # Compiled here and not by the import system, whose cache takes an edit within the same second for no edit.
    module = ModuleType(f"_team_data_{code.stem}")
    module.__file__ = str(code)
    compiled = compile(code.read_bytes(), str(code), "exec")
    sys.path.insert(0, str(code.parent))
    # A dataclass looks for its own module while it is made.
    sys.modules[module.__name__] = module
    try:
        exec(compiled, module.__dict__)
    finally:
        sys.path.remove(str(code.parent))
        del sys.modules[module.__name__]
    function = getattr(module, name, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        fail("D111", f"`{file}` has no function `{name}`", hint=near(name, known))
    return cast(Callable[..., Any], function)


def replace_file(target: Path, found: bytes) -> None:
    """Write a file in one step: others see the old one or the new one, and never a part."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(found)
        os.replace(temporary, target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
