"""Where a repository keeps its runs."""

from __future__ import annotations

from modelworks.inputs import Repository
from modelworks.runs import Store


def open_store(repository: Repository) -> Store:
    """Where the runs of a repository are kept: a folder or a bucket, as its settings say."""
    if not repository.bucket:
        return Store(repository.store)
    from modelworks.runs import BucketStore

    return BucketStore(repository.bucket, repository.store)
