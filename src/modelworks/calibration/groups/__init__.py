"""What is believed of several parameters together.

Members of a group share a typical value, walk in time, follow a smooth curve, are correlated, or sum to one.
One file for each kind; `_group.py` says what a group can do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration.groups._group import Group, Placed, Pulled
from modelworks.calibration.groups._links import AS_IT_IS, LOG_ODDS, LOGARITHM, Link
from modelworks.calibration.groups.dirichlet import Dirichlet
from modelworks.calibration.groups.gaussian import Gaussian
from modelworks.errors import fail, near
from modelworks.units import as_written

Array = NDArray[np.float64]
ByLabel: TypeAlias = Mapping[str, float]
# A number, the name of a parameter, one number for each label, or for each pair of labels.
Argument: TypeAlias = "float | str | ByLabel | Mapping[str, ByLabel]"

__all__ = ["FAMILIES", "Group", "Placed", "Pulled", "group"]


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of group on a line: its arguments, the first two of which are where and how far."""

    arguments: tuple[str, ...]
    link: Link
    build: Callable[[Family, str, Sequence[str], Mapping[str, Argument]], Group]
    words: str


def group(family: str, name: str, labels: Sequence[str], arguments: Mapping[str, Argument]) -> Group:
    """The group `name` with a member `name[label]` for each label; `name` itself where there is no label.

    >>> walk = group("log_random_walk", "contacts", ["2021-02-01", "2021-01-01"], {"start": 2.0, "sigma": 0.1})
    >>> walk.members
    ('contacts[2021-01-01]', 'contacts[2021-02-01]')
    >>> walk.in_words()
    'random walk of the logarithm from 2, with steps of 0.1'

    Raises
    ------
    ModelworksError
        C101 and C102 for an unknown family or wrong arguments, C105 for labels that do not fit, correlations that can
        not be, or numbers that can not be where they stand.
    """
    if family not in FAMILIES:
        fail("C101", f"`{family}` is not a family of groups", hint=near(family, FAMILIES))
    wanted = FAMILIES[family].arguments
    for argument in (*arguments, *wanted):
        if argument not in wanted or argument not in arguments:
            what = "has no" if argument not in wanted else "lacks its"
            fail("C102", f"the prior `{family}` {what} argument `{argument}`", hint=f"it takes {', '.join(wanted)}")
    return FAMILIES[family].build(FAMILIES[family], name, labels, arguments)


