"""Finding a repository and its studies."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Repository, check_files, read_study


def another(repository: Path, name: str) -> Path:
    folder = repository / "studies" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text("title: x\n", encoding="utf-8")
    return folder


def test_a_repository_is_found_from_anywhere_within(repository: Path, study: Path) -> None:
    """A command works wherever one stands."""
    found = Repository.around(study)
    assert found == Repository.around(repository)
    assert (found.root, found.title, found.store) == (repository, "Our studies", repository / "runs")
    assert found.people == ("Ada Lovelace",)


def test_settings_can_all_be_left_out(repository: Path) -> None:
    """An empty file marks a repository."""
    (repository / "modelworks.toml").write_text("", encoding="utf-8")
    found = Repository.around(repository)
    assert (found.title, found.store) == (repository.name, repository / "runs")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("stor = 'x'", "`store`"),
        ("store = 3", "text"),
        ("people = 'Ada'", "list"),
        ("title = 1 2", "line 1"),
        ("\xff", "utf-8"),
    ],
)
def test_settings_with_a_mistake_are_a_letter(repository: Path, text: str, word: str) -> None:
    """Whoever asks for the repository is told."""
    (repository / "modelworks.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelworksError) as raised:
        Repository.around(repository)
    assert raised.value.codes == ("Y132",)
    assert word in str(raised.value)


@pytest.mark.parametrize("store", ["models/school.py", "models/school.py/runs", "/proc/runs", "a" * 999])
def test_a_store_that_can_not_be_is_told_before_anything_is_run(repository: Path, study: Path, store: str) -> None:
    """After a calibration of an hour it would be too late."""
    (repository / "modelworks.toml").write_text(f"store = '{store}'\n", encoding="utf-8")
    _, letters = check_files(study)
    assert [letter.code for letter in letters] == ["Y132"]
    assert "name a folder" in letters[0].hint


def test_outside_a_repository_there_is_a_letter(tmp_path: Path) -> None:
    """With the command that makes one."""
    with pytest.raises(ModelworksError, match="modelworks new") as raised:
        Repository.around(tmp_path)
    assert raised.value.codes == ("Y133",)
    inputs, letters = check_files(tmp_path)
    assert (inputs, [letter.code for letter in letters]) == (None, ["Y133"])


def test_studies_are_the_folders_with_a_study(repository: Path) -> None:
    """What only lends its files is not run with all the others."""
    for name in ("asia/malaysia", "base", "_drafts", ".hidden", "region/base"):
        another(repository, name)
    names = [each.relative_to(repository / "studies").as_posix() for each in Repository.around(repository).studies()]
    assert names == ["asia/malaysia", "school"]


@pytest.mark.parametrize("name", ["school", "studies/school", "school/", "studies/school/study.yaml"])
def test_a_study_is_found_by_name_and_by_path(repository: Path, study: Path, name: str) -> None:
    """As somebody would type it, or have the shell complete it."""
    assert Repository.around(repository).find_study(name) == study


def test_a_study_is_found_from_where_one_stands(repository: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is taken from the current folder too."""
    monkeypatch.chdir(study.parent)
    assert Repository.around(repository).find_study("./school") == study
    assert read_study(Path("school")).folder == study


def test_a_misspelt_study_gets_the_near_ones(repository: Path) -> None:
    """A slip of the finger."""
    with pytest.raises(ModelworksError, match="`school`") as raised:
        Repository.around(repository).find_study("scool")
    assert raised.value.codes == ("Y134",)


def test_two_studies_of_one_name_are_named_by_path(repository: Path) -> None:
    """Neither is guessed."""
    for folder in ("asia", "europe"):
        another(repository, f"{folder}/covid")
    repo = Repository.around(repository)
    with pytest.raises(ModelworksError, match="asia/covid"):
        repo.find_study("covid")
    assert repo.find_study("asia/covid").parent.name == "asia"


def test_a_folder_without_a_study_is_a_letter(repository: Path) -> None:
    """Before anything is read."""
    _, letters = check_files(repository / "data")
    assert [letter.code for letter in letters] == ["Y135"]
