"""Tuberculosis in a country of several places: the library's national model with this country's data.

What the library does not know is here: that people moved together into towns, where the disease spreads faster, that
places differ in how well disease is found, and that people came to know it in the campaigns that were held.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from modelworks import Model, Parameter, by, table
from modelworks.model import Expression
from modelworks.model.library.tb import Campaign, Demography, rising_detection, stationary_shares, tb

# While people moved together into towns; before, they lived apart everywhere.
TOWNS_GREW = (1950.0, 2000.0)

transmission_dispersed = Parameter(
    "transmission_dispersed",
    "ratio",
    lower=0,
    upper=1,
    meaning="transmission where people live apart, as everybody once did, over that in the towns of today",
)
detection_since = Parameter(
    "detection_since",
    "ratio",
    lower=0,
    meaning="detection after the campaigns held, over that before; people came to know",
)
past_campaigns = Parameter(
    "past_campaigns", "proportion", lower=0, upper=1, meaning="of the campaigns that were held; 0 undoes them"
)
future_campaigns = Parameter(
    "future_campaigns", "proportion", lower=0, upper=1, meaning="of the campaigns that are planned; 1 holds them all"
)
births_before = Parameter("births_before", "people per year", lower=0, meaning="until the data on births begin")
mortality_before = Parameter(
    "mortality_before", "ratio", lower=0, meaning="death rates until the data begin, over the first ones known"
)
other_causes = Parameter(
    "other_causes", "proportion", lower=0, upper=1, meaning="of the deaths in the data, those not from tuberculosis"
)
emigration_ratio = Parameter("emigration_ratio", "ratio", lower=0, meaning="people who leave, over the estimate")


def build(data: Mapping[str, pd.DataFrame]) -> Model:
    """The model of a country, from its mortality, demography, places, diabetes and campaigns, held and planned."""
    places = data["places"].set_index("place")
    model = tb(
        _people(data["demography"], data["mortality"]),
        places=places["share"].to_dict(),
        transmission=_transmission(places["town"]),
        detection=_detection(tuple(places.index), data["campaigns"]["start"].max()),
        diabetes={
            youngest: table(rows["year"].tolist(), rows["diabetes"].tolist())
            for youngest, rows in data["diabetes"].groupby("youngest")
        },
        campaigns=[*_listed(data["campaigns"], past_campaigns), *_listed(data["plan"], future_campaigns)],
    )
    return model.extended(name="tuberculosis")


def _people(demography: pd.DataFrame, mortality: pd.DataFrame) -> Demography:
    """Births and arrivals as numbers, natural deaths and emigration as rates; from means of five years.

    What is known is the balance of arrivals and departures: where more came than left nobody leaves, and the other
    way round. Nobody is known to have left before the data begin.
    """
    middles = (demography["period_start"] + 2.5).tolist()
    balance = demography["net_migrants"].to_numpy()
    leaving = np.maximum(-balance, 0.0) / demography["people"].to_numpy()
    before = middles[0] - 5.0
    rates = {age: rows.set_index("year")["deaths"] for age, rows in mortality.groupby("youngest")}
    deaths = {
        age: table([before, *rows.index], [mortality_before * rows.iloc[0], *rows]) for age, rows in rates.items()
    }
    return Demography(
        births=table([before, *middles], [births_before, *demography["births"]]),
        deaths={age: other_causes * rate for age, rate in deaths.items()},
        shares=stationary_shares({age: rows.iloc[0] for age, rows in rates.items()}),
        arrivals=table(middles, np.maximum(balance, 0.0).tolist()),
        departures=emigration_ratio * table([before, *middles], [0.0, *leaving]),
    )


def _transmission(is_town: pd.Series) -> Expression:
    """Transmission over that in the towns of today, in each place."""
    growth = transmission_dispersed + (1.0 - transmission_dispersed) * table(TOWNS_GREW, [0.0, 1.0])
    return by("place", {place: growth if town else transmission_dispersed for place, town in is_town.items()})


def _detection(places: tuple[str, ...], last_campaign: pd.Timestamp) -> Expression:
    """The rate of being found in each place, relative to the first one, which rises once more after the campaigns."""
    ratios = [
        Parameter(
            f"detection_ratio_{place}", "ratio", lower=0, meaning=f"detection in {place}, over that in {places[0]}"
        )
        for place in places[1:]
    ]
    since = table(
        [last_campaign, last_campaign + pd.DateOffset(years=1)], [1.0, 1.0 + (detection_since - 1.0) * past_campaigns]
    )
    return by("place", [1.0, *ratios]) * since * rising_detection()


def _listed(campaigns: pd.DataFrame, held: Parameter) -> list[Campaign]:
    return [
        Campaign(
            place=str(row["place"]),
            start=row["start"].date(),
            end=row["end"].date(),
            youngest=float(row["youngest"]),
            screened=float(row["screened"]),
            treats_latent=bool(row["preventive_treatment"]),
            held=held,
        )
        for _, row in campaigns.iterrows()
    ]
