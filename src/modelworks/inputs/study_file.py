"""The question of a study: its model, its time, how it is calibrated, and what is asked of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast, get_args

from modelworks.dates import TimeUnit
from modelworks.errors import Letters, near
from modelworks.inputs._chosen import check_chosen, only_chosen
from modelworks.inputs._fields import Fields
from modelworks.inputs._layers import Layers, merged
from modelworks.inputs._nodes import Earlier, MappingNode, Place, histories, places, shortened
from modelworks.inputs._reading import is_a_path
from modelworks.inputs.approval import ApprovalSettings, read_approval
from modelworks.inputs.decisions import Decision, read_decisions
from modelworks.inputs.distances import USUAL_INFERENCE, DistanceEntry, read_distance, read_inference
from modelworks.inputs.hub import Hub, read_hub
from modelworks.inputs.quantities import Quantity, check_answer, read_quantities
from modelworks.inputs.scenarios import Scenario, read_scenarios
from modelworks.inputs.stage_entries import StageEntry, read_stages
from modelworks.units import DAYS_PER_YEAR

FIELDS = (
    "title",
    "question",
    "model",
    "region",
    "time",
    "data",
    "calibration",
    "projection",
    "scenarios",
    "quantities",
    "decisions",
    "hub",
    "answer",
    "stages",
    "figures",
    "approval",
    "authors",
    "citation",
)
Sampler: TypeAlias = Literal["auto", "nuts", "laplace_is", "smc", "demcz", "pmmh", "abc", "sbi"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
# What is about a model, and means nothing without one.
OF_A_MODEL = ("time", "data", "calibration", "projection", "scenarios", "quantities", "decisions", "hub", "figures")
TIME_UNITS = ("days", "years")
USUAL_SOLVER = "rk4"

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}

# Ten thousand years of weeks; more rows than that are a slip in `every`.
MOST_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From when to when the model runs, and how far apart its reported outputs are, in `unit`.

    `solver` names how it is solved; `step` is its step, in `unit`, where that is part of the model.
    """

    unit: TimeUnit
    start: date
    end: date
    every: float
    solver: str
    step: float | None


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """How the posterior is drawn. Observations after `until` are held out; None holds out nothing.

    With `r_hat` or `effective_draws` the chains end as soon as every parameter has a smaller R-hat and more
    effective draws, and `draws` is the most of each. So they do where neither these nor `draws` are said; where only
    `draws` is, each makes them all. None is the usual number. After `time_limit` seconds the draws there are suffice.
    """

    sampler: Sampler = "auto"
    chains: int = 4
    draws: int | None = None
    warmup: int | None = None
    seed: int = 1
    until: date | None = None
    r_hat: float | None = None
    effective_draws: int | None = None
    time_limit: float | None = None
    distance: DistanceEntry | None = None
    inference: str = USUAL_INFERENCE


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """How many draws are carried into which scenarios (all, where empty), and until when; None is the study's end."""

    draws: int = 200
    end: date | None = None
    scenarios: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What `study.yaml` says of any study, with everything it extends; `stages` are the team's own.

    `places` has the line of every name, dotted (`time.start`); `history` what it overrode.
    """

    title: str
    question: str
    region: str | None
    answer: str | None
    stages: Mapping[str, StageEntry]
    authors: tuple[str, ...]
    citation: str | None
    approval: ApprovalSettings
    file: str
    places: Mapping[str, Place]
    history: Mapping[str, tuple[Earlier, ...]]

    def place(self, name: str) -> Place:
        """Where a dotted name stands, or the nearest name above it that is written."""
        while name:
            if name in self.places:
                return self.places[name]
            name = name.rpartition(".")[0]
        return Place(self.file, 1)


@dataclass(frozen=True)
class StudyFile(Question):
    """What `study.yaml` says of a study with a model, which is a path from the repository's root."""

    model: str
    time: TimeSpan
    data: Mapping[str, str]
    calibration: CalibrationSettings
    projection: ProjectionSettings
    scenarios: Mapping[str, Scenario]
    quantities: Mapping[str, Quantity]
    decisions: Mapping[str, Decision]
    hub: Hub | None
    figures: tuple[str, ...]


