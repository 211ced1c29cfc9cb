"""What if it were assumed otherwise? A changed copy of a study, of which only what is affected is done again.

The copy is a folder of a few lines under `.modelworks/reruns` that extends the team's own files, so these stay as they
are; its stages are kept with all others, and what the change does not reach is taken from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from modelworks import plots
from modelworks.calibration import Posterior
from modelworks.calibration.samplers import FROM_THE_PRIORS, choose
from modelworks.errors import fail
from modelworks.inputs import Multiply, Scenario, StudyInputs
from modelworks.inputs.repository import RERUNS
from modelworks.runs import Comparison, Progress, Run, StageCache, compare, folder_name
from modelworks.study import stages
from modelworks.study._line import RECORD, Result, run_study
from modelworks.study._record import RERUN
from modelworks.study._stale import fingerprints, needed
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.inquiries._typed import Change, as_yaml, check_known, entry_of, read_change
from modelworks.study.projection._carried import Beginning, Carried, carried

if TYPE_CHECKING:
    from modelworks.plots import Figure


@dataclass(frozen=True)
class Rerun:
    """The study as it is, its copy with the changes, and both side by side."""

    before: Result
    after: Result
    comparison: Comparison

    def figure(self) -> Figure:
        """The draws of each named number, as it is and changed, over each other."""
        import pandas as pd

        tables = [pd.read_parquet(run.path / "project" / "quantities.parquet") for run in self.comparison.runs]
        as_it_is, changed = (
            {str(name): rows["value"].to_numpy() for name, rows in each.groupby("name", sort=False)} for each in tables
        )
        numbers = {each.name: each for each in self.comparison.numbers}
        titles = {name: f"{each.title} ({each.unit})" if each.unit else each.title for name, each in numbers.items()}
        # A probability is one number, and has no draws.
        names = [name for name in as_it_is if name in changed and numbers[name].unit != "probability"]
        return plots.figure("overlay")({"As it is": as_it_is, "Changed": changed}, names=names, labels=titles)


def rerun(
    folder: Path, changes: Sequence[str], *, cores: int | None = None, quiet: bool = False, anew: bool = False
) -> Rerun:
    """Run a study with changes, and lay it beside the study as it is; the study is run first where it is stale.

    Where only priors change or a target is left out, and the draws can carry it, they are weighted anew; elsewhere the
    calibration begins among them. With `anew` the copy is calibrated in any case, from the beginning.

    Raises
    ------
    ModelworksError
        Y521 where a change is not understood, Y522 where it is about something the study does not have; and what
        `run_study` raises about the copy.
    """
    progress = Progress(quiet=quiet)
    study = bind(folder)
    read = [read_change(text) for text in changes]
    copy = _copy(study.inputs, read)
    changed = bind(copy)  # its mistakes are told before anything is run
    before = run_study(folder, cores=cores, quiet=quiet)
    if before.run is None:
        raise RuntimeError("a study was run to its report but has no run")
    use, words = (None, "") if anew else _old_draws(study, changed, read, before.run)
    progress.say(_estimate(study, changed, use) + words)
    after = run_study(copy, cores=cores, quiet=quiet, carried=use)
    if after.run is None:
        raise RuntimeError("a study was run to its report but has no run")
    return Rerun(before, after, compare([before.run, after.run]))


def _old_draws(
    study: BoundStudy, changed: BoundStudy, changes: Sequence[Change], before: Run
) -> tuple[Carried | Beginning | None, str]:
    """What the draws of the study as it is are to the changed one, and in words how its calibration comes about."""
    path, origin = before.file(f"{stages.CALIBRATE}/posterior.nc"), fingerprints(study)[stages.CALIBRATE]
    cache = StageCache(study.inputs.repository.kept / "stages")
    if path is None or not changed.free or cache.get(fingerprints(changed)[stages.CALIBRATE]) is not None:
        return None, ""
    posterior = Posterior.read(path)
    draws = None
    if all(each.kind in ("prior", "target") for each in changes):
        priors = list(dict.fromkeys(each.name for each in changes if each.kind == "prior"))
        draws = carried(study, changed, posterior, priors, origin)
    if draws is not None and draws.will_do:
        words = f"; calibrate takes the draws as they are, weighted anew ({draws.in_words}): --anew calibrates instead"
        return draws, words
    because = "" if draws is None else f", which can not carry the change ({draws.in_words})"
    if choose(changed.inputs.study.calibration.sampler, stages.log_density(changed))[0] in FROM_THE_PRIORS:
        return None, f"; calibrated from the beginning, as its sampler learns from the priors{because}"
    words = f"; calibrate begins among the draws of the study as it is{because}: --anew begins with the priors instead"
    return Beginning(posterior, origin), words


def _estimate(study: BoundStudy, changed: BoundStudy, use: Carried | Beginning | None = None) -> str:
    """Which stages are done again, and how long each took the last time; draws that are weighted anew take none."""
    cache = StageCache(study.inputs.repository.kept / "stages")
    old, new = fingerprints(study), fingerprints(changed, None if use is None else use.origin)
    again = [name for name in needed(study, stages.REPORT) if cache.get(new[name]) is None]
    unchanged = [name for name in needed(study, stages.REPORT) if name not in again]
    spent = {
        name: 0.0 if isinstance(use, Carried) and name == stages.CALIBRATE else _seconds(cache.get(old[name]))
        for name in again
    }
    known = [each for each in spent.values() if each is not None]
    long = f"about {sum(known):.0f} s, as the last time" if len(known) == len(spent) else "for a time not known yet"
    kept = f"; unchanged: {', '.join(unchanged)}" if unchanged else ""
    return f"to do: {', '.join(again) or 'nothing'} ({long}){kept}"


def _seconds(stage: Path | None) -> float | None:
    if stage is None:
        return None
    return float(json.loads((stage / RECORD).read_text(encoding="utf-8"))["seconds"])


def changed_copy(inputs: StudyInputs, changes: Sequence[str]) -> Path:
    """The folder of a study that is this one with changes, as they are said; the same changes give the same folder.

    Raises
    ------
    ModelworksError
        Y521 where a change is not understood, Y522 where it is about something the study does not have.
    """
    return _copy(inputs, [read_change(text) for text in changes])


def explored_copy(inputs: StudyInputs, scenario: Scenario, *, title: str = "") -> Path:
    """The folder of a study that is this one with one more scenario; nothing of it has to be calibrated again.

    `title` is what the scenario is called; left out, it is what it changes.
    """
    changes: dict[str, Any] = {}
    told = [f"{name}: {dataset}" for name, dataset in scenario.data.items()]
    for name, change in scenario.parameters.items():
        if isinstance(change, Multiply):
            changes[name] = {"multiply": change.multiply}
            told.append(f"{name} × {change.multiply:g}")
        else:
            changes[name] = float(change)
            told.append(f"{name} = {change:g}")
    said = "; ".join(told)
    entry = {"title": title or said[:1].upper() + said[1:], "parameters": changes, "data": dict(scenario.data)}
    folder = _place(inputs, f"with {title or said}", said + title)
    files: dict[str, dict[str, Any]] = _extending(inputs, folder)
    files["study.yaml"]["scenarios"] = {"explored": {name: each for name, each in entry.items() if each}}
    _write(folder, files, inputs, [f"scenario {said}"], f"{inputs.study.title}, with the scenario {title or said}")
    return folder


def scenarios_copy(inputs: StudyInputs, names: Sequence[str]) -> Path:
    """The folder of a study that is this one with some of its scenarios; nothing of it is calibrated again.

    Of one scenario, the numbers that this study tells of its baseline are those of the scenario.
    """
    said = ", ".join(names)
    folder = _place(inputs, f"in {said}", said)
    files: dict[str, dict[str, Any]] = _extending(inputs, folder)
    files["study.yaml"]["projection"] = {"scenarios": list(names)}
    alone = {
        name: {"scenario": names[0]}
        for name, each in inputs.study.quantities.items()
        if each.output is not None and not each.scenarios
    }
    if alone and len(names) == 1:
        files["study.yaml"]["quantities"] = alone
    title = f"{inputs.study.title}, in {' and '.join(inputs.study.scenarios[name].title for name in names)}"
    _write(folder, files, inputs, [f"scenarios {said}"], title)
    return folder


# -- the copy ----------------------------------------------------------------------------------------


def _copy(inputs: StudyInputs, changes: Sequence[Change]) -> Path:
    """The folder of the changed study; the same changes give the same folder."""
    said = "; ".join(each.text for each in changes)
    told = ", ".join(each.in_words for each in changes)
    folder = _place(inputs, told, said)
    files = _extending(inputs, folder)
    for each in changes:
        if each.kind in ("prior", "value"):
            files["parameters.yaml"][each.name] = entry_of(each, inputs)
        elif each.kind == "data":
            _other_data(each, inputs, files)
        else:
            _without(each, inputs, files, folder)
    _write(folder, files, inputs, [each.text for each in changes], f"{inputs.study.title}: {told}")
    return folder


def _place(inputs: StudyInputs, told: str, said: str) -> Path:
    """The folder of a copy, which names its runs: what is other about it, as far as a name goes, and a mark of all."""
    name = folder_name(f"{inputs.folder.name[:30]} {told}"[:50])
    return inputs.repository.root / RERUNS / f"{name}-{hashlib.sha256(said.encode()).hexdigest()[:6]}"


def _extending(inputs: StudyInputs, folder: Path) -> dict[str, dict[str, Any]]:
    """The files of a new folder that say nothing but what they extend."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = ("study.yaml", "parameters.yaml", "targets.yaml")
    return {name: {"extends": os.path.relpath(inputs.folder / name, folder)} for name in names}


