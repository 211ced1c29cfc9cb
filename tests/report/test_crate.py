"""A run as a research object: other people's validator finds nothing wrong with it, and nothing is missing."""

from __future__ import annotations

import json
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from modelworks.errors import ModelworksError
from modelworks.report import export_crate
from modelworks.runs import Run, Store

DATA = "name,title,publisher,licence,source,sha256,retrieved\n"
RECORD: dict[str, Any] = {
    "study": "flu",
    "title": "Influenza in a school",
    "question": "How contagious was it?",
    "answer": "Very.",
    "finished": "2026-11-21T11:04:51+00:00",
    "provenance": {"person": "Ada Lovelace", "modelworks": {"version": "0.1.0"}},
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    stage = tmp_path / "stage"
    (stage / "tables").mkdir(parents=True)
    (stage / "report.html").write_text("<p>Report</p>", encoding="utf-8")
    rows = f"cases,Cases by week,Ministry,CC BY 4.0 (the table),Bulletin 12,{'a' * 64},2026-11-01\n"
    rows += f"people,People,Office,ask first,Census,{'b' * 64},\n"
    (stage / "tables" / "data.csv").write_text(DATA + rows, encoding="utf-8")
    files = {}
    for name in ("inputs/studies/flu/study.yaml", "inputs/models/flu.py", "inputs/data/raw/cases.csv"):
        files[name] = tmp_path / Path(name).name
        files[name].write_text("x: 1\n", encoding="utf-8")
    return Store(tmp_path / "runs").publish(("flu", "sir", "uk"), stages={"report": stage}, record=RECORD, files=files)


def graph(folder: Path) -> dict[str, dict[str, Any]]:
    metadata = json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    return {each["@id"]: each for each in metadata["@graph"]}


@pytest.mark.slow
@pytest.mark.needs("rocrate", "rocrate_validator")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_validator_of_research_objects_is_content(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would fetch (the words of the standard) comes from a package, for a test has no internet."""
    from rocrate_validator import models, services
    from rocrate_validator.utils import http

    words = (resources.files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
    # Between the edition of the package and that of the profile these words moved.
    answer = _Answer(words.replace(b"bioschemas.org/terms/", b"bioschemas.org/"))
    monkeypatch.setattr(http.HttpRequester, "get", lambda self, *_, **__: answer, raising=False)
    monkeypatch.setattr("requests.Session.request", lambda self, *_, **__: answer)
    target = export_crate(run, tmp_path / "crate", licence="CC BY 4.0")
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=str(target),
            profile_identifier="workflow-run-crate",
            requirement_severity=models.Severity.REQUIRED,
        )
    )
    assert [(issue.check.identifier, issue.message) for issue in result.get_issues()] == []
    assert result.passed()


class _Answer:
    status_code, ok, from_cache = 200, True, False
    headers = {"Content-Type": "application/ld+json"}  # noqa: RUF012 - as the validator reads it

    def __init__(self, content: bytes) -> None:
        self.content, self.text = content, content.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """All is well."""


@pytest.mark.needs("rocrate")
def test_every_file_is_in_it_with_who_made_it_from_what(run: Run, tmp_path: Path) -> None:
    folder = export_crate(run, tmp_path / "crate")
    for path in run.path.rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(run.path)).read_bytes() == path.read_bytes()
    known = graph(folder)
    action = known[f"#run-{run.id}"]
    assert {each["@id"] for each in action["object"]} >= {"#data-cases", "inputs/models/flu.py"}
    assert {each["@id"] for each in action["result"]} >= {"report.html", "run.json"}
    assert known[action["agent"]["@id"]]["name"] == "Ada Lovelace"
    assert known["#data-cases"]["license"]["@id"] == "https://creativecommons.org/licenses/by/4.0/"
    assert known[known["#data-people"]["license"]["@id"]]["name"] == "ask first"
    assert "no licence is stated" in known[known["./"]["license"]["@id"]]["name"]
    assert known["./"]["mainEntity"]["@id"] == "inputs/studies/flu/study.yaml"


@pytest.mark.needs("rocrate")
def test_data_may_be_left_out_and_stay_named(run: Run, tmp_path: Path) -> None:
    target = export_crate(run, tmp_path / "crate.zip", without_data=True)
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
    assert "inputs/data/raw/cases.csv" not in names
    assert {"report.html", "run.json", "inputs/models/flu.py"} <= names


@pytest.mark.needs("rocrate")
def test_nothing_is_written_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "crate").mkdir()
    with pytest.raises(ModelworksError, match="G205"):
        export_crate(run, tmp_path / "crate")
