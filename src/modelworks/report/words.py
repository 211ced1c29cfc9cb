"""How numbers, times and links read on a page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from markupsafe import Markup, escape

from modelworks.diagnostics import Verdict

# The sentence each verdict stands for; never colour alone.
VERDICTS: dict[Verdict | None, tuple[str, str]] = {
    "fine": ("Fine", "these results can be used."),
    "look": ("Look", "an expert must look before these results are used."),
    "stop": ("Stop", "do not use these results."),
    None: ("Not judged", "nobody has yet asked whether these results can be believed."),
}
MARKS: dict[Verdict | None, str] = {"fine": "✓", "look": "!", "stop": "✕", None: "?"}

_LINK = re.compile(
    r"(?P<url>https?://[^\s<>\"]+)|\b(?:doi:\s*)?(?P<doi>10\.\d{4,9}/[^\s<>\"]+)|(?P<date>\b\d{4}-\d\d-\d\d\b)|(?P<joint>_)",
    re.IGNORECASE,
)
# Not from `calendar`, whose names are in the language of the machine.
_MONTHS = "January February March April May June July August September October November December"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LONG = re.compile(r"-?\d{5,}(\.\d+)?")
_TYPED = re.compile(r"`([^`\n]+)`")
_TRAILING = ".,;:)]}'’”"


def headline(verdict: Verdict | None, sentences: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The verdict as a heading, and the sentences that are left to say below it.

    Where the first sentence only says again what the verdict means, perhaps with a count, it becomes the heading.

    >>> headline("stop", ["Do not use these results (2 of 11 checks).", "Chain 3 is stuck."])
    ('Stop: do not use these results (2 of 11 checks).', ('Chain 3 is stuck.',))
    >>> headline("fine", ["The chains agree."])
    ('Fine: these results can be used.', ('The chains agree.',))
    """
    word, meaning = VERDICTS[verdict]
    if sentences and sentences[0].lower().startswith(meaning.rstrip(".")):
        return f"{word}: {sentences[0][0].lower()}{sentences[0][1:]}", tuple(sentences[1:])
    return f"{word}: {meaning}", tuple(sentences)


