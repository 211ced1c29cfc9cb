"""A run made again from its own folder, and whether the same came out."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration import Posterior
from modelworks.diagnostics import Summary, summary
from modelworks.errors import fail
from modelworks.runs import (
    Progress,
    Run,
    Source,
    Store,
    compare,
    find_source,
    forget_source,
    make_environment,
    python_like,
)
from modelworks.study._stale import BEFORE
from modelworks.study.own_stages._stage_outputs import read_draws, read_table
from modelworks.study.stages import REPORT

Verdict = Literal["bit-identical", "statistically identical", "different"]
Array = NDArray[np.float64]

# What the stages computed, in their order, of which the draws are the second; pages and figures are made from these,
# and say when they were made.
RESULTS = (
    "simulate/outputs.parquet",
    "calibrate/posterior.nc",
    "diagnose/diagnosis.json",
    "project/outputs.parquet",
    "project/differences.parquet",
    "project/quantities.json",
    "project/quantities.parquet",
    "project/ratios.parquet",
    "project/averted.parquet",
    "project/thresholds.parquet",
    "project/fitted.parquet",
    "project/predictive.parquet",
    "project/forecasts.parquet",
)
# Two calibrations of one posterior are called different by chance once in so many times.
CHANCE = 0.01
# Series that differ by less are the same arithmetic in another order.
ROUND_OFF = 1e-9
_LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of making a run again: whether the same, in sentences, what differs else, and how long it took."""

    run: Run
    again: Run
    verdict: Verdict
    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    seconds: float


def reproduce(run: Run, *, here: bool = False, keep: Path | None = None, quiet: bool = False) -> Reproduction:
    """Make a run again from the inputs in its folder, in an environment like the one it was made in.

    With `here` the packages of today are used. What is made lies in a folder that goes at the end, or in `keep`.

    Raises
    ------
    ModelworksError
        T304 when the run is no longer as it was published, R160 when the environment can not be made, T301 when the
        code of ours that made it can not be found, T302 when the study does not run any more.
    """
    began = time.perf_counter()
    damaged = run.verify()
    if damaged:
        fail(
            "T304",
            f"the run {run.id} is not as it was published: {'; '.join(damaged[:3])}",
            hint="copy it again from where it was published; a changed run proves nothing",
            file=str(run.path),
        )
    progress = Progress(quiet=quiet)
    with _workplace(keep) as folder:
        python = Path(sys.executable) if here else _environment(run, folder, progress)
        again = _made_again(run, _inputs(run, folder / "repository"), python, progress)
        verdict, sentences = judge(run, again)
        reasons = () if verdict == "bit-identical" else tuple(_reasons(run, again))
        return Reproduction(run, again, verdict, sentences, reasons, time.perf_counter() - began)


# -- making it again ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    """A folder to work in, and no trace of it afterwards, unless it is to be kept."""
    if keep is not None and keep.exists() and any(keep.iterdir()):
        fail("T303", f"{keep} is not empty", hint="name a folder that does not exist yet")
    folder = Path(tempfile.mkdtemp(prefix="modelworks-")) if keep is None else keep.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        forget_source(folder / "source")
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _environment(run: Run, folder: Path, progress: Progress) -> Path:
    known = run.record.get("provenance") or {}
    wanted = Source.of(known.get("modelworks"))
    lock = run.file("environment.lock")
    if wanted is None or lock is None:
        fail(
            "T301",
            f"the run {run.id} does not say which code of modelworks made it",
            hint="`--here` makes it again with the code and the packages of today",
        )
    package = find_source(wanted, folder / "source", run.file("uncommitted.patch"))
    if package is None and wanted.dirty:
        fail(
            "T301",
            f"modelworks {wanted.version} had changes that were not committed when it made the run {run.id}",
            hint="`--here` makes it again with the code of today",
        )
    progress.start("make the environment of then")
    python = make_environment(
        folder / "environment", lock, package, python_like(str((known.get("machine") or {}).get("python")))
    )
    progress.finish()
    return python


def _inputs(run: Run, root: Path) -> Path:
    """A repository with exactly what went into the run, and a store of its own."""
    source = run.path / "inputs"
    if not source.is_dir():
        fail("T302", f"the run {run.id} has no inputs", hint="it was made by a version that did not keep them")
    shutil.copytree(source, root, copy_function=_writable_copy)
    # The team's own settings name its store, and this run must not go there.
    (root / "modelworks.toml").write_text('title = "reproduced"\n', encoding="utf-8")
    return root


