"""The record at the command line: finding, comparing, checking and marking runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelworks.cli import line
from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store
from modelworks.study import find_run

QUANTITY = {"median": 40.0, "low": 30.0, "high": 55.0, "title": "Deaths", "unit": "people", "text": "40 (30 to 55)"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "team"
    root.mkdir()
    (root / "modelworks.toml").write_text('title = "Ours"\n', encoding="utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def runs(repository: Path, tmp_path: Path) -> list[Run]:
    """Two runs of one study, of which the later has another number."""
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "report.html").write_text("<p>", encoding="utf-8")
    moments = iter(datetime(2026, 11, 20 + k, 10, tzinfo=UTC) for k in range(2))
    store = Store(repository / "runs", clock=lambda: next(moments))
    return [
        store.publish(
            ("flu", "sir", "england"),
            stages={"report": stage},
            record={
                "study": "flu",
                "verdict": verdict,
                "answer": f"{median:g} died.",
                "finished": f"2026-11-2{k}T10:00:00+00:00",
                "quantities": {"deaths": QUANTITY | {"median": median}},
                "calibration": {"seed": k},
            },
        )
        for k, (verdict, median) in enumerate([("look", 40.0), ("fine", 60.0)])
    ]


def said(*words: str) -> Result:
    return CliRunner().invoke(line, words)


def test_runs_are_found_by_what_is_known_of_them(runs: list[Run]) -> None:
    early, late = runs
    for words, expected in {
        (): {early.id, late.id},
        ("--verdict", "fine"): {late.id},
        ("--where", "deaths > 50"): {late.id},
        ("--study", "tb"): set(),
        ("--limit", "1", "--study", "flu", "--verdict", "look"): {early.id},
    }.items():
        found = json.loads(said("list", *words, "--json").stdout)
        assert {each["id"] for each in found} == expected, words


def test_a_table_names_what_is_left_out(runs: list[Run]) -> None:
    shown = said("list", "--limit", "1")
    assert "1 of 2 runs" in shown.stderr
    assert len(shown.stdout.strip().splitlines()) == 2


def test_two_runs_are_laid_side_by_side(runs: list[Run]) -> None:
    early, late = runs
    shown = said("compare", early.id, late.id)
    assert "up by 50%, outside the earlier interval" in shown.stdout
    assert "by chance alone" in shown.stderr
    told = json.loads(said("compare", early.id, late.id, "--json").stdout)
    assert told["same_inputs"] is True
    assert [each["name"] for each in told["differences"]] == ["seed", "verdict"]


def test_one_run_can_not_be_compared(runs: list[Run]) -> None:
    assert said("compare", runs[0].id).exit_code == 2
    twice = said("compare", runs[0].id, runs[0].key)
    assert twice.exit_code == 2
    assert "the same run" in twice.output


def test_a_tag_finds_a_run_and_can_be_taken_away(runs: list[Run]) -> None:
    early, _ = runs
    assert said("tag", early.id, "paper", "draft").exit_code == 0
    assert [each["tags"] for each in json.loads(said("list", "--tag", "paper", "--json").stdout)] == [
        ["draft", "paper"]
    ]
    absent = said("tag", early.id, "paper", "papers", "--remove")
    assert absent.exit_code == 1
    assert "R142" in str(absent.exception)
    assert "did you mean `paper`" in str(absent.exception)
    assert json.loads(said("list", "--tag", "paper", "--json").stdout)[0]["tags"] == ["draft", "paper"]
    said("tag", early.id, "paper", "--remove")
    assert json.loads(said("list", "--tag", "paper", "--json").stdout) == []
    said("pin", early.id, "--why", "figure 2")
    assert "pinned, draft" in said("list").stdout


def test_a_run_is_found_without_reading_the_others(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: the latest with a report, by its study's name or by none."""
    read: list[str] = []
    opened = Store.open

    def noted(self: Store, key: str) -> Run:
        read.append(key)
        return opened(self, key)

    monkeypatch.setattr(Store, "open", noted)
    for text in (None, "flu", runs[0].id, runs[0].key):
        found = find_run(Path.cwd(), text)
        assert found.key == runs[text not in (runs[0].id, runs[0].key)].key
        assert read == [found.key]
        read.clear()
    (runs[1].path / "run.json").chmod(0o644)
    (runs[1].path / "run.json").write_text("{", encoding="utf-8")
    assert find_run(Path.cwd(), "flu").key == runs[0].key
    with pytest.raises(ModelworksError, match="R101"):
        find_run(Path.cwd(), "flux")


