"""May we believe the draws? Arrays in, a verdict out.

`diagnose` asks all the questions and gives a `Diagnosis`, `diagnose_draws` those that need draws alone; each question
is a function of `diagnostics.checks`, which can be asked alone. `summary` gives the numbers behind a posterior table.
"""

from modelworks.diagnostics._check import Check, Limits, Verdict, worst
from modelworks.diagnostics._diagnose import Diagnosis, diagnose, diagnose_draws
from modelworks.diagnostics._fits import Fit
from modelworks.diagnostics._guide import guide
from modelworks.diagnostics._mixing import ess_bulk, ess_mean, ess_quantile, ess_tail, mcse_mean, mcse_quantile, r_hat
from modelworks.diagnostics._summary import Summary, summary

__all__ = [
    "Check",
    "Diagnosis",
    "Fit",
    "Limits",
    "Summary",
    "Verdict",
    "diagnose",
    "diagnose_draws",
    "ess_bulk",
    "ess_mean",
    "ess_quantile",
    "ess_tail",
    "guide",
    "mcse_mean",
    "mcse_quantile",
    "r_hat",
    "summary",
    "worst",
]
