"""What can be seen of a file before anybody has said what it is: where its table begins, and what each column holds."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelworks.errors import Letters, ModelworksError
from modelworks.inputs._cells import MISSING, USUAL_FORM, Cells, TextForm, read_cells
from modelworks.inputs._nodes import shortened
from modelworks.inputs._written import (
    DECIMAL_COMMA,
    ISO,
    PLAIN,
    THOUSANDS,
    doubtful,
    hint_about_days,
    hint_about_doubt,
    layouts_of,
    number_of,
    two_numbers,
)
from modelworks.inputs.parameters import largest_share

# Titles above a table are seldom longer.
HEADER_WITHIN = 20
# A column of which so many cells are numbers, or days, was meant to be one.
MOSTLY = 0.5
# What three digits may be behind a sign, as in 1.204 and 1,204, and how numbers are then written.
BEHIND_A_SIGN = ("decimals", "thousands")
_OF_TWO = {
    ".": dict(zip(BEHIND_A_SIGN, (PLAIN, DECIMAL_COMMA), strict=True)),
    ",": dict(zip(BEHIND_A_SIGN, (DECIMAL_COMMA, THOUSANDS), strict=True)),
}
# What a name of a column says of its unit, the first that fits.
_UNITS = (
    (r"percent|pct|%", "percent"),
    (r"per_?100_?000|per_?100k|_100k", "per 100,000 people"),
    (r"(^|[_ ])age($|[_ ])|years", "years"),
    (r"share|fraction|proportion|coverage|probability", "proportion"),
    (
        r"case|death|people|population|admission|notif|test|dose|hosp|icu|infect(?!or)|recover|birth|number|count",
        "people",
    ),
)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column seems to be. `example` are its first values."""

    name: str
    unit: str
    meaning: str
    written: str = ""
    at_least_zero: bool = False
    example: str = ""

    @property
    def entry(self) -> str:
        """The column as the catalogue has it."""
        said = [f"unit: {quoted(self.unit)}", f"meaning: {quoted(self.meaning)}"]
        said += ["lower: 0"] if self.at_least_zero and self.unit not in ("date", "text") else []
        said += [f"written: {self.written}"] if self.unit != "text" and self.written not in ("", ISO) else []
        return f"{{{', '.join(said)}}}"


def quoted(text: str) -> str:
    """A text as YAML reads it back, in quotation marks where it could be anything else.

    >>> quoted("Ministry of Health"), quoted("no: 5"), quoted("1e3")
    ('Ministry of Health', '"no: 5"', '"1e3"')
    """
    plain = re.fullmatch(r"[A-Za-z/(][\w ./()&+%-]*", text) and text == text.strip()
    return text if plain else json.dumps(text, ensure_ascii=False)


def find_header(found: bytes, file: str, sheet: str, form: TextForm = USUAL_FORM) -> tuple[Cells, int]:
    """The table, from the first line on that can be its header; the first line's letters where none can."""
    first: Cells | ModelworksError | None = None
    for header in range(1, HEADER_WITHIN + 1):
        try:
            cells = read_cells(found, file, sheet=sheet, header=header, form=form)
        except ModelworksError as error:
            first = first or error
            continue
        first = first or cells
        names = [name for name in cells.header if name]
        # A row of the table, below which all happen to be alike, is no header.
        if len(names) > 1 and (header == 1 or not any(map(_is_value, names))):
            return cells, header
    if isinstance(first, Cells):
        return first, 1
    raise first or RuntimeError("a file was neither read nor refused")


def _is_value(text: str) -> bool:
    return number_of(text, THOUSANDS) is not None or bool(layouts_of([text]))


def guess_columns(cells: Cells, days: str, numbers: str, texts: Sequence[str]) -> tuple[Guess, ...]:
    """What each column holds. `days` and `numbers` (one of `BEHIND_A_SIGN`) are how these are written where that can
    not be seen, `texts` are columns of texts.

    Raises
    ------
    ModelworksError
        D106 or D108 for each column that is mostly numbers or days, and not all of it; D108 for days that may be two,
        and D120 for numbers that may be.
    """
    letters = Letters()
    columns = []
    for name in filter(None, cells.header):
        known = {k: text for k, text in enumerate(cells.column(name)) if text not in MISSING}
        guess = _text(name, known)
        if name not in texts and not re.search(r"(^|[_ ])(id|code)$", name.lower()):
            guess = _day(cells, name, known, days, letters) or _number(cells, name, known, numbers, letters) or guess
        columns.append(guess)
    letters.raise_if_any()
    return tuple(columns)


