"""A stage's fingerprint changes with everything that changes its numbers, and with nothing else."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import modelworks
from modelworks.errors import ModelworksError, explanations
from modelworks.study import _stale, run_study, stages
from modelworks.study._stale import fingerprints
from modelworks.study.binding._binding import BoundStudy, bind
from modelworks.study.projection._projection import Projected

Decay = Callable[..., Path]
Run = Callable[..., tuple[BoundStudy, Projected]]

DAYS = "start: 2021-01-01, end: 2021-02-01, every: 1"
EVERY = {"simulate", "calibrate", "diagnose", "project", "report"}
FITTED = EVERY - {"simulate"}
ASKED = """
calibration: {chains: 2, draws: 20, warmup: 20, seed: 5}
projection: {draws: 10}
data: {first: first}
scenarios:
  slower: {title: Slower, parameters: {rate: {multiply: 0.5}}}
  more: {data: {first: more}}
quantities:
  gone: {title: Gone, output: left, statistic: sum, to: 2021-01-10}
answer: "{gone} left."
"""
# The number of people at the start comes from data, their stay's length from a module beside the model.
BUILD = """
from modelworks import Model, Output, Parameter, Transition, events, people
from stay import FACTOR
from shared.more import MORE

def build(data):
    rate = Parameter("rate", "per day", lower=0)
    share = Parameter("share", "proportion", lower=0, upper=1)
    data["first"]["people"] *= 10
    first = float(data["first"]["people"].iloc[0])
    return Model(
        name="decay",
        time="days",
        compartments=["here", "gone"],
        flows=[Transition("leaving", "here", "gone", rate=FACTOR * MORE * rate)],
        initial={"here": first, "gone": 0},
        outputs={
            "here": Output(share * people("here"), "people"),
            "left": Output(events("leaving"), "people"),
        },
        derived={"first": first * rate / rate},
    )
"""
CATALOGUE = """
{name}:
  title: People at first
  publisher: a test
  licence: CC0
  source: a test
  file: raw/{name}.csv
  sha256: {sha256}
  columns:
    people: {{unit: people, meaning: people at first}}
