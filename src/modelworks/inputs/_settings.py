"""The team's settings, each of its type, with a letter for each that is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelworks.errors import Letters, near
from modelworks.inputs._nodes import shortened

SETTINGS = "modelworks.toml"
_SAID = {
    str: ("a text", '"main"'),
    list: ("a list of texts", '["paper"]'),
    bool: ("true or false", "true"),
    int: ("a whole number from 0 up", "3"),
    float: ("a number from 0 up", "30"),
}


def _is_of(kind: type, value: object) -> bool:
    if kind is str:
        return isinstance(value, str)
    if kind is list:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind is bool:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        return False
    return kind is float or isinstance(value, int)


class TeamSettings:
    """The settings by name, each of its type; `known` are the names that there are."""

    def __init__(self, values: dict[str, Any], letters: Letters, known: Sequence[str]) -> None:
        self.values = values
        self.letters = letters
        for name in values:
            if name not in known:
                self.say(f"`{name}` is not a setting", near(name, known))

    def below(self, name: str, known: Sequence[str]) -> TeamSettings:
        """The settings of a table."""
        group = self.values.get(name, {})
        if not isinstance(group, dict):
            self.say(f"`{name}` is {group!r}, but a table is wanted", f"write [{name}] and then {known[0]} = …")
            group = {}
        return TeamSettings(group, self.letters, known)

    def group(self, name: str) -> TeamSettings:
        """Tables that the team names itself, below one name."""
        group = self.values.get(name, {})
        return self.below(name, tuple(group) if isinstance(group, dict) and group else ("name",))

    def text(self, name: str, default: str) -> str:
        value = self.values.get(name, default)
        if isinstance(value, str) and value.strip() and "\0" not in value:
            return value
        self.say(f"`{name}` is {value!r}, but a text is wanted", f'write `{name} = "{default}"`')
        return default

    def database(self, name: str) -> str:
        """An address of SQLite or PostgreSQL, or nothing; without a password, for this file is committed."""
        if name not in self.values:
            return ""
        address = self.text(name, "postgresql+psycopg://user@host/database")
        kind, _, rest = address.partition("://")
        if kind.partition("+")[0] not in ("sqlite", "postgresql"):
            self.say(
                f"`{name}` is {shortened(address)!r}, which is no address of SQLite or PostgreSQL",
                f'write `{name} = "postgresql+psycopg://user@host/database"`, or leave it out',
            )
        elif ":" in rest.partition("@")[0] and "@" in rest:
            self.say(
                f"`{name}` holds a password, which everybody who sees this file could read",
                "take it out; PostgreSQL finds it in PGPASSWORD or in the file .pgpass",
            )
        return address

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name, [])
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        self.say(f"`{name}` is {value!r}, but a list of texts is wanted", f'write `{name} = ["Ada Lovelace"]`')
        return ()

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            self.say(f"`{name}` is {value!r}, but true or false is wanted", f"write `{name} = true`")
        return value is True

    def table(self, name: str, kinds: Mapping[str, type]) -> dict[str, Any]:
        """The settings of a table, each of its type."""
        found: dict[str, Any] = {}
        for each, value in self.below(name, tuple(kinds)).values.items():
            if each not in kinds:
                continue  # said already
            if not _is_of(kinds[each], value):
                what, example = _SAID[kinds[each]]
                self.say(f"`{name}.{each}` is {value!r}, but {what} is wanted", f"write {each} = {example}")
            else:
                found[each] = tuple(value) if kinds[each] is list else kinds[each](value)
        return found

    def say(self, message: str, hint: str) -> None:
        self.letters.add("Y132", message, hint=hint, file=SETTINGS)
