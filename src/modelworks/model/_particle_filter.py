"""The likelihood of observations under a stochastic model, by a bootstrap particle filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np

from modelworks.dates import Calendar
from modelworks.errors import fail
from modelworks.model._column import OutputColumn
from modelworks.model._graph import Array
from modelworks.model._model import Model
from modelworks.model._particles import Particles
from modelworks.model._simulate import Outputs, output_of
from modelworks.model._stochastic import StochasticModel

# From the outputs at a time, (particle,) or (particle, stratum, ...) each, and the position of that time among all, to
# the logarithm of the probability of what was observed then, (particle,).
Observation: TypeAlias = Callable[[Mapping[str, Array], int], Array]


@dataclass(frozen=True, eq=False)
class Filtered:
    """What a particle filter gave.

    `log_likelihood` is the logarithm of an unbiased estimate of the likelihood; `increments` (time,) its parts, that of
    each observation given those before (zero at the start). `effective_particles` (time,) is how many equally
    weighted particles would say as much. `outputs` are the model's outputs at each time as the observations up
    to then show them: the weighted mean over particles; not numbers from an impossible observation on.
    """

    log_likelihood: float
    increments: Array
    effective_particles: Array
    outputs: Outputs


class _Seen(Mapping[str, Array]):
    """The outputs of all particles at one time, by name; those nobody asks for are not laid out."""

    def __init__(self, values: Array, columns: tuple[OutputColumn, ...]) -> None:
        self._values = values
        self._columns = columns

    def __getitem__(self, name: str) -> Array:
        return output_of(self._values, self._columns, name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(column.output for column in self._columns))

    def __len__(self) -> int:
        return len(list(iter(self)))


def particle_filter(
    model: Model,
    parameters: Mapping[str, float],
    times: Sequence[float] | Array,
    log_likelihood: Observation,
    *,
    seed: int,
    particles: int = 1000,
    method: str = "chain_binomial",
    start: date | None = None,
    step: float | None = None,
    cores: int | None = None,
) -> Filtered:
    r"""The likelihood of observations, whatever may have happened between them.

    $$\hat L = \prod_k \frac{1}{n} \sum_{j=1}^{n} p(y_k \mid x_k^{(j)})$$ where the $n$ particles $x_k^{(j)}$ are
    stochastic runs, of which those that agree with the observations go on and the others are dropped.
    $\hat L$ is an unbiased estimate of the likelihood for any number of particles, so a Metropolis sampler that
    uses it still draws from the exact posterior (Andrieu, Doucet & Holenstein 2010).

    Parameters
    ----------
    parameters
        A value for every parameter of the model.
    times
        Where the run starts, and after it each time at which something was observed.
    log_likelihood
        Called for each of `times` but the first with the outputs there, by name, an array (particle,) or
        (particle, stratum, ...), and the position $k$ of the time; gives $\log p(y_k \mid x_k)$ for each
        particle, shape (particle,). Zeros where nothing was observed; `-inf` for what can not be.
    seed
        Zero or more; the same on any number of cores.
    method, start, step, cores
        As of `simulate_stochastic`.

    Raises
    ------
    ModelworksError
        As `simulate_stochastic`, and S115 where `log_likelihood` gives no log likelihoods.

    Notes
    -----
    Gordon, Salmond & Smith 1993, doi:10.1049/ip-f-2.1993.0015. Particles are dropped and doubled systematically
    (Carpenter, Clifford & Fearnhead 1999, doi:10.1049/ip-rsn:19990255) when fewer than half of them are effective.

    Examples
    --------
    >>> from modelworks.model.library.sir import sir
    >>> values = {"contact_rate": 0.6, "recovery_rate": 0.3, "population": 500, "first_cases": 5}
    >>> reported = [0, 3, 4, 8, 9]
    >>> def poisson(outputs, k):
    ...     mean = 0.5 * outputs["incidence"] + 0.1
    ...     return reported[k] * np.log(mean) - mean
    >>> particle_filter(sir(), values, range(5), poisson, seed=1).increments.shape
    (5,)
    """
    calendar = Calendar(model.time, start) if start is not None else None
    compiled = StochasticModel(model.checked(), times, method=method, calendar=calendar, step=step, cores=cores)
    return filter_particles(compiled, parameters, log_likelihood, particles=particles, seed=seed)


def filter_particles(
    compiled: StochasticModel,
    parameters: Mapping[str, float],
    log_likelihood: Observation,
    *,
    particles: int,
    seed: int,
) -> Filtered:
    """As `particle_filter`, of a model that is compiled already: what a sampler calls again and again."""
    swarm = Particles(compiled, compiled.rows(parameters), particles, seed)
    number = compiled.times.size
    means = np.full((number, len(compiled.columns)), np.nan)
    increments, effective = np.zeros(number), np.full(number, float(particles))
    for k in range(number):
        outputs = swarm.advance(k)
        if k > 0:
            increments[k] = swarm.weigh(_observed(compiled, log_likelihood, outputs[0], k)[np.newaxis])[0]
        if increments[k] == -np.inf:
            increments[k:], effective[k:] = -np.inf, 0.0
            break
        means[k] = swarm.weights[0] @ outputs[0]
        effective[k] = swarm.effective[0]
        if k < number - 1:
            swarm.renew()
    units = {name: output.unit for name, output in compiled.model.series.items()}
    shown = Outputs(means, compiled.times, compiled.columns, units, compiled.calendar, compiled.step, np.nan)
    return Filtered(float(increments.sum()), increments, effective, shown)


def _observed(compiled: StochasticModel, log_likelihood: Observation, outputs: Array, k: int) -> Array:
    found = np.asarray(log_likelihood(_Seen(outputs, compiled.columns), k), float)
    when = compiled.moment(k)
    if found.shape != (len(outputs),):
        fail(
            "S115",
            f"the log likelihood of the observation{when} has the shape {found.shape}, not ({len(outputs)},)",
            hint="give one number for each particle; sum over strata",
        )
    if np.any(np.isnan(found)) or np.any(found == np.inf):
        fail(
            "S115",
            f"the log likelihood of the observation{when} is not a number, or infinite",
            hint="look for the logarithm of a negative number; -inf is for what can not be",
        )
    return found
