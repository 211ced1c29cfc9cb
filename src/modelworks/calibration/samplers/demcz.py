"""Differential evolution with past draws and a snooker: MCMC that needs no gradient and no tuning.

Chains move by differences between draws made earlier, which therefore have the posterior's own shape and
size, and can jump between its modes (ter Braak and Vrugt 2008, doi:10.1007/s11222-008-9104-9). What was
made earlier is kept in an archive that all chains share and that grows ever more slowly in comparison, so
the draws converge to the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelworks.calibration._progress import Progress
from modelworks.calibration.samplers._differences import Archive, difference, snooker
from modelworks.calibration.samplers._enough import FEWEST_DRAWS, Enough, cut_short, looks
from modelworks.calibration.samplers._evaluate import Evaluate, evaluator
from modelworks.calibration.samplers._sampler import Density, Draws, TimeIsUp
from modelworks.calibration.samplers._starts import candidates

Array = NDArray[np.float64]

# Steps between two draws that are kept, for each parameter: neighbouring steps are nearly alike, and
# keeping them all would only make the record longer.
STEPS_PER_PARAMETER = 3
# The paper's choices: one step in ten a snooker; the archive grows at every tenth step.
SNOOKER_SHARE = 0.1
ARCHIVE_EVERY = 10
# The archive begins with this many draws of the priors for each parameter.
ARCHIVE_PER_PARAMETER = 10
# When, in parts of the warm-up, the older half of the archive is forgotten: it remembers the priors.
FORGETTING = (0.1, 0.2, 0.35, 0.5, 0.75)


def sample(
    density: Density,
    *,
    chains: int,
    draws: int,
    warmup: int,
    key: np.random.SeedSequence,
    cores: int,
    progress: Progress,
    enough: Enough | None = None,
) -> Draws:
    """Draws by DE-MC-Z; the warm-up is discarded."""
    random = np.random.default_rng(key)
    steps = STEPS_PER_PARAMETER * density.dimension
    first = max(ARCHIVE_PER_PARAMETER * density.dimension, 2 * chains, 20)
    positions, values = candidates(density, random, first, cores)
    archive = Archive(positions, room=chains * (1 + (warmup + draws) * steps // ARCHIVE_EVERY))
    # Chains start at the better half of the candidates, apart from each other.
    begin = random.permutation(max(len(positions) // 2, 1))[np.arange(chains) % max(len(positions) // 2, 1)]
    chain = _Chains(positions[begin], values[begin])
    forget = {max(1, round(part * warmup)) for part in FORGETTING}
    kept, log_densities, accepted = [], [], []
    notes: dict[str, Any] = {"steps_between_draws": steps}
    looked_at, note = looks(draws, enough), ""
    progress.start("draw from the posterior", total=chains * (warmup + draws))
    with evaluator(density, cores) as evaluate:
        try:
            for draw in range(warmup + draws):
                if draw < warmup and draw in forget:
                    archive.forget_half(keep=first)
                share = np.zeros(chains)
                for step in range(steps):
                    moved = _step(chain, archive, random, evaluate)
                    share += moved
                    if (draw * steps + step) % ARCHIVE_EVERY == 0:
                        archive.add(chain.positions)
                if draw >= warmup:
                    kept.append(chain.positions.copy())
                    log_densities.append(chain.values.copy())
                    accepted.append(share / steps)
                if enough is not None and draw + 1 - warmup in looked_at:
                    mixing = enough.look(np.stack(kept, axis=1), progress)
                    note, notes["stopped"] = mixing.in_words(), enough.in_words(len(kept), draws, mixing)
                    if enough.met_by(mixing):
                        break
                progress.update(chains * (draw + 1), note=note)
        except TimeIsUp:
            if len(kept) < FEWEST_DRAWS:
                raise
            notes |= cut_short(len(kept), draws, chains, chains)
    progress.update(chains * (warmup + draws), note=note)
    progress.finish()
    stats = {"lp": np.stack(log_densities, axis=1), "acceptance_rate": np.stack(accepted, axis=1)}
    return Draws(np.stack(kept, axis=1), stats, notes=notes)


@dataclass
class _Chains:
    """Where the chains are: positions (chain, parameter) and log densities (chain,)."""

    positions: Array
    values: Array


def _step(chain: _Chains, archive: Archive, random: np.random.Generator, evaluate: Evaluate) -> NDArray[np.bool_]:
    """Move every chain that accepts its proposal; says which did."""
    propose = snooker if random.random() < SNOOKER_SHARE else difference
    proposal = propose(chain.positions, archive, random)
    values = evaluate(proposal.positions)
    chance = values - chain.values + proposal.log_factor
    accepted = np.asarray(np.log1p(-random.random(len(values))) < chance)
    chain.positions[accepted] = proposal.positions[accepted]
    chain.values[accepted] = values[accepted]
    return accepted
