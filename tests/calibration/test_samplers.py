"""Samplers on densities whose draws are known, and their promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from tests.calibration.conftest import Gaussian

from modelworks.calibration._mixing import effective_draws, split_r_hat
from modelworks.calibration._progress import Progress, Silence
from modelworks.calibration.samplers import BY_CHANCE, GUIDED, SAMPLERS, Draws, choose, sampler
from modelworks.errors import ModelworksError

Array = NDArray[np.float64]

every = pytest.mark.parametrize("name", [GUIDED, *[name for name in SAMPLERS if name not in BY_CHANCE]])

CORRELATED = Gaussian(np.array([1.0, -20.0]), np.array([[1e-4, 0.045], [0.045, 25.0]]))


def draw(
    name: str,
    density: Gaussian,
    *,
    seed: int = 1,
    cores: int = 1,
    chains: int = 4,
    draws: int = 500,
    warmup: int = 200,
    progress: Progress | None = None,
) -> Draws:
    return sampler(name)(
        density,
        chains=chains,
        draws=draws,
        warmup=warmup,
        key=np.random.SeedSequence(seed),
        cores=cores,
        progress=progress or Silence(),
    )


@pytest.mark.slow
@every
def test_a_normal_s_draws_have_its_mean_and_its_covariance(name: str) -> None:
    """Within four standard errors, by the number of draws they are worth."""
    found = draw(name, CORRELATED, draws=1000)
    assert found.positions.shape == (4, 1000, 2)
    flat = found.positions.reshape(-1, 2)
    sd = np.sqrt(np.diag(CORRELATED.covariance))
    worth = min(effective_draws(found.positions[..., k]) for k in range(2))
    assert worth > 400
    assert max(split_r_hat(found.positions[..., k]) for k in range(2)) < 1.01
    assert (np.abs(flat.mean(axis=0) - CORRELATED.mean) < 4 * sd / np.sqrt(worth)).all()
    np.testing.assert_allclose(flat.std(axis=0), sd, rtol=4 / np.sqrt(2 * worth))
    assert np.mean(np.prod((flat - CORRELATED.mean) / sd, axis=1)) == pytest.approx(0.9, abs=0.1)


@every
def test_the_log_density_of_each_draw_is_recorded(name: str) -> None:
    """A chain that is stuck far below the others shows in it."""
    found = draw(name, CORRELATED, draws=20)
    wanted = [[CORRELATED.value(position) for position in chain] for chain in found.positions]
    np.testing.assert_allclose(found.stats["lp"], wanted, rtol=1e-6, atol=1e-6)
    assert all(np.asarray(each).shape == (4, 20) for each in found.stats.values())


@pytest.mark.slow
@every
def test_the_same_seed_gives_the_same_draws_on_one_core_and_on_two(name: str) -> None:
    """Bit for bit: what differs between two runs is then a change of the model, not of the machine."""
    one, two = (draw(name, CORRELATED, draws=60, cores=cores) for cores in (1, 2))
    np.testing.assert_array_equal(one.positions, two.positions)
    assert sorted(one.stats) == sorted(two.stats)
    for each in one.stats:
        np.testing.assert_array_equal(one.stats[each], two.stats[each])


@pytest.mark.slow
@every
def test_another_seed_gives_other_draws_and_chains_differ(name: str) -> None:
    """A seed that is ignored, or shared between chains, makes chains that agree by construction."""
    one, two = (draw(name, CORRELATED, draws=20, seed=seed) for seed in (1, 2))
    assert not np.isin(one.positions[..., 0], two.positions[..., 0]).any()
    assert not np.isin(one.positions[0], one.positions[1]).any()


@every
def test_a_single_chain_of_a_single_parameter(name: str) -> None:
    """The smallest calibration there is."""
    found = draw(name, Gaussian(np.array([2.0]), np.array([[0.25]])), chains=1)
    assert found.positions.shape == (1, 500, 1)
    assert found.positions.mean() == pytest.approx(2.0, abs=0.15)


class Wall(Gaussian):
    """A normal cut in half, whose other half is impossible."""

    def value(self, position: Array, /) -> float:
        return super().value(position) if position[0] > 0 else -np.inf

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        value = self.value(position)
        return value, super().value_and_gradient(position)[1] if value > -np.inf else np.zeros(1)


@pytest.mark.slow
@every
def test_impossible_runs_are_stepped_back_from(name: str) -> None:
    """Draws stay on the possible side of a wall, and right up to it."""
    found = draw(name, Wall(np.array([0.5]), np.eye(1)), draws=1000)
    assert (found.positions > 0).all()
    # Chains that turn back at a wall are worth fewer draws than they have: a thinned test.
    truth = stats.truncnorm(-0.5, np.inf, 0.5, 1)
    assert found.positions.mean() == pytest.approx(truth.mean(), abs=0.12)


@pytest.mark.slow
@every
def test_a_listener_hears_of_every_draw(name: str) -> None:
    """Progress rises to its total and never falls."""

    class Listener(Silence):
        def __init__(self) -> None:
            self.totals: list[float] = []
            self.heard: list[float] = []
            self.finished = 0

        def start(self, name: str, total: float | None = None) -> None:
            if total is not None:
                self.totals.append(total)

        def update(self, done: float, total: float | None = None, note: str = "") -> None:
            self.heard.append(done)

        def finish(self) -> None:
            self.finished += 1

    listener = Listener()
    draw(name, CORRELATED, draws=300, progress=listener)
    assert listener.totals == [4 * 500]
    assert listener.heard == sorted(listener.heard)
    assert listener.heard[-1] == 2000
    assert listener.finished >= 1


class OutOfMemory(Gaussian):
    """Works while the search goes on, and then breaks in a way nobody foresaw."""

    calls = 0

    def value(self, position: Array, /) -> float:
        type(self).calls += 1
        if type(self).calls > 600:
            raise MemoryError("the model broke")
        return super().value(position)


@every
@pytest.mark.parametrize("cores", [1, 2])
def test_what_goes_wrong_inside_a_sampler_comes_out_as_it_is(name: str, cores: int) -> None:
    """Inside the threads of another language an exception would be lost, or end the process."""
    OutOfMemory.calls = 0
    with pytest.raises(MemoryError, match="the model broke"):
        draw(name, OutOfMemory(np.zeros(2), np.eye(2)), cores=cores, draws=5000)


@pytest.mark.slow
def test_a_process_that_fails_while_drawing_ends_in_order(tmp_path: Path) -> None:
    """Threads that outlive their interpreter crash it, and the crash would hide the letter."""
    program = tmp_path / "fails.py"
    program.write_text(
        "import numpy as np\n"
        "from modelworks.calibration.samplers import sampler\n"
        "from modelworks.calibration._progress import Silence\n"
        "class Density:\n"
        "    parameters, dimension, has_gradient, calls = ('x',), 1, True, 0\n"
        "    def prior_positions(self, key, number): return key.normal(size=(number, 1))\n"
        "    def value(self, x): return self.value_and_gradient(x)[0]\n"
        "    def value_and_gradient(self, x):\n"
        "        Density.calls += 1\n"
        "        if Density.calls > 2000: raise ValueError('the model broke')\n"
        "        return -0.5 * float(x @ x), -x\n"
        "sampler('nuts')(Density(), chains=4, draws=4000, warmup=100, key=np.random.SeedSequence(1), cores=2,\n"
        "                progress=Silence())\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.rstrip().endswith("ValueError: the model broke")
    assert "panicked" not in done.stderr


def test_two_modes_are_both_visited_by_differences_of_past_draws() -> None:
    """A step at full length carries a chain from one to the other."""

    class TwoPeaks(Gaussian):
        def value(self, position: Array, /) -> float:
            return float(np.logaddexp(*(-0.5 * ((position[0] - peak) / 0.3) ** 2 for peak in (-2.0, 2.0))))

    found = draw("demcz", TwoPeaks(np.zeros(1), np.eye(1)), draws=1000)
    assert 0.35 < (found.positions > 0).mean() < 0.65
    assert split_r_hat(found.positions[..., 0]) < 1.05


def test_chains_start_in_every_mode_so_that_two_modes_are_seen() -> None:
    """NUTS does not jump; chains in different modes disagree, which is the warning somebody needs."""

    class FarPeaks(Gaussian):
        def value(self, position: Array, /) -> float:
            return self.value_and_gradient(position)[0]

        def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
            peaks = np.array([[-4.0], [4.0]])
            away = (position - peaks) / 0.2
            logs = -0.5 * (away**2).sum(axis=1)
            total = np.logaddexp(*logs)
            return float(total), -(np.exp(logs - total)[:, np.newaxis] * away / 0.2).sum(axis=0)

    found = draw("nuts", FarPeaks(np.zeros(1), np.eye(1), prior_sd=4.0), chains=8, draws=50)
    assert 0 < (found.positions > 0).mean() < 1
    assert found.warnings
    assert split_r_hat(found.positions[..., 0]) > 2


def test_the_choice_is_explained() -> None:
    """Somebody who did not choose a sampler is told which, and why."""
    assert choose("auto", CORRELATED) == (
        "guided",
        "NUTS or tempered SMC, because the model has exact gradients and 2 parameters are free",
    )
    black_box = Gaussian(np.zeros(1), np.eye(1), has_gradient=False)
    assert choose("auto", black_box) == ("demcz", "DE-MC-Z, because the model has no gradients and 1 parameter is free")
    assert choose("demcz", CORRELATED)[1].startswith("DE-MC-Z, because the study asks for it")


@pytest.mark.parametrize(("name", "code"), [("nutz", "C501"), ("nuts", "C503")])
def test_a_sampler_that_can_not_be_is_a_letter(name: str, code: str) -> None:
    """Misspelt, or in need of a gradient that the model does not have."""
    black_box = Gaussian(np.zeros(1), np.eye(1), has_gradient=False)
    with pytest.raises(ModelworksError) as raised:
        draw(name, black_box)
    assert raised.value.codes == (code,)
