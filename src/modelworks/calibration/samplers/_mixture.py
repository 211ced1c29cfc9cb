"""Mixtures of multivariate t distributions, which cover a posterior from outside, and learn its shape."""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Tails heavier than any normal's, light enough for a covariance.
DEGREES_OF_FREEDOM = 5.0
# Components that share less than this of the posterior are let go.
LEAST_SHARE = 1e-3
# Covariances are kept this far, in parts of the whole's, from being flat.
LEAST_WIDTH = 1e-6


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares (component,), centres (component, parameter) and lower triangular factors (component, parameter,
    parameter) of the components' scales: each is a t distribution with five degrees of freedom.
    """

    shares: Array
    centres: Array
    factors: Array

    @classmethod
    def around(cls, centre: Array, covariance: Array) -> Mixture:
        """One component with this mean and covariance."""
        narrower = (DEGREES_OF_FREEDOM - 2.0) / DEGREES_OF_FREEDOM
        return cls(np.ones(1), centre[np.newaxis], _triangle(narrower * covariance)[np.newaxis])

    def sample(self, random: np.random.Generator, number: int) -> Array:
        """Independent draws, shape (number, parameter)."""
        which = random.choice(len(self.shares), size=number, p=self.shares)
        normal = random.standard_normal((number, self.centres.shape[1]))
        stretch = np.sqrt(DEGREES_OF_FREEDOM / random.chisquare(DEGREES_OF_FREEDOM, number))
        return np.asarray(self.centres[which] + stretch[:, np.newaxis] * _each(self.factors[which], normal))

    def log_density(self, points: Array) -> Array:
        """The normalised log density at points (point, parameter), shape (point,)."""
        return np.asarray(np.logaddexp.reduce(self._parts(points)[0], axis=1))

    def refitted(self, points: Array, weights: Array) -> Mixture:
        """One step towards points (point, parameter) of weights (point,) that sum to one.

        The step of expectation and maximisation of population Monte Carlo (Cappé, Douc, Guillin, Marin and Robert
        2008, doi:10.1007/s11222-008-9059-x), with covariances drawn to that of all points where few stand behind one.
        """
        logs, squared = self._parts(points)
        size = points.shape[1]
        belongs = weights[:, np.newaxis] * np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, np.newaxis])
        # A point far out says less of its component's centre and width: that is what a heavy tail means.
        counts = belongs * (DEGREES_OF_FREEDOM + size) / (DEGREES_OF_FREEDOM + squared)
        shares = belongs.sum(axis=0)
        whole = covariance_of(points, weights) * (DEGREES_OF_FREEDOM - 2.0) / DEGREES_OF_FREEDOM
        effective = 1.0 / np.square(weights).sum()
        kept, centres, factors = np.flatnonzero(shares > LEAST_SHARE), [], []
        for k in kept:
            centre = counts[:, k] @ points / counts[:, k].sum()
            away = points - centre
            own = (away * counts[:, k, np.newaxis]).T @ away / shares[k]
            borrowed = (size + 1) / (size + 1 + shares[k] * effective)
            centres.append(centre)
            factors.append(_triangle((1.0 - borrowed) * own + borrowed * whole))
        return Mixture(shares[kept] / shares[kept].sum(), np.array(centres), np.array(factors))

    def _parts(self, points: Array) -> tuple[Array, Array]:
        """By point and component (point, component): the log of share times density, and the squared distance."""
        size = points.shape[1]
        df = DEGREES_OF_FREEDOM
        constant = lgamma((df + size) / 2) - lgamma(df / 2) - size / 2 * log(df * pi)
        squared = np.empty((len(points), len(self.shares)))
        for k, (centre, factor) in enumerate(zip(self.centres, self.factors, strict=True)):
            squared[:, k] = np.square(np.linalg.solve(factor, (points - centre).T)).sum(axis=0)
        volume = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        return np.log(self.shares) + constant - volume - (df + size) / 2 * np.log1p(squared / df), squared


def covariance_of(points: Array, weights: Array) -> Array:
    """The covariance (parameter, parameter) of points (point, parameter) of weights (point,) that sum to one."""
    away = points - weights @ points
    return np.asarray((away * weights[:, np.newaxis]).T @ away)


def _triangle(covariance: Array) -> Array:
    """A lower triangular factor, also of a covariance that is flat in some direction."""
    widths = np.sqrt(np.maximum(np.diag(covariance), np.finfo(np.float64).tiny))
    correlation = covariance / np.outer(widths, widths)
    lifted = (1.0 - LEAST_WIDTH) * correlation + LEAST_WIDTH * np.eye(len(widths))
    return np.asarray(widths[:, np.newaxis] * np.linalg.cholesky(lifted))


def _each(factors: Array, vectors: Array) -> Array:
    return np.asarray(np.einsum("npq,nq->np", factors, vectors))
