"""A command, a function or a notebook: given what it declares, recorded, cached, judged, and told of when it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.report import export_crate
from modelworks.runs import Progress, compare
from modelworks.study import Result, check_study, missing_program, run_study
from modelworks.study.inquiries._reproduce import judge
from modelworks.study.own_stages._execution import ending_in_words, execute, surroundings
from modelworks.study.own_stages._stage_outputs import read_draws, read_metrics
from modelworks.study.own_stages._stage_work import draws_table

Made = Callable[..., Path]
COPY = "import os, sys; open('out.csv', 'w').write(open('in.csv').read())"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A repository with one study of stages; `stages` is YAML, files are written beside it."""

    def make(stages: str, **files: str) -> Path:
        folder = tmp_path / "studies" / "own"
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / "modelworks.toml").touch()
        head = "title: A test\nquestion: Does it run?\nstages:\n"
        (folder / "study.yaml").write_text(head + textwrap.indent(textwrap.dedent(stages).strip(), "  ") + "\n")
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(textwrap.dedent(text))
        return folder

    return make


def run(folder: Path, until: str = "fit") -> Result:
    return run_study(folder, until=until, quiet=True)


def stage_folder(result: Result, stage: str = "fit") -> Path:
    assert result.run is not None
    return result.run.path / stage


def letters(folder: Path, until: str = "fit") -> ModelworksError:
    with pytest.raises(ModelworksError) as raised:
        run(folder, until)
    return raised.value


WRITES = """
fit:
  command: [python, fit.py]
  outputs: {metrics: m.json}
"""


def test_a_command_is_given_its_script_and_its_metrics_become_numbers_of_the_run(made: Made) -> None:
    result = run(made(WRITES, fit__py='open("m.json", "w").write(\'{"a": 1, "b": {"c": [2.5]}}\')'))
    assert result.run is not None
    numbers = result.run.record["quantities"]
    assert {name: each["median"] for name, each in numbers.items()} == {"fit.a": 1.0, "fit.b.c": 2.5}
    ran = json.loads((stage_folder(result) / "execution.json").read_text())
    assert ran["command"] == "python fit.py"
    assert ran["programs"][0]["version"] == f"Python {sys.version.split()[0]}"
    assert list(ran["inputs"]) == ["fit.py"]


def test_what_is_not_declared_is_not_there(made: Made) -> None:
    """A stage that works because of a file nobody named works on one machine."""
    folder = made(WRITES, fit__py='open("secret.txt"); open("m.json", "w").write("{}")', secret__txt="x")
    error = letters(folder)
    assert error.codes == ("Y602",)
    assert "`secret.txt` is not among the stage's `inputs`" in error.letters[0].hint
    assert "FileNotFoundError" in error.letters[0].message


