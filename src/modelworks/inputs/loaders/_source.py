"""A publisher's file while it is being read: columns by any of their names, rows of one place, mistakes as letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelworks.errors import Letters, fail, near
from modelworks.inputs._cells import MISSING, Cells, read_cells
from modelworks.inputs._nodes import shortened
from modelworks.inputs._raw import raw_bytes
from modelworks.inputs._written import ISO, PLAIN, day_of, hint_about_days, hint_about_numbers, number_of, why_no_day

Array = NDArray[np.float64]
# So many rows are named in a letter.
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Source:
    """Some rows of a file. What is wrong with them gathers in `letters` until `done`."""

    cells: Cells
    letters: Letters = field(default_factory=Letters)

    @classmethod
    def read(cls, path: Path, *, sheet: str = "", header: int = 1) -> Source:
        """All rows of a file (CSV, `.tsv`, `.xlsx`, `.parquet`)."""
        name = "/".join(("data", *path.parts[path.parts.index("data") + 1 :])) if "data" in path.parts else path.name
        return cls(read_cells(raw_bytes(path, path.parent), name, sheet=sheet, header=header))

    def __len__(self) -> int:
        return len(self.cells.rows)

    def has(self, *names: str) -> bool:
        return any(name in self.cells.header for name in names)

    def name(self, *names: str) -> str:
        """The first of these names that is one of a column; a letter where none is (D105)."""
        for each in names:
            if each in self.cells.header:
                return each
        wanted = " or ".join(f"`{each}`" for each in names)
        message = f"`{self.cells.file}` has no column {wanted}"
        fail("D105", message, hint=near(names[0], self.cells.header), file=self.cells.file)

    def texts(self, *names: str) -> list[str]:
        return self.cells.column(self.name(*names))

    def where(self, *names: str, equals: str) -> Source:
        """The rows with that value in a column; a letter with near ones where there are none (D160)."""
        column = self.name(*names)
        texts = self.cells.column(column)
        found = self.only([text == equals for text in texts])
        if not len(found):
            message = f"`{self.cells.file}` has no row whose `{column}` is `{equals}`"
            fail("D160", message, hint=near(equals, dict.fromkeys(texts)), file=self.cells.file)
        return found

    def only(self, kept: Sequence[bool]) -> Source:
        """The rows that are marked, with their lines."""
        rows = [k for k, keep in enumerate(kept) if keep]
        some = Cells(
            self.cells.file,
            self.cells.header,
            [self.cells.rows[k] for k in rows],
            [self.cells.lines[k] for k in rows],
            self.cells.letters,
        )
        return Source(some, self.letters)

    def numbers(self, *names: str, written: str = PLAIN, least: float = -np.inf, missing: bool = True) -> Array:
        """A column's numbers, none below `least`; NaN where nothing is known, if any may be `missing`."""
        column = self.name(*names)
        texts = self.cells.column(column)
        values = np.array([np.nan if (value := number_of(text, written)) is None else value for text in texts])
        wrong = [k for k, text in enumerate(texts) if np.isnan(values[k]) and text not in MISSING]
        hint = hint_about_numbers([texts[k] for k in wrong], 'written="thousands"')
        self.say("D106", column, wrong, lambda k: f"is no number: `{shortened(texts[k])}`", hint)
        low = np.flatnonzero(values < least).tolist()
        hint = "a correction of earlier days? ask the publisher which, and correct those in the function"
        self.say("D164", column, low, lambda k: f"is {values[k]:,.10g}, below {least:g}", hint)
        if not missing:
            self._filled(column, texts)
        return values

    def days(self, *names: str, layout: str = ISO, missing: bool = True) -> list[date | None]:
        """A column's days; None where there is none, if any may be `missing`."""
        column = self.name(*names)
        texts = self.cells.column(column)
        known = {text: None if text in MISSING else day_of(text, layout) for text in dict.fromkeys(texts)}
        wrong = [k for k, text in enumerate(texts) if known[text] is None and text not in MISSING]
        hint = hint_about_days([text for text in known if text not in MISSING], layout, 'layout="{}"') if wrong else ""
        self.say("D108", column, wrong, lambda k: why_no_day(texts[k], layout), hint)
        if not missing:
            self._filled(column, texts)
        return [known[text] for text in texts]

    def _filled(self, column: str, texts: Sequence[str]) -> None:
        empty = [k for k, text in enumerate(texts) if text in MISSING]
        self.say(
            "D116",
            column,
            empty,
            lambda k: "is empty",
            "nothing is not zero: ask what it is, and say it in the function",
        )

    def once(self, keys: Mapping[str, Sequence[object]]) -> None:
        """No two rows are about the same (D161)."""
        seen: dict[tuple[object, ...], int] = {}
        twice = [k for k, key in enumerate(zip(*keys.values(), strict=True)) if seen.setdefault(key, k) != k]
        if twice:
            key = ", ".join(str(values[twice[0]]) for values in keys.values())
            message = f"{len(twice):,} rows repeat another one's {' and '.join(keys)}, the first {key}"
            hint = "rows that are the same twice count twice: ask the publisher which holds, and drop the other"
            self.tell("D161", message, hint, twice[0])

    def say(self, code: str, column: str, rows: Sequence[int], problem: Callable[[int], str], hint: str) -> None:
        """One letter for all cells of a column that are wrong in the same way, at the first."""
        if rows:
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            where = self.cells.cell(column, rows[0])
            self.tell(code, f"a cell of `{column}`{where} {problem(rows[0])}{more}", hint, rows[0])

    def tell(self, code: str, message: str, hint: str, row: int) -> None:
        self.letters.add(code, message, hint=hint, file=self.cells.file, line=self.cells.lines[row])

    def done(self) -> None:
        """Raise all that was found."""
        self.letters.raise_if_any()