@dataclass(frozen=True)
class StudyDraft:
    """What could be read of a study's file: enough to check the other files against it.

    `study` is None while something in it is wrong.
    """

    study: Question | None
    time: TimeSpan | None
    data: Mapping[str, str]
    scenarios: Mapping[str, Scenario]
    quantities: Mapping[str, Quantity]
    places: Mapping[str, Place]
    stages: Mapping[str, StageEntry]

    @property
    def without_model(self) -> bool:
        """Whether the study is made of the team's own stages alone."""
        return "stages" in self.places and "model" not in self.places


def read_study_file(layers: Layers, letters: Letters) -> StudyDraft:
    """The study's file with all it extends; mistakes go into `letters`."""
    before = len(letters.collected)
    node = merged(layers.nodes)
    if node is None:
        return StudyDraft(None, None, {}, {}, {}, {}, {})
    fields = Fields(node, letters, "the study", FIELDS)
    title = fields.statement("title", "Influenza in an English boarding school, 1978", "Y121")
    question = fields.statement("question", "How contagious was influenza in a closed school?", "Y121")
    stages, where = read_stages(fields), dict(places(node))
    draft = StudyDraft(None, None, {}, {}, {}, where, stages)
    if draft.without_model:
        _check_without_model(fields, stages)
        if len(letters.collected) > before:
            return draft
        return replace(draft, study=Question(**_question(fields, title, question, stages, where, layers.file)))
    time = _time(fields)
    draft = StudyDraft(None, time, _data(fields), read_scenarios(fields), read_quantities(fields), where, stages)
    model, answer = _model(fields), fields.text("answer")
    calibration, projection = _calibration(fields, time), _projection(fields, time)
    _check_drawn(calibration, projection, draft.places, letters)
    asked, figures = _question(fields, title, question, stages, where, layers.file), fields.texts("figures")
    _check_scenario_names(draft, letters)
    check_chosen(projection.scenarios, draft.scenarios, fields.place("projection"), letters)
    decisions = read_decisions(fields, draft.quantities, draft.scenarios)
    hub = read_hub(fields)
    if answer is not None:
        told = (*draft.quantities, *(f"{name}{end}" for name in decisions for end in ("", "_knowing")))
        check_answer(answer, told, fields.place("answer"), letters)
    if len(letters.collected) > before or time is None:
        return draft
    study = StudyFile(
        **asked,
        model=model,
        time=time,
        data=draft.data,
        calibration=calibration,
        projection=projection,
        scenarios=MappingProxyType(dict(draft.scenarios)),
        quantities=MappingProxyType(dict(draft.quantities)),
        decisions=MappingProxyType(decisions),
        hub=hub,
        figures=figures,
    )
    return replace(draft, study=only_chosen(study))


def _question(
    fields: Fields,
    title: str | None,
    question: str | None,
    stages: Mapping[str, StageEntry],
    where: Mapping[str, Place],
    file: str,
) -> dict[str, Any]:
    """What every study says."""
    return {
        "title": title or "",
        "question": question or "",
        "region": _region(fields),
        "answer": fields.text("answer"),
        "stages": stages,
        "authors": fields.texts("authors"),
        "citation": fields.text("citation"),
        "approval": read_approval(fields),
        "file": file,
        "places": MappingProxyType(where),
        "history": MappingProxyType(dict(histories(fields.node))),
    }


def _check_without_model(fields: Fields, stages: Mapping[str, StageEntry]) -> None:
    """Nothing is said of a model that is not there; the answer names metrics of stages that have some."""
    for name in OF_A_MODEL:
        if name in fields:
            fields.say(
                "Y146",
                f"the study has `{name}`, but no model that it could be about",
                "take it out, or name the model, as in `model: models/influenza.py`",
                name,
            )
    measured = [name for name, entry in stages.items() if entry.output("metrics")]
    for stage, metric in re.findall(r"\{([^{}.]*)\.?([^{}]*)\}", fields.text("answer") or ""):
        if stage not in measured or not metric:
            fields.say(
                "Y126",
                f"the answer names `{{{stage}{'.' if metric else ''}{metric}}}`, which is no metric of a stage",
                f"write stage and metric, as in `{{{next(iter(measured or stages))}.accuracy}}`, where the stage has "
                "`metrics` among its outputs",
                "answer",
            )


