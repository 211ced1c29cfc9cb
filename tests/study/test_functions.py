"""A study whose model is a function: agents, or any simulator that gives series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.inputs.distances import SUMMARIES as DECLARED
from modelworks.model import FunctionModel, FunctionOutput, FunctionRuns, Parameter
from modelworks.study import run_study
from modelworks.study.binding._binding import bind
from modelworks.study.binding._compared import SUMMARIES
from modelworks.study.jobs._estimate import _of_the_model

MODEL = """
import numpy as np
from modelworks.model import FunctionModel, FunctionOutput, Parameter


def simulate(values, times, key):
    heads = key.binomial(5, values["chance"], size=times.size)
    heads[0] = 0
    return {"heads": heads, "chance": np.full(times.size, values["chance"])}


def compare(observed):
    return [observed["heads"].sum()]


model = FunctionModel(
    "coin",
    simulate,
    [Parameter("chance", "probability", lower=0, upper=1)],
    {"heads": FunctionOutput("people", counts_events=True), "chance": FunctionOutput("proportion")},
)
"""

STUDY = """
title: A coin
question: Is it fair?
model: models/coin.py
time: {unit: days, start: 2021-01-01, end: 2021-01-22, every: 1}
calibration:
  sampler: abc
  chains: 2
  draws: 500
  distance: {summaries: {heads: [sum]}, tolerance: 0.1}
projection: {draws: 20}
scenarios:
  baseline: {title: As it is}
  same: {title: The same again, parameters: {chance: {multiply: 1.0}}}
quantities:
  all: {title: Heads in all, output: heads, statistic: sum, unit: people}
"""

# Three weeks of 35 throws.
TARGETS = """
heads:
  output: heads
  unit: people
  covers: week
  values: {2021-01-01: 10, 2021-01-08: 14, 2021-01-15: 9}
  source: a test
  likelihood: exact
