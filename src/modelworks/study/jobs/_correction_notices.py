"""Who hears of corrected files of data: that one waits for a decision, and what was decided; see `_notices.py`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from modelworks.inputs.repository import Repository
from modelworks.jobs import Agenda, Outbox
from modelworks.jobs.channels import Notice
from modelworks.logs import without_secrets
from modelworks.study._data_decisions import Decided
from modelworks.study._data_proposals import proposals
from modelworks.study.jobs._jobs import queue_around
from modelworks.study.jobs._notices import channels_of

MARK, OCCASION = "corrections", "correction"


def tell_of_corrections(root: Path) -> None:
    """Write down which corrected files wait for a decision since the last look; `tell_of_jobs` tells it.

    What waited before the first look is not told, and nothing twice: the mark names all that waited then.

    Raises
    ------
    ModelworksError
        Y132 where the settings have a mistake, J101 where the queue does not answer.
    """
    repository = Repository.around(root)
    with queue_around(root) as queue:
        before = Agenda(queue).mark(MARK)
        waits = {f"{each.dataset}-{each.id}-{each.commit}": each for each in proposals(root)}
        after = json.dumps(sorted(waits))
        if before == after:
            return
        told = set(json.loads(before)) if before is not None else set(waits)
        notices = [
            _notice(repository, name, each.dataset, each.id, f"proposed by {each.by}", each.why)
            for name, each in waits.items()
            if name not in told and OCCASION in repository.notify.on
        ]
        Outbox(queue).write(MARK, before, after, channels_of(repository), notices)


def tell_of_decision(root: Path, made: Decided) -> None:
    """Write down what was decided, once, however often it is said; raises what `tell_of_corrections` does."""
    repository = Repository.around(root)
    if OCCASION not in repository.notify.on or not repository.notify.ways:
        return
    name = f"{OCCASION}-{made.dataset}-{made.id}-{made.commit}"
    notice = _notice(repository, name, made.dataset, made.id, f"{made.what} by {made.by}", made.why)
    with queue_around(root) as queue:
        Outbox(queue).write(name, None, made.what, channels_of(repository), [notice])


def _notice(repository: Repository, name: str, dataset: str, id: str, what: str, why: str) -> Notice:
    identity = hashlib.sha256(name.encode()).hexdigest()[:16]
    subject = f"[{repository.title}] {dataset}: file {id} {what}"
    text = f"{why}\n\nnext: modelworks serve, Data, {dataset}, proposal {id}".strip()
    about: dict[str, Any] = {"dataset": dataset, "proposal": id, "what": what, "why": why}
    return Notice(identity, OCCASION, without_secrets(subject), without_secrets(text), _clean(about))


def _clean(about: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(without_secrets(json.dumps(about)))
    return found
