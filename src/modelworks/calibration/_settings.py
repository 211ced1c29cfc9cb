"""How a calibration is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass

from modelworks.calibration.samplers import AUTO, SAMPLERS, Enough
from modelworks.errors import Letters, near


@dataclass(frozen=True, slots=True)
class Settings:
    """A sampler (`auto` chooses one), chains, draws of each after its warm-up, the seed, and cores.

    A warm-up of None is as long as the sampler needs. With `enough` the chains end as soon as their draws are enough,
    and `draws` is the most of each; without it each makes `draws`. `cores` of None takes what the machine has; it
    changes how long a calibration takes and nothing else.

    Raises
    ------
    ModelworksError
        C501 and C502: an unknown sampler, or a number that is too small.
    """

    sampler: str = AUTO
    chains: int = 4
    draws: int = 1000
    warmup: int | None = None
    seed: int = 0
    cores: int | None = None
    enough: Enough | None = None

    def __post_init__(self) -> None:
        letters = Letters()
        if self.sampler not in (AUTO, *SAMPLERS):
            hint = near(self.sampler, [AUTO, *SAMPLERS])
            letters.add("C501", f"`{self.sampler}` is not a sampler", hint=hint)
        for name, value, least in (
            ("chains", self.chains, 1),
            ("draws", self.draws, 4),
            ("warmup", 10 if self.warmup is None else self.warmup, 10),
            ("seed", self.seed, 0),
            ("cores", 1 if self.cores is None else self.cores, 1),
        ):
            if value < least:
                letters.add("C502", f"`{name}` is {value}, but must be {least} or more")
        letters.raise_if_any()

    def threads(self) -> int:
        """How many cores to use: those asked for, or those this process may run on."""
        if self.cores is not None:
            return self.cores
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
