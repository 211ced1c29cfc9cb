"""The pieces a model is declared from: stratifications, flows, contacts, outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from modelworks.errors import fail, near
from modelworks.model._contacts import check_reciprocal
from modelworks.model._expression import (
    Expression,
    Number,
    People,
    by_label,
    expression,
    maximum,
    minimum,
    moments_in_order,
    one_or_more,
    people,
)
from modelworks.model._graph import Array
from modelworks.model._kinds import in_words

# Of this many people or fewer a pulse takes all: a number of people over it is far above one.
FEWEST = 1e-90

Split: TypeAlias = Mapping[str, Number | Mapping[str, Number] | str]

# By stratification: the stratum that everybody comes into, or for some strata the one their people come into.
Becoming: TypeAlias = Mapping[str, str | Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class Stratification:
    """A way people differ: by age, place, vaccination, strain.

    `compartments` are those it splits (all when left out). `split` says how people are shared over
    the strata wherever nothing else does: proportions that sum to one, or the name of the stratum
    everybody starts in. `widths` are the widths of age bands in the model's time unit, the last one
    open; with them people age.
    """

    name: str
    strata: Sequence[str]
    compartments: Sequence[str] | None = None
    split: Mapping[str, Number] | Sequence[Number] | str | None = None
    widths: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.strata, str) or not hasattr(self.strata, "__iter__"):
            names = self.strata.split() if isinstance(self.strata, str) else ["young", "old"]
            fail(
                "M128",
                f"the strata of `{self.name}` are {in_words(self.strata)}, where a list of names belongs",
                hint=f"write [{', '.join(repr(each) for each in names)}]",
            )
        object.__setattr__(self, "strata", tuple(str(each) for each in self.strata))
        if self.compartments is not None:
            object.__setattr__(self, "compartments", one_or_more(self.compartments))
        if self.split is not None and not isinstance(self.split, str):
            object.__setattr__(self, "split", by_label(self.split))
        if len(set(self.strata)) != len(self.strata) or not self.strata:
            fail(
                "M102",
                f"the strata of `{self.name}` are {list(self.strata)}, but each needs a name of its own",
                hint="name every stratum once",
            )
        if self.widths is not None and len(self.widths) not in (len(self.strata), len(self.strata) - 1):
            fail(
                "M117",
                f"`{self.name}` has {len(self.strata)} strata but {len(self.widths)} widths",
                hint="give the width of every band but the last, which is open",
            )
        if self.widths is not None and not all(float(width) > 0 for width in self.widths):
            fail(
                "M117",
                f"the widths of `{self.name}` are {list(self.widths)}, but people spend some time in every band",
                hint="give widths above zero, in the model's time unit",
            )


@dataclass(frozen=True, eq=False)
class Pool:
    """Something that the disease passes through and that is not people: bacteria in water, mosquitoes.

    Its compartments (one of the pool's own name unless given) are filled, emptied and infected by the same flows as
    those of people: `Entry("shedding", "water", shed * people("infectious"))`, `Exit("decay", "water", decay)`.
    But `people()`, the people one meets, and flows and stratifications of all compartments leave them out; they are
    named where they are meant, and `amount("water")` is how much there is. Nobody goes from people into a pool.

    `unit` is what it is counted in. With `individuals` it is made of single ones, such as mosquitoes, whom a
    stochastic run moves one by one; a quantity, such as a concentration, has none and no stochastic run.
    """

    name: str
    unit: str
    compartments: Sequence[str] = ()
    individuals: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "compartments", one_or_more(self.compartments) or (self.name,))


@dataclass(frozen=True, eq=False)
class Setting:
    """Contacts in one place of life (home, school, work): a matrix, and how much of it happens when."""

    name: str
    matrix: ArrayLike
    scale: Number = 1.0


@dataclass(frozen=True, eq=False)
class Contacts:
    """Who meets whom, per person and per unit of the model's time.

    `by` maps a stratification to a matrix, or to settings whose contacts add up. Row: the person who
    reports; column: whom they met. Several stratifications multiply: contacts by age, and of these
    a share in each place.

    `population`, people in each stratum by stratification, says that the contacts are reciprocal in it: as many lead
    from one stratum to another as back. A matrix that is not, such as one that is transposed, is then refused;
    `reciprocal_contacts` makes it so.
    """

    by: Mapping[str, ArrayLike | Sequence[Setting]]
    population: Mapping[str, Mapping[str, float] | Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.by, Mapping):
            fail(
                "M104",
                f"contacts are given as a {type(self.by).__name__}, which does not say between the strata of what",
                hint='write Contacts({"age": matrix})',
            )
        if not isinstance(self.population, Mapping) or not set(self.population) <= set(self.by):
            fail(
                "M146",
                "the population of contacts does not say in the strata of what, or names others than the contacts",
                hint=f'write population={{"{next(iter(self.by), "age")}": people}}',
            )

    def settings(self, stratification: Stratification) -> tuple[tuple[Array, Expression], ...]:
        """The matrices and scales of one stratification, checked; row and column in the order of its strata."""
        name, size = stratification.name, len(stratification.strata)
        given = self.by[name]
        listed = (
            list(given)
            if isinstance(given, Sequence) and given and isinstance(given[0], Setting)
            else [Setting(name, given)]  # type: ignore[arg-type]
        )
        found = []
        for setting in listed:
            matrix = _numbers(_by_strata(setting, stratification), setting.name)
            if matrix.shape != (size, size):
                fail(
                    "M104",
                    f"the contacts `{setting.name}` by `{name}` have shape {matrix.shape}, but there are {size} strata",
                    hint=f"give a matrix of {size} rows (who reports) and {size} columns (whom they met)",
                )
            if not np.all(np.isfinite(matrix)) or np.any(matrix < 0):
                fail(
                    "M104",
                    f"the contacts `{setting.name}` by `{name}` hold a negative number or none at all",
                    hint="contacts are numbers of people met per time, zero or more",
                )
            if name in self.population:
                people_there = _in_order(self.population[name], stratification)
                check_reciprocal(matrix, people_there, stratification.strata, f"the contacts `{setting.name}`")
            found.append((matrix, expression(setting.scale)))
        return tuple(found)


def _in_order(population: Mapping[str, float] | Sequence[float], stratification: Stratification) -> Array:
    """People in each stratum, by label where there are labels."""
    given = by_label(population)
    if not isinstance(given, Mapping):
        return np.asarray(given, dtype=float)
    for label in given:
        if label not in stratification.strata:
            fail("M146", f"the population of contacts has people in `{label}`", hint=near(label, stratification.strata))
    return np.array([float(given.get(stratum, 0.0)) for stratum in stratification.strata])


def _by_strata(setting: Setting, stratification: Stratification) -> ArrayLike:
    """A matrix as it is, or, where rows and columns have labels (of pandas or xarray), in the order of the strata.

    A matrix read from a file often comes sorted as text, `10-14` before `5-9`; taken by position it would be
    somebody else's contacts.
    """
    matrix: Any = setting.matrix.to_pandas() if hasattr(setting.matrix, "to_pandas") else setting.matrix
    if not hasattr(matrix, "columns"):
        return setting.matrix
    strata = list(stratification.strata)
    named = {"rows": _labels(matrix.index), "columns": _labels(matrix.columns)}
    for what, labels in named.items():
        if labels and sorted(labels) != sorted(strata):
            strange = next((label for label in labels if label not in strata), labels[0])
            fail(
                "M104",
                f"the {what} of the contacts `{setting.name}` are labelled {', '.join(labels[:4])} …, "
                f"but the strata of `{stratification.name}` are {', '.join(strata[:4])} …",
                hint=near(strange, strata),
            )
    rows, columns = named.values()
    if bool(rows) != bool(columns) and (rows or columns) != strata:
        fail(
            "M104",
            f"the contacts `{setting.name}` have labels only on their {'rows' if rows else 'columns'}, "
            f"and these are in another order than the strata of `{stratification.name}`",
            hint="label both rows and columns (`index_col=0` when the file is read), or sort both yourself",
        )
    return matrix.iloc[_order(rows, strata), _order(columns, strata)].to_numpy()  # type: ignore[no-any-return]


def _numbers(matrix: ArrayLike, name: str) -> Array:
    try:
        return np.asarray(matrix, dtype=float)
    except (TypeError, ValueError):
        fail(
            "M104",
            f"the contacts `{name}` are not a matrix of numbers",
            hint='give rows of numbers, all of one length; several matrices as [Setting("home", home), …]; a file '
            "is read first, with pandas",
        )


def _labels(index: Iterable[object]) -> list[str]:
    """The labels of an axis; none where they only count from zero."""
    labels = [str(label) for label in index]
    return [] if labels == [str(k) for k in range(len(labels))] else labels


def _order(labels: Sequence[str], strata: Sequence[str]) -> slice | list[int]:
    return [labels.index(stratum) for stratum in strata] if labels else slice(None)


@dataclass(frozen=True, eq=False)
class Transition:
    """People move from one compartment to another at a rate per person.

    Where the destination is split in a way the source is not, `split` says who goes where:
    `split={"clinical": {"mild": 1 - severe, "severe": severe}}`.

    People keep every stratum they have in both compartments, but for what `becoming` says:
    `becoming={"history": "infected"}`, or from stratum to stratum,
    `becoming={"history": {"none": "once", "once": "more"}}`, where those not named stay as they are. The rate,
    `where`, `split` and `events(...)` go by what a person was before.

    With `stages` above one the time people spend in the source before they make this transition is not
    exponential but Erlang (a gamma distribution of that shape) with the same mean of one over the rate: people who
    arrive, or start there, pass that many stages one after the other, each at `stages` times the rate. Whatever
    else leaves the source leaves every stage; `people(...)` and `events(...)` count over all of them.
    """

    name: str
    source: str
    destination: str
    rate: Number
    split: Split = field(default_factory=dict)
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    stages: int = 1
    becoming: Becoming = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.stages, bool) or not isinstance(self.stages, int) or self.stages < 1:
            fail(
                "M130",
                f"the flow `{self.name}` has {self.stages!r} stages",
                hint="give a whole number from 1 up; it is the shape of the gamma distribution of the time spent",
            )


@dataclass(frozen=True, eq=False)
class Move:
    """People change stratum within their compartment at a rate per person: a dose, a journey."""

    name: str
    stratification: str
    origin: str
    target: str
    rate: Number
    compartments: Sequence[str] | None = None
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Infection:
    r"""Susceptible people become infected by those who are infectious.

    $$\lambda_i = \beta \sum_j C_{ij} \, I_j / N_j$$ with $\beta$ the `rate`, $C$ the `contacts` and $I_j$ the
    infectious of group $j$, each weighted by their relative infectiousness. Without contacts everybody meets
    everybody, and `rate` is per time; with them it is the probability of infection per contact.
    Frequency-dependent: doubling everyone's numbers leaves $\lambda$ as it was. With `density_dependent` the share
    $I_j / N_j$ is the number $I_j$ instead, and doubling everyone doubles $\lambda$: `rate` is then per time and per
    infectious person (with contacts, of a population of one).

    `strain` names the stratification by which infections differ: each stratum of it infects on its
    own, and the newly infected carry it. `susceptibility` multiplies the rate for the susceptible.
    `becoming` changes what else people are, as for a `Transition`.
    """

    name: str
    source: str
    destination: str
    rate: Number
    infectious: str | Sequence[str] | Mapping[str, Number]
    contacts: Contacts | None = None
    susceptibility: Number = 1.0
    strain: str | None = None
    split: Split = field(default_factory=dict)
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    density_dependent: bool = False
    becoming: Becoming = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.contacts is not None and not isinstance(self.contacts, Contacts):
            fail(
                "M104",
                f"the contacts of the flow `{self.name}` are a {type(self.contacts).__name__}, which does not say "
                "between the strata of what",
                hint='write contacts=Contacts({"age": matrix})',
            )

    @property
    def infectiousness(self) -> Mapping[str, Number]:
        """How infectious people are in each compartment that infects, relative to each other."""
        if isinstance(self.infectious, Mapping):
            return self.infectious
        return dict.fromkeys(one_or_more(self.infectious), 1.0)


@dataclass(frozen=True, eq=False)
class Entry:
    """People come from outside, `number` per time: births, arrivals.

    They are shared over the destination's strata by `split`, or else by each stratification's own.
    Where `number` itself varies by a stratification, it is the number for each stratum.
    """

    name: str
    destination: str
    number: Number
    split: Split = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Exit:
    """People leave for good at a rate per person: deaths, departures. From all compartments when none is named."""

    name: str
    source: str | Sequence[str] | None
    rate: Number
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Pulse:
    """People move at an instant, on dates or at times of the model: a campaign, a school year, a ship that arrives.

    Either a `share` of those who are there (between 0 and 1) or a `number` of people (all of them where there are
    fewer, and in proportion to how many there are in each stratum). `source` and `destination` are compartments, or
    each one stratum: `source={"dose": "none"}, destination={"dose": "one"}` in all compartments so split. Without a
    source people come from outside, a number of them, shared out by `split` as in an `Entry`; without a destination
    they leave for good. Between two compartments, `becoming` changes what else people are, as for a `Transition`.

    An output of the same moment shows what was before, and `events(...)` counts the pulse in the interval that begins
    with it. Pulses of one moment all see the people there were before any of them.
    """

    name: str
    at: float | date | Sequence[float | date]
    source: str | Mapping[str, str] | None = None
    destination: str | Mapping[str, str] | None = None
    share: Number | None = None
    number: Number | None = None
    split: Split = field(default_factory=dict)
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    becoming: Becoming = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = self._misfit()
        if wrong:
            fail("M131", f"the pulse `{self.name}` {wrong[0]}", hint=wrong[1])

    @property
    def moments(self) -> tuple[float | date, ...]:
        """When it happens, in order."""
        several: Any = self.at
        return moments_in_order(list(several) if hasattr(several, "__len__") else [several])

    def _misfit(self) -> tuple[str, str] | None:
        ends = [self.source, self.destination]
        if not self.moments:
            return "has no moment at which it happens", "give at=[...], dates or times"
        if ends == [None, None]:
            return "comes from nowhere and goes nowhere", "name a source, a destination, or both"
        if any(isinstance(each, Mapping) for each in ends) and not _is_change_of_stratum(*ends):
            return "does not go from one stratum to another of one stratification", (
                'write source={"dose": "none"}, destination={"dose": "one"}'
            )
        if self.becoming and not all(isinstance(each, str) for each in ends):
            return "has `becoming`, but does not lead from one compartment to another", "name both, or leave it out"
        if (self.share is None) == (self.number is None):
            return "needs either a share or a number", "give share=… of those who are there, or number=… of people"
        if self.source is None and self.number is None:
            return "brings a share of nobody: it has no source", "give number=…, how many people come"
        return None

    @property
    def flow(self) -> Transition | Move | Entry | Exit:
        """The same movement as a flow, whose rate is the share of people who move."""
        share = self.share if self.share is not None else self._share_of_number()
        if isinstance(self.source, Mapping) and isinstance(self.destination, Mapping):
            ((name, origin),) = self.source.items()
            return Move(self.name, name, origin, self.destination[name], share, where=self.where)
        if isinstance(self.destination, str) and isinstance(self.source, str):
            return Transition(
                self.name, self.source, self.destination, share, self.split, self.where, becoming=self.becoming
            )
        if isinstance(self.destination, str) and self.number is not None:
            return Entry(self.name, self.destination, self.number, self.split)
        return Exit(self.name, str(self.source), share, self.where)

    def _share_of_number(self) -> Expression:
        number = expression(self.number if self.number is not None else 0.0)
        if isinstance(self.source, Mapping):
            there = people(**{**self.where, **self.source})
        else:
            where = {name: one_or_more(each) for name, each in self.where.items()}
            there = People(one_or_more(self.source or ()), where, of_pools=None)
        return minimum(1.0, number / maximum(there, FEWEST))


def _is_change_of_stratum(source: object, destination: object) -> bool:
    both = isinstance(source, Mapping) and isinstance(destination, Mapping)
    return both and len(source) == 1 and list(source) == list(destination)  # type: ignore[call-overload,arg-type]


def changes_in_words(becoming: Becoming) -> list[str]:
    """What people become on their way, for a picture or a table."""
    return [
        f"{name} becomes {given}"
        if isinstance(given, str)
        else f"{name} changes, " + ", ".join(f"{before} to {after}" for before, after in given.items())
        for name, given in becoming.items()
    ]


def stages_of(flows: Iterable[Flow]) -> list[Stratification]:
    """For each compartment people pass in stages, these as a stratification of it; all start in the first."""
    staged: dict[str, Transition] = {}
    for flow in flows:
        if not isinstance(flow, Transition) or flow.stages == 1:
            continue
        if flow.source in staged:
            fail(
                "M130",
                f"both `{staged[flow.source].name}` and `{flow.name}` take people through stages of `{flow.source}`, "
                "who can be in one stage only",
                hint="give stages to one flow and `split` where it leads; or stratify by which of them lies ahead",
            )
        staged[flow.source] = flow
    return [
        Stratification(stage_name(each), [str(k + 1) for k in range(each.stages)], compartments=[name], split="1")
        for name, each in staged.items()
    ]


def stage_name(flow: Transition) -> str:
    """What the stages before a transition are called, as a stratification of its source."""
    return f"stage of {flow.source}"


Flow: TypeAlias = Transition | Move | Infection | Entry | Exit | Pulse
FLOWS = (Transition, Move, Infection, Entry, Exit, Pulse)


@dataclass(frozen=True, eq=False)
class Output:
    """A series the model reports: an expression, its unit, and the strata it is shown by."""

    value: Number
    unit: str = "people"
    by: Sequence[str] = ()
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", one_or_more(self.by))
