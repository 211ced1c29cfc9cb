"""What somebody assumes otherwise, as it is typed: on the command line as in the form of a new run.

A number that may mean two is asked about and not guessed: `10.000` is ten where decimals have a point, and ten thousand
where thousands have. It is a decimal without doubt below one, near what the file says, and where it could not be the
other.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML

from modelworks.calibration import Prior
from modelworks.errors import Letter, Letters, ModelworksError, fail, near
from modelworks.inputs import ParameterEntry, PriorEntry, StudyInputs, largest_share, looks_like_a_number, with_changes
from modelworks.inputs.priors import FAMILIES, Bounds
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._parameters import bind_parameters
from modelworks.study.binding._questions import check_scenarios
from modelworks.units import as_written

FORMS = "`prior x = normal(2, 0.5)`, `value x = 3`, `target x without`, `data x = dataset`"
_FORM = re.compile(
    r"(?P<kind>prior|value|data) +(?P<name>[^\s=]+) *= *(?P<new>.+)|(?P<target>target) +(?P<left>\S+) +without"
)

# The letter of a number that may be two.
DOUBTFUL = "Y523"
# A number that is one with decimals where they have a point, and one in thousands where these have.
_TWO_NUMBERS = re.compile(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:([.,])\d{3}(?:\1\d{3})+|(?:[ '’_\u00a0\u202f]\d{3})+)", re.ASCII)
# Within this factor of what the file says, a number is taken for what it is: the other is a thousand times as large.
NEAR = 10.0
# Arguments of a prior that are in the unit of the parameter; of a spread on a scale of its own nobody means thousands.
IN_UNITS = frozenset({"mean", "sd", "median", "lower", "upper", "location", "scale"})


@dataclass(frozen=True)
class Change:
    """One thing that is assumed otherwise; `new` is the prior, the value or the dataset, and empty for a target."""

    kind: Literal["prior", "value", "target", "data"]
    name: str
    new: str
    text: str

    @property
    def in_words(self) -> str:
        """As a title says it.

        >>> read_change("value contact_rate = 0.3").in_words, read_change("target deaths without").in_words
        ('contact rate 0.3', 'without deaths')
        """
        name = self.name.replace("_", " ")
        return f"{name} {self.new}" if self.kind != "target" else f"without {name}"


def read_change(text: str) -> Change:
    """A change as it is said.

    >>> read_change("value recovery_rate = 0.4")
    Change(kind='value', name='recovery_rate', new='0.4', text='value recovery_rate = 0.4')
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        fail("Y521", f"`{text}` is no change", hint=f"write it as one of {FORMS}")
    if found["target"]:
        return Change("target", found["left"], "", text.strip())
    kind: Any = found["kind"]
    return Change(kind, found["name"], found["new"].strip(), text.strip())


def changed_prior(change: Change, bounds: Bounds | None = None) -> Prior:
    """What is believed where a prior is changed so, within the parameter's own bounds.

    >>> changed_prior(read_change("prior recovery_rate = log_normal(0.5, 0.2)")).in_words()
    'log-normal with median 0.5 and sigma 0.2'

    Raises
    ------
    ModelworksError
        Y521 where it is no prior that can be read, C102 to C104 where it is one that can not be.
    """
    [(family, arguments)] = _prior(change).items()
    return Prior.of(family, arguments, bounds)


def change_of(entry: ParameterEntry, text: str) -> str:
    """What somebody who types this in the place of a parameter's number assumes: a value where it looks like one."""
    return f"{'value' if looks_like_a_number(text) else 'prior'} {entry.name} = {text}"


def letters_against(study: BoundStudy, text: str) -> tuple[Letter, ...]:
    """What stands against another value or prior of one parameter; nothing where a study with it has no mistake.

    It is judged as the changed study is when it is read from its files, but for those this needs none.
    """
    letters = Letters()
    try:
        change = read_change(text)
        said = as_yaml({change.name: entry_of(change, study.inputs)})
        changed = with_changes(study.inputs, said.encode("utf-8"), letters)
    except ModelworksError as error:
        return error.letters
    check_scenarios(changed, study.model, bind_parameters(changed, study.model, letters), letters)
    # Where it stands is where it was typed.
    return tuple(dict.fromkeys(letter.at(None) for letter in letters))


def entry_of(change: Change, inputs: StudyInputs) -> dict[str, Any]:
    """The entry of a parameter that says the new prior or value, and nothing else.

    Raises
    ------
    ModelworksError
        Y521 where it can not be read, Y522 where there is no such parameter, Y523 where a number may be two.
    """
    check_known(change, inputs.parameters.names, "parameter")
    entry: dict[str, Any] = {"source": f"assumed in a rerun: {change.text}"}
    before = inputs.parameters.entries.get(change.name)
    if change.kind == "prior":
        given = _prior(change, before)
        return {**entry, "prior": given}
    _refuse_doubtful(change.new, change, before)
    value = number_of(change.new)
    if value is None:
        hint = _as_a_number(change.new) or "write it as in `value x = 0.5`"
        fail("Y521", f"`{change.new}` in `{change.text}` is not a number", hint=hint)
    return {**entry, "value": value}


