"""A figure is a Vega-Lite spec with a name and a caption; the page, the paper and the test share it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from modelworks.plots._theme import WIDE_HEIGHT, WIDE_WIDTH, theme

Spec: TypeAlias = dict[str, Any]

# The name of the grammar; nothing is fetched from there.
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

# The scale of a picture for a paper: 144 dots to the inch.
PAPER_SCALE = 2.0

# What a spec carries (`usermeta`, which Vega-Lite leaves alone) whose panels may not be laid out one by one.
TOGETHER: Spec = {"modelworks": {"panels": "together"}}


@dataclass(frozen=True)
class Figure:
    """A finished figure.

    `spec` is complete Vega-Lite, with its data and its look. A figure of a single panel is as wide as its
    container; one of several has fixed widths, and `panels` gives them one by one, each as wide as its
    container, for a page that lays them out itself (as a grid that becomes one column on a phone).
    """

    name: str
    title: str
    caption: str
    spec: Spec
    # Those already made, by scale.
    pictures: dict[float, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def panels(self) -> tuple[Spec, ...]:
        """The specs to lay out side by side; the spec alone where the figure must stay whole."""
        return tuple(split_panels(self.spec))

    def json(self) -> str:
        """The spec as compact JSON."""
        return json.dumps(self.spec, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def png(self, scale: float = PAPER_SCALE) -> bytes:
        """A picture at fixed size, for a paper."""
        import vl_convert

        if scale not in self.pictures:
            self.pictures[scale] = vl_convert.svg_to_png(self.svg, scale=scale)
        return self.pictures[scale]

    @cached_property
    def svg(self) -> str:
        """A drawing at fixed size; every picture is made of it."""
        import vl_convert

        drawing: str = vl_convert.vegalite_to_svg(self.fixed(), allowed_base_urls=[])
        return drawing

    def fixed(self) -> Spec:
        """The spec with a width in place of that of a container, which a picture does not have."""
        if self.spec.get("width") != "container":
            return self.spec
        return {**self.spec, "width": WIDE_WIDTH, "autosize": "pad"}


def whole(spec: Spec, caption: str) -> Spec:
    """A spec that stands alone: the grammar, the look, and the caption for those who do not see it."""
    return {"$schema": SCHEMA, "description": caption, "config": theme(), **spec}


def single(view: Spec, *, height: int = WIDE_HEIGHT) -> Spec:
    """One panel, as wide as what holds it."""
    fit = {"type": "fit-x", "contains": "padding"}
    return {"height": height, **view, "width": "container", "autosize": fit}


def split_panels(spec: Spec) -> Iterator[Spec]:
    """Each view of a `concat` as a spec of its own, but for a grid whose cells mean nothing apart."""
    if "concat" not in spec or spec.get("usermeta") == TOGETHER:
        yield spec
        return
    shared = {key: value for key, value in spec.items() if key not in ("concat", "columns", "resolve")}
    for view in spec["concat"]:
        yield {**shared, **single(view)}
