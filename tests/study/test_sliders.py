"""Every slider of the example studies: what is begun where it first has a part is the whole run, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelworks.model import KnownRuns, run_many
from modelworks.study.binding._binding import bind
from modelworks.study.binding._questions import projection_times
from modelworks.study.inquiries._controls import as_scenario, controls_of
from modelworks.study.projection._scenario_runs import changed_draws

STUDIES = Path(__file__).parents[2] / "examples" / "studies"
DRAWS = 4
# When each slider first has a part, in the model's time: January 2017 and 2022; the weeks in which schools open and
# Delta comes, in days from 7 December 2020; and from the start.
BEGINS = {
    "boarding-school": {"times.contact_rate": 0.0},
    "marshall-islands-tb": {"past_campaigns": 2017.0, "future_campaigns": 2022.0},
    "malaysia-covid": {"schools_open": 42.0, "arrivals_delta": 126.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BEGINS)
def test_a_slider_begins_in_the_midst_of_known_runs(name: str) -> None:
    study = bind(STUDIES / name)
    drawn = study.prior_draws(np.random.default_rng(7), DRAWS)
    model = study.simulator(projection_times(study.inputs, study.calendar))
    draws = {each: drawn[each] if each in drawn else np.full(DRAWS, study.fixed[each]) for each in model.parameters}
    controls = [each for each in controls_of(study, draws) if each.kind != "choice"]
    names = [member for each in controls for member in study.members(each.about)]
    rows = model.given(np.column_stack([draws[each] for each in model.parameters]))
    known = KnownRuns(model.compiled, rows, names)
    found = {each.name: min(known.begin(member) for member in study.members(each.about)) for each in controls}
    assert found == BEGINS[name]
    for control in controls:
        for value in (control.low, 0.3 * control.low + 0.7 * control.high, control.high):
            scenario = as_scenario(study, tuple(controls), {control.name: value})
            changed = changed_draws(study, scenario, draws)
            moved = model.given(np.column_stack([changed[each] for each in model.parameters]))
            assert (known.run(moved, np.arange(DRAWS)) == run_many(model.compiled, moved)).all()
