"""Two results may share a fingerprint only if nothing that made them differed."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelworks.runs import fingerprint

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3))


def told_apart(value: Any) -> str:
    """A text that two values share only if they are the same, down to their types."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(told_apart(k) + ":" + told_apart(v) for k, v in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(told_apart, value)) + "]"
    return f"{type(value).__name__}({value.hex() if isinstance(value, float) else json.dumps(value)})"


@given(VALUES, VALUES)
def test_two_values_share_a_fingerprint_only_if_they_are_the_same(one: Any, other: Any) -> None:
    """A stage that is taken for another one is a wrong result that nobody notices."""
    assert (fingerprint(one) == fingerprint(other)) == (told_apart(one) == told_apart(other))


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_the_order_of_a_mapping_plays_no_part(mapping: dict[str, Any]) -> None:
    """Moving a parameter within its file changes nothing."""
    assert fingerprint(mapping) == fingerprint(dict(reversed(mapping.items())))


def test_floats_count_to_the_last_bit() -> None:
    """A rounded number is another number."""
    assert fingerprint(0.1) != fingerprint(math.nextafter(0.1, 1))
    assert fingerprint(0.0) != fingerprint(-0.0)
    assert fingerprint(math.nan) == fingerprint(math.nan)


def test_parts_do_not_run_into_each_other() -> None:
    """`ab` and `c` are not `a` and `bc`."""
    assert len({fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint("abc"), fingerprint(["ab", "c"])}) == 4


def test_a_file_stands_for_its_contents(tmp_path: Path) -> None:
    """The name of a file plays no part, its bytes do; in a folder the names count too."""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    before = fingerprint(tmp_path)
    (tmp_path / "b").rename(tmp_path / "c")
    assert fingerprint(tmp_path) != before


def test_arrays_and_dates_have_fingerprints() -> None:
    """The shape of an array counts, and so does its type."""
    values = np.arange(6.0)
    shapes = [values, values.reshape(2, 3), values.astype(np.float32)]
    assert len({fingerprint(each) for each in [*shapes, date(2026, 1, 1)]}) == 4


def test_what_has_no_contents_has_no_fingerprint() -> None:
    """The text of an object with its address in it would make every stage stale."""
    with pytest.raises(TypeError, match="function"):
        fingerprint({"a": [lambda: None]})
