"""Random numbers, as routines of a kernel: a generator, and exact binomial and Poisson numbers.

The generator is xoshiro256++ (Blackman & Vigna 2021, doi:10.1145/3460772), four words of memory a stream,
started by SplitMix64 from a key and the number of the stream: a draw has its numbers by its own
number, whoever computes it and whatever was computed before.

Counts are real numbers that hold whole ones, which is exact up to 2**53.
"""

from __future__ import annotations

from math import exp, floor, log, sqrt

from modelworks.model.backends._routines import Real, Word, Words

GOLDEN = 0x9E3779B97F4A7C15


def scrambled(word: Word) -> Word:
    """SplitMix64's last step: every bit of the result depends on every bit of the word."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB
    return word ^ (word >> 31)


def start_stream(words: Words, key: Word, other_key: Word, stream: Word) -> None:
    """Begin the stream of a number, under a key of two words."""
    at: Word = scrambled(key ^ scrambled(stream ^ other_key))
    for k in range(4):
        at = at + GOLDEN
        words[k] = scrambled(at)


def next_word(words: Words) -> Word:
    """64 random bits."""
    a: Word = words[0]
    b: Word = words[1]
    c: Word = words[2] ^ a
    d: Word = words[3] ^ b
    total: Word = a + words[3]
    words[0] = a ^ d
    words[1] = b ^ c
    words[2] = c ^ (b << 17)
    words[3] = (d << 45) | (d >> 19)
    return ((total << 23) | (total >> 41)) + a


def uniform(words: Words) -> Real:
    """A number between 0 and 1, and never either: each of 2**52, equally far apart."""
    return (float(next_word(words) >> 12) + 0.5) * 2.220446049250313e-16


def stirling_rest(k: Real) -> Real:
    """What Stirling's formula lacks: log(k!) less (k + 1/2) log(k + 1) - (k + 1) + log(2 pi) / 2."""
    if k < 10:
        # Exactly: the series is too short there.
        factorial = 1.0
        i = 2.0
        while i <= k:
            factorial = factorial * i
            i = i + 1.0
        return log(factorial) - (k + 0.5) * log(k + 1.0) + (k + 1.0) - 0.9189385332046728
    over = 1.0 / (k + 1.0)
    square = over * over
    return (1 / 12 - (1 / 360 - square * (1 / 1260)) * square) * over


def log_of_rest(p: Real) -> Real:
    """log(1 - p), also where p is tiny (Kahan's device: the rounding of 1 - p is undone)."""
    rest = 1.0 - p
    if rest == 1.0:
        return -p
    return log(rest) * (p / (1.0 - rest))


def binomial(words: Words, n: Real, p: Real) -> Real:
    """How many of `n` succeed, each with probability `p`."""
    if n <= 0.0 or p <= 0.0:
        return 0.0
    if p >= 1.0:
        return n
    if p > 0.5:
        return n - rarer_half(words, n, 1.0 - p)
    return rarer_half(words, n, p)


def rarer_half(words: Words, n: Real, p: Real) -> Real:
    """A binomial number whose probability is at most a half."""
    if n * p < 10.0:
        return binomial_by_inversion(words, n, p, exp(n * log_of_rest(p)))
    return binomial_by_rejection(words, n, p)


def leavers(words: Words, n: Real, hazard: Real) -> Real:
    """How many of `n` leave while each is at this cumulative hazard: with probability 1 - exp(-hazard)."""
    if n <= 0.0 or hazard <= 0.0:
        return 0.0
    p = chance(hazard)
    # Here the logarithm of who stays is known already.
    if p <= 0.5 and n * p < 10.0:
        return binomial_by_inversion(words, n, p, exp(-n * hazard))
    return binomial(words, n, p)


def chance(hazard: Real) -> Real:
    """1 - exp(-hazard), also where the hazard is tiny."""
    if hazard < 1e-3:
        return hazard * (1.0 - hazard * (1 / 2 - hazard * (1 / 6 - hazard * (1 / 24))))
    return 1.0 - exp(-hazard)


