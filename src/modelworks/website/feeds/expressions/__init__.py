"""What `$filter` and `$orderby` say: read in `_parse`, held as a tree, worked out over whole columns in `_evaluate`."""

from __future__ import annotations

from modelworks.website.feeds.expressions._evaluate import column_of, rows_that
from modelworks.website.feeds.expressions._parse import Order, parse_filter, parse_key, parse_orderby
from modelworks.website.feeds.expressions._tree import Expression, conditions, properties

__all__ = [
    "Expression",
    "Order",
    "column_of",
    "conditions",
    "parse_filter",
    "parse_key",
    "parse_orderby",
    "properties",
    "rows_that",
]
