"""Ways to draw from a log density. One file for each; `_sampler.py` says what a sampler takes and gives."""

from __future__ import annotations

import importlib
from typing import cast

from modelworks.calibration.samplers._enough import Enough
from modelworks.calibration.samplers._sampler import Density, Draws, Sampler, can_be_estimated
from modelworks.errors import fail, near

AUTO = "auto"
# The way of `auto` where there are gradients: it ends in one of the others.
GUIDED = "guided"
SAMPLERS = {
    "nuts": "NUTS",
    "demcz": "DE-MC-Z",
    "laplace_is": "importance sampling around the optimum",
    "smc": "tempered sequential Monte Carlo",
    "pmmh": "particle MCMC",
    "abc": "approximate Bayesian computation",
    "sbi": "simulation-based inference",
}
# Draws before those that are kept. NUTS starts around the optimum in coordinates in which the posterior is nearly
# round and has little more than the length of its steps to learn: of 3, 10 and 22 parameters the draws were worth as
# much after 100 as after 300.
WARMUP, WARMUP_OF_NUTS = 500, 100
# Chains that begin among draws of a posterior like theirs have only to forget where it differs.
WARMUP_OF_THE_INFORMED = 150
# Those for models that run by chance, whose density nobody can compute.
BY_CHANCE = ("pmmh", "abc", "sbi")
# Those to whom draws of the priors are more than a place to begin.
FROM_THE_PRIORS = ("abc", "sbi")

__all__ = ["AUTO", "SAMPLERS", "Density", "Draws", "Enough", "Sampler", "choose", "sampler", "warmup_of"]


def sampler(name: str) -> Sampler:
    """The sampler of a name; it is loaded when it is first asked for.

    Raises
    ------
    ModelworksError
        C501, with the near names.
    """
    if name not in (GUIDED, *SAMPLERS):
        fail("C501", f"`{name}` is not a sampler", hint=near(name, [AUTO, *SAMPLERS]))
    return cast(Sampler, importlib.import_module(f"{__name__}.{name}").sample)


def warmup_of(name: str, *, is_informed: bool = False) -> int:
    """How many draws a sampler of this name makes before those it keeps, where nobody says.

    It `is_informed` where it begins among draws of a posterior like the one it looks for.
    """
    if name in (GUIDED, "nuts"):
        return WARMUP_OF_NUTS
    return WARMUP_OF_THE_INFORMED if is_informed else WARMUP


def choose(asked: str, density: Density) -> tuple[str, str]:
    """The name of the sampler to use, and in words why."""
    free = f"{density.dimension} parameter{' is' if density.dimension == 1 else 's are'} free"
    by_chance = bool(getattr(density, "is_random", False))
    if asked != AUTO:
        sampler(asked)
        if by_chance and asked not in BY_CHANCE:
            fail(
                "C504",
                f"{SAMPLERS[asked]} needs a likelihood that can be computed, but the model runs by chance",
                hint=f"write `sampler: auto`, or one of {', '.join(f'`{name}`' for name in BY_CHANCE)}",
            )
        return asked, f"{SAMPLERS[asked]}, because the study asks for it; {free}"
    if by_chance and can_be_estimated(density):
        return "pmmh", f"{SAMPLERS['pmmh']}, because the model runs by chance and {free}"
    if by_chance:
        return "abc", f"{SAMPLERS['abc']}, because the model runs by chance, can only be run as a whole, and {free}"
    if density.has_gradient:
        return GUIDED, f"NUTS or tempered SMC, because the model has exact gradients and {free}"
    return "demcz", f"{SAMPLERS['demcz']}, because the model has no gradients and {free}"
