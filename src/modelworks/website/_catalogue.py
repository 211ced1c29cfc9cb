"""What the website says of the datasets of a workspace, read again when a file they are made from has changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from modelworks.report import DataPage
from modelworks.study import data_files, data_pages
from modelworks.website._files import lent_files, stamps, yaml_files
from modelworks.website._house import Workspace, no_such_place
from modelworks.website._render import at


def datasets(workspace: Workspace) -> list[DataPage]:
    """The pages of all datasets; a `ModelworksError` where the catalogue has mistakes."""
    if not _catalogue(workspace).is_file():
        return []
    return workspace.remembered(("data", state(workspace)), lambda: data_pages(workspace.root))


def dataset(workspace: Workspace, name: str) -> DataPage:
    """The page of one; W104 where there is none."""
    return known(workspace, name) or no_such_place()


def known(workspace: Workspace, name: str) -> DataPage | None:
    """The page of one; None where the catalogue has none of that name (yet)."""
    return next((each for each in datasets(workspace) if each.name == name), None)


def links(workspace: Workspace) -> dict[str, str]:
    """Where the page of each dataset is."""
    return {each.name: at(workspace.name, "data", each.name) for each in datasets(workspace)}


def state(workspace: Workspace) -> tuple[date, tuple[tuple[str, int, int], ...]]:
    """What changes whenever a page of the data would: only files that the catalogue names are looked at."""
    named = workspace.remembered(("data files", stamps([_catalogue(workspace)])), lambda: data_files(workspace.root))
    asked = (file for folder in workspace.repository.studies() for file in yaml_files(folder))
    # A page says how many days old its data are.
    return date.today(), stamps((*named, *sorted(asked), *lent_files(workspace.root)))


def _catalogue(workspace: Workspace) -> Path:
    return workspace.repository.data / "catalogue.yaml"
