"""What was asked of a model is told again while nothing has changed that it follows from, and not a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelworks.jobs import Order
from modelworks.study import asked_of, new_repository
from modelworks.website._house import Workspace
from modelworks.website._unchanged import while_unchanged
from modelworks.website.pages.new_run import _taken_before

STUDY = "first-study"


class Asked(Workspace):
    """A workspace that asks models in this process, and counts how often."""

    times = 0

    def of_study(self, study: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        self.times += 1
        return function(*arguments, **named)


@pytest.fixture
def workspace(tmp_path: Path) -> Asked:
    return Asked("ours", new_repository(tmp_path / "ours"))


def again(workspace: Asked, also: Any = None) -> tuple[int, Any]:
    """How often the model was asked of two that want to know the same, and what they are told."""
    before = workspace.times
    told = [while_unchanged(workspace, STUDY, also, asked_of, workspace.root, STUDY) for _ in range(2)]
    assert told[0] == told[1] == asked_of(workspace.root, STUDY)
    return workspace.times - before, told[0]


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("models/sir.py", "\n# Another thought.\n"),
        (f"studies/{STUDY}/study.yaml", "\napproval: {sign: [admin]}\n"),
        ("modelworks.toml", "\n[approval]\nsign = ['admin']\n"),
    ],
)
def test_a_file_that_is_written_is_read_by_the_next_who_asks(workspace: Asked, file: str, text: str) -> None:
    times, before = again(workspace)
    assert times == 1
    assert again(workspace)[0] == 0
    append(workspace.root / file, text)
    times, after = again(workspace)
    assert times == 1
    assert after != before


def test_a_file_that_a_model_opens_where_nobody_watches_is_read_each_time(workspace: Asked) -> None:
    """Whether it has changed nobody here would notice."""
    (workspace.root / "notes.txt").write_text("0.4", encoding="utf-8")
    opened = "\nfrom pathlib import Path\nNOTES = Path(__file__).with_name('..') / 'notes.txt'\nNOTES.read_text()\n"
    append(workspace.root / "models" / "sir.py", opened)
    _, before = again(workspace)
    assert workspace.root / "notes.txt" in {each.resolve() for each in before.files}
    assert again(workspace)[0] == 2
    (workspace.root / "notes.txt").write_text("0.5", encoding="utf-8")
    assert again(workspace)[1] != before


def test_a_catalogue_that_can_not_be_read_lets_everybody_ask(workspace: Asked) -> None:
    """And they hear what is wrong with it, if it is theirs."""
    (workspace.root / "data" / "catalogue.yaml").write_text("cases: [", encoding="utf-8")
    for times in (1, 2):
        with pytest.raises(Exception, match="catalogue"):
            while_unchanged(workspace, STUDY, None, asked_of, workspace.root, STUDY)
        assert workspace.times == times


def test_a_run_and_a_job_change_what_an_estimate_follows_from(workspace: Asked) -> None:
    states = [_taken_before(workspace)]
    workspace.store.publish((STUDY, "sir", "here"), stages={}, record={})
    states.append(_taken_before(workspace))
    workspace.queue.submit([Order("a job", ["true"])])
    states.append(_taken_before(workspace))
    (workspace.repository.kept / "stages" / "finished").mkdir(parents=True)
    states.append(_taken_before(workspace))
    assert len(set(states)) == 4
    assert _taken_before(workspace) == states[-1]
    workspace.close()
