"""A study may name a model: the team's own of that name, or else the library's."""

from __future__ import annotations

from pathlib import Path

from modelworks.model.library.sir import sir
from modelworks.study._stale import fingerprints
from modelworks.study.binding._binding import bind
from modelworks.study.binding._model_file import load_model


def named(study: Path, name: str) -> Path:
    """The study with another model."""
    file = study / "study.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("models/influenza.py", name), encoding="utf-8")
    return study


def test_the_teams_own_model_is_found_by_its_name(study: Path) -> None:
    """Without folder and ending, and with all its files on the record."""
    bound = bind(named(study, "influenza"))
    assert bound.file.path == study.parents[1] / "models" / "influenza.py"
    assert list(bound.file.sources) == ["influenza.py"]


def test_a_model_of_the_library_needs_no_file(tmp_path: Path) -> None:
    """It is the plain one, and of no file of the team's."""
    found = load_model(tmp_path / "sir", {}, "sir", tmp_path)
    assert [flow.name for flow in found.model.flows] == [flow.name for flow in sir().flows]
    assert found.sources == {}


def test_ones_own_goes_before_the_librarys(tmp_path: Path) -> None:
    """A team that writes its own `sir` means that one."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sir.py").write_text(
        "from modelworks.model.library.seir import seir\n\nmodel = seir()\n", encoding="utf-8"
    )
    assert load_model(tmp_path / "sir", {}, "sir", tmp_path).model.name == "seir"


def changed(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def test_a_study_of_a_library_model_binds_and_is_stale_when_another_is_named(study: Path) -> None:
    """The boarding school by the plain SIR; a team's own model of the same equations is another model."""
    changed(study / "parameters.yaml", ("boys:", "population:"))
    changed(study / "targets.yaml", ("output: in_bed", "output: prevalence"))
    changed(
        study / "study.yaml",
        ("models/influenza.py", "sir"),
        ("new_infections", "incidence"),
        ("derived: days_in_bed", "derived: basic_reproduction_number"),
    )
    bound = bind(study)
    assert bound.model.name == "sir"
    ill = bound.compiled(bound.report_times).run(bound.centre())
    assert len(ill) == len(bound.report_times)
    before = fingerprints(bound)["simulate"]
    assert fingerprints(bind(study))["simulate"] == before
    (study.parents[1] / "models" / "sir.py").write_text(
        "from modelworks.model.library.sir import sir\n\nmodel = sir()\n", encoding="utf-8"
    )
    assert fingerprints(bind(study))["simulate"] != before
