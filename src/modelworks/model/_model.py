"""A model of a disease as it is declared, and what can be said of it before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from modelworks.dates import TIME_UNITS, TimeUnit
from modelworks.errors import Letter, Letters, ModelworksError, fail, near
from modelworks.model._declaration import FLOWS, Flow, Output, Pool, Stratification
from modelworks.model._expression import Expression, Number, Parameter, expression, one_or_more, walk
from modelworks.model._kinds import listed, mapped

Named: TypeAlias = tuple[str, Any]
Pieces: TypeAlias = dict[str, list[Named]]


@dataclass(frozen=True, eq=False)
class Model:
    """How the disease moves: compartments, the flows between them, and how people differ.

    Parameters
    ----------
    name
        A short name, used in file names and run keys.
    compartments
        Disease states people are in.
    flows
        `Infection`, `Transition`, `Move`, `Entry` and `Exit`.
    initial
        People in each compartment at the start; those not named start empty.
    outputs
        Name to `Output`, or to a bare expression (then in people).
    stratifications
        Ways people differ; every compartment in each combination of strata is counted apart.
    derived
        Numbers that follow from parameters alone and are reported with them, such as a
        reproduction number.
    time
        The unit of the model's time: `days` or `years`. Rates are per that unit.
    pools
        What the disease passes through and is not people: bacteria in water, mosquitoes.
    quasi_steady
        Compartments that change so much faster than all else that they are always in balance: deterministic runs
        compute what is in them instead of following it. Runs by chance, equilibria and reproduction numbers are of
        the whole model.
    """

    name: str
    compartments: Sequence[str]
    flows: Sequence[Flow]
    initial: Mapping[str, Number]
    outputs: Mapping[str, Output | Number]
    stratifications: Sequence[Stratification] = ()
    derived: Mapping[str, Number] = field(default_factory=dict)
    time: TimeUnit = "days"
    description: str = ""
    pools: Sequence[Pool] = ()
    quasi_steady: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.time not in TIME_UNITS:
            fail(
                "M128",
                f"the time of `{self.name}` is in `{self.time}`",
                hint='write time="days" or time="years"; every rate is per that unit',
            )
        kinds = {"compartments": str, "flows": FLOWS, "stratifications": Stratification, "pools": Pool}
        for what, kind in kinds.items():
            object.__setattr__(self, what, listed(self.name, what, getattr(self, what), kind))
        for what in ("initial", "outputs", "derived"):
            mapped(self.name, what, getattr(self, what))
        object.__setattr__(self, "quasi_steady", one_or_more(self.quasi_steady))
        outputs = {
            name: each if isinstance(each, Output) else Output(expression(each)) for name, each in self.outputs.items()
        }
        object.__setattr__(self, "outputs", outputs)

    # -- composing -------------------------------------------------------------------------------

    def extended(
        self,
        *,
        name: str | None = None,
        compartments: Sequence[str] = (),
        flows: Sequence[Flow] = (),
        initial: Mapping[str, Number] | None = None,
        stratifications: Sequence[Stratification] = (),
        outputs: Mapping[str, Output | Number] | None = None,
        derived: Mapping[str, Number] | None = None,
        pools: Sequence[Pool] = (),
        quasi_steady: str | Sequence[str] = (),
        replacing: str | Sequence[str] = (),
    ) -> Model:
        """This model with more in it: a stratification, an intervention, outputs written elsewhere.

        What has the name of something that is there already is refused, unless `replacing` names it: these flows,
        stratifications, initial numbers, outputs and derived numbers give way to the new ones. A new one of the same
        name takes the old one's place, others come last. Extending piece by piece, in any portions, is the same as
        declaring all at once.

        Raises
        ------
        ModelworksError
            M132 for each name that is there already, and each that is to be replaced and is not there.
        """
        # What is of the wrong kind is told before it is taken apart.
        new_ones = Model(
            name or self.name, compartments, flows, initial or {}, outputs or {}, stratifications, pools=pools
        )
        old = _pieces(self.compartments, self.flows, self.initial, self.stratifications, self.outputs, self.derived)
        new = _pieces(
            new_ones.compartments, new_ones.flows, initial or {}, new_ones.stratifications, outputs or {}, derived or {}
        )
        old["pool"], new["pool"] = ([(each.name, each) for each in some] for some in (self.pools, pools))
        gone = one_or_more(replacing)
        _check_names(self.name, old, new, gone)
        joined = {kind: _joined(pieces, new[kind], gone) for kind, pieces in old.items()}
        return replace(
            self,
            name=name or self.name,
            compartments=[each for _, each in joined["compartment"]],
            flows=[each for _, each in joined["flow"]],
            stratifications=[each for _, each in joined["stratification"]],
            initial=dict(joined["initial number"]),
            outputs=dict(joined["output"]),
            derived=dict(joined["derived number"]),
            pools=[each for _, each in joined["pool"]],
            quasi_steady=tuple(dict.fromkeys((*self.quasi_steady, *one_or_more(quasi_steady)))),
        )

    def reporting(self, *outputs: str) -> Model:
        """This model with these of its outputs alone: what is not asked for is not computed.

        Raises
        ------
        ModelworksError
            S110 for an output that the model has not.
        """
        for name in outputs:
            if name not in self.outputs:
                fail("S110", f"there is no output `{name}`", hint=near(name, self.outputs))
        return replace(self, outputs={name: self.outputs[name] for name in outputs})

    # -- looking ---------------------------------------------------------------------------------

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter the model uses, by name, in the order of first use."""
        found: dict[str, Parameter] = {}
        for each in self.expressions():
            for part in reversed(list(walk(each))):
                if isinstance(part, Parameter):
                    known = found.setdefault(part.name, part)
                    if (known.unit, known.lower, known.upper) != (part.unit, part.lower, part.upper):
                        fail(
                            "M109",
                            f"the parameter `{part.name}` is declared twice and differently in `{self.name}`",
                            hint="declare it once, keep it in a variable, and use the variable",
                        )
        return found

    def expressions(self) -> list[Expression]:
        """Every expression in the declaration."""
        found: list[Expression] = []
        for flow in self.flows:
            found.extend(_inside({name: getattr(flow, name) for name in flow.__dataclass_fields__}))
        found.extend(_inside([self.initial, [s.split for s in self.stratifications]]))
        found.extend(_inside([[o.value for o in self.outputs.values() if isinstance(o, Output)], self.derived]))
        return found

    @property
    def series(self) -> dict[str, Output]:
        """Every output by name; a bare expression counts people."""
        return {name: each for name, each in self.outputs.items() if isinstance(each, Output)}

    def stratification(self, name: str) -> Stratification | None:
        return next((each for each in self.stratifications if each.name == name), None)

    def strata_of(self, compartment: str) -> tuple[Stratification, ...]:
        """The stratifications that split a compartment; those of all compartments split people only."""
        return tuple(
            each
            for each in self.stratifications
            if compartment in (self.compartments if each.compartments is None else each.compartments)
        )

    @property
    def all_compartments(self) -> tuple[str, ...]:
        """The compartments of people, and behind them those of the pools."""
        return (*self.compartments, *(name for pool in self.pools for name in pool.compartments))

    def pool_of(self, compartment: str) -> Pool | None:
        """The pool a compartment belongs to; none for people."""
        return next((pool for pool in self.pools if compartment in pool.compartments), None)

    def equations(self) -> str:
        """The equations in LaTeX, with an index for each stratification and tables of flows and symbols."""
        from modelworks.model._equations import equations

        return equations(self.checked(start=False))

    def check(self) -> tuple[Letter, ...]:
        """Everything about the declaration that can not be right, all at once; empty when it is sound."""
        from modelworks.model._check import check

        return check(self)

    def checked(self, *, start: bool = True) -> Model:
        """This model, or a `ModelworksError` with all that is wrong with it; without `start` whoever begins it."""
        from modelworks.model._check import check

        letters = check(self, start=start)
        if letters:
            raise ModelworksError(letters)
        return self


