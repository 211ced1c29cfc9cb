r"""Outputs that come later than their events: convolution with a delay, after the run, and its exact derivative.

The kernel writes the events of every step of a fixed grid; within a step of length $h$ they are taken as even. With
$G(x) = \int_x^\infty (1 - F(u)) \, \mathrm{d}u$ of a delay of distribution function $F$, the share
$$d_n = \frac{G(n h) - G(n h + h)}{h}$$ of a step's events is still to come at the end of the $n$-th step after it, and
$d_{n-1} - d_n$ comes in that step. These sum to one: nobody is lost. (The double integral over both steps is that of
Cori et al. 2013, doi:10.1093/aje/kwt133, web appendix 11, for any distribution.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse, special

from modelworks.model._graph import Array
from modelworks.model._program import Later, Program
from modelworks.model.solvers._grid import Grid

# What is still to come, and is less than this part of all, is left out.
NOTHING = 1e-15
# The derivative by a delay's number: central differences of order eight, as exact as the functions themselves.
REACH = 1e-2
STENCIL = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}


def waiting(family: str, numbers: Sequence[Any], count: int, step: float, np: Any = np, special: Any = special) -> Any:
    """The share $d_n$ of a step's events that is still to come after n more steps, shape (step, ...)."""
    if family == "discrete":
        left = 1.0 - np.cumsum(np.stack(np.broadcast_arrays(*numbers)), axis=0)[:count]
        return np.concatenate([left, np.zeros((count - len(left), *left.shape[1:]))])
    mean, other = np.broadcast_arrays(*numbers)
    x = (step * np.arange(1.0, count + 1.0)).reshape(-1, *[1] * mean.ndim)
    beyond = np.concatenate([mean[None], _beyond(family, x, mean, other, np, special)])
    return np.maximum(beyond[:-1] - beyond[1:], 0.0) / step


def _beyond(family: str, x: Any, mean: Any, other: Any, np: Any, special: Any) -> Any:
    """The integral of one minus the distribution function from x on."""
    if family == "gamma":
        z = x * other / mean
        return mean * special.gammaincc(other + 1.0, z) - x * special.gammaincc(other, z)
    if family == "weibull":
        scale = mean / np.exp(special.gammaln(1.0 + 1.0 / other))
        return mean * special.gammaincc(1.0 / other, (x / scale) ** other)
    spread = np.sqrt(np.log1p((other / mean) ** 2))
    z = (np.log(x / mean) + spread**2 / 2) / spread
    return mean * special.ndtr(spread - z) - x * special.ndtr(-z)


def weights(later: Later, numbers: Sequence[Any], count: int, np: Any = np, special: Any = special) -> Any:
    """How much of a step's events shows n steps later, shape (step, ...)."""
    left = waiting(later.family, numbers, count, later.step, np, special)
    return left if later.lasting else np.concatenate([1.0 - left[:1], left[:-1] - left[1:]])


@dataclass(frozen=True)
class _Term:
    """One delayed series: where its target, its events and the delay's numbers lie among the numbers of an output.

    `cells` (step, output) makes of the events since an asked output those of each step of the delay's grid;
    `shown` (asked output, step) of what shows in each step what an output counts.
    """

    later: Later
    target: slice
    events: slice
    numbers: tuple[slice, ...]
    constant: tuple[bool, ...]
    cells: Any
    shown: Any


