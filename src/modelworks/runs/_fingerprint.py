"""One hash for everything a result was made from."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

_CHUNK = 1 << 20


def fingerprint(*parts: Any) -> str:
    """64 hexadecimal digits that change when any of the parts does.

    A part is anything JSON can hold, or bytes, a date, a numpy array, or a `Path`, which stands for the contents of
    that file or folder. The order within a mapping or a set plays no part; that within a list does. Floats count to
    the last bit, and `1`, `1.0`, `"1"` and `True` are four different things: two results may share a fingerprint only
    if nothing that made them differed.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    >>> fingerprint(0.1 + 0.2) == fingerprint(0.3), fingerprint(["ab"]) == fingerprint(["a", "b"])
    (False, False)
    """
    return hashlib.sha256(_encoded(list(parts))).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _encoded(value: Any) -> bytes:
    """Bytes that no other value has: a tag, a length and a payload."""
    if value is None or isinstance(value, (bool, int, str, bytes, float, date)):
        return _scalar(value)
    if isinstance(value, Mapping):
        return _joined(b"m", sorted(_encoded(key) + _encoded(each) for key, each in value.items()))
    if isinstance(value, (list, tuple)):
        return _joined(b"l", map(_encoded, value))
    if isinstance(value, (set, frozenset)):
        return _joined(b"s", sorted(map(_encoded, value)))
    if isinstance(value, Path):
        return _joined(b"p", _contents(value))
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        return _joined(b"a", [_encoded(str(value.dtype)), _encoded(list(value.shape)), value.tobytes()])
    raise TypeError(f"a fingerprint can not be made of {type(value).__name__}: {value!r:.80}")


def _scalar(value: Any) -> bytes:
    if isinstance(value, bytes):
        return _framed(b"b", value)
    if isinstance(value, str):
        return _framed(b"t", value.encode("utf-8", "surrogatepass"))
    if isinstance(value, float):
        return _framed(b"f", struct.pack(">d", value))
    if isinstance(value, date):
        return _framed(b"d", value.isoformat().encode())
    # None, a truth or a whole number: `bool` is also an `int`, but its text differs.
    return _framed(b"n", repr(value).encode())


def _framed(tag: bytes, payload: bytes) -> bytes:
    return tag + str(len(payload)).encode() + b":" + payload


def _joined(tag: bytes, payloads: Iterable[bytes]) -> bytes:
    return _framed(tag, b"".join(_framed(b"", each) for each in payloads))


def _contents(path: Path) -> list[bytes]:
    """A file's hash; for a folder the name and hash of every file in it."""
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        return [_encoded([each.relative_to(path).as_posix(), file_hash(each)]) for each in files]
    return [file_hash(path).encode()]
