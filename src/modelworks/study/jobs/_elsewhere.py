"""Pieces of work carried out by machines that dask already runs, each of them the same as here."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import fail
from modelworks.runs import fingerprint, package_folder, source_hash
from modelworks.study.jobs._pinned import pin, pinned_provenance

if TYPE_CHECKING:
    from modelworks.runs import Progress
    from modelworks.study.own_stages._stage_study import Study
    from modelworks.study.projection._every_run import Share

Array = NDArray[np.float64]
Name = TypeVar("Name", bound=Hashable)

PATIENCE_SECONDS = 30.0
# What is done here in less is not handed over: a worker has to read the study and compile its model first.
WORTH_SECONDS = 10.0
# A part takes so long or more: to hand it over takes about a hundredth of that.
PART_SECONDS = 1.0
# Runs are tried until some together take so long, which tells how long one takes.
TRIED_SECONDS = 0.25
# The results of a part are no larger, where it can be parted.
MOST_BYTES = 2**24


@dataclass(frozen=True)
class Machines:
    """The workers of a scheduler of dask, at an address, for a study in a folder in which nothing changes.

    Machines have the same files under the same names, as on a shared disk. No code is sent: work is a function of this
    package, known by its name, and all that it is given and gives is plain. In `kept` lies what came back until all is
    there, so that who loses the scheduler loses what was under way.
    """

    address: str
    folder: str
    kept: Path
    _used: list[Path] = field(default_factory=list)

    def each(self, work: Callable[..., Any], calls: Mapping[Name, tuple[Any, ...]]) -> Iterator[tuple[Name, Any]]:
        """`work(folder, *call)` of each call, as they come, with its name.

        What a worker had begun when it was lost is begun anew by another.

        Raises
        ------
        ModelworksError
            J170 where the scheduler does not answer, has no workers, or loses them; J171 where a worker has another
            modelworks; J172 where it does not see the folder; and what the work raises.
        """
        try:
            import distributed
        except ImportError:
            fail("J170", "the package `distributed` is not installed", hint="pip install 'modelworks[dask]'")
        hint = "see whether `dask scheduler` runs there, and `dask worker` for it"
        try:
            with distributed.Client(self.address, timeout=PATIENCE_SECONDS, set_as_default=False) as client:
                self._check(client)
                # Not "pure": of what was done before, files tell, and not the scheduler's memory.
                futures = {client.submit(work, self.folder, *call, pure=False): name for name, call in calls.items()}
                for future in distributed.as_completed(futures, loop=client.loop):
                    # Let go of, for workers hold what somebody may still ask for.
                    yield futures.pop(future), future.result()
        except (OSError, TimeoutError) as error:
            fail("J170", f"dask at {self.address} does not answer: {error}", hint=hint)
        except (distributed.KilledWorker, distributed.client.FutureCancelledError) as error:
            what = f"dask at {self.address} lost its workers again and again: {error}"
            fail("J170", what, hint="see how much memory they have")

    def results(self, work: Callable[..., Array], shares: Mapping[str, Share], progress: Progress) -> dict[str, Array]:
        """The results (row, …) of every share: by the machines, or here where that takes no longer.

        Some rows are done here first, which tells how long one takes, and so how many make a part.
        """
        found = {name: self._begun(work, share) for name, share in shares.items()}
        for each in found.values():
            progress.advance(each.there)
        seconds = _tried(shares, found, progress)
        missing = [(name, *gap) for name, each in found.items() for gap in each.gaps()]
        left = sum(last - first for _, first, last in missing)
        if left * seconds < WORTH_SECONDS * min(share.cores for share in shares.values()):
            if left:
                progress.mention(
                    f"{left:,} runs of {seconds:.2g} s are done here: to hand them to dask would take longer"
                )
                progress.start("runs", total=left)
            for name, first, last in missing:
                found[name].add(first, shares[name].here(first, last, shares[name].cores))
                progress.advance(last - first)
            return {name: each.values for name, each in found.items()}
        rows = max(1, int(min(PART_SECONDS / seconds, MOST_BYTES / max(each.row_bytes for each in found.values()))))
        parts = [part for gap in missing for part in _parted(*gap, shares[gap[0]].together, rows)]
        told = f"{left:,} runs of {seconds:.2g} s are handed to dask at {self.address} in {len(parts):,} parts"
        progress.mention(told)
        progress.start("runs", total=left)
        calls = {
            (name, first, last): (*shares[name].named, len(shares[name].rows), first, shares[name].rows[first:last])
            for name, first, last in parts
        }
        for (name, first, last), values in self.each(work, calls):
            found[name].keep(first, values)
            progress.advance(last - first)
        return {name: each.values for name, each in found.items()}

    def forget(self) -> None:
        """What was kept of results that are now elsewhere is no longer needed."""
        for folder in self._used:
            shutil.rmtree(folder, ignore_errors=True)

    def _begun(self, work: Callable[..., Array], share: Share) -> _Results:
        """What is there of a share, from an earlier time that came to no end."""
        mark = fingerprint(code_here(), self.folder, work.__name__, share.named, share.rows)
        self._used.append(self.kept / mark)
        return _Results(len(share.rows), self.kept / mark)

    def _check(self, client: Any) -> None:
        """Every worker has our code as it is here, and the study's files."""
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        for worker, (mark, is_there) in client.run(seen_there, self.folder).items():
            if mark != code_here():
                hint = "install the same version there; machines that share a disk can share its environment"
                fail("J171", f"the worker {worker} of dask at {self.address} has another modelworks", hint=hint)
            if not is_there:
                hint = (
                    f"let it see {self.folder}, as on a shared disk; without `dask` in modelworks.toml all is done here"
                )
                fail("J172", f"the worker {worker} of dask at {self.address} does not see the study's files", hint=hint)


