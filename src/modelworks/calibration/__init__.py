"""Priors times likelihood of a model, and draws from it: what is believed after seeing the data.

    density = LogDensity(priors=..., simulator=..., targets=[Target(...)], fixed=...)
    posterior = calibrate(density, Settings(seed=1978))

Arrays in, arrays out; randomness is a seed. `priors/`, `likelihoods/` and `samplers/` are families with
one member a file; `native/` is the log density of a quick model as machine code.
"""

from __future__ import annotations

from modelworks.calibration._beliefs import Beliefs
from modelworks.calibration._by_chance import ChanceFunction, ChanceModel, RandomSimulator
from modelworks.calibration._calibrate import NO_ANSWER_IN_TIME, calibrate
from modelworks.calibration._distance import Distance
from modelworks.calibration._inference import Inference, Simulations
from modelworks.calibration._log_density import LogDensity
from modelworks.calibration._memory import Memory
from modelworks.calibration._posterior import Posterior
from modelworks.calibration._predictions import Predictions, predictions, rows_predicted
from modelworks.calibration._progress import Progress
from modelworks.calibration._renewal import ReproductionNumbers, reproduction_numbers, serial_interval
from modelworks.calibration._sensitivity import (
    Indices,
    latin_hypercube,
    partial_rank_correlations,
    sobol_indices,
    sobol_rows,
)
from modelworks.calibration._settings import Settings
from modelworks.calibration._simulator import DifferentiableSimulator, Simulator
from modelworks.calibration._target import Target
from modelworks.calibration._uniformity import Uniformity, uniformity
from modelworks.calibration.groups import Group, group
from modelworks.calibration.priors import Prior
from modelworks.calibration.samplers import Enough, warmup_of

__all__ = [
    "NO_ANSWER_IN_TIME",
    "Beliefs",
    "ChanceFunction",
    "ChanceModel",
    "DifferentiableSimulator",
    "Distance",
    "Enough",
    "Group",
    "Indices",
    "Inference",
    "LogDensity",
    "Memory",
    "Posterior",
    "Predictions",
    "Prior",
    "Progress",
    "RandomSimulator",
    "ReproductionNumbers",
    "Settings",
    "Simulations",
    "Simulator",
    "Target",
    "Uniformity",
    "calibrate",
    "group",
    "latin_hypercube",
    "partial_rank_correlations",
    "predictions",
    "reproduction_numbers",
    "rows_predicted",
    "serial_interval",
    "sobol_indices",
    "sobol_rows",
    "uniformity",
    "warmup_of",
]
