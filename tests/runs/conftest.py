"""Stores, in a folder and in a bucket, with a clock that goes on by a second at each question."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelworks.runs import BucketStore, Run, Store

START = datetime(2026, 11, 21, 5, 15, tzinfo=UTC)
Publish = Callable[..., Run]


def ticking() -> Callable[[], datetime]:
    seconds = iter(range(10_000))
    return lambda: START + timedelta(seconds=next(seconds))


@pytest.fixture
def kind() -> str:
    """Where runs are kept; a test of both kinds says so."""
    return "folder"


@pytest.fixture
def store(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> Store:
    if kind == "folder":
        return Store(tmp_path / "runs", clock=ticking())
    request.getfixturevalue("s3_endpoint")
    return BucketStore(f"s3://team/{secrets.token_hex(6)}", tmp_path / "mirror", clock=ticking())


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A finished stage: a table and a folder of pictures."""
    folder = tmp_path / "stage"
    (folder / "figures").mkdir(parents=True)
    (folder / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (folder / "figures" / "fit.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def publish(store: Store, stage: Path) -> Publish:
    """Publish a run of a study with as little as needs be."""

    def publish(study: str = "flu", **record: object) -> Run:
        return store.publish((study, "sir", "england"), stages={"simulate": stage}, record=record)

    return publish