class _Results:
    """The results of a number of rows, as far as they are there; some of them are files in a folder."""

    def __init__(self, number: int, folder: Path) -> None:
        self._is_there, self._folder = np.zeros(number, dtype=bool), folder
        self.values = np.empty(0)
        for file in folder.glob("*.npy"):
            self.add(int(file.stem), np.load(file, allow_pickle=False))

    @property
    def there(self) -> int:
        """How many there are."""
        return int(self._is_there.sum())

    @property
    def row_bytes(self) -> int:
        """The size of one; of what nobody has seen yet, that of a number."""
        return int(self.values[:1].nbytes) or 8

    def add(self, first: int, values: Array) -> None:
        """The results (row, …) of the rows from `first` on."""
        if not self.there:
            self.values = np.empty((self._is_there.size, *values.shape[1:]))
        self.values[first : first + len(values)] = values
        self._is_there[first : first + len(values)] = True

    def keep(self, first: int, values: Array) -> None:
        """The same, and kept for the case that no others come: as a whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        begun = self._folder / f"{first}.part"
        with begun.open("wb") as file:
            np.save(file, values, allow_pickle=False)
            # A file of the right size that a power cut left empty would be taken for numbers.
            file.flush()
            os.fsync(file.fileno())
        begun.replace(self._folder / f"{first}.npy")
        self.add(first, values)

    def gaps(self) -> list[tuple[int, int]]:
        """Which rows are missing, from one up to but not including another."""
        edges = np.flatnonzero(np.diff(self._is_there, prepend=True, append=True)).tolist()
        return list(zip(edges[::2], edges[1::2], strict=True))


def machines_of(study: Study, files: Mapping[str, Path]) -> Machines | None:
    """The machines that the settings of a study's repository name; None where they name none.

    They are given the study as it is now, whatever is edited meanwhile; `files` are those that it was made from.
    """
    repository = study.inputs.repository
    if not repository.dask:
        return None
    # Nobody edits a copy that was made for a job.
    folder = study.inputs.folder if pinned_provenance(repository.root) else pin(study, files).study
    return Machines(repository.dask, str(folder), repository.kept / "handed")


def seen_there(folder: str) -> tuple[str, bool]:
    """What a worker sees: a mark of its code, and whether a folder is there."""
    return code_here(), Path(folder).is_dir()


def code_here() -> str:
    """A mark of the code of this package."""
    return source_hash(package_folder())


def _tried(shares: Mapping[str, Share], found: Mapping[str, _Results], progress: Progress) -> float:
    """Seconds that a run takes in one thread, by some done here: twice as many each time, until they can be timed.

    The first of them is not believed: it may have to compile the model.
    """
    seconds, number, believed = 0.0, 1, False
    name = next((name for name, each in found.items() if each.gaps()), None)
    while name is not None and (gaps := found[name].gaps()):
        share, (first, end) = shares[name], gaps[0]
        last = min(first + number * share.together, end)
        began = time.perf_counter()
        found[name].add(first, share.here(first, last, 1))
        spent = time.perf_counter() - began
        seconds = spent / (last - first)
        progress.advance(last - first)
        if believed and spent >= TRIED_SECONDS:
            break
        number, believed = number * (2 if believed else 1), True
    return seconds


def _parted(name: str, first: int, last: int, together: int, rows: int) -> list[tuple[str, int, int]]:
    """A gap in parts of about so many rows, of which some stay together."""
    size = max(rows // together, 1) * together
    return [(name, at, min(at + size, last)) for at in range(first, last, size)]
