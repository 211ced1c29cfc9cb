"""What a column of a run's outputs is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of a run's outputs: which output, in which strata, and whether it counts events."""

    output: str
    strata: tuple[tuple[str, str], ...]
    counts_events: bool

    @property
    def name(self) -> str:
        inside = ", ".join(stratum for _, stratum in self.strata)
        return f"{self.output}[{inside}]" if inside else self.output