def _model(fields: Fields) -> str:
    """The model's path from the repository's root; whether the file is there is for those who read it."""
    text = fields.statement("model", "models/influenza.py", "Y121") or ""
    path = PurePosixPath(text.replace("\\", "/"))
    if not text:
        return ""
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", text) or not is_a_path(text):
        fields.say(
            "Y131",
            f"the model `{shortened(text)}` does not lie in the repository",
            "write its path from the folder with modelworks.toml, as in `models/influenza.py`",
            "model",
        )
    return path.as_posix()


def _region(fields: Fields) -> str | None:
    """The region, which becomes part of a run's key and so of a path."""
    text = fields.text("region")
    if text is not None and not re.fullmatch(r"\w[\w -]{0,59}", text):
        fields.say(
            "Y139",
            f"`{text[:80]}` can not be a region",
            "use letters, digits, `-` and `_`, as in `marshall-islands`",
            "region",
        )
        return None
    return text


def _time(owner: Fields) -> TimeSpan | None:
    form = "{unit: days, start: 1978-01-21, end: 1978-02-10, every: 1}"
    if not owner.need("time", form):
        return None
    fields = owner.below("time", ("unit", "start", "end", "every", "solver", "step"), form)
    if not isinstance(owner.node.fields["time"], MappingNode):
        return None
    examples = {"unit": "days", "start": "1978-01-21", "end": "1978-02-10", "every": "1"}
    given = [fields.need(name, example) for name, example in examples.items()]
    unit = fields.choice("unit", TIME_UNITS)
    start, end, every = fields.day("start"), fields.day("end"), fields.number("every")
    if start is not None and end is not None and start >= end:
        fields.say(
            "Y125", f"the study begins on {start}, but ends on {end}", "exchange them, or check the years", "start"
        )
        return None
    if not all(given) or unit is None or start is None or end is None or every is None:
        return None
    length = (end - start).days / (1 if unit == "days" else DAYS_PER_YEAR)
    if not length / MOST_ROWS <= every <= length:
        fields.say(
            "Y123",
            f"outputs are reported every {every:g} {unit}, but the study lasts {length:g}",
            f"`every` is a number of {unit}, above 0 and at most the study's length",
            "every",
        )
        return None
    solver = fields.text("solver") or USUAL_SOLVER
    return TimeSpan(cast(TimeUnit, unit), start, end, every, solver, fields.number("step"))


def _data(fields: Fields) -> Mapping[str, str]:
    """The datasets the model is given, by the name it knows them by."""
    node = fields.mapping("data", "{population: malaysia-population}")
    if node is None:
        return MappingProxyType({})
    below = Fields(node, fields.letters, "the data of the study")
    found = {name: below.text(name) for name in node.fields if below.need(name, "malaysia-population")}
    return MappingProxyType({name: text for name, text in found.items() if text is not None})