def counted_in(model: Model, compartment: str) -> str:
    """What there is in a compartment, in a word: people, or the unit of its pool."""
    pool = model.pool_of(compartment)
    return "people" if pool is None else pool.unit


def _pieces(
    compartments: Sequence[str],
    flows: Sequence[Flow],
    initial: Mapping[str, Number],
    stratifications: Sequence[Stratification],
    outputs: Mapping[str, Output | Number],
    derived: Mapping[str, Number],
) -> Pieces:
    """What a model is made of, by kind: the name of each piece, and the piece."""
    return {
        "compartment": [(each, each) for each in compartments],
        "flow": [(each.name, each) for each in flows],
        "stratification": [(each.name, each) for each in stratifications],
        "initial number": list(initial.items()),
        "output": list(outputs.items()),
        "derived number": list(derived.items()),
    }


def _joined(old: Sequence[Named], new: Sequence[Named], gone: Sequence[str]) -> list[Named]:
    """The old with the new: in the place of the one it replaces, or last."""
    fresh, known = dict(new), {name for name, _ in old}
    # Compartments are not replaced, and may have the name of a flow that is.
    kept = [(name, fresh.get(name, each)) for name, each in old if name in fresh or name not in gone or each == name]
    return [*kept, *((name, each) for name, each in new if name not in known)]


def _check_names(model: str, old: Pieces, new: Pieces, gone: Sequence[str]) -> None:
    """Refuse what is there already, what comes twice, and the replacing of what is not there."""
    letters = Letters()
    for kind, pieces in new.items():
        names = [name for name, _ in pieces]
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                letters.add("M132", f"two of the new {kind}s are named `{name}`", hint="give each a name of its own")
            elif name in dict(old[kind]) and (kind == "compartment" or name not in gone):
                hint = "give the new one another name"
                hint += "" if kind == "compartment" else f', or say replacing=["{name}"]'
                letters.add("M132", f"`{model}` has the {kind} `{name}` already", hint=hint)
    known = [name for kind, pieces in old.items() if kind != "compartment" for name, _ in pieces]
    for name in gone:
        if name not in known:
            letters.add("M132", f"`{model}` has no `{name}` that could be replaced", hint=near(name, known))
    letters.raise_if_any()


def _inside(value: Any) -> list[Expression]:
    """The expressions in a nest of mappings and sequences."""
    from modelworks.model._declaration import Contacts, Setting

    if isinstance(value, Expression):
        return [value]
    if isinstance(value, Mapping):
        return [found for each in value.values() for found in _inside(each)]
    if isinstance(value, Contacts):
        return _inside(value.by)
    if isinstance(value, Setting):
        return _inside(value.scale)
    if isinstance(value, (list, tuple)):
        return [found for each in value for found in _inside(each)]
    return []
