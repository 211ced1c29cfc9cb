"""Commands about the team's cluster."""

from __future__ import annotations

from pathlib import Path

import click

from modelworks.cli._words import MARKS, json_option, next_step, say, show, show_json


@click.group("cluster")
def cluster() -> None:
    """The cluster of [slurm] in modelworks.toml."""


@cluster.command("doctor")
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write all that was found into a zip file, for somebody who has no access to the cluster.",
)
@click.option(
    "--patience", type=click.FloatRange(1), default=120.0, show_default=True, help="Seconds to wait for a job."
)
@json_option
def examine(bundle: Path | None, patience: float, as_json: bool) -> None:
    """Look at the cluster before the first job: login, partition, a job, what a node sees."""
    from modelworks.cluster import examine_cluster
    from modelworks.inputs.repository import Repository
    from modelworks.jobs.executors.slurm import Site
    from modelworks.study import jobs_of

    repository = Repository.around(Path.cwd())
    say("looking at the cluster, with a job of a second …")
    found = examine_cluster(Site(**repository.slurm or {}), jobs_of(repository), patience_seconds=patience)
    if as_json:
        show_json([finding.as_dict() for finding in found.findings])
    for finding in () if as_json else found.findings:
        mark, colour = MARKS[finding.verdict]
        show(f"{click.style(mark, fg=colour)} {finding.about}: {finding.words}")
    if bundle is not None:
        found.bundle(bundle)
        say(f"wrote {bundle}; read it before you send it: it names folders, nodes and partitions")
    if any(finding.verdict == "stop" for finding in found.findings):
        next_step("mend what is marked ✗, then modelworks cluster doctor")
        raise click.exceptions.Exit(1)
    next_step("modelworks submit STUDY --executor slurm")
