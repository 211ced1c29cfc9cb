"""The numbers a study promises: each with a name that its answer can use."""

from __future__ import annotations

import string
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from modelworks import units
from modelworks.errors import Letters, ModelworksError, near
from modelworks.inputs._fields import Fields
from modelworks.inputs._nodes import MappingNode, Place

FIELDS = (
    "title",
    "unit",
    "meaning",
    "derived",
    "parameter",
    "output",
    "scenario",
    "minus",
    "divided_by",
    "above",
    "from",
    "to",
    "statistic",
)
KINDS = ("derived", "parameter", "output")
STATISTICS = ("sum", "max", "mean", "last", "peak_date")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number a draw: a derived quantity of the model, a parameter, or a statistic of an output.

    Exactly one of `derived`, `parameter` and `output` is there. A statistic is over the days from
    `from_` to `to`, both included, in `scenario` (the baseline where None), less the same in `minus`, and divided by
    the same in `divided_by`. With `above` it is the probability that this number lies above a threshold in its unit.
    """

    name: str
    title: str
    unit: str
    derived: str | None
    parameter: str | None
    output: str | None
    scenario: str | None
    minus: str | None
    from_: date | None
    to: date | None
    statistic: str | None
    place: Place
    meaning: str = ""
    divided_by: str | None = None
    above: float | None = None

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios it names, in the order of `scenario`, `minus`, `divided_by`."""
        return tuple(name for name in (self.scenario, self.minus, self.divided_by) if name is not None)

    @property
    def file(self) -> str:
        return self.place.file

    @property
    def line(self) -> int:
        return self.place.line


def read_quantities(owner: Fields) -> dict[str, Quantity]:
    """Every quantity by name."""
    return {name: _quantity(name, group, owner) for name, group in owner.groups("quantities", "quantity")}


def _quantity(name: str, group: MappingNode, owner: Fields) -> Quantity:
    fields = Fields(group, owner.letters, f"the quantity `{name}`", FIELDS)
    if not name.isidentifier():
        fields.say("Y129", f"`{name[:80]}` can not be named in an answer", "use letters, digits and `_`")
    _check_kind(fields)
    start, end = fields.day("from"), fields.day("to")
    if start is not None and end is not None and start > end:
        fields.say("Y125", f"{fields.what} begins on {start}, after its end on {end}", "exchange them", "from")
    return Quantity(
        name=name,
        title=fields.text("title") or name.replace("_", " ").capitalize(),
        unit=_unit(fields),
        derived=fields.text("derived"),
        parameter=fields.text("parameter"),
        output=fields.text("output"),
        scenario=fields.text("scenario"),
        minus=fields.text("minus"),
        from_=start,
        to=end,
        statistic=fields.choice("statistic", STATISTICS),
        place=group.place,
        meaning=fields.text("meaning") or "",
        divided_by=fields.text("divided_by"),
        above=fields.number("above"),
    )


def _check_kind(fields: Fields) -> None:
    """Exactly one kind, with what belongs to it and nothing else."""
    given = [kind for kind in KINDS if kind in fields]
    if len(given) != 1:
        fields.say(
            "Y129",
            f"{fields.what} names {' and '.join(given) or 'nothing'}, but exactly one is wanted of {', '.join(KINDS)}",
            "write as in `derived: basic_reproduction_number`, or `output: deaths` with a `statistic: sum`",
        )
        return
    if given == ["output"]:
        fields.need("statistic", "sum")
        return
    for name in ("scenario", "minus", "divided_by", "from", "to", "statistic"):
        if name in fields:
            hint = "remove it; it belongs to a quantity with an `output`"
            fields.say("Y129", f"{fields.what} has `{name}`, but no `output`", hint, name)


def _unit(fields: Fields) -> str:
    text = fields.text("unit")
    if text is None or text == "date":
        return text or ""
    try:
        units.parse(text)
    except ModelworksError as error:
        for letter in error.letters:
            fields.say(letter.code, f"{fields.what}: {letter.message}", letter.hint, "unit")
    return text


def check_answer(answer: str, known: Collection[str], place: Place, letters: Letters) -> None:
    """Every `{name}` of the answer is a quantity of the study, and nothing else stands in braces."""

    def say(message: str, hint: str) -> None:
        letters.add("Y126", message, hint=hint, file=place.file, line=place.line)

    try:
        pieces = list(string.Formatter().parse(answer))
    except ValueError:
        say(
            "the answer has a brace that is opened and not closed, or the other way round",
            "write a brace twice to show it",
        )
        return
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            say(f"the answer has `{{{name}}}`, but only the name of a quantity stands in braces", near(name, known))
        elif name not in known:
            say(f"the answer names `{{{name}}}`, which is not among the quantities", near(name, known))
