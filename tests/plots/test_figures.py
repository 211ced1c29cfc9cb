"""Every figure: valid Vega-Lite, small, quick, readable, and honest about what it leaves out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelworks import plots
from modelworks.errors import ModelworksError
from modelworks.plots import Figure
from modelworks.plots._panels import MOST_POINTS

CHAINS, DRAWS = 4, 1000
WEEKS = ["2021-01-04", "2021-01-11", "2021-01-18"]
LABELS = {"in_bed": "Boys in bed", "contact_rate": "Contact rate (per day)", "baseline": "As it happened"}


def quantiles(output: str, first: str = "1978-01-21", days: int = 20, level: float = 100, **more: str) -> pd.DataFrame:
    """An epidemic with its uncertainty."""
    middle = level * np.exp(-(((np.arange(days) - days / 2) / (days / 6)) ** 2)) + 1
    spread = {"q025": 0.7, "q25": 0.9, "q50": 1.0, "q75": 1.1, "q975": 1.3}
    return pd.DataFrame(
        {
            "output": output,
            "time": pd.date_range(first, periods=days),
            **{name: middle * factor for name, factor in spread.items()},
            **more,
        }
    )


def observed(output: str = "in_bed", held_out: int = 0) -> pd.DataFrame:
    """Fourteen days of it."""
    return pd.DataFrame(
        {
            "target": output,
            "output": output,
            "time": pd.date_range("1978-01-22", periods=14),
            "value": [3.0, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4],
            "included": [index < 14 - held_out for index in range(14)],
        }
    )


def draws(parameters: int = 3, key: int = 1) -> dict[str, Any]:
    """Independent draws of a few parameters."""
    random = np.random.default_rng(key)
    names = ["contact_rate", "recovery_rate", "overdispersion"] + [f"rate_{index}" for index in range(40)]
    return {name: random.gamma(4, 0.1, size=(CHAINS, DRAWS)) for name in names[:parameters]}


def scenario_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    levels = {"baseline": 100.0, "schools_closed": 60.0, "earlier": 40.0}
    tables = [quantiles("in_bed", scenario=name, level=level) for name, level in levels.items()]
    changes = [quantiles("in_bed", scenario=name, level=level - 100) for name, level in levels.items()]
    return pd.concat(tables), pd.concat(changes)


FIGURES: dict[str, Callable[[], Figure]] = {
    "calibration_ranks": lambda: plots.figure("calibration_ranks")(
        {
            "contact_rate": SimpleNamespace(
                at=np.linspace(0.1, 0.9, 9),
                found=np.linspace(0.15, 0.95, 9),
                low=np.linspace(0, 0.8, 9),
                high=np.linspace(0.2, 1, 9),
            )
        }
    ),
    "sensitivity": lambda: plots.figure("sensitivity")(
        pd.DataFrame({"parameter": ["rate", "delay"], "at_low": [1.0, 2.5], "at_high": [4.0, 2.1]}), 2.0
    ),
    "reproduction_number": lambda: plots.figure("reproduction_number")(
        quantiles("rt", level=1.5), pd.DataFrame({"time": pd.date_range("1978-01-21", periods=20), "value": range(20)})
    ),
    "confusion_matrix": lambda: plots.figure("confusion_matrix")(
        pd.DataFrame({"actual": ["a", "a", "b"], "predicted": ["a", "b", "b"], "count": [8, 2, 5]})
    ),
    "contacts": lambda: plots.figure("contacts")(
        {"home": [[1.0, 0.5], [0.5, 2.0]], "school": np.ones((9, 9))},
        {"home": ["young", "old"], "school": [f"age {age}" for age in range(9)]},
        labels=LABELS,
    ),
    "correlation": lambda: plots.figure("correlation")(draws(), labels=LABELS),
    "dataset": lambda: plots.figure("dataset")(
        pd.DataFrame({"day": WEEKS, "place": ["n", "s", "n"], "cases": 3.0}),
        ["cases"],
        day="day",
        by=["place"],
    ),
    "fit": lambda: plots.figure("fit")(
        pd.concat([quantiles("in_bed"), quantiles("recovering")]),
        pd.concat([observed(held_out=3), observed("recovering")]),
        predictive=quantiles("in_bed"),
        labels=LABELS,
    ),
    "groups": lambda: plots.figure("groups")(
        {"rate": dict(zip(WEEKS, draws().values(), strict=True)), "told": {"north": [1.0, 2.0], "south": [2.0, 5.0]}},
        {
            "rate": dict(zip(WEEKS, draws(key=2).values(), strict=True)),
            "told": {"north": [0.0, 9.0], "south": [1.0, 9.0]},
        },
        labels={"rate": "Contact rate (per day)", "told": "Told"},
    ),
    "compared": lambda: plots.figure("compared")(
        pd.concat([quantiles("in_bed", run="62e754"), quantiles("in_bed", run="d23848", level=120)]), labels=LABELS
    ),
    "outputs": lambda: plots.figure("outputs")(quantiles("in_bed"), labels=LABELS),
    "overlay": lambda: plots.figure("overlay")({"As it is": draws(), "Changed": draws(key=2)}, labels=LABELS),
    "pairs": lambda: plots.figure("pairs")(draws(), diverging=np.eye(CHAINS, DRAWS, dtype=bool), labels=LABELS),
    "prior_posterior": lambda: plots.figure("prior_posterior")(
        draws(), {"contact_rate": np.random.default_rng(3).standard_cauchy(1000)}, labels=LABELS
    ),
    "prior_predictive": lambda: plots.figure("prior_predictive")(
        quantiles("in_bed"), observed(held_out=2), quantiles("in_bed", level=140), labels=LABELS
    ),
    "priors": lambda: plots.figure("priors")(
        {"contact_rate": np.random.default_rng(3).standard_cauchy(1000)}, labels=LABELS
    ),
    "ranks": lambda: plots.figure("ranks")(draws(), labels=LABELS),
    "reliance": lambda: plots.figure("reliance")(
        pd.DataFrame(
            {
                "name": [each for each in ("averted", "deaths") for _ in range(9)],
                "kind": ["prior", "series", "prior"] * 6,
                "source": [f"source_{k}" for k in range(9)] * 2,
                "distance": np.linspace(0.3, 0.0, 18),
            }
        ),
        labels={"averted": "Deaths averted"},
    ),
    "scenarios": lambda: plots.figure("scenarios")(*scenario_tables(), labels=LABELS),
    "strata": lambda: plots.figure("strata")(
        pd.concat([quantiles("deaths", stratum=f"age {age}", level=30.0 + age) for age in range(9)]), labels=LABELS
    ),
    "thresholds": lambda: plots.figure("thresholds")(
        pd.DataFrame(
            {
                "name": "beds",
                "scenario": ["baseline"] * 20 + ["closed"] * 20,
                "time": list(pd.date_range("2021-01-01", periods=20)) * 2,
                "that_day": np.tile(np.linspace(0, 0.5, 20), 2),
                "by_then": np.tile(np.linspace(0, 0.9, 20), 2),
            }
        ),
        labels=LABELS,
    ),
    "traces": lambda: plots.figure("traces")(draws(), labels=LABELS),
}


@pytest.fixture(scope="module")
def schema() -> Any:
    """A validator of Vega-Lite's own schema, which comes with Altair."""
    import importlib.resources

    import jsonschema

    text = importlib.resources.files("altair.vegalite.v6.schema").joinpath("vega-lite-schema.json").read_text()
    return jsonschema.Draft7Validator(json.loads(text))