"""
PARAMETERS = """
rate: {prior: {log_normal: {median: 0.1, sigma: 0.2}}, unit: per day, source: a test}
overdispersion: {prior: {uniform: {lower: 0.01, upper: 1}}, unit: dimensionless, source: a test}
share: {value: 50, unit: percent, source: a test}
"""


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def data(root: Path, **tables: str) -> None:
    """Datasets with their entries in the catalogue."""
    entries = []
    for name, text in tables.items():
        path = root / "data" / "raw" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        entries.append(CATALOGUE.format(name=name, sha256=hashlib.sha256(text.encode()).hexdigest()))
    (root / "data" / "catalogue.yaml").write_text("".join(entries), encoding="utf-8")


@pytest.fixture
def study(tmp_path: Path, decay: Decay) -> Path:
    """A study whose model is made from data and from modules beside it."""
    folder = decay(tmp_path, DAYS, more=ASKED, values="2021-01-01: 90, 2021-01-08: 60")
    data(tmp_path, first="people\n100\n", more="people\n200\n")
    models = tmp_path / "models"
    (models / "decay.py").write_text(BUILD, encoding="utf-8")
    (models / "stay.py").write_text("FACTOR = 1.0\n", encoding="utf-8")
    (models / "shared").mkdir()
    (models / "shared" / "more.py").write_text("MORE = 1.0\n", encoding="utf-8")
    (folder / "parameters.yaml").write_text(PARAMETERS, encoding="utf-8")
    edit(folder / "targets.yaml", "poisson", "{negative_binomial: {overdispersion: overdispersion}}")
    return folder


def changed(folder: Path, change: Callable[[], None]) -> set[str]:
    """The stages whose fingerprint is another after a change."""
    before = fingerprints(bind(folder))
    change()
    after = fingerprints(bind(folder))
    return {name for name in before if before[name] != after[name]}


STUDY, PARAMETER, TARGET = ("studies/decay/" + name for name in ("study.yaml", "parameters.yaml", "targets.yaml"))
CHANGES = [
    # What makes the model.
    ("models/decay.py", "FACTOR * MORE", "FACTOR * 2 * MORE", EVERY),
    ("models/stay.py", "1.0", "2.0", EVERY),
    ("models/shared/more.py", "1.0", "2.0", EVERY),
    # What is believed and what was seen.
    (PARAMETER, "sigma: 0.2", "sigma: 0.3", EVERY),
    (PARAMETER, "unit: per day", "unit: per week", EVERY),
    (PARAMETER, "{value: 50, unit", "{value: 51, unit", EVERY),
    (TARGET, "2021-01-01: 90", "2021-01-01: 91", EVERY),
    (TARGET, "2021-01-08: 60", "2021-01-06: 60", EVERY),
    (TARGET, "covers: day", "covers: week", EVERY),
    (TARGET, "negative_binomial: {", "beta_binomial: {trials: 1000, ", EVERY),
    (STUDY, "seed: 5", "seed: 6", EVERY),
    (STUDY, "chains: 2", "chains: 3", FITTED),
    (STUDY, "chains: 2", "chains: 2, r_hat: 1.05", FITTED),
    (STUDY, "chains: 2", "chains: 2, effective_draws: 300", FITTED),
    (STUDY, "chains: 2", "chains: 2, time_limit: 1 h", FITTED),
    (STUDY, "seed: 5", "seed: 5, until: 2021-01-04", EVERY),
    (STUDY, "start: 2021-01-01", "start: 2020-12-31", EVERY),
    # What is asked.
    (STUDY, "multiply: 0.5", "multiply: 0.6", {"project", "report"}),
    (STUDY, "{draws: 10}", "{draws: 11}", {"project", "report"}),
    (STUDY, "{draws: 10}", "{draws: 10, end: 2021-03-01}", {"project", "report"}),
    (STUDY, "to: 2021-01-10", "to: 2021-01-11", {"project", "report"}),
    # The title stands beside the number in the stage's own file.
    (STUDY, "title: Gone", "title: Left", {"project", "report"}),
    # Words.
    (STUDY, "title: Decay", "title: The decay", {"report"}),
    (STUDY, "title: Slower", "title: Half", {"report"}),
    (STUDY, "left.", "had left.", {"report"}),
    (PARAMETER, "source: a test", "source: another test", {"report"}),
    # Nothing: a day of holding out that holds out no other value, a line moved, a note.
    (STUDY, "seed: 5", "seed: 5, until: 2021-01-20", {"report"}),
    (PARAMETER, "\nrate", "\n# A note.\n\nrate", {"report"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    CHANGES,
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:24],
)
def test_a_change_makes_stale_what_depends_on_it(study: Path, file: str, old: str, new: str, stale: set[str]) -> None:
    """Too little is a wrong number that nobody sees; too much is an hour that nobody needed to wait."""
    assert changed(study, lambda: edit(study.parents[1] / file, old, new)) == stale


def test_a_decision_says_the_title_of_the_scenario_it_chooses(study: Path) -> None:
    """So another title is another file of the stage; where nothing is chosen it is the page's alone."""
    with (study / "study.yaml").open("a", encoding="utf-8") as file:
        file.write("decisions:\n  which: {title: Which, least: gone}\n")
    assert changed(study, lambda: edit(study / "study.yaml", "title: Slower", "title: Half")) == {"project", "report"}


def test_the_order_of_what_is_looked_for_counts(study: Path) -> None:
    """Draws are taken one parameter after the other: in another order the same seed gives others."""
    first, second, rest = PARAMETERS.strip().split("\n")
    path = study / "parameters.yaml"
    assert changed(study, lambda: path.write_text("\n".join([second, first, rest]), encoding="utf-8")) == EVERY


