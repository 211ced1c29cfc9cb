"""A small repository with every form a study's files can take, for a test to spoil."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

CASES = "week,cases,tested\n2021-01-04,12,300\n2021-01-11,30,310\n2021-01-18,55,305\n"

FILES = {
    "modelworks.toml": 'title = "Our studies"\nstore = "runs"\npeople = ["Ada Lovelace"]\n',
    "models/school.py": "model = None\n",
    "data/raw/cases.csv": CASES,
    "data/prepare/people.py": """\
from pathlib import Path

import pandas as pd


def by_age(cases: Path) -> pd.DataFrame:
    return pd.DataFrame({"age": ["0-4", "5+"], "people": [100, 900], "unused": [1, 2]})


def elsewhere() -> pd.DataFrame:
    return pd.DataFrame({"age": ["0-4", "5+"], "people": [50, 950]})
""",
    "data/catalogue.yaml": f"""\
cases:
  title: Cases reported each week
  publisher: Ministry of Health
  licence: CC BY 4.0
  source: https://example.org/cases
  retrieved: 2026-01-31
  file: raw/cases.csv
  sha256: {hashlib.sha256(CASES.encode()).hexdigest()}
  sensitivity: public
  columns:
    week: {{unit: date, meaning: first day of the week}}
    cases: {{unit: people, meaning: people reported, lower: 0}}
    tested: {{unit: people, meaning: people tested, missing: refused}}
people:
  title: People by age
  publisher: Office of Statistics
  licence: CC0
  source: census of 2020
  prepare: prepare/people.py:by_age
  uses: [raw/cases.csv]
  columns:
    age: {{unit: text, meaning: age group}}
    people: {{unit: people, meaning: residents}}
people-elsewhere:
  title: People by age, elsewhere
  publisher: Office of Statistics
  licence: CC0
  source: census of 2020
  prepare: prepare/people.py:elsewhere
  columns:
    age: {{unit: text, meaning: age group}}
    people: {{unit: people, meaning: residents}}
""",
    "studies/base/parameters.yaml": """\
recovery_rate:
  value: 0.2
  unit: per day
  source: King 2015
  bounds: {lower: 0, upper: 1}
contact_rate:
  value: 1
  unit: per day
  source: Wallinga 2006
""",
    "studies/school/parameters.yaml": """\
extends: ../base/parameters.yaml
contact_rate:
  prior: {normal: {mean: 2, sd: 1}}
  bounds: {lower: 0, upper: 20}
  source: Grinsztajn 2021
  meaning: contacts that would infect
  by: Ada
  when: 2026-01-01
  why: the base is for another disease
reporting:
  prior: {beta: {a: 2, b: 2}}
  unit: proportion
  source: assumed, for we know nothing
residents:
  value: 1000
  unit: people
  source: census of 2020
overdispersion:
  prior: {exponential: {mean: 0.2}}
  unit: dimensionless
  source: assumed
""",
    "studies/school/targets.yaml": """\
cases:
  output: notifications
  dataset: cases
  column: cases
  date: week
  unit: people
  covers: week
  likelihood: {negative_binomial: {overdispersion: overdispersion}}
immune:
  output: immune_share
  values: {2021-01-20: 0.31}
  unit: proportion
  likelihood: {normal: {sd: 0.05}}
  source: serosurvey of 2021
""",
    "studies/school/study.yaml": """\
title: Influenza in a school
question: How contagious was it?
model: models/school.py
region: england
time: {unit: days, start: 2021-01-01, end: 2021-02-01, every: 1}
data: {people: people}
calibration: {sampler: nuts, chains: 4, draws: 1000, warmup: 500, seed: 1978, until: 2021-01-25}
projection: {draws: 200, end: 2021-06-30}
scenarios:
  closed:
    title: Schools closed
    parameters: {contact_rate: 0.5, recovery_rate: {multiply: 1.5}}
    data: {people: people-elsewhere}
quantities:
  r0: {derived: basic_reproduction_number, title: Basic reproduction number, unit: ratio}
  reported: {parameter: reporting}
  averted: {output: notifications, scenario: baseline, minus: closed, from: 2021-01-01, statistic: sum, unit: people}
answer: "One case infected {r0} others; {averted} were averted."
figures: [notifications]
authors: [Ada Lovelace]
citation: Lovelace 2026
""",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The repository's root."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def study(repository: Path) -> Path:
    """The folder of its one study."""
    return repository / "studies" / "school"
