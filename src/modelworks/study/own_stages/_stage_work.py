"""A stage of the team's own: given what it declares, run, and held to what it promised to write."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.calibration import Posterior
from modelworks.errors import fail
from modelworks.inputs import StageEntry, StageInputs
from modelworks.runs import Progress, fingerprint
from modelworks.study.own_stages import _called
from modelworks.study.own_stages._execution import STDERR, STDOUT, ending_in_words, execute, last_lines, surroundings
from modelworks.study.own_stages._programs import place_of, programs_of
from modelworks.study.own_stages._stage_outputs import check_outputs

if TYPE_CHECKING:
    import pandas as pd

EXECUTION = "execution.json"
# What a letter shows of a program's last words; the whole log is kept.
LINES_SHOWN = 8
_NOTEBOOK_PACKAGES = ("nbclient", "ipykernel")


@dataclass(frozen=True)
class StageWork:
    """What is needed to run a stage of the team's own: the study's files as they were read, and where to write.

    `copies` are files of the repository as they were when the study was read, by their place; `finished` has the
    folders of the stages before.
    """

    inputs: StageInputs
    copies: Mapping[Path, Path]
    folder: Path
    finished: Mapping[str, Path]
    progress: Progress


def parts_of(entry: StageEntry, inputs: StageInputs, marks: Mapping[str, str]) -> list[Any]:
    """All that the results of a stage depend on; `marks` are the fingerprints of the stages before it."""
    return [
        [entry.kind, entry.words, entry.outputs, entry.seed, entry.environment],
        dict(inputs.stage_files[entry.name]),
        {name: inputs.catalogue[dataset].sha256 for name, dataset in entry.data.items()},
        {name: [marks[stage], file] for name, (stage, file) in entry.results.items()},
        [asdict(each) for each in programs_of(entry)],
        # Packages of Python decide what a function or a notebook does, and not what another program does.
        Path(_called.__file__) if entry.kind != "command" else None,
    ]


def run_stage(entry: StageEntry, work: StageWork) -> None:
    """Run a stage in a folder that holds what it declares and nothing else, and keep what it promised to write.

    Raises
    ------
    ModelworksError
        Y601 where its program is not there, Y602 where it fails, Y603 where it takes too long, Y604 for an output that
        it did not write, Y605 for one that is not what it was declared to be.
    """
    programs = programs_of(entry)
    _check_notebook(entry)
    with tempfile.TemporaryDirectory(prefix="modelworks-stage-") as scratch:
        place = Path(scratch).resolve() / "work"
        place.mkdir()
        fill(place, entry, work)
        given = {name: fingerprint(place / name) for name in _files(place)}
        words = _words(entry, place)
        began = time.monotonic()
        work.progress.start(entry.name)
        status = execute(
            words,
            place,
            work.folder,
            environment={**surroundings(entry.environment, entry.seed), "IPYTHONDIR": str(place.parent / "ipython")},
            limit_seconds=None if entry.limit_minutes is None else 60 * entry.limit_minutes,
            progress=work.progress,
        )
        work.progress.finish()
        seconds = time.monotonic() - began
        if status != 0:
            _told(entry, status, work, place)
        _collect(entry, place, work)
    told = {
        "stage": entry.name, "command": in_words(entry), "seed": entry.seed, "environment": dict(entry.environment),
        "inputs": given, "programs": [asdict(each) for each in programs], "seconds": round(seconds, 3),
    }  # fmt: skip
    (work.folder / EXECUTION).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    check_outputs(entry, work.folder)


def in_words(entry: StageEntry) -> str:
    """What is run, as its author would say it."""
    return ":".join(entry.words) if entry.kind == "function" else " ".join(entry.words)


# -- the working folder ------------------------------------------------------------------------------


def fill(place: Path, entry: StageEntry, work: StageWork) -> None:
    """Put into the working folder what a stage declares."""
    for name, path in work.inputs.stage_files[entry.name].items():
        _copy(work.copies.get(path, path), place / name)
    for name, dataset in entry.data.items():
        _write_table(work.inputs.catalogue[dataset].table(), place / name)
    for name, (stage, file) in entry.results.items():
        _hand_on(work.finished[stage] / file, place / name, entry)
    for name in entry.files:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
    if entry.kind == "command" and (place / entry.words[0]).is_file():
        (place / entry.words[0]).chmod(0o755)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _hand_on(source: Path, target: Path, entry: StageEntry) -> None:
    """A file of a stage before, in the form that its name asks for: base R, say, reads CSV alone."""
    if not source.is_file():
        file, line = entry.place("results")
        there = ", ".join(f"`{name}`" for name in sorted(_files(source.parent)) if name != "stage.json")
        fail(
            "Y604",
            f"the stage `{entry.name}` takes `{source.name}`, which the stage before it did not write",
            hint=f"that stage wrote {there or 'nothing'}",
            file=file,
            line=line,
        )
    if target.suffix == source.suffix or target.suffix not in (".csv", ".parquet"):
        _copy(source, target)
    else:
        _write_table(_table_of(source, entry), target)


def _table_of(source: Path, entry: StageEntry) -> pd.DataFrame:
    import pandas as pd

    if source.suffix == ".parquet":
        return pd.read_parquet(source)
    if source.suffix == ".csv":
        return pd.read_csv(source)
    if source.suffix == ".nc":
        return draws_table(Posterior.read(source))
    file, line = entry.place("results")
    fail(
        "Y606",
        f"the stage `{entry.name}` takes `{source.name}` as a table, which it is not",
        hint=f"let its name end with `{source.suffix}`; tables are `.parquet`, `.csv` and the draws in `posterior.nc`",
        file=file,
        line=line,
    )


def draws_table(posterior: Posterior) -> pd.DataFrame:
    """A row for each draw: `chain` and `draw` from 1, and a column for each parameter."""
    import numpy as np
    import pandas as pd

    values = {name: np.asarray(posterior.draws(name)) for name in posterior.parameters}
    chains, draws = next(iter(values.values())).shape
    numbers = {"chain": np.repeat(np.arange(chains) + 1, draws), "draw": np.tile(np.arange(draws) + 1, chains)}
    return pd.DataFrame(numbers | {name: each.ravel() for name, each in values.items()})


def _write_table(table: pd.DataFrame, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".parquet":
        table.to_parquet(target, index=False)
    else:
        table.to_csv(target, index=False, lineterminator="\n")


# -- running and collecting --------------------------------------------------------------------------


def _check_notebook(entry: StageEntry) -> None:
    import importlib.util

    missing = [name for name in _NOTEBOOK_PACKAGES if entry.kind == "notebook" and not importlib.util.find_spec(name)]
    if missing:
        file, line = entry.place("notebook")
        fail(
            "Y607",
            f"the stage `{entry.name}` is a notebook, and the package `{missing[0]}` is not installed",
            hint="pip install 'modelworks[notebooks]'",
            file=file,
            line=line,
        )


def _words(entry: StageEntry, place: Path) -> list[str]:
    """The command as the system takes it: its program by its whole path."""
    if entry.kind == "command":
        own = "/" in entry.words[0]
        return [str(place / entry.words[0]) if own else place_of(entry.words[0], entry), *entry.words[1:]]
    ours = [sys.executable, "-I", "-B", "-X", "utf8", str(_called.__file__), entry.kind, *entry.words]
    if entry.kind == "function":
        tables = [name for name in (*entry.data, *entry.results) if name.endswith((".csv", ".parquet"))]
        ours.append(json.dumps({Path(name).stem: name for name in tables}))
    return ours


def _told(entry: StageEntry, status: int | None, work: StageWork, place: Path) -> None:
    """The letter about a stage that failed, with its last words."""
    kept = _keep_log(entry, work, place)
    said = last_lines(work.folder / STDERR, LINES_SHOWN) or last_lines(work.folder / STDOUT, LINES_SHOWN)
    words = "".join(f"\n  {line}" for line in said) or " It said nothing."
    file, line = entry.place(entry.kind)
    if status is None:
        fail(
            "Y603",
            f"the stage `{entry.name}` was ended after {entry.limit_minutes:g} minutes, its `limit_minutes`."
            f"{' Its last words:' if said else ''}{words}",
            hint=f"give it more time, or less to do; all that it said is in {kept}",
            file=file,
            line=line,
        )
    hint = f"all that it said is in {kept}"
    remedy = _remedy("\n".join(said), entry, work)
    hint = f"{remedy}; {hint}" if remedy else hint
    fail(
        "Y602",
        f"the stage `{entry.name}` {ending_in_words(status)}.{' Its last words:' if said else ''}{words}",
        hint=hint,
        file=file,
        line=line,
    )


def _keep_log(entry: StageEntry, work: StageWork, place: Path) -> str:
    """Keep what a stage that failed has said; of a notebook also the notebook. Gives the place."""
    kept = work.inputs.repository.kept / "failed" / f"{work.inputs.folder.name}-{entry.name}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for name in (STDOUT, STDERR):
        shutil.copyfile(work.folder / name, kept / name)
    if entry.kind == "notebook":
        shutil.copyfile(place / entry.words[0], kept / Path(entry.words[0]).name)
    root = work.inputs.repository.root
    return str(kept.relative_to(root) if kept.is_relative_to(root) else kept)


# What programs say when a package is missing, and how it is installed.
_MISSING_PACKAGES = (
    (re.compile(r"there is no package called [‘'](\w[\w.]*)"), "Rscript -e 'install.packages(\"{}\")'"),
    (re.compile(r"No module named '(\w+)"), "pip install {}, or, if it is a file of yours, name it among the `inputs`"),
    (re.compile(r"Package (\w+) not found in current path"), "julia -e 'using Pkg; Pkg.add(\"{}\")'"),
)


def _remedy(said: str, entry: StageEntry, work: StageWork) -> str:
    """What mends the usual mistakes, where the last words tell of one: a package, or an undeclared file."""
    undeclared = _named_but_not_given(entry, work, said)
    if undeclared:
        return f"`{undeclared}` is not among the stage's `inputs`, so it was not there"
    found = ((form, pattern.search(said)) for pattern, form in _MISSING_PACKAGES)
    install = next((f"install it: {form.format(match[1])}" for form, match in found if match), "")
    if not install and "No such file or directory" in said:
        given = ", ".join(f"`{name}`" for name in sorted(_given(entry, work)))
        return f"it was given {given or 'no file'}, and sees nothing else"
    return install


def _given(entry: StageEntry, work: StageWork) -> set[str]:
    """The files that a stage finds in its folder, by their names there."""
    return {*work.inputs.stage_files[entry.name], *entry.data, *entry.results}


def _named_but_not_given(entry: StageEntry, work: StageWork, said: str) -> str | None:
    """A file of the study's folder that the last words name and that was not declared: the usual mistake."""
    folder = work.inputs.folder
    names = (each.relative_to(folder).as_posix() for each in sorted(folder.rglob("*")) if each.is_file())
    given = {Path(name).name for name in _given(entry, work)}
    return next((name for name in names if Path(name).name in said and Path(name).name not in given), None)


def _collect(entry: StageEntry, place: Path, work: StageWork) -> None:
    """Keep the files that were promised; a letter for each that is not there."""
    missing = [name for name in entry.files if not (place / name).is_file()]
    if missing:
        kept = _keep_log(entry, work, place)
        new = ", ".join(f"`{name}`" for name in sorted(_files(place) - _given(entry, work))) or "no file at all"
        said = last_lines(work.folder / STDERR, LINES_SHOWN)
        file, line = entry.place("outputs")
        fail(
            "Y604",
            f"the stage `{entry.name}` ended well, but did not write `{missing[0]}`"
            + "".join(f"\n  {each}" for each in ("; it said at last:", *said) if said),
            hint=f"it wrote {new}; all that it said is in {kept}",
            file=file,
            line=line,
        )
    for name in _kept(entry):
        _copy(place / name, work.folder / name)


def _kept(entry: StageEntry) -> Sequence[str]:
    """What stays of a working folder: the outputs, and a notebook as it was executed."""
    return (*entry.files, *(entry.words if entry.kind == "notebook" else ()))


def _files(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