def test_nothing_of_the_shell_comes_in(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a variable that somebody exported a year ago decides a result."""
    monkeypatch.setenv("HIDDEN", "1")
    script = """
        import json, os
        seen = {"hidden": "HIDDEN" in os.environ, "said": os.environ["SAID"], "seed": os.environ["MODELWORKS_SEED"]}
        json.dump(seen, open("seen.json", "w"))
    """
    stages = """
        fit:
          command: [python, fit.py]
          environment: {SAID: yes}
          seed: 7
          outputs: {files: seen.json}
    """
    seen = json.loads((stage_folder(run(made(stages, fit__py=script))) / "seen.json").read_text())
    assert seen == {"hidden": False, "said": "yes", "seed": "7"}


@pytest.fixture
def copying(made: Made) -> Path:
    stages = f"""
        fit:
          title: First
          command: [python, -c, "{COPY}"]
          inputs: {{in.csv: a.csv}}
          outputs: {{tables: out.csv}}
        then:
          command: [python, -c, "{COPY.replace("out.csv", "last.csv")}"]
          results: {{in.csv: fit/out.csv}}
          outputs: {{tables: last.csv}}
    """
    return made(stages, a__csv="x\n1\n", b__csv="x\n1\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        ("title: First", "title: Second", []),
        ("in.csv: a.csv", "in.csv: b.csv", []),  # the same content
        ("import os, sys;", "import sys;", ["fit", "then"]),
        ("inputs:", "seed: 2\n    inputs:", ["fit", "then"]),
        ("inputs:", "environment: {A: b}\n    inputs:", ["fit", "then"]),
        ("inputs:", "limit_minutes: 5\n    inputs:", []),
    ],
)
def test_a_stage_is_done_again_when_what_it_depends_on_changed(
    copying: Path, old: str, new: str, again: list[str]
) -> None:
    run(copying, "then")
    text = (copying / "study.yaml").read_text()
    (copying / "study.yaml").write_text(text.replace(old, new, 1))
    done = [each["name"] for each in run(copying, "then").stages if not each["reused"]]
    assert done == again


def test_another_content_of_an_input_reaches_what_comes_after(copying: Path) -> None:
    run(copying, "then")
    (copying / "a.csv").write_text("x\n2\n")
    result = run(copying, "then")
    assert [each["name"] for each in result.stages if not each["reused"]] == ["fit", "then"]
    assert (stage_folder(result, "then") / "last.csv").read_text() == "x\n2\n"


FUNCTION = """
    def train(cases, seed, factor=2):
        return {"m.json": {"sum": float(cases["x"].sum()) * factor, "seed": seed}, "t.parquet": cases}
"""
CATALOGUE = """
cases:
  title: Cases
  publisher: Nobody
  licence: CC0
  source: invented for a test
  retrieved: 2026-11-01
  file: cases.csv
  sha256: 9a02d3ba03fa34aa7e9b2a3a7fd1bbd4c43f4db4dff7c3fb0bff68c7bbd9ba57
  sensitivity: public
  columns: {x: {unit: people, meaning: people}}
"""


@pytest.mark.slow
def test_a_function_is_given_tables_of_the_catalogue_and_gives_files(made: Made, tmp_path: Path) -> None:
    import hashlib

    content = "x\n1\n4\n"
    stages = """
        fit:
          function: studies/own/fit.py:train
          data: {cases.csv: cases}
          seed: 3
          outputs: {metrics: m.json, tables: t.parquet}
    """
    folder = made(stages, fit__py=FUNCTION)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cases.csv").write_text(content)
    head, _, rest = CATALOGUE.partition("sha256: ")
    digest = hashlib.sha256(content.encode()).hexdigest()
    (tmp_path / "data" / "catalogue.yaml").write_text(f"{head}sha256: {digest}\n{rest.partition(chr(10))[2]}")
    result = run(folder)
    assert result.run is not None
    assert result.run.record["quantities"]["fit.sum"]["median"] == 10.0
    assert result.run.record["data"] == {"cases": digest}
    assert pd.read_parquet(stage_folder(result) / "t.parquet")["x"].tolist() == [1.0, 4.0]


# -- draws -------------------------------------------------------------------------------------------


def draws(chains: int = 4, number: int = 400, shift: float = 0.0) -> pd.DataFrame:
    key = np.random.default_rng(1)
    table = pd.DataFrame({"chain": np.repeat(range(chains), number), "draw": np.tile(range(number), chains)})
    return table.assign(a=key.normal(size=len(table)) + shift * table["chain"], b=key.normal(size=len(table)))


DRAWS = """
fit:
  command: [python, -c, "open('d.csv', 'w').write(open('given.csv').read())"]
  inputs: [given.csv]
  outputs: {posterior: d.csv}
"""


def test_draws_of_a_foreign_sampler_are_judged_like_ours(made: Made) -> None:
    assert run(made(DRAWS, given__csv=draws().to_csv(index=False))).verdict == "fine"
    apart = run(made(DRAWS, given__csv=draws(shift=3.0).to_csv(index=False)))
    assert apart.verdict == "stop"
    assert apart.run is not None
    assert apart.run.record["parameters"]["fit.b"]["median"] == pytest.approx(0.0, abs=0.1)


def test_rows_of_draws_may_come_in_any_order_and_form(tmp_path: Path) -> None:
    wide = draws(2, 5)
    wide.sample(frac=1, random_state=1).rename(columns={"chain": ".chain", "draw": ".draw"}).to_csv(
        tmp_path / "wide.csv", index=False
    )
    wide.melt(["chain", "draw"], var_name="parameter").to_parquet(tmp_path / "long.parquet")
    for name in ("wide.csv", "long.parquet"):
        found = read_draws(tmp_path / name).parameters
        np.testing.assert_allclose(found["a"], wide["a"].to_numpy().reshape(2, 5))


@pytest.mark.slow
def test_runs_of_the_same_posterior_by_other_draws_are_statistically_identical(made: Made) -> None:
    """And those of another posterior differ."""
    texts = [draws(), draws().assign(a=lambda t: -t["a"]), draws().assign(a=lambda t: t["a"] + 0.5)]
    runs = [run(made(DRAWS, given__csv=text.to_csv(index=False))).run for text in texts]
    assert runs[0] is not None
    assert runs[1] is not None
    assert runs[2] is not None
    assert judge(runs[0], runs[0])[0] == "bit-identical"
    assert judge(runs[0], runs[1])[0] == "statistically identical"
    assert judge(runs[0], runs[2])[0] == "different"
    assert [each.name for each in compare([runs[0], runs[2]]).numbers if each.moved] == ["fit.a", "fit.b"][:1]


@pytest.mark.slow
def test_our_draws_are_handed_on_as_a_table(quick: Path) -> None:
    """Base R reads CSV, and neither NetCDF nor Parquet."""
    run_study(quick, until="calibrate", quiet=True)
    text = (quick / "study.yaml").read_text()
    look = "stages:\n  look:\n    command: [python, -c, \"open('n.csv', 'w').write(open('d.csv').read())\"]\n"
    look += "    results: {d.csv: calibrate/posterior.nc}\n    outputs: {tables: n.csv}\n"
    (quick / "study.yaml").write_text(text + look)
    result = run_study(quick, until="look", quiet=True)
    assert [each["name"] for each in result.stages if not each["reused"]] == ["look"]
    assert result.run is not None
    posterior = Posterior.read(result.run.path / "calibrate" / "posterior.nc")
    table = pd.read_csv(result.run.path / "look" / "n.csv")
    pd.testing.assert_frame_equal(table, draws_table(posterior))
    assert list(table["chain"].unique()) == [1, 2]


# -- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("import sys; sys.exit('no luck')", "Y602", "ended with exit status 1"),
        ("import os; os.kill(os.getpid(), 9)", "Y602", "was killed (SIGKILL), which the system does when memory"),
        ("pass", "Y604", "did not write `m.json`"),
        ("open('M.json', 'w')", "Y604", "did not write `m.json`"),
        ("open('m.json', 'w').write('{')", "Y605", "is no JSON"),
    ],
)
def test_a_stage_that_goes_wrong_is_told_of(made: Made, script: str, code: str, said: str) -> None:
    error = letters(made(WRITES, fit__py=script))
    assert error.codes == (code,)
    assert said in error.letters[0].message
    assert error.letters[0].file == "studies/own/study.yaml"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Error in library(x) : there is no package called ‘deSolve’", 'install.packages("deSolve")'),
        ("ModuleNotFoundError: No module named 'sklearn'", "pip install sklearn"),
        ("cannot open file 'case.csv': No such file or directory", "it was given `fit.py`, and sees nothing else"),
    ],
)
def test_what_is_missing_is_named_by_the_hint(made: Made, said: str, hint: str) -> None:
    error = letters(made(WRITES, fit__py=f"import sys; sys.exit({said!r})"))
    assert hint in error.letters[0].hint


def test_all_that_a_failed_stage_said_is_kept(made: Made, tmp_path: Path) -> None:
    folder = made(WRITES, fit__py="import sys\nfor k in range(50): print(k)\nsys.exit('no luck')")
    error = letters(folder)
    kept = tmp_path / ".modelworks" / "failed" / "own-fit"
    assert ".modelworks/failed/own-fit" in error.letters[0].hint
    assert (kept / "stdout.txt").read_text().splitlines()[-1] == "49"
    assert (kept / "stderr.txt").read_text() == "no luck\n"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("draw,a\n1,2\n", "no column `chain`"),
        ("chain,draw,a\n1,1,2\n1,2,3\n2,1,2\n", "chains of 2, 1 draws"),
        ("chain,draw,a\n1,1,2\n1,1,2\n", "the same draw of a chain twice"),
        ("chain,draw\n1,1\n1,2\n1,3\n1,4\n", "no column of a parameter"),
        ("chain,draw,a\n1,1,\n1,2,1\n1,3,1\n1,4,1\n", "a gap"),
        ("chain,draw,a\n1,1,x\n1,2,1\n1,3,1\n1,4,1\n", "no number"),
        ("", "no table that can be read"),
    ],
)
def test_draws_that_are_none_are_told_of(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "d.csv").write_text(table)
    with pytest.raises(ModelworksError, match=said) as raised:
        read_draws(tmp_path / "d.csv")
    assert raised.value.codes == ("Y605",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "no object of names"),
        ('{"a": "high"}', "says `a` is high"),
        ('{"a": NaN}', "no finite number"),
        ('{"a": {"value": 1, "low": true, "high": 2}}', "no finite number"),
        ('{"a": {"b": [1, 2]}}', "says `a.b` is"),
    ],
)
def test_metrics_that_are_no_numbers_are_told_of(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ModelworksError, match=said) as raised:
        read_metrics(tmp_path / "m.json")
    assert raised.value.codes == ("Y605",)


def test_a_study_without_a_model_says_nothing_of_one(made: Made) -> None:
    folder = made(STAGE, fit__py="")
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text + "scenarios: {a: {title: A}}\n")
    with pytest.raises(ModelworksError) as raised:
        check_study(folder)
    assert raised.value.codes == ("Y146",)


STAGE = "fit: {command: [python, fit.py], outputs: {metrics: m.json}}"


@pytest.mark.parametrize(
    ("stages", "code", "said"),
    [
        ("fit: {outputs: {metrics: m.json}}", "Y141", "nothing that is run"),
        (STAGE.replace("command:", "notebook: a.ipynb, command:"), "Y141", "`command` and `notebook`"),
        (STAGE.replace("[python, fit.py]", "python fit.py > m.json"), "Y141", "`>` in the command"),
        (STAGE.replace("[python, fit.py]", "python 'fit.py"), "Y141", "can not be taken apart"),
        ("fit: {function: fit.py, outputs: {metrics: m.json}}", "Y141", "names no function"),
        ("fit: {function: fit.py:trian, outputs: {metrics: m.json}}", "Y141", "defines no function `trian`"),
        (STAGE.replace("outputs", "inputs: [fit.R], outputs"), "Y142", "`fit.R`, which is no file"),
        (STAGE.replace("fit.py", "Fit.py"), "Y142", "`Fit.py`, which is no file"),
        (STAGE.replace("fit:", "calibrate:", 1), "Y143", "one of the line's own"),
        (STAGE.replace("fit:", "My fit:", 1), "Y143", "can not be the name"),
        (STAGE.replace("outputs", "inputs: [../own/fit.py], outputs"), "Y143", "does not lie in the working folder"),
        (STAGE.replace("m.json", "stage.json"), "Y143", "a name of the record's own"),
        (STAGE.replace("m.json", "m.csv"), "Y144", "can not be read as one of its `metrics`"),
        (STAGE.replace("metrics: m.json", "figures: [a.pdf]"), "Y144", "`a.pdf`"),
        (STAGE.replace("metrics", "metric"), "Y120", "`metric` is not a name"),
        (STAGE.replace("outputs: {metrics: m.json}", "seed: 1"), "Y121", "`outputs` is missing"),
        (STAGE.replace("outputs", "results: {a.csv: fti/a.csv}, outputs"), "Y145", "from `fti`, which is no stage"),
        (STAGE.replace("outputs", "results: {a.csv: fit/m.json}, outputs"), "Y145", "wait for each other: fit → fit"),
        (STAGE.replace("outputs", "data: {a.csv: cases}, outputs"), "D101", "no dataset `cases`"),
        (STAGE.replace("outputs", "limit_minutes: 0, outputs"), "Y123", "`limit_minutes` is 0"),
    ],
)
def test_a_mistake_in_the_file_is_told_before_anything_runs(made: Made, stages: str, code: str, said: str) -> None:
    folder = made(stages, fit__py="def train(): ...")
    with pytest.raises(ModelworksError) as raised:
        check_study(folder)
    assert code in raised.value.codes
    assert any(said in letter.message for letter in raised.value.letters), raised.value


def test_a_program_that_is_not_installed_is_named_with_what_to_do(made: Made) -> None:
    folder = made(STAGE.replace("python", "no-such-program"), fit__py="")
    error = letters(folder)
    assert error.codes == ("Y601",)
    assert "`no-such-program`, which is not installed" in error.letters[0].message
    assert missing_program(folder) == error.letters[0]
    assert missing_program(made(STAGE, fit__py="")) is None


def test_a_study_of_stages_has_no_model_to_ask_about(made: Made) -> None:
    from modelworks.study import check_model

    folder = made(STAGE, fit__py="")
    assert check_study(folder).summary() == {"study": "own", "model": None, "stages": ["fit"]}
    with pytest.raises(ModelworksError) as raised:
        check_model(folder)
    assert raised.value.codes == ("Y147",)
    assert letters(folder, "calibrate").codes == ("Y608",)


# -- time and interruption ---------------------------------------------------------------------------

# A program whose own child would run for an hour.
FOREVER = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(3600)'])"


def test_a_stage_is_ended_with_all_that_it_started_when_its_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    words = [sys.executable, "-c", FOREVER]
    status = execute(
        words,
        tmp_path,
        tmp_path,
        environment=surroundings({}, None),
        limit_seconds=0.3,
        progress=Progress(quiet=True),
    )
    assert status is None
    assert time.monotonic() - began < 600
    assert not running_in(tmp_path)


def running_in(folder: Path) -> list[str]:
    """Processes whose working folder is this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(each / "cwd")) == folder:
                found.append(each.name)
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_who_is_asked_to_end_ends_the_program_too(made: Made, tmp_path: Path) -> None:
    """A job that is cancelled must not go on computing."""
    pipe = tmp_path / "started"
    os.mkfifo(pipe)
    folder = made(WRITES, fit__py=f"import os, time; open({str(pipe)!r}, 'w').write(os.getcwd()); time.sleep(3600)")
    words = [sys.executable, "-m", "modelworks", "run", "own", "--until", "fit"]
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    scratch = Path(pipe.read_text())  # waits until it is written
    assert running_in(scratch)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert not running_in(scratch)


