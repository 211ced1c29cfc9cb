"""What would be if: the run's own draws through the run's own model, equal to what the run recorded where it did."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelworks.calibration import Posterior
from modelworks.errors import ModelworksError
from modelworks.runs import Run, Store
from modelworks.study import Explorer, explorer_of, read_moved, run_study
from modelworks.study.inquiries import _explorer
from modelworks.study.projection._projection import thinned


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    _explorer._KEPT.clear()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one run of all tests is kept, once one has made it."""
    return tmp_path_factory.mktemp("made") / "runs"


@pytest.fixture
def run(repository: Path, quick: Path, made: Path) -> Run:
    """A run of a quick study; 40 of its draws were carried into the scenarios."""
    if not made.exists():
        run_study(quick, until="project", quiet=True)
        shutil.copytree(repository / "runs", made)
    else:
        shutil.copytree(made, repository / "runs")
    return Store(repository / "runs").runs()[0]


def codes(call: object) -> tuple[str, ...]:
    with pytest.raises(ModelworksError) as caught:
        call()  # type: ignore[operator]
    return caught.value.codes


def recorded(run: Run, table: str, scenario: str, output: str) -> pd.DataFrame:
    found = pd.read_parquet(run.path / "project" / f"{table}.parquet")
    return found[(found["scenario"] == scenario) & (found["output"] == output)]


def test_the_answer_at_a_declared_scenario_is_the_recorded_one(run: Run, quick: Path) -> None:
    """Also when the working folder has long become something else."""
    model = quick.parents[1] / "models" / "influenza.py"
    model.write_text("raise RuntimeError('not the model of the run')\n", encoding="utf-8")
    explorer = Explorer(run)
    assert explorer.unlike == ""
    for scenario, moved in explorer.scenarios.items():
        for ribbon in explorer.answer(moved, explorer.outputs, all_draws=True).ribbons:
            then = recorded(run, "outputs", scenario, ribbon.output)
            for k, level in enumerate(("q025", "q25", "q50", "q75", "q975")):
                np.testing.assert_allclose(ribbon.explored[k], then[level], rtol=1e-9, atol=1e-9)
            assert (ribbon.times == then["time"].to_numpy().astype("datetime64[ns]")).all()
            if scenario != "baseline":
                difference = recorded(run, "differences", scenario, ribbon.output)
                np.testing.assert_allclose(ribbon.difference[2], difference["q50"], rtol=1e-9, atol=1e-7)
            else:
                assert not ribbon.difference.any()


def test_without_contacts_the_ill_recover_one_by_one(run: Run) -> None:
    """A value that no scenario declares, against the closed form: one boy, ill with probability exp(-recovery × t)."""
    explorer = Explorer(run)
    (control,) = explorer.controls
    assert (control.name, control.low, control.high, control.baseline) == ("times.contact_rate", 0.0, 2.0, 1.0)
    answer = explorer.answer({control.name: 0.0}, ["in_bed", "new_infections"], all_draws=True)
    draws = Posterior.read(run.path / "calibrate" / "posterior.nc")
    [multiplied] = control.multiplied
    assert (multiplied.name, multiplied.unit) == ("contact_rate", "per day")
    assert multiplied.value == pytest.approx(np.median(draws.draws("contact_rate")), rel=0.02)
    recovery = np.asarray(draws.draws("recovery_rate")).reshape(-1)
    chosen = recovery[thinned(recovery.size, 40)]
    days = np.arange(answer.ribbons[0].times.size)
    expected = np.quantile(np.exp(-chosen[:, None] * days), 0.5, axis=0)
    np.testing.assert_allclose(answer.ribbons[0].explored[2], expected, rtol=1e-4, atol=1e-6)
    # Nobody else falls ill: each draw is highest on the first day, with the one boy.
    np.testing.assert_allclose(answer.ribbons[0].highest["explored"], 1.0, rtol=1e-12)
    fewer = answer.ribbons[0].highest["difference"]
    assert fewer[4] < 0.0
    assert fewer[2] == pytest.approx(1.0 - answer.ribbons[0].highest["baseline"][2])
    infections = answer.ribbons[1]
    assert np.abs(infections.explored).max() == 0.0
    assert infections.totals is not None
    assert infections.totals["difference"][2] == pytest.approx(-infections.totals["baseline"][2])


def test_far_from_what_was_declared_the_step_is_settled_anew(run: Run) -> None:
    """Twice the contacts make the quickest epidemic; a step a tenth as long gives the same."""
    explorer = Explorer(run)
    coarse = explorer.answer({"times.contact_rate": 2.0}, ["in_bed"]).ribbons[0]
    own = explorer._models[()].model
    own.compiled.with_step(own.compiled.step / 10)  # type: ignore[union-attr]
    fine = explorer.answer({"times.contact_rate": 2.0}, ["in_bed"]).ribbons[0]
    np.testing.assert_allclose(coarse.explored, fine.explored, atol=1e-4 * fine.explored.max())


def test_fewer_draws_are_said_to_be_fewer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_explorer, "QUICK_DRAWS", 10)
    explorer = Explorer(run)
    assert explorer.answer({}, ["in_bed"]).thinning == "10 of the projection's 40 draws, evenly spaced"
    assert explorer.answer({}, ["in_bed"], all_draws=True).thinning == "all 40 draws of the projection"


def test_what_can_not_be_moved_is_told(run: Run, tmp_path: Path) -> None:
    explorer = explorer_of(run)
    assert explorer_of(run) is explorer
    controls = explorer.controls
    assert read_moved(controls, {"times.contact_rate": "1"}) == {}
    assert read_moved(controls, {"times.contact_rate": " 0.5 "}) == {"times.contact_rate": 0.5}
    wrong = {"times.contact_rate": "3", "contact_rate": "1"}
    assert codes(lambda: read_moved(controls, wrong)) == ("Y552", "Y552")
    assert codes(lambda: read_moved(controls, {"times.contact_rate": "nan"})) == ("Y552",)
    assert codes(lambda: explorer.answer({}, ["in_hospital"])) == ("Y552",)
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "table.csv").write_text("a\n1\n", encoding="utf-8")
    bare = Store(tmp_path / "runs").publish(("flu", "sir", "uk"), stages={"simulate": stage}, record={})
    assert codes(lambda: explorer_of(bare)) == ("Y551",)
    shutil.copytree(run.path, tmp_path / run.path.name)
    copied = Run(tmp_path / run.path.name, run.key, run.id, run.record)
    model = copied.path / "inputs" / "models" / "influenza.py"
    model.chmod(0o644)
    model.write_text(model.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert codes(lambda: explorer_of(copied)) == ("Y553",)


def test_a_process_keeps_no_more_explorers_than_memory_allows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = explorer_of(run)
    other = Run(run.path.parent / "." / run.path.name, run.key, run.id, run.record)
    monkeypatch.setattr(_explorer, "MOST_BYTES", first.nbytes + 1)
    monkeypatch.setattr(_explorer, "_KEPT", type(_explorer._KEPT)({"another": first}))
    assert explorer_of(other).nbytes > 0
    assert list(_explorer._KEPT) == [str(run.path)]