def test_data_count_by_what_the_model_gets(study: Path) -> None:
    """Another number or another declared column is another model; a column that is not declared is not there."""
    root = study.parents[1]
    assert changed(study, lambda: data(root, first="people\n101\n", more="people\n200\n")) == EVERY
    assert changed(study, lambda: data(root, first="people\n101\n", more="people\n201\n")) == {"project", "report"}
    assert changed(study, lambda: data(root, first="people,note\n101,x\n", more="people\n201\n")) == {"report"}
    catalogue = root / "data" / "catalogue.yaml"
    note = "  columns:\n    note: {unit: text, meaning: a note}\n"
    text = catalogue.read_text(encoding="utf-8")
    declared = text.replace("  columns:\n", note, 1)
    assert changed(study, lambda: catalogue.write_text(declared, encoding="utf-8") and None) == EVERY


def test_a_file_that_the_model_opens_itself_counts(study: Path) -> None:
    """A model that reads a file past the catalogue is made from it all the same."""
    models = study.parents[1] / "models"
    (models / "number.txt").write_text("1.0", encoding="utf-8")
    reading = 'from pathlib import Path\nFACTOR = float((Path(__file__).parent / "number.txt").read_text())\n'
    (models / "stay.py").write_text(reading, encoding="utf-8")
    assert "number.txt" in bind(study).file.sources
    assert changed(study, lambda: edit(models / "number.txt", "1.0", "2.0")) == EVERY


def test_the_same_study_has_the_same_fingerprints(study: Path) -> None:
    """Also where Python has kept the modules from before, or somebody else has imported one of their name."""
    assert changed(study, lambda: None) == set()
    assert set(bind(study).file.sources) == {"decay.py", "stay.py", "shared/more.py"}


def test_an_edit_within_a_second_is_seen(study: Path) -> None:
    """Python's own cache takes a module of the same size and second for unchanged, and its numbers too."""
    path = study.parents[1] / "models" / "stay.py"
    os.utime(path, (1_600_000_000, 1_600_000_000))
    slow = bind(study)
    edit(path, "1.0", "2.0")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    quick = bind(study)
    ends = [each.compiled(each.report_times).run(each.centre())[-1, 0] for each in (slow, quick)]
    np.testing.assert_allclose(ends, 500 * np.exp([-3.1, -6.2]), rtol=1e-4)


def test_two_studies_may_have_modules_of_one_name(tmp_path: Path, study: Path) -> None:
    """A model gets the module beside it, not that of the repository looked at before."""
    import shutil

    other = tmp_path.parent / f"{tmp_path.name}-other"
    shutil.copytree(tmp_path, other)
    edit(other / "models" / "shared" / "more.py", "1.0", "3.0")
    both = [bind(study), bind(other / "studies" / "decay")]
    ends = [each.compiled(each.report_times).run(each.centre())[-1, 0] for each in both]
    np.testing.assert_allclose(ends, 500 * np.exp([-3.1, -9.3]), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room", "stale"),
    [
        ("model", EVERY),
        ("units.py", EVERY),
        ("dates.py", EVERY),
        ("calibration", EVERY),
        ("diagnostics", {"diagnose", "report"}),
        ("diagnostics/pareto.py", FITTED),
        ("diagnostics/_mixing.py", FITTED),
        ("report", {"report"}),
        ("study/binding", EVERY),
        ("study/projection", EVERY),
        ("study/pages", {"report"}),
        ("study/own_stages", {"report"}),
    ],
)
def test_other_code_makes_stale_what_it_makes(
    study: Path, monkeypatch: pytest.MonkeyPatch, room: str, stale: set[str]
) -> None:
    """A new version of the package does not hand out the numbers, or the page, of the old one."""
    plain = _stale.room_hash
    assert plain(room)

    def newer() -> None:
        monkeypatch.setattr(_stale, "room_hash", lambda name: plain(name) + ("newer" if name == room else ""))

    assert changed(study, newer) == stale


