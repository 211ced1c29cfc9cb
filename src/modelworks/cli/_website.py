"""The verb that starts the website."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from modelworks.cli._words import next_step, say, show


@click.command("serve")
@click.option("--host", help="Where to listen; 127.0.0.1, which only this machine reaches, when left out.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on (8420).")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer.")
@click.option("--no-browser", is_flag=True, help="Only say where it is.")
@click.option("--no-jobs", is_flag=True, help="Carry out no jobs; `modelworks worker` does.")
@click.option("--icon", is_flag=True, help="Put an icon on the desktop that starts and opens it by a click, and end.")
@click.option("--from-icon", hidden=True, type=click.Path(path_type=Path), help="What the icon says.")
def serve(
    host: str | None,
    port: int | None,
    workers: int,
    no_browser: bool,
    no_jobs: bool,
    icon: bool,
    from_icon: Path | None,
) -> None:
    """The website of the repository you are in: start, watch, judge, compare and sign, in a browser.

    On your own machine it signs you in; a second start finds the first. Where there is no repository, a page makes one.
    """
    from modelworks.website import clicked, repository_here, running, sign_in_link
    from modelworks.website import serve as answer

    if from_icon is not None:
        clicked(from_icon)
        return
    if icon:
        _put_icon()
        return
    here = repository_here(Path.cwd())
    if here is None:
        _begin(host, port, no_browser, no_jobs)
        return

    def begun(address: str) -> None:
        link = sign_in_link(here, address)
        say(f"the website is at {address}; this lets you in, once and within five minutes:\n\n  {link}\n")
        if not no_browser:
            webbrowser.open(link)

    found = running(here)
    if found is not None:
        begun(found.address)
        next_step(f"it runs already, as process {found.process.pid}; end that one to start another")
        return
    say("starting; Ctrl-C ends it, and no job")
    answer(here, host=host, port=port, workers=workers, work=not no_jobs, begun=begun)
    next_step("modelworks serve")


def _put_icon() -> None:
    from modelworks.website import make_icons

    for file in make_icons(Path.cwd()):
        show(str(file))
    say("a click on it opens the website; the foot of its pages has a link to stop it. To take it away, remove it")


def _begin(host: str | None, port: int | None, no_browser: bool, no_jobs: bool) -> None:
    """The page of somebody who has no repository yet; then the website of the one they made."""
    from modelworks.website import first_running, serve_first

    def begun(link: str) -> None:
        say(f"there is no repository here; this page makes one:\n\n  {link}\n")
        if not no_browser:
            webbrowser.open(link)

    found = first_running(Path.cwd())
    if found is not None:
        begun(found)
        next_step("choose a name on that page")
        return
    say("starting; Ctrl-C ends it, and no job")
    serve_first(Path.cwd(), host=host, port=port, work=not no_jobs, begun=begun)
    next_step("modelworks serve")


COMMANDS = (serve,)
