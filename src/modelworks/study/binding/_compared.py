"""What of the data is compared with simulated ones, where a sampler asks no likelihood."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modelworks.calibration import Distance
from modelworks.errors import Letters, ModelworksError, fail, near
from modelworks.inputs import StudyInputs
from modelworks.study.binding._model_file import ModelFile
from modelworks.study.binding._observations import Observations

Array = NDArray[np.float64]

# Of the values of one target (point,) and their model times (point,). Roots of counts scatter alike, many or few.
SUMMARIES: Mapping[str, Callable[[Array, Array], ArrayLike]] = {
    "values": lambda values, times: values,
    "roots": lambda values, times: np.sqrt(np.maximum(values, 0.0)),
    "sum": lambda values, times: values.sum(),
    "mean": lambda values, times: values.mean(),
    "sd": lambda values, times: values.std(),
    "max": lambda values, times: values.max(),
    "when_max": lambda values, times: times[int(np.argmax(values))],
}


def distance_of(inputs: StudyInputs, file: ModelFile, observations: Sequence[Observations]) -> Distance | None:
    """How far simulated data lie from those seen, as the study declares it; None where it does not.

    `observations` are those that the calibration sees, in the order of its targets.
    """
    asked = inputs.study.calibration.distance
    if asked is None:
        return None
    seen = [(each, each.included & np.isfinite(each.values)) for each in observations]
    parts = [(each.entry.name, each.ends[points]) for each, points in seen if points.any()]
    if isinstance(asked.summaries, str):
        return Distance(summaries=_by_function(file, asked.summaries, parts), tolerance=asked.tolerance)
    if not asked.summaries:
        return Distance(tolerance=asked.tolerance)
    chosen = [(times, _names(asked.summaries, name)) for name, times in parts]

    def summaries(observed: Array) -> Array:
        ends = np.cumsum([times.size for times, _ in chosen])[:-1]
        found = [
            np.atleast_1d(SUMMARIES[name](values, times))
            for values, (times, names) in zip(np.split(observed, ends), chosen, strict=True)
            for name in names
        ]
        return np.concatenate(found)

    return Distance(summaries=summaries, tolerance=asked.tolerance)


def compared_in_words(inputs: StudyInputs, target: str) -> str:
    """What of a target is compared; empty where a likelihood is asked, or every value is."""
    asked = inputs.study.calibration.distance
    if asked is None or not asked.summaries:
        return ""
    if isinstance(asked.summaries, str):
        return f"compared by the function {asked.summaries}"
    return f"compared by its {' and '.join(_names(asked.summaries, target))}".replace("_", " ")


def _names(summaries: Mapping[str, tuple[str, ...]], target: str) -> tuple[str, ...]:
    """The summaries of a target, or of the one it is a stratum of; every value where none are named."""
    return summaries.get(target) or summaries.get(target.partition("[")[0]) or ("values",)


def _by_function(file: ModelFile, name: str, parts: Sequence[tuple[str, Array]]) -> Callable[[Array], ArrayLike]:
    """The summaries of a function of the team's own, which takes the values of each target by name."""
    function, ends = file.functions[name], np.cumsum([times.size for _, times in parts])[:-1]

    def summaries(observed: Array) -> ArrayLike:
        given = {target: values.copy() for (target, _), values in zip(parts, np.split(observed, ends), strict=True)}
        try:
            return np.asarray(function(given), dtype=np.float64)
        except ModelworksError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a team's function raises is told as a letter
            fail(
                "Y161",
                f"the function `{name}` stopped with {type(error).__name__}: {error}",
                hint="it is given the values of each target by its name, and gives a list of numbers",
                file=file.path.name,
            )

    return summaries


def check_distance(
    inputs: StudyInputs, file: ModelFile, observations: Sequence[Observations], letters: Letters
) -> None:
    """The distance is of the study's targets, or a function that the model's file has."""
    asked = inputs.study.calibration.distance
    if asked is None:
        return
    place: dict[str, Any] = dict(zip(("file", "line"), inputs.study.place("calibration.distance"), strict=True))
    if isinstance(asked.summaries, str):
        if asked.summaries not in file.functions:
            what = f"`{asked.summaries}` is no function of `{file.path.name}` that could say what is compared"
            letters.add("Y162", what, hint=near(asked.summaries, file.functions), **place)
        return
    known = {part for each in observations for part in (each.entry.name, each.entry.name.partition("[")[0])}
    for name in asked.summaries:
        if name not in known and inputs.targets.complete:
            what = f"the summaries are of a target `{name}`, which the study does not have"
            letters.add("Y162", what, hint=near(name, sorted(known)), **place)
