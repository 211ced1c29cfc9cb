"""From a log density to a posterior: what is in it, on disk and in memory, and what is said of it."""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Linear

from modelworks.calibration import LogDensity, Posterior, Prior, Settings, Target, calibrate
from modelworks.calibration._posterior import GROUPS
from modelworks.errors import ModelworksError, fail

Array = NDArray[np.float64]

TIMES = np.arange(6.0)
DESIGN = np.column_stack([np.ones(6), TIMES])
LEVELS = np.array([1.2, np.nan, 5.3, 6.8, 9.1, 11.2])
COUNTS = np.array([2.0, 5.0, 3.0])


@dataclass(frozen=True)
class BlackBox:
    """The line without its gradient, which fails where the level is above 4."""

    parameters: tuple[str, ...] = ("level", "slope")
    outputs: tuple[str, ...] = ("level",)

    @property
    def times(self) -> Array:
        return TIMES

    def run(self, values: Array, /) -> Array:
        if values[0] > 4:
            fail("S101", "too many people")
        return (DESIGN @ values)[:, np.newaxis]


def density(simulator: Any = None) -> LogDensity:
    """A line that is measured with an error to be found, and counted at its end."""
    return LogDensity(
        priors={
            "level": Prior.of("normal", {"mean": 2, "sd": 2}),
            "slope": Prior.of("log_normal", {"median": 2, "sigma": 0.5}),
            "error": Prior.of("half_normal", {"sd": 1}),
        },
        fixed={},
        simulator=simulator or Linear(DESIGN, ("level", "slope")),
        targets=[
            Target(
                name="levels",
                output="level",
                observed=LEVELS,
                weights=np.eye(6),
                likelihood="normal",
                arguments={"sd": "error"},
            ),
            Target(
                name="counts",
                output="level",
                observed=COUNTS,
                weights=np.eye(6)[:3],
                likelihood="negative_binomial",
                arguments={"overdispersion": 0.1},
            ),
        ],
    )


QUICK = Settings(chains=2, draws=60, warmup=60, seed=11, cores=1)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return calibrate(density(), QUICK)


def test_every_group_of_arviz_is_there(posterior: Posterior) -> None:
    """With dimensions chain, draw and the points of each target."""
    assert tuple(posterior.groups) == GROUPS
    assert posterior.parameters == ("level", "slope", "error")
    assert posterior.draws("slope").shape == (2, 60)
    assert posterior.prior("slope").shape == (1000,)
    shapes = {name: each.shape for name, each in posterior.predictive().items()}
    assert shapes == {"levels": (120, 6), "counts": (120, 3)}
    assert {name: each.shape for name, each in posterior.prior_predictive().items()} == {
        "levels": (200, 6),
        "counts": (200, 3),
    }
    assert {"lp", "diverging", "tree_depth", "energy", "acceptance_rate"} <= set(posterior.sample_stats_arrays())
    assert all(each.shape == (2, 60) for each in posterior.sample_stats_arrays().values())
    np.testing.assert_array_equal(posterior.observed()["levels"], LEVELS)


def test_log_likelihoods_are_of_each_point_and_zero_where_nothing_was_seen(posterior: Posterior) -> None:
    """With log prior and Jacobian they add up to the recorded log density of every draw."""
    found = posterior.log_likelihood()
    assert (found["levels"][:, 1] == 0).all()
    assert (found["levels"][:, [0, 2, 3, 4, 5]] != 0).all()
    made = density()
    values = np.column_stack([posterior.draws(name).reshape(-1) for name in posterior.parameters])
    prior = sum(p.log_density(values[:, k]) for k, p in enumerate(made.priors.values()))
    jacobian = np.log(values[:, 1]) + np.log(values[:, 2])
    total = prior + jacobian + found["levels"].sum(axis=1) + found["counts"].sum(axis=1)
    np.testing.assert_allclose(total, posterior.sample_stats_arrays()["lp"].reshape(-1), rtol=1e-9)


def test_predictions_have_the_noise_of_observations(posterior: Posterior) -> None:
    """Counts are whole, and new measurements scatter more widely than the line itself."""
    predictive = posterior.predictive()
    assert (predictive["counts"] % 1 == 0).all()
    line = posterior.draws("level").reshape(-1) + 3 * posterior.draws("slope").reshape(-1)
    assert predictive["levels"][:, 3].std() > 1.2 * line.std()
    assert np.isfinite(predictive["levels"]).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_file_on_one_core_and_on_two(tmp_path: Path, posterior: Posterior) -> None:
    """Byte for byte, so that a checksum tells whether a result was reproduced."""
    again = calibrate(density(), Settings(chains=2, draws=60, warmup=60, seed=11, cores=2))
    hashes = set()
    for number, each in enumerate((posterior, again)):
        each.to_netcdf(tmp_path / f"{number}.nc")
        hashes.add(hashlib.sha256((tmp_path / f"{number}.nc").read_bytes()).hexdigest())
    assert len(hashes) == 1
    other = calibrate(density(), Settings(chains=2, draws=60, warmup=60, seed=12, cores=2))
    assert not np.array_equal(other.draws("level"), posterior.draws("level"))
    assert not np.array_equal(other.prior("level"), posterior.prior("level"))


def test_what_was_written_is_what_is_read(tmp_path: Path, posterior: Posterior) -> None:
    """Every group, every number, and what was said of it."""
    posterior.to_netcdf(tmp_path / "posterior.nc")
    back = Posterior.read(tmp_path / "posterior.nc")
    assert back.attributes == posterior.attributes
    for name, group in posterior.groups.items():
        assert group.identical(back.groups[name]) or group.equals(back.groups[name])


