"""Numbers as people type them: one that may be two is asked about, and no other is."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import StudyInputs, read_study
from modelworks.study import letters_against, new_repository
from modelworks.study.binding._binding import bind
from modelworks.study.inquiries._typed import change_of, entry_of, read_change


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> StudyInputs:
    """The first study with a share that is known to three digits behind the point, and a number without bounds."""
    folder = new_repository(tmp_path_factory.mktemp("typed") / "ours") / "studies" / "first-study"
    with (folder / "parameters.yaml").open("a", encoding="utf-8") as file:
        file.write("share: {value: 12.5, unit: percent, source: a test}\n")
        file.write("known: {prior: {normal: {mean: 1.125, sd: 900}}, unit: days, source: a test}\n")
    return read_study(folder)


@pytest.mark.parametrize(
    ("name", "typed", "one", "other"),
    [
        ("population", "10.000", "10.0", "10000"),
        ("population", "12.500", "12.50", "12500"),
        ("first_cases", "5.000", "5.0", "5000"),
        ("contact_rate", "12.345", "12.3450", "12345"),
        ("contact_rate", "log_normal(10.000, 0.5)", "10.0", "10000"),
        ("population", "uniform(lower=1.500, upper=30000)", "1.50", "1500"),
    ],
)
def test_a_number_that_may_be_two_is_asked_about(
    inputs: StudyInputs, name: str, typed: str, one: str, other: str
) -> None:
    """Whoever means ten thousand and is given ten reads a wrong number as a right one."""
    change = change_of(inputs.parameters[name], typed)
    with pytest.raises(ModelworksError) as caught:
        entry_of(read_change(change), inputs)
    [letter] = caught.value.letters
    assert letter.code == "Y523"
    assert letter.hint == f"write {one} for the one or {other} for the other"
    for written in (one, other):
        entry_of(read_change(f"value {name} = {written}"), inputs)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("contact_rate", "0.125"),
        ("contact_rate", "1.125"),
        ("contact_rate", "12.34"),
        ("population", "10000"),
        ("population", "1234.567"),
        ("share", "12.375"),
        ("share", "99.000"),
        ("known", "normal(1.125, 800)"),
        ("contact_rate", "log_normal(0.4, sigma=1.250)"),
    ],
)
def test_an_ordinary_decimal_is_no_question(inputs: StudyInputs, name: str, typed: str) -> None:
    """One below one, near what the file says, in the file already, or whose thousands no share can be."""
    entry_of(read_change(change_of(inputs.parameters[name], typed)), inputs)


def test_a_change_is_judged_as_the_changed_study_is(tmp_path: Path) -> None:
    """By the model's limits, and by a scenario that would leave them with it; and nothing is written."""
    root = new_repository(tmp_path / "ours")
    folder = root / "studies" / "first-study"
    [model] = (root / "models").glob("*.py")
    declared = model.read_text(encoding="utf-8")
    model.write_text(declared.replace('"population", "people", lower=0', '"population", "people", lower=100'), "utf-8")
    file = folder / "study.yaml"
    more = "  more: {title: More, parameters: {first_cases: {multiply: 0.5}, population: {multiply: 0.5}}}\n"
    text = file.read_text(encoding="utf-8")
    at = text.index("  fewer-contacts:")
    file.write_text(text[:at] + more + text[at:], encoding="utf-8")
    study, before = bind(folder), sorted(tmp_path.rglob("*"))

    def codes(text: str) -> list[str]:
        return [each.code for each in letters_against(study, text)]

    assert codes("value population = 20000") == []
    assert codes("value population = 99") == ["P204", "Y202"]
    assert codes("value population = 150") == ["Y202"]
    assert codes("prior contact_rate = normal(1, 1)") == ["P101"]
    assert codes("value contact_rat = 1") == ["Y522"]
    assert all(each.file is None for each in letters_against(study, "value population = 99"))
    assert sorted(tmp_path.rglob("*")) == before
