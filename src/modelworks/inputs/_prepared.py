"""Datasets that a team's function makes: run once, kept under `data/prepared/`, made again when anything it
is made from changes.

The function gets the path of each file under `uses`, in order, and gives a pandas table.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from modelworks.errors import ModelworksError, fail, near
from modelworks.inputs._reading import file_bytes, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelworks.inputs._tables import Described


class Recipe(Protocol):
    """A dataset as far as its preparation is concerned."""

    @property
    def name(self) -> str: ...
    @property
    def root(self) -> Path: ...
    @property
    def prepare(self) -> str | None: ...
    @property
    def uses(self) -> tuple[str, ...]: ...
    @property
    def checksum(self) -> str | None: ...
    @property
    def columns(self) -> Mapping[str, Described]: ...


def is_a_name(name: str) -> bool:
    """Whether a dataset's name can be the name of a file on any system.

    >>> is_a_name("malaysia-cases"), is_a_name("../cases")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", name, re.ASCII) is not None


def path(dataset: Recipe) -> Path:
    """Where the prepared table is kept."""
    return dataset.root / "data" / "prepared" / f"{dataset.name}.csv"


def files(dataset: Recipe) -> tuple[Path, ...]:
    """The function's file, and the files it uses."""
    code, _ = _function_name(dataset)
    return (code, *(dataset.root / "data" / name for name in dataset.uses))


def key(dataset: Recipe) -> str:
    """A hash of all the table is made from: the function's name and file, the files it uses, the columns."""
    total = hashlib.sha256(str(dataset.prepare).encode())
    total.update("\0".join(dataset.columns).encode())
    for each in files(dataset):
        total.update(hashlib.sha256(file_bytes(each, dataset.root, "D102")).digest())
    return total.hexdigest()


def content(dataset: Recipe) -> bytes:
    """The prepared table as CSV, made anew where what is kept is stale."""
    kept = _kept(dataset, key(dataset))
    found = _made(dataset) if kept is None else kept
    actual = hashlib.sha256(found).hexdigest()
    if dataset.checksum is not None and actual != dataset.checksum:
        fail(
            "D103",
            f"`{dataset.prepare}` does not give the table the catalogue was written for: its SHA-256 is {actual}",
            hint="a package or a raw file has changed; look at what differs, then write the new checksum",
        )
    return found


def _seal(dataset: Recipe) -> Path:
    return path(dataset).with_suffix(".key")


def _kept(dataset: Recipe, wanted: str) -> bytes | None:
    """The table kept from before, if it was made from the very same and has not been touched since."""
    try:
        found = path(dataset).read_bytes()
        seal = _seal(dataset).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return None
    return found if seal == [wanted, hashlib.sha256(found).hexdigest()] else None


def _made(dataset: Recipe) -> bytes:
    table = _called(dataset)
    found = str(table[list(dataset.columns)].to_csv(index=False, lineterminator="\n")).encode()
    _replace(path(dataset), found)
    # Written last and naming the table's own hash, so that a crash in between leaves nothing that passes for kept.
    _replace(_seal(dataset), f"{key(dataset)} {hashlib.sha256(found).hexdigest()}\n".encode())
    return found


def _replace(target: Path, found: bytes) -> None:
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


def _function_name(dataset: Recipe) -> tuple[Path, str]:
    """The file and the name of the function: `prepare/contacts.py:malaysia_home`."""
    file, _, function = str(dataset.prepare).partition(":")
    if not file.endswith(".py") or not function.isidentifier():
        fail(
            "D111",
            f"the dataset `{dataset.name}` is prepared by `{dataset.prepare}`, which names no function",
            hint="write file and function, as in `prepare: prepare/contacts.py:malaysia_home`",
        )
    return dataset.root / "data" / file, function


def _called(dataset: Recipe) -> Any:
    """The table that the function gives, with all declared columns."""
    import pandas as pd

    code, name = _function_name(dataset)
    function = _function(code, name, dataset)
    used = [dataset.root / "data" / each for each in dataset.uses]
    try:
        table = function(*used)
    except ModelworksError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a team's function raises is told as a letter
        _tell(error, code, dataset)
    if not isinstance(table, pd.DataFrame):
        fail(
            "D114",
            f"`{dataset.prepare}` gives a {type(table).__name__}, but a pandas table is wanted",
            hint="end the function with `return table`, where `table` is a pandas.DataFrame",
            file=shown(code, dataset.root),
        )
    for column in dataset.columns:
        if column not in table.columns:
            fail(
                "D105",
                f"`{dataset.prepare}` gives no column `{column}`, which the dataset `{dataset.name}` declares",
                hint=near(column, map(str, table.columns)),
                file=shown(code, dataset.root),
            )
    return table


def _function(code: Path, name: str, dataset: Recipe) -> Callable[..., Any]:
    """The function of a file, which is run to get it."""
    file_bytes(code, dataset.root, "D102")
    module_name = f"_team_data_{hashlib.sha256(str(code).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, code)
    if spec is None or spec.loader is None:
        fail("D111", f"`{shown(code, dataset.root)}` is not a Python file", hint="its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(code.parent))
    try:
        spec.loader.exec_module(module)
    except ModelworksError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a team's file raises is told as a letter
        _tell(error, code, dataset)
    finally:
        sys.path.remove(str(code.parent))
    function = getattr(module, name, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        fail(
            "D111",
            f"`{shown(code, dataset.root)}` has no function `{name}`",
            hint=near(name, known),
            file=shown(code, dataset.root),
        )
    return function  # type: ignore[no-any-return]


def _tell(error: Exception, code: Path, dataset: Recipe) -> NoReturn:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(code)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    fail(
        "D111",
        f"preparing `{dataset.name}` stopped with {type(error).__name__}: {error}",
        hint="mend that line; the function can be tried alone in `python`",
        file=shown(code, dataset.root),
        line=line,
    )
