"""Folders and buckets that files of data are kept in: one way to ask any of them, without the file in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from modelworks.errors import fail

CHUNK_BYTES = 1 << 20
Told = Callable[[int, int | None], None]


def get_file(place: str, name: str, part: Path, told: Told = lambda done, total: None) -> bool:
    """Whether a place has a file of that name; its bytes are then in `part`, after those that were there already.

    A folder that is not there has none.

    Raises
    ------
    ModelworksError
        D141 where the place does not answer.
    """
    if "://" not in place and not Path(place).is_dir():
        return False
    try:
        store = _open(place)
        there = part.stat().st_size if part.exists() else 0
        try:
            total = obstore.head(store, name)["size"]
        except FileNotFoundError:
            return False
        if there > total:
            there = 0
        with part.open("ab" if there else "wb") as file:
            if there < total:
                for chunk in obstore.get(store, name, options={"range": {"offset": there}}).stream(CHUNK_BYTES):
                    file.write(chunk)
                    there += len(chunk)
                    told(there, total)
    except (BaseError, OSError) as error:
        _silent(place, error)
    return True


def put_file(place: str, name: str, path: Path) -> bool:
    """Copy a file to a place, in parts; False where it has one of that name and size already."""
    try:
        store = _open(place, make=True)
        try:
            if obstore.head(store, name)["size"] == path.stat().st_size:
                return False
        except FileNotFoundError:
            pass
        obstore.put(store, name, path)
    except (BaseError, OSError) as error:
        _silent(place, error)
    return True


def _silent(place: str, error: Exception) -> NoReturn:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    fail("D141", f"{place} does not answer: {said}", hint="see `mirror`, and `store` under [data], in modelworks.toml")


def _open(place: str, *, make: bool = False) -> ObjectStore:
    if "://" in place:
        return from_url(place, **_options(place))
    folder = Path(place).resolve()
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    return from_url(folder.as_uri())


def _options(place: str) -> dict[str, Any]:
    """A team's own bucket may be one without encryption on the way."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    plain = place.startswith("s3://") and endpoint.startswith("http://")
    return {"client_options": {"allow_http": True}} if plain else {}