def test_an_exit_status_is_explained() -> None:
    assert ending_in_words(127) == "ended with exit status 127: a program in it was not found"
    assert ending_in_words(139) == "was killed (SIGSEGV): it used memory that is not its own"


# -- what is shown -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_page_has_all_that_stages_made(made: Made) -> None:
    script = """
        import base64, json
        json.dump({"accuracy": {"value": 0.9, "title": "How often it is right"}}, open("m.json", "w"))
        open("c.csv", "w").write("actual,predicted,count\\na,a,9\\na,b,1\\nb,b,10\\n")
        open("drawing.svg", "w").write("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>")
        open("t.csv", "w").write("name,value\\n" + "".join(f"row{k},{k}\\n" for k in range(40)))
    """
    stages = """
        fit:
          title: A fit of our own
          command: [python, fit.py]
          outputs: {metrics: m.json, confusion_matrix: c.csv, figures: drawing.svg, tables: t.csv}
    """
    folder = made(stages, fit__py=script)
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text + 'answer: "Right in {fit.accuracy}."\n')
    result = run(folder, "report")
    assert result.answer == "Right in 0.900."
    assert result.run is not None
    page = (result.run.path / "report.html").read_text()
    for wanted in ("A fit of our own", "How often it is right", "What was taken for what", "row14", "of 40 rows"):
        assert wanted in page, wanted
    assert "data:image/svg+xml" in page
    assert "row15" not in page
    assert (result.run.path / "figures" / "fit-confusion_matrix.png").is_file()
    assert result.run.verify() == []