def _writable_copy(source: str, destination: str) -> str:
    shutil.copyfile(source, destination)
    return destination


def _made_again(run: Run, root: Path, python: Path, progress: Progress) -> Run:
    study = str(run.record.get("study") or run.study)
    until = str(run.record.get("until") or "report")
    progress.start(f"{until} {study} again")
    words = [str(python), "-m", "modelworks", *_verb(until), study, "--quiet", "--json"]
    # Another environment finds its own packages, and none of ours.
    ours = () if python == Path(sys.executable) else ("PYTHONPATH", "PYTHONHOME")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    ended = subprocess.run(
        words, cwd=root, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    progress.finish()
    found = Store(root / "runs").runs()
    if not found:
        said = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-_LAST_LINES:])
        fail("T302", f"{study} does not run any more:\n{said}", hint="the lines above say why")
    return found[0]


def _verb(until: str) -> list[str]:
    """The command that ends with a stage."""
    if until in BEFORE:
        return ["run"] if until == REPORT else [until]
    return ["run", "--until", until]


# -- whether the same came out -----------------------------------------------------------------------


def judge(run: Run, again: Run) -> tuple[Verdict, tuple[str, ...]]:
    """Whether two runs hold the same results, and in which sense."""
    names = [name for name in (*RESULTS, *_own_results(run)) if run.file(name) is not None]
    missing = [name for name in names if again.file(name) is None]
    if missing:
        return "different", tuple(f"{name} was not made again." for name in missing)
    unlike = {name: _distance(run.path / name, again.path / name) for name in names}
    unlike = {name: distance for name, distance in unlike.items() if distance > 0}
    if not unlike:
        return "bit-identical", (f"All {len(names)} results are the same to the last bit.",)
    if max(unlike.values()) < ROUND_OFF:
        largest = max(unlike.values())
        return "statistically identical", (f"The results differ by round-off: at most {largest:.1g} of their size.",)
    moved = [name for name in _posteriors(run) if name in unlike]
    # What was made from other draws differs too; what was not must not, beyond round-off.
    after = {name for name, distance in unlike.items() if distance < ROUND_OFF}
    after |= set(RESULTS[1:]) if RESULTS[1] in moved else set()
    after |= {name for name in unlike for each in moved if name.split("/")[0] == each.split("/")[0]}
    told = [_judge_posteriors(run, again, name) for name in moved]
    if told and after >= unlike.keys():
        return next((each for each in told if each[0] == "different"), told[0])
    parameters = tuple(sentence for verdict, sentences in told if verdict == "different" for sentence in sentences)
    files = tuple(f"{name} differs by up to {each:.2g} of its size." for name, each in unlike.items())
    return "different", parameters + files


def _own_results(run: Run) -> Iterator[str]:
    """What stages of the team's own computed, by its place in the run."""
    for stage, names in (run.record.get("results") or {}).items():
        yield from (f"{stage}/{name}" for name in names)


def _posteriors(run: Run) -> list[str]:
    """Every file of draws that a run may hold."""
    own = (run.record.get("draws") or {}).items()
    return [RESULTS[1], *(f"{stage}/{name}" for stage, name in own)]


def _judge_posteriors(run: Run, again: Run, name: str) -> tuple[Verdict, tuple[str, ...]]:
    """Whether two sets of draws can be of one posterior: each mean and each width within its Monte-Carlo error."""
    before, after = ({row.name: row for row in summary(_draws(each.path / name))} for each in (run, again))
    if before.keys() != after.keys():
        return "different", ("Other parameters were calibrated.",)
    apart = {name: max(abs(z) for z in _apart(before[name], after[name])) for name in before}
    chances = {name: math.erfc(z / math.sqrt(2)) for name, z in apart.items()}
    # Two questions of each parameter; the least likely of all counts.
    limit = CHANCE / (2 * len(chances))
    test = (
        f"means and standard deviations of {len(chances)} parameters against their Monte-Carlo error, "
        f"{CHANCE:.0%} over all (Bonferroni)"
    )
    unlikely = sorted((name for name, chance in chances.items() if chance < limit), key=apart.__getitem__, reverse=True)
    if not unlikely:
        return "statistically identical", (f"Other draws of the same posterior: {test}.",)
    return "different", (
        f"The posteriors differ by more than chance allows: {test}.",
        *(f"{name}: {before[name].q50:.4g} then, {after[name].q50:.4g} now." for name in unlikely[:5]),
    )


