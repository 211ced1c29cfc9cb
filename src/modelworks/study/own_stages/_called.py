"""What runs a team's function or notebook in a process of its own; it imports nothing of ours.

python -I _called.py function models/fit.py train '{"cases": "cases.csv"}'
python -I _called.py notebook explore.ipynb
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# As `_execution.SEED`.
SEED = "MODELWORKS_SEED"


def call(file: str, name: str, tables: Mapping[str, str]) -> None:
    """Call a function with the tables and the seed that it names, and write what it gives."""
    sys.path[:0] = [str(Path(file).resolve().parent), str(Path.cwd())]
    namespace: dict[str, Any] = {"__name__": Path(file).stem, "__file__": str(Path(file).resolve())}
    exec(compile(Path(file).read_bytes(), file, "exec"), namespace)
    function = namespace[name]
    given = function(**arguments(function, tables))
    if given is None:
        return
    if not isinstance(given, Mapping):
        sys.exit(
            f"{name} gives a {type(given).__name__}: let it give nothing, or a mapping of a file's name to its content"
        )
    for output, content in given.items():
        write(Path(output), content)


def arguments(function: Callable[..., Any], tables: Mapping[str, str]) -> dict[str, Any]:
    """What a function is given: a table for each argument of that name, and `seed`."""
    found: dict[str, Any] = {}
    for argument in inspect.signature(function).parameters.values():
        if argument.name in tables:
            found[argument.name] = read(tables[argument.name])
        elif argument.name == "seed" and SEED in os.environ:
            found["seed"] = int(os.environ[SEED])
        elif argument.default is argument.empty and argument.kind not in (
            argument.VAR_POSITIONAL,
            argument.VAR_KEYWORD,
        ):
            known = ", ".join([*tables, "seed"])
            sys.exit(
                f"{function.__name__} wants `{argument.name}`, but the stage has no table of that name; it has {known}"
            )
    return found


def read(path: str) -> Any:
    import pandas as pd

    return pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path)


def write(path: Path, content: Any) -> None:
    """A table, a text, bytes, or anything that JSON can hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        content.to_parquet(path, index=False)
    elif hasattr(content, "to_csv"):
        content.to_csv(path, index=False)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = (
            content if isinstance(content, str) else json.dumps(content, indent=2, default=lambda value: value.item())
        )
        path.write_text(text, encoding="utf-8")


def run_notebook(file: str) -> None:
    """Execute a notebook in its place; what it has shown stands in it afterwards, also where a cell fails."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(file, as_version=4)
    kernel = notebook.metadata.get("kernelspec", {}).get("name", "python3")
    try:
        NotebookClient(notebook, kernel_name=kernel, resources={"metadata": {"path": str(Path(file).parent)}}).execute()
    except CellExecutionError as error:
        sys.exit(str(error))
    finally:
        nbformat.write(notebook, file)


if __name__ == "__main__":
    if sys.argv[1] == "function":
        call(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
    else:
        run_notebook(sys.argv[2])
