"""What solvers that choose their own steps share: the loop over outputs and stops, and the control of the error.

The names announced here are filled in when a kernel is written (`backends/controlled.py`). A state is a row of numbers
a compartment, a number for each lane, and behind them the accumulators. `inputs` is everything else the model's
functions look at: the time, what of it the tables say, and what follows from both and the parameters.

A step is as long as keeps its error in every compartment, and in every count of events, below a part (the tolerance) of
that number itself: a few infectious people are followed as closely as millions of susceptible ones.
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from modelworks.model.backends._routines import Real, Reals, Whole, Wholes, part

NUMBERS = np.zeros(0)
NONE = np.zeros(0, dtype=np.int64)

STATE: Whole = 0
PEOPLE: Whole = 0  # of a state, the leading numbers that are people
OUTPUT: Whole = 0  # numbers an output
ORDER: Real = 0.0
# Where in `inputs` each part begins; the time itself comes first.
CLOCK: Whole = 1
RUN: Whole = 0
DATA: Whole = 0
MOMENT: Whole = 0
# What is read from the time: of each its kind, and its knots and values from FIRSTS[k] to FIRSTS[k + 1].
LEAVES: Whole = 0
KINDS: Wholes = NONE
FIRSTS: Wholes = NONE
KNOTS: Reals = NUMBERS
VALUES: Reals = NUMBERS
KIND_OF = {"time": 0, "happening": 1, "step": 2, "linear": 3, "level": 4, "slopes": 5}

# A number below this part of the largest it has been counts as nothing when a step's error is weighed; so does what is
# below round-off of all numbers together.
NOTHING = 1e-10
ROUND_OFF = 1e-14
# A step is a little shorter than the last error promises, and never much longer or shorter than the one before.
SAFETY = 0.9
LONGER = 5.0
SHORTER = 0.2
# Steps that a run may try, and the part of the time below which a step is none.
MOST_TRIED = 2_000_000
SHORTEST = 1e-15

# -- functions of the model, written by the compiler ----------------------------------------------


def before_run(parameters: Reals, run: Reals, suspect: Wholes) -> None:
    """What depends on parameters alone."""
    raise NotImplementedError


def at_time(clock: Reals, data: Reals, suspect: Wholes) -> None:
    """What depends on time alone."""
    raise NotImplementedError


def at_moment(run: Reals, data: Reals, moment: Reals, suspect: Wholes) -> None:
    """What depends on parameters and time."""
    raise NotImplementedError


def derivative(state: Reals, run: Reals, data: Reals, moment: Reals, slope: Reals) -> None:
    """How fast each number of the state changes."""
    raise NotImplementedError


def derivative_adjoint(
    state: Reals,
    run: Reals,
    data: Reals,
    moment: Reals,
    cotangent: Reals,
    state_bar: Reals,
    run_bar: Reals,
    moment_bar: Reals,
) -> None:
    """The derivative of a weighted sum of slopes by the state; those by `run` and `moment` are added to theirs."""
    raise NotImplementedError


def observe(state: Reals, run: Reals, data: Reals, moment: Reals, outputs: Reals, suspect: Wholes) -> None:
    """The outputs of a state."""
    raise NotImplementedError


# -- the two routines of a solver -----------------------------------------------------------------


def begin(continues: Whole, time: Real, end: Real, state: Reals, memory: Reals, inputs: Reals, suspect: Wholes) -> None:
    """Prepare a step from here; `continues` says whether the last step ended here and nothing jumped since."""
    raise NotImplementedError


def attempt(
    time: Real, h: Real, end: Real, state: Reals, after: Reals, memory: Reals, inputs: Reals, suspect: Wholes
) -> None:
    """Write the state after a step into `after`, and its error into the first row of the memory."""
    raise NotImplementedError


# -- time -----------------------------------------------------------------------------------------


def read_table(leaf: Whole, time: Real) -> Real:
    """What a leaf of the graph that is read from time alone is; as `interpreter.read_table`."""
    kind, low, high = KINDS[leaf], FIRSTS[leaf], FIRSTS[leaf + 1]
    last = high - 1
    if kind == 0:
        return time
    if kind == 1:
        for k in range(low, high):
            if KNOTS[k] == time:
                return 1.0
        return 0.0
    while high - low > 1:
        middle = (low + high) // 2
        if KNOTS[middle] <= time:
            low = middle
        else:
            high = middle
    if kind == 2:
        return float(VALUES[low])
    if low == last:
        return 0.0 if kind == 5 else float(VALUES[last])
    gap = KNOTS[low + 1] - KNOTS[low]
    u: Real = max((time - KNOTS[low]) / gap, 0.0)
    if kind == 5:
        return float(gap * u * (1.0 - u) * (VALUES[low] * (1.0 - u) - VALUES[low + 1] * u))
    if kind == 4:
        u = u * u * (3.0 - 2.0 * u)
    return float(VALUES[low] + (VALUES[low + 1] - VALUES[low]) * u)


def look(time: Real, inputs: Reals, suspect: Wholes) -> None:
    """Compute all that depends on the time."""
    inputs[0] = time
    for leaf in range(LEAVES):
        inputs[CLOCK + leaf] = read_table(leaf, time)
    data = part(inputs, DATA)
    at_time(part(inputs, CLOCK), data, suspect)
    at_moment(part(inputs, RUN), data, part(inputs, MOMENT), suspect)


def slope_at(time: Real, state: Reals, slope: Reals, inputs: Reals, suspect: Wholes) -> None:
    """How fast a state changes at a time; after the first thing that can not be nothing is computed any more."""
    if suspect[0] == 0:
        look(time, inputs, suspect)
        derivative(state, part(inputs, RUN), part(inputs, DATA), part(inputs, MOMENT), slope)


# -- steps ----------------------------------------------------------------------------------------


def people_in(state: Reals) -> Real:
    total = 0.0
    for k in range(PEOPLE):
        total += state[k]
    return total


def largest_error(state: Reals, after: Reals, peaks: Reals, error: Reals) -> Real:
    """The largest error as a part of what it is the error of; not a number where one of them is none."""
    nobody = ROUND_OFF * people_in(state) + 1e-300
    largest = 0.0
    for k in range(STATE):
        there = max(max(abs(state[k]), abs(after[k])), NOTHING * peaks[k])
        each: Real = abs(error[k]) / (there + nobody)
        if not each <= largest:
            largest = each
            if each != each:
                return each
    return largest


def length_of(size: Real, left: Real) -> Real:
    """The length of a step: rather two alike than one that ends at the doorstep of a stop."""
    return left if size >= left else min(size, left / 2.0)


def follow(
    time: Real,
    end: Real,
    size: Real,
    longest: Real,
    tolerance: Real,
    state: Reals,
    after: Reals,
    peaks: Reals,
    memory: Reals,
    inputs: Reals,
    suspect: Wholes,
    told: Reals,
) -> Real:
    """Go from one stop to the next. The answer is the length to try then, or zero where it was not reached."""
    begin(0, time, end, state, memory, inputs, suspect)
    while True:
        left = end - time
        h = length_of(min(size, longest), left)
        attempt(time, h, end, state, after, memory, inputs, suspect)
        error = largest_error(state, after, peaks, memory) / tolerance
        told[1] += 1.0
        if suspect[0] != 0 or told[1] > MOST_TRIED:
            return 0.0
        if error <= 1.0:
            told[0] = max(told[0], h)
            for k in range(STATE):
                state[k] = after[k]
                peaks[k] = max(peaks[k], abs(after[k]))
            promised = h * min(LONGER, SAFETY * exp(-log(error) / ORDER))
            if h == left:
                return max(size, promised)
            time += h
            size = promised
            begin(1, time, end, state, memory, inputs, suspect)
        else:
            # Also where the error is not a number.
            size = h * SHORTER
            if error < 1e300:
                size = h * max(SHORTER, SAFETY * exp(-log(error) / ORDER))
            if size <= SHORTEST * max(abs(time), abs(end)):
                return 0.0


def happen(time: Real, state: Reals, slope: Reals, inputs: Reals, suspect: Wholes) -> None:
    """Let a pulse happen: at its moment the slope is what it moves, at once."""
    slope_at(time, state, slope, inputs, suspect)
    for k in range(STATE):
        state[k] += slope[k]


def start(parameters: Reals, state: Reals, peaks: Reals, inputs: Reals, suspect: Wholes) -> None:
    """The state that a run begins with."""
    before_run(parameters, part(inputs, RUN), suspect)
    for k in range(STATE):
        state[k] = inputs[RUN + k]
        peaks[k] = abs(state[k])


def write(time: Real, state: Reals, outputs: Reals, seen: Reals, inputs: Reals, suspect: Wholes) -> None:
    """The outputs of a state, and the state itself."""
    if suspect[0] == 0:
        look(time, inputs, suspect)
    observe(state, part(inputs, RUN), part(inputs, DATA), part(inputs, MOMENT), outputs, suspect)
    for k in range(STATE):
        seen[k] = state[k]


def is_possible(state: Reals, floor: Real) -> Whole:
    """Whether nobody is missing by more than round-off; what is not a number is not possible."""
    for k in range(PEOPLE):
        if not state[k] >= floor:
            return 0
    return 1


def run_controlled(
    number: Whole,
    longest: Real,
    tolerance: Real,
    tolerated: Real,
    parameters: Reals,
    starts: Reals,
    ends: Reals,
    pulses: Reals,
    counts: Wholes,
    resets: Wholes,
    times: Reals,
    outputs: Reals,
    seen: Reals,
    inputs: Reals,
    work: Reals,
    suspect: Wholes,
    told: Reals,
) -> Whole:
    """Take one run from output to output; the answer is the first that was not reached or is not possible, or -1.

    `starts`, `ends` and `pulses` are of the segments between stops, `counts` how many of them lie before each output,
    `times` the outputs', and `resets` says after which of them events are counted anew. `seen` gets the state at each
    output, `told` the longest step and how many were tried.
    """
    state, after, peaks, memory = work, part(work, STATE), part(work, 2 * STATE), part(work, 3 * STATE)
    start(parameters, state, peaks, inputs, suspect)
    floor = -tolerated * people_in(state)
    segment, size = 0, longest
    for output in range(number):
        for _each in range(counts[output]):
            left, right, pulse = starts[segment], ends[segment], pulses[segment]
            if pulse == pulse:
                happen(pulse, state, after, inputs, suspect)
            elif size > 0.0:
                size = follow(left, right, size, longest, tolerance, state, after, peaks, memory, inputs, suspect, told)
            segment += 1
        # Where a run went that did not get here is what there is to tell.
        reached = state if size > 0.0 else after
        write(times[output], reached, part(outputs, output * OUTPUT), part(seen, output * STATE), inputs, suspect)
        if size == 0.0 or suspect[0] != 0 or is_possible(state, floor) == 0:
            return output
        if resets[output] != 0:
            for k in range(PEOPLE, STATE):
                state[k] = 0.0
    return -1
