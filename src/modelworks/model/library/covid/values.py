"""Values to begin with, and where they come from; a study replaces those it knows better."""

from __future__ import annotations

from collections.abc import Mapping

from modelworks.model._model import Model

TYPICAL: Mapping[str, float] = {
    # One case then infects about three others where each meets ten of any age, with the published susceptibilities.
    "transmission_probability": 0.07,
    "infected_at_start": 1000.0,
    "recovered_at_start": 1000.0,
    # Incubation of 5.2 days: Li et al. 2020, New England Journal of Medicine 382: 1199, doi:10.1056/NEJMoa2001316; the
    # last 2.3 of them infectious: He et al. 2020, Nature Medicine 26: 672, doi:10.1038/s41591-020-0869-5.
    "days_incubating": 2.9,
    "days_presymptomatic": 2.3,
    "days_early": 2.5,  # assumed
    "days_late": 4.0,  # assumed
    # Medians of 5 and 7 days outside China, as means of an exponential distribution (over log 2): Rees et al. 2020, BMC
    # Medicine 18: 270, doi:10.1186/s12916-020-01726-3.
    "days_hospital": 7.2,
    "days_intensive_care": 10.1,
    "infectiousness_not_symptomatic": 0.5,  # assumed, as in Davies et al. 2020, doi:10.1038/s41591-020-0962-9
    "infectiousness_isolated": 0.2,  # assumed
    "infectiousness_quarantined": 0.2,  # assumed
    "hospitalisation_multiplier": 1.0,  # by definition that of the source
    "fatality_multiplier": 1.0,  # likewise
    "fatality_intensive_care": 2.0,  # assumed
    "detection": 0.4,  # assumed
    "reference_detection": 0.4,  # assumed
    "reference_testing": 0.001,  # assumed: a test of each thousand people a day
    "tracing_coverage": 0.6,  # assumed
    "tracing_load": 0.001,  # assumed: at one ill in a thousand tracing has fallen to 37%
    "days_immune": 365.0,  # assumed
    # Two doses of BNT162b2 and one of either vaccine against symptomatic disease with Delta: Lopez Bernal et al. 2021,
    # New England Journal of Medicine 385: 585, doi:10.1056/NEJMoa2108891.
    "protection_infection_dose_1": 0.307,
    "protection_infection_dose_2": 0.88,
    "protection_infection_waned": 0.4,  # assumed
    # Deaths of confirmed cases prevented: Suah et al. 2021, Vaccines 9: 1381, doi:10.3390/vaccines9121381.
    "protection_severity_dose_1": 0.451,
    "protection_severity_dose_2": 0.867,
    "protection_severity_waned": 0.7,  # assumed
    # Half as many contacts infected with Delta after two doses of BNT162b2: Eyre et al. 2022, New England Journal of
    # Medicine 386: 744, doi:10.1056/NEJMoa2116597. One dose: assumed.
    "protection_onward_dose_1": 0.25,
    "protection_onward_dose_2": 0.5,
    "protection_onward_waned": 0.1,  # assumed
    "days_of_vaccine_protection": 180.0,  # assumed
    "protection_previous_infection": 0.5,  # assumed, after immunity has waned
    "protection_previous_severity": 0.8,  # assumed
    "cross_immunity": 0.7,  # assumed
}


def typical_values(model: Model) -> dict[str, float]:
    """A value for each parameter of a model made by `covid`, in its own unit.

    Strains have names that are not known here, so `transmissibility_delta` and the like are left out, as are
    parameters of other origin.
    """
    return {name: TYPICAL[name] for name in model.parameters if name in TYPICAL}