def _calibration(owner: Fields, time: TimeSpan | None) -> CalibrationSettings:
    fields = owner.below(
        "calibration",
        (
            "sampler",
            "chains",
            "draws",
            "warmup",
            "seed",
            "until",
            "r_hat",
            "effective_draws",
            "time_limit",
            "distance",
            "inference",
        ),
        "{chains: 4, draws: 1000}",
    )
    usual = CalibrationSettings()
    until = fields.day("until")
    if until is not None and time is not None and not time.start < until <= time.end:
        fields.say(
            "Y125",
            f"the calibration goes until {until}, but the study from {time.start} to {time.end}",
            "move one of them; what is observed after `until` is held out",
            "until",
        )
    sampler = fields.choice("sampler", SAMPLERS, usual.sampler)
    return CalibrationSettings(
        sampler=cast(Sampler, sampler),
        chains=fields.whole("chains", 1, 128, usual.chains),
        draws=fields.whole("draws", 10, 1_000_000, 1000) if "draws" in fields else None,
        warmup=fields.whole("warmup", 0, 1_000_000, 500) if "warmup" in fields else None,
        seed=fields.whole("seed", 0, 2**63 - 1, usual.seed),
        until=until,
        r_hat=_r_hat(fields),
        effective_draws=fields.whole("effective_draws", 10, 1_000_000, 400) if "effective_draws" in fields else None,
        time_limit=_time_limit(fields),
        distance=read_distance(fields, sampler),
        inference=read_inference(fields, sampler),
    )


def _time_limit(fields: Fields) -> float | None:
    """How long a calibration may take, in seconds."""
    text = fields.text("time_limit")
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *(s|min|h)", text)
    if found is None or float(found[1]) == 0.0:
        fields.say(
            "Y123",
            f"`time_limit` is `{shortened(text)}`, but is a number above 0 of `s`, `min` or `h`",
            "write `time_limit: 10 min`",
            "time_limit",
        )
        return None
    return float(found[1]) * SECONDS[found[2]]


def _r_hat(fields: Fields) -> float | None:
    """The R-hat below which the chains agree."""
    limit = fields.number("r_hat")
    if limit is not None and not 1.0 < limit <= 1.1:
        fields.say(
            "Y123",
            f"`r_hat` is {limit:g}, but lies above 1 and is at most 1.1",
            "1.01 is usual; chains above 1.1 do not agree",
            "r_hat",
        )
        return None
    return limit


def _projection(owner: Fields, time: TimeSpan | None) -> ProjectionSettings:
    fields = owner.below("projection", ("draws", "end", "scenarios"), "{draws: 200}")
    end = fields.day("end")
    if end is not None and time is not None and end < time.end:
        fields.say(
            "Y125",
            f"the projection ends on {end}, before the study does on {time.end}",
            "move one of them; without `end` the projection ends with the study",
            "end",
        )
    draws = fields.whole("draws", 1, 100_000, ProjectionSettings().draws)
    return ProjectionSettings(draws, end, fields.texts("scenarios"))


def _check_drawn(
    calibration: CalibrationSettings, projection: ProjectionSettings, places: Mapping[str, Place], letters: Letters
) -> None:
    """No more draws are asked for than there are; the usual number is asked for by nobody."""
    if calibration.draws is None:
        return
    drawn, place = calibration.chains * calibration.draws, places.get("projection.draws")
    if place is not None and projection.draws > drawn:
        letters.add(
            "Y123",
            f"the projection is of {projection.draws:,} draws, but the calibration makes {drawn:,}: "
            f"{calibration.chains} chains of {calibration.draws:,}",
            hint=f"write `draws: {drawn}` or less under `projection:`, or more under `calibration:`",
            file=place.file,
            line=place.line,
        )


def _check_scenario_names(draft: StudyDraft, letters: Letters) -> None:
    """A quantity compares scenarios that are there; a scenario replaces data that the model is given."""

    def say(code: str, message: str, hint: str, place: Place) -> None:
        letters.add(code, message, hint=hint, file=place.file, line=place.line)

    for quantity in draft.quantities.values():
        for key in ("scenario", "minus", "divided_by"):
            name = getattr(quantity, key)
            if name is not None and name not in draft.scenarios:
                place = draft.places.get(f"quantities.{quantity.name}.{key}", quantity.place)
                say(
                    "Y128",
                    f"the quantity `{quantity.name}` names a scenario `{name}`, which is not there",
                    near(name, draft.scenarios),
                    place,
                )
    for scenario in draft.scenarios.values():
        for name in scenario.data:
            if name not in draft.data:
                say(
                    "Y127",
                    f"the scenario `{scenario.name}` replaces the data `{name}`, which the model is not given",
                    near(name, draft.data),
                    scenario.places[name],
                )
