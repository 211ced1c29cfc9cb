"""Who hears what of runs that are put forward, approved, superseded or withdrawn, by the ways of `_notices.py`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelworks.errors import ModelworksError
from modelworks.inputs.repository import Repository
from modelworks.jobs import Agenda, Outbox
from modelworks.jobs.channels import Notice
from modelworks.logs import without_secrets
from modelworks.runs import Promotion, Store, promotions
from modelworks.study._repository import store_around
from modelworks.study.jobs._jobs import queue_around
from modelworks.study.jobs._notices import channels_of

MARK = "approvals"


def tell_of_approvals(root: Path) -> None:
    """Write down what became of runs that were put forward, since the last look; `tell_of_jobs` tells it.

    What was said before the first look is not told. Nothing is told twice or forgotten, whoever is killed: the mark
    that names everything told moves with what is written down.

    Raises
    ------
    ModelworksError
        Y132 where the settings have a mistake, J101 where the queue does not answer.
    """
    repository, store = Repository.around(root), store_around(root)
    with queue_around(root) as queue:
        mark = Agenda(queue).mark(MARK)
        names = hashlib.sha256("\n".join(sorted(store.word_names())).encode()).hexdigest()
        before = json.loads(mark) if mark is not None else {"names": "", "told": []}
        if before["names"] == names:
            return
        found = {_name(each, occasion): (each, occasion) for each, occasion in occasions(reversed(promotions(store)))}
        told = sorted({*before["told"], *found})
        fresh = [found[name] for name in found if name not in before["told"]] if mark is not None else []
        notices = [_notice(repository, store, *each) for each in fresh if each[1] in repository.notify.on]
        Outbox(queue).write(MARK, mark, json.dumps({"names": names, "told": told}), channels_of(repository), notices)


def occasions(found: Iterable[Promotion]) -> Iterator[tuple[Promotion, str]]:
    """What there is to tell of each promotion; that it waits for a signature, only while it does."""
    for each in found:
        if each.state == "open":
            yield each, "proposed"
        if each.approved:
            yield each, "approved"
        if each.state in ("superseded", "withdrawn"):
            yield each, each.state


def _name(promotion: Promotion, occasion: str) -> str:
    return f"{promotion.run}~{promotion.round}~{occasion}"


def _notice(repository: Repository, store: Store, promotion: Promotion, occasion: str) -> Notice:
    study, region = promotion.question
    run = promotion.run[-6:]
    try:
        record = store.record(promotion.run)
    except ModelworksError:
        # Somebody took the folder away by hand; what was said of it is told all the same.
        record = {}
    answer = str(record.get("answer") or "")
    told = {"proposed": "put forward"}.get(occasion, occasion)
    subject = f"[{repository.title}] {study}: run {run} {told}"
    lines = (answer, f"Run {run} is {promotion.in_words()}.", "next: modelworks approved")
    about = {
        "run": run, "key": promotion.run, "study": study, "region": region, "state": promotion.state,
        "words": promotion.in_words(), "missing": promotion.missing, "signers": promotion.signers,
        "approved": promotion.approved, "supersedes": promotion.proposal.supersedes,
        "superseded_by": promotion.superseded_by, "verdict": record.get("verdict"), "answer": answer,
    }  # fmt: skip
    # The same however often it is looked for, so that whoever gets it twice knows.
    identity = hashlib.sha256(_name(promotion, occasion).encode()).hexdigest()[:16]
    text = without_secrets("\n\n".join(each for each in lines if each))
    return Notice(identity, occasion, without_secrets(subject), text, json.loads(without_secrets(json.dumps(about))))