def binomial_by_inversion(words: Words, n: Real, p: Real, nobody: Real) -> Real:
    """Add up the probabilities of 0, 1, 2 ... until they exceed a uniform number; for small n p.

    `nobody` is the probability of 0. Kachitvichyanukul & Schmeiser 1988, doi:10.1145/42372.42381, algorithm BINV.
    """
    odds = p / (1.0 - p)
    while True:
        left = uniform(words)
        probability = nobody
        k = 0.0
        # With n p < 10 more than a hundred come less than once in 1e70: then it was round-off.
        while left > probability and k < 100.0:
            left = left - probability
            k = k + 1.0
            probability = probability * (((n + 1.0) / k - 1.0) * odds)
        if k < 100.0:
            return k


def binomial_by_rejection(words: Words, n: Real, p: Real) -> Real:
    """Transformed rejection with squeeze, for n p of at least 10.

    Hörmann 1993, doi:10.1080/00949659308811496, algorithm BTRS. Most numbers are accepted by the squeeze, with
    no more than two uniform numbers and no logarithm.
    """
    spread = sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    squeeze = 0.92 - 4.2 / b
    while True:
        u = uniform(words) - 0.5
        v = uniform(words)
        edge = 0.5 - abs(u)
        k = floor((2.0 * a / edge + b) * u + centre)
        if edge >= 0.07 and v <= squeeze:
            return k
        if k >= 0.0 and k <= n:
            mode = floor((n + 1.0) * p)
            alpha = (2.83 + 5.1 / b) * spread
            if log(v * alpha / (a / (edge * edge) + b)) <= binomial_log_ratio(n, p / (1.0 - p), k, mode):
                return k


def binomial_log_ratio(n: Real, odds: Real, k: Real, mode: Real) -> Real:
    """The logarithm of the probability of `k` over that of the mode."""
    rest = n - mode + 1.0
    other = n - k + 1.0
    return (
        (mode + 0.5) * log((mode + 1.0) / (odds * rest))
        + (n + 1.0) * log(rest / other)
        + (k + 0.5) * log(odds * other / (k + 1.0))
        + stirling_rest(mode)
        + stirling_rest(n - mode)
        - stirling_rest(k)
        - stirling_rest(n - k)
    )


def poisson(words: Words, mean: Real) -> Real:
    """How many events happen where this many are expected."""
    if mean <= 0.0:
        return 0.0
    if mean < 10.0:
        return poisson_by_inversion(words, mean)
    return poisson_by_rejection(words, mean)


def poisson_by_inversion(words: Words, mean: Real) -> Real:
    """Add up the probabilities of 0, 1, 2 ... until they exceed a uniform number; for small means."""
    while True:
        left = uniform(words)
        probability = exp(-mean)
        k = 0.0
        while left > probability and k < 100.0:
            left = left - probability
            k = k + 1.0
            probability = probability * (mean / k)
        if k < 100.0:
            return k


def poisson_by_rejection(words: Words, mean: Real) -> Real:
    """Transformed rejection with squeeze, for means of at least 10.

    Hörmann 1993, doi:10.1016/0167-6687(93)90997-4, algorithm PTRS.
    """
    b = 0.931 + 2.53 * sqrt(mean)
    a = -0.059 + 0.02483 * b
    squeeze = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = uniform(words) - 0.5
        v = uniform(words)
        edge = 0.5 - abs(u)
        k = floor((2.0 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= squeeze:
            return k
        if k >= 0.0 and (edge >= 0.013 or v <= edge):
            scale = 1.1239 + 1.1328 / (b - 3.4)
            log_factorial = (k + 0.5) * log(k + 1.0) - (k + 1.0) + 0.9189385332046728 + stirling_rest(k)
            if log(v * scale / (a / (edge * edge) + b)) <= k * log(mean) - mean - log_factorial:
                return k
