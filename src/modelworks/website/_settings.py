"""What a website is told by `[website]` of modelworks.toml; a laptop needs nothing of it."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelworks.errors import fail
from modelworks.inputs.repository import Repository

HOST, PORT = "127.0.0.1", 8420
SESSION_DAYS = 14.0
UPLOAD_MB = 100.0
# A large model is compiled in some ten seconds.
MODEL_SECONDS, MODEL_GB = 60.0, 4.0
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Oidc:
    """A provider of sign-ins: its address, what it calls this website, and what its button says."""

    issuer: str
    client_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a website has to know before it can answer.

    `folders` are the team's repositories, each a workspace; `address` is where readers find the site, `database` the
    address of what is known of people, `key` what sessions are signed with. A page waits so many `model_seconds` for a
    team's model, which takes no more than `model_gb`. `work` says that this process carries jobs out, too.
    `oidc` is the provider by which people may sign in, where there is one.
    """

    folders: tuple[Path, ...]
    host: str
    port: int
    address: str
    database: str
    key: bytes
    proxies: tuple[str, ...] = ()
    session_days: float = SESSION_DAYS
    upload_mb: float = UPLOAD_MB
    model_seconds: float = MODEL_SECONDS
    model_gb: float = MODEL_GB
    work: bool = False
    oidc: Oidc | None = None

    @property
    def is_secure(self) -> bool:
        """Whether readers come by HTTPS, so that cookies may be kept from travelling otherwise."""
        return self.address.startswith("https://")


def read_settings(
    folder: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    work: bool = False,
) -> Settings:
    """The settings of the repository around a folder; what is said as an argument goes before what is written.

    Raises
    ------
    ModelworksError
        Y132 and Y133 for the repository, W101 for a host that others can reach without an address for them, W127 for a
        provider of sign-ins that is not wholly named.
    """
    repository = Repository.around(folder)
    said = repository.website
    host, port = host or said.get("host") or HOST, port or said.get("port") or PORT
    address = str(said.get("address") or "").rstrip("/")
    if not address:
        if not is_loopback(host):
            fail(
                "W101",
                f"the website would listen on {host}, where others can reach it, and no address for them is written",
                hint='write `address = "https://models.example.org"` below [website] in modelworks.toml',
            )
        address = f"http://{host}:{port}"
    others = [_workspace(repository, each) for each in said.get("workspaces", ())]
    _check_queues([repository, *others])
    return Settings(
        folders=tuple(each.root for each in (repository, *others)),
        host=host,
        port=port,
        address=address,
        database=said.get("database") or f"sqlite:///{repository.kept / 'website.sqlite'}",
        key=_key(Path(said["key_file"]).expanduser() if "key_file" in said else repository.kept / "website.key"),
        proxies=tuple(said.get("proxies", ())),
        session_days=said.get("session_days", SESSION_DAYS),
        upload_mb=said.get("upload_mb", UPLOAD_MB),
        model_seconds=said.get("model_seconds", MODEL_SECONDS),
        model_gb=said.get("model_gb", MODEL_GB),
        work=work,
        oidc=_oidc(said),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _oidc(said: Mapping[str, Any]) -> Oidc | None:
    """The provider of sign-ins that is said, if one is."""
    if not any(each.startswith("oidc_") for each in said):
        return None
    if missing := [each for each in ("oidc_issuer", "oidc_client_id") if not said.get(each)]:
        hint = "write the provider's address in `oidc_issuer`, and in `oidc_client_id` what it calls this website"
        fail("W127", f"`{missing[0]}` is missing below [website]", hint=hint, file="modelworks.toml")
    issuer = urlsplit(said["oidc_issuer"])
    is_safe = issuer.scheme == "https" or (issuer.scheme == "http" and is_loopback(issuer.hostname or ""))
    if not is_safe or not issuer.hostname:
        hint = 'as in `oidc_issuer = "https://login.example.org"`, letter by letter as the provider writes it'
        fail(
            "W127",
            f"`oidc_issuer` is {said['oidc_issuer']!r}, no address with https",
            hint=hint,
            file="modelworks.toml",
        )
    return Oidc(said["oidc_issuer"], said["oidc_client_id"], said.get("oidc_title") or issuer.hostname)


def _workspace(repository: Repository, path: str) -> Repository:
    return Repository.around(repository.root / Path(path).expanduser())


def _check_queues(repositories: Sequence[Repository]) -> None:
    """Each workspace has jobs of its own: in one queue for two, each would see and carry out those of the other."""
    queues = [each.queue for each in repositories if each.queue]
    if shared := sorted({each for each in queues if queues.count(each) > 1}):
        hint = "give each repository a database of its own for `queue`"
        fail("W103", f"two workspaces have one queue of jobs, {shared[0]}", hint=hint, file="modelworks.toml")


def _key(file: Path) -> bytes:
    """The key in a file, which is made where there is none, for its owner alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and linked, so that of several processes that begin at once one makes it, whole.
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    if not file.exists():
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(secrets.token_bytes(SECRET_BYTES))
        try:
            os.link(aside, file)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    key = file.read_bytes()
    if len(key) < SECRET_BYTES:
        fail("W102", f"`{file}` holds {len(key)} bytes, too few to sign with", hint="remove it; a new one is made")
    return key
