"""The course of one epidemic among single people, as routines of a kernel (`backends/_routines.py`).

What is to happen waits in a heap, the next first: only people who are infected, and the next arrival from outside,
are ever looked at. Infectious contacts come as a Poisson process, so that of those with a housemate only the first
matters, and of those in the community only the next need be known. Rates that change with time are met by thinning:
contacts come at the highest rate of all, and each counts with the chance that the rate of its own step gives.
"""

from __future__ import annotations

from math import log

from modelworks.model.backends._routines import Real, Reals, Whole, Wholes, Word, Words, part
from modelworks.model.solvers._random import start_stream, uniform

# What people are.
SUSCEPTIBLE: Whole = 0
EXPOSED: Whole = 1
INFECTIOUS: Whole = 2
REMOVED: Whole = 3
# Where they are infected.
HOME: Whole = 0
COMMUNITY: Whole = 1
OUTSIDE: Whole = 2
# What happens to somebody: `KINDS * person + kind`.
KINDS: Whole = 5
CONTACT_AT_HOME: Whole = 0
CONTACT_IN_COMMUNITY: Whole = 1
ARRIVAL: Whole = 2
ONSET: Whole = 3
REMOVAL: Whole = 4

# Places of `settings`: whole numbers of the model, and behind them the sizes of households.
PEOPLE: Whole = 0
GROUPS: Whole = 1  # of households, one a size
STRIDE: Whole = 2  # numbers that are counted of each group
OUTPUTS: Whole = 3
STEPS: Whole = 4
LATENT_STAGES: Whole = 5
STAGES: Whole = 6
IN_EACH: Whole = 7
SIZES: Whole = 8
# Places of `numbers`: of this draw, and behind them the rate at home for each size.
STEP: Whole = 0
LATENT: Whole = 1
DURATION: Whole = 2
FIRST: Whole = 3
HIGHEST_COMMUNITY: Whole = 4
HIGHEST_OUTSIDE: Whole = 5
AT_HOME: Whole = 6
# Places of a person: what they are, the first of their household, its group, and, of that first, how many of the
# household were ever infected.
PLACES: Whole = 4
STATUS: Whole = 0
FIRST_AT_HOME: Whole = 1
GROUP: Whole = 2
EVER: Whole = 3
# Places of `sums`: how many events wait; then for each group the people of each status, those infected since the
# output before by where, and households by how many were ever infected.
WAITING: Whole = 0
INFECTIONS: Whole = 4
HOUSEHOLDS: Whole = 7

NEVER = 1e300


def wait(words: Words, rate: Real) -> Real:
    """The time until the next event of a rate."""
    return -log(uniform(words)) / rate if rate > 0.0 else NEVER


def period(words: Words, mean: Real, stages: Whole) -> Real:
    """A time with this mean: the sum of so many exponential ones, or the mean itself without stages."""
    if stages == 0:
        return mean
    total: Real = 0.0
    for _ in range(stages):
        total = total - log(uniform(words))
    return total * mean / stages


def anybody(words: Words, people: Whole) -> Whole:
    """One of all people, each alike."""
    return min(int(uniform(words) * people), people - 1)


# -- the heap --------------------------------------------------------------------------------------


def plan(times: Reals, events: Wholes, sums: Wholes, time: Real, event: Whole) -> None:
    """Put an event among those that wait."""
    place = sums[WAITING]
    sums[WAITING] = place + 1
    while place > 0:
        above = (place - 1) // 2
        if times[above] <= time:
            break
        times[place] = times[above]
        events[place] = events[above]
        place = above
    times[place] = time
    events[place] = event


def forget_next(times: Reals, events: Wholes, sums: Wholes) -> None:
    """Take the next event away."""
    number = sums[WAITING] - 1
    sums[WAITING] = number
    time = times[number]
    event = events[number]
    place = 0
    while 2 * place + 1 < number:
        below = 2 * place + 1
        if below + 1 < number and times[below + 1] < times[below]:
            below = below + 1
        if times[below] >= time:
            break
        times[place] = times[below]
        events[place] = events[below]
        place = below
    times[place] = time
    events[place] = event


# -- people ----------------------------------------------------------------------------------------


def become(person: Whole, status: Whole, settings: Wholes, persons: Wholes, sums: Wholes) -> None:
    """Somebody is something else from now on; whoever is no longer susceptible counts in the household."""
    before = persons[PLACES * person + STATUS]
    group = 1 + settings[STRIDE] * persons[PLACES * person + GROUP]
    persons[PLACES * person + STATUS] = status
    sums[group + before] -= 1
    sums[group + status] += 1
    if before == SUSCEPTIBLE:
        first = PLACES * persons[PLACES * person + FIRST_AT_HOME]
        ever = persons[first + EVER]
        persons[first + EVER] = ever + 1
        sums[group + HOUSEHOLDS + ever] -= 1
        sums[group + HOUSEHOLDS + ever + 1] += 1


def infect(
    person: Whole,
    now: Real,
    where: Whole,
    settings: Wholes,
    numbers: Reals,
    words: Words,
    persons: Wholes,
    times: Reals,
    events: Wholes,
    sums: Wholes,
) -> None:
    """An infectious contact of somebody, who is infected by it if susceptible."""
    if persons[PLACES * person + STATUS] != SUSCEPTIBLE:
        return
    become(person, EXPOSED, settings, persons, sums)
    sums[1 + settings[STRIDE] * persons[PLACES * person + GROUP] + INFECTIONS + where] += 1
    onset = now + period(words, numbers[LATENT], settings[LATENT_STAGES])
    plan(times, events, sums, onset, KINDS * person + ONSET)


