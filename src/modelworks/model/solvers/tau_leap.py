"""Tau-leaping: many events at once, over a time in which rates hardly change.

A leap is as long as leaves every compartment that people leave within a few per cent of its size, and in a leap
each event happens a Poisson number of times. Events that could empty a compartment of fewer than ten people are
drawn one by one, each at its exact time, so nobody is taken who is not there; where a leap would hold
fewer than ten events, they are drawn exactly. Cao, Gillespie & Petzold 2006, doi:10.1063/1.2159468.
"""

from __future__ import annotations

from math import log

from modelworks.model.backends._routines import Real, Reals, Whole, Words, part
from modelworks.model.solvers._jumping import (
    DESTINATIONS,
    JUMPS,
    ORIGINS,
    PEOPLE,
    ROWS_LEFT,
    SHIFTS,
    SOURCES,
    STATE,
    WEIGHTS,
    WIDTH,
    derivative,
    jump,
    weigh_by_people,
)
from modelworks.model.solvers._random import poisson, uniform
from modelworks.model.solvers.exact import happen

# How much a rate may change in a leap, and of how many people a compartment is about to be empty.
CHANGE = 0.03
FEW = 10.0
# A rate of infection is a product of two compartments, so it changes twice as much as each.
ORDER = 2.0


def advance(words: Words, state: Reals, work: Reals, run: Reals, data: Reals, moment: Reals, h: Real) -> Whole:
    """Leap from the start of a step to its end."""
    after, rates = work, part(work, STATE)
    drift = part(rates, (JUMPS + WEIGHTS) * WIDTH)
    left = h
    while left > 0.0:
        derivative(state, run, data, moment, rates)
        total = weigh_by_people(state, rates)
        if total < 0.0:
            return int(-total - 1.0)
        if total == 0.0:
            return -1
        leap = longest_leap(state, rates, drift, part(drift, STATE))
        if leap * total < FEW:
            left += log(uniform(words)) / total
            if left > 0.0:
                happen(words, state, rates, total)
        else:
            left -= leap_by(words, state, after, rates, min(leap, left))
    return -1


def is_critical(state: Reals, which: Whole, lane: Whole) -> Whole:
    """Whether a jump could empty the compartment it leaves."""
    return 1 if ORIGINS[which] >= 0 and state[max(ORIGINS[which], 0) * WIDTH + lane] < FEW else 0


def longest_leap(state: Reals, rates: Reals, drift: Reals, noise: Reals) -> Real:
    """The time in which neither the drift nor the noise of any compartment exceeds what it may change."""
    for k in range(PEOPLE):
        drift[k] = 0.0
        noise[k] = 0.0
    for which in range(JUMPS):
        for lane in range(WIDTH):
            rate = rates[which * WIDTH + lane]
            if rate > 0.0 and is_critical(state, which, lane) == 0:
                if ORIGINS[which] >= 0:
                    drift[ORIGINS[which] * WIDTH + lane] -= rate
                    noise[ORIGINS[which] * WIDTH + lane] += rate
                if DESTINATIONS[which] >= 0:
                    there = DESTINATIONS[which] * WIDTH + lane + SHIFTS[which]
                    drift[there] += rate
                    noise[there] += rate
    longest = 1e300
    for k in range(ROWS_LEFT):
        for lane in range(WIDTH):
            place = SOURCES[k] * WIDTH + lane
            allowed = max(state[place] * (CHANGE / ORDER), 1.0)
            if noise[place] > 0.0:
                longest = min(longest, allowed * allowed / noise[place])
                if drift[place] != 0.0:
                    longest = min(longest, allowed / abs(drift[place]))
    return longest


def leap_by(words: Words, state: Reals, after: Reals, rates: Reals, longest: Real) -> Real:
    """Leap by at most a time, and at most to the first critical event; how far it went."""
    critical = 0.0
    for which in range(JUMPS):
        for lane in range(WIDTH):
            if is_critical(state, which, lane) == 1:
                critical += rates[which * WIDTH + lane]
    first = 1e300
    if critical > 0.0:
        first = -log(uniform(words)) / critical
    leap = min(longest, first)
    while leap_everybody(words, state, after, rates, leap) == 0:
        leap = leap / 2.0
    if leap == first:
        happen_critical(words, state, after, rates, critical)
    for k in range(STATE):
        state[k] = after[k]
    return leap


def leap_everybody(words: Words, state: Reals, after: Reals, rates: Reals, leap: Real) -> Whole:
    """Draw all events that are not critical; 0 where more people would leave a compartment than it has."""
    for k in range(STATE):
        after[k] = state[k]
    for which in range(JUMPS):
        for lane in range(WIDTH):
            rate = rates[which * WIDTH + lane]
            if rate > 0.0 and is_critical(state, which, lane) == 0:
                number = poisson(words, rate * leap)
                if number > 0.0:
                    jump(after, rates, which, lane, number)
    for k in range(PEOPLE):
        if after[k] < 0.0:
            return 0
    return 1


def happen_critical(words: Words, state: Reals, after: Reals, rates: Reals, total: Real) -> None:
    """Let one of the critical events happen, each in proportion to its rate."""
    reach = uniform(words) * total
    chosen = -1
    for place in range(JUMPS * WIDTH):
        if rates[place] > 0.0 and is_critical(state, place // WIDTH, place % WIDTH) == 1:
            chosen = place
            reach -= rates[place]
            if reach <= 0.0:
                break
    jump(after, rates, chosen // WIDTH, chosen % WIDTH, 1.0)
