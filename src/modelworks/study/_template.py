"""A new repository, or a new study in one: files that run as they are and ask to be changed."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from modelworks.errors import fail, near

MODELS = ("sir", "seir")


def new_repository(root: Path) -> Path:
    """A team's repository with one study that runs; the folder must not exist."""
    _named(root.name)
    if root.exists():
        fail("Y301", f"`{root.name}` exists already", hint="choose another name, or move that folder away")
    for name in ("repository/modelworks.toml", "repository/README.md", "repository/gitignore"):
        target = root / name.removeprefix("repository/").replace("gitignore", ".gitignore")
        _write(target, _text(name).replace("@repository@", root.name))
    for folder in ("plots", "data/raw", "data/prepare"):
        (root / folder).mkdir(parents=True)
        (root / folder / ".gitkeep").touch()
    _write(root / "data" / "catalogue.yaml", _text("repository/catalogue.yaml"))
    new_study(root, "first-study", model="sir")
    return root


def new_study(root: Path, name: str, *, model: str = "sir") -> Path:
    """A study of a library model in a repository, with the model's file for the team to change."""
    _named(name)
    if model not in MODELS:
        fail("Y302", f"there is no library model `{model}` to start from", hint=near(model, MODELS))
    folder = root / "studies" / name
    if folder.exists():
        fail("Y301", f"the study `{name}` exists already", hint="choose another name")
    for file in ("study.yaml", "parameters.yaml", "targets.yaml", "README.md"):
        text = _text(f"study/{file}")
        if model == "sir":
            text = _without(text, "seir")
        _write(folder / file, _without(text, "").replace("@study@", name).replace("@model@", model))
    source = root / "models" / f"{model}.py"
    if not source.exists():
        _write(source, _text(f"study/{model}.py.txt"))
    return folder


def _without(text: str, mark: str) -> str:
    """Drop lines that only another model needs, and the marks of those that stay."""
    if mark:
        text = re.sub(rf"#begin {mark}\n.*?#end {mark}\n", "", text, flags=re.DOTALL)
    return re.sub(r"#(begin|end) \w+\n", "", text)


def _named(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}", name):
        fail(
            "Y303",
            f"`{name}` can not be a name",
            hint="use small letters, digits and hyphens, as in malaysia-covid: it becomes a folder and part of links",
        )


def _text(name: str) -> str:
    return resources.files("modelworks.study").joinpath("template", name).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
