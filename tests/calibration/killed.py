"""A calibration that is killed again and again, and goes on each time from what its ledger holds.

Run as a program: `killed.py FOLDER SAMPLER`. A child draws by the sampler and sends itself SIGKILL at its n-th run of
the model; the next child goes on, on another number of cores, until one comes to the end. The last line is a report
as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import nutpie  # noqa: F401 - once, and not in each child
from numpy.typing import NDArray
from tests.calibration.conftest import Linear
from tests.calibration.test_calibrate import DESIGN, BlackBox, density
from tests.calibration.test_pmmh import chance_model
from tests.calibration.test_pmmh import density as by_chance

from modelworks.calibration import Enough, LogDensity, Settings, calibrate
from modelworks.runs import Ledger

Array = NDArray[np.float64]

SETTINGS = {"chains": 2, "draws": 500, "warmup": 80, "seed": 11, "enough": Enough(effective_draws=100, r_hat=1.1)}
# At the search, while the chains warm up, and while they draw; of particle MCMC at its estimates, which are fewer.
KILLS = (40, 700, 1500)
KILLS_OF_PMMH = (20, 150, 300)
REPORTED = [0.0, 1.0, 3.0, 2.0]


@dataclass
class Counted:
    """A model that counts its runs, and ends its process at one of them."""

    model: Any
    last: int | None
    runs: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def run(self, values: Array, /) -> Array:
        self._count()
        return np.asarray(self.model.run(values))

    def _count(self) -> None:
        if next(self.runs) == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


class CountedWithGradient(Counted):
    def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
        self._count()
        found: tuple[Array, Callable[[Array], Array]] = self.model.run_with_pullback(values)
        return found


class CountedByChance(Counted):
    def particles(self, rows: Array, number: int, seed: int, /) -> Any:
        self._count()
        return self.model.particles(rows, number, seed)


def counted(sampler: str, last: int | None, cores: int = 1) -> tuple[LogDensity, Counted]:
    """The black box fails now and then, which is counted too."""
    if sampler == "pmmh":
        model = CountedByChance(chance_model(len(REPORTED), cores=cores), last)
        return by_chance(REPORTED, simulator=model), model
    if sampler in ("demcz", "abc", "sbi"):
        model = Counted(BlackBox(), last)
    else:
        model = CountedWithGradient(Linear(DESIGN, ("level", "slope")), last)
    return density(model), model


def drawn(sampler: str, folder: Path, last: int | None, cores: int) -> dict[str, Any]:
    target, model = counted(sampler, last, cores)
    with Ledger(folder / "a.ledger", clock=itertools.count().__next__) as ledger:
        posterior = calibrate(target, Settings(sampler, cores=cores, **SETTINGS), None, ledger)
    draws = {name: posterior.draws(name).tolist() for name in posterior.parameters}
    return {"draws": draws, "attributes": dict(posterior.attributes), "runs": next(model.runs) - 1}


def in_child(work: Callable[[], dict[str, Any]], result: Path) -> bool:
    """Whether a child lived to write its result."""
    process = os.fork()
    if process == 0:
        result.write_text(json.dumps(work()), encoding="utf-8")
        os._exit(0)
    return os.waitpid(process, 0)[1] == 0


def main(folder: Path, sampler: str) -> None:
    results = folder / "whole.json", folder / "continued.json"
    (folder / "whole").mkdir()
    assert in_child(lambda: drawn(sampler, folder / "whole", None, 1), results[0])
    kills = KILLS_OF_PMMH if sampler == "pmmh" else KILLS
    for cores, last in zip((1, 2, 2), kills, strict=True):
        assert not in_child(lambda cores=cores, last=last: drawn(sampler, folder, last, cores), results[1])  # type: ignore[misc]
    assert in_child(lambda: drawn(sampler, folder, None, 1), results[1])
    whole, continued = (json.loads(each.read_text(encoding="utf-8")) for each in results)
    sys.stdout.write(
        json.dumps(
            {
                "same_draws": whole["draws"] == continued["draws"],
                "same_attributes": whole["attributes"] == continued["attributes"],
                "runs": [whole["runs"], continued["runs"]],
                "killed_at": kills,
                "failed": whole["attributes"]["failed_runs"],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