@pytest.fixture(scope="module", params=sorted(FIGURES))
def drawn(request: pytest.FixtureRequest) -> Figure:
    return FIGURES[request.param]()


def everything(spec: Any) -> Iterator[Any]:
    """Every value of a spec, at any depth."""
    yield spec
    for inner in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        yield from everything(inner)


def rows(spec: Any) -> Iterator[int]:
    """How many rows each data set of a spec unfolds to."""
    for part in everything(spec):
        if isinstance(part, dict) and "data" in part:
            first, *others = part["data"]["values"]
            yield max([len(each) for each in first.values() if isinstance(each, list)], default=1 + len(others))


def test_every_figure_is_tried_here() -> None:
    """A new file in `plots/` is found by its name, and so by this list."""
    assert set(FIGURES) == set(plots.names()) == set(plots.figures())


@pytest.mark.slow
def test_a_spec_is_valid_vega_lite(drawn: Figure, schema: Any) -> None:
    """As a whole and in each panel, so that any page that knows Vega-Lite can show it."""
    for spec in (drawn.spec, *drawn.panels[:2]):
        schema.validate(json.loads(json.dumps(spec)))


@pytest.mark.slow
def test_a_figure_becomes_a_picture(drawn: Figure) -> None:
    """With no browser and no network."""
    picture = drawn.png(scale=1)
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[start : start + 4], "big") for start in (16, 20))
    assert 200 < width < 1100
    assert 100 < height < 1300
    assert drawn.svg.startswith("<svg")


def test_a_spec_is_json_and_stays_small(drawn: Figure) -> None:
    """A report holds ten of them and opens on a phone."""
    assert json.loads(drawn.json()) == json.loads(json.dumps(drawn.spec))
    assert len(drawn.json()) < 100_000
    assert max(rows(drawn.spec)) <= MOST_POINTS


def test_a_caption_says_what_to_look_for(drawn: Figure) -> None:
    """One that only names the axes leaves the reader alone; and a screen reader gets it too."""
    assert drawn.caption.endswith(".")
    assert 30 < len(drawn.caption) < 450
    assert drawn.spec["description"] == drawn.caption