def test_a_changed_file_is_found_and_ends_with_an_error(runs: list[Run]) -> None:
    assert said("verify", "--all").exit_code == 0
    record = runs[0].path / "run.json"
    record.chmod(0o644)
    record.write_text(record.read_text(encoding="utf-8") + " ", encoding="utf-8")
    ended = said("verify", "--all")
    assert ended.exit_code == 1
    assert f"{runs[0].id} flu: run.json: differs" in ended.stdout
    assert said("verify", runs[1].id).exit_code == 0


def test_a_repository_that_can_not_be_written_is_listed_all_the_same(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colleague's, on a shared disk."""
    monkeypatch.setattr("os.access", lambda *_: False)
    assert runs[0].id in said("list").stdout
    assert not (Path.cwd() / ".modelworks").exists()


@pytest.mark.parametrize(
    ("index", "hint"),
    [("mysql://db/runs", "postgresql"), ("postgresql+psycopg://ada:secret@db/runs", "PGPASSWORD"), (7, "text")],
)
def test_an_address_of_an_index_that_will_not_do_is_a_letter(repository: Path, index: object, hint: str) -> None:
    (repository / "modelworks.toml").write_text(f"index = {json.dumps(index)}\n", encoding="utf-8")
    ended = said("list")
    assert isinstance(ended.exception, ModelworksError)
    assert "Y132" in str(ended.exception)
    assert hint in str(ended.exception)


def test_old_runs_go_and_come_back(runs: list[Run], repository: Path) -> None:
    early = runs[0]
    text = 'title = "Ours"\n[retention]\nkeep_days = 0\nkeep_latest = 1\n'
    (repository / "modelworks.toml").write_text(text, encoding="utf-8")
    planned = json.loads(said("prune", "--dry-run", "--json").stdout)
    assert [each["id"] for each in planned["leaving"]] == [early.id]
    assert early.id in said("list").stdout
    assert CliRunner().invoke(line, ["prune"], input="n\n").exit_code == 1
    assert early.id in said("list").stdout
    assert "moved into the trash" in said("prune", "--yes").stderr
    assert early.id not in said("list").stdout
    assert early.key in said("list", "--pruned").stdout
    assert "(trash)" in said("storage").stdout
    assert "every file as it was written" in said("restore", early.id).stderr
    assert early.id in said("list").stdout


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("keep_day = 3", "keep_days"),
        ("keep_latest = 2.5", "3"),
        ("keep_days = -1", "30"),
        ('keep_tags = "paper"', '["'),
    ],
)
def test_a_mistake_in_what_is_kept_is_a_letter(repository: Path, setting: str, hint: str) -> None:
    """Before anything is touched."""
    (repository / "modelworks.toml").write_text(f"[retention]\n{setting}\n", encoding="utf-8")
    ended = said("prune", "--yes")
    assert isinstance(ended.exception, ModelworksError)
    assert ended.exception.codes == ("Y132",)
    assert hint in str(ended.exception)


@pytest.mark.parametrize("store", ["s3://", "s3://Our_Bucket/x", "s3://key:secret@bucket"])
def test_an_address_that_is_no_bucket_is_a_letter(repository: Path, store: str) -> None:
    (repository / "modelworks.toml").write_text(f'store = "{store}"\n', encoding="utf-8")
    ended = said("list")
    assert isinstance(ended.exception, ModelworksError)
    assert ended.exception.codes == ("Y132",)
    assert "AWS_ACCESS_KEY_ID" in str(ended.exception)
