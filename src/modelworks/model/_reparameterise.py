r"""Rates from what is known better: a reproduction number, a growth rate and the times people are infected.

A calibration that samples these instead of rates meets fewer narrow ridges, and a prior on them can be had from
the literature.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelworks.errors import fail
from modelworks.model._declaration import Contacts, Setting
from modelworks.model._expression import Eigenvalue, Expression, Number, exp, expression, log


@dataclass(frozen=True, eq=False)
class InfectionsPerRate(Eigenvalue):
    """The largest eigenvalue of contacts, each row times a susceptibility and each column times an infectious time."""

    contacts: Contacts
    susceptibility: Expression
    infectious_time: Expression

    def parts(self) -> tuple[Expression, ...]:
        settings = [s for given in self.contacts.by.values() if isinstance(given, (list, tuple)) for s in given]
        scales = [expression(each.scale) for each in settings if isinstance(each, Setting)]
        return (self.susceptibility, self.infectious_time, *scales)


def infections_per_rate(contacts: Contacts, *, infectious_time: Number, susceptibility: Number = 1.0) -> Expression:
    r"""People infected by one typical infected person where the `rate` of an `Infection` with these contacts is one.

    So `rate = R0 / infections_per_rate(contacts, infectious_time=1 / recovery)` makes `R0` the basic reproduction
    number, of whatever sizes the groups are:
    $$\mathcal{R}_0 = \beta \, \rho(a_i \, C_{ij} \, d_j)$$ with $a$ the `susceptibility` and $d$ the `infectious_time`,
    each by the strata of the contacts where they differ, and $\rho$ the largest eigenvalue. The infectious time is
    the mean over those infected, each moment weighted by how infectious they are then: where a share $p$ has
    symptoms and the others are half as infectious, $(p + (1 - p) / 2) / \gamma$.

    The eigenvalue is found by power iteration within the model, and differentiated like all else. Everybody is
    taken as susceptible, at frequency-dependent infection; what changes in time has no place in it.

    Raises
    ------
    ModelworksError
        M136 where something in it changes with time or people; S103 in a run where the iteration does not settle,
        since some groups hardly meet others.
    """
    if not isinstance(contacts, Contacts):
        fail(
            "M104",
            f"contacts are given as a {type(contacts).__name__}, which does not say between the strata of what",
            hint='write Contacts({"age": matrix}), the same as in the Infection',
        )
    return InfectionsPerRate(contacts, expression(susceptibility), expression(infectious_time))


def reproduction_number_from_growth(
    growth_rate: Number,
    *,
    infectious: Number,
    latent: Number = 0.0,
    infectious_stages: int = 1,
    latent_stages: int = 1,
) -> Expression:
    r"""$\mathcal{R}_0$ of an SIR or SEIR that grows at a rate $r$ at first, with mean times $D$ infectious, $L$ latent.

    $$\mathcal{R}_0 = \frac{r D \, (1 + r L / m)^m}{1 - (1 + r D / n)^{-n}}$$ with $m$ and $n$ the `stages` of the two
    transitions (Wearing, Rohani & Keeling 2005, doi:10.1371/journal.pmed.0020174); it is one at $r = 0$. The mean
    generation interval of that model is $L + D (n + 1) / (2 n)$: to sample it, let `latent` be it less the rest.
    """
    first = (1.0 + expression(growth_rate) * latent / latent_stages) ** latent_stages
    each = 1.0 + expression(growth_rate) * infectious / infectious_stages
    # r D / (1 - q^-n) with q = 1 + r D / n is n q^n / (1 + q + ... + q^(n-1)), which does not divide by zero.
    below: Expression = expression(1.0)
    for _ in range(infectious_stages - 1):
        below = 1.0 + below * each
    return first * infectious_stages * each**infectious_stages / below


def reproduction_number_from_interval(growth_rate: Number, *, mean: Number, shape: Number) -> Expression:
    r"""$\mathcal{R}$ of an epidemic that grows at a rate $r$, generation intervals gamma with mean $T$ and shape $k$.

    $$\mathcal{R} = (1 + r T / k)^k$$ (Wallinga & Lipsitch 2007, doi:10.1098/rspb.2006.3754).
    """
    return exp(expression(shape) * log(1.0 + expression(growth_rate) * mean / shape))
