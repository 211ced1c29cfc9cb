"""The chain-binomial model: in each step everybody stays or leaves, at the rates at its start.

Somebody at the total rate $H$ leaves within a step $h$ with probability $1 - e^{-Hh}$, along one of the ways
out in proportion to its rate; so many people at once are a multinomial number, drawn as a chain of binomial ones.
Those who come from outside are a Poisson number. No compartment can become negative, and the step is a part of
the model, not an approximation that has to become small: people make at most one jump a step.

Reed & Frost 1928; Bailey 1975, The Mathematical Theory of Infectious Diseases, chapter 14; as a general
compartment model: Bretó, He, Ionides & King 2009, doi:10.1214/08-AOAS201 (Euler-multinomial).
"""

from __future__ import annotations

from math import floor

from modelworks.model.backends._routines import Real, Reals, Whole, Words, part
from modelworks.model.solvers._jumping import (
    FIRSTS,
    JUMPS,
    ROWS_LEFT,
    SOURCES,
    STATE,
    WIDTH,
    derivative,
    is_possible,
    jump,
)
from modelworks.model.solvers._random import binomial, leavers, poisson, uniform


def advance(words: Words, state: Reals, work: Reals, run: Reals, data: Reals, moment: Reals, h: Real) -> Whole:
    """One step: everybody decides by the state at its start.

    A step of no length is a pulse, in which rates are the share of people who move at once, whatever the method.
    """
    after, rates = work, part(work, STATE)
    derivative(state, run, data, moment, rates)
    for k in range(STATE):
        after[k] = state[k]
    for k in range(ROWS_LEFT):
        for lane in range(WIDTH):
            people = state[SOURCES[k] * WIDTH + lane]
            if people > 0.0:
                failed = leave(words, after, rates, k, lane, people, h)
                if failed >= 0:
                    return failed
    for which in range(FIRSTS[ROWS_LEFT], JUMPS):
        for lane in range(WIDTH):
            rate = rates[which * WIDTH + lane]
            if is_possible(rate) == 0:
                return which
            # Those who come at once are so many, and a part of a person by chance.
            number = poisson(words, rate * h) if h > 0.0 else floor(rate + uniform(words))
            if number > 0.0:
                jump(after, rates, which, lane, number)
    for k in range(STATE):
        state[k] = after[k]
    return -1


def leave(words: Words, after: Reals, rates: Reals, k: Whole, lane: Whole, people: Real, h: Real) -> Whole:
    """Draw who leaves one compartment in one stratum, and along which way."""
    total = 0.0
    for which in range(FIRSTS[k], FIRSTS[k + 1]):
        rate = rates[which * WIDTH + lane]
        if is_possible(rate) == 0:
            return which
        total += max(rate, 0.0)
    leaving = leavers(words, people, total * h) if h > 0.0 else binomial(words, people, total)
    for which in range(FIRSTS[k], FIRSTS[k + 1]):
        rate = max(rates[which * WIDTH + lane], 0.0)
        if leaving > 0.0 and rate > 0.0:
            # The last way takes all that are left: what is left of the total may miss its rate by round-off.
            number = leaving if rate >= total * 0.999999999999 else binomial(words, leaving, rate / total)
            total -= rate
            leaving -= number
            if number > 0.0:
                jump(after, rates, which, lane, number)
    return -1
