"""Priors times likelihood, as a function on the real line in every direction, with its exact gradient."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.calibration._beliefs import Beliefs
from modelworks.calibration._by_chance import can_be_filtered, is_random
from modelworks.calibration._distance import Distance, Settled
from modelworks.calibration._estimate import Estimates, ParticleLikelihood
from modelworks.calibration._imitate import Imitations, check_weights, names_of_points, observed_anew
from modelworks.calibration._inference import Inference
from modelworks.calibration._log_density_check import check
from modelworks.calibration._observation import Observation
from modelworks.calibration._simulator import Simulator, has_gradient
from modelworks.calibration._target import Target
from modelworks.calibration._threads import in_order
from modelworks.calibration.groups import Group
from modelworks.calibration.priors import Prior
from modelworks.errors import Letter, ModelworksError, fail

if TYPE_CHECKING:
    from modelworks.calibration.native import NativeDensity

Array = NDArray[np.float64]


@dataclass
class FailedRuns:
    """How many runs of the model left what is possible, and one letter that says how.

    Chains run side by side, so which run failed *first* may differ between two equal calibrations; the
    letter kept is therefore the first in the alphabet.
    """

    count: int = 0
    letter: Letter | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _latest: threading.local = field(default_factory=threading.local, repr=False)

    def add(self, error: ModelworksError) -> None:
        letter = error.letters[0]
        self._latest.__dict__.setdefault("letters", []).append(letter)
        with self._lock:
            self.count += 1
            if self.letter is None or str(letter) < str(self.letter):
                self.letter = letter

    def latest(self) -> list[Letter]:
        """Of the runs that failed in this thread since it was asked last."""
        letters: list[Letter] = getattr(self._latest, "letters", [])
        self._latest.letters = []
        return letters


class LogDensity:
    """The log posterior density of a study's parameters, up to a constant.

    Samplers move on the real line: a *position* (coordinate,) stands for the *values* of the parameters
    that are free, in the order of `free`; the logarithm of the Jacobian is included. A run of the model
    that fails has density zero and is counted in `failed_runs`.

    Parameters
    ----------
    priors : mapping of parameter to Prior
        The parameters to find.
    simulator : Simulator
        With `run_with_pullback` the gradient is exact; without, there is none.
    targets : sequence of Target
    fixed : mapping of parameter to float
        Those whose value is known.
    groups : sequence of Group
        Parameters to find that are believed in together.
    distance : Distance
        How far simulated data lie from those that were seen, for samplers that do without a likelihood.
    inference : str or Inference
        The method, or its name, by which the sampler `sbi` learns from simulations.

    Raises
    ------
    ModelworksError
        C106, C203, C209 to C212 and C301 to C307: names, shapes and ranges that do not fit each other, all at once.
    """

    def __init__(
        self,
        *,
        priors: Mapping[str, Prior],
        simulator: Simulator,
        targets: Sequence[Target],
        fixed: Mapping[str, float] | None = None,
        groups: Sequence[Group] = (),
        distance: Distance | None = None,
        inference: str | Inference = "regression",
    ) -> None:
        check(priors, groups, dict(fixed or {}), simulator, targets)
        self.beliefs = Beliefs(priors, groups, fixed)
        self.simulator = simulator
        self.distance = distance if distance is not None else Distance()
        self.inference = inference
        self.failed_runs = FailedRuns()
        names = self.beliefs.names
        self._of_simulator = np.array([names.index(name) for name in simulator.parameters], dtype=np.intp)
        self._as_is = self._of_simulator.tolist() == list(range(len(names)))
        self.observations = tuple(Observation.of(target, simulator.outputs, names) for target in targets)
        self._particles = ParticleLikelihood(simulator, targets, names) if can_be_filtered(simulator) else None

    @property
    def priors(self) -> Mapping[str, Prior]:
        return self.beliefs.priors

    @property
    def parameters(self) -> tuple[str, ...]:
        """A name for each coordinate of a position: the parameter it moves; see `free`."""
        return self.beliefs.coordinates

    @property
    def free(self) -> tuple[str, ...]:
        """The parameters to find, in the order of `constrain`; of a group there may be more than coordinates."""
        return self.beliefs.free

    @property
    def dimension(self) -> int:
        return len(self.parameters)

    @property
    def has_gradient(self) -> bool:
        return has_gradient(self.simulator)

    @property
    def is_random(self) -> bool:
        """Whether the model runs by chance: then its likelihood can at best be estimated."""
        return is_random(self.simulator)

    @property
    def can_be_estimated(self) -> bool:
        """Whether `estimate` can be asked."""
        return self._particles is not None

    # -- the density -----------------------------------------------------------------------------

    def value(self, position: Array) -> float:
        """The log density at a position; minus infinity where it is impossible."""
        at = self.beliefs.place(position)
        if at is None or not math.isfinite(at.log_prior):
            return -math.inf
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            outputs = self._run(at.values)
            if outputs is None:
                return -math.inf
            total = at.log_prior
            for each in self.observations:
                total += each.total(outputs, at.values)
        return self._settled(total, at.values, outputs)

    def value_and_gradient(self, position: Array) -> tuple[float, Array]:
        """The log density at a position, and its gradient (parameter,); only where `has_gradient`."""
        if not has_gradient(self.simulator):
            raise TypeError("the simulator has no gradient: ask `has_gradient` first")
        at = self.beliefs.place(position)
        nowhere = np.zeros(self.dimension)
        if at is None or not math.isfinite(at.log_prior):
            return -math.inf, nowhere
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            try:
                outputs, pullback = self.simulator.run_with_pullback(self._given(at.values))
            except ModelworksError as error:
                self.failed_runs.add(error)
                return -math.inf, nowhere
            cotangent, by_value = np.zeros(outputs.shape), np.zeros(at.values.size)
            total = at.log_prior
            for each in self.observations:
                total += each.total_and_slopes(outputs, at.values, cotangent, by_value)
            total = self._settled(total, at.values, outputs)
            if total == -math.inf:
                return total, nowhere
            by_value[self._of_simulator] += pullback(cotangent)
            gradient = self.beliefs.gradient(position, at, by_value)
            # The product is one quick operation, and finite but for gradients that are looked at closely.
            doubtful = not math.isfinite(gradient @ gradient)
        if doubtful and not np.isfinite(gradient).all():
            self._tell_of_gradient(gradient, at.values)
        return total, gradient

    def native(self) -> Callable[..., NativeDensity] | None:
        """The same as machine code in white coordinates, made by what is given; None where it is not to be had."""
        from modelworks.calibration.native import native

        return native(self)

    def places_of(self, parameters: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where parameters of the simulator, by their places among its own, stand among all values."""
        return self._of_simulator[parameters].astype(np.int64)

    def estimate(self, positions: Array, particles: int, seed: int) -> Estimates:
        """The log density at positions (row, coordinate) of a model that runs by chance, each by so many particles.

        The density itself, not its logarithm, is estimated without bias. Only where `can_be_estimated`.
        """
        if self._particles is None:
            raise TypeError("the likelihood can not be estimated: ask `can_be_estimated` first")
        places = [self.beliefs.place(position) for position in positions]
        log_priors = np.array([-np.inf if at is None else at.log_prior for at in places])
        possible = np.flatnonzero(np.isfinite(log_priors))
        found = Estimates.impossible(len(positions), [each.target.observed.size for each in self.observations])
        if possible.size:
            values = np.array([at.values for at in places if at is not None and math.isfinite(at.log_prior)])
            found.put(possible, self._estimated(values, particles, seed))
        with np.errstate(invalid="ignore"):
            return replace(found, log_densities=found.log_densities + log_priors)

    def observation_in_words(self, k: int, target: int) -> str:
        """What was observed by a target at a time of the simulator; only where `can_be_estimated`."""
        assert self._particles is not None
        return self._particles.in_words(k, target)

    def _estimated(self, values: Array, particles: int, seed: int) -> Estimates:
        """The log likelihoods of all values (row, parameter); of rows that fail together, each alone."""
        assert self._particles is not None
        try:
            return self._particles.estimate(np.array([self._given(row) for row in values]), values, particles, seed)
        except ModelworksError as error:
            if error.codes == ("C402",):
                raise
            found = Estimates.impossible(len(values), [each.target.observed.size for each in self.observations])
            if len(values) == 1:
                self.failed_runs.add(error)
            else:
                for k in range(len(values)):
                    found.put(np.array([k]), self._estimated(values[k : k + 1], particles, seed + k))
            return found

    def _given(self, values: Array) -> Array:
        return values if self._as_is else values[self._of_simulator]

    def _run(self, values: Array) -> Array | None:
        """Outputs (time, output), or None where the run left what is possible."""
        try:
            return self.simulator.run(self._given(values))
        except ModelworksError as error:
            self.failed_runs.add(error)
            return None

    # -- data simulated anew ---------------------------------------------------------------------

    @property
    def tolerance(self) -> float | None:
        """The distance to the data that is near enough, where somebody says so."""
        return self.distance.tolerance

    def log_prior(self, positions: Array) -> Array:
        """The log density (row,) of the priors at positions (row, coordinate), with the Jacobian."""
        places = [self.beliefs.place(position) for position in positions]
        return np.array([-np.inf if at is None else at.log_prior for at in places])

    def imitate(
        self,
        positions: Array,
        key: np.random.Generator,
        cores: int,
        predict: Callable[[Array], list[Array] | None] | None = None,
    ) -> Imitations:
        """A run at each of positions (row, coordinate), and summaries of new observations of it.

        `predict` takes the place of the method of that name, for whoever remembers its runs.
        """
        values = self.all_values(self.constrain(positions))
        runs = list(in_order(predict or self.predict, values, cores))
        ran = np.array([each is not None for each in runs])
        good = [each for each in runs if each is not None]
        predicted = tuple(np.full((len(runs), each.target.observed.size), np.nan) for each in self.observations)
        points = sum(each.observed.size for each in self.observations)
        summaries = np.full((len(runs), self.distance.of(np.zeros(points)).size), np.nan)
        if good:
            for target, rows in enumerate(predicted):
                rows[ran] = [each[target] for each in good]
            new = observed_anew(self.observations, [rows[ran] for rows in predicted], values[ran], key)
            summaries[ran] = [self.distance.of(each) for each in new]
        return Imitations(predicted, summaries)

    def distance_of(self, simulated: Array) -> Settled:
        """The distance to what was seen, with scales from what was simulated from the priors (simulation, summary)."""
        check_weights(self.observations)
        seen = self.distance.of(np.concatenate([each.observed for each in self.observations]))
        names = names_of_points(self.observations)
        if self.distance.summaries is not None:
            names = [f"summary {k + 1}" for k in range(seen.size)]
        return self.distance.settled(simulated, seen, names)

    # -- positions and values --------------------------------------------------------------------

    def constrain(self, positions: ArrayLike) -> Array:
        """The free parameters' values (…, free) at positions (…, coordinate)."""
        return self.beliefs.values(positions)

    def unconstrain(self, values: ArrayLike) -> Array:
        """The positions (…, coordinate) of values (…, free); infinite at the ends of a support."""
        return self.beliefs.positions(values)

    def prior_values(self, key: np.random.Generator, number: int) -> Array:
        """Independent draws of the priors, shape (number, free)."""
        return self.beliefs.sample(key, number)[0]

    def prior_positions(self, key: np.random.Generator, number: int) -> Array:
        """Independent draws of the priors as positions, shape (number, coordinate)."""
        return self.beliefs.sample(key, number)[1]

    # -- what is predicted -----------------------------------------------------------------------

    def all_values(self, values: Array) -> Array:
        """Values of the free parameters (…, free) with those of the fixed ones behind them (…, parameter)."""
        return self.beliefs.everything(values)

    def predict(self, values: Array) -> list[Array] | None:
        """Each target's predictions at every point, for all values (parameter,); None where the run fails."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            outputs = self._run(values)
        return None if outputs is None else [each.predict(outputs, values) for each in self.observations]

    def why_impossible(self) -> str:
        """What is wrong at the middle of the priors: a run that fails, or an observation that can not be."""
        values = self.beliefs.centre()
        everything = self.all_values(values)
        try:
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                outputs = self.simulator.run(self._given(everything))
                for each in self.observations:
                    predicted = each.predict(outputs, everything)[each.target.present]
                    likely = each.log_likelihood(predicted, everything)
                    if not np.isfinite(likely).all():
                        point = int(np.argmin(np.isfinite(likely)))
                        return (
                            f"at {self._named(values)} the model predicts {predicted[point]:.6g} for an observation "
                            f"of {each.observed[point]:g} of the target `{each.target.name}`"
                        )
        except ModelworksError as error:
            return error.letters[0].message
        return f"{self._named(values)} is possible, but hardly anything else is"

    # -- what can not be -------------------------------------------------------------------------

    def _settled(self, total: float, values: Array, outputs: Array) -> float:
        """The log density, or minus infinity where the run gave outputs that are not numbers."""
        if not math.isnan(total):
            return total if total < math.inf else -math.inf
        if np.isfinite(outputs).all():
            fail(
                "C402",
                f"the log likelihood is not a number at {self._named(values)}, where every output is",
                hint="an argument of a likelihood may be impossible there; please report it if it is not",
            )
        # A model of one's own need not raise: what it returns says as much.
        self.failed_runs.add(ModelworksError([Letter("C404", "the model gave an output that is not a number")]))
        return -math.inf

    def _tell_of_gradient(self, gradient: Array, values: Array) -> None:
        worst = self.parameters[int(np.argmin(np.isfinite(gradient)))]
        fail(
            "C403",
            f"the gradient by `{worst}` is not a number at {self._named(values)}, where the density is",
            hint="the model's gradient is at fault: look for a root or a power at zero",
        )

    def _named(self, values: Array) -> str:
        return ", ".join(f"{name} = {value:.6g}" for name, value in zip(self.free, values, strict=False))
