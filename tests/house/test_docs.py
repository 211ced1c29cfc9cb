"""What the docs tell a reader to do, done."""

from __future__ import annotations

import re
from pathlib import Path

import doc_blocks
import pytest

# Blocks that are shown and not run, each with its reason beside it on the page. The list is the
# price of a reader's trust, so it is short and a new entry is seen in review.
MOST_ILLUSTRATIONS_A_PAGE = 6


def _pages() -> list[object]:
    slow = pytest.mark.slow
    return [
        pytest.param(page, id=str(page.relative_to(doc_blocks.ROOT)), marks=[slow] if "slow" in directives else [])
        for page in doc_blocks.pages()
        if any(not block.is_illustration for block in doc_blocks.blocks(page))
        for directives in [doc_blocks.page_directives(page)]
    ]


@pytest.mark.parametrize("page", _pages())
def test_a_reader_can_do_what_the_page_says(page: Path, tmp_path: Path) -> None:
    """A block that does not run is worse than none: the reader looks for the fault in themselves."""
    doc_blocks.Reader(page, tmp_path).follow()


def test_every_illustration_says_why_it_is_not_run() -> None:
    """An illustration is the exception: hand-written pages have few, and each gives a reason."""
    for page in doc_blocks.pages():
        shown = [block for block in doc_blocks.blocks(page) if block.is_illustration]
        if page.parent.name != "reference":
            assert len(shown) <= MOST_ILLUSTRATIONS_A_PAGE, f"{page.name} shows {len(shown)} blocks that nothing runs"
        assert all(len(block.directives["illustration"]) > 3 for block in shown), page.name


def _headings(page: Path) -> set[str]:
    """The anchors of a page, as the forges make them."""
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_within_the_docs_leads_somewhere() -> None:
    """A dead link is found by the reader who needed it most."""
    dead = []
    for page in doc_blocks.pages():
        text = re.sub(r"(?s)```.*?```", "", page.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name) if name else page
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _headings(file)):
                dead.append(f"{page.relative_to(doc_blocks.ROOT)}: {target}")
    assert not dead, "\n".join(dead)


def test_every_page_can_be_reached_from_the_front_page() -> None:
    """A page that nothing links to is not read."""
    start = doc_blocks.ROOT / "docs" / "index.md"
    reached: set[Path] = set()
    waiting = [start]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        waiting += [page.parent / link for link in links if not re.match(r"[a-z]+:", link)]
    lonely = [str(page) for page in sorted((doc_blocks.ROOT / "docs").rglob("*.md")) if page.resolve() not in reached]
    assert not lonely, lonely


def test_a_block_that_fails_is_told_with_its_page_and_line(tmp_path: Path) -> None:
    """The runner itself has to fail when it should."""
    page = doc_blocks.ROOT / "docs" / "index.md"
    block = doc_blocks.Block(page, 12, "python", "1 / 0\n")
    with pytest.raises(doc_blocks.BlockError, match=r"docs/index.md, line 12: ZeroDivisionError"):
        doc_blocks.Reader(page, tmp_path).run_python(block)


def test_a_command_that_ends_otherwise_than_the_page_says_is_a_failure(tmp_path: Path) -> None:
    """Exit status and shown output are both promises."""
    page = doc_blocks.ROOT / "docs" / "index.md"
    reader = doc_blocks.Reader(page, tmp_path)
    with pytest.raises(doc_blocks.BlockError, match="ended with"):
        reader.run_commands(doc_blocks.Block(page, 1, "console", "$ ls no-such-folder\n"))
    with pytest.raises(doc_blocks.BlockError, match="does not say"):
        reader.run_commands(doc_blocks.Block(page, 1, "console", "$ ls .\nno such file\n"))


def test_every_check_is_explained_on_the_page_of_the_verdict() -> None:
    """A verdict is only as good as the reader's idea of what was asked."""
    checks = (doc_blocks.ROOT / "src" / "modelworks" / "diagnostics" / "checks").glob("[a-z]*.py")
    page = (doc_blocks.ROOT / "docs" / "explanation" / "what-the-verdict-means.md").read_text("utf-8")
    missing = [file.stem for file in checks if f"| {file.stem} |" not in page]
    assert not missing, f"add a row for {missing}"


def _words_of_the_files() -> dict[str, set[str]]:
    """Every word that a study's files may use, by the module that reads it."""
    from modelworks.inputs import (
        catalogue,
        columns,
        decisions,
        groups,
        likelihoods,
        parameters,
        priors,
        quantities,
        repository,
        scenarios,
        stage_entries,
        targets,
    )
    from modelworks.inputs import study_file as study

    priors_say = {word for name, family in priors.FAMILIES.items() for word in (name, *family.arguments)}
    likelihoods_say = {word for name, family in likelihoods.FAMILIES.items() for word in (name, *family.arguments)}
    return {
        "study.yaml": {*study.FIELDS, *study.SAMPLERS, *study.TIME_UNITS, "extends"},
        "stages": {*stage_entries.FIELDS, *stage_entries.OUTPUTS},
        "scenarios": set(scenarios.FIELDS),
        "quantities": {*quantities.FIELDS, *quantities.STATISTICS},
        "decisions": set(decisions.FIELDS),
        "parameters.yaml": set(parameters.FIELDS),
        "targets.yaml": {*targets.FIELDS, *targets.COVERS},
        "catalogue.yaml": {*catalogue.FIELDS, *columns.FIELDS},
        "modelworks.toml": set(repository.KNOWN),
        "families": priors_say | likelihoods_say,
        "groups": {word for name, form in groups.GROUPS.items() for word in (name, *form.arguments)},
    }


def test_every_word_of_a_study_is_in_the_reference() -> None:
    """A word that can only be found in the source is known to its author alone."""
    page = (doc_blocks.ROOT / "docs" / "reference" / "study-files.md").read_text("utf-8")
    for file, words in _words_of_the_files().items():
        missing = sorted(word for word in words if not re.search(rf"`{word}`|`{word}: ", page))
        assert not missing, f"docs/reference/study-files.md says nothing of {missing} ({file})"
