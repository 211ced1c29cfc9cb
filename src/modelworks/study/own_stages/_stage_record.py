"""What a run's record says of the stages of the team's own: numbers, draws, verdicts, programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelworks.diagnostics import worst
from modelworks.errors import fail, near
from modelworks.inputs import StageEntry, StageInputs, StudyInputs
from modelworks.study.own_stages._stage_outputs import DIAGNOSIS, QUANTITIES, read_draws
from modelworks.study.own_stages._stage_work import EXECUTION

# Results that are compared when a run is made again; pictures say when they were made.
COMPARED = ("metrics", "posterior", "confusion_matrix", "tables")


def told(record: Mapping[str, Any], inputs: StageInputs, finished: Mapping[str, Path]) -> dict[str, Any]:
    """The record of a run with what its own stages found added to it."""
    own = {name: entry for name, entry in inputs.study.stages.items() if name in finished}
    if not own:
        return dict(record)
    numbers = {name: each for stage in own for name, each in metrics(finished[stage]).items()}
    draws = {name: each for stage, entry in own.items() for name, each in _parameters(entry, finished[stage])}
    judged = {stage: each for stage in own if (each := diagnosis(finished[stage])) is not None}
    added: dict[str, Any] = {
        "quantities": {**record.get("quantities", {}), **numbers},
        "parameters": {**record.get("parameters", {}), **draws},
        "programs": {stage: _programs(finished[stage]) for stage in own},
        "results": {stage: _compared(entry) for stage, entry in own.items()},
        "draws": {stage: name for stage, entry in own.items() if (name := entry.output("posterior"))},
    }
    if judged:
        ours = [record["verdict"]] if record.get("verdict") else []
        added["verdict"] = worst([*ours, *(each["verdict"] for each in judged.values())])
        added["sentences"] = [*record.get("sentences", ()), *told_apart(judged, alone=not ours)]
    if not isinstance(inputs, StudyInputs) and inputs.study.answer and set(own) == set(inputs.study.stages):
        added["answer"] = answer(inputs, numbers)
    return {**record, **added}


def told_apart(judged: Mapping[str, Mapping[str, Any]], *, alone: bool) -> tuple[str, ...]:
    """What is said of the draws of each stage, with whose they are where there are others."""
    several = len(judged) > 1 or not alone
    return tuple(
        f"{stage}: {sentence}" if several else sentence
        for stage, each in judged.items()
        for sentence in each["sentences"]
    )


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    """The numbers that a stage measured, by name; none where it has no metrics."""
    path = folder / QUANTITIES
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def diagnosis(folder: Path) -> dict[str, Any] | None:
    """What is thought of a stage's draws, where it has some."""
    path = folder / DIAGNOSIS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def execution(folder: Path) -> dict[str, Any]:
    """What was run, by which programs, from which inputs, for how long."""
    return dict(json.loads((folder / EXECUTION).read_text(encoding="utf-8")))


def answer(inputs: StageInputs, numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The study's sentence with each `{stage.metric}` replaced by that number.

    Raises
    ------
    ModelworksError
        Y609 where no stage measured one of them.
    """

    def text(found: re.Match[str]) -> str:
        if found[1] not in numbers:
            file, line = inputs.study.place("answer")
            message = f"the answer names `{{{found[1]}}}`, which no stage has measured"
            fail("Y609", message, hint=near(found[1], numbers), file=file, line=line)
        return str(numbers[found[1]]["text"])

    return None if inputs.study.answer is None else re.sub(r"\{([^{}]+)\}", text, inputs.study.answer)


def _parameters(entry: StageEntry, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where the draws of each parameter lie."""
    name = entry.output("posterior")
    if name is None:
        return
    for parameter, draws in read_draws(folder / name).parameters.items():
        low, median, high = (float(each) for each in np.quantile(draws, [0.025, 0.5, 0.975]))
        yield f"{entry.name}.{parameter}", {"median": median, "low": low, "high": high, "unit": ""}


def _programs(folder: Path) -> dict[str, Any]:
    """By name the program's version and packages; of one that says no version, the hash of its file."""
    return {
        each["name"]: {"version": each["version"] or each["sha256"][:12], "packages": each["packages"]}
        for each in execution(folder)["programs"]
    }


def _compared(entry: StageEntry) -> list[str]:
    return [name for kind in COMPARED for name in entry.outputs.get(kind, ())]
