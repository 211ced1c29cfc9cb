"""A log density as one routine: from a point in white coordinates to the value and the gradient there.

What it does not find regular (a run that fails, a point too far out, a number that is not one) it leaves to the
density in Python, which knows what to make of it and what to say.
"""

from __future__ import annotations

from modelworks.calibration.native._likelihoods import COLUMNS, total_and_slopes
from modelworks.calibration.native._priors import (
    LOG_JACOBIAN,
    LOG_JACOBIAN_SLOPE,
    SLOPE,
    VALUE,
    from_line,
    log_shape,
    slope_of_shape,
)
from modelworks.model.routines import (
    Real,
    Reals,
    Truth,
    Whole,
    Wholes,
    called,
    give_back,
    part,
    reals_at,
    run_backward,
    run_forward,
    taken,
    wholes_at,
)

# The columns of the table: numbers, addresses of what is read, and where the parts of the working memory begin.
STOPPED, OTHERWISE, SLOTS, MEMORY, DIMENSION, VALUES, PARAMETERS, OUTPUTS, TARGETS = range(9)
AT_BUSY, AT_WORK, AT_WHITE, AT_KINDS, AT_NUMBERS, AT_FIXED, AT_PLACES, AT_FACTORS, AT_RUN = range(9, 18)
AT_TARGETS, AT_WHOLES, AT_REALS = range(18, 21)
IMAGE, VALUE_OF, SLOPE_OF, BY_POSITION, BY_VALUE, GIVEN, BY_GIVEN, OUTPUT, COTANGENT, RUN, END = range(21, 32)

# Numbers of a prior: two of its map, three of its shape, a constant.
NUMBERS = 6


def log_density(dimension: Whole, z: Reals, gradient: Reals, value: Reals, table: Wholes) -> Whole:
    """Fill in the value and the gradient (dimension,) at z (dimension,); zero where they are numbers.

    Several threads call it at once, each with one of the pieces of working memory while it takes.
    """
    if table[STOPPED] == 0:
        busy: Wholes = wholes_at(table[AT_BUSY])
        for slot in range(table[SLOTS]):
            if taken(busy, slot) == 0:
                work: Reals = part(reals_at(table[AT_WORK]), slot * table[MEMORY])
                is_regular = evaluate(z, gradient, value, table, work)
                give_back(busy, slot)
                if is_regular == 1:
                    return 0
                break
    return called(table[OTHERWISE], dimension, z, gradient, value, table)


def evaluate(z: Reals, gradient: Reals, value: Reals, table: Wholes, work: Reals) -> Whole:
    """The same with a piece of working memory; one if everything was regular."""
    total = believe(z, table, work)
    if not is_finite(total):
        return 0
    values: Reals = part(work, table[VALUE_OF])
    given: Reals = part(work, table[GIVEN])
    places: Wholes = wholes_at(table[AT_PLACES])
    factors: Reals = reals_at(table[AT_FACTORS])
    for k in range(table[PARAMETERS]):
        given[k] = values[places[k]] * factors[k]
        if not is_finite(given[k]):
            return 0
    run: Wholes = wholes_at(table[AT_RUN])
    if run_forward(run, part(work, table[RUN]), given, part(work, table[OUTPUT])) != 0:
        return 0
    total += compare(table, work)
    by_given: Reals = part(work, table[BY_GIVEN])
    for k in range(table[PARAMETERS]):
        by_given[k] = 0.0
    run_backward(run, part(work, table[RUN]), given, part(work, table[COTANGENT]), by_given)
    by_value: Reals = part(work, table[BY_VALUE])
    for k in range(table[PARAMETERS]):
        by_value[places[k]] = by_value[places[k]] + by_given[k] * factors[k]
    value[0] = total
    return 1 if is_finite(total) and is_finite(pull(gradient, table, work)) else 0


def believe(z: Reals, table: Wholes, work: Reals) -> Real:
    """The log prior with its Jacobian; fills in all values, and the prior's part of the gradient."""
    dimension = table[DIMENSION]
    white: Reals = reals_at(table[AT_WHITE])
    kinds: Wholes = wholes_at(table[AT_KINDS])
    fixed: Reals = reals_at(table[AT_FIXED])
    image: Reals = part(work, table[IMAGE])
    values: Reals = part(work, table[VALUE_OF])
    total = 0.0
    for k in range(dimension):
        u = 0.0
        for each in range(dimension):
            u += white[dimension + k * dimension + each] * z[each]
        prior: Reals = part(reals_at(table[AT_NUMBERS]), NUMBERS * k)
        from_line(kinds[2 * k], prior[0], prior[1], white[k] + u, image)
        x, shape = image[VALUE], kinds[2 * k + 1]
        values[k] = x
        work[table[SLOPE_OF] + k] = image[SLOPE]
        total += log_shape(shape, prior[2], prior[3], prior[4], x) + prior[5] + image[LOG_JACOBIAN]
        by_value = slope_of_shape(shape, prior[2], prior[3], prior[4], x)
        work[table[BY_POSITION] + k] = by_value * image[SLOPE] + image[LOG_JACOBIAN_SLOPE]
    for k in range(dimension, table[VALUES]):
        values[k] = fixed[k - dimension]
    return total


def compare(table: Wholes, work: Reals) -> Real:
    """The log likelihood of all targets; fills in its derivatives by the outputs and by the values."""
    for k in range(table[OUTPUTS]):
        work[table[COTANGENT] + k] = 0.0
    for k in range(table[VALUES]):
        work[table[BY_VALUE] + k] = 0.0
    total = 0.0
    for k in range(table[TARGETS]):
        total += total_and_slopes(
            part(wholes_at(table[AT_TARGETS]), k * COLUMNS),
            wholes_at(table[AT_WHOLES]),
            reals_at(table[AT_REALS]),
            part(work, table[VALUE_OF]),
            part(work, table[OUTPUT]),
            part(work, table[COTANGENT]),
            part(work, table[BY_VALUE]),
            part(work, table[IMAGE]),
        )
    return total


def pull(gradient: Reals, table: Wholes, work: Reals) -> Real:
    """Fill in the gradient in white coordinates; a number if it is one everywhere."""
    dimension = table[DIMENSION]
    white: Reals = reals_at(table[AT_WHITE])
    for each in range(dimension):
        gradient[each] = 0.0
    for k in range(dimension):
        slope = work[table[BY_POSITION] + k] + work[table[SLOPE_OF] + k] * work[table[BY_VALUE] + k]
        for each in range(dimension):
            gradient[each] = gradient[each] + slope * white[dimension + k * dimension + each]
    total = 0.0
    for each in range(dimension):
        total += gradient[each]
    return total


def is_finite(x: Real) -> Truth:
    """Infinity less itself is no number."""
    return x - x == 0.0
