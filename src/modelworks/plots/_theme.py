"""One look for every figure: colours that stay apart for colour-blind readers, type that can be read."""

from __future__ import annotations

from typing import Any

# The palette of Okabe and Ito (jfly.uni-koeln.de/color), without yellow, which is too pale on white; told apart with
# every common colour blindness, and roughly in order of darkness for a print in grey.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
SKY, ORANGE, BLACK = "#56B4E9", "#E69F00", "#333333"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE, BLACK)

INK, FAINT_INK, RULE, GREY, PAPER = "#222222", "#555555", "#E4E4E4", "#8A8A8A", "#FFFFFF"

# Fonts that are already on the reader's machine; nothing is fetched.
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

TYPE_SIZE = 12
PANEL_WIDTH, PANEL_HEIGHT = 310, 200
WIDE_WIDTH, WIDE_HEIGHT = 660, 300


def colour(index: int) -> str:
    """The colour of the n-th chain or scenario; beyond seven they come round again."""
    return COLOURS[index % len(COLOURS)]


def theme() -> dict[str, Any]:
    """The Vega-Lite config that every figure carries, so that its JSON alone is the figure."""
    return {
        "background": PAPER,
        "font": FONT,
        "padding": 8,
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "frame": "group",
            "fontSize": 13,
            "fontWeight": 600,
            "color": INK,
            "offset": 14,
            "subtitleFontSize": TYPE_SIZE,
            "subtitleColor": FAINT_INK,
            "subtitlePadding": 4,
        },
        "axis": {
            "labelFontSize": TYPE_SIZE,
            "titleFontSize": TYPE_SIZE,
            "titleFontWeight": "normal",
            "labelColor": FAINT_INK,
            "titleColor": FAINT_INK,
            "gridColor": RULE,
            "domainColor": GREY,
            "tickColor": GREY,
            "labelFlush": False,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
        },
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
        "legend": {
            "orient": "top",
            "labelFontSize": TYPE_SIZE,
            "titleFontSize": TYPE_SIZE,
            "titleFontWeight": "normal",
            "labelColor": INK,
            "titleColor": FAINT_INK,
            "labelLimit": 260,
            "symbolOpacity": 1,
            "symbolSize": 110,
            "symbolStrokeWidth": 2.5,
        },
        "concat": {"spacing": 24},
        "range": {"category": list(COLOURS)},
    }
