"""Commands about room: what runs take, which may go, and how one comes back."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelworks.cli._words import json_option, next_step, say, show, show_json, table
from modelworks.errors import counted

if TYPE_CHECKING:
    from modelworks.runs import Plan


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Show what would go and what that frees; touch nothing.")
@click.option("--empty-trash", is_flag=True, help="Remove for good what lies in the trash, however fresh.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def prune_runs(dry_run: bool, empty_trash: bool, yes: bool, as_json: bool) -> None:
    """Let old runs go, as [retention] in modelworks.toml says.

    They lie in the trash for a while, from where `modelworks restore` brings them back; their records and recipes
    stay for good. Pinned runs never go.
    """
    from modelworks.runs import empty_trash as emptied
    from modelworks.runs import person, plan, prune
    from modelworks.study import retention_around

    store, policy, cache = retention_around(Path.cwd())
    now = datetime.now(UTC)
    planned = plan(store, policy, now)
    if as_json:
        show_json(_as_dict(planned))
    else:
        _show(planned)
    if dry_run:
        next_step("modelworks prune" if planned.leaving else "nothing: all runs stay")
        return
    if planned.leaving and not yes:
        click.confirm(f"move {counted(len(planned.leaving), 'run')} into the trash?", abort=True, err=True)
    prune(store, planned.leaving, cache, by=person(Path.cwd()), now=now)
    freed = emptied(store, older_than_days=0.0 if empty_trash else policy.trash_days, now=now)
    if planned.leaving:
        say(f"{counted(len(planned.leaving), 'run')} moved into the trash, for {policy.trash_days:g} days")
    if freed:
        say(f"{in_bytes(freed)} freed by emptying the trash")
    next_step("modelworks restore RUN brings one back" if planned.leaving and not empty_trash else "modelworks storage")


def _as_dict(planned: Plan) -> dict[str, object]:
    return {
        "leaving": [
            {"id": each.run.id, "key": each.run.key, "frees": each.frees, "age_days": round(each.age_days, 2)}
            for each in planned.leaving
        ],
        "frees": planned.frees,
        "kept": dict(planned.kept),
        "bytes": planned.bytes_before,
    }


def _show(planned: Plan) -> None:
    rows = [
        (
            each.run.id,
            each.run.study,
            f"{each.age_days:.0f}",
            in_bytes(each.frees),
            str(each.run.record.get("verdict") or ""),
        )
        for each in planned.leaving
    ]
    if rows:
        table(("run", "study", "days old", "frees", "verdict"), rows)
    for reason, number in planned.kept.items():
        say(f"stay: {counted(number, 'run')}, {reason}")
    say(f"{in_bytes(planned.frees)} of {in_bytes(planned.bytes_before)} in runs that may go")


@click.command("restore")
@click.argument("run")
def restore_run(run: str) -> None:
    """Bring a pruned run back from the trash, as it was."""
    from modelworks.runs import restore
    from modelworks.study import retention_around

    store, _, _ = retention_around(Path.cwd())
    found = restore(store, run)
    say(f"{found.id} is back, every file as it was written" if not found.verify() else f"{found.id} is back")
    next_step(f"modelworks show {found.id}")


@click.command("storage")
@json_option
def show_storage(as_json: bool) -> None:
    """What the runs of each study take on the disk, and what pruning would free."""
    from modelworks.runs import plan, usage
    from modelworks.study import index_around, retention_around

    store, policy, _ = retention_around(Path.cwd())
    with index_around(Path.cwd()) as index:
        found = usage(store, index.copies())
    planned = plan(store, policy, datetime.now(UTC))
    if as_json:
        show_json({"studies": [dataclasses.asdict(each) for each in found], "prunable": planned.frees})
        return
    rows = [(each.study, str(each.runs), str(each.assume or ""), in_bytes(each.bytes)) for each in found]
    table(("study", "runs", "reruns", "size"), rows)
    if policy.budget_gb is not None:
        show(f"\nthe budget is {policy.budget_gb:g} GB")
    next_step(f"modelworks prune frees {in_bytes(planned.frees)}" if planned.leaving else "modelworks list")


def in_bytes(number: float) -> str:
    """A size in words.

    >>> in_bytes(999), in_bytes(1_540_000), in_bytes(2.5e9)
    ('999 bytes', '1.5 MB', '2.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} bytes"


COMMANDS = (prune_runs, restore_run, show_storage)
