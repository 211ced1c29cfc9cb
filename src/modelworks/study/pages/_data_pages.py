"""Pages of datasets: what the catalogue says of each, what its table holds, and which studies use it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelworks.errors import ModelworksError, counted
from modelworks.inputs import Catalogue, Dataset, Finding, Repository, check_files, sources
from modelworks.report import CheckLine, ColumnLine, DataPage, LineageStep
from modelworks.report.words import grouped
from modelworks.units import as_written

if TYPE_CHECKING:
    import pandas as pd

    from modelworks.plots import Figure

# More columns than this are listed, and not drawn.
MOST_PICTURES = 12
HIDDEN = "Nobody without a key may see these data, so nothing of them is shown."


def data_pages(folder: Path, names: tuple[str, ...] = ()) -> list[DataPage]:
    """The pages of the repository's datasets, or of those named.

    A dataset whose table can not be had has a page that says why.

    Raises
    ------
    ModelworksError
        Where the catalogue has mistakes, or no dataset of a name (D101).
    """
    repository = Repository.around(folder)
    catalogue = Catalogue.read(repository.root)
    used = _studies_by_dataset(repository)
    wanted = [catalogue.dataset(name) for name in names] or list(catalogue.values())
    return [_page(catalogue, each, used, date.today()) for each in wanted]


def data_files(folder: Path) -> tuple[Path, ...]:
    """Every file of the data that the pages are made from, with the catalogue; whether or not it is there.

    Raises
    ------
    ModelworksError
        Where the catalogue has mistakes.
    """
    root = Repository.around(folder).root
    catalogue = Catalogue.read(root)
    tables = [path for each in catalogue.values() for path in (*each.files(), each.path)]
    # Large files may be told of by a small one beside them.
    pointers = [path.with_name(f"{path.name}.dvc") for path in tables]
    return tuple(dict.fromkeys((root / "data" / "catalogue.yaml", *tables, *pointers)))


def data_page(catalogue: Catalogue, name: str) -> DataPage:
    """The page of one dataset as a catalogue has it, without the studies that use it."""
    return _page(catalogue, catalogue.dataset(name), {}, date.today())


def _studies_by_dataset(repository: Repository) -> dict[str, list[str]]:
    """Who uses what, as far as the studies' files can be read."""
    used: dict[str, list[str]] = {}
    for folder in repository.studies():
        inputs, _ = check_files(folder)
        if inputs is None:
            continue
        for name in inputs.datasets:
            used.setdefault(name, []).append(inputs.study.title)
    return used


def _page(catalogue: Catalogue, dataset: Dataset, used: Mapping[str, list[str]], today: date) -> DataPage:
    """What may be shown of a dataset."""
    table: pd.DataFrame | None = None
    found: list[Finding] = []
    problem = ""
    if not dataset.is_sensitive:
        try:
            table, found = dataset.table(), catalogue.findings(dataset.name)
        except ModelworksError as error:
            problem = str(error.letters[0]).replace("\n\nhint:", ". Hint:")
    return DataPage(
        name=dataset.name,
        title=dataset.title,
        meaning=HIDDEN if dataset.is_sensitive else dataset.meaning,
        facts=tuple((term, said) for term, said in _facts(dataset, table, today).items() if said),
        columns=tuple(_column(dataset, name, table) for name in dataset.columns),
        checks=tuple(_check(each) for each in found),
        lineage=tuple(_lineage(catalogue, dataset, used)),
        figures=() if table is None else tuple(_figures(dataset, table)),
        problem=problem,
    )


def _facts(dataset: Dataset, table: pd.DataFrame | None, today: date) -> dict[str, str]:
    age = (today - date.fromisoformat(dataset.retrieved)).days if dataset.retrieved else 0
    return {
        "Publisher": dataset.publisher,
        "Licence": dataset.licence,
        "Source": dataset.source,
        "Address": dataset.url,
        "Retrieved": dataset.retrieved + (f", {counted(age, 'day')} before this page was made" if age else ""),
        "Sensitivity": "" if dataset.sensitivity == "public" else dataset.sensitivity,
        "Rows": "" if table is None else f"{len(table):,}",
    }


def _column(dataset: Dataset, name: str, table: pd.DataFrame | None) -> ColumnLine:
    said = dataset.columns[name]
    if table is None:
        return ColumnLine(name, said.unit, said.meaning, "", "")
    values = table[name].dropna()
    span = "" if said.kind == "text" or values.empty else f"{_short(values.min())} to {_short(values.max())}"
    return ColumnLine(name, said.unit, said.meaning, span, f"{int(table[name].isna().sum()):,}")


def _short(value: Any) -> str:
    """An end of what a column holds, with every digit of a number.

    >>> _short(32447385.0), _short(date(2024, 2, 29))
    ('32,447,385', '2024-02-29')
    """
    return f"{value:%Y-%m-%d}" if hasattr(value, "strftime") else grouped(as_written(value))


def _check(found: Finding) -> CheckLine:
    if not found.problem:
        return CheckLine(found.check.name, "fine", "holds")
    if found.stops:
        return CheckLine(found.check.name, "stop", found.problem)
    return CheckLine(found.check.name, "look", found.problem, f"accepted: {found.check.accepted}")


def _lineage(catalogue: Catalogue, dataset: Dataset, used: Mapping[str, list[str]]) -> list[LineageStep]:
    """From the files it is made of, by the code, to the tables and studies that are made of it."""
    steps = []
    made_from = sources(catalogue, dataset)
    steps += [LineageStep("made from", name, catalogue[name].title, name) for name in made_from]
    known = {catalogue[name].path.resolve() for name in made_from}
    steps += [
        LineageStep("made from", f"data/{name}") for name in dataset.uses
        if (dataset.root / "data" / name).resolve() not in known
    ]  # fmt: skip
    if dataset.prepare:
        steps.append(LineageStep("made by", f"data/{dataset.prepare}"))
    else:
        steps.append(LineageStep("raw file", f"data/{dataset.file}", f"SHA-256 {dataset.checksum}"))
    steps.append(LineageStep("this table", dataset.name))
    steps += [
        LineageStep("used for", name, each.title, name)
        for name, each in catalogue.items()
        if dataset.name in sources(catalogue, each)
    ]
    return steps + [LineageStep("used by the study", title) for title in used.get(dataset.name, ())]


def _figures(dataset: Dataset, table: pd.DataFrame) -> list[Figure]:
    """A picture of each column of numbers: along the first column of days, one line for each text beside it."""
    from modelworks.plots import figure

    kinds = {name: column.kind for name, column in dataset.columns.items()}
    day = next((name for name, kind in kinds.items() if kind == "date" and table[name].notna().any()), "")
    by = [name for name, kind in kinds.items() if kind == "text" and table[name].nunique() > 1] if day else []
    drawn = [name for name, kind in kinds.items() if kind == "number" and table[name].notna().any()][:MOST_PICTURES]
    # The caption below has the meaning, which may be long.
    units = {name: dataset.columns[name].unit for name in drawn}
    titles = {name: _sentence(dataset.columns[name].meaning) for name in drawn}
    draw = figure("dataset")
    return [draw(table, [name], day=day, by=by, labels=units, title=titles[name]) for name in drawn]


def _sentence(meaning: str) -> str:
    """A meaning as the beginning of a sentence."""
    return meaning[:1].upper() + meaning[1:].rstrip(".")