@pytest.mark.slow
@pytest.mark.needs("rocrate")
def test_a_research_object_names_the_programs(made: Made, tmp_path: Path) -> None:
    result = run(made(WRITES, fit__py='open("m.json", "w").write(\'{"a": 1}\')'))
    assert result.run is not None
    export_crate(result.run, tmp_path / "crate")
    graph = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text())["@graph"]
    versions = {each["name"]: each.get("version") for each in graph if each["@type"] == "SoftwareApplication"}
    assert versions["python"] == f"Python {sys.version.split()[0]}"


def test_an_answer_names_metrics_that_there_are(made: Made) -> None:
    folder = made(STAGE, fit__py='open("m.json", "w").write(\'{"a": 1}\')')
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text + 'answer: "{fit.b} and {other.a}."\n')
    with pytest.raises(ModelworksError) as raised:
        check_study(folder)
    assert raised.value.codes == ("Y126",)
    (folder / "study.yaml").write_text(text + 'answer: "{fit.b}."\n')
    assert letters(folder).codes == ("Y609",)


def _notebook(source: str) -> str:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
    notebook: dict[str, Any] = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook)


NOTEBOOK = "fit: {notebook: explore.ipynb, outputs: {metrics: m.json}}"


def test_a_notebook_without_what_executes_it_is_told_of(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelworks.study.own_stages._stage_work._NOTEBOOK_PACKAGES", ("no_such_package",))
    error = letters(made(NOTEBOOK, explore__ipynb=_notebook("1")))
    assert error.codes == ("Y607",)
    assert "modelworks[notebooks]" in error.letters[0].hint


@pytest.mark.slow
@pytest.mark.needs("nbclient")
def test_a_notebook_is_executed_and_kept(made: Made) -> None:
    source = "open('m.json', 'w').write('{\"a\": 2}')\nprint('from the notebook')"
    result = run(made(NOTEBOOK, explore__ipynb=_notebook(source)))
    kept = json.loads((stage_folder(result) / "explore.ipynb").read_text())
    assert "from the notebook" in "".join(kept["cells"][0]["outputs"][0]["text"])
    error = letters(made(NOTEBOOK, explore__ipynb=_notebook("1 / 0")))
    assert error.codes == ("Y602",)
    assert "ZeroDivisionError" in error.letters[0].message
