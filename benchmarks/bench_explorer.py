"""A slider of the scenario explorer: from the question that a browser asks to the answer that it draws.

The website is in this process and the model in its child, as for any reader; only the network is left out. What is
allowed is what a person takes for at once, and three times that for the largest of the examples. Of the model alone,
runs that are begun where the slider first has a part are compared with whole ones.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from bench_website import reader_token
from measurement import Measurement, compared, seconds_each
from starlette.testclient import TestClient

from modelworks.model import CompiledModel, KnownRuns, run_many
from modelworks.runs import Run
from modelworks.study import run_study
from modelworks.study.binding._binding import bind
from modelworks.study.binding._questions import projection_times
from modelworks.website import create_app, read_settings

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# By study: the slider, between which values it is moved, and how many milliseconds an answer may take.
MOVED = {
    "boarding-school": ("times.contact_rate", 0.6, 1.0, 100.0),
    "marshall-islands-tb": ("future_campaigns", 0.0, 1.0, 100.0),
    "malaysia-covid": ("schools_open", 0.0, 1.0, 300.0),
}
ANSWERS = 25
DRAWS = 200


def measure() -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "ours"
        shutil.copytree(EXAMPLES, root, ignore=shutil.ignore_patterns("runs", "site", ".*", "__pycache__"))
        yield from measure_in(root, {name: _made(root / "studies" / name) for name in MOVED})


def measure_in(root: Path, runs: Mapping[str, Run]) -> Iterator[Measurement]:
    """The same for runs that are there."""
    app = create_app(read_settings(root))
    with TestClient(app, headers={"Authorization": f"Bearer {reader_token(root)}"}) as browser:
        workspace = app.state.house.workspace("ours")
        for study, run in runs.items():
            address = f"/w/ours/runs/{run.id}/explore.json"
            # The first answer starts the child and builds the model.
            browser.get(address).raise_for_status()
            yield from _answers(browser, address, study, partial(workspace.of_run, run, time.process_time))
            yield _begun(root / "studies" / study)


def _answers(browser: TestClient, address: str, study: str, of_child: Callable[[], float]) -> Iterator[Measurement]:
    """The fastest of some answers, for whatever else the machine does can only add; and the processor's time of all."""
    name, low, high, allowed = MOVED[study]
    waited, modelled = [], []
    of_page, of_model = time.process_time(), of_child()
    # Inside of the range: what stands at its baseline is not moved.
    for value in np.linspace(low, high, ANSWERS + 2)[1:-1]:
        began = time.perf_counter()
        answer = browser.get(address, params={name: f"{value:.6g}", f"set.{name}": "on"})
        waited.append(time.perf_counter() - began)
        modelled.append(answer.raise_for_status().json()["seconds"])
    of_model, of_page = of_child() - of_model, time.process_time() - of_page
    fastest = int(np.argmin(waited))
    title = f"explorer: a moved slider, {study}"
    yield compared(title, waited[fastest] * 1e3, "ms", "what is allowed", allowed)
    yield Measurement(f"{title}, but for the model", (waited[fastest] - modelled[fastest]) * 1e3, "ms")
    yield Measurement(f"{title}, processor's time of the model", of_model / ANSWERS * 1e3, "ms")
    yield Measurement(f"{title}, processor's time of the page", of_page / ANSWERS * 1e3, "ms")


def _begun(study: Path) -> Measurement:
    """The runs behind one answer, on one core, for draws of what is believed beforehand."""
    name, low, high, _ = MOVED[study.name]
    bound = bind(study)
    model = bound.simulator(projection_times(bound.inputs, bound.calendar))
    compiled, believed = model.compiled, bound.prior_draws(np.random.default_rng(1), DRAWS)
    assert isinstance(compiled, CompiledModel)
    draws = [believed[each] if each in believed else np.full(DRAWS, bound.fixed[each]) for each in model.parameters]
    rows = model.given(np.column_stack(draws))
    parameter = name.removeprefix("times.")
    place, moved = compiled.parameters.index(parameter), rows.copy()
    moved[:, place] = (low + high) / 2 * (rows[:, place] if parameter != name else 1.0)
    known, everything = KnownRuns(compiled, rows, [parameter]), np.arange(DRAWS)
    begun = seconds_each(lambda: known.run(moved, everything, cores=1))
    whole = seconds_each(lambda: run_many(compiled, moved, cores=1))
    title = f"explorer: {DRAWS} runs begun where {parameter} has a part"
    return compared(title, begun * 1e3, "ms", "whole runs", whole * 1e3)


def _made(study: Path) -> Run:
    run = run_study(study, until="project", quiet=True).run
    assert run is not None, "nothing of the study was made before"
    return run