def _prior(change: Change, before: ParameterEntry | None = None) -> dict[str, dict[str, Any]]:
    """A prior as in a file from one as in a paper: arguments by position or by name."""
    found = re.fullmatch(r"(\w+)\((.*)\)", change.new)
    family = found[1] if found else change.new
    if found is None or family not in FAMILIES:
        hint = _as_a_number(change.new) or near(family, FAMILIES)
        fail("Y521", f"`{change.new}` in `{change.text}` is no prior", hint=hint)
    names = FAMILIES[family].arguments
    arguments: dict[str, Any] = {}
    for k, text in enumerate(filter(None, (each.strip() for each in found[2].split(",")))):
        name, _, said = (each.strip() for each in text.rpartition("="))
        value = number_of(said)
        if value is None or (not name and k >= len(names)):
            form = f"write {family}({', '.join(names)})"
            hint = f"{_as_a_number(said)}; {form}" if value is None and _as_a_number(said) else form
            fail("Y521", f"`{text}` in `{change.text}` is no argument of a prior `{family}`", hint=hint)
        if (name or names[k]) in IN_UNITS:
            _refuse_doubtful(said, change, before)
        arguments[name or names[k]] = value
    return {family: arguments}


def number_of(text: str) -> float | None:
    """The finite number that is typed; None where it is none. Python would also read `1_000`.

    >>> number_of("1e-3"), number_of("1_000"), number_of("0,5"), number_of("inf")
    (0.001, None, None, None)
    """
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# -- numbers as on paper -------------------------------------------------------------------------------


def _refuse_doubtful(text: str, change: Change, before: ParameterEntry | None) -> None:
    """Ask which number is meant, where it may be two and the file does not decide it; Y523."""
    if not _TWO_NUMBERS.fullmatch(text) or (before is not None and not _is_doubtful(text, before)):
        return
    decimal, thousands = _both(text)
    fail(
        DOUBTFUL,
        f"`{text}` in `{change.text}` may be {float(decimal):g}, with a decimal point, or {thousands}, in thousands",
        hint=f"write {decimal} for the one or {thousands} for the other",
    )


def _is_doubtful(text: str, before: ParameterEntry) -> bool:
    """Whether a number such as `12.500` may be thousands in the place of what the file says."""
    decimal, thousands = (float(each) for each in _both(text))
    bounds = before.bounds or Bounds()
    if not bounds.low <= thousands <= min(bounds.high, largest_share(before.unit)):
        return False
    known = [before.value] if before.value is not None else []
    if isinstance(before.prior, PriorEntry):
        known = list(before.prior.arguments.values())
        if any(as_written(each) == text for each in known):
            return False
        known.append(float(Prior.of(before.prior.family, before.prior.arguments, before.bounds).quantile(0.5)))
    if text.endswith("000"):
        # Nobody writes so many zeros behind a decimal point.
        return True
    return not any(each and 1 / NEAR <= decimal / each <= NEAR for each in known)


def _both(text: str) -> tuple[str, str]:
    """How the two numbers are written that one may be, each so that it is no other.

    >>> _both("10.000"), _both("-2,345")
    (('10.0', '10000'), ('-2.3450', '-2345'))
    """
    whole, decimals = re.split("[.,]", text)
    return f"{whole}.{decimals.rstrip('0') + '0' if decimals != '000' else '0'}", whole + decimals


def _as_a_number(text: str) -> str:
    """How a number is written that somebody wrote as on paper; empty of what is none.

    >>> _as_a_number("0,4"), _as_a_number("0.4 per week"), _as_a_number("norml(2, 1)")
    ('decimals have a point here: write 0.4', 'write the number alone, 0.4: its unit is that of the parameters', '')
    >>> _as_a_number("10,000")
    'write 10.0 for the one with a decimal point, or 10000 for the one in thousands'
    >>> _as_a_number("1.000.000"), _as_a_number("12 500"), _as_a_number("1_000")
    ('write 1000000', 'write 12500', 'write 1000')
    """
    if _TWO_NUMBERS.fullmatch(text):
        return "write {} for the one with a decimal point, or {} for the one in thousands".format(*_both(text))
    if _GROUPED.fullmatch(text):
        return f"write {re.sub('[^0-9+-]', '', text)}"
    if re.fullmatch(r"[-+]?\d*,\d+", text):
        return f"decimals have a point here: write {text.replace(',', '.')}"
    found = re.fullmatch(r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*[^\W\d][^(]*", text)
    return f"write the number alone, {found[1]}: its unit is that of the parameters" if found else ""


def check_known(change: Change, names: Iterable[str], noun: str) -> None:
    """Y522 where a change is about something that is not there."""
    known = list(names)
    if change.name not in known:
        fail("Y522", f"`{change.text}` names a {noun} that the study does not have", hint=near(change.name, known))


def as_yaml(content: Mapping[str, Any]) -> str:
    """A file of a study that says this."""
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(content, text)
    return text.getvalue()
