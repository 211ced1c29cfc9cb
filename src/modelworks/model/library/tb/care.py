"""How disease is found, and how its treatment ends."""

from __future__ import annotations

from modelworks.model._declaration import Exit, Flow, Transition
from modelworks.model._expression import Expression, Number, Parameter, by, expression, maximum, smooth_change
from modelworks.model.library.tb._check import check_outcomes
from modelworks.model.library.tb.disease import MANIFESTATIONS

detection_rate = Parameter(
    "detection_rate", "per year", lower=0, meaning="of being found and treated, in the first place, once it has risen"
)
detection_middle = Parameter("detection_middle", "years", meaning="the year in which half of the rise is done")
detection_rise = Parameter("detection_rise", "years", lower=1, meaning="from 12% to 88% of the rise")
treatment_duration = Parameter("treatment_duration", "years", lower=0.01, meaning="of a course of treatment")
treatment_success = Parameter("treatment_success", "proportion", lower=0, upper=1, meaning="treated who are cured")
treatment_death = Parameter(
    "treatment_death", "proportion", lower=1e-3, upper=1, meaning="treated who die, of whatever cause"
)


def rising_detection() -> Expression:
    """The rate of being found: none before there was treatment, and from then on along an S-shaped curve."""
    return smooth_change(0.0, detection_rate, detection_middle, detection_rise)


def detection(rate: Number, *, by_manifestation: bool = False) -> list[Flow]:
    """Treatment begins once disease is found; disease without bacilli in the sputum is found less readily."""
    if by_manifestation:
        ratios = [
            Parameter(f"detection_ratio_{each}", "ratio", lower=0, meaning=f"detection of {each.replace('_', '-')}")
            for each in MANIFESTATIONS[1:]
        ]
        rate = expression(rate) * by("manifestation", [1.0, *ratios])
    return [Transition("detection", "infectious", "treated", rate)]


def treatment(mortality: Number, success: Number | None = None, death: Number | None = None) -> list[Flow]:
    r"""Treatment ends in cure, in death, or with disease again: failed, broken off, or relapsed soon after.

    Programmes report who was cured $s$ and who died $d$ of any cause. Treatment ends in one way or another at the
    rate $\max(1/T,\, \mu/d)$ with $T$ its duration and $\mu$ the `mortality` of other causes, which is part of
    it; so the reported proportions hold at every age. Where that mortality alone would make for more deaths than
    were reported ($\mu T > d$), treatment is taken to be shorter, and nobody dies of tuberculosis on it
    (the same is assumed in Ragonnet et al. 2022, doi:10.1093/ije/dyac045).

    Parameters
    ----------
    mortality
        Deaths of other causes per person and year.
    success, death
        Proportions of the treated, such as tables of a programme's cohorts; parameters when left out.

    Raises
    ------
    ModelworksError
        M150 for what is no proportion, and for a time in which nobody dies, of whatever cause.
    """
    cured = treatment_success if success is None else expression(success)
    died = treatment_death if death is None else expression(death)
    check_outcomes(cured, died)
    ends = maximum(1.0 / treatment_duration, mortality / died)
    return [
        Transition("cure", "treated", "recovered", ends * cured),
        # As `ends * died - mortality`, which round-off may take below zero.
        Exit("death_treated", "treated", maximum(died / treatment_duration - mortality, 0.0)),
        Transition("failure", "treated", "infectious", ends * (1.0 - cured - died)),
    ]