class Convolutions:
    """What a run's outputs lack when the kernel has written them."""

    def __init__(self, program: Program, grid: Grid) -> None:
        self.asked = grid.asked
        graph = program.graph
        widths = [graph.width if graph.nodes[node].wide else 1 for node in program.observed]
        starts = np.concatenate([[0], np.cumsum(widths)]).tolist()
        slices = [slice(start, start + width) for start, width in zip(starts, widths, strict=False)]
        hidden = dict(zip(program.observed[len(program.columns) :], slices[len(program.columns) :], strict=True))
        self._terms = [
            _Term(
                later,
                target,
                hidden[later.events],
                tuple(hidden[node] for node in later.numbers),
                tuple(graph.nodes[node].operation == "constant" for node in later.numbers),
                *_matrices(later, grid),
            )
            for column, target in zip(program.columns, slices, strict=False)
            for later in column.later
        ]

    def apply(self, raw: Array) -> Array:
        """Outputs (..., asked output, number) from what the kernel wrote, (..., output, number)."""
        found = raw[..., self.asked, :].copy()
        seen = np.moveaxis(raw, -2, 0)
        for term in self._terms:
            cells = _product(term.cells, seen[..., term.events])
            given = [seen[0][..., place] for place in term.numbers]
            shares = weights(term.later, given, len(cells))
            late = _convolved(shares, cells)
            found[..., term.target] += np.moveaxis(_product(term.shown, late), 0, -2)
        return found

    def traced(self, raw: Any) -> Any:
        """As `apply`, for one run within a function of JAX."""
        import jax.numpy as jnp
        from jax.scipy import special as of_jax

        found = raw[self.asked]
        for term in self._terms:
            cells = term.cells.toarray() @ raw[:, term.events]
            given = [raw[0, place] for place in term.numbers]
            shares = weights(term.later, given, len(cells), jnp, of_jax)
            lag = np.subtract.outer(np.arange(len(cells)), np.arange(len(cells)))
            moved = jnp.where((lag >= 0)[..., None], shares[np.maximum(lag, 0)], 0.0)
            late = (moved * cells).sum(axis=1)
            found = found.at[:, term.target].add(term.shown.toarray() @ late)
        return found

    def pullback(self, raw: Array, cotangent: Array) -> Array:
        """From a cotangent of `apply` (asked output, number) to that of what the kernel wrote (output, number)."""
        found = np.zeros_like(raw)
        found[self.asked] = cotangent
        for term in self._terms:
            cells = _product(term.cells, raw[:, term.events])
            given = [raw[0, place] for place in term.numbers]
            shares = _trimmed(weights(term.later, given, len(cells)))
            bar = _product(term.shown.T, cotangent[:, term.target])
            # A convolution seen from its end is one backwards in time.
            found[:, term.events] += _product(term.cells.T, _convolved(shares, bar[::-1])[::-1])
            shares_bar = _correlated(len(shares), cells, bar)
            for k, place in enumerate(term.numbers):
                if not term.constant[k]:
                    slope = _slope(term.later, given, k, len(shares))
                    change = (shares_bar * slope).sum(axis=0)
                    found[0, place] += change if change.size == place.stop - place.start else change.sum()
        return found


def _convolved(shares: Array, cells: Array) -> Array:
    """The sum over n of `shares[n]` times the cells n steps before."""
    # Each trimmed by itself: a draw's last digit is no matter of which draws are beside it.
    return _by_column(lambda share, cell: np.convolve(cell, _trimmed(share))[: cell.size], shares, cells)


def _correlated(count: int, cells: Array, bar: Array) -> Array:
    """For each of the first n shares, the sum over cells of one times the cotangent of what shows n steps later."""
    padded = np.concatenate([np.zeros((count - 1, *cells.shape[1:])), cells])
    return _by_column(lambda cell, each: np.correlate(cell, each, "valid")[::-1], padded, bar)


def _by_column(work: Callable[[Array, Array], Array], first: Array, second: Array) -> Array:
    """A function of two series for each column of two arrays, of which one may have fewer columns."""
    shape = np.broadcast_shapes(first.shape[1:], second.shape[1:])
    flat = [np.broadcast_to(each, (len(each), *shape)).reshape(len(each), -1).T for each in (first, second)]
    found = np.stack([work(*pair) for pair in zip(*flat, strict=True)], axis=1)
    return found.reshape(len(found), *shape)


