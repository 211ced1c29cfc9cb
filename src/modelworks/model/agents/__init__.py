"""Models of single people, where who lives with whom matters: epidemics in a population of households.

`_households` declares one, `_epidemic` is the course of one epidemic, and `_simulate` runs many of them.
"""

from __future__ import annotations

from modelworks.model.agents._households import HouseholdModel, Period
from modelworks.model.agents._simulate import simulate_households

__all__ = ["HouseholdModel", "Period", "simulate_households"]
