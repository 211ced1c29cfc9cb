"""The command that tries whether somebody would hear of a job that ends."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelworks.cli._words import MARKS, json_option, next_step, say, show, show_json, table
from modelworks.errors import Letter, ModelworksError, fail

if TYPE_CHECKING:
    from modelworks.inputs import Repository


@click.command("notify")
@click.option("--test", "as_test", is_flag=True, help="Tell everybody something now, and say whether it was taken.")
@json_option
def notify(as_test: bool, as_json: bool) -> None:
    """Who hears of jobs that end, as [notify] of modelworks.toml says it, and what they were told lately."""
    from modelworks.inputs import Repository
    from modelworks.jobs import Outbox
    from modelworks.study import channels_of, queue_around

    repository = Repository.around(Path.cwd())
    channels = channels_of(repository)
    if as_test:
        _try(repository)
        return
    with queue_around(Path.cwd()) as queue:
        told = Outbox(queue).told()
    if as_json:
        show_json({"channels": list(channels), "told": [dataclasses.asdict(each) for each in told]})
        return
    if not channels:
        say("nobody hears of jobs that end")
        next_step("write [notify.mail], [notify.webhook] or [notify.command] into modelworks.toml")
        return
    say(f"by {', '.join(channels)}, when something is {' or '.join(repository.notify.on)}")
    if told:
        rows = [(each.channel, each.state, str(each.tries), each.subject, each.text) for each in told]
        table(("by", "state", "tries", "what", ""), [(*row[:-1], row[-1].partition("\n")[0]) for row in rows])
    next_step("modelworks notify --test")


def _try(repository: Repository) -> None:
    """Every channel once; a letter for each that took nothing."""
    from modelworks.study import channels_of, notice_to_try

    letters: list[Letter] = []
    for name, channel in channels_of(repository).items():
        try:
            channel.send(notice_to_try(repository))
        except ModelworksError as error:
            letters += error.letters
        else:
            mark, colour = MARKS["fine"]
            show(f"{click.style(mark, fg=colour)} {name}: it was taken")
    if letters:
        raise ModelworksError(letters)
    if not repository.notify.ways:
        fail("J150", "nobody hears of jobs that end", hint="write [notify.mail], [notify.webhook] or [notify.command]")
    next_step("see whether it came; jobs are told of by whatever worker is there: modelworks worker")
