"""A picture of a model drawn from its declaration: compartments, flows, and how people differ."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from modelworks.model._declaration import Entry, Exit, Flow, Infection, Move, Pulse, Transition, changes_in_words
from modelworks.model._model import Model

WIDTH, HEIGHT = 150, 46
GAP_X, GAP_Y = 110, 74
MARGIN = 40
INK, PALE, RED, BLUE = "#1f2933", "#f5f7fa", "#b42318", "#175cd3"

_STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2933}"
    ".name{font-size:14px;font-weight:600;text-anchor:middle}"
    ".flow{font-size:12px;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}"
    ".note{font-size:13px}"
    "path{fill:none;stroke-width:1.6}"
)


@dataclass(frozen=True, slots=True)
class _Arrow:
    source: str
    destination: str
    label: str
    infects: bool


def diagram(model: Model) -> str:
    """The model as an SVG picture; infection is red, and everything else is named beside its arrow."""
    places = _places(model)
    columns = max((x for x, _ in places.values()), default=0) + 1
    rows = max((y for _, y in places.values()), default=0) + 1
    notes = _notes(model)
    width = max(2 * MARGIN + columns * WIDTH + (columns - 1) * GAP_X, 620)
    top = MARGIN + 30
    # Room for the arrows that return below the boxes: the further, the deeper they hang.
    below = top + rows * HEIGHT + (rows - 1) * GAP_Y + 50 + 9 * columns
    height = below + 22 * len(notes) + 12
    body = [_arrow(arrow, places, top) for arrow in _arrows(model)]
    body += [_border(flow, places, top) for flow in _flows(model) if isinstance(flow, Entry)]
    body += [_box(name, *_corner(place, top), model.pool_of(name) is not None) for name, place in places.items()]
    body += [
        f'<text class="note" x="{MARGIN}" y="{below + 22 * k + 10}">{escape(note)}</text>'
        for k, note in enumerate(notes)
    ]
    title = f"Diagram of the model {model.name}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title, quote=True)}"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<defs>{_head('ink', INK)}{_head('red', RED)}{_head('blue', BLUE)}</defs>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(body)}</svg>'
    )


def _flows(model: Model) -> list[Flow]:
    """The flows, and what pulses move as flows."""
    return [flow.flow if isinstance(flow, Pulse) else flow for flow in model.flows]


def _places(model: Model) -> dict[str, tuple[int, int]]:
    """A column and a row for each compartment: one column further than what leads to it first."""
    arrows = _arrows(model)
    depth: dict[str, int] = {}
    arrived = {arrow.destination for arrow in arrows}
    waiting = [name for name in model.all_compartments if name not in arrived] or list(model.all_compartments[:1])
    depth.update(dict.fromkeys(waiting, 0))
    while len(depth) < len(model.all_compartments):
        ahead = [a.destination for a in arrows if a.source in depth and a.destination not in depth]
        if not ahead:
            ahead = [next(name for name in model.all_compartments if name not in depth)]
        layer = max(depth.values()) + 1
        depth.update(dict.fromkeys(ahead, layer))
    taken: dict[int, int] = {}
    places = {}
    for name in model.all_compartments:
        column = depth[name]
        places[name] = (column, taken.get(column, 0))
        taken[column] = taken.get(column, 0) + 1
    return places


def _arrows(model: Model) -> list[_Arrow]:
    """One arrow a pair of compartments, with the names of all its flows."""
    found: dict[tuple[str, str], list[str]] = {}
    infects: set[tuple[str, str]] = set()
    for flow in _flows(model):
        if isinstance(flow, (Transition, Infection)):
            pair = (flow.source, flow.destination)
            stages = f" ({flow.stages} stages)" if isinstance(flow, Transition) and flow.stages > 1 else ""
            found.setdefault(pair, []).append(flow.name.replace("_", " ") + stages)
            if isinstance(flow, Infection):
                infects.add(pair)
    return [_Arrow(a, b, ", ".join(names), (a, b) in infects) for (a, b), names in found.items()]


def _corner(place: tuple[int, int], top: int) -> tuple[int, int]:
    return MARGIN + place[0] * (WIDTH + GAP_X), top + place[1] * (HEIGHT + GAP_Y)


def _box(name: str, x: int, y: int, is_pool: bool) -> str:
    """A compartment; what is not people has a dashed border."""
    label = escape(name.replace("_", " "))
    dashed = ' stroke-dasharray="6 4"' if is_pool else ""
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{PALE}" stroke="{INK}"{dashed}/>'
        f'<text class="name" x="{x + WIDTH / 2}" y="{y + HEIGHT / 2 + 5}">{label}</text>'
    )


def _arrow(arrow: _Arrow, places: dict[str, tuple[int, int]], top: int) -> str:
    (ax, ay), (bx, by) = (_corner(places[name], top) for name in (arrow.source, arrow.destination))
    columns = places[arrow.destination][0] - places[arrow.source][0]
    middle = HEIGHT / 2
    x1: float
    y1: float
    x2: float
    y2: float
    tx: float
    ty: float
    bend: float
    if columns == 1:
        x1, y1, x2, y2 = ax + WIDTH, ay + middle, bx - 4, by + middle
        path = f"M{x1} {y1}C{x1 + GAP_X / 2} {y1} {x2 - GAP_X / 2} {y2} {x2} {y2}"
        tx, ty = (x1 + x2) / 2, (y1 + y2) / 2 - 7
    elif columns == 0:
        down = by > ay
        x1, y1 = ax + WIDTH * 0.65, ay + (HEIGHT if down else 0)
        x2, y2 = bx + WIDTH * 0.65, by - 4 if down else by + HEIGHT + 4
        if not down:
            x1 = x2 = ax + WIDTH * 0.35
        path = f"M{x1} {y1}L{x2} {y2}"
        tx, ty = x1, (y1 + y2) / 2 + (4 if down else -8)
    else:
        # Over or under what lies between: forward jumps above, returns below.
        above = columns > 0
        x1, x2 = ax + WIDTH * 0.6, bx + WIDTH * 0.4
        y1, y2 = (ay, by - 4) if above else (ay + HEIGHT, by + HEIGHT + 4)
        reach = 30 + 12 * abs(columns)
        bend = min(ay, by) - reach if above else max(ay, by) + HEIGHT + reach
        path = f"M{x1} {y1}C{x1} {bend} {x2} {bend} {x2} {y2}"
        tx, ty = (x1 + x2) / 2, bend + (reach * 0.25 + 2 if above else -reach * 0.25 + 4)
    colour, head = (RED, "red") if arrow.infects else (INK, "ink")
    return (
        f'<path d="{path}" stroke="{colour}" marker-end="url(#{head})"/>'
        f'<text class="flow" x="{tx}" y="{ty}" style="fill:{colour}">{escape(arrow.label)}</text>'
    )


def _border(flow: Entry, places: dict[str, tuple[int, int]], top: int) -> str:
    """People coming in, from above the box."""
    x, y = _corner(places[flow.destination], top)
    x += WIDTH // 4
    return (
        f'<path d="M{x} {y - 34}L{x} {y - 4}" stroke="{BLUE}" marker-end="url(#blue)"/>'
        f'<text class="flow" x="{x}" y="{y - 40}" style="fill:{BLUE}">{escape(flow.name.replace("_", " "))}</text>'
    )


def _notes(model: Model) -> list[str]:
    """What the picture has no room for, in words."""
    notes = []
    for stratification in model.stratifications:
        names = ", ".join(stratification.strata)
        whom = "everybody" if stratification.compartments is None else ", ".join(stratification.compartments)
        moving = " (people age)" if stratification.widths is not None else ""
        shown = names if len(names) < 80 else f"{stratification.strata[0]} … {stratification.strata[-1]}"
        notes.append(f"{stratification.name}: {len(stratification.strata)} strata, {shown}; splits {whom}{moving}")
    for pool in model.pools:
        notes.append(f"{pool.name.replace('_', ' ')}: not people, counted in {pool.unit}")
    for flow in _flows(model):
        if isinstance(flow, (Transition, Infection)):
            notes += [f"{flow.name.replace('_', ' ')}: {each}" for each in changes_in_words(flow.becoming)]
        elif isinstance(flow, Move):
            notes.append(f"{flow.name.replace('_', ' ')}: {flow.stratification} from {flow.origin} to {flow.target}")
        elif isinstance(flow, Exit):
            named = [flow.source] if isinstance(flow.source, str) else flow.source
            notes.append(f"{flow.name.replace('_', ' ')}: out of {', '.join(named) if named else 'every compartment'}")
    return notes


def _head(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L10 5L0 10z" style="fill:{colour}"/></marker>'
    )
