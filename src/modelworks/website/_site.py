"""The site as a folder of plain pages: made aside, then put in the place of the one before it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

from modelworks.errors import ModelworksError, disk_letter, fail
from modelworks.report import DataPage, environment, policy, render_data_page, stylesheet
from modelworks.runs import Promotion, Run
from modelworks.website._entries import REPORT, StudyEntry, studies

# No study has this name: it would not begin with `_`.
DATA = "_data"
# A folder with this file in it was made by us, and may be replaced as a whole.
MARK = ".modelworks-site"
MARK_TEXT = "This folder was made by `modelworks publish`, which replaces all of it.\n"


def publish_site(
    runs: Iterable[Run], out: Path, datasets: Sequence[DataPage] = (), promotions: Iterable[Promotion] = ()
) -> Path:
    """Write a site of these runs into a folder, in the place of the site that was there.

    A page lists the studies with their latest verdict and answer, each study has a page of its runs, and the reports
    lie beside it; each dataset has a page, and there is a list of them.
    What the team stands behind is said, and shown first. The same runs and datasets give the same bytes.
    Readers see the old site or the new one.

    Raises
    ------
    ModelworksError
        R130 when the folder holds anything but a site of ours, Y119 when it can not be written.
    """
    out = out.resolve()
    entries = studies(runs, promotions)
    try:
        _check_place(out)
        _replace(out, entries, datasets)
    except OSError as error:
        # What we write beside the site bears a name that nobody gave it.
        if not str(error.filename).startswith(str(out.with_name(f".{out.name}."))):
            raise
        raise ModelworksError([disk_letter(error, out)]) from error
    return out


def _replace(out: Path, entries: list[StudyEntry], datasets: Sequence[DataPage]) -> None:
    """Make the site aside and put it in its place by renaming."""
    out.parent.mkdir(parents=True, exist_ok=True)
    aside, former = (out.with_name(f".{out.name}.{which}") for which in ("new", "old"))
    if former.exists() and not out.exists():
        # The last publishing was stopped between the two renames below.
        former.rename(out)
    for left_over in (aside, former):
        shutil.rmtree(left_over, ignore_errors=True)
    write_site(entries, aside, datasets)
    if out.exists():
        out.rename(former)
    aside.rename(out)
    shutil.rmtree(former, ignore_errors=True)


def write_site(entries: list[StudyEntry], folder: Path, datasets: Sequence[DataPage] = ()) -> None:
    """Write all pages into a new folder."""
    folder.mkdir()
    (folder / MARK).write_text(MARK_TEXT, encoding="utf-8")
    _page(folder / "index.html", "index.html.j2", studies=entries, data=DATA if datasets else "")
    if datasets:
        write_data_pages(datasets, folder / DATA)
    for study in entries:
        _page(folder / study.name / "index.html", "study.html.j2", study=study)
        for entry in study.runs:
            source = entry.run.file(REPORT)
            if source is not None:
                copy = folder / study.name / entry.report
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)


def write_data_pages(datasets: Sequence[DataPage], folder: Path) -> None:
    """A page for each dataset, and one that lists them."""
    _page(folder / "index.html", "data.html.j2", datasets=datasets)
    links = {each.name: f"{each.name}.html" for each in datasets}
    for each in datasets:
        text = render_data_page(each, links, home="index.html")
        (folder / links[each.name]).write_text(text, encoding="utf-8", newline="\n")


def _page(path: Path, template: str, **values: object) -> None:
    style = stylesheet()
    text = environment("modelworks.website").get_template(template).render(
        style=Markup(style), policy=policy([style]), **values
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _check_place(out: Path) -> None:
    """Refuse a folder that somebody filled by hand: publishing would delete it."""
    if not out.exists() or (out / MARK).is_file():
        return
    if not out.is_dir() or any(out.iterdir()):
        fail(
            "R130",
            f"{out.name} is not a site that modelworks made, and publishing would replace all of it",
            hint="name a folder that does not exist yet, or empty this one",
            file=str(out),
        )
