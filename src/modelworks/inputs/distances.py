"""What a study says of samplers that compare simulated data with those seen, or learn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from modelworks.errors import near
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, ScalarNode, shortened

# Those that compare simulated data with the data seen, and what of a series they can compare.
BY_DISTANCE = ("abc", "sbi")
SUMMARIES = ("values", "roots", "sum", "mean", "sd", "max", "when_max")
USUAL_INFERENCE = "regression"


@dataclass(frozen=True, slots=True)
class DistanceEntry:
    """How near simulated data must come to those seen, for samplers that ask no likelihood.

    `summaries` has for each target the names of what is compared; a single name, in their place, is of a function of
    the model's file. Without either every observation is compared; without a `tolerance` as near as is worth the work.
    """

    summaries: Mapping[str, tuple[str, ...]] | str
    tolerance: float | None


def read_distance(owner: Fields, sampler: str | None) -> DistanceEntry | None:
    """What is compared, and how near it must come."""
    if "distance" not in owner:
        return None
    if sampler not in ("auto", *BY_DISTANCE):
        owner.say(
            "Y160",
            f"the study has a `distance`, but {sampler} takes the likelihood and no distance",
            "take one of them out; `abc` and `sbi` compare simulated data with those seen",
            "distance",
        )
    fields = owner.below("distance", ("summaries", "tolerance"), "{tolerance: 0.2}")
    tolerance = fields.number("tolerance")
    if tolerance is not None and tolerance < 0:
        fields.say(
            "Y160",
            f"the tolerance is {tolerance:g}, but no distance is below 0",
            "0 asks for data that are the same; leave it out to come as near as is worth the work",
            "tolerance",
        )
    if "summaries" not in fields or isinstance(fields.node.fields["summaries"], ScalarNode):
        return DistanceEntry(fields.text("summaries") or {}, tolerance)
    node = fields.mapping("summaries", "{cases: [sum, max]}") or MappingNode({}, {}, fields.place("summaries"))
    below = Fields(node, fields.letters, "the summaries")
    return DistanceEntry(MappingProxyType({name: _summaries(below, name) for name in node.fields}), tolerance)


def _summaries(fields: Fields, target: str) -> tuple[str, ...]:
    """What is compared of one target."""
    found = fields.texts(target) if fields.need(target, "[sum, max]") else ()
    for name in found:
        if name not in SUMMARIES:
            fields.say(
                "Y160",
                f"`{shortened(name)}` is no summary of the target `{target}`",
                f"{near(name, SUMMARIES)}; or write `summaries:` with the name of a function of the model's file",
                target,
            )
    return found


def read_inference(fields: Fields, sampler: str | None) -> str:
    """The method that learns from simulations."""
    if "inference" in fields and sampler != "sbi":
        fields.say(
            "Y160",
            f"the study names an `inference`, but {sampler} does not learn from simulations",
            "write `sampler: sbi`, or leave it out",
            "inference",
        )
    return fields.text("inference") or USUAL_INFERENCE
