"""Assumptions are compared by what they say, wherever they are written down, and told with where they come from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.report import AssumptionRow
from modelworks.study import FORMATS, assumptions_of, check_study, layers_of, run_study, what_changed


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def git(folder: Path, *words: str) -> str:
    told = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout.strip()


def test_a_study_is_compared_with_itself_at_a_commit(study: Path, repository: Path) -> None:
    git(repository, "init", "--quiet")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "first")
    commit = git(repository, "rev-parse", "--short", "HEAD")
    edit(study / "parameters.yaml", "normal: {mean: 2, sd: 1}", "normal: {mean: 2.5, sd: 1}")
    path = study / "parameters.yaml"
    text = path.read_text(encoding="utf-8")
    # Moving an entry to another line changes no assumption.
    path.write_text("# The assumptions.\n" + text, encoding="utf-8")
    before, after = (assumptions_of(name, repository) for name in (f"{commit}:boarding-school", "boarding-school"))
    (changed,) = what_changed(before, after)
    assert (changed.name, changed.what) == ("contact_rate", "value")
    assert "mean 2 " in (changed.before or "").replace(",", " ")
    assert "2.5" in (changed.after or "")
    assert git(repository, "worktree", "list").count("\n") == 0


def test_the_last_digit_of_an_assumption_counts(study: Path, repository: Path) -> None:
    """Of a prior and of a value, which a table tells to six digits no more."""
    path, before = study / "parameters.yaml", assumptions_of("boarding-school", repository)
    edit(path, "normal: {mean: 2, sd: 1}", "normal: {mean: 2.0000001, sd: 1}")
    edit(path, "763", "1234567")
    changed = {each.name: each.after for each in what_changed(before, assumptions_of("boarding-school", repository))}
    assert changed["contact_rate"] is not None
    assert "mean 2.0000001 " in changed.pop("contact_rate").replace(",", " ")  # type: ignore[union-attr]
    assert list(changed.values()) == ["1234567"]


@pytest.mark.slow
def test_a_run_remembers_its_assumptions(quick: Path, repository: Path) -> None:
    """Those of its files, and the numbers that stand in the model itself."""
    edit(repository / "models" / "influenza.py", "rate=recovery_rate)", "rate=1.0625 * recovery_rate)")
    run = run_study(quick, quiet=True).run
    assert run is not None
    assert what_changed(assumptions_of(run.id, repository), assumptions_of("boarding-school", repository)) == []
    assert [row.name for row in assumptions_of(run.id, repository) if "1.0625" in row.value] == ["recovery: rate"]
    text = (quick / "parameters.yaml").read_text(encoding="utf-8")
    (quick / "parameters.yaml").write_text(
        re.sub(r"(?m)^contact_rate:\n", "contact_rate:\n  by: Ada\n  why: a better study\n", text), encoding="utf-8"
    )
    changed = what_changed(assumptions_of(run.id, repository), assumptions_of("boarding-school", repository))
    assert [(each.what, each.by, each.why) for each in changed] == [
        ("by", "Ada", "a better study"),
        ("why", "Ada", "a better study"),
    ]


def test_what_came_and_what_went_is_told() -> None:
    old, new = AssumptionRow("a", "1", "people", "x"), AssumptionRow("b", "2", "people", "y", by="Bob")
    came, went = what_changed([new], [old]), what_changed([old], [new])
    assert [(each.name, each.before, each.after) for each in came] == [("b", "2", None), ("a", None, "1")]
    assert [each.by for each in went] == ["", "Bob"]


def test_the_file_that_wins_is_named_with_what_it_overrode(study: Path, repository: Path) -> None:
    base = repository / "studies" / "base"
    base.mkdir()
    (base / "parameters.yaml").write_text(
        "contact_rate: {prior: {normal: {mean: 9, sd: 1}}, unit: per day, source: a guess}\n", encoding="utf-8"
    )
    path = study / "parameters.yaml"
    path.write_text("extends: ../base/parameters.yaml\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    (own, line, value), (lower, below, overridden), *_ = layers_of(check_study(study), "contact_rate")
    assert (own, line) == ("studies/boarding-school/parameters.yaml", 2)
    assert "2" in value
    assert (lower, below) == ("studies/base/parameters.yaml", 1)
    assert "9" in overridden
    with pytest.raises(ModelworksError, match="T311") as raised:
        layers_of(check_study(study), "contact_rat")
    assert "contact_rate" in raised.value.letters[0].hint


def test_a_commit_that_is_not_there_is_a_letter(study: Path, repository: Path) -> None:
    with pytest.raises(ModelworksError, match="T310"):
        assumptions_of("0123abc:boarding-school", repository)


def test_a_table_can_be_taken_into_a_paper() -> None:
    rows = [AssumptionRow("share_50%", "0.5 | <1", "per day", "Smith & Co, R_0 ~ 3")]
    assert r"0.5 \| <1" in FORMATS["markdown"](rows)
    assert r"share 50\% & 0.5 | <1 & per day & Smith \& Co, R\_0 \textasciitilde{} 3 \\" in FORMATS["latex"](rows)
    assert "<td>0.5 | &lt;1</td>" in FORMATS["html"](rows)