def test_a_scenario_with_other_data_begins_from_data_as_they_are(study: Path, projected: Run) -> None:
    """A model that changes its tables in place changes them once; derived numbers are the baseline's."""
    edit(study / "study.yaml", "answer:", "  started: {derived: first}\nanswer:")
    edit(
        study / "parameters.yaml",
        "overdispersion: {prior: {uniform: {lower: 0.01, upper: 1}}",
        "overdispersion: {value: 0.1",
    )
    found = projected(study, [0.1])[1]
    assert found.quantities["started"]["median"] == pytest.approx(1000)
    first = found.outputs.query("output == 'here'").groupby("scenario")["q50"].first()
    assert first.to_dict() == pytest.approx({"baseline": 500, "slower": 500, "more": 1000})


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "damage"), [("calibrate", "cut"), ("project", "gone"), ("project", "record")])
def test_a_damaged_stage_is_made_again(study: Path, stage: str, damage: str) -> None:
    """What a sick disk or a careless hand has changed is not taken for a result."""
    first = run_study(study, quiet=True)
    mark = next(s["fingerprint"] for s in first.stages if s["name"] == stage)
    kept = study.parents[1] / ".modelworks" / "stages" / mark
    path = kept / {"calibrate": "posterior.nc", "project": "quantities.json"}[stage]
    path = kept / "stage.json" if damage == "record" else path
    path.chmod(0o644)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20])
    again = run_study(study, quiet=True)
    assert [s["name"] for s in again.stages if not s["reused"]] == [stage]
    assert "damaged" in again.line()
    assert again.run is not None
    assert again.run.verify() == []
    assert all(s["reused"] for s in run_study(study, quiet=True).stages)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Output(share * people", "Output(2 * share * people"),
        ('"left": Output', '"gone": Output'),
        ('Parameter("share", "proportion"', 'Parameter("share", "ratio"'),
    ],
)
def test_a_scenario_whose_data_make_another_model_is_told(study: Path, old: str, new: str) -> None:
    """Columns of two models are compared by place: in another order they would be somebody else's numbers."""
    path = study.parents[1] / "models" / "decay.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    head, model = text.split("    first = float", 1)
    other = f"    first = float{model}"
    inner = "".join(f"    {line}\n" for line in other.replace(old, new).split("\n") if line)
    share = '        share = Parameter("share", "ratio", lower=0, upper=1)\n' if "ratio" in new else ""
    path.write_text(f"{head}    if data['first']['people'].iloc[0] > 1500:\n{share}{inner}{other}", encoding="utf-8")
    if "2 *" in new:  # another number, and the same outputs
        assert bind(study).name == "decay"
        return
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    assert caught.value.codes == ("Y205",)
    assert "Y205" in explanations()


def test_an_edit_while_a_run_is_under_way_is_not_in_its_record(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run holds the files it was made from, not those that somebody saved an hour later."""
    simulate = stages.STAGES["simulate"]

    def meanwhile(work: stages.Work) -> None:
        simulate(work)
        edit(study / "parameters.yaml", "{value: 50", "{value: 60")

    monkeypatch.setitem(stages.STAGES, "simulate", meanwhile)
    run = run_study(study, until="simulate", quiet=True).run
    assert run is not None
    assert "{value: 50" in (run.path / "inputs" / PARAMETER).read_text(encoding="utf-8")


def test_numbers_come_from_no_file_that_is_not_among_those_they_depend_on() -> None:
    """What a file of numbers imports of the room makes numbers too; only the report's page is made of words."""
    package = Path(modelworks.__file__).parent
    counted = {path for part in _stale.ROOMS[stages.REPORT] for path in files_of(package / part)}
    numbers = {path for part in _stale.NUMBERS for path in files_of(package / part)}
    reached = {
        package.parent.joinpath(*name.split(".")).with_suffix(".py")
        for path in numbers
        for name in re.findall(r"modelworks\.study[\w.]*\._\w+", imports_of(path))
    }
    assert len(numbers) > 20
    assert len(reached) > 10
    assert reached <= counted


def files_of(part: Path) -> list[Path]:
    return [part] if part.is_file() else sorted(part.rglob("*.py"))


def imports_of(path: Path) -> str:
    """The modules that a file imports, and the names it takes from packages as if they were modules."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    return " ".join(f"{node.module} " + " ".join(f"{node.module}.{each.name}" for each in node.names) for node in nodes)
