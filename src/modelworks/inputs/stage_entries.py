"""Stages that a team brings along: a command, a function or a notebook, with all that it reads and writes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

from modelworks.errors import Letter, Letters, ModelworksError, near
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Place, SequenceNode, shortened
from modelworks.inputs._reading import is_a_path, resolve
from modelworks.sources import parsed

Kind: TypeAlias = Literal["command", "function", "notebook"]

KINDS: tuple[Kind, ...] = ("command", "function", "notebook")
FIELDS = (
    "title", *KINDS, "inputs", "data", "results", "outputs", "seed", "limit_minutes", "environment", "programs",
)  # fmt: skip
# The stages of the line, with the file of each that says most.
OWN_STAGES: Mapping[str, str] = MappingProxyType(
    {
        "simulate": "outputs.parquet",
        "calibrate": "posterior.nc",
        "diagnose": "diagnosis.json",
        "project": "outputs.parquet",
        "report": "report.html",
    }
)
TABLES = (".csv", ".parquet")
# What an output is, and in which form it can be read.
OUTPUTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "metrics": (".json",),
        "posterior": TABLES,
        "confusion_matrix": TABLES,
        "tables": TABLES,
        "figures": (".png", ".svg", ".vl.json"),
        "files": ("",),
    }
)
_ONE_FILE = ("metrics", "posterior", "confusion_matrix")
# What the record of a stage is called; a file of the team's can not be.
RESERVED = (
    "stage.json",
    "execution.json",
    "quantities.json",
    "diagnosis.json",
    "stdout.txt",
    "stderr.txt",
    "log.jsonl",
)
# Folders of a run beside those of its stages.
_TAKEN = (*OWN_STAGES, "inputs", "tables", "figures")
_SHELL = re.compile(r"\|\|?|&&?|;|\d?>>?|<|\$\(.*|`.*")
# A word of a command that ends so is meant as a file.
_SCRIPTS = (".py", ".r", ".R", ".jl", ".sh", ".pl", ".jar", ".java", ".ipynb", ".Rmd", ".stan")
_LONGEST_MINUTES = 60 * 24 * 30


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A stage of the team's own, as study.yaml says it.

    `words` are the command's, or the one file (and function) that is run. `inputs`, `data` and `results` say for each
    name in the working folder what lies there: a path, a dataset of the catalogue, a file of a stage before as
    `(stage, file)`. `outputs` has the names of files by what they are. `places` has the line of each word.
    """

    name: str
    title: str
    kind: Kind
    words: tuple[str, ...]
    inputs: Mapping[str, str]
    data: Mapping[str, str]
    results: Mapping[str, tuple[str, str]]
    outputs: Mapping[str, tuple[str, ...]]
    seed: int | None
    limit_minutes: float | None
    environment: Mapping[str, str]
    programs: tuple[str, ...]
    places: Mapping[str, Place]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that it has to write."""
        return tuple(name for names in self.outputs.values() for name in names)

    def output(self, kind: str) -> str | None:
        """The one file of a kind of which there is one."""
        return next(iter(self.outputs.get(kind, ())), None)

    def place(self, name: str) -> Place:
        return self.places.get(name, self.places[""])

    @property
    def after(self) -> tuple[str, ...]:
        """The stages that it takes something from."""
        return tuple(dict.fromkeys(stage for stage, _ in self.results.values()))


def read_stages(owner: Fields) -> Mapping[str, StageEntry]:
    """The team's own stages by name, in the order of the file; of those with a mistake only what could be read."""
    found: dict[str, StageEntry] = {}
    for name, node in owner.groups("stages", "stage"):
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name) or name in _TAKEN:
            taken = name in _TAKEN
            owner.letters.add(
                "Y143",
                f"`{shortened(name)}` can not be the name of a stage"
                + (": it is one of the line's own" if taken else ""),
                hint="it becomes a folder of each run: small letters, digits, `-` and `_`, as in `fit-in-r`",
                file=node.place.file,
                line=node.place.line,
            )
            continue
        entry = _stage(name, Fields(node, owner.letters, f"the stage `{name}`", FIELDS))
        if entry is not None:
            found[name] = entry
    _check_order(found, owner.letters)
    return MappingProxyType(found)


