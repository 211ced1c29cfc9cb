"""How a target's data are thought to come about, in the words of a report's table."""

from __future__ import annotations

from collections.abc import Iterator

from modelworks.errors import counted
from modelworks.inputs import ByDate, FromColumn
from modelworks.study.binding._binding import BoundStudy
from modelworks.study.binding._compared import compared_in_words
from modelworks.study.binding._observations import Observations
from modelworks.units import as_written

# Which of the several meanings of an overdispersion is meant.
OF_PROPORTIONS = "variance = n p (1 − p) (1 + (n − 1) × overdispersion)"
FORMS = {
    "negative_binomial": "variance = mean + overdispersion × mean²",
    "beta_binomial": OF_PROPORTIONS,
    "dirichlet_multinomial": OF_PROPORTIONS,
}


def likelihood_in_words(study: BoundStudy, observed: Observations) -> str:
    """The family with its arguments, and whatever else is done with the data."""
    entry = observed.entry.likelihood
    arguments = ", ".join(_argument(study, name, value) for name, value in entry.arguments.items())
    family = entry.family.replace("_", " ")
    return "; ".join(
        [
            f"{family} ({arguments})" if arguments else family,
            *_more(observed),
            *filter(None, [compared_in_words(study.inputs, observed.entry.name)]),
        ]
    )


def _argument(study: BoundStudy, name: str, value: float | str | FromColumn | ByDate) -> str:
    """What an argument of a likelihood is: a number, or a parameter with what is done about it."""
    if isinstance(value, FromColumn):
        return f"{name} from the column {value.column}"
    if isinstance(value, ByDate):
        return f"{name} of each value"
    if not isinstance(value, str):
        return f"{name} {as_written(value)}"
    what = f"{name} {as_written(study.fixed[value])}" if value in study.fixed else f"{name} calibrated"
    return what if value == name else f"{what} as {value}"


def _more(observed: Observations) -> Iterator[str]:
    entry = observed.entry
    if entry.likelihood.family in FORMS:
        yield FORMS[entry.likelihood.family]
    if observed.limited.any():
        yield f"{counted(int(observed.limited.sum()), 'value')} known only to lie below a limit"
    if entry.weekday is not None:
        yield f"times {entry.weekday} of each weekday"
    if entry.weight != 1:
        yield f"weight {as_written(entry.weight)}: {entry.why}"
