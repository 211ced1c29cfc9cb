"""Where files and model do not fit, the letter names the code, the file and what to try."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelworks.errors import ModelworksError, explanations
from modelworks.study import new_repository
from modelworks.study.binding._binding import bind

# (file under the repository, what to replace, with what, code, a word of the message or hint, file named)
MISTAKES = [
    (
        "studies/boarding-school/parameters.yaml",
        "contact_rate:",
        "contact_rat:",
        "P201",
        "contact_rate",
        "parameters.yaml",
    ),
    (
        "studies/boarding-school/parameters.yaml",
        "contact_rate:",
        "contact_rat:",
        "P202",
        "contact_rate",
        "parameters.yaml",
    ),
    ("studies/boarding-school/parameters.yaml", "unit: per day", "unit: days", "P120", "per day", "parameters.yaml"),
    ("studies/boarding-school/parameters.yaml", "  bounds: {lower: 0}\n", "", "P101", "lower", "parameters.yaml"),
    ("studies/boarding-school/parameters.yaml", "value: 763", "value: 0.5", "P204", "below", "parameters.yaml"),
    ("studies/boarding-school/targets.yaml", "output: in_bed", "output: in_bad", "T201", "in_bed", "targets.yaml"),
    (
        "studies/boarding-school/targets.yaml",
        "output: in_bed",
        "output: new_infections",
        "T202",
        "covers",
        "targets.yaml",
    ),
    ("studies/boarding-school/targets.yaml", "unit: people", "unit: days", "T116", "unit", "targets.yaml"),
    (
        "studies/boarding-school/study.yaml",
        "{unit: days, start: 1978-01-21, end: 1978-02-14, every: 1}",
        "{unit: years, start: 1978-01-21, end: 1978-02-14, every: 0.01}",
        "Y201",
        "days",
        "study.yaml",
    ),
    (
        "studies/boarding-school/study.yaml",
        "models/influenza.py",
        "models/influensa.py",
        "M123",
        "`models/influenza.py`",
        "study.yaml",
    ),
    ("studies/boarding-school/study.yaml", "models/influenza.py", "models", "M123", "is a folder", "study.yaml"),
    (
        "studies/boarding-school/study.yaml",
        "models/influenza.py",
        "influensa",
        "M123",
        "yours are `influenza`",
        "study.yaml",
    ),
    ("studies/boarding-school/study.yaml", "models/influenza.py", "sier", "M123", "the library's", "study.yaml"),
    ("studies/boarding-school/study.yaml", "authors:", "figures: [in_bad]\nauthors:", "Y207", "in_bed", "study.yaml"),
    (
        "studies/boarding-school/parameters.yaml",
        "unit: per day",
        "unit: days",
        "P120",
        "the parameter `contact_rate`",
        "parameters.yaml",
    ),
    (
        "studies/boarding-school/study.yaml",
        "models/influenza.py",
        "model/influenza.py",
        "M123",
        "did you mean `models/influenza.py`",
        "study.yaml",
    ),
    ("models/influenza.py", "model = Model(", "modell = Model(", "M123", "model", "models/influenza.py"),
    ("models/influenza.py", "rate=contact_rate", "rate=contct_rate", "M124", "contct_rate", "models/influenza.py"),
    (
        "models/influenza.py",
        "model = Model(",
        "import sys\nsys.exit(3)\nmodel = Model(",
        "M124",
        "SystemExit: 3",
        "models/influenza.py",
    ),
    ("models/influenza.py", "model = Model(", "model = Model((", "M124", "line", "models/influenza.py"),
    (
        "models/influenza.py",
        '"infectious", "recovered"],',
        '"infectious", "recoverd"],',
        "M101",
        "recovered",
        "models/influenza.py",
    ),
    ("models/influenza.py", 'events("infection")', 'events("infections")', "M111", "infection", "models/influenza.py"),
    ("models/influenza.py", "rate=recovery_rate", "rate=-0.5", "M110", "below", "models/influenza.py"),
    (
        "models/influenza.py",
        '"days_in_bed": 1 / recovery_rate',
        '"days_in_bed": people("infectious")',
        "M118",
        "parameters",
        "models/influenza.py",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new", "code", "word", "named"), MISTAKES, ids=lambda v: str(v)[:24])
def test_a_mistake_is_told_with_code_file_and_hint(
    repository: Path, file: str, old: str, new: str, code: str, word: str, named: str | None
) -> None:
    """A person who made a mistake learns what, where and what to try, and sees no traceback."""
    path = repository / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(repository / "studies" / "boarding-school")
    letters = [letter for letter in caught.value.letters if letter.code == code]
    assert letters, [str(letter) for letter in caught.value.letters]
    assert any(word in letter.message + letter.hint for letter in letters)
    assert all(letter.hint for letter in letters)
    if named is not None:
        assert any(letter.file is not None and letter.file.endswith(named) for letter in letters)
    assert code in explanations()


@pytest.mark.parametrize(
    ("old", "new", "code", "there"),
    [
        ('"recovered"],', '"recoverd"],', "M101", 'Transition("recovery"'),
        ("rate=recovery_rate", "rate=1 / recovery_rate", "M129", 'Transition("recovery"'),
        ('events("infection")', 'events("infections")', "M111", 'events("infections")'),
        ('people("infectious")', 'people("infectiuos")', "M101", 'people("infectiuos")'),
        ('"new_infections": Output(events', '"in_bed_too": Output(1 / boys + events', "M129", '"in_bed_too"'),
    ],
)
def test_a_mistake_of_a_model_is_told_with_its_line(study: Path, old: str, new: str, code: str, there: str) -> None:
    """A model is looked at as a whole when it is declared, and then no call on the way leads to the line."""
    path = study.parents[1] / "models" / "influenza.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    letter = next(each for each in caught.value.letters if each.code == code)
    assert letter.line is not None
    assert there in path.read_text(encoding="utf-8").splitlines()[letter.line - 1], str(letter)


def test_a_target_in_a_wrong_unit_is_told_with_both_units_and_its_line(tmp_path: Path) -> None:
    folder = new_repository(tmp_path / "ours") / "studies" / "first-study"
    file = folder / "targets.yaml"
    text = file.read_text(encoding="utf-8").replace("unit: people", "unit: days")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(folder)
    [letter] = caught.value.letters
    assert letter.message.startswith("the target `people_ill` is in `days`, and its output `prevalence` in `people`")
    assert "the unit that the data are in" in letter.hint
    assert text.splitlines()[(letter.line or 0) - 1].strip() == "unit: days"


def test_a_sound_study_binds(study: Path) -> None:
    """The example itself has no mistake: every letter above is due to the edit."""
    bound = bind(study)
    assert set(bound.priors) == {"contact_rate", "recovery_rate", "overdispersion"}
    assert bound.fixed == {"boys": 763.0, "first_cases": 1.0}
    assert bound.observations[0].starts.tolist() == [float(k) for k in range(1, 15)]


def test_a_rate_per_week_is_the_same_rate_per_day(study: Path) -> None:
    """A value in another unit of the same kind is converted, not refused and not taken as it is."""
    path = study / "parameters.yaml"
    text = path.read_text(encoding="utf-8")
    weekly = text.replace("{normal: {mean: 2, sd: 1}}", "{normal: {mean: 14, sd: 7}}").replace(
        "unit: per day", "unit: per week", 1
    )
    path.write_text(weekly, encoding="utf-8")
    assert bind(study).factors["contact_rate"] == pytest.approx(1 / 7, rel=1e-15)


# (file under the study's folder or the repository, what to replace, with what, all codes that answer)
ALONE = [
    ("parameters.yaml", "contact_rate:", "\tcontact_rate:", ["Y103"]),
    ("targets.yaml", "negative_binomial:", "negative_binomal:", ["T104"]),
    ("targets.yaml", "overdispersion: overdispersion", "overdispersion: overdisp", ["T106"]),
    ("targets.yaml", "column: in_bed", "column: in_bad", ["T103"]),
    ("study.yaml", "start: 1978-01-21", "start: 1978-01-24", ["T109"]),
    ("../../data/catalogue.yaml", "file: raw/boarding", "file: raw/bearding", ["D102"]),
    ("study.yaml", "contact_rate: {multiply: ", "contact_rat: {multiply: ", ["Y127"]),
    ("study.yaml", "contact_rate: {multiply: ", "contact_rate: {multiply: -", ["Y130"]),
    ("../../data/catalogue.yaml", "file: raw/boarding", "file: ../../../raw/boarding", ["Y115"]),
    ("../../data/raw/boarding-school-1978.csv", "1978-01-22,", "1978-01-22, ", ["D103"]),
]


@pytest.mark.parametrize(("file", "old", "new", "codes"), ALONE, ids=lambda v: str(v)[:24])
def test_one_mistake_is_one_letter(study: Path, file: str, old: str, new: str, codes: list[str]) -> None:
    """A second letter sends the reader after a mistake that nobody made."""
    path = study / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    assert list(caught.value.codes) == codes, [str(letter) for letter in caught.value.letters]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("output: in_bed", "output: in_bad", "T201"),
        ("column: in_bed", "column: in_bad", "T103"),
        ("unit: people", "unit: days", "T116"),
        ("dataset: boarding-school-1978", "dataset: boarding-school", "D101"),
    ],
)
def test_a_target_s_mistake_is_told_on_its_line(study: Path, old: str, new: str, code: str) -> None:
    """Whoever opens the file goes to that line."""
    path = study / "targets.yaml"
    text = path.read_text(encoding="utf-8").replace(old, new, 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelworksError) as caught:
        bind(study)
    line = 1 + text[: text.index(new)].count("\n")
    assert [(letter.code, letter.line) for letter in caught.value.letters] == [(code, line)]
