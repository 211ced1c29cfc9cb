"""Pieces of work carried out by machines that dask already runs, each of them the same as here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelworks.errors import fail
from modelworks.runs import package_folder, source_hash

PATIENCE_SECONDS = 30.0


def each_elsewhere(
    address: str, work: Callable[..., Any], items: Sequence[int], *more: Any
) -> Iterator[tuple[int, Any]]:
    """`work(*more, item)` of each item, as they come, with the item: by the workers of a scheduler of dask.

    What a worker had begun when it was lost is begun anew by another. `work` is a function of this package, known by
    its name, and all that it is given and gives is plain; no code is sent. Machines have the same files under the same
    names, as on a shared disk.

    Raises
    ------
    ModelworksError
        J170 where the scheduler does not answer, has no workers, or loses them; J171 where a worker has another
        modelworks.
    """
    try:
        import distributed
    except ImportError:
        fail("J170", "the package `distributed` is not installed", hint="pip install 'modelworks[dask]'")
    hint = "see whether `dask scheduler` runs there, and `dask worker` for it"
    try:
        with distributed.Client(address, timeout=PATIENCE_SECONDS, set_as_default=False) as client:
            _check_code(client, address)
            # Not "pure": of what was done before, files tell, and not the scheduler's memory.
            futures = {client.submit(work, *more, item, pure=False): item for item in items}
            for future in distributed.as_completed(futures, loop=client.loop):
                yield futures[future], future.result()
    except (OSError, TimeoutError) as error:
        fail("J170", f"dask at {address} does not answer: {error}", hint=hint)
    except (distributed.KilledWorker, distributed.client.FutureCancelledError) as error:
        fail(
            "J170", f"dask at {address} lost its workers again and again: {error}", hint="see how much memory they have"
        )


def _check_code(client: Any, address: str) -> None:
    """Every worker has our code as it is here."""
    client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
    for worker, mark in client.run(code_here).items():
        if mark != code_here():
            hint = "install the same version there; machines that share a disk can share its environment"
            fail("J171", f"the worker {worker} of dask at {address} has another modelworks", hint=hint)


def code_here() -> str:
    """A mark of the code of this package."""
    return source_hash(package_folder())
