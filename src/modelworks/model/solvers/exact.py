"""The exact simulation of the Markov process: one event after the other.

The next event comes after an exponential time at the total rate, and is each in proportion to its own
(the direct method; Gillespie 1977, doi:10.1021/j100540a008). Rates follow the state after every event;
what varies with time alone keeps through a step the value it has in the step's middle. The cost is that
of every event: use it for small populations, or to check the others.
"""

from __future__ import annotations

from math import log

from modelworks.model.backends._routines import Real, Reals, Whole, Words, part
from modelworks.model.solvers._jumping import JUMPS, STATE, WIDTH, derivative, jump, weigh_by_people
from modelworks.model.solvers._random import uniform


def advance(words: Words, state: Reals, work: Reals, run: Reals, data: Reals, moment: Reals, h: Real) -> Whole:
    """Every event within one step."""
    rates = part(work, STATE)
    left = h
    while True:
        derivative(state, run, data, moment, rates)
        total = weigh_by_people(state, rates)
        if total < 0.0:
            return int(-total - 1.0)
        if total == 0.0:
            return -1
        left += log(uniform(words)) / total
        if left <= 0.0:
            return -1
        happen(words, state, rates, total)


def happen(words: Words, state: Reals, rates: Reals, total: Real) -> None:
    """Let one of the events happen, each in proportion to its rate."""
    reach = uniform(words) * total
    chosen = -1
    for place in range(JUMPS * WIDTH):
        if rates[place] > 0.0:
            # The last that is possible, where round-off leaves a little of the total.
            chosen = place
            reach -= rates[place]
            if reach <= 0.0:
                break
    jump(state, rates, chosen // WIDTH, chosen % WIDTH, 1.0)
