"""Downloading from an address: it goes on where it stopped, and nobody sends us on to a machine of our own network.

An address that a team has written may be one of its own network. A publisher outside may not send us there, as who has
taken a website over does to have a machine behind a wall read its neighbours. Looked at is with whom a connection was
made, and not what a name stands for: that may be something else by then.
"""

from __future__ import annotations

import http.client
import ipaddress
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelworks.errors import fail
from modelworks.inputs._places import CHUNK_BYTES, Told

PATIENCE_SECONDS = 60.0
ATTEMPTS = 4
AGENT = "modelworks"
# By these an address of version 6 stands for one of version 4 (RFC 6052).
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def download(url: str, part: Path, told: Told, *, most_bytes: int | None = None) -> None:
    """The bytes of an address in a file, after those that are there already.

    Raises
    ------
    ModelworksError
        D141 where nobody answers, it sends us on to where we do not go, or more comes than `most_bytes`.
    """
    for attempt in range(ATTEMPTS):
        try:
            for done, total in _rest(url, part):
                if most_bytes is not None and done > most_bytes:
                    part.unlink()
                    fail("D141", f"{url} sends more than {most_bytes:,} bytes", hint="see what is there, by hand")
                told(done, total)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                fail("D141", f"{url} answers {error.code} {error.reason}", hint="see whether the address still holds")
            last = f"{error.code} {error.reason}"
        except _SentAwayError as error:
            fail("D141", f"{url} {error}", hint="if that is meant, write that address as `url`")
        except (OSError, urllib.error.URLError) as error:
            last = str(getattr(error, "reason", error))
        if attempt == ATTEMPTS - 1:
            fail(
                "D141",
                f"{url} can not be had: {last}",
                hint="see whether the network is there; the same command again goes on from where it stopped",
            )


def _rest(url: str, part: Path) -> Iterator[tuple[int, int | None]]:
    """Ask for what is missing; a server that can not begin in the middle sends all of it anew."""
    there = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": AGENT, **({"Range": f"bytes={there}-"} if there else {})}
    )
    peers = _Peers()
    try:
        opener = urllib.request.build_opener(_Web(peers), _Redirects())
        answer = opener.open(request, timeout=PATIENCE_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and there:
            # All of it is there, or it is another file by now: its checksum tells.
            return
        raise
    with answer:
        goes_on = answer.status == 206
        length = answer.headers.get("Content-Length")
        done = there if goes_on else 0
        total = done + int(length) if length is not None else None
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                yield done, total
        if total is not None and done < total:
            raise ConnectionError(f"the connection ended after {done:,} of {total:,} bytes")


# -- with whom we speak ------------------------------------------------------------------------------------


class _SentAwayError(Exception):
    """A publisher sends us on to where it has nothing to say."""


def is_inside(address: str) -> bool:
    """Whether an address is of this machine or of a network that is not everybody's.

    >>> [is_inside(each) for each in ("127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "93.184.215.14")]
    [True, True, True, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _TRANSLATED:
            return not ipaddress.ip_address(int(found) & 0xFFFFFFFF).is_global
        return not (found.ipv4_mapped or found.sixtofour or found).is_global
    return not found.is_global


class _Peers:
    """With whom one download has spoken. A proxy that the environment names is the only one, whoever it asks."""

    def __init__(self) -> None:
        self._was_outside = False

    def check(self, connection: http.client.HTTPConnection) -> None:
        """Refuse to go from outside to inside."""
        address = connection.sock.getpeername()[0]
        if not is_inside(address):
            self._was_outside = True
        elif self._was_outside:
            connection.close()
            raise _SentAwayError(f"sends us on to {connection.host} ({address}), inside our own network")


def _watched(kind: type[http.client.HTTPConnection], peers: _Peers) -> type[http.client.HTTPConnection]:
    class Watched(kind):  # type: ignore[valid-type,misc]
        def connect(self) -> None:
            super().connect()
            peers.check(self)

    return Watched


class _Web(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    def __init__(self, peers: _Peers) -> None:
        super().__init__()
        self._peers = peers

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPConnection, self._peers), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPSConnection, self._peers), req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.lower().startswith(("http://", "https://")):
            raise _SentAwayError(f"sends us on to {newurl[:100]}, which is not on the web")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