def _write(
    folder: Path, files: Mapping[str, dict[str, Any]], inputs: StudyInputs, changes: list[str], title: str
) -> None:
    files["study.yaml"]["title"] = title
    for name, content in files.items():
        (folder / name).write_text(as_yaml(content), encoding="utf-8")
    before = inputs.folder / RERUN
    # A copy of a copy is one of the study that both began with.
    earlier = json.loads(before.read_text(encoding="utf-8")) if before.is_file() else {}
    told = {"of": earlier.get("of", inputs.folder.name), "changes": [*earlier.get("changes", ()), *changes]}
    (folder / RERUN).write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _other_data(change: Change, inputs: StudyInputs, files: dict[str, dict[str, Any]]) -> None:
    """Another dataset for the model, where it uses this one by name, and for every target that is read from it."""
    check_known(Change("data", change.new, "", change.text), inputs.catalogue.names, "dataset")
    used = {name: change.new for name in inputs.study.data if name == change.name}
    targets = [name for name, each in inputs.targets.items() if each.dataset == change.name]
    check_known(change, [*inputs.study.data, *(each.dataset or "" for each in inputs.targets.values())], "dataset")
    if used:
        files["study.yaml"].setdefault("data", {}).update(used)
    for name in targets:
        files["targets.yaml"][name] = {"dataset": change.new}


def _without(change: Change, inputs: StudyInputs, files: dict[str, dict[str, Any]], folder: Path) -> None:
    """All targets but one; they are copied, for what is extended can not be taken away."""
    check_known(change, list(inputs.targets), "target")
    if "extends" in files["targets.yaml"]:
        own = YAML(typ="safe").load((inputs.folder / "targets.yaml").read_text(encoding="utf-8"))
        above = own.pop("extends", None)
        begun = {name: each for name, each in files["targets.yaml"].items() if name != "extends"}
        files["targets.yaml"] = {name: {**each, **begun.get(name, {})} for name, each in own.items()}
        if above is not None:
            files["targets.yaml"]["extends"] = os.path.relpath(inputs.folder / above, folder)
    if files["targets.yaml"].pop(change.name, None) is None or _is_above(change, inputs):
        fail(
            "Y522",
            f"the target `{change.name}` is one of a file that the study extends, and can not be left out from here",
            hint="leave it out of that file in a copy of the study",
        )


def _is_above(change: Change, inputs: StudyInputs) -> bool:
    """Whether a file that is extended speaks of the target too."""
    target = inputs.targets[change.name]
    return any(each.file != target.file for each in (target.at(name) for name in ("output", "unit", "covers")))