def number(value: float | None, *, decimals: int | None = None) -> str:
    """A number as a person reads it: three significant digits, or so many decimals.

    >>> number(3.2218), number(0.012345), number(48212.3), number(-0.5), number(None)
    ('3.22', '0.0123', '48,212', '−0.500', '–')
    >>> number(1.5e-7), number(2.5e12), number(53158, decimals=-1), number(9.996)
    ('1.50 × 10⁻⁷', '2.50 × 10¹²', '53,158', '10.0')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if decimals is None and size and not 1e-4 <= size < 1e9:
        return _scientific(value)
    if decimals is None:
        # Of what it is rounded to, which may have a digit more before the point.
        decimals = 0 if not size else 2 - math.floor(math.log10(_meaningful(size)))
    # What rounds to nothing has no sign.
    text = f"{value:,.{max(decimals, 0)}f}"
    return text.replace("-", "−" if re.search("[1-9]", text) else "")


def rounded(value: float) -> str:
    """The same for a sentence: with three meaningful digits, whichever there are before the point.

    >>> rounded(3.2218), rounded(-0.01234), rounded(48212.3), rounded(9.996), rounded(-0.0), rounded(1.0712e-13)
    ('3.22', '−0.0123', '48,200', '10.0', '0', '1.07 × 10⁻¹³')
    """
    return number(_meaningful(value))


def signed(value: float, *, decimals: int | None = None) -> str:
    """A number that says whether it is up or down.

    >>> signed(3.2), signed(-0.5, decimals=1), signed(0.001, decimals=2)
    ('+3.20', '−0.5', '0.00')
    """
    text = number(value, decimals=decimals)
    return f"+{text}" if value > 0 and re.search("[1-9]", text) else text


def _scientific(value: float) -> str:
    mantissa, exponent = f"{value:.2e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa} × 10{raised}".replace("-", "−")


def decimals_for(sd: float) -> int | None:
    """So many decimals that a standard deviation keeps two meaningful digits; None where that would be too many.

    >>> decimals_for(0.0123), decimals_for(250.0), decimals_for(0.0)
    (3, 0, None)
    """
    if not math.isfinite(sd) or sd <= 0:
        return None
    wanted = 1 - math.floor(math.log10(sd))
    return max(wanted, 0) if wanted <= 6 else None


def percent(share: float) -> str:
    """A chance in percent, never rounded to nothing, nor to certainty.

    >>> percent(1.0), percent(0.185), percent(0.0048), percent(6e-6), percent(0.9975), percent(0.99999)
    ('100%', '18%', '0.48%', 'less than 0.1%', '99.8%', 'more than 99.9%')
    """
    if 0 < share < 0.001:
        return "less than 0.1%"
    if 0.999 < share < 1:
        return "more than 99.9%"
    if 0.995 <= share < 1:
        return f"{100 * share:.1f}%"
    return f"{100 * share:.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def interval(median: float | None, low: float | None, high: float | None) -> str:
    """A median with its 95% interval, each to three significant digits: more would not be known.

    One that has no interval may be known as it stands, as of people who were counted.

    >>> interval(3.2218, 2.7, 3.8012), interval(913.4, 798.2, 1023.4), interval(12345, None, None)
    ('3.22 (2.70 to 3.80)', '913 (798 to 1,020)', '12,345')
    """
    if median is None:
        return "–"
    if low is None or high is None:
        return number(median)
    return f"{rounded(median)} ({rounded(low)} to {rounded(high)})"


def _meaningful(value: float) -> float:
    return float(f"{value:.3g}")


def grouped(text: str) -> str:
    """A number as somebody wrote it, with every digit, in groups where it is long; four digits may be a year.

    >>> grouped("1234567.25"), grouped("1850"), grouped("0.12345"), grouped("normal(10000, 5)")
    ('1,234,567.25', '1850', '0.12345', 'normal(10000, 5)')
    """
    return f"{Decimal(text):,f}" if _LONG.fullmatch(text) else text


def told(said: Mapping[str, Any]) -> str:
    """A number of a run: in the run's own words, or else as a median with its interval.

    >>> told({"median": 40.0, "low": 30.0, "high": 55.0}), told({"median": 7.0, "text": "27 January"})
    ('40.0 (30.0 to 55.0)', '27 January')
    """
    return str(said.get("text") or interval(said.get("median"), said.get("low"), said.get("high")))


def change(now: Mapping[str, Any], before: Mapping[str, Any], *, is_chance: bool = False) -> str:
    """How far a median moved, in words, and whether that is beyond what the earlier run thought likely.

    `is_chance` says that it moved by no more than the finite number of draws makes.

    >>> change({"median": 3.3}, {"median": 3.0, "low": 2.5, "high": 3.6})
    'up by 10%'
    >>> change({"median": 1.5}, {"median": 3.0, "low": 2.5, "high": 3.6})
    'down by 50%, outside the earlier interval'
    >>> change({"median": 2.99}, {"median": 3.0}, is_chance=True)
    'down by 0.3%, no more than chance'
    >>> change({"median": 3.0}, {"median": 3.0}), change({}, {"median": 3.0}), change({"median": 3.0}, {})
    ('the same', 'no longer asked', 'new')
    >>> change({"median": 21.0, "unit": "days"}, {"median": 3.0, "unit": "weeks"})
    'in another unit'
    >>> change({"median": 9.5, "text": "2026-03-10"}, {"median": 71.5, "text": "2026-03-12 (2026-03-11 to 2026-03-20)"})
    'earlier by 2 days, outside the earlier interval'
    >>> change({"median": 9.5, "text": "2026-03-10"}, {"median": 71.5, "text": "2026-99-99", "unit": "date"})
    'in another unit'
    """
    if not now or not before:
        return "new" if now else "no longer asked"
    (median, *_), (earlier, low, high) = _three(now), _three(before)
    if median is None or earlier is None:
        return ""
    if _kind(median, now) != _kind(earlier, before):
        return "in another unit"
    if median == earlier:
        return "the same"
    # A probability is one number and has no interval.
    is_outside = low is not None and high is not None and low < high and not low <= median <= high
    told = ", outside the earlier interval" if is_outside else ", no more than chance" if is_chance else ""
    return _distance(median, earlier) + told


def _kind(middle: Any, said: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a number is a day, and otherwise its unit; of an older run a day has none."""
    is_day = isinstance(middle, date)
    return is_day, "" if is_day else str(said.get("unit") or "")