def begin_to_infect(
    person: Whole,
    now: Real,
    settings: Wholes,
    numbers: Reals,
    words: Words,
    persons: Wholes,
    ends: Reals,
    times: Reals,
    events: Wholes,
    sums: Wholes,
) -> None:
    """Somebody is infectious until they are removed; their contacts are planned."""
    end = now + period(words, numbers[DURATION], settings[STAGES])
    ends[person] = end
    plan(times, events, sums, end, KINDS * person + REMOVAL)
    group = persons[PLACES * person + GROUP]
    first = persons[PLACES * person + FIRST_AT_HOME]
    for mate in range(first, first + settings[SIZES + group]):
        if persons[PLACES * mate + STATUS] == SUSCEPTIBLE:
            met = now + wait(words, numbers[AT_HOME + group])
            if met < end:
                plan(times, events, sums, met, KINDS * mate + CONTACT_AT_HOME)
    met = now + wait(words, numbers[HIGHEST_COMMUNITY])
    if met < end:
        plan(times, events, sums, met, KINDS * person + CONTACT_IN_COMMUNITY)


def choose_first(settings: Wholes, numbers: Reals, words: Words, persons: Wholes, sums: Wholes) -> None:
    """Those who are infectious at the start: of each household the first ones, or some of all people."""
    number = int(numbers[FIRST])
    if settings[IN_EACH] == 1:
        for person in range(settings[PEOPLE]):
            if person - persons[PLACES * person + FIRST_AT_HOME] < number:
                become(person, INFECTIOUS, settings, persons, sums)
        return
    while number > 0:
        person = anybody(words, settings[PEOPLE])
        if persons[PLACES * person + STATUS] == SUSCEPTIBLE:
            become(person, INFECTIOUS, settings, persons, sums)
            number -= 1


def write(row: Reals, settings: Wholes, sums: Wholes) -> None:
    """An output; infections are counted anew after it."""
    for k in range(settings[GROUPS] * settings[STRIDE]):
        row[k] = float(sums[1 + k])
    for group in range(settings[GROUPS]):
        for where in range(3):
            sums[1 + settings[STRIDE] * group + INFECTIONS + where] = 0


def is_kept(
    words: Words, now: Real, start: Real, settings: Wholes, numbers: Reals, rates: Reals, highest: Real
) -> Whole:
    """Whether a contact that came at the highest rate comes at the rate of its step."""
    step = min(int((now - start) / numbers[STEP]), settings[STEPS] - 1)
    return 1 if uniform(words) * highest < rates[step] else 0


def run_epidemic(
    key: Words,
    stream: Word,
    settings: Wholes,
    numbers: Reals,
    community: Reals,
    outside: Reals,
    moments: Reals,
    words: Words,
    persons: Wholes,
    ends: Reals,
    times: Reals,
    events: Wholes,
    sums: Wholes,
    outputs: Reals,
) -> None:
    """One epidemic, from everybody susceptible on; its `sums` at each moment are written to `outputs`."""
    start_stream(words, key[0], key[1], stream)
    people = settings[PEOPLE]
    start = moments[0]
    choose_first(settings, numbers, words, persons, sums)
    for person in range(people):
        if persons[PLACES * person + STATUS] == INFECTIOUS:
            begin_to_infect(person, start, settings, numbers, words, persons, ends, times, events, sums)
    arriving = numbers[HIGHEST_OUTSIDE] * people
    plan(times, events, sums, start + wait(words, arriving), ARRIVAL)
    reached = 0
    while reached < settings[OUTPUTS]:
        if sums[WAITING] == 0 or times[0] > moments[reached]:
            write(part(outputs, reached * settings[GROUPS] * settings[STRIDE]), settings, sums)
            reached += 1
            continue
        now = times[0]
        person = events[0] // KINDS
        kind = events[0] % KINDS
        forget_next(times, events, sums)
        if kind == CONTACT_AT_HOME:
            infect(person, now, HOME, settings, numbers, words, persons, times, events, sums)
        elif kind == CONTACT_IN_COMMUNITY:
            if is_kept(words, now, start, settings, numbers, community, numbers[HIGHEST_COMMUNITY]) == 1:
                met = anybody(words, people)
                infect(met, now, COMMUNITY, settings, numbers, words, persons, times, events, sums)
            after = now + wait(words, numbers[HIGHEST_COMMUNITY])
            if after < ends[person]:
                plan(times, events, sums, after, KINDS * person + CONTACT_IN_COMMUNITY)
        elif kind == ARRIVAL:
            if is_kept(words, now, start, settings, numbers, outside, numbers[HIGHEST_OUTSIDE]) == 1:
                met = anybody(words, people)
                infect(met, now, OUTSIDE, settings, numbers, words, persons, times, events, sums)
            plan(times, events, sums, now + wait(words, arriving), ARRIVAL)
        elif kind == ONSET:
            become(person, INFECTIOUS, settings, persons, sums)
            begin_to_infect(person, now, settings, numbers, words, persons, ends, times, events, sums)
        else:
            become(person, REMOVED, settings, persons, sums)
