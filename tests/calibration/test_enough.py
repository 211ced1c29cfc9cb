"""A calibration that ends when its draws are enough: where it ends depends on the seed and the target alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.calibration.conftest import Gaussian
from tests.calibration.test_calibrate import density

from modelworks.calibration import Settings, calibrate
from modelworks.calibration._progress import Silence
from modelworks.calibration.samplers import Draws, Enough, sampler
from modelworks.calibration.samplers._enough import BLOCK, looks
from modelworks.diagnostics import ess_bulk, ess_tail, r_hat

Array = NDArray[np.float64]

NORMAL = Gaussian(np.array([1.0, -20.0]), np.array([[1e-4, 0.045], [0.045, 25.0]]))
WANTED = Enough(effective_draws=800)
MOST = 1500

steps = pytest.mark.parametrize("name", ["nuts", "demcz"])


def draw(name: str, density: Gaussian = NORMAL, **changes: Any) -> Draws:
    asked = {"chains": 4, "draws": MOST, "warmup": 150, "cores": 1, "progress": Silence(), "enough": WANTED}
    return sampler(name)(density, key=np.random.SeedSequence(3), **{**asked, **changes})


def mixing(positions: Array) -> tuple[float, float]:
    """The worst R-hat and the least effective draws."""
    each = np.moveaxis(positions, 2, 0)
    return max(map(r_hat, each)), min(min(ess_bulk(draws), ess_tail(draws)) for draws in each)


@steps
def test_it_ends_at_the_first_look_that_meets_the_target(name: str) -> None:
    """By the statistics of the verdict, and not before."""
    found = draw(name)
    number = found.positions.shape[1]
    assert number in looks(MOST, WANTED)[:-1]
    for look in range(BLOCK, number + 1, BLOCK):
        agreed, worth = mixing(found.positions[:, :look])
        assert (agreed < WANTED.r_hat and worth > WANTED.effective_draws) == (look == number)
    assert found.notes["stopped"].startswith(f"stopped after {number:,} of 1,500 draws a chain: the target was met")


class Listener(Silence):
    """Remembers how well the chains had mixed, by the number of their draws."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, float, float, list[float]]] = []

    def mixed(self, draws: int, r_hat: float, effective_draws: float, by_chain: Sequence[float]) -> None:
        self.heard.append((draws, r_hat, effective_draws, list(by_chain)))


@steps
@pytest.mark.parametrize("most", [MOST, 200])
def test_who_looks_on_hears_the_numbers_of_the_draws_as_they_are_in_the_end(name: str, most: int) -> None:
    """Of all chains and of each alone, at each look once, and the last of them are the result's."""
    listener = Listener()
    found = draw(name, progress=listener, draws=most)
    number = found.positions.shape[1]
    assert [each[0] for each in listener.heard] == list(range(BLOCK, number + 1, BLOCK))
    for draws, agreed, worth, by_chain in listener.heard:
        so_far = found.positions[:, :draws]
        assert (agreed, worth) == pytest.approx(mixing(so_far), rel=1e-9)
        each = [mixing(so_far[chain : chain + 1])[1] for chain in range(4)]
        assert by_chain == pytest.approx(sorted(each), rel=1e-9)


@pytest.mark.slow
@steps
def test_a_run_that_ended_is_the_beginning_of_one_that_did_not(name: str) -> None:
    """So the target chooses how many draws there are and never which."""
    ended, whole = draw(name), draw(name, enough=None)
    number = ended.positions.shape[1]
    assert number < MOST
    assert "stopped" not in whole.notes
    np.testing.assert_array_equal(ended.positions, whole.positions[:, :number])
    for each in ended.stats:
        np.testing.assert_array_equal(ended.stats[each], whole.stats[each][:, :number])


class Slow(Gaussian):
    """Takes its time, now more and now less."""

    def value_and_gradient(self, position: Array, /) -> tuple[float, Array]:
        time.sleep(0.0003 * (1 + position[0] % 0.01 * 100))
        return super().value_and_gradient(position)


def test_where_it_ends_depends_on_neither_cores_nor_time() -> None:
    """A density that is worth a thread, in chains of different pace."""
    slow = Slow(NORMAL.mean, NORMAL.covariance)
    changed = {"chains": 2, "warmup": 40, "enough": Enough(r_hat=1.05, effective_draws=150)}
    wanted = draw("nuts", **changed)
    assert wanted.positions.shape[1] < MOST
    for cores in (1, 2):
        np.testing.assert_array_equal(draw("nuts", slow, cores=cores, **changed).positions, wanted.positions)


@steps
def test_a_target_out_of_reach_takes_all_draws(name: str) -> None:
    """And it is said that it was not met."""
    found = draw(name, draws=450, enough=Enough(effective_draws=1e6))
    assert found.positions.shape == (4, 450, 2)
    assert found.notes["stopped"].startswith("made all 450 draws a chain: the target of R-hat below 1.01")
    assert "was not met" in found.notes["stopped"]


@pytest.mark.parametrize("name", ["laplace_is", "smc"])
def test_samplers_without_an_order_of_draws_make_them_all(name: str) -> None:
    """There is no earlier place to end."""
    assert draw(name, draws=300).positions.shape == (4, 300, 2)


def test_the_record_says_how_many_draws_were_made_and_why() -> None:
    """Every group has as many draws; parameters are judged as values, not as positions of the sampler."""
    settings = Settings(
        chains=2, draws=1000, warmup=100, seed=4, cores=1, enough=Enough(r_hat=1.05, effective_draws=80)
    )
    posterior = calibrate(density(), settings)
    made = posterior.attributes["draws"]
    assert made in looks(1000, Enough())[:-1]
    assert posterior.attributes["stopped"].startswith(f"stopped after {made} of 1,000 draws a chain")
    assert all(np.asarray(posterior.draws(name)).shape == (2, made) for name in posterior.parameters)
    assert posterior.groups["posterior_predictive"].sizes["draw"] == made
