"""A file leads back to its run: by what it says itself, or by its checksum; and it is still what it was."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from modelworks.runs import Index, Origin, Run, Store, origins_of, trace_file, trace_number, write_with_origin

ORIGIN = Origin("flu/sir/uk/20261121T051500Z/0f3c2ab-7f3a21", "figures/a--b.png", "ab" * 32)
# A picture of one black pixel: header, data, end (W3C PNG, 11.2).
PIXEL = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    )
)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="1"><text>a &amp; b</text></svg>'
TABLE = pd.DataFrame({"name": ["a", "b"], "value": [1.5, 2.5]})


def parquet() -> bytes:
    file = io.BytesIO()
    TABLE.to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fit.png", PIXEL),
        ("fit.svg", SVG),
        ("table.csv", b"a,b\n1,2\n"),
        ("table.parquet", parquet()),
        ("table.tex", b"\\begin{tabular}{l}a\\end{tabular}\n"),
        ("page.html", b"<!doctype html><p>a</p>\n"),
        ("page.md", b"# a\n"),
    ],
)
def test_what_was_exported_says_from_which_run_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    write_with_origin(content, tmp_path / name, ORIGIN)
    assert origins_of(tmp_path / name) == [ORIGIN]


def test_a_picture_is_still_one(tmp_path: Path) -> None:
    """Every chunk has a length and a checksum that fit, and the pixels are those they were."""
    write_with_origin(PIXEL, tmp_path / "a.png", ORIGIN)
    content, place, kinds = (tmp_path / "a.png").read_bytes(), 8, []
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        body = content[place + 4 : place + 8 + length]
        assert struct.unpack_from(">I", content, place + 8 + length) == (zlib.crc32(body),)
        kinds.append(body[:4])
        place += 12 + length
    assert kinds == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    write_with_origin(SVG, tmp_path / "a.svg", ORIGIN)
    drawing = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert [each.tag.rpartition("}")[2] for each in drawing] == ["metadata", "text"]


def test_a_table_is_still_the_same(tmp_path: Path) -> None:
    """A CSV is as it was, to the byte, and a Parquet file has the same columns and types."""
    write_with_origin(parquet(), tmp_path / "a.parquet", ORIGIN)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), TABLE)
    write_with_origin(b"a,b\n1,2\n", tmp_path / "a.csv", ORIGIN)
    assert (tmp_path / "a.csv").read_bytes() == b"a,b\n1,2\n"


@pytest.fixture
def run(store: Store, stage: Path) -> Run:
    deaths = {"median": 1234.5678, "low": 1000.0, "high": 1500.0, "mean": 1240.25, "unit": "people"}
    return store.publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={"quantities": {"deaths": deaths}})


@pytest.fixture
def index(store: Store, tmp_path: Path) -> Iterator[Index]:
    with Index(store, f"sqlite:///{tmp_path / 'index.sqlite'}") as index:
        yield index


BOTH = pytest.mark.parametrize("kind", ["folder", pytest.param("bucket", marks=pytest.mark.needs("weed"))])


@BOTH
def test_a_copy_is_known_by_its_checksum(index: Index, run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "of-somebody.csv"
    copy.write_bytes((run.path / "simulate" / "table.csv").read_bytes())
    assert [(each.key, each.name, each.how) for each in trace_file(index, copy)] == [
        (run.key, "simulate/table.csv", "checksum")
    ]
    copy.write_text("a,b\n1,3\n", encoding="utf-8")
    assert list(trace_file(index, copy)) == []


def test_a_run_that_is_not_here_is_named_all_the_same(index: Index, run: Run, tmp_path: Path) -> None:
    write_with_origin(SVG, tmp_path / "theirs.svg", ORIGIN)
    write_with_origin(SVG, tmp_path / "ours.svg", Origin.of(run, "simulate/table.csv"))
    assert [(each.key, each.there) for each in trace_file(index, tmp_path / "theirs.svg")] == [(ORIGIN.key, False)]
    (ours,) = trace_file(index, tmp_path / "ours.svg")
    assert (ours.key, ours.name, ours.there) == (run.key, "simulate/table.csv", True)


def test_a_file_that_says_something_else_under_our_name_is_traced_by_its_checksum(
    index: Index, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.html").write_text('<!-- modelworks-run: {"key": 1,, "x"} -->', encoding="utf-8")
    assert origins_of(tmp_path / "a.html") == []
    assert list(trace_file(index, tmp_path / "a.html")) == []


@pytest.mark.parametrize(
    "text", ["1,235", "1235", "1234.57", "1,234.568", "1,000", "1500.0", "1,240.25", "1,230", "1,235 (1,000 to 1,500)"]
)
def test_a_number_of_a_report_leads_to_its_run(index: Index, run: Run, text: str) -> None:
    """To as many digits as somebody copied, with commas or without."""
    assert [(each.key, each.name) for each in trace_number(index, text)] == [(run.key, "deaths")]


def test_another_number_leads_nowhere(index: Index, run: Run) -> None:
    for text in ("1236", "1,220", "1,270", "12", "1,000,000"):
        assert list(trace_number(index, text)) == []


def test_the_latest_comes_first_and_what_is_gone_not_at_all(
    store: Store, index: Index, run: Run, stage: Path, tmp_path: Path
) -> None:
    """Also of a run that was published, or taken away, after somebody had asked before."""
    table = run.path / "simulate" / "table.csv"
    copy = tmp_path / "copy.csv"
    copy.write_bytes(table.read_bytes())
    assert [each.key for each in trace_file(index, copy)] == [run.key]
    again = store.publish(("tb", "sir", "uk"), stages={"simulate": stage}, record=dict(run.record))
    for found in (trace_file(index, copy), trace_number(index, "1235")):
        assert [each.key for each in found] == [again.key, run.key]
    store.discard(run.key, "Ada", store.now())
    for found in (trace_file(index, copy), trace_number(index, "1235")):
        assert [each.key for each in found] == [again.key]
