"""What the stochastic solvers share: the tables of a model's jumps, and the loop over draws and outputs.

The names announced here are filled in when a kernel is written (`backends/stochastic.py`). A state is a row of
numbers a compartment, `WIDTH` lanes each, and behind them the accumulators; all of them whole but for accumulators
whose events count in parts.

A solver is one routine, `advance`, which takes the state from the start of a step to its end and answers with
the jump whose rate was impossible, or -1.
"""

from __future__ import annotations

import numpy as np

from modelworks.model.backends._routines import Real, Reals, Whole, Wholes, Word, Words, part
from modelworks.model.solvers._random import start_stream

NONE = np.zeros(0, dtype=np.int64)

WIDTH: Whole = 0
STATE: Whole = 0
PEOPLE: Whole = 0  # of a state, the leading numbers that are people
OUTPUT: Whole = 0  # numbers an output, and so on
DATA: Whole = 0
MOMENT: Whole = 0
JUMPS: Whole = 0
WEIGHTS: Whole = 0
# As in `Jumps`: the jumps out of row SOURCES[k] are FIRSTS[k] to FIRSTS[k + 1], and entries follow.
ROWS_LEFT: Whole = 0
SOURCES: Wholes = NONE
FIRSTS: Wholes = NONE
ORIGINS: Wholes = NONE
DESTINATIONS: Wholes = NONE
SHIFTS: Wholes = NONE
COUNTED_FIRSTS: Wholes = NONE
COUNTED_ROWS: Wholes = NONE
COUNTED_WEIGHTS: Wholes = NONE

# A rate may be below zero by the round-off of a few additions; above the other it is not a number of people's.
ROUND_OFF = 1e-9
LARGEST = 1e300

# -- functions of the model, written by the compiler ----------------------------------------------


def before_run(parameters: Reals, run: Reals, suspect: Wholes) -> None:
    """What depends on parameters alone."""
    raise NotImplementedError


def at_moment(run: Reals, data: Reals, moment: Reals, suspect: Wholes) -> None:
    """What depends on parameters and time."""
    raise NotImplementedError


def derivative(state: Reals, run: Reals, data: Reals, moment: Reals, rates: Reals) -> None:
    """The rate of each jump and the weight of each count, a row of lanes each."""
    raise NotImplementedError


def observe(state: Reals, run: Reals, data: Reals, moment: Reals, outputs: Reals, suspect: Wholes) -> None:
    """The outputs of a state."""
    raise NotImplementedError


def advance(words: Words, state: Reals, work: Reals, run: Reals, data: Reals, moment: Reals, h: Real) -> Whole:
    """One step of the solver."""
    raise NotImplementedError


def pulse(words: Words, state: Reals, work: Reals, run: Reals, data: Reals, moment: Reals, h: Real) -> Whole:
    """What happens at an instant, whatever the solver; its step has no length."""
    raise NotImplementedError


# -- people who jump ------------------------------------------------------------------------------


def is_possible(rate: Real) -> Whole:
    return 1 if rate >= -ROUND_OFF and rate <= LARGEST else 0


def jump(change: Reals, rates: Reals, which: Whole, lane: Whole, number: Real) -> None:
    """Let a number of people make a jump, and count them."""
    there = lane + SHIFTS[which]
    if ORIGINS[which] >= 0:
        change[ORIGINS[which] * WIDTH + lane] -= number
    if DESTINATIONS[which] >= 0:
        change[DESTINATIONS[which] * WIDTH + there] += number
    for k in range(COUNTED_FIRSTS[which], COUNTED_FIRSTS[which + 1]):
        change[COUNTED_ROWS[k] * WIDTH + there] += number * rates[COUNTED_WEIGHTS[k] * WIDTH + there]


def weigh_by_people(state: Reals, rates: Reals) -> Real:
    """Turn rates per person into jumps per time; their sum, or -1 less the jump whose rate is impossible."""
    total = 0.0
    for which in range(JUMPS):
        for lane in range(WIDTH):
            people = state[max(ORIGINS[which], 0) * WIDTH + lane] if ORIGINS[which] >= 0 else 1.0
            rate = 0.0
            if people > 0.0:
                rate = rates[which * WIDTH + lane]
                if is_possible(rate) == 0:
                    return -1.0 - float(which)
            rate = max(rate, 0.0) * people
            rates[which * WIDTH + lane] = rate
            total += rate
    return total


# -- draws ----------------------------------------------------------------------------------------


def start_streams(streams: Words, key: Words, first: Word, number: Whole) -> None:
    """A stream of random numbers for each draw, by the draw's number."""
    for k in range(number):
        start_stream(part(streams, 4 * k), key[0], key[1], first + k)


def prepare(
    first: Whole,
    last: Whole,
    parameters: Reals,
    data: Reals,
    edges: Wholes,
    run: Reals,
    moment: Reals,
    suspect: Wholes,
) -> None:
    """Compute what does not depend on the state, for the steps and outputs to come."""
    before_run(parameters, run, suspect)
    for step in range(edges[first], edges[last]):
        at_moment(run, part(data, step * DATA), part(moment, step * MOMENT), suspect)
    for output in range(first, last):
        at_moment(run, part(data, output * DATA), part(moment, output * MOMENT), suspect)


def run_draws(
    draws: Whole,
    first: Whole,
    last: Whole,
    stride: Whole,
    parameters: Reals,
    data: Reals,
    steps: Reals,
    edges: Wholes,
    resets: Wholes,
    states: Reals,
    streams: Words,
    outputs: Reals,
    run: Reals,
    moment: Reals,
    work: Reals,
    suspects: Wholes,
    trouble: Wholes,
) -> Whole:
    """Take each draw from output `first` - 1 to output `last` - 1, writing outputs on the way.

    `stride` is 0 where all draws have the same parameters. `data` and `moment` have a row for each output, and
    behind these one for the middle of each step; the steps before an output are `edges[output]` up to
    `edges[output + 1]`, and after one of `resets` events count anew. The answer is the first draw that failed,
    or -1; `trouble` then holds its jump and its step.
    """
    for draw in range(draws):
        if draw == 0 or stride > 0:
            prepare(first, last, part(parameters, draw * stride), data, edges, run, moment, part(suspects, draw))
        state = part(states, draw * STATE)
        for output in range(first, last):
            for step in range(edges[output], edges[output + 1]):
                words, now, settled = part(streams, draw * 4), part(data, step * DATA), part(moment, step * MOMENT)
                if steps[step] > 0.0:
                    failed = advance(words, state, work, run, now, settled, steps[step])
                else:
                    failed = pulse(words, state, work, run, now, settled, 0.0)
                if failed >= 0:
                    trouble[0] = failed
                    trouble[1] = step
                    return draw
            observe(
                state,
                run,
                part(data, output * DATA),
                part(moment, output * MOMENT),
                part(outputs, (draw * (last - first) + output - first) * OUTPUT),
                part(suspects, draw),
            )
            if resets[output] > 0:
                for k in range(PEOPLE, STATE):
                    state[k] = 0.0
    return -1
