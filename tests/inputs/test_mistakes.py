"""Every mistake that files alone can show: one edit of a sound study, and the letter that answers it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelworks.errors import Letter, explanations
from modelworks.inputs import check_files

STUDY, PARAMETERS, TARGETS = (f"studies/school/{name}.yaml" for name in ("study", "parameters", "targets"))
BASE, CATALOGUE, CASES = "studies/base/parameters.yaml", "data/catalogue.yaml", "data/raw/cases.csv"
PREPARE = "data/prepare/people.py"


@dataclass(frozen=True)
class Mistake:
    """In `file`, `old` becomes `new`; the answer is `code` at the line that then holds `at`, with `word` in it."""

    file: str
    old: str
    new: str
    code: str
    word: str
    at: str = ""
    told_in: str = ""

    def __str__(self) -> str:
        return f"{self.code}-{self.new.strip()[:30]}".replace("\n", " ")


def value(text: str, code: str, word: str) -> Mistake:
    """A number written in a way that another program may read as something else."""
    return Mistake(PARAMETERS, "value: 1000", f"value: {text}", code, word)


def prior(text: str, code: str, word: str) -> Mistake:
    return Mistake(PARAMETERS, "{exponential: {mean: 0.2}}", text, code, word)


def likelihood(text: str, code: str, word: str) -> Mistake:
    return Mistake(TARGETS, "{normal: {sd: 0.05}}", text, code, word)


YAML = [
    Mistake(
        STUDY,
        "question: How",
        "<<<<<<< HEAD\nquestion: What\n=======\nquestion: How\n>>>>>>> other\nmeaning: How",
        "Y165",
        "unfinished merge",
        at="<<<<<<<",
    ),
    Mistake(STUDY, "question: How", "question: Why: how", "Y101", "quotes"),
    Mistake(STUDY, "figures: [notifications]", "figures: [notifications", "Y101", "bracket"),
    Mistake(STUDY, "figures: [notifications]", "figures: @notifications", "Y101", "quotes"),
    Mistake(STUDY, "region: england", "region: 'england", "Y101", "quot"),
    Mistake(STUDY, "region: england", "region: england\x07", "Y101", "character", at="region"),
    Mistake(PARAMETERS, "residents:", "contact_rate:", "Y102", "line 2 ", at="contact_rate:\n  value"),
    Mistake(PARAMETERS, "  unit: people", "\tunit: people", "Y103", "spaces"),
    value("010", "Y104", "zero"),
    value("0x3E8", "Y104", "zero"),
    value("yes", "Y105", "number"),
    value("off", "Y105", "number"),
    value("1,000", "Y106", "1000"),
    value("1_000", "Y106", "1000"),
    value("10.000", "Y106", "1.000"),
    value("12.345.678", "Y106", "1.000"),
    value("0,5", "Y106", "0.5"),
    value("12:30", "Y107", "sixty"),
    value(".nan", "Y108", "finite"),
    value("inf", "Y108", "finite"),
    value("1e999", "Y108", "finite"),
    value("'1000'", "Y122", "quotation"),
    value("1/7", "Y122", "decimal"),
    value("5%", "Y122", "percent"),
    value("3 days", "Y122", "unit"),
    value("−3", "Y122", "dash"),
    value("[1000]", "Y122", "list"),
    Mistake(PARAMETERS, "lower: 0, upper: 20", "lower: 0, upper: 1,000", "Y120", "comma", at="1,000"),
    Mistake(STUDY, "region: england", "region: &here england", "Y109", "extends"),
    Mistake(STUDY, "region: england", "<<: {region: england}", "Y109", "extends"),
    Mistake(STUDY, "region: england", "region: !!python/object:os.system england", "Y116", "!!python"),
    Mistake(STUDY, "region: england", "---\nregion: england", "Y136", "---", at="---"),
    Mistake(STUDY, "region: england", "region: " + "[" * 30 + "]" * 30, "Y137", "nested"),
    Mistake(STUDY, "region: england", "? [region]\n: england", "Y138", "name", at="? [region]"),
]

LAYERS = [
    Mistake(PARAMETERS, "../base/parameters.yaml", "../base/parameter.yaml", "Y117", "parameters.yaml", at="extends"),
    Mistake(PARAMETERS, "../base/parameters.yaml", "../base", "Y117", "is a folder", at="extends"),
    Mistake(PARAMETERS, "../base/parameters.yaml", "parameters.yaml", "Y118", "circle", at="extends"),
    Mistake(PARAMETERS, "../base/parameters.yaml", "../../../outside.yaml", "Y115", "copy", at="extends"),
    Mistake(PARAMETERS, "../base/parameters.yaml", "[a, b]", "Y122", "one file", at="extends"),
    Mistake(PARAMETERS, "../base/parameters.yaml", '"\\0"', "Y111", "no text can hold", at="extends"),
    Mistake(PARAMETERS, "  source: Grinsztajn 2021\n", "", "P114", "source", at="prior: {normal"),
    Mistake(BASE, "source: King 2015", "source: todo", "P104", "recovery_rate", at="todo"),
    Mistake(BASE, "unit: per day", "unit: per dya", "P121", "day"),
]

STUDY_FILE = [
    Mistake(STUDY, "question:", "qestion:", "Y120", "`question`"),
    Mistake(STUDY, "question:", "qestion:", "Y121", "`question` is missing", at="title"),
    Mistake(STUDY, "title: Influenza in a school", "title: TODO", "Y121", "TODO"),
    Mistake(STUDY, "title: Influenza in a school", "title:", "Y121", "empty"),
    Mistake(STUDY, "model: models/school.py", "model: ../models/school.py", "Y131", "models/"),
    Mistake(STUDY, "model: models/school.py", "model: C:/models/school.py", "Y131", "models/"),
    Mistake(STUDY, "region: england", "region: ../england", "Y139", "letters"),
    Mistake(STUDY, "time: {unit: days", "time: {unit: weeks", "Y124", "days"),
    Mistake(STUDY, "start: 2021-01-01", "start: 01/01/2021", "Y110", "year-month-day"),
    Mistake(STUDY, "start: 2021-01-01", "start: 2021-02-30", "Y110", "February 2021 has 28 days"),
    Mistake(STUDY, "start: 2021-01-01", "start: 0021-01-01", "Y110", "year"),
    Mistake(STUDY, "start: 2021-01-01", "start: 2022-01-01", "Y125", "ends on"),
    Mistake(STUDY, ", every: 1", "", "Y121", "every", at="time:"),
    Mistake(STUDY, "every: 1", "every: 0", "Y123", "above 0"),
    Mistake(STUDY, "every: 1", "every: 1e-9", "Y123", "above 0"),
    Mistake(STUDY, "every: 1", "evry: 1", "Y120", "`every`"),
    Mistake(
        STUDY,
        "{unit: days, start: 2021-01-01, end: 2021-02-01, every: 1}",
        "{unit: days}",
        "Y121",
        "`start`",
        at="time:",
    ),
    Mistake(STUDY, "projection: {draws: 200, end: 2021-06-30}", "projection: [200]", "Y122", "draws"),
    Mistake(STUDY, "data: {people: people}", "data: {people: }", "Y121", "empty"),
    Mistake(STUDY, "time: {unit: days, start: 2021-01-01, end: 2021-02-01, every: 1}", "time: 2021", "Y122", "start"),
    Mistake(STUDY, "sampler: nuts", "sampler: nutts", "Y124", "`nuts`"),
    Mistake(STUDY, "chains: 4", "chains: 0", "Y123", "between 1"),
    Mistake(STUDY, "chains: 4", "chains: four", "Y122", "number"),
    Mistake(STUDY, "chains: 4", "chains: 2.5", "Y122", "whole"),
    Mistake(STUDY, "draws: 1000", "draws: 1e9", "Y123", "between"),
    Mistake(STUDY, "warmup: 500", "warmup: -1", "Y123", "between"),
    Mistake(STUDY, "warmup: 500", "r_hat: 0.99", "Y123", "above 1"),
    Mistake(STUDY, "warmup: 500", "r_hat: 1.5", "Y123", "at most 1.1"),
    Mistake(STUDY, "warmup: 500", "effective_draws: 4", "Y123", "between 10"),
    Mistake(STUDY, "warmup: 500", "time_limit: 10", "Y123", "`min`"),
    Mistake(STUDY, "warmup: 500", "time_limit: 0 s", "Y123", "above 0"),
    Mistake(STUDY, "warmup: 500", "time_limit: an hour", "Y123", "time_limit: 10 min"),
    Mistake(STUDY, "warmup: 500", "effective_draw: 400", "Y120", "`effective_draws`"),
    Mistake(STUDY, "seed: 1978", "seed: -1978", "Y123", "between"),
    Mistake(STUDY, "until: 2021-01-25", "until: 2023-01-25", "Y125", "until"),
    Mistake(STUDY, "end: 2021-06-30", "end: 2020-06-30", "Y125", "projection"),
    Mistake(STUDY, "draws: 200", "draws: 0", "Y123", "between"),
    Mistake(STUDY, "{draws: 200,", "{draws: 4001,", "Y123", "4 chains of 1,000"),
    Mistake(STUDY, "contact_rate: 0.5", "contact_rat: 0.5", "Y127", "`contact_rate`"),
    Mistake(STUDY, "contact_rate: 0.5", "contact_rate: half", "Y122", "number"),
    Mistake(STUDY, "contact_rate: 0.5", "contact_rate: {times: 2}", "Y130", "multiply"),
    Mistake(STUDY, "contact_rate: 0.5", "contact_rate: {multply: 2}", "Y130", "did you mean `multiply`?"),
    Mistake(STUDY, "multiply: 1.5", "multiply: -1.5", "Y130", "sign"),
    Mistake(STUDY, "contact_rate: 0.5", "contact_rate: 50", "P105", "between 0 and 20"),
    Mistake(STUDY, "data: {people: people-elsewhere}", "data: {peple: people-elsewhere}", "Y127", "`people`"),
    Mistake(STUDY, "    title: Schools closed", "    titel: Schools closed", "Y120", "`title`"),
    Mistake(STUDY, "  closed:\n    title: Schools closed", "  closed: yes\n  other:\n    title: x", "Y122", "indent"),
    Mistake(STUDY, "minus: closed", "minus: close", "Y128", "`closed`"),
    Mistake(STUDY, "scenario: baseline", "scenario: basline", "Y128", "`baseline`"),
    Mistake(STUDY, "statistic: sum", "statistic: total", "Y124", "sum"),
    Mistake(STUDY, ", statistic: sum", "", "Y121", "statistic", at="averted:"),
    Mistake(STUDY, "derived: basic_reproduction_number, ", "", "Y129", "derived", at="r0:"),
    Mistake(STUDY, "parameter: reporting", "parameter: reporting, output: x", "Y129", "exactly one"),
    Mistake(STUDY, "parameter: reporting", "parameter: reporting, minus: closed", "Y129", "output"),
    Mistake(STUDY, "parameter: reporting", "parameter: reportin", "Y127", "`reporting`"),
    Mistake(STUDY, "  r0: {", "  r-0: {", "Y129", "answer"),
    Mistake(STUDY, "unit: ratio", "unit: ratios of", "P121", "of"),
    Mistake(STUDY, "from: 2021-01-01, statistic", "from: 2021-03-01, to: 2021-02-01, statistic", "Y125", "exchange"),
    Mistake(STUDY, "{r0} others", "{r1} others", "Y126", "`r0`"),
    Mistake(STUDY, "{r0} others", "{r0.real} others", "Y126", "name"),
    Mistake(STUDY, "{r0} others", "{r0:.2f} others", "Y126", "name"),
    Mistake(STUDY, "{r0} others", "{r0 others", "Y126", "brace"),
    Mistake(STUDY, "authors: [Ada Lovelace]", "authors: [{name: Ada}]", "Y122", "texts"),
]

PARAMETERS_FILE = [
    Mistake(PARAMETERS, "  value: 1000\n", "", "P102", "neither", at="residents:"),
    Mistake(PARAMETERS, "value: 1000", "value: 1000\n  prior: {half_normal: {sd: 1}}", "P102", "both", at="residents:"),
    Mistake(PARAMETERS, "  unit: proportion\n", "", "P103", "unit", at="reporting:"),
    Mistake(PARAMETERS, "  unit: proportion", "  unit:", "P103", "empty"),
    Mistake(PARAMETERS, "  unit: proportion", "  unit: TBD", "P103", "TBD"),
    Mistake(PARAMETERS, "source: census of 2020", 'source: ""', "P104", "source"),
    Mistake(PARAMETERS, "source: census of 2020", "source: todo ask Bob", "P104", "todo"),
    Mistake(PARAMETERS, "  source: census of 2020\n", "", "P104", "source", at="residents:"),
    Mistake(PARAMETERS, "unit: proportion", "unit: proprtion", "P121", "proportion"),
    Mistake(PARAMETERS, "value: 1000", "vaule: 1000", "Y120", "`value`"),
    Mistake(
        PARAMETERS, "value: 1000", "value: 1000\n  bounds: {lower: 0, upper: 10}", "P105", "between", at="value: 1000"
    ),
    Mistake(PARAMETERS, "lower: 0, upper: 20", "lower: 20, upper: 0", "P112", "exchange"),
    Mistake(PARAMETERS, "{lower: 0, upper: 20}", "[0, 20]", "Y122", "lower"),
    Mistake(PARAMETERS, "value: 1000", "value: 1e12", "P113", "zeros"),
    Mistake(PARAMETERS, "value: 1000", "value: -1000", "P116", "sign"),
    Mistake(PARAMETERS, "residents:", "resi dents:", "P115", "letters"),
    Mistake(PARAMETERS, "residents:", "2nd:", "P115", "letters"),
    Mistake(PARAMETERS, "residents:\n  value: 1000", "residents: 1000\nothers:\n  value: 1", "Y122", "indent"),
    Mistake(PARAMETERS, "  bounds: {lower: 0, upper: 20}\n", "", "P101", "lower", at="normal"),
    Mistake(BASE, "value: 0.2", "value: -0.2\n  by: x", "P105", "between", at="value: -0.2"),
    Mistake(PARAMETERS, "unit: people", "unit: per week\n  value_: 1", "Y120", "value", at="value_"),
    Mistake(PARAMETERS, "mean: 2, sd: 1", "mean: -9, sd: 1", "P110", "1%"),
    Mistake(PARAMETERS, "{normal: {mean: 2, sd: 1}}", "{log_normal: {median: 2, sigma: 1}}", "P109", "inf"),
    Mistake(PARAMETERS, "value: 1000\n  unit: people", "value: -1\n  unit: per day", "P101", "sign"),
    Mistake(PARAMETERS, "value: 1000\n  unit: people", "value: 1.4\n  unit: probability", "P111", "between 0 and 1"),
    Mistake(PARAMETERS, "value: 1000\n  unit: people", "value: 140\n  unit: percent", "P111", "between 0 and 100"),
    Mistake(PARAMETERS, "{beta: {a: 2, b: 2}}", "{normal: {mean: 0.5, sd: 1}}", "P111", "bounds"),
    Mistake(PARAMETERS, "{beta: {a: 2, b: 2}}", "{log_normal: {median: 0.3, sigma: 1}}", "P111", "truncated_normal"),
    Mistake(PARAMETERS, "value: 1000\n  unit: people", "value: -5\n  unit: days", "P116", "duration"),
    prior("{lognormal: {median: 1, sigma: 1}}", "P106", "`log_normal`"),
    prior("{normal: {mean: 1, sd: 1}, uniform: {}}", "P106", "2 families"),
    prior("exponential", "Y122", "prior"),
    prior("{exponential: 0.2}", "P107", "mean"),
    prior("{exponential: {}}", "P107", "lacks its argument `mean`"),
    prior("{exponential: {rate: 5}}", "P107", "mean"),
    prior("{exponential: {mean: }}", "P107", "lacks"),
    prior("{exponential: {mean: fast}}", "Y122", "number"),
    prior("{exponential: {mean: .nan}}", "Y108", "finite"),
    prior("{exponential: {mean: 0}}", "P108", "above 0"),
    prior("{normal: {mean: 1, sd: -1}}", "P108", "above 0"),
    prior("{uniform: {lower: 2, upper: 1}}", "P108", "below"),
    prior("{log_uniform: {lower: 0, upper: 1}}", "P108", "above 0"),
    prior("{logit_normal: {median: 2, sigma: 1}}", "P108", "below 1"),
    prior("{log_normal: {95%: [3, 7], sigma: 1}}", "P107", "alone"),
    prior("{log_normal: {95%: 3}}", "P107", "one interval"),
    prior("{log_normal: {95%: [3, 5, 7]}}", "P107", "one interval"),
    prior("{log_normal: {95%: one to four}}", "Y122", "number"),
    prior("{log_normal: 4 to 1}", "P117", "4"),
    prior("{random_walk: 1 to 4}", "P107", "start"),
    prior("{log_normal: around 3}", "P107", "median"),
    prior("{log_normal: {95%: [3, seven]}}", "Y122", "number"),
    prior("{log_normal: {95%: [3, {}]}}", "Y122", "number"),
    prior("{log_normal: {most%: [3, 7]}}", "Y122", "number"),
    prior("{log_normal: {100%: [3, 7]}}", "P117", "between 0% and 100%"),
    prior("{log_normal: {95%: [7, 3]}}", "P117", "below the second"),
    prior("{log_normal: {95%: [0, 3]}}", "P117", "`log_normal` can not"),
    prior("{log_normal: {95%: [-1, 3]}}", "P117", "`log_normal` can not"),
    prior("{half_normal: {95%: [1, 3]}}", "P117", "begins at 0"),
    prior("{truncated_normal: {95%: [1, 3]}}", "P107", "mean, sd, lower, upper"),
    prior("{normal: {mean: typical, sd: 1}}", "P118", "typical"),
    prior("{log_normal: {median: contact_rat, sigma: 1}}", "P118", "did you mean `contact_rate`"),
    prior("{normal: {mean: contact_rate}}", "P107", "lacks its argument `sd`"),
    prior("{random_walk: {start: 1, sd: 1, sigma: 1}}", "P107", "no argument `sigma`"),
    prior("{random_walk: {start: 1,000, sd: 1}}", "P107", "no argument `000`"),
    prior("{random_walk: 1}", "P107", "start"),
    prior("{random_walk: {start: [1], sd: 1}}", "P107", "the name of a parameter"),
    prior("{spline: {start: 1, sd: 1, pieces: many}}", "Y122", "number"),
    prior("{dirichlet: {concentration: {north: 1, south: lots}}}", "Y122", "number"),
    prior("{dirichlet: {concentration: {north: [1]}}}", "P107", "by label"),
    prior("{multivariate_normal: {mean: 0, sd: 1, correlation: 0.5}}", "P107", "by pairs of labels"),
    prior("{multivariate_normal: {mean: 0, sd: 1, correlation: {north: 0.5}}}", "P107", "by label"),
    prior("{uniform: {lower: 1,000, upper: 2000}}", "P107", "1000"),
]

TARGETS_FILE = [
    Mistake(TARGETS, "  output: immune_share\n", "", "T101", "output", at="immune:"),
    Mistake(TARGETS, "  unit: proportion\n", "", "T101", "unit", at="immune:"),
    Mistake(TARGETS, "unit: proportion", "unit: proprtion", "P121", "proportion"),
    Mistake(TARGETS, "  dataset: cases\n  column: cases\n  date: week\n", "", "T102", "neither", at="cases:"),
    Mistake(TARGETS, "  values:", "  dataset: cases\n  values:", "T102", "both", at="immune:"),
    Mistake(TARGETS, "  column: cases\n", "", "T101", "column", at="cases:"),
    Mistake(TARGETS, "column: cases", "column: case", "T103", "`cases`"),
    Mistake(TARGETS, "date: week", "date: tested", "T103", "dates"),
    Mistake(
        CATALOGUE,
        "cases: {unit: people,",
        "cases: {unit: per day,",
        "T116",
        "per day",
        at="unit: people",
        told_in=TARGETS,
    ),
    Mistake(
        CATALOGUE, "cases: {unit: people,", "cases: {unit: percent,", "T116", "unit", at="unit: people", told_in=TARGETS
    ),
    Mistake(TARGETS, "dataset: cases", "dataset: case", "D101", "`cases`"),
    Mistake(TARGETS, "covers: week", "covers: fortnight", "Y124", "week"),
    Mistake(TARGETS, "covers: week", "covers: week\n  dated: middle", "Y124", "end", at="dated"),
    Mistake(TARGETS, "covers: week", "from: 2021-02-01\n  to: 2021-01-01", "T113", "exchange", at="from"),
    Mistake(TARGETS, "covers: week", "from: 2021-01-30", "T110", "from", at="cases:"),
    Mistake(TARGETS, "covers: week", "form: 2021-01-30", "Y120", "`from`"),
    Mistake(TARGETS, "{2021-01-20: 0.31}", "{2023-01-20: 0.31}", "T109", "outside", at="values:"),
    Mistake(TARGETS, "{2021-01-20: 0.31}", "{}", "T110", "values"),
    Mistake(TARGETS, "{2021-01-20: 0.31}", "{Jan 2021: 0.31}", "Y110", "date"),
    Mistake(TARGETS, "{2021-01-20: 0.31}", "{2021-01-20: }", "T108", "empty"),
    Mistake(TARGETS, "{2021-01-20: 0.31}", "{2021-01-01: 0.31, 2021: 0.3}", "T112", "two values"),
    Mistake(TARGETS, "  source: serosurvey of 2021\n", "", "T111", "source", at="immune:"),
    Mistake(TARGETS, "serosurvey of 2021", "todo", "T111", "todo"),
    Mistake(TARGETS, "  likelihood: {normal: {sd: 0.05}}\n", "", "T101", "likelihood", at="immune:"),
    Mistake(TARGETS, "overdispersion: overdispersion", "overdispersion: overdisp", "T106", "`overdispersion`"),
    Mistake(TARGETS, "{normal: {sd: 0.05}}", "poisson", "T107", "whole", at="immune:"),
    Mistake(TARGETS, "{normal: {sd: 0.05}}", "{poisson: }", "T107", "whole", at="immune:"),
    Mistake(
        TARGETS,
        "{negative_binomial: {overdispersion: overdispersion}}",
        "{binomial: {trials: 40}}",
        "T114",
        "trials",
        at="cases:",
    ),
    likelihood("{gaussian: {sd: 1}}", "T104", "normal"),
    likelihood("[normal]", "T104", "one family"),
    likelihood("{normal: {sigma: 1}}", "T105", "sd"),
    likelihood("{normal: 0.05}", "T105", "sd"),
    likelihood("{normal: {sd: [1]}}", "T105", "number"),
    likelihood("{normal: {sd: 0}}", "T105", "above 0"),
    likelihood("{normal: {sd: 0,5}}", "T105", "no argument"),
    likelihood("{binomial: {trials: 2.5}}", "T105", "whole"),
]

CATALOGUE_FILE = [
    Mistake(CATALOGUE, "  licence: CC BY 4.0\n", "", "D109", "licence", at="cases:"),
    Mistake(CATALOGUE, "publisher: Ministry of Health", "publisher: TBC", "D109", "publisher"),
    Mistake(CATALOGUE, "publisher: Ministry", "pubisher: Ministry", "Y120", "`publisher`"),
    Mistake(CATALOGUE, "  file: raw/cases.csv\n", "", "D110", "neither", at="cases:"),
    Mistake(
        CATALOGUE,
        "  prepare: prepare/people.py:by_age",
        "  prepare: x\n  file: raw/x.csv",
        "D110",
        "both",
        at="people:",
    ),
    Mistake(CATALOGUE, "sha256: ", "sha256: 0", "D113", "64"),
    Mistake(CATALOGUE, "cases: {unit: people", "cases: {unit: data", "D115", "the names known here"),
    Mistake(CATALOGUE, "  sensitivity: public", "  sensitivity: secret", "Y124", "sensitive"),
    Mistake(CATALOGUE, "retrieved: 2026-01-31", "retrieved: January", "Y110", "date"),
    Mistake(CATALOGUE, "file: raw/cases.csv", "file: raw/case.csv", "D102", "cases.csv", at="cases:"),
    Mistake(CATALOGUE, "file: raw/cases.csv", "file: ../../../etc/passwd", "Y115", "outside", at="cases:"),
    Mistake(CATALOGUE, "file: raw/cases.csv", 'file: "raw/\\0"', "Y111", "no text can hold"),
    Mistake(CATALOGUE, "cases: {unit: people, ", "cases: {", "D115", "unit"),
    Mistake(CATALOGUE, "cases: {unit: people,", "cases: {unit: peple,", "D115", "people"),
    Mistake(CATALOGUE, "lower: 0", "lower: 9, upper: 3", "D117", "exchange"),
    Mistake(CATALOGUE, "meaning: first day of the week", "meaning: first day, lower: 3", "D117", "limits"),
    Mistake(CATALOGUE, "file: raw/cases.csv", "file: raw", "D102", "is a folder", at="cases:"),
    Mistake(CATALOGUE, "lower: 0", "lower: 20", "D107", "says that it lies at 20 or above", told_in=CASES, at="12,300"),
    Mistake(CATALOGUE, "lower: 0", "lower: 20", "D107", "12", told_in=CASES, at="12,300"),
    Mistake(CATALOGUE, "cases: {unit: people", "reported: {unit: people", "D105", "cases", at="reported:"),
    Mistake(CATALOGUE, "people-elsewhere:", "people/elsewhere:", "D118", "letters"),
    Mistake(CATALOGUE, "people.py:by_age", "people.py:by_ages", "D111", "`by_age`", at="people:\n  title"),
    Mistake(CATALOGUE, "people.py:by_age", "people.txt", "D111", "function", at="people:\n  title"),
    Mistake(CATALOGUE, "uses: [raw/cases.csv]", "uses: [raw/nowhere.csv]", "D102", "cases.csv", at="people:\n  title"),
    Mistake(CATALOGUE, "uses: [raw/cases.csv]", "meaning: x", "D111", "TypeError", at="people:\n  title"),
    Mistake(CASES, "12,300", "13,300", "D103", "SHA-256", at="cases:", told_in=CATALOGUE),
    Mistake(
        PREPARE,
        "by_age(cases: Path) -> pd.DataFrame:\n    return",
        "by_age(cases):\n    ",
        "D114",
        "return",
        at="def by_age",
    ),
    Mistake(PREPARE, '"people": [100', '"peple": [100', "D105", "peple", at="def by_age"),
    Mistake(PREPARE, "import pandas as pd", "import pandas as pd\nnonsense", "D111", "nonsense", at="nonsense"),
    Mistake(PREPARE, "import pandas as pd", "import pandas as pd\n)", "D111", "SyntaxError", at="\n)"),
]


HEAD = {"title", "question", "model", "time"}
ALL = [*YAML, *LAYERS, *STUDY_FILE, *PARAMETERS_FILE, *TARGETS_FILE, *CATALOGUE_FILE]


def spoiled(repository: Path, mistake: Mistake) -> tuple[Letter, ...]:
    """The letters about a study after one edit."""
    path = repository / mistake.file
    text = path.read_text(encoding="utf-8")
    assert mistake.old in text
    path.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
    _, letters = check_files(repository / "studies" / "school")
    return letters


def line_of(text: str, marker: str) -> int:
    """The line on which a marker begins, line breaks in front of it not counted."""
    return text[: text.index(marker) + len(marker) - len(marker.lstrip("\n"))].count("\n") + 1


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ALL, ids=str)
def test_a_mistake_is_answered_where_it_was_made(repository: Path, mistake: Mistake) -> None:
    """The person who made it finds code, file, line and a word that helps, and not a flood of letters."""
    letters = spoiled(repository, mistake)
    assert len(letters) <= 3, [str(letter) for letter in letters]
    assert all(letter.hint and letter.code in explanations() for letter in letters)
    found = [letter for letter in letters if letter.code == mistake.code]
    assert found, [str(letter) for letter in letters]
    told_in = mistake.told_in or mistake.file
    line = line_of((repository / told_in).read_text(encoding="utf-8"), mistake.at or mistake.new)
    assert (told_in, line) in [(letter.file, letter.line) for letter in found], [letter.where for letter in found]
    assert any(mistake.word in letter.message + " " + letter.hint for letter in found), [str(each) for each in found]


def test_a_checksum_that_is_missing_is_worked_out(repository: Path, study: Path) -> None:
    """From the file at hand; of one that is not there, or not in the repository, it can not be known."""
    catalogue, checksum = repository / CATALOGUE, hashlib.sha256((repository / CASES).read_bytes()).hexdigest()
    text = catalogue.read_text(encoding="utf-8").replace(f"  sha256: {checksum}\n", "")
    for file, hint in (("raw/cases.csv", f"`sha256: {checksum}`"), ("raw/none.csv", "sha256sum")):
        catalogue.write_text(text.replace("file: raw/cases.csv", f"file: {file}"), encoding="utf-8")
        letters = check_files(study)[1]
        assert [letter.code for letter in letters if hint in letter.hint] == ["D113"]


def test_a_sound_study_has_no_mistake(study: Path) -> None:
    """So that every letter above is due to the edit."""
    inputs, letters = check_files(study)
    assert letters == ()
    assert inputs is not None


@pytest.mark.parametrize("name", ["time", "data", "calibration", "projection", "scenarios", "quantities"])
@pytest.mark.parametrize("nothing", ["{}", "[]", "", "3"])
def test_nothing_under_a_name_is_read_as_nothing_or_answered(study: Path, name: str, nothing: str) -> None:
    """An empty group is a group, and what is no group is a letter: there is no third way."""
    path = study / "study.yaml"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if line.split(":")[0] in HEAD - {name}]
    path.write_text("\n".join([*kept, f"{name}: {nothing}", ""]), encoding="utf-8")
    inputs, letters = check_files(study)
    assert (inputs is None) == bool(letters)
    assert bool(letters) == (name == "time" or nothing in ("[]", "3"))


def test_at_least_sixty_mistakes_of_many_kinds_are_known() -> None:
    """The promise of the tool is that whatever is broken gets a letter."""
    assert len(ALL) >= 60
    assert len({mistake.code for mistake in ALL}) >= 60


def test_all_mistakes_of_all_files_come_at_once(repository: Path, study: Path) -> None:
    """Nobody mends four files in four rounds."""
    chosen = [YAML[8], STUDY_FILE[0], TARGETS_FILE[0], CATALOGUE_FILE[1]]
    for mistake in chosen:
        path = repository / mistake.file
        path.write_text(path.read_text(encoding="utf-8").replace(mistake.old, mistake.new, 1), encoding="utf-8")
    _, letters = check_files(study)
    assert {mistake.code for mistake in chosen} <= {letter.code for letter in letters}
