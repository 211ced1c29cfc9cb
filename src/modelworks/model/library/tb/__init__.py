"""Tuberculosis in a country, over generations, and the parts its model is made of.

`tb` puts the parts together; each part is a function that gives flows or a stratification, and serves in other models
of tuberculosis as well.

- `people`: births, ageing, deaths of other causes, journeys
- `disease`: infection and reinfection, latency, manifestation, how disease ends untreated
- `care`: detection that rises in time, treatment and its outcomes
- `prevention`: BCG, campaigns of screening, preventive treatment
- `reporting`: outputs
- `values`: values to begin with, and where they come from
"""

from __future__ import annotations

from modelworks.model.library._example import Example
from modelworks.model.library.tb.care import rising_detection
from modelworks.model.library.tb.national import tb
from modelworks.model.library.tb.people import Demography, deaths_in_bands, stationary_shares
from modelworks.model.library.tb.prevention import Campaign
from modelworks.model.library.tb.values import typical_values

__all__ = [
    "EXAMPLE",
    "Campaign",
    "Demography",
    "deaths_in_bands",
    "rising_detection",
    "stationary_shares",
    "tb",
    "typical_values",
]

EXAMPLE = Example({**typical_values(tb()), "detection_middle": 150.0}, until=220)