def _draws(path: Path) -> dict[str, Array]:
    if path.suffix != ".nc":
        return dict(read_draws(path).parameters)
    posterior = Posterior.read(path)
    return {name: np.asarray(posterior.draws(name)) for name in posterior.parameters}


def _apart(before: Summary, after: Summary) -> tuple[float, float]:
    """How many standard errors two means, and the logarithms of two standard deviations, are apart."""
    means = (before.mean - after.mean) / math.hypot(before.mcse, after.mcse)
    worths = [2 * max(min(each.ess_bulk, each.ess_tail), 1.0) for each in (before, after)]
    widths = math.log(before.sd / after.sd) / math.sqrt(1 / worths[0] + 1 / worths[1])
    return means, widths


def _distance(before: Path, after: Path) -> float:
    """The largest difference of two files of results over the size of what differs: 0 where they are the same."""
    if before.read_bytes() == after.read_bytes():
        return 0.0
    pairs = list(_arrays(before, after))
    return max((_relative(old, new) for old, new in pairs), default=math.inf)


def _arrays(before: Path, after: Path) -> Iterator[tuple[Any, Any]]:
    """What two files hold, piece by piece."""
    if before.suffix in (".parquet", ".csv"):
        old, new = read_table(before), read_table(after)
        yield list(old.columns), list(new.columns)
        for column in old.columns.intersection(new.columns):
            yield old[column].to_numpy(), new[column].to_numpy()
    elif before.suffix == ".nc":
        left, right = Posterior.read(before), Posterior.read(after)
        yield list(left.parameters), list(right.parameters)
        for name in set(left.parameters) & set(right.parameters):
            yield np.asarray(left.draws(name)), np.asarray(right.draws(name))
        for name, values in left.predictive().items():
            yield values, right.predictive().get(name, np.array([]))
    else:
        yield from _leaves(
            json.loads(before.read_text(encoding="utf-8")), json.loads(after.read_text(encoding="utf-8"))
        )


def _leaves(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """The numbers and texts of two JSON values, place by place."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        for name in before:
            yield from _leaves(before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from _leaves(old, new)
    else:
        yield before, after


def _relative(before: Any, after: Any) -> float:
    """The largest difference over the largest size; infinite where it is not one of numbers."""
    old, new = np.asarray(before), np.asarray(after)
    if old.shape != new.shape or old.dtype.kind != new.dtype.kind:
        return math.inf
    if old.dtype.kind != "f":
        return 0.0 if np.array_equal(old, new) else math.inf
    if np.array_equal(old, new, equal_nan=True):
        return 0.0
    if not np.array_equal(np.isfinite(old), np.isfinite(new)):
        return math.inf
    known = np.isfinite(old)
    return float(np.max(np.abs(old[known] - new[known])) / max(np.max(np.abs(old[known])), np.finfo(float).tiny))


def _reasons(run: Run, again: Run) -> Iterator[str]:
    """What else differs, and may be why."""
    comparison = compare([run, again])
    then, now = (Source.of((each.record.get("provenance") or {}).get("modelworks")) for each in (run, again))
    if then is not None and now is not None and then.sha256 != now.sha256:
        yield f"another modelworks: {_named(then)} then, {_named(now)} now"
    for each in comparison.of("packages"):
        old, new = each.values
        yield f"package {each.name}: {old or 'none'} then, {new or 'none'} now"
    for each in comparison.of("machine"):
        yield f"{each.name}: {each.values[0]} then, {each.values[1]} now"
    for kind in ("data", "assumptions", "targets", "scenarios", "settings"):
        for each in comparison.of(kind):
            yield f"{kind}: {each.name} is {each.values[1] or 'none'}, and was {each.values[0] or 'none'}"


def _named(source: Source) -> str:
    commit = f" at {source.commit[:7]}" if source.commit else ""
    return f"{source.version}{commit}{' with changes' if source.dirty else ''}"
