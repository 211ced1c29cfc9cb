"""R-hat, effective draws and Monte Carlo errors, against other people's numbers and what must be true of any."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from modelworks.diagnostics import (
    ess_bulk,
    ess_mean,
    ess_quantile,
    ess_tail,
    mcse_mean,
    mcse_quantile,
    r_hat,
    summary,
)
from modelworks.diagnostics._mixing import scale_reduction, split
from modelworks.errors import ModelworksError


@pytest.fixture(scope="module")
def example(references: Path) -> dict[str, Any]:
    """Four poorly mixed chains of 200 draws, with the values that ArviZ gives."""
    read: dict[str, Any] = json.loads((references / "mcmc_diagnostics.json").read_text())["small_example_arviz"]
    return read


@pytest.fixture(scope="module")
def arviz() -> ModuleType:
    """The peer; its announcement of a coming change is no concern of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz
    module: ModuleType = arviz
    return module


def chains(
    key: int, n_chains: int = 4, length: int = 500, memory: float = 0.0
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Autoregressive chains of one standard normal."""
    random = np.random.default_rng(key)
    steps = random.normal(size=(n_chains, length))
    drawn = np.empty_like(steps)
    drawn[:, 0] = steps[:, 0]
    for now in range(1, length):
        drawn[:, now] = memory * drawn[:, now - 1] + np.sqrt(1 - memory**2) * steps[:, now]
    return drawn


def test_the_effective_sizes_are_those_of_the_reference(example: dict[str, Any]) -> None:
    """Bulk, tail and mean to nine digits."""
    drawn = example["chains"]
    ours = {"ess_bulk": ess_bulk(drawn), "ess_tail": ess_tail(drawn), "ess_mean": ess_mean(drawn)}
    assert ours == pytest.approx({name: example[name] for name in ours}, rel=1e-9)


def test_r_hat_is_that_of_the_reference(example: dict[str, Any]) -> None:
    """Rank-normalised and, from the same chains, the plain split one."""
    drawn = np.array(example["chains"])
    assert r_hat(drawn) == pytest.approx(example["rhat_rank"], rel=1e-5)
    assert scale_reduction(split(drawn)) == pytest.approx(example["rhat_split"], rel=1e-5)


def test_the_error_of_the_mean_is_that_of_the_reference(example: dict[str, Any]) -> None:
    """It rests on the effective size of the mean, not of the bulk."""
    assert mcse_mean(example["chains"]) == pytest.approx(example["mcse_mean"], rel=1e-9)


# Sizes whose 5% and 95% points fall between two draws: on a draw, the peer's own rounding decides which side it is on.
@pytest.mark.needs("arviz")
@pytest.mark.parametrize("memory", [-0.7, 0.0, 0.6, 0.97])
@pytest.mark.parametrize(("n_chains", "length"), [(1, 83), (2, 11), (4, 57), (3, 402)])
def test_we_agree_with_the_peer(arviz: ModuleType, n_chains: int, length: int, memory: float) -> None:
    """Short, odd, antithetic and sticky chains take every branch of the definitions."""
    drawn = chains(7, n_chains, length, memory)
    if n_chains > 1:  # the peer has no R-hat for a single chain
        assert r_hat(drawn) == pytest.approx(float(arviz.rhat(drawn)), rel=1e-9)
    assert ess_bulk(drawn) == pytest.approx(float(arviz.ess(drawn)), rel=1e-9)
    # Said, because only ArviZ before 1.0 takes these for granted.
    tails = float(arviz.ess(drawn, method="tail", prob=(0.05, 0.95)))
    assert ess_tail(drawn) == pytest.approx(tails, rel=1e-9)
    assert mcse_mean(drawn) == pytest.approx(float(arviz.mcse(drawn)), rel=1e-9)
    theirs = float(arviz.mcse(drawn, method="quantile", prob=0.3))
    assert mcse_quantile(drawn, 0.3) == pytest.approx(theirs, rel=1e-9)


def test_the_unit_of_a_parameter_changes_nothing() -> None:
    """Ranks do not know whether a rate is per day or per year, nor do their effective sizes know a logarithm."""
    drawn = chains(1, memory=0.5)
    assert r_hat(365.25 * drawn + 3) == pytest.approx(r_hat(drawn), rel=1e-9)
    assert ess_bulk(np.exp(drawn)) == pytest.approx(ess_bulk(drawn), rel=1e-9)


def test_the_order_of_the_chains_changes_nothing() -> None:
    """Chains have numbers, not ranks."""
    drawn = chains(2, memory=0.5)
    assert r_hat(drawn[::-1]) == pytest.approx(r_hat(drawn), rel=1e-12)
    assert ess_tail(drawn[::-1]) == pytest.approx(ess_tail(drawn), rel=1e-12)


def test_independent_draws_are_worth_themselves() -> None:
    """Without memory, the effective size is the number of draws, within its own noise."""
    assert ess_bulk(chains(3, length=2000)) == pytest.approx(8000, rel=0.1)


def test_sticky_draws_are_worth_what_theory_says() -> None:
    """An autoregression with memory m is worth (1 - m) / (1 + m) of its draws."""
    assert ess_mean(chains(4, length=20_000, memory=0.8)) == pytest.approx(80_000 * 0.2 / 1.8, rel=0.1)


def test_chains_of_different_width_are_found() -> None:
    """They share their mean, so only the distance from the median tells them apart."""
    drawn = chains(5)
    drawn[0] *= 4
    assert scale_reduction(split(drawn)) < 1.01
    assert r_hat(drawn) > 1.05


def test_a_drift_is_found_in_a_single_chain() -> None:
    """Splitting compares a chain with its own past."""
    assert r_hat(chains(6, n_chains=1) + np.linspace(0, 3, 500)) > 1.2


def test_heavy_tails_do_no_harm() -> None:
    """A Cauchy has no mean, but its ranks do."""
    assert r_hat(np.random.default_rng(8).standard_cauchy((4, 1000))) < 1.01


def test_chains_that_stand_still_apart_have_no_finite_r_hat() -> None:
    """There is nothing within to compare the distance with."""
    assert r_hat(np.repeat([[1.0], [2.0]], 50, axis=1)) == np.inf
    assert np.isnan(r_hat(np.ones((4, 50))))


def test_the_error_of_a_quantile_shrinks_with_the_root_of_the_draws() -> None:
    """Sixteen times the draws, a quarter of the error."""
    short, long = (mcse_quantile(chains(9, length=length), 0.9) for length in (500, 8000))
    assert long == pytest.approx(short / 4, rel=0.4)


def test_an_extreme_quantile_rests_on_fewer_draws() -> None:
    """Sticky chains settle the middle before the ends."""
    assert ess_quantile(chains(10, memory=0.9), 0.5) > 50


@pytest.mark.parametrize(("shape", "code"), [((4000,), "G101"), ((2, 3, 4), "G101"), ((4, 3), "G102")])
def test_draws_of_another_shape_are_a_letter(shape: tuple[int, ...], code: str) -> None:
    """Joined chains would give a number that means nothing."""
    with pytest.raises(ModelworksError) as raised:
        r_hat(np.zeros(shape))
    assert raised.value.codes == (code,)


def test_a_summary_keeps_the_order_of_the_parameters() -> None:
    """The table of a report follows the study's own file."""
    rows = summary({"b": chains(1) + 2, "a": chains(2)})
    assert [row.name for row in rows] == ["b", "a"]
    assert rows[0].mean == pytest.approx(2, abs=0.1)
    assert rows[0].q025 < rows[0].q50 < rows[0].q975
