"""A copy of the boarding school's repository that a test may spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

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
    text = (
        text.replace("draws: 1000", "draws: 120")
        .replace("warmup: 600", "warmup: 120")
        .replace("chains: 4", "chains: 2")
    )
    (study / "study.yaml").write_text(text.replace("draws: 400", "draws: 40"), encoding="utf-8")
    return study
