"""A model with more in it is the model one would have declared at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelworks.errors import ModelworksError
from modelworks.model import Model, Parameter, Pulse, Transition, events, people, simulate
from modelworks.model._lower import lower
from modelworks.model._written import written_numbers
from modelworks.model.library.sir import sir


def portions(draw: Any, pieces: list[Any], parts: int) -> list[list[Any]]:
    """Pieces in their order, cut into some portions, which may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(pieces)), min_size=parts - 1, max_size=parts - 1)))
    return [pieces[a:b] for a, b in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]


@pytest.mark.slow
@given(data=st.data(), parts=st.integers(1, 4))
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_extending_piece_by_piece_is_declaring_at_once(animal: Any, data: Any, parts: int) -> None:
    """In any portions: the same graph, number for number, and so the same machine code."""
    whole = animal.model
    compartments = portions(data.draw, list(whole.compartments), parts)
    flows = portions(data.draw, list(whole.flows), parts)
    strata = portions(data.draw, list(whole.stratifications), parts)
    initial = portions(data.draw, list(whole.initial.items()), parts)
    outputs = portions(data.draw, list(whole.outputs.items()), parts)
    grown = Model(whole.name, [], [], {}, {}, time=whole.time)
    for k in range(parts):
        grown = grown.extended(
            compartments=compartments[k],
            flows=flows[k],
            stratifications=strata[k],
            initial=dict(initial[k]),
            outputs=dict(outputs[k]),
        )
    assert lower(grown).content() == lower(whole).content()
    assert list(grown.parameters) == list(whole.parameters)
    assert lower(grown).columns == lower(whole).columns


def test_a_piece_gives_way_to_one_in_its_place() -> None:
    first = sir()
    slower = Transition("recovery", "infectious", "recovered", Parameter("other", "per day"), stages=2)
    second = first.extended(flows=[slower], initial={"infectious": 5.0}, replacing=["recovery", "infectious"])
    assert [flow.name for flow in second.flows] == [flow.name for flow in first.flows]
    assert second.flows[1] is slower
    assert list(second.initial) == list(first.initial)
    assert "infectious" in second.compartments


def test_a_piece_gives_way_to_several_of_other_names() -> None:
    ways = [Transition(name, "infectious", "recovered", 0.1) for name in ("soon", "late")]
    found = sir().extended(flows=ways, replacing="recovery")
    assert [flow.name for flow in found.flows] == ["infection", "soon", "late"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"flows": [Transition("recovery", "infectious", "recovered", 0.1)]}, "the flow `recovery` already"),
        ({"outputs": {"prevalence": people()}}, "the output `prevalence` already"),
        ({"compartments": ["infectious"], "replacing": ["infectious"]}, "the compartment `infectious` already"),
        ({"initial": {"infectious": 3.0}}, "the initial number `infectious` already"),
        ({"replacing": "recovry"}, "`recovery`"),
        ({"flows": [Transition("x", "susceptible", "recovered", 0.1)] * 2}, "two of the new flows are named `x`"),
    ],
)
def test_a_clash_is_told(wrong: Any, words: str) -> None:
    with pytest.raises(ModelworksError, match="M132") as told:
        sir().extended(**wrong)
    assert words in str(told.value)


def test_all_clashes_are_told_together() -> None:
    with pytest.raises(ModelworksError) as told:
        sir().extended(outputs={"prevalence": people()}, replacing=["a", "b"])
    assert told.value.codes == ("M132", "M132", "M132")


def test_a_campaign_written_elsewhere_joins_a_model() -> None:
    """And the numbers it holds are told with the others."""
    campaign = Pulse("campaign", [date(2021, 3, 1)], "susceptible", "recovered", share=0.8)
    model = sir().extended(flows=[campaign], outputs={"doses": events("campaign")})
    values = {"contact_rate": 0.5, "recovery_rate": 0.2, "population": 1000.0, "first_cases": 10.0}
    found = simulate(model, values, np.arange(0.0, 70.0), start=date(2021, 2, 1))
    assert np.count_nonzero(found["doses"]) == 1
    assert found["doses"][29] > 0
    written = {each.name: each.value for each in written_numbers(model)}
    assert written["campaign: when"] == "2021-03-01"
    assert written["campaign: share"] == "0.8"
