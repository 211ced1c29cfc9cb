"""Draws for a figure: checked, the ones most worth seeing chosen, chains with their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.diagnostics import r_hat
from modelworks.errors import fail, near
from modelworks.plots._figure import Spec
from modelworks.plots._theme import colour


def as_draws(draws: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    """Each parameter's draws, shape (chain, draw)."""
    arrays = {name: np.atleast_2d(np.asarray(values, dtype=np.float64)) for name, values in draws.items()}
    if not arrays or any(each.size == 0 for each in arrays.values()):
        fail("G202", "there are no draws, so there is nothing to draw")
    return arrays


def worth_seeing(
    draws: Mapping[str, NDArray[np.float64]], asked: Sequence[str] | None, most: int
) -> tuple[list[str], str]:
    """The parameters to draw, and a sentence for the caption where some are left out.

    Those asked for; or all; or, of more than `most`, the ones on which the chains agree least, as a chain
    that went astray shows there first.
    """
    for name in asked or ():
        if name not in draws:
            fail("G203", f"there is no parameter `{name}` to draw", hint=near(name, draws))
    if asked is not None or len(draws) <= most:
        return list(draws if asked is None else asked), ""
    disagreement = {name: np.nan_to_num(r_hat(chains), nan=np.inf) for name, chains in draws.items()}
    kept = set(sorted(disagreement, key=lambda name: -disagreement[name])[:most])
    sentence = f" Of {len(draws)} parameters, the {most} on which the chains agree least."
    return [name for name in draws if name in kept], sentence


def chain_names(count: int) -> list[str]:
    """Chains by number, from 1, as people count them; text, as a chain is a name and not an amount."""
    return [str(index + 1) for index in range(count)]


def chain_colour(count: int) -> Spec:
    """Each chain in its own colour, with a legend where there is more than one."""
    scale = {"domain": chain_names(count), "range": [colour(index) for index in range(count)]}
    legend = {"title": "Chain"} if count > 1 else None
    return {"field": "chain", "type": "nominal", "scale": scale, "legend": legend}