def test_a_file_is_read_once_while_it_is_the_same(tmp_path: Path, posterior: Posterior) -> None:
    """Under another name of the same file too, and anew when it was written anew."""
    file, link = tmp_path / "posterior.nc", tmp_path / "link.nc"
    posterior.to_netcdf(file)
    link.hardlink_to(file)
    read = Posterior.read_once(file)
    assert read.groups["posterior"].equals(posterior.groups["posterior"])
    assert Posterior.read_once(link) is read
    file.unlink()
    replace(posterior, attributes={**posterior.attributes, "note": "another"}).to_netcdf(file)
    assert Posterior.read_once(file).attributes["note"] == "another"
    with pytest.raises(ModelworksError) as raised:
        Posterior.read_once(tmp_path / "nowhere.nc")
    assert raised.value.codes == ("C601",)


@pytest.mark.needs("arviz")
def test_arviz_itself_reads_the_file(tmp_path: Path, posterior: Posterior) -> None:
    """A colleague who has never heard of us opens it with the field's own tool."""
    arviz: Any = importlib.import_module("arviz")
    posterior.to_netcdf(tmp_path / "posterior.nc")
    data = arviz.from_netcdf(tmp_path / "posterior.nc")
    # A method before ArviZ 1.0; of a tree since, with the root's stroke before each name.
    groups = data.groups() if callable(data.groups) else [name.strip("/") for name in data.groups]
    assert set(GROUPS) <= set(groups)
    summary = arviz.summary(data, var_names=["level"])
    assert float(summary.loc["level", "mean"]) == pytest.approx(posterior.draws("level").mean(), abs=0.01)
    with warnings.catch_warnings():
        # Few draws are drawn here, and whether their weights are heavy is not what this is about.
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto distribution")
        loo = arviz.loo(data, var_name="counts")
    assert np.isfinite(loo.elpd if hasattr(loo, "elpd") else loo.elpd_loo)


def test_a_damaged_file_is_a_letter(tmp_path: Path, posterior: Posterior) -> None:
    """Cut short, of another kind, or not there."""
    whole = tmp_path / "posterior.nc"
    posterior.to_netcdf(whole)
    (tmp_path / "short.nc").write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "text.nc").write_text("not a posterior")
    for name in ("short.nc", "text.nc", "missing.nc"):
        with pytest.raises(ModelworksError) as raised:
            Posterior.read(tmp_path / name)
        assert raised.value.codes == ("C601",)


def test_a_misspelt_parameter_of_a_posterior_names_the_near_one(posterior: Posterior) -> None:
    """C602, with a hint."""
    with pytest.raises(ModelworksError) as raised:
        posterior.draws("levle")
    assert raised.value.codes == ("C602",)
    assert "did you mean `level`?" in str(raised.value)


def test_the_record_says_what_was_done(posterior: Posterior) -> None:
    """The sampler and why, the seed, the failed runs, the optimum: plain values."""
    said = posterior.attributes
    assert said["sampler"] == "nuts"
    assert said["why"].startswith("NUTS, because the model has exact gradients and ")
    assert set(said["first_answer"]["mean"]) == set(posterior.parameters)
    assert (said["seed"], said["chains"], said["draws"], said["warmup"]) == (11, 2, 60, 60)
    assert (said["failed_runs"], said["failed_run"]) == (0, None)
    assert set(said["optimum"]) == set(posterior.parameters)


def test_too_few_draws_are_told(posterior: Posterior) -> None:
    """Draws as asked for, and a word that they are not enough."""
    assert any("times as many are needed" in each for each in posterior.attributes["warnings"])


def test_a_black_box_is_calibrated_and_its_failed_runs_are_counted() -> None:
    """No gradient, and a quarter of the priors where the model can not go."""
    found = calibrate(density(BlackBox()), Settings(chains=4, draws=100, warmup=100, seed=3, cores=1))
    assert found.attributes["sampler"] == "demcz"
    assert found.attributes["failed_runs"] > 0
    assert found.attributes["failed_run"].startswith("S101: too many people")
    assert any("draws of the priors left what is possible" in each for each in found.attributes["warnings"])
    assert (found.draws("level") <= 4).all()
    assert len(found.prior_predictive()["levels"]) < 200


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"sampler": "nut"}, "C501", "nuts"),
        ({"chains": 0}, "C502", "chains"),
        ({"draws": 1}, "C502", "draws"),
        ({"warmup": 0}, "C502", "warmup"),
        ({"seed": -1}, "C502", "seed"),
        ({"cores": 0}, "C502", "cores"),
    ],
)
def test_settings_that_can_not_be_are_letters(changes: dict[str, Any], code: str, word: str) -> None:
    """Before anything is run."""
    with pytest.raises(ModelworksError) as raised:
        Settings(**changes)
    assert raised.value.codes == (code,)
    assert word in str(raised.value)


def test_a_letter_from_within_a_run_reaches_the_one_who_asked() -> None:
    """A gradient that is not a number, met in the middle of a chain, is told with its parameter."""

    class Broken(Linear):
        def run_with_pullback(self, values: Array, /) -> tuple[Array, Callable[[Array], Array]]:
            outputs = self.run(values)
            return outputs, lambda cotangent: self.design.T @ cotangent[:, 0] * (np.nan if values[1] > 2.4 else 1.0)

    with pytest.raises(ModelworksError) as raised:
        calibrate(density(Broken(DESIGN, ("level", "slope"))), QUICK)
    assert raised.value.codes == ("C403",)