def test_nothing_is_fetched(drawn: Figure) -> None:
    """The only address is the name of the grammar."""
    assert re.findall(r"https?://[^\"']+", drawn.json()) == [drawn.spec["$schema"]]


def test_no_type_is_smaller_than_twelve_pixels(drawn: Figure) -> None:
    """Figures are read on phones and by tired eyes."""
    sizes = [
        value
        for part in everything(drawn.spec)
        if isinstance(part, dict)
        for key, value in part.items()
        if key.lower().endswith("fontsize")
    ]
    assert sizes
    assert min(sizes) >= 12


def test_panels_are_as_wide_as_what_holds_them(drawn: Figure) -> None:
    """On a phone they stand below each other; only the grid of pairs has to stay whole."""
    if drawn.name == "pairs":
        assert drawn.panels == (drawn.spec,)
    else:
        assert {panel["width"] for panel in drawn.panels} == {"container"}
        assert all({"$schema", "config", "description"} <= set(panel) for panel in drawn.panels)


def test_the_same_data_give_the_same_figure() -> None:
    """Run folders are compared byte by byte."""
    assert all(draw().json() == draw().json() for draw in FIGURES.values())


def test_labels_are_what_the_reader_sees() -> None:
    """Titles with units come from the caller; a name without one loses its underscores."""
    text = FIGURES["traces"]().json()
    assert "Contact rate (per day)" in text
    assert "Recovery rate" in text
    assert "recovery_rate" not in text


def test_a_figure_is_drawn_in_a_blink() -> None:
    """A tenth of a second for the slowest, once its modules are loaded; the dashboard draws them all at each change."""
    for draw in FIGURES.values():
        draw()
    for name, draw in FIGURES.items():
        durations = []
        for _ in range(3):
            start = time.process_time()
            draw()
            durations.append(time.process_time() - start)
        assert min(durations) < 0.15, name


def test_long_series_are_thinned_and_keep_their_ends() -> None:
    """Thirty years of days are more than a panel has pixels."""
    table = quantiles("in_bed", first="1990-01-01", days=11_000)
    spec = plots.figure("outputs")(table).spec
    assert max(rows(spec)) <= MOST_POINTS
    times = spec["data"]["values"][0]["time"]
    assert times[0] == table["time"].iloc[0].timestamp() * 1000
    assert times[-1] == table["time"].iloc[-1].timestamp() * 1000


def test_of_many_parameters_those_that_disagree_are_shown() -> None:
    """A chain that went astray must not hide on the second page; and the caption owns up to the choice."""
    many = draws(30)
    many["rate_20"][3] += 5
    figure = plots.figure("traces")(many)
    assert "Rate 20" in figure.json()
    assert "Of 30 parameters" in figure.caption
    assert "Thinned from 4,000" in figure.caption


def test_dates_do_not_move_with_the_reader() -> None:
    """Midnight in UTC is yesterday in California: dates are numbers and every scale of time is UTC."""
    spec = FIGURES["fit"]().spec
    scales = [part["scale"]["type"] for part in everything(spec) if isinstance(part, dict) and is_time_scale(part)]
    assert set(scales) == {"utc"}
    assert (
        spec["concat"][0]["layer"][-1]["data"]["values"][0]["time"][0] == pd.Timestamp("1978-01-22").timestamp() * 1000
    )


def is_time_scale(part: dict[str, Any]) -> bool:
    return part.get("type") == "temporal" and "scale" in part


def test_held_out_points_are_marked() -> None:
    """The reader must see what the model was not shown."""
    figure = FIGURES["fit"]()
    kinds = figure.spec["concat"][0]["layer"][-1]["data"]["values"][0]["kind"]
    assert kinds.count("held out") == 3
    assert "held out" in figure.caption
    assert "held out" not in plots.figure("fit")(quantiles("in_bed"), observed()).caption


def test_the_axis_reaches_the_last_observation() -> None:
    """A week's count lies at noon: an axis to the day's beginning would cut the line off before the point."""
    table = quantiles("in_bed").assign(time=lambda rows: rows["time"] + pd.Timedelta("12h"))
    points = observed().assign(time=lambda rows: rows["time"] + pd.Timedelta("12h"))
    spec = plots.figure("fit")(table.iloc[:15], points, predictive=table.iloc[:15]).spec
    ends = {
        tuple(part["scale"]["domain"]) for part in everything(spec) if isinstance(part, dict) and is_time_scale(part)
    }
    assert {end for _, end in ends} == {pd.Timestamp("1978-02-04 12:00").timestamp() * 1000}


