"""Names, numbers, lists and tables as LaTeX prints them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def bracket(index: str, strata: Iterable[str]) -> str:
    """A factor that is one where an index is among some strata, and zero elsewhere."""
    names = [text(each) for each in strata]
    condition = f"{index} = {names[0]}" if len(names) == 1 else rf"{index} \in \{{{', '.join(names)}\}}"
    return rf"\left[{condition}\right] \, "


def indices(letters: Sequence[str]) -> str:
    """Indices below a symbol; nothing where there are none."""
    return f"_{{{','.join(letters)}}}" if letters else ""


def number(value: float) -> str:
    """A number to ten digits, its power of ten written out."""
    if math.isclose(value, 2 * math.pi, rel_tol=1e-14):
        return r"2 \, \pi"
    digits, _, power = f"{value:.10g}".partition("e")
    return rf"{digits} \times 10^{{{int(power)}}}" if power else digits


def plain(name: str) -> str:
    """A name as words, on one line."""
    return " ".join(name.replace("_", " ").split())


def words(given: str) -> str:
    """Any text as LaTeX prints it."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, "\\" + c if c in "%&#${}" else c) for c in plain(given))


def text(name: str) -> str:
    """A name upright within mathematics."""
    return rf"\text{{{words(name)}}}"


def few(names: Sequence[str]) -> str:
    """A list, its middle left out where it is long."""
    shown = names if len(names) <= 8 else [*names[:2], "…", names[-1]]
    return ", ".join(words(each) for each in shown).replace("…", r"\dots{}")


def aligned(lines: Sequence[tuple[str, str]]) -> str:
    """Equations below one another, at their equals signs."""
    body = " \\\\\n".join(f"  {left} &= {right}" for left, right in lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def tabular(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head."""
    body = "\n".join(f"  {' & '.join(row)} \\\\" for row in rows)
    return (
        f"\\begin{{tabular}}{{{'l' * len(head)}}}\n  \\toprule\n  {' & '.join(head)} \\\\\n  \\midrule\n"
        f"{body}\n  \\bottomrule\n\\end{{tabular}}"
    )