def _three(said: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """The median of a number and its interval; of a day the days, whose numbers depend on when a model begins."""
    text = str(said.get("text") or "")
    try:
        days = [date.fromisoformat(each) for each in _DAY.findall(text)] if _DAY.match(text) else []
    except ValueError:
        # A stage of the team's own may say anything.
        days = []
    if not days:
        return said.get("median"), said.get("low"), said.get("high")
    return days[0], *(days[1:3] if len(days) > 2 else (None, None))


def _distance(median: Any, earlier: Any) -> str:
    if isinstance(median, date):
        return f"{'later' if median > earlier else 'earlier'} by {plural(abs((median - earlier).days), 'day')}"
    direction = "up" if median > earlier else "down"
    if not earlier or (median > 0) != (earlier > 0):
        return f"{direction} by {number(abs(median - earlier))}"
    percent = 100 * abs(median / earlier - 1)
    if percent < 0.1:
        return f"{direction} by less than 0.1%"
    return f"{direction} by {number(percent, decimals=0 if percent >= 9.95 else 1)}%"


def moment(text: str) -> str:
    """A moment in ISO 8601 as one reads it, in UTC; a text that is none stays as it is.

    >>> moment("2026-11-21T05:15:00+00:00"), moment("yesterday")
    ('21 November 2026, 05:15 UTC', 'yesterday')
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    return f"{when.day} {_MONTHS.split()[when.month - 1]} {when.year}, {when:%H:%M} UTC"


def seconds(value: float) -> str:
    """A time taken.

    >>> seconds(0.034), seconds(12.34), seconds(59.97), seconds(75), seconds(7300)
    ('0.03 s', '12.3 s', '1 min 0 s', '1 min 15 s', '2 h 1 min')
    """
    if round(value, 1) < 60:
        return f"{value:.2f} s" if value < 1 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """
    >>> plural(1, "value"), plural(1200, "value")
    ('1 value', '1,200 values')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def linked(text: str) -> Markup:
    """A text for a page: web addresses and DOIs can be followed, dates stay on one line, long names may break.

    >>> print(linked("BMJ <1978>, doi:10.1002/a.1."))
    BMJ &lt;1978&gt;, <a href="https://doi.org/10.1002/a.1" rel="noopener noreferrer">doi:10.1002/a.1</a>.
    >>> print(linked("contact_rate"))
    contact_<wbr>rate
    """
    parts, last = [], 0
    for found in _LINK.finditer(text):
        shown = found[0].rstrip(_TRAILING)
        parts += [escape(text[last : found.start()]), _marked(found, shown)]
        last = found.start() + len(shown)
    return Markup("").join([*parts, escape(text[last:])])


def _marked(found: re.Match[str], shown: str) -> Markup:
    if found["joint"]:
        return Markup("_<wbr>")
    if found["date"]:
        return Markup('<span class="whole">{}</span>').format(shown)
    address = shown if found["url"] else "https://doi.org/" + shown[found.start("doi") - found.start() :]
    return Markup('<a href="{}" rel="noopener noreferrer">{}</a>').format(address, shown)


def anchor(text: str, kind: Literal["section", "figure", "table"]) -> str:
    """An id for a place on the page.

    >>> anchor("Fit to the data", "section")
    'section-fit-to-the-data'
    """
    return f"{kind}-{re.sub(r'[^a-z0-9]+', '-', text.lower()).strip('-')}"


def coded(text: str) -> Markup:
    """A sentence for a page, in which what stands between backticks is set as something that one types.

    >>> print(coded("`a < b` is no name"))
    <code>a &lt; b</code> is no name
    """
    return Markup(_TYPED.sub(r"<code>\1</code>", str(escape(text))))
