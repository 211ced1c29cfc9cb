"""From which run a file comes: written into what is exported, and read from it again.

Where a format has a place for it, it is in the file: a text chunk of a PNG (W3C PNG, 11.3.3), `metadata` of an SVG,
the schema's metadata of a Parquet file, a comment of LaTeX, Markdown and HTML. A CSV has none that every program
passes over, so a small file lies beside it. A file that was copied as it is needs nothing: its checksum is in its run.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelworks.runs._run import CHECKSUMS, Run, read_json

# What it is called where a format has names for such a thing, and what a file beside another is called.
NAME, BESIDE = "modelworks-run", ".run.json"
_PNG, _CHUNK = b"\x89PNG\r\n\x1a\n", struct.Struct(">I4s")
_IN_TEXT = re.compile(rf"{NAME}: (\{{[^{{}}]*\}})")


@dataclass(frozen=True, slots=True)
class Origin:
    """A run by its key, and the file of it that something was made of, with its SHA-256; empty for all of the run."""

    key: str
    file: str = ""
    sha256: str = ""

    @classmethod
    def of(cls, run: Run, file: str = "") -> Origin:
        """That of a file of a run."""
        return cls(run.key, file, str(read_json(run.path / CHECKSUMS).get(file, "")) if file else "")

    def in_words(self) -> str:
        """As it is written: JSON without `--`, which would end a comment."""
        return json.dumps(asdict(self)).replace("--", "\\u002d\\u002d")


def write_with_origin(content: bytes, path: Path, origin: Origin) -> None:
    """Write what came of a run into a file that says so, or that lies beside one that does."""
    mark = _MARKS.get(path.suffix.lower())
    path.write_bytes(content if mark is None else mark(content, origin.in_words()))
    if mark is None:
        beside(path).write_text(origin.in_words() + "\n", encoding="utf-8")


def with_origin(content: bytes, suffix: str, origin: Origin) -> bytes:
    """The content of a file of this kind with its origin in it; as it is where the kind has no place for it."""
    mark = _MARKS.get(suffix)
    return content if mark is None else mark(content, origin.in_words())


def origins_of(path: Path) -> list[Origin]:
    """What a file, or the one beside it, says of the runs it comes from; none where it says nothing."""
    if beside(path).is_file():
        return _found(beside(path).read_text(encoding="utf-8", errors="replace").splitlines())
    if path.suffix.lower() == ".parquet":
        return _found(_of_parquet(path))
    content = path.read_bytes()
    if content.startswith(_PNG):
        return _found(_of_png(content))
    return _found(_IN_TEXT.findall(content.decode("utf-8", "replace").replace("&#34;", '"').replace("&quot;", '"')))


def beside(path: Path) -> Path:
    """The file that says where another comes from."""
    return path.with_name(path.name + BESIDE)


def _found(texts: list[str]) -> list[Origin]:
    found = []
    for text in texts:
        try:
            said: Mapping[str, Any] = json.loads(text)
            found.append(Origin(str(said["key"]), str(said.get("file", "")), str(said.get("sha256", ""))))
        except (ValueError, TypeError, KeyError):
            # Written by somebody else under our name.
            continue
    return list(dict.fromkeys(found))


def _mark_png(content: bytes, said: str) -> bytes:
    """A chunk `tEXt` behind the first one, which is the header and says how many pixels there are."""
    data = NAME.encode("ascii") + b"\0" + said.encode("ascii")
    kind = b"tEXt"
    chunk = _CHUNK.pack(len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))
    header = len(_PNG) + _CHUNK.size + _CHUNK.unpack_from(content, len(_PNG))[0] + 4
    return content[:header] + chunk + content[header:]


def _of_png(content: bytes) -> list[str]:
    found, place = [], len(_PNG)
    while place + _CHUNK.size <= len(content):
        length, kind = _CHUNK.unpack_from(content, place)
        data = content[place + _CHUNK.size : place + _CHUNK.size + length]
        if kind == b"tEXt" and data.startswith(NAME.encode("ascii") + b"\0"):
            found.append(data.partition(b"\0")[2].decode("ascii", "replace"))
        place += _CHUNK.size + length + 4
    return found


def _mark_parquet(content: bytes, said: str) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(pa.BufferReader(content))
    kept = {**(table.schema.metadata or {}), NAME.encode(): said.encode()}
    written = pa.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(kept), written)
    return bytes(written.getvalue())


def _of_parquet(path: Path) -> list[str]:
    from pyarrow import parquet

    try:
        said = (parquet.read_schema(path).metadata or {}).get(NAME.encode())
    except (OSError, ValueError):
        return []
    return [said.decode("utf-8", "replace")] if said else []


def _mark_svg(content: bytes, said: str) -> bytes:
    text = said.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(
        rb"<svg\b[^>]*>", lambda tag: tag[0] + f"<metadata>{NAME}: {text}</metadata>".encode(), content, count=1
    )


def _mark_html(content: bytes, said: str) -> bytes:
    return content + f"<!-- {NAME}: {said} -->\n".encode()


def _mark_tex(content: bytes, said: str) -> bytes:
    return f"% {NAME}: {said}\n".encode() + content


_MARKS: dict[str, Callable[[bytes, str], bytes]] = {
    ".png": _mark_png,
    ".parquet": _mark_parquet,
    ".svg": _mark_svg,
    ".html": _mark_html,
    ".htm": _mark_html,
    ".md": _mark_html,
    ".tex": _mark_tex,
}
