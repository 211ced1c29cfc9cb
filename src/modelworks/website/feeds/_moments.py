"""Moments as other programs read them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def iso_8601(moments: pa.Array) -> pa.Array:
    """Moments in UTC as texts, with parts of a second only where there are some."""
    whole = pc.equal(pc.floor_temporal(moments, unit="second"), moments)
    seconds = moments.cast(pa.timestamp("s")) if pc.all(whole).as_py() is not False else moments
    return pc.binary_join_element_wise(pc.replace_substring(seconds.cast(pa.string()), " ", "T"), "Z", "")