def _stage(name: str, fields: Fields) -> StageEntry | None:
    kinds = [kind for kind in KINDS if kind in fields]
    if len(kinds) != 1:
        fields.say(
            "Y141",
            f"{fields.what} has {' and '.join(f'`{kind}`' for kind in kinds) or 'nothing that is run'}",
            "write one of `command: [Rscript, fit.R]`, `function: models/fit.py:train`, `notebook: explore.ipynb`",
        )
        return None
    kind = kinds[0]
    outputs = _outputs(fields)
    entry = StageEntry(
        name=name,
        title=fields.text("title") or name,
        kind=kind,
        words=_words(kind, fields),
        inputs=_inputs(fields),
        data=_named(fields, "data", "{cases.csv: island-measles}"),
        results=_results(fields),
        outputs=MappingProxyType(outputs),
        seed=fields.whole("seed", 0, 2**31 - 1, 1) if "seed" in fields else None,
        limit_minutes=_limit(fields),
        environment=_named(fields, "environment", "{OMP_NUM_THREADS: 1}"),
        programs=fields.texts("programs"),
        places={"": fields.node.place, **fields.node.keys},
    )
    _check_names(entry, fields)
    return entry


def _words(kind: Kind, fields: Fields) -> tuple[str, ...]:
    """What is run, word by word; a command as one text is split as a shell would, but no shell is there to read it."""
    if kind != "command":
        text = fields.text(kind) or ""
        file, _, function = text.partition(":")
        wrong = (
            not file.endswith(".py") or not function.isidentifier()
            if kind == "function"
            else not file.endswith(".ipynb")
        )
        if wrong:
            form = "models/fit.py:train" if kind == "function" else "explore.ipynb"
            fields.say(
                "Y141", f"{fields.what}: `{shortened(text)}` names no {kind}", f"write it as in `{kind}: {form}`", kind
            )
        return (file, function) if kind == "function" else (file,)
    node = fields.node.fields[kind]
    if isinstance(node, SequenceNode):
        return fields.texts(kind)
    try:
        words = tuple(shlex.split(fields.text(kind) or ""))
    except ValueError as error:
        fields.say("Y141", f"{fields.what}: the command can not be taken apart: {error}", "close every quote", kind)
        return ()
    for word in words:
        if _SHELL.fullmatch(word):
            fields.say(
                "Y141",
                f"{fields.what}: `{shortened(word)}` in the command means something to a shell, and none reads it",
                'write what a shell is to read as `command: [bash, -c, "first && second"]`',
                kind,
            )
    return words


def _inputs(fields: Fields) -> Mapping[str, str]:
    """Files by the name they have in the working folder: that of a list is their path as written."""
    node = fields.node.fields.get("inputs")
    if isinstance(node, MappingNode):
        return _named(fields, "inputs", "{cases.csv: data/raw/cases.csv}")
    return MappingProxyType({_plain(text): text for text in fields.texts("inputs")})


def _named(fields: Fields, name: str, example: str) -> Mapping[str, str]:
    node = fields.mapping(name, example)
    if node is None:
        return MappingProxyType({})
    below = Fields(node, fields.letters, f"{fields.what}, `{name}`")
    found = {key: below.text(key) for key in node.fields if below.need(key, "a name")}
    return MappingProxyType({key: text for key, text in found.items() if text is not None})


def _results(fields: Fields) -> Mapping[str, tuple[str, str]]:
    found = {}
    for name, text in _named(fields, "results", "{draws.csv: fit/draws.csv}").items():
        stage, _, file = text.partition("/")
        found[name] = (stage, file)
        if not file:
            fields.say(
                "Y145",
                f"{fields.what}: the result `{shortened(text)}` names no file of a stage",
                "write stage and file, as in `draws.csv: fit/draws.csv` or `draws.csv: calibrate/posterior.nc`",
                "results",
            )
    return MappingProxyType(found)