def _text(name: str, known: dict[int, str]) -> Guess:
    example = textwrap.shorten(", ".join(dict.fromkeys(list(known.values())[:50])), 40, placeholder=" …")
    return Guess(name, "text", re.sub(r"[_\s]+", " ", name).strip() or name, example=example)


def _day(cells: Cells, name: str, known: dict[int, str], days: str, letters: Letters) -> Guess | None:
    different = list(dict.fromkeys(known.values()))
    if all(number_of(text) is not None for text in different) and not re.search("year|date", name.lower()):
        return None
    layouts = layouts_of(different)
    text = _text(name, known)
    if not layouts:
        _doubt(cells, name, known, lambda each: bool(layouts_of([each])), ("D108", "date"), letters)
        return None
    written = next((each for each in (ISO, days) if each in layouts), layouts[0])
    if len(layouts) > 1 and written not in (ISO, days):
        hint = f"ask who wrote the file, then add --days {' or --days '.join(layouts)}"
        message = f"`{name}` has days such as `{different[0]}`, which may be two days"
        letters.add("D108", message, hint=hint, file=cells.file)
    return Guess(name, "date", text.meaning, written, example=text.example)


def _number(cells: Cells, name: str, known: dict[int, str], numbers: str, letters: Letters) -> Guess | None:
    text = _text(name, known)
    unit = next((unit for form, unit in _UNITS if re.search(form, name.lower())), "dimensionless")
    for written in (PLAIN, THOUSANDS, DECIMAL_COMMA):
        values = [value for each in known.values() if (value := number_of(each, written)) is not None]
        if values and len(values) == len(known):
            # In a workbook numbers are numbers, and nobody wrote a point.
            doubt = _doubtful(list(known.values()), written, unit) if cells.is_text else None
            if doubt is not None:
                written = _decided(cells, name, doubt, numbers, letters) or written
            elif written == PLAIN:
                written = ""
            return Guess(name, unit, text.meaning, written, min(values) >= 0, text.example)
    if re.search("age|band|group", name.lower()):
        # 0, 1, 2, … and 100+.
        return None
    _doubt(cells, name, known, lambda each: number_of(each, THOUSANDS) is not None, ("D106", "number"), letters)
    return None


def _doubtful(texts: Sequence[str], written: str, unit: str) -> str | None:
    """A number of a column that may be another one as well."""
    if written == PLAIN:
        return doubtful(texts, largest_share(unit))
    if written == THOUSANDS and all(number_of(each, DECIMAL_COMMA) is not None for each in texts):
        return next(each for each in texts if "," in each)
    return None


def _decided(cells: Cells, name: str, doubt: str, numbers: str, letters: Letters) -> str | None:
    """How such a column is written, by what was said or by other cells of the file; a letter where nothing tells."""
    sign, shown = "." if "." in doubt else ",", cells.decimal_sign
    if not (numbers or shown):
        hint = hint_about_doubt("--numbers {}", *BEHIND_A_SIGN)
        letters.add("D120", f"a cell of `{name}` {two_numbers(doubt)}", hint=hint, file=cells.file)
        return None
    return _OF_TWO[sign][numbers or BEHIND_A_SIGN[sign != shown]]


def _doubt(
    cells: Cells,
    name: str,
    known: dict[int, str],
    fits: Callable[[str], bool],
    what: tuple[str, str],
    letters: Letters,
) -> None:
    """A letter for a column of which most cells are of a kind, and some are not."""
    others = [k for k, text in known.items() if not fits(text)]
    if len(others) > MOSTLY * len(known) or not known:
        return
    # Days that each can be read, but not in one way, are all fine by themselves.
    row = others[0] if others else next(iter(known))
    code, kind = what
    message = f"a cell of `{name}`{cells.cell(name, row)} is no {kind} like the others: `{shortened(known[row])}`"
    hint = f"mend it by a function under data/prepare/ that reads the raw file; or add --text '{name}' if all are texts"
    if code == "D108" and not others:
        message = f"`{name}` mixes several ways of writing a day, as in `{known[row]}`"
        hint = hint_about_days(list(known.values()), ISO, "--days {}")
    letters.add(code, message, hint=hint, file=cells.file, line=cells.lines[row])
