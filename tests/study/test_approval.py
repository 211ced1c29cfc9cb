"""What must hold before the team stands behind a run, and who signs: settings, gates, files, code, data."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.jobs import Attempt, Claim
from modelworks.runs import Run, Store, approved_runs
from modelworks.study import (
    carry_out,
    check_study,
    needs_of,
    order_study,
    promote,
    requirements,
    run_study,
    runs_of_repository,
    sign_run,
    withdraw_run,
)

DECLARED = """
approval:
  sign: [modeller, reviewer]
  gates: ["recovery_rate < 5", "contact_rate > 100", "contakt_rate > 1"]
"""


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def committed(repository: Path) -> Path:
    """The repository, in git, by Ada."""
    (repository / ".gitignore").write_text("runs/\n.modelworks/\ndata/prepared/\n", encoding="utf-8")
    git(repository, "init", "-q")
    for name, value in (("name", "Ada"), ("email", "ada@example.org")):
        git(repository, "config", f"user.{name}", value)
    commit(repository)
    return repository


def commit(repository: Path) -> None:
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "as it is")


def run_of(study: Path) -> Run:
    made = run_study(study, quiet=True).run
    assert made is not None
    return made


def codes(call: object) -> tuple[str, ...]:
    with pytest.raises(ModelworksError) as caught:
        call()  # type: ignore[operator]
    return caught.value.codes


def failing(repository: Path, run: Run) -> dict[str, str]:
    return {each.name: each.words for each in requirements(repository, run) if not each.holds}


@pytest.mark.slow
def test_a_run_is_approved_by_those_its_study_names(committed: Path, study: Path) -> None:
    """The whole way: required, put forward, signed by two, superseded by nothing, withdrawn."""
    file, settings = study / "study.yaml", committed / "modelworks.toml"
    plain = file.read_text(encoding="utf-8")
    run = run_of(study)
    # What was not calibrated enough is no reason here to stop; a quick calibration may be.
    assert set(failing(committed, run)) <= {"verdict"}
    file.write_text(plain + DECLARED, encoding="utf-8")
    settings.write_text(
        settings.read_text(encoding="utf-8") + '\n[approval.people]\nreviewer = ["Grace"]\n', encoding="utf-8"
    )
    assert needs_of(committed, run) == ("modeller", "reviewer")
    told = failing(committed, run)
    assert set(told) - {"verdict"} == {"contact_rate > 100", "contakt_rate > 1"}
    assert "did you mean `contact_rate`?" in told["contakt_rate > 1"]
    assert set(codes(lambda: promote(committed, run.id))) == {"R170"}
    file.write_text(plain.replace("contact_rate: {multiply: 0.5}", "contact_rate: {multiply: 0.25}"), encoding="utf-8")
    assert "project would be done again" in failing(committed, run)["inputs"]
    file.write_text(plain + DECLARED.replace('"contact_rate > 100", "contakt_rate > 1"', ""), encoding="utf-8")
    # The files differ from the last commit: what is made now is no run to stand behind, until they are committed.
    dirty = run_of(study)
    assert set(failing(committed, dirty)) - {"verdict"} == {"code"}
    commit(committed)
    clean = run_of(study)
    assert clean.key != dirty.key
    if "verdict" in failing(committed, clean):
        pytest.fail(f"the quick study is of the verdict {clean.record['verdict']}: give it more draws")
    assert promote(committed, clean.id).missing == ("modeller", "reviewer")
    assert codes(lambda: sign_run(committed, clean.id)) == ("R179",)  # Ada made it
    assert codes(lambda: sign_run(committed, clean.id, by="Emmy", role="reviewer")) == ("Y164",)
    assert sign_run(committed, clean.id, by="Emmy").state == "open"
    assert sign_run(committed, clean.id, by="grace").state == "approved"
    assert [each.run for each in approved_runs(Store(committed / "runs"))] == [clean.key]
    assert withdraw_run(committed, clean.id, reason="a slip").state == "withdrawn"


def test_a_gate_that_can_not_be_understood_is_told_where_it_stands(study: Path) -> None:
    file = study / "study.yaml"
    text = file.read_text(encoding="utf-8") + '\napproval:\n  gates: ["contact_rate is high"]\n'
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        check_study(study)
    (letter,) = caught.value.letters
    assert (letter.code, letter.file) == ("R151", "studies/boarding-school/study.yaml")
    assert letter.line == text.count("\n")


def test_settings_of_approval_are_checked(repository: Path, study: Path) -> None:
    settings = repository / "modelworks.toml"
    plain = settings.read_text(encoding="utf-8")
    wrong = '\n[approval]\nsign = "reviewer"\nown_run = "yes"\npeople = ["Ada"]\nsings = ["x"]\n'
    settings.write_text(plain + wrong, encoding="utf-8")
    assert codes(lambda: check_study(study)) == ("Y132",) * 4


def test_what_is_said_is_json_that_anybody_reads(tmp_path: Path) -> None:
    """A word outlives us as a run does."""
    from modelworks.runs import Requirement, propose

    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "table.csv").write_text("a\n1\n", encoding="utf-8")
    store = Store(tmp_path / "runs")
    run = store.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={})
    propose(store, run.key, needs=("reviewer",), found=(Requirement("verdict", True, "fine"),), by="Ada")
    (said,) = (tmp_path / "runs" / ".promotions").rglob("*.json")
    told = json.loads(said.read_text(encoding="utf-8"))
    assert (told["run"], told["kind"], told["by"], told["needs"]) == (run.key, "proposed", "Ada", ["reviewer"])


def test_a_run_with_typed_assumptions_says_so_to_whoever_signs_it(committed: Path, quick: Path) -> None:
    """No commit holds them: the run's own files do, which the signature is given on, also where a job made it."""
    commit(committed)
    order = order_study(quick, until="simulate", changes=["value contact_rate = 1.75"])
    assert order.title == "boarding-school: simulate, with value contact_rate = 1.75"
    attempt = Attempt.prepare(committed / ".modelworks/jobs", Claim(order.id, "a worker", 1, 1, 3, order))
    carry_out(attempt.folder)
    (run,) = runs_of_repository(committed)
    assert re.fullmatch("boarding-school-contact-rate-1.75-[0-9a-f]{6}", run.study)
    assert run.record["title"].endswith(": contact rate 1.75")
    assert run.record["rerun"] == {"of": "boarding-school", "changes": ["value contact_rate = 1.75"]}
    found = {each.name: each for each in requirements(committed, run)}
    assert found["assumptions"].holds
    assert found["assumptions"].words.startswith("not those of `boarding-school`, but with value contact_rate = 1.75")
    # Only its first stage was done.
    assert set(failing(committed, run)) == {"verdict", "report", "inputs"}
    assert "simulate" not in found["inputs"].words
    (file,) = run.path.glob("inputs/.modelworks/reruns/*/parameters.yaml")
    assert "1.75" in file.read_text(encoding="utf-8")
