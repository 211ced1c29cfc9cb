"""Commands about what the team stands behind: put a run forward, sign it, take it back, see what holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelworks.cli._words import MARKS, json_option, next_step, say, show, show_json, table

if TYPE_CHECKING:
    from modelworks.runs import Promotion

comment_option = click.option("--comment", default="", help="A sentence that stays beside it.")


@click.command("promote")
@click.argument("run")
@click.option("--dry-run", is_flag=True, help="Only look whether all that is required holds.")
@comment_option
@json_option
def promote_run(run: str, dry_run: bool, comment: str, as_json: bool) -> None:
    """Put a run forward as the one that the team stands behind; it is approved when all have signed.

    RUN is the beginning of its id, its key, or a study: then its latest run with a report.
    """
    from modelworks.study import find_run, needs_of, promote, requirements

    found = find_run(Path.cwd(), run)
    if not dry_run:
        made = promote(Path.cwd(), found.key, comment=comment)
        _present(made, as_json=as_json)
        return
    required = requirements(Path.cwd(), found)
    if as_json:
        show_json({"run": found.id, "requirements": [dataclasses.asdict(each) for each in required]})
    for each in () if as_json else required:
        mark, colour = MARKS["fine" if each.holds else "stop"]
        show(f"{click.style(mark, fg=colour)} {each.name}: {each.words}")
    if not all(each.holds for each in required):
        next_step("see to what is marked ✗, then modelworks run")
        raise click.exceptions.Exit(1)
    say(f"to be signed by: {', '.join(needs_of(Path.cwd(), found))}")
    next_step(f"modelworks promote {found.id}")


@click.command("sign")
@click.argument("run")
@click.option("--role", default="", help="In which role, where several are missing.")
@comment_option
@json_option
def sign_for(run: str, role: str, comment: str, as_json: bool) -> None:
    """Sign a run that was put forward: every byte of it, in your name."""
    from modelworks.study import sign_run

    _present(sign_run(Path.cwd(), run, role=role, comment=comment), as_json=as_json)


@click.command("withdraw")
@click.argument("run")
@click.option("--why", required=True, help="Why the team no longer stands behind it, for whoever used its numbers.")
@json_option
def withdraw_from(run: str, why: str, as_json: bool) -> None:
    """Take a run back that was put forward or approved. No earlier run comes back in its place."""
    from modelworks.study import withdraw_run

    _present(withdraw_run(Path.cwd(), run, reason=why), as_json=as_json)


@click.command("approved")
@click.option("--all", "everything", is_flag=True, help="Also what waits, was superseded, withdrawn or changed.")
@json_option
def list_approved(everything: bool, as_json: bool) -> None:
    """What the team stands behind: one run for each study and region, held to its checksums."""
    from modelworks.runs import approved_runs, promotions
    from modelworks.study import index_around, store_around

    with index_around(Path.cwd()) as index:
        found = promotions(index) if everything else approved_runs(index)
    store = store_around(Path.cwd())
    damaged = {each.run: store.verify(each.run) for each in found if each.state == "approved"}
    answers = {each.run: str(store.record(each.run).get("answer") or "") for each in found if each.state != "changed"}
    if as_json:
        show_json([_as_dict(each) | {"differs": damaged.get(each.run, [])} for each in found])
    else:
        rows = [(each.run[-6:], *each.question, each.in_words(), answers.get(each.run, "")) for each in found]
        table(("run", "study", "region", "stands", "answer"), rows)
    if any(damaged.values()):
        for run, files in damaged.items():
            say(f"{MARKS['stop'][0]} {run[-6:]} is not as it was signed: {'; '.join(files[:3])}" if files else "")
        next_step("copy the run again from where it was published; do not use its numbers")
        raise click.exceptions.Exit(1)
    next_step("modelworks promote RUN" if not found else f"modelworks show {found[0].run[-6:]}")


def _present(made: Promotion, *, as_json: bool) -> None:
    run = made.run[-6:]
    if as_json:
        show_json(_as_dict(made))
        return
    show(f"{run} of {made.question[0]} is {made.in_words()}")
    if made.state == "open":
        next_step(f"modelworks sign {run}, by somebody who signs as {' or '.join(made.missing)}")
    else:
        next_step("modelworks approved")


def _as_dict(made: Promotion) -> dict[str, Any]:
    return {
        "run": made.run[-6:],
        "key": made.run,
        "state": made.state,
        "in_words": made.in_words(),
        "approved": made.approved or None,
        "superseded_by": made.superseded_by or None,
        "missing": list(made.missing),
        "proposal": dataclasses.asdict(made.proposal),
        "signatures": [dataclasses.asdict(each) for each in made.signatures],
        "withdrawal": None if made.withdrawal is None else dataclasses.asdict(made.withdrawal),
    }


COMMANDS = (promote_run, sign_for, withdraw_from, list_approved)
