"""Datasets that a team's function makes: run once, kept under `data/prepared/`, made again when anything it
is made from changes.

The function gets the path of each file under `uses`, in order, and gives a pandas table.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from modelworks.errors import ModelworksError, fail, near
from modelworks.inputs._reading import file_sha256, shown
from modelworks.inputs._writing import replace_file
from modelworks.inputs.encryption import ENDING, encrypted, in_the_clear, is_encrypted, without_contents

if TYPE_CHECKING:
    import pandas as pd


FORMS = ("csv", "parquet")
CSV = FORMS[0]


def is_a_name(name: str) -> bool:
    """Whether a dataset's name can be the name of a file on any system.

    >>> is_a_name("malaysia-cases"), is_a_name("../cases")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", name, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the table of a dataset is made: `function` is `prepare/contacts.py:malaysia_home`, from `data/`.

    The table is kept in one of `FORMS`; a `sensitive` one encrypted.
    """

    dataset: str
    root: Path
    function: str
    uses: tuple[str, ...]
    columns: tuple[str, ...]
    sensitive: bool = False
    form: str = CSV

    @property
    def path(self) -> Path:
        """Where the table is kept."""
        return self._in_form(self.form)

    def _in_form(self, form: str) -> Path:
        return self.root / "data" / "prepared" / f"{self.dataset}.{form}{ENDING if self.sensitive else ''}"

    @property
    def _seal(self) -> Path:
        """The file that says what the kept table was made from."""
        return self.path.with_name(f"{self.dataset}.made.json")

    def files(self) -> tuple[Path, ...]:
        """The function's file, and the files it uses."""
        return (self._code()[0], *self._used())

    def key(self) -> str:
        """A hash of all the table is made from: the function's name and file, the files it uses, the columns.

        The form it is kept in is not, nor are packages that the function imports. Where a table depends on one, its
        `sha256` in the catalogue says which edition is meant.
        """
        total = hashlib.sha256("\0".join((self.function, *self.columns)).encode())
        for each in self._hashes().values():
            total.update(bytes.fromhex(each))
        return total.hexdigest()

    def _hashes(self) -> dict[str, str]:
        """The SHA-256 of each file the table is made from, the function's first."""
        return {shown(each, self.root): file_sha256(each, self.root, "D102") for each in self.files()}

    def is_stale(self) -> bool:
        """Whether the table that is kept, if any, was made from something else than it would be now."""
        return self._kept(self.key()) is None

    def content(self) -> bytes:
        """The bytes of the table as it is kept (encrypted where it is sensitive), made anew where that is stale."""
        key = self.key()
        kept = self._kept(key)
        if kept is not None:
            return kept
        found = self._as_kept(self._made())
        if self.sensitive:
            found = encrypted(found, self.root)
        replace_file(self.path, found)
        for form in FORMS:
            if form != self.form:
                # Nobody is to take what was kept before the form was changed for the table.
                self._in_form(form).unlink(missing_ok=True)
        # Written last and naming the table's own hash, so that a crash in between leaves nothing that passes for kept.
        replace_file(self._seal, json.dumps(self._record(key, found), indent=2).encode() + b"\n")
        return found

    def _as_kept(self, table: pd.DataFrame) -> bytes:
        """A table as the bytes of a file; the same table gives the same bytes, whichever pandas wrote it."""
        if self.form == CSV:
            return str(table.to_csv(index=False, lineterminator="\n")).encode()
        import pyarrow as pa
        from pyarrow import parquet

        try:
            columns = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
            nested = [each.name for each in columns.schema if pa.types.is_nested(each.type)]
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            self._refuse(f"columns that Parquet does not hold: {'; '.join(map(str, error.args))}")
        if nested:
            self._refuse(f"lists in the cells of its column `{nested[0]}`")
        found = io.BytesIO()
        parquet.write_table(columns, found)
        return found.getvalue()

    def _refuse(self, what: str) -> NoReturn:
        said = "" if any(map(is_encrypted, self.uses)) else f": {what}"
        hint = "let every column hold numbers, days or text, and not a mixture of them"
        fail("D114", f"`{self.function}` gives a table that can not be kept as Parquet{said}", hint=hint)

    def _record(self, key: str, found: bytes) -> dict[str, Any]:
        """Which raw bytes and which code made the table, for whoever finds it."""
        code, *used = self._hashes().items()
        return {
            "dataset": self.dataset,
            "key": key,
            "table_sha256": hashlib.sha256(found).hexdigest(),
            "function": self.function,
            "code": dict([code]),
            "made_from": dict(used),
        }

    def _kept(self, key: str) -> bytes | None:
        """The table kept from before, if it was made from the very same and has not been touched since."""
        try:
            found = self.path.read_bytes()
            seal = json.loads(self._seal.read_text(encoding="utf-8"))
            same = (seal["key"], seal["table_sha256"]) == (key, hashlib.sha256(found).hexdigest())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if same else None

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
            with in_the_clear(self._used(), self.root) as paths:
                table = function(*paths)
        except ModelworksError as error:
            if any(map(is_encrypted, self.uses)):
                raise without_contents(error, f"preparing `{self.dataset}`") from None
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
        # What an error says may be a cell of the data.
        said = "" if any(map(is_encrypted, self.uses)) else f": {error}"
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        fail(
            "D111",
            f"preparing `{self.dataset}` stopped with {type(error).__name__}{said}",
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
