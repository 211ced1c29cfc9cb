"""What a person sees in a terminal: letters, next steps, and never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelworks import cli
from modelworks.cli import _words
from modelworks.errors import ModelworksError
from modelworks.website import publish_site

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
    assert "1 target with 14 values" in err
    assert "next: modelworks run" in err


def test_a_check_of_all_studies_tells_the_mistakes_of_all(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in one study does not hide that of the next; what several share is told once."""
    shutil.copytree(team / "studies" / "first-study", team / "studies" / "second")
    for name in ("first-study", "second"):
        file = team / "studies" / name / "parameters.yaml"
        file.write_text(file.read_text().replace("recovery_rate:", "recovery_rat:"))
    (team / "data" / "catalogue.yaml").write_text("cases: {}\n")
    status, _, err = call(capsys, "check")
    assert status == 1
    assert "studies/first-study/parameters.yaml" in err
    assert "studies/second/parameters.yaml" in err
    assert err.count("D110") == 1


def test_a_check_names_a_program_that_is_not_installed(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The study is sound, and could not run here."""
    stage = "title: T\nquestion: Q?\nstages: {fit: {command: [no-such-program], outputs: {metrics: m.json}}}\n"
    (team / "studies" / "first-study" / "study.yaml").write_text(stage)
    status, _, err = call(capsys, "check", "first-study")
    assert status == 0, err
    assert "`no-such-program`, which is not installed here" in err


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
    assert not re.search(r"\b[A-Z]\d{3}:", err), "what we hand to a newcomer is warned of nothing"
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
        (["run", "--set", "a=1"], "'--set'.\n"),
        (["run", "--quite"], "Did you mean '--quiet'?"),
        (["calibrate", "--unknown"], "--unknown"),
        (["list", "--verdict", "good"], "fine"),
        (["show", "--model", "-o", "/nonexistent/x.svg"], "is not there"),
        (["show", "--model", "-o", "studies/x.svg/.."], "folder"),
        (["show", "ffff", "-o", "x.svg"], "--model"),
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


@pytest.mark.slow
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


@pytest.fixture
def quick(team: Path) -> Path:
    """The first study with as few draws as are taken, which are too few to believe."""
    path = team / "studies" / "first-study" / "study.yaml"
    text = path.read_text(encoding="utf-8")
    few = "calibration: {chains: 2, draws: 20, warmup: 60, seed: 1978}\n\n"
    path.write_text(re.sub(r"calibration:\n.*?\n\n", few, text, flags=re.DOTALL), encoding="utf-8")
    return team


@pytest.mark.slow
def test_an_answer_that_must_not_be_used_does_not_come_alone(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script that reads stdout gets the verdict with the answer, and one that goes on after success stops."""
    status, out, err = call(capsys, "run", "--quiet")
    assert status == cli.DO_NOT_USE, err
    verdict, answer = out.splitlines()
    assert verdict.startswith("✗ stop: ")
    assert answer.startswith("One case infects")
    status, out, _ = call(capsys, "run", "--quiet", "--json")
    assert status == cli.DO_NOT_USE
    assert json.loads(out)[0]["verdict"] == "stop"


@pytest.mark.slow
def test_a_quick_look_does_not_take_the_place_of_a_result(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`simulate` after `run` has nothing to add; before it, its run has no report to open and no answer to print."""
    call(capsys, "simulate", "--quiet")
    status, out, err = call(capsys, "show")
    assert status == 0
    assert "None" not in out
    assert "report.html" not in err
    assert "next: modelworks report first-study" in err
    call(capsys, "run", "--quiet")
    _, out, _ = call(capsys, "show", "--json")
    whole = json.loads(out)["id"]
    _, _, err = call(capsys, "simulate", "--quiet")
    assert f"nothing to do: no input has changed · run {whole}" in err
    path = quick / "studies" / "first-study" / "parameters.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("value: 5", "value: 6"), encoding="utf-8")
    call(capsys, "simulate", "--quiet")
    _, out, _ = call(capsys, "show", "--json")
    assert json.loads(out)["id"] == whole


@pytest.mark.slow
def test_a_damaged_run_is_told_of_wherever_runs_are_listed(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is left out without a word is taken for one that never was."""
    call(capsys, "simulate", "--quiet")
    (record,) = (quick / "runs").rglob("run.json")
    record.chmod(0o644)
    record.write_text("{", encoding="utf-8")
    for words in (["list"], ["list", "--json"], ["show"]):
        _, _, err = call(capsys, *words)
        assert "R103" in err, words
    _, out, _ = call(capsys, "doctor")
    assert "! runs: 1 run can not be read" in out
    _, _, err = call(capsys, "simulate", "--quiet")
    assert "put together anew" in err
    assert "1 run of this study can not be read" in err
    assert "nothing to do" not in err


def test_a_mistake_on_the_command_line_is_json_where_json_was_asked_for(
    team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that reads our answers reads this one, too."""
    status, out, _ = call(capsys, "list", "--verdict", "good", "--json")
    assert status == 2
    assert json.loads(out)["mistakes"][0]["code"] == "Y401"
    status, out, _ = call(capsys, "show", "--model", "--json")
    assert status == 0
    assert json.loads(out)["svg"].startswith("<svg")


def test_there_is_one_next_step_and_it_is_the_one_to_take(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a study there is nothing above to mend, and there is nothing to run."""
    shutil.rmtree(team / "studies")
    for verb in ("check", "run", "doctor"):
        _, out, err = call(capsys, verb)
        assert "modelworks new" in out + err
        assert err.count("next:") == 1
        assert "mistake" not in err
        assert "--all" not in err


@pytest.mark.parametrize("setting", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]) -> None:
    """https://no-color.org, and the shells inside of editors."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert _words._colour() is None
    monkeypatch.setenv(*setting)
    assert _words._colour() is False


@pytest.mark.slow
def test_a_locale_without_umlauts_is_no_obstacle(team: Path) -> None:
    """A batch system starts jobs under LC_ALL=C, in whatever folder the team has."""
    folder = team.rename(team.with_name("umläut"))
    bare = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for words in (["check"], ["simulate", "--quiet"], ["list"]):
        done = subprocess.run(
            [sys.executable, "-m", "modelworks", *words], cwd=folder, env=bare, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
    done = subprocess.run(
        [sys.executable, "-m", "modelworks", "check"],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def as_a_guest() -> Iterator[None]:
    """Whoever runs the tests as root is somebody else for a moment: root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared(team: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The repository where a guest may look at it, but not write."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "team")
        shutil.copytree(team, folder)
        Path(place).chmod(0o755)
        folder.chmod(0o555)
        monkeypatch.chdir(folder)
        yield folder
        folder.chmod(0o755)
        for each in folder.rglob("*"):
            each.chmod(0o755)


@pytest.mark.needs("posix")
@pytest.mark.parametrize(
    ("shut", "arguments"),
    [
        ("models/sir.py", ["check"]),
        ("modelworks.toml", ["check"]),
        ("studies/first-study", ["check"]),
        ("studies/first-study", ["check", "first-study"]),
        ("studies", ["run"]),
        ("studies", ["new", "second"]),
        ("nothing", ["new", "second"]),
        ("nothing", ["show", "--model", "-o", "model.svg"]),
        ("nothing", ["simulate", "--quiet"]),
    ],
)
def test_what_may_not_be_read_or_written_is_a_letter(
    shared: Path, capsys: pytest.CaptureFixture[str], shut: str, arguments: list[str]
) -> None:
    """A shared disk is full of other people's folders."""
    if (shared / shut).exists():
        (shared / shut).chmod(0)
    (shared / "studies").chmod(0o555 if shut != "studies" else 0)
    with as_a_guest():
        status, out, err = call(capsys, *arguments)
    assert status == 1, out
    assert "Traceback" not in err
    assert "you may not" in err or "can not be written" in err
    if (shared / shut).exists():
        assert shut in err


@pytest.mark.needs("posix")
def test_a_site_that_can_not_be_written_is_named_as_it_was_asked_for(shared: Path) -> None:
    """And not by the name of the folder beside it that we write first."""
    with as_a_guest(), pytest.raises(ModelworksError) as raised:
        publish_site([], shared / "site")
    assert "`site` can not be used" in raised.value.letters[0].message