def _outputs(fields: Fields) -> dict[str, tuple[str, ...]]:
    if not fields.need("outputs", "{metrics: metrics.json, figures: [fit.png]}"):
        return {}
    below = fields.below("outputs", tuple(OUTPUTS), "{metrics: metrics.json, figures: [fit.png]}")
    found = {kind: below.texts(kind) for kind in OUTPUTS if kind in below}
    for kind, names in found.items():
        if kind in _ONE_FILE and len(names) > 1:
            below.say(
                "Y144", f"{fields.what}: `{kind}` are {len(names)} files", "name one; more go into `tables`", kind
            )
        for name in names:
            if not name.endswith(OUTPUTS[kind]):
                known = " or ".join(f"`{suffix}`" for suffix in OUTPUTS[kind])
                below.say(
                    "Y144",
                    f"{fields.what}: `{shortened(name)}` can not be read as one of its `{kind}`",
                    f"let it end with {known}; anything else is kept as it is under `files`",
                    kind,
                )
    if not any(found.values()) and "outputs" in fields:
        fields.say(
            "Y144", f"{fields.what} writes nothing", "name a file under `outputs`, as in `metrics: metrics.json`"
        )
    return found


def _limit(fields: Fields) -> float | None:
    minutes = fields.number("limit_minutes")
    if minutes is not None and not 0 < minutes <= _LONGEST_MINUTES:
        fields.say(
            "Y123",
            f"{fields.what}: `limit_minutes` is {minutes:g}, but lies above 0 and is at most {_LONGEST_MINUTES:,}",
            "leave it out for no limit",
            "limit_minutes",
        )
        return None
    return minutes


def _check_names(entry: StageEntry, fields: Fields) -> None:
    """Every file of the working folder lies in it and has its name for itself."""
    groups: dict[str, Iterable[str]] = {
        "inputs": entry.inputs, "data": entry.data, "results": entry.results, "outputs": entry.files,
    }  # fmt: skip
    seen: dict[str, str] = {}
    for group, names in groups.items():
        for name in names:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name or not is_a_path(name):
                fields.say(
                    "Y143",
                    f"{fields.what}: `{shortened(name)}` does not lie in the working folder",
                    "write a path from the study's folder or the repository's, as in `data/raw/cases.csv`; to give it "
                    "another name write `cases.csv: data/raw/cases.csv`",
                    group,
                )
            elif name in seen or (group == "outputs" and name in RESERVED):
                other = f"is among its `{seen[name]}` too" if name in seen else "is a name of the record's own"
                fields.say("Y143", f"{fields.what}: `{name}` {other}", "give one of them another name", group)
            elif group == "data" and path.suffix not in TABLES:
                fields.say(
                    "Y144",
                    f"{fields.what}: a dataset can not be written as `{name}`",
                    "let the name end with `.csv` or `.parquet`",
                    group,
                )
            seen[name] = group


def _check_order(stages: Mapping[str, StageEntry], letters: Letters) -> None:
    """What a stage takes from another is there by then, and no two wait for each other."""
    for entry in stages.values():
        for stage, file in entry.results.values():
            place = entry.place("results")
            if stage in stages and file and file not in stages[stage].files:
                message = f"the stage `{entry.name}` takes `{file}` from `{stage}`, which does not write it"
                letters.add("Y145", message, hint=near(file, stages[stage].files), file=place.file, line=place.line)
            elif stage == "report" or stage not in (*stages, *OWN_STAGES):
                message = f"the stage `{entry.name}` takes something from `{stage}`, which is no stage before it"
                known = [*stages, *OWN_STAGES][:-1]
                letters.add("Y145", message, hint=near(stage, known), file=place.file, line=place.line)
    for name in stages:
        circle = _circle(name, stages)
        if circle:
            place = stages[name].place("results")
            message = f"stages wait for each other: {' → '.join(circle)}"
            letters.add("Y145", message, hint="let one of them do without", file=place.file, line=place.line)
            return


