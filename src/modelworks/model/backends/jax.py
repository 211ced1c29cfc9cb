"""The same graph in JAX: for accelerators, very large ensembles, and as a check of every number.

One function from parameters to outputs, made of `lax.scan` over the steps of the grid that the native kernel
takes too, so the two agree but for round-off. It can be handed to `jax.jit`, `jax.vmap`, `jax.grad`. JAX is an extra
(`pip install modelworks[jax]`): on a processor it is some ten times slower, and takes ten times as long to compile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from modelworks.errors import fail
from modelworks.model._compiled import CompiledModel
from modelworks.model._convolve import Convolutions
from modelworks.model._graph import Graph, Node
from modelworks.model._program import Program, Schedule
from modelworks.model._quasi_steady import program_of
from modelworks.model.backends.interpreter import evaluate
from modelworks.model.solvers._grid import Grid
from modelworks.model.solvers.rk4 import RK4

Values = dict[int, Any]


def jax_function(compiled: CompiledModel) -> Callable[[Any], Any]:
    """The runs of a compiled model as a function of JAX: parameters (parameter,) to outputs (time, column).

    At the times and with the step of `compiled`, whose order of parameters and columns it keeps. It looks for no
    impossible numbers: people below zero or shares that do not sum to one come out as they are.

    Turns on JAX's 64-bit numbers, for the whole process.

    Raises
    ------
    ModelworksError
        S119 where JAX is not installed, S121 where the model's solver is not `rk4`.
    """
    if compiled.method is not RK4:
        fail(
            "S121",
            f"a function of JAX is not to be had with the solver `{compiled.method.name}`",
            hint="compile the model with the solver `rk4`",
        )
    try:
        import jax
    except ImportError:
        fail("S119", "JAX is not installed", hint="install the extra: pip install 'modelworks[jax]'")
    jax.config.update("jax_enable_x64", True)
    # Lowered anew: the kernel's own graph has the nodes of its adjoint as well.
    return _function(program_of(compiled.model, compiled.calendar), compiled.grid)


def _function(program: Program, grid: Grid) -> Callable[[Any], Any]:
    import jax.numpy as jnp
    from jax import lax

    graph, schedule = program.graph, Schedule.of(program)
    clock = evaluate(graph, schedule.data_nodes, times=grid.moments)
    many = 3 * grid.steps.size
    stops = np.cumsum(grid.counts)  # how many steps lie before each output
    # After an output that was asked for the accumulators begin anew.
    keeps = np.ones((grid.steps.size, len(program.rows), 1))
    for stop in stops[grid.asked][1:]:
        keeps[stop - 1, list(program.accumulators)] = 0.0

    later = Convolutions(program, grid)

    def run(parameters: Any) -> Any:
        settled: Values = {node: jnp.asarray(value) for node, value in clock.items()}
        settled |= read(graph, schedule.run_nodes, parameters=parameters[None, :])
        still = {node: settled[node] for node in schedule.run_nodes}
        settled |= read(graph, schedule.moment_nodes, parameters=parameters[None, :], known=settled)
        moving = {n: settled[n] for n in (*schedule.data_nodes, *schedule.moment_nodes)}
        # What is one number for all moments, because nothing in it changes after all, is repeated.
        moving = {n: jnp.broadcast_to(v, (grid.moments.size, *v.shape[1:])) for n, v in moving.items()}
        at_steps = {node: v[:many].reshape(-1, 3, *v.shape[1:]) for node, v in moving.items()}
        at_outputs = {node: v[many:] for node, v in moving.items()}
        begin = _rows(program, program.initial, read(graph, program.initial, parameters=parameters[None, :]))

        def slope(state: Any, now: Mapping[int, Any], part: int) -> Any:
            known = {**still, **{node: value[part : part + 1] for node, value in now.items()}}
            return _rows(program, program.derivatives, read(graph, program.derivatives, state=state[None], known=known))

        def step(state: Any, given: tuple[Any, Any, Any]) -> tuple[Any, Any]:
            h, keep, now = given
            k1 = slope(state, now, 0)
            k2 = slope(state + h / 2 * k1, now, 1)
            k3 = slope(state + h / 2 * k2, now, 1)
            k4 = slope(state + h * k3, now, 2)
            after = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            return after * keep, after

        _, after = lax.scan(step, begin, (jnp.asarray(grid.steps), jnp.asarray(keeps), at_steps))
        states = jnp.concatenate([begin[None], after])[stops]
        columns = [*(column.node for column in program.columns), *program.hidden]
        seen = read(graph, columns, state=states, known={**still, **at_outputs}, parameters=parameters[None, :])
        listed = [seen[n] if graph.nodes[n].wide else seen[n][:, None] for n in columns]
        raw = jnp.concatenate([jnp.broadcast_to(v, (stops.size, v.shape[1])) for v in listed], axis=1)
        visible = sum(v.shape[1] for v in listed[: len(program.columns)])
        return later.traced(raw)[:, :visible]

    return run


def _rows(program: Program, nodes: Sequence[int], values: Mapping[int, Any]) -> Any:
    """Nodes at one point as the rows of a state, shape (row, lane)."""
    import jax.numpy as jnp

    return jnp.stack([jnp.broadcast_to(values[node].reshape(-1), (program.width,)) for node in nodes])


def read(
    graph: Graph,
    nodes: Iterable[int],
    *,
    parameters: Any = None,
    state: Any = None,
    known: Mapping[int, Any] | None = None,
) -> Values:
    """The value of each node, with a leading axis of points, as `interpreter.evaluate` gives it in NumPy."""
    values: Values = dict(known or {})
    wanted = list(nodes)
    for index in sorted(graph.ancestors(wanted, stop=values)):
        if index not in values:
            values[index] = _value(graph, graph.nodes[index], values, parameters, state)
    return {index: values[index] for index in wanted}


def _value(graph: Graph, node: Node, values: Values, parameters: Any, state: Any) -> Any:
    import jax.numpy as jnp

    operation = node.operation
    if operation == "constant":
        data = jnp.asarray(np.asarray(node.data, dtype=float))
        return data[None, :] if node.wide else data
    if operation == "parameter":
        return parameters[:, int(node.data[0])]
    if operation == "state":
        row = state[:, int(node.data[0])]
        return row if node.wide else row[:, 0]
    arguments = [values[child] for child in node.children]
    if operation == "total":
        return arguments[0].sum(axis=-1)
    if operation == "lane":
        return arguments[0][:, int(node.data[0])]
    if operation == "pack":
        return jnp.stack(jnp.broadcast_arrays(*arguments), axis=-1)
    if operation == "shift":
        return _shifted(arguments[0], int(node.data[0]))
    if operation == "matvec":
        return arguments[0] @ jnp.asarray(graph.matrices[int(node.data[0])].T)
    lifted = [
        value[:, None] if node.wide and not graph.nodes[child].wide else value
        for value, child in zip(arguments, node.children, strict=True)
    ]
    # Where the two are equal, the first is the one whose derivative counts, as in the kernel.
    if operation == "maximum":
        return jnp.where(lifted[0] >= lifted[1], *lifted)
    if operation == "minimum":
        return jnp.where(lifted[0] <= lifted[1], *lifted)
    return getattr(jnp, operation)(*lifted)


def _shifted(value: Any, by: int) -> Any:
    import jax.numpy as jnp

    beyond = jnp.zeros_like(value[:, : abs(by)])
    return jnp.concatenate([beyond, value[:, :-by]] if by > 0 else [value[:, -by:], beyond], axis=1)