def test_months_are_short_and_the_year_stands_below_the_first() -> None:
    """On a phone a longer name would leave ticks without one."""
    spec = plots.figure("outputs")(quantiles("in_bed", days=140)).spec
    axis = spec["layer"][0]["encoding"]["x"]["axis"]
    assert "datum.index === 0" in axis["labelExpr"]
    assert axis["labelOverlap"] == "parity"


def test_scenarios_of_the_same_effect_are_both_seen() -> None:
    """Lines on top of each other differ in their dashes; and one legend a column is enough."""
    tables, changes = scenario_tables()
    deaths = [each.assign(output="deaths") for each in (tables, changes)]
    spec = plots.figure("scenarios")(pd.concat([tables, deaths[0]]), pd.concat([changes, deaths[1]])).spec
    lines = [panel["layer"][1]["encoding"] for panel in spec["concat"]]
    dashes = lines[0]["strokeDash"]["scale"]["range"]
    assert dashes[1] != dashes[2]
    assert [line["color"]["legend"] is None for line in lines] == [False, False, True, True]


def test_a_single_observation_stands_within_a_curve() -> None:
    """A survey of one year in a model of a century shows the years around it, not one pixel."""
    table = quantiles("in_bed", first="1978-01-01", days=300)
    spec = plots.figure("fit")(table, observed().iloc[[6]]).spec
    assert 10 <= len(spec["layer"][0]["data"]["values"][0]["time"]) <= 20


def test_what_was_foreseen_of_a_single_moment_is_seen() -> None:
    """An area over one moment has no width, and a line no length: the drawing has bars of 30 pixels there instead."""
    point = observed().iloc[[5]]
    there = quantiles("in_bed", str(point["time"].iloc[0].date()), 1)
    figure = plots.figure("prior_predictive")(there, point, there)
    tall = re.findall(r'<line [^>]*stroke-width="30"', figure.svg)
    # Of the draws 95% and 50%, and of new observations 95%.
    assert len(tall) == 3
    assert "27 Jan" in figure.svg


def test_an_observation_may_come_with_its_own_interval() -> None:
    """A survey reports one, and the reader should see it."""
    with_interval = observed().assign(low=1.0, high=300.0)
    spec = plots.figure("fit")(quantiles("in_bed"), with_interval).spec
    assert spec["layer"][-1]["layer"][0]["mark"]["type"] == "rule"


def test_missing_values_leave_a_gap() -> None:
    """NaN is not JSON, and 0 would be a lie."""
    table = quantiles("in_bed")
    table.loc[3, ["q025", "q50"]] = np.nan
    figure = plots.figure("outputs")(table)
    assert figure.spec["data"]["values"][0]["q50"][3] is None
    assert "NaN" not in figure.json()


def test_a_parameter_that_never_moved_can_be_drawn() -> None:
    """It is exactly then that somebody looks at the figures."""
    stuck = {"contact_rate": np.full((4, 100), 1.7), "recovery_rate": np.random.default_rng(1).normal(size=(4, 100))}
    for name in ("traces", "ranks", "pairs", "correlation"):
        assert plots.figure(name)(stuck).png(scale=1)
    assert plots.figure("prior_posterior")(stuck, {"contact_rate": np.linspace(0, 3, 500)}).png(scale=1)


def test_the_baseline_comes_first_and_differs_from_nothing() -> None:
    """Its difference from itself is no news."""
    spec = FIGURES["scenarios"]().spec
    both, change = spec["concat"]
    assert both["layer"][1]["encoding"]["color"]["scale"]["domain"][0] == "As it happened"
    assert set(change["data"]["values"][0]["scenario"]) == {"Schools closed", "Earlier"}


@pytest.mark.parametrize(
    ("draw", "code", "words"),
    [
        (lambda: plots.figure("outputs")(quantiles("in_bed").rename(columns={"q50": "q5"})), "G201", "q50"),
        (lambda: plots.figure("outputs")(quantiles("in_bed").iloc[:0]), "G202", "no rows"),
        (lambda: plots.figure("outputs")(quantiles("in_bed"), outputs=["in_bad"]), "G203", "in_bed"),
        (lambda: plots.figure("fit")(quantiles("in_beds"), observed()), "G203", "in_beds"),
        (lambda: plots.figure("traces")({}), "G202", "nothing"),
        (lambda: plots.figure("traces")(draws(), parameters=["contact_rat"]), "G203", "contact_rate"),
        (lambda: plots.figure("correlation")(draws(1)), "G202", "two"),
        (lambda: plots.figure("scenarios")(*scenario_tables(), baseline="base"), "G203", "baseline"),
        (lambda: plots.figure("trace"), "G204", "traces"),
    ],
)
def test_what_can_not_be_drawn_is_a_letter(draw: Callable[[], Figure], code: str, words: str) -> None:
    """With the near name in the hint, and never a traceback of pandas."""
    with pytest.raises(ModelworksError) as raised:
        draw()
    assert raised.value.codes == (code,)
    assert words in str(raised.value)