def members_of(name: str, labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{name}[{label}]" for label in labels) or (name,)


# -- each kind ---------------------------------------------------------------------------------------


def _exchangeable(family: Family, name: str, labels: Sequence[str], arguments: Mapping[str, Argument]) -> Group:
    members = members_of(name, labels)
    return _gaussian(family, members, members, np.eye(len(members)), arguments, labels)


def _walk(family: Family, name: str, labels: Sequence[str], arguments: Mapping[str, Argument]) -> Group:
    labels, _ = _in_order(name, labels)
    members = members_of(name, labels)
    # The first member is the start; each later one is a step from the one before.
    return _gaussian(family, members, members[1:], _sums(len(labels)), arguments, labels)


def _spline(family: Family, name: str, labels: Sequence[str], arguments: Mapping[str, Argument]) -> Group:
    """A cubic spline whose coefficients walk (Lang and Brezger 2004, doi:10.1198/1061860043010)."""
    labels, at = _in_order(name, labels)
    pieces = arguments["pieces"]
    if not isinstance(pieces, (int, float)) or pieces != int(pieces) or not 1 <= pieces < len(labels):
        fail(
            "C105",
            f"`{name}` has a spline of {pieces} pieces through {len(labels)} members",
            hint="give a whole number of pieces, fewer than members",
        )
    basis = _bumps(at, int(pieces))
    coordinates = tuple(f"{name}[spline {k}]" for k in range(1, basis.shape[1]))
    return _gaussian(family, members_of(name, labels), coordinates, basis @ _sums(basis.shape[1]), arguments, labels)


def _correlated(family: Family, name: str, labels: Sequence[str], arguments: Mapping[str, Argument]) -> Group:
    _need(labels, 2, name)
    members = members_of(name, labels)
    matrix = _correlations(name, labels, arguments["correlation"])
    lowest = np.linalg.eigvalsh(matrix)[0]
    if lowest <= 0:
        fail(
            "C105",
            f"the correlations of `{name}` contradict each other (their matrix has the eigenvalue {lowest:.2g})",
            hint="where A goes with B and B with C, A can not go against C: bring them nearer to 0",
        )
    return _gaussian(
        family, members, members, np.asarray(np.linalg.cholesky(matrix), dtype=np.float64), arguments, labels
    )


def _dirichlet(family: Family, name: str, labels: Sequence[str], arguments: Mapping[str, Argument]) -> Group:
    _need(labels, 2, name)
    concentration = _by_label(name, "concentration", labels, arguments["concentration"]) + np.zeros(len(labels))
    if not (concentration > 0).all():
        fail("C105", f"a `concentration` of `{name}` is {concentration.min():g}, but must be above 0")
    return Dirichlet(members_of(name, labels), concentration, family.words.format(**_said(arguments)))


def _gaussian(
    family: Family,
    members: tuple[str, ...],
    coordinates: tuple[str, ...],
    basis: Array,
    arguments: Mapping[str, Argument],
    labels: Sequence[str],
) -> Gaussian:
    where, far = family.arguments[:2]
    given = {
        name: value if isinstance(value, str) else _by_label(members[0], name, labels, value)
        for name, value in ((where, arguments[where]), (far, arguments[far]))
    }
    low, high = family.link.support
    for name, least, most in ((where, low, high), (far, 0.0, math.inf)):
        numbers = given[name]
        if not isinstance(numbers, str) and not ((numbers > least) & (numbers < most)).all():
            fail(
                "C105",
                f"`{name}` of the prior of `{members[0]}` is {arguments[name]}, but must lie between {least:g} and "
                f"{most:g}",
            )
    words = family.words.format(**_said(arguments))
    return Gaussian(members, coordinates, family.link, basis, given[where], given[far], (where, far), words)


# -- their parts -------------------------------------------------------------------------------------


def _need(labels: Sequence[str], least: int, name: str) -> None:
    if len(labels) < least:
        fail(
            "C105",
            f"`{name}` is a prior of a group, but the model has {len(labels)} parameters `{name}[…]`",
            hint="declare the group in the model, as in Parameter.group(name, labels)",
        )


def _by_label(name: str, argument: str, labels: Sequence[str], value: Argument) -> Array:
    """One number for all, or one for each label."""
    if not isinstance(value, Mapping):
        return np.asarray(float(value))
    strange = [label for label in value if label not in labels]
    missing = [label for label in labels if label not in value]
    if strange or missing:
        what = f"knows no `{strange[0]}`" if strange else f"needs a number for `{missing[0]}`"
        fail("C105", f"`{argument}` of the prior of `{name}` {what}", hint=near((strange or missing)[0], labels))
    return np.array([float(value[label]) for label in labels])  # type: ignore[arg-type]


def _correlations(name: str, labels: Sequence[str], given: Argument) -> Array:
    """The matrix of the pairs that are given; the others are not correlated."""
    matrix = np.eye(len(labels))
    for one, row in given.items() if isinstance(given, Mapping) else ():
        for other, value in row.items() if isinstance(row, Mapping) else ():
            if one not in labels or other not in labels or one == other or not -1 < value < 1:
                fail(
                    "C105",
                    f"the correlation of `{name}` between `{one}` and `{other}` is {value:g}",
                    hint=f"give numbers between -1 and 1 for pairs of {', '.join(labels)}",
                )
            matrix[labels.index(one), labels.index(other)] = matrix[labels.index(other), labels.index(one)] = value
    return matrix


def _sums(size: int) -> Array:
    """From steps (size − 1) to places (size), of which the first is where one starts."""
    return np.tril(np.ones((size, size)), -1)[:, : size - 1]


def _in_order(name: str, labels: Sequence[str]) -> tuple[list[str], Array]:
    """Labels in the order of time with their places, in days where they are dates."""
    _need(labels, 2, name)
    for read in (lambda text: float(date.fromisoformat(text).toordinal()), float):
        try:
            places = {label: read(label) for label in labels}
        except ValueError:
            continue
        if len(set(places.values())) == len(places):
            ordered = sorted(places, key=places.__getitem__)
            return ordered, np.array([places[label] for label in ordered])
    fail(
        "C105",
        f"`{name}` goes from one label to the next, but {', '.join(labels[:4])} have no order",
        hint="label its members by dates, as in 2021-01-11, or by numbers",
    )


def _bumps(at: Array, pieces: int) -> Array:
    """Cubic B-splines (place, coefficient) over even pieces; the first coefficient is the value at the first place."""
    from scipy.interpolate import BSpline

    inner = np.linspace(at[0], at[-1], pieces + 1)
    knots = np.concatenate([np.full(3, at[0]), inner, np.full(3, at[-1])])
    return np.asarray(BSpline.design_matrix(at, knots, 3).toarray())


def _said(arguments: Mapping[str, Argument]) -> dict[str, str]:
    def said(value: Argument) -> str:
        if isinstance(value, str):
            return f"`{value}`"
        if isinstance(value, Mapping):
            return ", ".join(f"{said(each)} ({label})" for label, each in value.items())
        return as_written(value)

    return {name: said(value) for name, value in arguments.items()}


def _kinds(
    name: str, arguments: tuple[str, str, str], more: tuple[str, ...], build: Callable[..., Group], words: str
) -> dict[str, Family]:
    """A kind as it is, of the logarithm and of the log odds; `arguments` are where, how far, and how far on a line."""
    where, sd, sigma = arguments
    plain = words.format(of="", where=f"{{{where}}}", far=f"{{{sd}}}")
    found = {name: Family((where, sd, *more), AS_IT_IS, build, plain)}
    for prefix, of, link in (("log", " of the logarithm", LOGARITHM), ("logit", " of the log odds", LOG_ODDS)):
        text = words.format(of=of, where=f"{{{where}}}", far=f"{{{sigma}}}")
        found[f"{prefix}_{name}"] = Family((where, sigma, *more), link, build, text)
    return found


_CORRELATED = "{}normal together, around {{{}}} with {} {{{}}} and correlations {{correlation}}"
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "normal": Family(("mean", "sd"), AS_IT_IS, _exchangeable, "normal around {mean} with sd {sd}"),
        "log_normal": Family(
            ("median", "sigma"), LOGARITHM, _exchangeable, "log-normal around {median} with sigma {sigma}"
        ),
        "logit_normal": Family(
            ("median", "sigma"), LOG_ODDS, _exchangeable, "logit-normal around {median} with sigma {sigma}"
        ),
        **_kinds(
            "random_walk",
            ("start", "sd", "sigma"),
            (),
            _walk,
            "random walk{of} from {where}, with steps of {far}",
        ),
        **_kinds(
            "spline",
            ("start", "sd", "sigma"),
            ("pieces",),
            _spline,
            "smooth curve{of} of {{pieces}} pieces from {where}, with steps of {far}",
        ),
        "multivariate_normal": Family(
            ("mean", "sd", "correlation"),
            AS_IT_IS,
            _correlated,
            _CORRELATED.format("", "mean", "sd", "sd"),
        ),
        "multivariate_log_normal": Family(
            ("median", "sigma", "correlation"),
            LOGARITHM,
            _correlated,
            _CORRELATED.format("log-", "median", "sigma", "sigma"),
        ),
        "dirichlet": Family(
            ("concentration",), LOG_ODDS, _dirichlet, "proportions that sum to 1, Dirichlet with {concentration}"
        ),
    }
)
