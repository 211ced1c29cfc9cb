"""What is known of how a result came about, and what must never be written down."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from modelworks.runs import provenance

pytestmark = pytest.mark.needs("git")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=A. Modeller", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "studies"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "A. Modeller")
    (root / "model.py").write_text("beta = 1\n", encoding="utf-8")
    (root / "old.md").write_text("gone soon\n", encoding="utf-8")
    (root / ".gitignore").write_text("ignored.py\n", encoding="utf-8")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_clean_repository_is_its_commit(repository: Path) -> None:
    """Nothing else is needed to make the result again."""
    known = provenance(repository)
    assert known["commit"] == git(repository, "rev-parse", "HEAD")
    assert (known["branch"], known["dirty"], known["patch"]) == ("main", False, None)
    assert known["person"] == "A. Modeller"
    assert known["not_in_patch"] == []


def test_the_patch_makes_the_uncommitted_files_again(repository: Path, tmp_path: Path) -> None:
    """A result of a model that was never committed could otherwise not be explained."""
    (repository / "model.py").write_text("beta = 2\n", encoding="utf-8")
    (repository / "old.md").unlink()
    (repository / "sub").mkdir()
    (repository / "sub" / "nëw.py").write_text("gamma = 3", encoding="utf-8")
    (repository / "ignored.py").write_text("x", encoding="utf-8")
    known = provenance(repository / "sub")
    assert known["dirty"] is True
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    (tmp_path / "patch").write_text(known["patch"], encoding="utf-8")
    git(clone, "apply", str(tmp_path / "patch"))
    assert (clone / "model.py").read_text("utf-8") == "beta = 2\n"
    assert (clone / "sub" / "nëw.py").read_text("utf-8") == "gamma = 3"
    assert not (clone / "old.md").exists()
    assert not (clone / "ignored.py").exists()


def test_secrets_and_data_are_named_but_not_kept(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is shared; a password in it can not be taken back."""
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    for name in (".env", "prod.env.py", "secrets.yaml", "api-token.txt", "id_rsa", "patients.csv"):
        (repository / name).write_text("hunter2", encoding="utf-8")
    (repository / "large.txt").write_text("hunter2" * 100_000, encoding="utf-8")
    known = provenance(repository)
    assert "hunter2" not in json.dumps(known)
    assert known["not_in_patch"] == sorted(
        [".env", "prod.env.py", "secrets.yaml", "api-token.txt", "id_rsa", "patients.csv", "large.txt"]
    )


def test_it_works_without_git_and_before_the_first_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer tries a study in a folder that is no repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    known = provenance(tmp_path)
    assert (known["commit"], known["dirty"], known["patch"]) == (None, None, None)
    git(tmp_path, "init", "-q")
    (tmp_path / "model.py").write_text("x = 1\n", encoding="utf-8")
    known = provenance(tmp_path)
    assert known["commit"] is None
    assert known["dirty"] is True
    monkeypatch.setenv("PATH", "")
    assert provenance(tmp_path)["commit"] is None


def test_the_machine_and_the_packages_are_known(tmp_path: Path) -> None:
    """Two machines that disagree differ in something."""
    known = provenance(tmp_path)
    assert {"processor", "cores", "memory_gb", "system", "python"} <= set(known["machine"])
    assert known["packages"]["numpy"]
