"""Values to begin with, each with its source; a study replaces those it knows better."""

from __future__ import annotations

from collections.abc import Mapping

from modelworks.model._model import Model

TYPICAL: Mapping[str, float] = {
    # The rule of Styblo, of a smear-positive case; van Leth et al. 2008 find 3 to 10 where treatment is to be had
    # (Bulletin of the World Health Organization 86: 20, doi:10.2471/BLT.06.037804).
    "transmission_rate": 10.0,
    "infectiousness_smear_negative": 0.22,  # Behr et al. 1999, Lancet 353: 444, doi:10.1016/S0140-6736(98)03406-0
    "infectiousness_treated": 0.08,  # Ragonnet et al. 2022, Int J Epidemiol 51: 1433, doi:10.1093/ije/dyac045
    "infectiousness_children": 0.1,  # assumed; children seldom cough up bacilli
    "mixing_elsewhere": 0.05,  # Ragonnet et al. 2022
    # 79% less disease after reinfection: Andrews et al. 2012, Clin Infect Dis 54: 784, doi:10.1093/cid/cir951
    "reinfection_latent": 0.21,
    "reinfection_recovered": 0.5,  # assumed; Ragonnet et al. 2022 leave it between 0.2 and 1
    "progression_ratio": 1.0,  # by definition that of Ragonnet et al. 2017
    "diabetes_risk": 3.2,  # Al-Rifai et al. 2017, PLoS ONE 12: e0187967, doi:10.1371/journal.pone.0187967
    "smear_positive_share": 0.55,  # assumed, to be replaced by what a country notifies
    "extrapulmonary_share": 0.15,  # assumed, likewise
    # Means of years that subclinical and clinical disease take: Richards et al. 2023, Lancet Glob Health 11: e684,
    # doi:10.1016/S2214-109X(23)00082-7
    "recovery_rate": 0.22,
    "fatality_rate": 0.13,
    # Ragonnet et al. 2021, Clin Infect Dis 73: e88, doi:10.1093/cid/ciaa727
    "recovery_rate_smear_positive": 0.231,
    "recovery_rate_smear_negative": 0.130,
    "fatality_rate_smear_positive": 0.389,
    "fatality_rate_smear_negative": 0.025,
    # Care: assumed, but for the usual course of six months. The year is one in which treatment had become common.
    "detection_rate": 0.6,
    "detection_middle": 1990.0,
    "detection_rise": 25.0,
    "detection_ratio_smear_negative": 0.7,
    "detection_ratio_extrapulmonary": 0.7,
    "treatment_duration": 0.5,
    "treatment_success": 0.85,
    "treatment_death": 0.05,
    "bcg_efficacy": 0.7,  # assumed, of infection and the disease that follows together
    "bcg_duration": 10.0,  # protection is gone within ten to fifteen years: Abubakar et al. 2013, doi:10.3310/hta17370
    "screening_sensitivity": 0.75,  # Ragonnet et al. 2022
    "preventive_cure": 0.6,  # assumed: not all begin and end their course
    # A country that is nowhere.
    "life_expectancy": 60.0,
    "people_at_start": 1e6,
    "latent_at_start": 0.3,
    "ill_at_start": 0.005,
}


def typical_values(model: Model) -> dict[str, float]:
    """A value for each parameter of a model made by `tb`, in its own unit; those of other origin are left out."""
    return {name: TYPICAL[name] for name in model.parameters if name in TYPICAL}
