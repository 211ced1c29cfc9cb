"""OData v4, read only: `_service` answers, `_metadata` describes the tables, `_rows` writes rows."""

from __future__ import annotations

from modelworks.website.feeds.odata._service import Answer, Asked, answer, refusal

__all__ = ["Answer", "Asked", "answer", "refusal"]