def _trimmed(shares: Array) -> Array:
    """Without the steps so late that nothing comes in them."""
    some = np.flatnonzero(np.abs(shares).reshape(len(shares), -1).max(axis=1) > NOTHING)
    return shares[: some[-1] + 1] if some.size else shares[:1]


def _slope(later: Later, numbers: Sequence[Array], which: int, count: int) -> Array:
    """The derivative of the weights by one of the delay's numbers."""
    if later.family == "discrete":
        unit = np.zeros((count, 1))
        unit[which:] = 1.0
        return -unit if later.lasting else np.diff(unit, axis=0, prepend=0.0)
    reach = REACH * np.abs(numbers[which])

    def at(steps: int) -> Array:
        moved = [each + steps * reach if k == which else each for k, each in enumerate(numbers)]
        return np.asarray(weights(later, moved, count))

    return np.asarray(sum(factor * (at(k) - at(-k)) for k, factor in STENCIL.items()) / reach)


def _product(matrix: Any, series: Array) -> Array:
    """A sparse matrix times the first axis of an array."""
    flat = matrix @ series.reshape(len(series), -1)
    return np.asarray(flat).reshape(len(flat), *series.shape[1:])


def _matrices(later: Later, grid: Grid) -> tuple[Any, Any]:
    """The two linear maps of a term: from outputs to the grid of the delay, and from there to the asked outputs."""
    outputs, asked = grid.outputs, grid.asked
    edges = delay_grid(outputs, later.step)
    count = len(edges) - 1
    near = 1e-9 * np.maximum(1.0, np.abs(outputs))
    # Each output's events since the one before fall in one step of the grid, whose edges are outputs, but for the last.
    cell = np.clip(np.searchsorted(edges, outputs[1:] - near[1:]) - 1, 0, count - 1)
    since = np.arange(1, outputs.size)
    stretch = np.where(cell == count - 1, later.step / (outputs[-1] - edges[-2]), 1.0)
    follows = ~np.isin(since - 1, asked)  # what this output counts began before the one before
    cells = sparse.csr_array(
        (
            np.concatenate([stretch, -stretch[follows]]),
            (np.concatenate([cell, cell[follows]]), np.concatenate([since, since[follows] - 1])),
        ),
        shape=(count, outputs.size),
    )
    place = np.clip((outputs[asked] - outputs[0]) / later.step, 0, count)
    full = np.minimum(np.floor(place + 1e-9).astype(int), count)
    part = np.where(full < count, np.maximum(place - full, 0.0), 0.0)
    part[part < 1e-9] = 0.0
    return cells, (_between if later.lasting else _counted)(full, part, count)


def delay_grid(outputs: Array, step: float) -> Array:
    """The edges of the steps of a delay: from the start of a run to where its end is reached."""
    count = max(1, int(np.ceil((outputs[-1] - outputs[0]) / step - 1e-9)))
    return np.asarray(outputs[0] + step * np.arange(count + 1))


def _counted(full: Any, part: Array, count: int) -> Any:
    """What shows between one asked output and the next: whole steps, and parts of the first and the last."""
    matrix = sparse.lil_array((len(full), count))
    for k in range(1, len(full)):
        matrix[k, full[k - 1] : full[k]] = 1.0
        if part[k - 1] > 0:
            matrix[k, full[k - 1]] -= part[k - 1]
        if part[k] > 0:
            matrix[k, full[k]] += part[k]
    return matrix.tocsr()


def _between(full: Any, part: Array, count: int) -> Any:
    """What lasts at an asked output, on a straight line between the ends of two steps; nothing at the start."""
    rows = np.arange(len(full))
    matrix = sparse.lil_array((len(full), count))
    for share, ends in ((1.0 - part, full), (part, full + 1)):
        there = (ends > 0) & (share > 0)
        matrix[rows[there], ends[there] - 1] = share[there]
    return matrix.tocsr()
