"""A model with a basic reproduction number that is a parameter, whatever its strata, stages and routes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelworks.errors import fail
from modelworks.model._declaration import Infection
from modelworks.model._expression import Eigenvalue, Expression, Number, expression

if TYPE_CHECKING:
    from modelworks.model._model import Model


@dataclass(frozen=True, eq=False)
class ModelReproduction(Eigenvalue):
    """The basic reproduction number of a model, of the same strata as the one it is used in."""

    model: Model
    time: float

    def parts(self) -> tuple[Expression, ...]:
        return tuple(self.model.expressions())


def with_reproduction_number(model: Model, number: Number, *, time: float = 0.0) -> Model:
    r"""The model with all rates of infection times one factor, so that $\mathcal{R}_0$ is the `number`.

    The factor is $\mathcal{R}_0^{\text{wanted}} / \rho(F V^{-1})$, the largest eigenvalue of the next-generation matrix
    at the declared rates: what these are to each other stays, what they are does not matter. The eigenvalue is worked
    out within the model and follows every parameter it depends on, in gradients too. What `basic_reproduction_number`
    says of populations holds: that of the start, with those infected then put back among the susceptible.

    Parameters
    ----------
    number
        The reproduction number, of all strains the largest: a Parameter, a number or arithmetic on them.
    time
        Model time at which rates and contacts are read.

    Raises
    ------
    ModelworksError
        M136 where the number has no meaning (nobody infects, or the infected stay so for ever) or does not set the
        rates alone (people are born infected); S103 in a run where the iteration does not settle.

    Examples
    --------
    >>> from modelworks.model import Parameter, basic_reproduction_number
    >>> from modelworks.model.library.seir import seir
    >>> scaled = with_reproduction_number(seir(), Parameter("R0", lower=0))
    >>> values = {"contact_rate": 1.0, "latency_rate": 0.25, "recovery_rate": 0.2, "population": 1000, "first_cases": 1}
    >>> round(basic_reproduction_number(scaled, {**values, "R0": 3.0}), 8)
    3.0
    """
    if not any(isinstance(flow, Infection) for flow in model.flows):
        fail(
            "M136",
            f"`{model.name}` is to have a reproduction number, but nobody infects anybody in it",
            hint="declare what infects as an Infection; a Transition whose rate counts people is not seen as one",
        )
    factor = expression(number) / ModelReproduction(replace(model, outputs={}, derived={}), time)
    flows = [replace(flow, rate=factor * flow.rate) if isinstance(flow, Infection) else flow for flow in model.flows]
    return replace(model, flows=flows)
