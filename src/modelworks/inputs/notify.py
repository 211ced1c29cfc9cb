"""Who hears when a job ends, and by what way, as the team's settings say it. Passwords are never among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelworks.inputs._settings import TeamSettings

# What one can be told of: a job or a batch that broke or was finished, data that changed where they are published, a
# run that was put forward, approved, superseded or withdrawn, and a corrected file that was proposed or decided.
OCCASIONS = ("failed", "done", "news", "proposed", "approved", "superseded", "withdrawn", "correction")
WAYS: Mapping[str, Mapping[str, type]] = {
    "mail": {"to": list, "from": str, "server": str, "port": int, "tls": str, "user": str},
    "webhook": {"url": str},
    "command": {"run": list},
}
TLS = ("starttls", "tls", "none")


@dataclass(frozen=True, slots=True)
class Notify:
    """On which occasions somebody is told; `ways` has what is said of each way that is used (`mail`, …)."""

    on: tuple[str, ...] = OCCASIONS
    ways: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_notify(settings: TeamSettings) -> Notify:
    """The settings of the table `notify`; mistakes are said to the settings."""
    on = settings.texts("on") if "on" in settings.values else OCCASIONS
    for each in set(on) - set(OCCASIONS):
        settings.say(f"`notify.on` has `{each}`", f"there are {', '.join(OCCASIONS)}")
    ways = {name: settings.table(name, kinds) for name, kinds in WAYS.items() if name in settings.values}
    for name, said in ways.items():
        for problem, hint in _mistakes(name, said):
            settings.say(f"`notify.{name}` {problem}", hint)
    return Notify(on, ways)


def _mistakes(way: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if way == "command":
        if not said.get("run"):
            yield "does not say which", 'write run = ["notify-send", "modelworks"]'
        return
    if way == "webhook":
        url = said.get("url", "https://")
        if not url.startswith(("https://", "http://")):
            yield "has a `url` that begins with neither https:// nor http://", 'write url = "https://example.org/hook"'
        elif "@" in url.partition("://")[2].partition("/")[0]:
            yield "holds a password, which everybody who sees this file could read", "see MODELWORKS_WEBHOOK_URL"
        return
    for name, example in (("to", '["epi@example.org"]'), ("server", '"smtp.example.org"')):
        if not said.get(name):
            yield f"does not say `{name}`", f"write {name} = {example}"
    for each in [*said.get("to", ()), *([said["from"]] if "from" in said else [])]:
        if "@" not in each or any(letter.isspace() for letter in each):
            yield f"has `{each}`, which is no address", 'write one as in "epi@example.org"'
    if said.get("tls", TLS[0]) not in TLS:
        yield f"has `tls = {said['tls']!r}`", f"there are {', '.join(TLS)}"
    elif said.get("tls") == "none" and "user" in said:
        yield "would send a password in the clear", 'leave out `user`, or write tls = "starttls"'
