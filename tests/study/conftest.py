"""Repositories that a test may spoil: a copy of the boarding school's, and one whose model has a closed form."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modelworks.runs import Progress
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.projection._projection import Projected, project

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The example repository with one quick study, without runs."""
    root = tmp_path / "examples"
    for name in ("models/influenza.py", "data/raw/boarding-school-1978.csv", "modelworks.toml"):
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / name, target)
    catalogue = (EXAMPLES / "data" / "catalogue.yaml").read_text(encoding="utf-8")
    start = catalogue.index("boarding-school-1978:")
    rest = catalogue[start:]
    end = next((k for k in range(1, len(rest)) if rest[k - 1] == "\n" and rest[k].isalpha()), len(rest))
    (root / "data" / "catalogue.yaml").write_text(rest[:end], encoding="utf-8")
    shutil.copytree(EXAMPLES / "studies" / "boarding-school", root / "studies" / "boarding-school")
    return root


@pytest.fixture
def study(repository: Path) -> Path:
    return repository / "studies" / "boarding-school"


@pytest.fixture
def quick(study: Path) -> Path:
    """The study with a calibration that takes a second."""
    text = (study / "study.yaml").read_text(encoding="utf-8")
    # Whatever the example asks for: a replacement that misses would make every test of the line slow.
    text = re.sub(r"(?m)^  (chains|draws|warmup|effective_draws|r_hat): .*\n", "", text)
    text, found = re.subn(r"(?m)^calibration:\n", "calibration:\n  chains: 2\n  draws: 120\n  warmup: 120\n", text)
    assert found == 1
    (study / "study.yaml").write_text(text.replace("draws: 400", "draws: 40"), encoding="utf-8")
    return study


# People leave at one rate, and nothing else happens: of N, N·exp(-kt) are left.
MODEL = """
from modelworks import Model, Output, Parameter, Transition, events, people

rate = Parameter("rate", "per {unit}", lower=0)
first = Parameter("first", "people", lower=0)
share = Parameter("share", "proportion", lower=0, upper=1)

{before}
model = Model(
    name="decay",
    time="{unit}s",
    compartments=["here", "gone"],
    flows=[Transition("leaving", "here", "gone", rate=rate)],
    initial={{"here": first, "gone": 0}},
    outputs={{
        "here": Output(people("here"), "people"),
        "left": Output(events("leaving"), "people"),
        "left_share": Output(share * people("here") / first, "proportion"),
    }},
    derived={{"mean_stay": 1 / rate}},
)
"""

PARAMETERS = """
rate: {prior: {log_normal: {median: 0.1, sigma: 0.2}}, unit: per %s, source: a test}
first: {value: 1000, unit: people, source: a test}
share: {value: 50, unit: percent, source: a test}
"""

TARGETS = """
left:
  output: left
  values: {%s}
  unit: people
  covers: %s
  source: a test
  likelihood: poisson
"""


def _decay(
    root: Path, time: str, *, more: str = "", unit: str = "day", values: str = "2021-01-01: 90", covers: str = "day"
) -> Path:
    """The folder of a study of the model; `time` and `more` go into its study.yaml."""
    folder = root / "studies" / "decay"
    for path in (root / "models", root / "data", folder):
        path.mkdir(parents=True, exist_ok=True)
    (root / "modelworks.toml").write_text("", encoding="utf-8")
    (root / "models" / "decay.py").write_text(MODEL.format(unit=unit, before=""), encoding="utf-8")
    head = "title: Decay\nquestion: How long do people stay?\nmodel: models/decay.py\n"
    (folder / "study.yaml").write_text(f"{head}time: {{unit: {unit}s, {time}}}\n{more}", encoding="utf-8")
    (folder / "parameters.yaml").write_text(PARAMETERS % unit, encoding="utf-8")
    (folder / "targets.yaml").write_text(TARGETS % (values, covers), encoding="utf-8")
    return folder


def _drawn(**values: list[float]) -> Any:
    """Draws as a posterior gives them, in one chain."""
    return SimpleNamespace(draws=lambda name: np.array([values[name]], dtype=float))


def _projected(folder: Path, rates: list[float]) -> tuple[BoundStudy, Projected]:
    study = bind(folder)
    return study, project(study, _drawn(rate=rates), Progress(quiet=True), 1)


@pytest.fixture
def decay() -> Callable[..., Path]:
    """Makes a repository whose model has a closed form, and gives the folder of its study."""
    return _decay


@pytest.fixture
def projected() -> Callable[..., tuple[BoundStudy, Projected]]:
    """A study and its projection from given draws of `rate`."""
    return _projected
