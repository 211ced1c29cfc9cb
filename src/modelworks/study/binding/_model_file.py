"""Reading a team's model file: run it, and get the model it declares."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from modelworks.errors import Letter, ModelworksError, fail, near
from modelworks.model import FunctionModel, Model
from modelworks.model.library import library_model, library_names
from modelworks.study.binding._declared_at import line_of
from modelworks.study.binding._team_files import TeamFiles

if TYPE_CHECKING:
    import pandas as pd


# A declaration, or a function of the team's own.
AnyModel: TypeAlias = Model | FunctionModel


@dataclass(frozen=True)
class ModelFile:
    """A model, and every file of the team's it was made from with the hash of its bytes.

    `sources` are named from the folder of the model's file; a model of the library has none. `functions` are those of
    the file itself.
    """

    model: AnyModel
    path: Path
    sources: Mapping[str, str]
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


def load_model(path: Path, data: Mapping[str, pd.DataFrame], shown: str, root: Path) -> ModelFile:
    """The model a file declares as `model`, or returns from `build(data)`; or the library's, where it is named so.

    A name such as `seir` is that of the team's own `models/seir.py`, or else of a model of the library.

    `shown` is the file's name in messages, `root` the repository's folder. Modules beside the file may be
    imported by it; they count among its sources, as does every other file of the repository that it opens.
    """
    if shown.isidentifier() and not (root / shown).exists():
        path = root / "models" / f"{shown}.py"
        if not path.is_file():
            return ModelFile(_of_library(shown, path, root), path, {})
    if path.is_dir():
        fail(
            "M123",
            f"the model `{shown}` is a folder, but a file is wanted",
            hint=near(shown, _model_files(path, root) or _model_files(path.parent, root)),
        )
    if not path.is_file():
        there = _model_files(path.parent, root) or _model_files(root / "models", root)
        fail("M123", f"there is no model file `{shown}`", hint=near(shown, there))
    content = path.read_bytes()
    files = TeamFiles(path.parent, root)
    with files:
        module = _imported(path, content, shown)
        build = getattr(module, "build", None)
        # A table that `build` changes in place is changed for this model alone: a scenario begins anew.
        given = {name: table.copy() for name, table in data.items()}
        model = _called(build, given, path, shown) if callable(build) else getattr(module, "model", None)
    if not isinstance(model, Model | FunctionModel):
        fail(
            "M123",
            f"`{shown}` does not give a model",
            hint="define `model = Model(...)` or `FunctionModel(...)`, or `def build(data):` that returns one",
            file=shown,
        )
    letters = [letter.at(shown, line_of(content, letter.message)) for letter in model.check()]
    if letters:
        raise ModelworksError(letters)
    functions = {name: each for name, each in vars(module).items() if isfunction(each)}
    return ModelFile(model, path, {**files.hashes(), path.name: hashlib.sha256(content).hexdigest()}, functions)


def _of_library(name: str, path: Path, root: Path) -> Model:
    """The plain model of that name; a letter that knows the team's models and the library's where there is none."""
    known = library_names()
    if name not in known:
        own = [Path(each).stem for each in _model_files(path.parent, root)]
        fail(
            "M123",
            f"there is no model `{name}`: neither a file `models/{name}.py` nor a model of the library",
            hint=f"{near(name, [*own, *known])}; yours are {_listed(own)}, the library's {_listed(known)}",
        )
    return library_model(name)()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none yet"


def _model_files(folder: Path, root: Path) -> list[str]:
    """What a study could name instead: the files of Python in a folder, from the repository's root."""
    inside = folder.resolve().is_relative_to(root.resolve())
    found = sorted(folder.resolve().glob("*.py")) if inside else []
    return [path.relative_to(root.resolve()).as_posix() for path in found]


def _imported(path: Path, content: bytes, shown: str) -> Any:
    """The module of a file.

    The text itself is compiled: Python's own cache of compiled modules takes a file for unchanged when
    an edit keeps its size within one second.
    """
    name = f"_team_model_{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    # A dataclass looks its module up by name.
    sys.modules[name] = module
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)
    except ModelworksError as error:
        raise ModelworksError([_placed(letter, error, path, shown) for letter in error.letters]) from error
    # `sys.exit` in a model's file would end the command without a word.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a team's file raises is told as a letter
        _tell(error, path, shown)
    finally:
        del sys.modules[name]
    return module


def _called(build: Any, data: Mapping[str, pd.DataFrame], path: Path, shown: str) -> Any:
    try:
        return build(data)
    except ModelworksError as error:
        raise ModelworksError([_placed(letter, error, path, shown) for letter in error.letters]) from error
    except KeyError as error:
        line = _line_in(error, path)
        fail(
            "M124",
            f"the model asks for data or a column `{error.args[0]}`, which it is not given",
            hint="name it under `data:` in study.yaml; " + near(str(error.args[0]), data),
            file=shown,
            line=line,
        )
    # `sys.exit` in a model's file would end the command without a word.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a team's file raises is told as a letter
        _tell(error, path, shown)


def _tell(error: BaseException, path: Path, shown: str) -> None:
    line = error.lineno if isinstance(error, SyntaxError) else _line_in(error, path)
    fail(
        "M124",
        f"reading the model stopped with {type(error).__name__}: {error}",
        hint="mend that line of the model file; `python` shows the same error when it runs the file",
        file=shown,
        line=line,
    )


def _placed(letter: Letter, error: BaseException, path: Path, shown: str) -> Letter:
    return letter if letter.file else letter.at(shown, _line_in(error, path))


def _line_in(error: BaseException, path: Path) -> int | None:
    """The last line of the file on the way to the error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
