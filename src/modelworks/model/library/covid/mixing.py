"""Who meets whom where, and how much of it there was when."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import ArrayLike

from modelworks.errors import Letters, near
from modelworks.model._declaration import Contacts, Setting
from modelworks.model._expression import Number, expression

HOME = "home"


def mixing(
    matrices: Mapping[str, ArrayLike],
    scales: Mapping[str, Number] | None = None,
    micro_distancing: Number | None = None,
    *,
    by: str = "age",
) -> Contacts:
    r"""Contacts that add up over settings, each as far as it takes place: $C = \sum_k s_k\, m\, C_k$.

    Parameters
    ----------
    matrices
        Contacts per person and day in each setting, shape (age, age): row who reports, column whom they met.
    scales
        $s_k$, how much of a setting takes place, such as `mobility` or `closures`; 1 where none is given.
    micro_distancing
        $m$, contacts that can infect over those before people kept their distance, as the function of that name has
        it. At home nobody does: there it is one.
    by
        The stratification the matrices are by.

    Raises
    ------
    ModelworksError
        M150 for the scale of a setting that there is no matrix of.
    """
    scales = scales or {}
    letters = Letters()
    for name in scales:
        if name not in matrices:
            letters.add("M150", f"`{name}` is scaled, but has no matrix of contacts", hint=near(name, list(matrices)))
    letters.raise_if_any()
    care = 1.0 if micro_distancing is None else micro_distancing
    return Contacts(
        {
            by: [
                Setting(name, matrix, scale=expression(scales.get(name, 1.0)) * (1.0 if name == HOME else care))
                for name, matrix in matrices.items()
            ]
        }
    )
