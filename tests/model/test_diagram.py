"""The picture of a model: well formed, complete, and safe to put on a page."""

from __future__ import annotations

import itertools
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from modelworks.model import Entry, Exit, Infection, Model, Move, Stratification, Transition, diagram, people
from modelworks.model.library.seir import seir

SVG = "{http://www.w3.org/2000/svg}"


def texts(model: Model) -> list[str]:
    """What the picture says, in order; reading it fails where it is not well formed."""
    return [each.text or "" for each in ElementTree.fromstring(diagram(model)).iter(f"{SVG}text")]


def test_every_animal_can_be_drawn(animal: Any) -> None:
    """Each compartment has a box, and each flow its name."""
    root = ElementTree.fromstring(diagram(animal.model))
    said = " ".join(texts(animal.model))
    for compartment in animal.model.compartments:
        assert compartment in said
    for flow in animal.model.flows:
        assert flow.name in said
    for stratification in animal.model.stratifications:
        assert f"{stratification.name}: {len(stratification.strata)} strata" in said
    assert root.get("role") == "img"


def test_names_are_escaped() -> None:
    """A compartment called like a tag is a word in the picture, not a tag in the page."""
    wicked = '<script>alert("x")</script> & co'
    model = Model(
        wicked,
        [wicked, "b"],
        [
            Transition(f"to {wicked}", wicked, "b", 0.1),
            Entry(wicked, wicked, 1.0),
            Exit(f"out {wicked}", wicked, 1.0),
            Move(f"move {wicked}", wicked, "<i>", "&amp;", 1.0),
        ],
        {wicked: 1.0},
        {"b": people("b")},
        [Stratification(wicked, ["<i>", "&amp;"], split="<i>")],
    )
    assert not model.check()
    picture = diagram(model)
    assert "<script" not in picture
    assert "<i>" not in picture
    assert wicked in texts(model)
    assert ElementTree.fromstring(picture).get("aria-label") == f"Diagram of the model {wicked}"


def test_infection_is_told_apart_from_other_flows() -> None:
    """One red arrow in a SEIR, two dark ones."""
    picture = diagram(seir())
    assert len(re.findall(r'marker-end="url\(#red\)"', picture)) == 1
    assert len(re.findall(r'marker-end="url\(#ink\)"', picture)) == 2


@pytest.mark.parametrize("number", [1, 2, 12])
def test_nothing_lies_outside_the_picture(number: int) -> None:
    """Loops back, jumps ahead, and compartments without any flow between them."""
    names = [f"compartment {k}" for k in range(number)]
    flows: list[Any] = [Transition(f"on {k}", a, b, 1.0) for k, (a, b) in enumerate(itertools.pairwise(names))]
    if number > 2:
        flows += [Transition("back", names[-1], names[0], 1.0), Transition("ahead", names[0], names[-1], 1.0)]
        flows += [Infection("again", names[-1], names[1], 1.0, names[2])]
    model = Model("long", names, flows, {names[0]: 1.0}, {"all": people()})
    root = ElementTree.fromstring(diagram(model))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for box in root.iter(f"{SVG}rect"):
        assert float(box.get("x", 0)) + float(box.get("width", 0)) <= width
        assert float(box.get("y", 0)) + float(box.get("height", 0)) <= height
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.get("x", 0)) <= width
        assert 0 <= float(text.get("y", 0)) <= height
