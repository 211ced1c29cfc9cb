"""Are the solver's steps short enough for the data?"""

from __future__ import annotations

from modelworks.diagnostics._check import Check, Limits

# By how much the log density of a draw may move against that of others: a tenth hardly changes a draw's weight, and
# one makes a draw nearly three times as likely as it is. Our own lines.
MOVED = Limits(look=0.1, stop=1.0)


def solver_steps(shift: float) -> Check:
    """Whether shorter steps would leave the draws as likely as they are.

    Parameters
    ----------
    shift : float
        By how much the log density of any draw moves against that of others when the steps are made short.

    >>> solver_steps(0.002).verdict, solver_steps(3.0).verdict, solver_steps(float("nan")).verdict
    ('fine', 'stop', 'stop')
    """
    verdict = MOVED.verdict(shift)
    if verdict == "fine":
        reason = (
            f"Shorter steps of the solver would change how likely draws are by {shift:.1g} in the logarithm at most."
        )
    else:
        reason = (
            f"The solver's steps are too long for these data: shorter ones change how likely draws are by {shift:.2g} "
            "in the logarithm."
        )
    return Check("solver_steps", "Steps short enough", verdict, reason, shift, MOVED.words)
