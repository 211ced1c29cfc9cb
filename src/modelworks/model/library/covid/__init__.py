"""COVID-19 in a country, and the parts its model is made of.

`covid` puts the parts together; each part is a function or a value that serves in other models as well.

- `course`: incubation, symptoms, isolation, hospital, intensive care, death, by age
- `mixing`: contacts by setting, each as far as it takes place
- `finding`: detection by testing, tracing of contacts
- `strains`: importation, transmissibility and severity, cross-immunity
- `vaccination`: a roll-out from coverage, waning, protections
- `reporting`: outputs
- `values`: values to begin with, and where they come from
"""

from __future__ import annotations

from modelworks.model.library._example import Example
from modelworks.model.library.covid.course import Risks, by_decade
from modelworks.model.library.covid.finding import detection_by_testing
from modelworks.model.library.covid.mixing import mixing
from modelworks.model.library.covid.national import Country, covid
from modelworks.model.library.covid.strains import Strain, during
from modelworks.model.library.covid.vaccination import RollOut
from modelworks.model.library.covid.values import typical_values

__all__ = [
    "EXAMPLE",
    "Country",
    "Risks",
    "RollOut",
    "Strain",
    "by_decade",
    "covid",
    "detection_by_testing",
    "during",
    "mixing",
    "typical_values",
]

EXAMPLE = Example(typical_values(covid()), until=100)