"""


def written(root: Path, *changes: tuple[str, str, str]) -> Path:
    """The folder of the study, with texts of its files replaced: which file, what, by what."""
    files = {
        "modelworks.toml": "",
        "models/coin.py": MODEL,
        "studies/coin/study.yaml": STUDY,
        "studies/coin/targets.yaml": TARGETS,
        "studies/coin/parameters.yaml": "chance: {prior: {beta: {a: 1, b: 1}}, unit: probability, source: a test}\n",
    }
    for name, old, new in changes:
        path = next(each for each in files if each.endswith(name))
        assert old in files[path]
        files[path] = files[path].replace(old, new)
    (root / "data").mkdir()
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root / "studies" / "coin"


@pytest.mark.slow
def test_a_coin_has_its_conjugate_posterior(tmp_path: Path) -> None:
    """33 heads of 105 throws: their sum is all there is to know, and a uniform prior leaves a beta distribution."""
    run = run_study(written(tmp_path), quiet=True).run
    assert run is not None
    found = Posterior.read(run.path / "calibrate" / "posterior.nc").draws("chance")
    expected = beta(34, 73)
    assert found.mean() == pytest.approx(expected.mean(), abs=0.2 * expected.std())
    assert found.std() == pytest.approx(expected.std(), rel=0.15)
    told = json.loads((run.path / "diagnose" / "diagnosis.json").read_text("utf-8"))
    assert told["verdict"] != "fine"
    assert any("within a distance of" in each["reason"] for each in told["checks"])
    quantities = json.loads((run.path / "project" / "quantities.json").read_text("utf-8"))
    assert quantities["all"]["median"] == pytest.approx(105 * expected.mean(), rel=0.15)
    # Scenarios throw the same dice.
    import pandas as pd

    differences = pd.read_parquet(run.path / "project" / "differences.parquet")
    assert (differences[["q025", "q50", "q975"]] == 0).all(axis=None)
    page = (run.path / "report.html").read_text("utf-8")
    assert "numbers in the function" in page
    assert "compared by its sum" in page


@pytest.mark.slow
def test_without_a_key_it_is_calibrated_by_its_likelihood(tmp_path: Path) -> None:
    """The same model of what is expected, whose posterior has a closed form."""
    folder = written(
        tmp_path,
        ("coin.py", "(values, times, key)", "(values, times)"),
        ("coin.py", 'key.binomial(5, values["chance"], size=times.size)', 'np.full(times.size, 5 * values["chance"])'),
        ("study.yaml", "  sampler: abc\n", ""),
        ("study.yaml", "  distance: {summaries: {heads: [sum]}, tolerance: 0.1}\n", ""),
        ("targets.yaml", "likelihood: exact", "likelihood: poisson"),
    )
    run = run_study(folder, until="calibrate", quiet=True).run
    assert run is not None
    told = json.loads((run.path / "calibrate" / "calibration.json").read_text("utf-8"))
    assert told["sampler"] == "demcz"
    found = Posterior.read(run.path / "calibrate" / "posterior.nc").draws("chance")
    # A Poisson likelihood of 33 given 105 times the chance: a gamma distribution, of which hardly any lies above one.
    assert found.mean() == pytest.approx(34 / 105, rel=0.03)
    assert found.std() == pytest.approx(np.sqrt(34) / 105, rel=0.1)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("study.yaml", "sampler: abc", "sampler: nuts"), "Y160", "nuts takes the likelihood"),
        (("study.yaml", "sampler: abc", "sampler: pmmh"), "Y160", "pmmh takes the likelihood"),
        (("study.yaml", "[sum]", "[total]"), "Y160", "`total` is no summary"),
        (("study.yaml", "{heads: [sum]}", "{head: [sum]}"), "Y162", "did you mean `heads`?"),
        (("study.yaml", "{heads: [sum]}", "comparing"), "Y162", "did you mean `compare`?"),
        (("study.yaml", "tolerance: 0.1", "tolerance: -1"), "Y160", "no distance is below 0"),
        (("study.yaml", "  draws: 500", "  draws: 500\n  inference: flow"), "Y160", "write `sampler: sbi`"),
        (("study.yaml", "every: 1}", "every: 1, solver: rk4}"), "Y209", "is a function, which needs none"),
        (
            (
                "study.yaml",
                "sampler: abc\n  chains: 2\n  draws: 500\n  distance: {summaries: {heads: [sum]}, tolerance: 0.1}",
                "sampler: pmmh",
            ),
            "Y209",
            "runs by chance and as a whole",
        ),
        (("coin.py", "times, key)", "times, dice)"), "M154", "is not called `key`"),
        (("coin.py", '"proportion")', '"shares")'), "P121", "`shares`"),
        (("targets.yaml", "output: heads", "output: tails"), "T201", "`tails`"),
        (("parameters.yaml", "chance:", "chances:"), "P202", "`chance`"),
    ],
)
def test_mistakes_of_such_a_study_are_letters(
    tmp_path: Path, change: tuple[str, str, str], code: str, words: str
) -> None:
    with pytest.raises(ModelworksError) as raised:
        bind(written(tmp_path, change))
    assert code in raised.value.codes
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ('"heads": heads,', '"head": heads,', "S130", "did you mean `head`?"),
        ("size=times.size)", "size=times.size - 1)", "S130", "asked for 22 times"),
        ("    heads[0] = 0\n", "    heads[0] = 1\n", "S130", "events of `heads` at the start"),
        ('values["chance"])}', "np.nan)}", "S130", "as nan at the time 0"),
        (
            "key.binomial(5",
            "key.binomial(five",
            "S129",
            "NameError: name 'five' is not defined, at chance = 0.5 (coin.py, line 7)",
        ),
    ],
)
def test_what_a_function_does_wrong_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, code: str, words: str
) -> None:
    with pytest.raises(ModelworksError) as raised:
        run_study(written(tmp_path, ("coin.py", old, new)), until="simulate", quiet=True)
    assert raised.value.codes == (code,)
    assert words in str(raised.value)


def test_an_estimate_knows_how_many_runs_a_distance_takes(tmp_path: Path) -> None:
    """They are as many whatever number of draws is asked for."""
    _, said = _of_the_model(bind(written(tmp_path)), 1)
    assert said.endswith("times 20,000")


def test_every_summary_that_is_declared_is_there() -> None:
    assert set(DECLARED) == set(SUMMARIES)


def test_a_study_may_ask_for_other_times_than_the_grid() -> None:
    """Events between two times add up to all of them, however the time is cut."""

    def simulate(values: dict[str, float], times: np.ndarray) -> dict[str, np.ndarray]:
        return {"born": np.append(0.0, np.full(times.size - 1, values["births"])), "age": times}

    outputs = {"born": FunctionOutput(counts_events=True), "age": FunctionOutput("days")}
    model = FunctionModel("births", simulate, [Parameter("births", "people")], outputs, step=2.0)
    found = FunctionRuns(model, np.array([10.0, 11.0, 14.0, 17.5])).run({"births": 6.0}, np.random.default_rng(1))
    np.testing.assert_allclose(found, [[0, 10], [3, 11], [9, 14], [10.5, 17.5]])
