"""A run is made again from its folder alone, and what is said of the two is true."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.runs import Run
from modelworks.study import reproduce, run_study
from modelworks.study.inquiries import _reproduce
from modelworks.study.inquiries._reproduce import judge


def made(study: Path, until: str = "project") -> Run:
    run = run_study(study, until=until, quiet=True).run
    assert run is not None
    return run


def changed(study: Path, file: str, pattern: str, new: str) -> None:
    path = study / file
    text, found = re.subn(pattern, new, path.read_text(encoding="utf-8"), count=1)
    assert found == 1, pattern
    path.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_run_made_again_is_the_same_to_the_last_bit(quick: Path, tmp_path: Path) -> None:
    """From the run's own folder: that of the study may have become another, or be gone."""
    run = made(quick)
    changed(quick, "study.yaml", r"seed: \d+", "seed: 5")
    result = reproduce(run, here=True, keep=tmp_path / "kept", quiet=True)
    assert result.verdict == "bit-identical", result.sentences
    assert result.reasons == ()
    assert (tmp_path / "kept" / "repository" / "runs").is_dir()


@pytest.mark.slow
def test_another_seed_is_the_same_posterior_and_another_prior_is_not(quick: Path) -> None:
    changed(quick, "study.yaml", r"draws: \d+", "draws: 600")
    run = made(quick)
    changed(quick, "study.yaml", r"seed: \d+", "seed: 5")
    verdict, sentences = judge(run, made(quick))
    assert verdict == "statistically identical", sentences
    changed(quick, "parameters.yaml", r"normal: {mean: 2, sd: 1}", "normal: {mean: 2.6, sd: 0.05}")
    verdict, sentences = judge(run, made(quick))
    assert verdict == "different"
    assert any(sentence.startswith("contact_rate: 1.7") for sentence in sentences), sentences


@pytest.mark.slow
@pytest.mark.needs("registry")
def test_an_environment_is_made_again_from_its_lock(quick: Path) -> None:
    result = reproduce(made(quick, "simulate"), quiet=True)
    assert result.verdict == "bit-identical", (result.sentences, result.reasons)


@pytest.mark.slow
def test_what_was_not_made_again_is_different(quick: Path) -> None:
    run = made(quick, "simulate")
    changed(quick, "parameters.yaml", r"normal: {mean: 2, sd: 1}", "normal: {mean: 2.5, sd: 1}")
    verdict, sentences = judge(run, made(quick, "simulate"))
    assert verdict == "different"
    assert sentences[0].startswith("simulate/outputs.parquet differs by up to")


@pytest.mark.slow
def test_a_run_that_was_changed_proves_nothing(quick: Path) -> None:
    run = made(quick, "simulate")
    record = run.path / "run.json"
    record.chmod(0o644)
    record.write_text(record.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(ModelworksError, match="T304"):
        reproduce(run, here=True, quiet=True)


@pytest.mark.slow
def test_a_folder_with_things_in_it_is_left_alone(quick: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ModelworksError, match="T303"):
        reproduce(made(quick, "simulate"), here=True, keep=tmp_path, quiet=True)


@pytest.mark.slow
def test_the_study_of_a_run_that_no_longer_works_says_why(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(quick, "simulate")
    whole = _reproduce._inputs

    def spoilt(run: Run, root: Path) -> Path:
        whole(run, root)
        (root / "models" / "influenza.py").write_text("import no_such_module\n", encoding="utf-8")
        return root

    monkeypatch.setattr(_reproduce, "_inputs", spoilt)
    with pytest.raises(ModelworksError, match="T302") as raised:
        reproduce(run, here=True, quiet=True)
    assert "no_such_module" in str(raised.value)


def git(folder: Path, *words: str) -> str:
    told = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout.strip()


def test_the_code_of_a_commit_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that of one with changes, where the run holds them as a patch."""
    from modelworks.runs import _environment
    from modelworks.runs._environment import Source, find_source, forget_source, source_hash

    repository = tmp_path / "tool"
    package = repository / "src" / "modelworks"
    package.mkdir(parents=True)
    code = package / "__init__.py"
    code.write_text("value = 1\n", encoding="utf-8")
    git(repository, "init", "--quiet")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "first")
    first = Source("0.1", source_hash(package), git(repository, "rev-parse", "HEAD"), dirty=False)
    code.write_text("value = 2\n", encoding="utf-8")
    patch = tmp_path / "uncommitted.patch"
    patch.write_text(git(repository, "diff") + "\n", encoding="utf-8")
    edited = Source("0.1", source_hash(package), first.commit, dirty=True)
    code.write_text("value = 3\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "-am", "second")
    monkeypatch.setattr(_environment, "package_folder", lambda: package)
    for number, (wanted, changes, expected) in enumerate(
        [(first, None, "value = 1\n"), (edited, patch, "value = 2\n"), (edited, None, None)]
    ):
        folder = tmp_path / f"copy{number}"
        found = find_source(wanted, folder, changes)
        text = None if found is None else (found / "__init__.py").read_text(encoding="utf-8")
        assert text == expected
        forget_source(folder)
        assert not folder.exists()
    assert git(repository, "worktree", "list").count("\n") == 0
