"""What a person sees in a terminal: letters, next steps, and never a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelworks import cli

EXAMPLES = Path(__file__).parents[2] / "examples"


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process: exit status, stdout, stderr."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A new repository, as `modelworks new` makes it, and we stand in it."""
    monkeypatch.chdir(tmp_path)
    status, _, err = call(capsys, "new", "our-studies")
    assert status == 0
    assert "next: cd our-studies && modelworks run first-study" in err
    monkeypatch.chdir(tmp_path / "our-studies")
    return tmp_path / "our-studies"


def test_a_new_repository_has_no_mistakes(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What we hand to a newcomer passes our own check."""
    status, _, err = call(capsys, "check")
    assert status == 0, err
    assert "first-study" in err
    assert "next: modelworks run" in err


def test_a_second_study_starts_from_another_model(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`new` inside a repository makes a study, and that study is sound too."""
    status, _, err = call(capsys, "new", "second-study", "--model", "seir")
    assert status == 0, err
    status, _, err = call(capsys, "check", "second-study")
    assert status == 0, err


@pytest.mark.slow
def test_a_newcomers_first_study_reaches_its_report(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From nothing to a judged report with two commands."""
    status, out, err = call(capsys, "run", "first-study", "--quiet")
    assert status == 0, err
    assert "One case infects" in out
    assert "report.html" in err
    status, out, _ = call(capsys, "list", "--json")
    (entry,) = json.loads(out)
    assert entry["verdict"] in ("fine", "look")
    status, out, err = call(capsys, "show", entry["id"][:4])
    assert status == 0, err
    assert "all as they were written" in out
    status, _, err = call(capsys, "publish", "site")
    assert status == 0, err
    assert (team / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["chek"], "did you mean `check`?"),
        (["check", "first-stdy"], "first-study"),
        (["run", "nothing"], "first-study"),
        (["show", "ffff"], "run"),
        (["explain", "P9999"], "P"),
        (["new", "Not A Name"], "small letters"),
        (["new", "first-study"], "exists already"),
        (["new", "third", "--model", "sirx"], "sir"),
        (["publish"], "modelworks run"),
        (["run", "--cores", "0"], "--cores"),
        (["calibrate", "--unknown"], "--unknown"),
        (["list", "--verdict", "good"], "fine"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_letter_with_a_next_step(
    team: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    """No traceback, a status that is not zero, a hint, and what to do next."""
    status, out, err = call(capsys, *arguments)
    assert status != 0
    assert "Traceback" not in out + err
    assert word in err
    assert "next:" in err


def test_outside_of_any_repository_one_is_told_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The very first mistake anybody makes."""
    monkeypatch.chdir(tmp_path)
    for verb in ("check", "run", "list", "show", "publish"):
        status, _, err = call(capsys, verb)
        assert status == 1
        assert "modelworks new" in err


def test_mistakes_as_json_are_a_list_with_file_and_line(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An editor can jump to each of them."""
    path = team / "studies" / "first-study" / "parameters.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("unit: per day", "unit: per dya", 1).replace("value: 5", "value: -5"), encoding="utf-8"
    )
    status, out, _ = call(capsys, "check", "--json")
    assert status == 1
    mistakes = json.loads(out)["mistakes"]
    assert len(mistakes) >= 2
    assert all(m["file"].endswith("parameters.yaml") and m["line"] and m["hint"] for m in mistakes)


def test_every_code_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """A letter's code leads to its page."""
    from modelworks.errors import explanations

    for code in list(explanations())[::9]:
        status, out, _ = call(capsys, "explain", code.lower())
        assert status == 0
        assert code in out
        assert "rule:" in out


def test_the_model_draws_itself(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`show --model` is a picture."""
    status, out, _ = call(capsys, "show", "--model", "first-study")
    assert status == 0
    assert out.startswith("<svg")
    assert "infectious" in out


def test_the_doctor_finds_a_sound_machine(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The machine that runs these tests can run models."""
    status, out, err = call(capsys, "doctor", "--json")
    assert status == 0, out + err
    assert {"Python", "numbers", "kernel cache"} <= {finding["about"] for finding in json.loads(out)}


def test_python_dash_m_is_the_command_line() -> None:
    """`python -m modelworks` works where the script is not on the path."""
    done = subprocess.run(
        [sys.executable, "-m", "modelworks", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "modelworks" in done.stdout


def test_a_reader_that_stops_reading_is_no_error(tmp_path: Path) -> None:
    """`modelworks explain P101 | head -1` ends quietly."""
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        [shell, "-c", f"{sys.executable} -m modelworks explain M101 | head -1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
