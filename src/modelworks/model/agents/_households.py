"""What a household epidemic is declared from: households, how long people are infected, and where they infect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from modelworks.dates import TimeUnit
from modelworks.errors import fail
from modelworks.model._declaration import Output, Transition
from modelworks.model._expression import (
    Constant,
    Expression,
    Moment,
    Number,
    Operation,
    Parameter,
    Table,
    Time,
    Year,
    expression,
    people,
    walk,
)
from modelworks.model._model import Model

# Where people are infected, in the order of the outputs.
SOURCES = ("home", "community", "outside")

# What a number may be made of, and what besides where it may change with time.
FIXED = (Constant, Parameter, Operation)
IN_TIME = (Table, Time, Moment, Year)


@dataclass(frozen=True, eq=False)
class Period:
    """How long people stay as they are: a gamma distribution with a mean and a whole number of stages.

    One stage is exponential; with `stages=None` everybody stays exactly the mean. The mean is in the model's time.
    """

    mean: Number
    stages: int | None = 1

    def __post_init__(self) -> None:
        whole = isinstance(self.stages, int) and not isinstance(self.stages, bool)
        if self.stages is not None and not (whole and self.stages >= 1):
            fail(
                "M130",
                f"a period has {self.stages!r} stages",
                hint="give a whole number from 1 up, or None where everybody stays exactly the mean",
            )


@dataclass(frozen=True, eq=False)
class HouseholdModel:
    r"""An epidemic among people who live in households, person by person.

    An infectious person infects each susceptible housemate at the rate
    $$\beta_h / (n - 1)^a$$ in a household of $n$, with $\beta_h$ `at_home` and $a$ the `dilution`; meets at the rate
    `in_community` somebody of the whole population, each alike, who is infected if susceptible; and everybody is
    infected from outside at the rate `from_outside`. Sources: Longini & Koopman 1982 (doi:10.2307/2530294) for
    households, Ball, Mollison & Scalia-Tomba 1997 (doi:10.1214/aoap/1034625252) for the two levels of mixing.

    Parameters
    ----------
    name
        A short name.
    households
        How many households there are of each size.
    infectious, latent
        How long people are infectious, and how long before that they are infected; without `latent` no time.
    at_home
        Per time, from one infectious person to one susceptible housemate.
    in_community, from_outside
        Per time and infectious person, and per time and susceptible person; both may change with time.
    dilution
        0: one infects each housemate at the same rate, however many they are; 1: all together at the same rate.
    first_infected
        How many are infectious at the start, chosen by chance; with `in_each_household`, of each household.
    time
        The unit of the model's time.

    Examples
    --------
    >>> model = HouseholdModel("flat shares", {4: 25}, infectious=Period(3.0), at_home=0.2, first_infected=2)
    >>> model.people
    100
    """

    name: str
    households: Mapping[int, int]
    infectious: Period
    at_home: Number = 0.0
    in_community: Number = 0.0
    from_outside: Number = 0.0
    latent: Period | None = None
    dilution: Number = 0.0
    first_infected: Number = 0.0
    in_each_household: bool = False
    time: TimeUnit = "days"

    def __post_init__(self) -> None:
        if not isinstance(self.households, Mapping):
            fail(
                "M151",
                f"the households of `{self.name}` are a {type(self.households).__name__}, which says no sizes",
                hint="say how many there are of each size: {1: 300, 2: 500}",
            )
        for size, number in self.households.items():
            if not all(_is_whole(each) for each in (size, number)) or size < 1 or number < 0:
                fail(
                    "M151",
                    f"`{self.name}` has {number!r} households of {size!r} people",
                    hint="give whole numbers: the size of a household, and how many there are of it: {1: 300, 2: 500}",
                )
        if not self.people:
            fail("M151", f"`{self.name}` has no households", hint="say how many there are of each size: {1: 300}")
        for what, period in (("infectious", self.infectious), ("latent", self.latent)):
            if not isinstance(period, Period) and not (what == "latent" and period is None):
                fail("M120", f"the {what} period of `{self.name}` is {period!r}", hint="write Period(mean, stages)")
        for name, given in self.rates.items():
            # These two may follow the calendar, but nothing may follow who is where: a run asks nobody.
            may = (*FIXED, *IN_TIME) if name in ("in_community", "from_outside") else FIXED
            if not all(isinstance(each, may) for each in walk(given)):
                fail(
                    "M116",
                    f"`{name}` of `{self.name}` changes with time, people or strata",
                    hint="use numbers and parameters; in_community and from_outside may also be a table(...) of times",
                )
        if all(_is_nought(each) for each in (self.first_infected, self.from_outside)):
            fail(
                "M115",
                f"nobody is ever infected in `{self.name}`: nobody is so at the start, and nobody from outside",
                hint="give first_infected or from_outside",
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of households, the smallest first."""
        return tuple(sorted(size for size, number in self.households.items() if number))

    @property
    def people(self) -> int:
        """Everybody."""
        return sum(size * number for size, number in self.households.items())

    @property
    def rates(self) -> dict[str, Expression]:
        """All numbers of a run by name, in the order in which the epidemic takes them."""
        latent = self.latent.mean if self.latent else 0.0
        given = {
            "at_home": self.at_home,
            "dilution": self.dilution,
            "latent": latent,
            "infectious": self.infectious.mean,
            "first_infected": self.first_infected,
            "in_community": self.in_community,
            "from_outside": self.from_outside,
        }
        return {name: expression(each) for name, each in given.items()}

    @cached_property
    def compartmental(self) -> Model:
        """The same people in compartments, without households: it holds the parameters, and checks them and units."""
        exposed = "exposed" if self.latent else "infectious"
        flows = [
            Transition("infection at home", "susceptible", exposed, self.at_home),
            Transition("infection in the community", "susceptible", exposed, self.in_community),
            Transition("infection from outside", "susceptible", exposed, self.from_outside),
            Transition("recovery", "infectious", "removed", 1.0 / expression(self.infectious.mean)),
        ]
        if self.latent:
            flows.append(Transition("onset", "exposed", "infectious", 1.0 / expression(self.latent.mean)))
        begin = float(sum(self.households.values())) if self.in_each_household else 1.0
        first = begin * expression(self.first_infected)
        named = ("susceptible", *(("exposed",) if self.latent else ()), "infectious", "removed")
        initial = {"susceptible": float(self.people) - first, "infectious": first}
        return Model(self.name, named, flows, initial, {"population": people()}, time=self.time)

    def checked(self) -> Model:
        """Its compartments, with the numbers of a run as outputs; or all that is wrong with it."""
        # What is zero is no mistake here, but an output that is zero is one: only the flows are looked at.
        self.compartmental.checked()
        numbers = {name: Output(each, "dimensionless") for name, each in self.rates.items()}
        return replace(self.compartmental, outputs=numbers)


def _is_whole(number: object) -> bool:
    return hasattr(number, "__index__") and not isinstance(number, bool)


def _is_nought(number: Number) -> bool:
    return isinstance(expression(number), Constant) and float(expression(number).value) == 0.0  # type: ignore[attr-defined]