def _circle(name: str, stages: Mapping[str, StageEntry]) -> list[str]:
    """The way from a stage back to itself; empty where there is none."""
    waiting = [[name]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        for each in stages[way[-1]].after:
            if each == name:
                return [*way, each]
            if each in stages and each not in seen:
                seen.add(each)
                waiting.append([*way, each])
    return []


# -- the files of a stage ----------------------------------------------------------------------------


def stage_files(entry: StageEntry, root: Path) -> dict[str, Path]:
    """Every file of the repository that a stage is given, by its name in the working folder.

    A file that the command, the function or the notebook names is given by itself.

    Raises
    ------
    ModelworksError
        Y142 with every input that is not there, or lies outside the repository.
    """
    letters: list[Letter] = []
    found: dict[str, Path] = {}
    own = entry.words if entry.kind == "command" else entry.words[:1]
    for word in map(_plain, own):
        named = _found(word, entry.place(entry.kind), root) if is_a_path(word) else None
        if named is not None and named.is_file() and word not in entry.files:
            found[word] = named
        elif entry.kind != "command" or (PurePosixPath(word).suffix in _SCRIPTS and not _is_given(entry, word)):
            letters.append(_missing(entry, word, entry.place(entry.kind), root))
    for name, text in entry.inputs.items():
        path = _found(text, entry.place("inputs"), root)
        if path is None:
            letters.append(_missing(entry, text, entry.place("inputs"), root))
        else:
            found.update(_inside(path, _plain(name)))
    if letters:
        raise ModelworksError(letters)
    return found


def _is_given(entry: StageEntry, word: str) -> bool:
    """Whether a stage has a file of that name, or a folder that it may lie in, from elsewhere than its command."""
    names = [_plain(name) for name in (*entry.inputs, *entry.data, *entry.results, *entry.files)]
    return any(word == name or word.startswith(f"{name}/") for name in names)


def _plain(path: str) -> str:
    return path.removeprefix("./")


def _inside(path: Path, name: str) -> Iterator[tuple[str, Path]]:
    """A file, or every file of a folder but the hidden ones and those that Python keeps."""
    if path.is_file():
        yield name, path
        return
    for each in sorted(path.rglob("*")):
        parts = each.relative_to(path).parts
        if each.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            yield (PurePosixPath(name) / PurePosixPath(*parts)).as_posix(), each


def _found(text: str, place: Place, root: Path) -> Path | None:
    """A path from the folder of the file that says it, or from the repository's root."""
    for folder in ((root / place.file).parent, root):
        path = resolve(folder / text)
        if path.exists() and path.is_relative_to(resolve(root)) and path != resolve(root):
            return path
    return None


def _missing(entry: StageEntry, text: str, place: Place, root: Path) -> Letter:
    folder = (root / place.file).parent
    beside = [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]
    return Letter(
        "Y142",
        f"the stage `{entry.name}` is given `{shortened(text)}`, which is no file of the repository",
        f"paths are from the study's folder, or from the repository's; {near(text, sorted(beside))}",
        *cast(tuple[str, int], place),
    )


def has_function(path: Path, name: str) -> tuple[bool, list[str]]:
    """Whether a file of Python defines a function, and the functions that it does define; nothing is run.

    A file that is no Python has none.
    """
    import ast

    try:
        tree = parsed(path.read_bytes())
    except (SyntaxError, ValueError):
        return False, []
    known = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return name in known, known


def check_stage_files(stages: Mapping[str, StageEntry], root: Path, letters: Letters) -> dict[str, dict[str, Path]]:
    """The files of every stage; a letter for each that can not be had, and for a function that its file lacks."""
    found: dict[str, dict[str, Path]] = {}
    for entry in stages.values():
        try:
            found[entry.name] = stage_files(entry, root)
        except ModelworksError as error:
            letters.extend(error.letters)
            continue
        if entry.kind == "function" and entry.words[0]:
            there, known = has_function(found[entry.name][_plain(entry.words[0])], entry.words[1])
            if not there:
                file, line = entry.place(entry.kind)
                message = f"`{entry.words[0]}` defines no function `{entry.words[1]}`"
                letters.add("Y141", message, hint=near(entry.words[1], known), file=file, line=line)
    return found
