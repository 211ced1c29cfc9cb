"""Base, region, study: which file a value came from, and what it took the place of."""

from __future__ import annotations

from pathlib import Path

from modelworks.inputs import check_files, read_study


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_prior_takes_the_place_of_the_bases_value(study: Path) -> None:
    """With the base's unit, its own source, and the memory of what was there."""
    entry = read_study(study).parameters["contact_rate"]
    assert (entry.value, entry.prior and entry.prior.family, entry.unit) == (None, "normal", "per day")
    assert (entry.file, entry.line) == ("studies/school/parameters.yaml", 2)
    assert [(str(each.place), each.text) for each in entry.history] == [
        ("studies/base/parameters.yaml, line 7", "value 1"),
        ("studies/base/parameters.yaml, line 9", "Wallinga 2006"),
    ]
    assert (entry.by, entry.when, entry.why) == ("Ada", "2026-01-01", "the base is for another disease")


def test_what_only_the_base_says_stays_as_it_is(study: Path) -> None:
    """And the entry knows that it is from there."""
    entry = read_study(study).parameters["recovery_rate"]
    assert (entry.value, entry.file, entry.line, entry.history) == (0.2, "studies/base/parameters.yaml", 1, ())


def test_three_files_are_laid_over_each_other_in_order(repository: Path, study: Path) -> None:
    """The highest wins, and the history tells the whole way."""
    region = repository / "studies" / "region" / "parameters.yaml"
    write(region, "extends: ../base/parameters.yaml\nrecovery_rate:\n  value: 0.3\n  source: Lloyd 2001\n")
    own = study / "parameters.yaml"
    text = own.read_text(encoding="utf-8").replace("../base/", "../region/")
    write(own, text + "recovery_rate:\n  value: 0.4\n  source: Keeling 2008\n")
    entry = read_study(study).parameters["recovery_rate"]
    assert entry.value == 0.4
    assert [each.text for each in entry.history if each.text.startswith("0")] == ["0.2", "0.3"]
    assert entry.bounds is not None
    assert entry.bounds.upper == 1


def test_a_study_file_is_merged_at_every_depth(repository: Path, study: Path) -> None:
    """A study of a region says only what differs."""
    region = repository / "studies" / "region-study"
    write(region / "study.yaml", "extends: ../school/study.yaml\ntitle: Elsewhere\ntime: {end: 2021-03-01}\n")
    for name in ("parameters.yaml", "targets.yaml"):
        write(region / name, f"extends: ../school/{name}\n")
    study_file = read_study(region).study
    assert (study_file.title, study_file.time.every, study_file.time.end.month) == ("Elsewhere", 1.0, 3)
    assert study_file.place("time.end") == ("studies/region-study/study.yaml", 3)
    assert study_file.place("time.every").file == "studies/school/study.yaml"
    assert [each.text for each in study_file.history["time.end"]] == ["2021-02-01"]


def test_values_written_by_hand_take_the_place_of_a_dataset(repository: Path, study: Path) -> None:
    """The kind of the data changes with one entry."""
    other = repository / "studies" / "other"
    write(other / "study.yaml", "extends: ../school/study.yaml\n")
    write(other / "parameters.yaml", "extends: ../school/parameters.yaml\n")
    write(
        other / "targets.yaml",
        "extends: ../school/targets.yaml\ncases:\n  values: {2021-01-11: 31}\n  source: a letter of 2022\n",
    )
    target = read_study(other).targets["cases"]
    assert (target.dataset, target.column, dict(target.values).popitem()[1]) == (None, None, 31)
    assert target.covers == "week"


def test_new_values_need_their_own_source(repository: Path) -> None:
    """The source of the old values is not the source of the new."""
    other = repository / "studies" / "other"
    for name in ("study.yaml", "parameters.yaml"):
        write(other / name, f"extends: ../school/{name}\n")
    write(other / "targets.yaml", "extends: ../school/targets.yaml\nimmune:\n  values: {2021-01-11: 0.4}\n")
    _, letters = check_files(other)
    assert [(letter.code, letter.file, letter.line) for letter in letters] == [
        ("T111", "studies/other/targets.yaml", 3)
    ]


def test_a_mistake_of_the_base_is_told_in_the_base(repository: Path, study: Path) -> None:
    """Mending the study's own file would not help."""
    base = repository / "studies" / "base" / "parameters.yaml"
    write(base, base.read_text(encoding="utf-8").replace("source: King 2015", "source: todo"))
    _, letters = check_files(study)
    assert [(letter.code, letter.file, letter.line) for letter in letters] == [
        ("P104", "studies/base/parameters.yaml", 4)
    ]


def test_every_file_that_was_read_is_counted(study: Path) -> None:
    """So that a run can keep all it was made from, the base and the data included."""
    files = read_study(study).files
    assert [each.name for each in files] == [
        "modelworks.toml",
        "studies/school/study.yaml",
        "studies/school/parameters.yaml",
        "studies/base/parameters.yaml",
        "studies/school/targets.yaml",
        "data/catalogue.yaml",
        "data/raw/cases.csv",
        "data/prepare/people.py",
    ]
    assert all(len(each.sha256) == 64 and each.path.is_file() for each in files)
