"""Files as publishers lay them out become tidy tables, and what is wrong with them is told at its line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from modelworks.errors import Letter, ModelworksError
from modelworks.inputs import loaders

WPP = """LocID,Notes,ISO3_code,Location,VarID,Variant,Time,AgeGrp,AgeGrpStart,AgeGrpSpan,PopMale,PopFemale,PopTotal
900,,,World,2,Medium,2020,0-4,0,5,1,1,2
296,,KIR,Kiribati,2,Medium,2020,0-4,0,5,7.5,7.25,14.75
296,,KIR,Kiribati,2,Medium,2020,5-9,5,5,7,6.5,13.5
296,,KIR,Kiribati,2,Medium,2020,10-14,10,5,6,6,12
"""
GOOGLE = """country_region_code,country_region,sub_region_1,sub_region_2,metro_area,iso_3166_2_code,date,{}
MY,Malaysia,,,,,2020-02-16,1,2,3,4,5,6
MY,Malaysia,,,,,2020-02-15,-10,,3,4,5,6
MY,Malaysia,Johor,,,MY-01,2020-02-15,9,9,9,9,9,9
MY,Malaysia,Johor,Batu,,,2020-02-15,8,8,8,8,8,8
""".format(",".join(f"{place}_percent_change_from_baseline" for place in loaders.mobility.PLACES))
OWID = """location,iso_code,date,total_vaccinations,people_vaccinated,people_fully_vaccinated
Malaysia,MYS,2021-03-01,10,10,
Malaysia,MYS,2021-03-03,40,30,10
Malaysia,MYS,2021-03-02,25,25,
World,OWID_WRL,2021-03-01,1,1,1
"""
DOSES = "date,people\n2021-01-01,100\n2021-01-02,130\n2021-01-03,120\n2021-01-04,\n2021-01-05,150\n"
BURDEN = "country,iso3,year,e_pop_num,e_inc_100k,e_inc_100k_lo,e_inc_100k_hi\nKiribati,KIR,2001,85858,375,300,459\n"
CASES = """id,onset,report,age,sex
1,2021-01-05,2021-01-07,4,f
2,,2021-01-13,30,m
3,2021-01-20,2021-01-21,,
4,2021-01-06,2021-01-07,5,f
"""


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def written(content: str) -> Path:
        path = tmp_path / "data" / "raw" / "file.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    return written


def letter(load: Callable[[], Any]) -> Letter:
    with pytest.raises(ModelworksError) as caught:
        load()
    return caught.value.letters[0]


Written = Callable[[str], Path]


def test_population_is_counted_in_people_and_added_up_in_bands(file: Written) -> None:
    table = loaders.un_population(file(WPP), "KIR", bands=(0, 10))
    assert table.values.tolist() == [
        [2020, "female", "0-9", 0, 13750.0], [2020, "female", "10+", 10, 6000.0],
        [2020, "male", "0-9", 0, 14500.0], [2020, "male", "10+", 10, 6000.0],
    ]  # fmt: skip


def test_mobility_is_of_the_place_that_was_asked_for(file: Written) -> None:
    """A country's file has its regions, and their districts, below it."""
    table = loaders.google_mobility(file(GOOGLE), "MY")
    assert table["retail_and_recreation"].tolist() == [-10, 1]
    assert np.isnan(table["grocery_and_pharmacy"][0])
    assert loaders.google_mobility(file(GOOGLE), "MY", "Johor")["parks"].tolist() == [9]


def test_vaccination_has_a_day_for_whatever_was_reported_then(file: Written) -> None:
    table = loaders.owid_vaccination(file(OWID), "MYS")
    assert table["people_vaccinated"].tolist() == [10, 25, 30]
    assert table["people_fully_vaccinated"].isna().tolist() == [True, True, False]


def test_a_correction_is_taken_as_somebody_said(file: Written) -> None:
    path = file(DOSES)
    told = letter(lambda: loaders.roll_out(path, total="people"))
    assert (told.code, told.line, told.file) == ("D162", 4, "data/raw/file.csv")
    lowered = loaders.roll_out(path, total="people", corrections="lower earlier")
    assert lowered["total"].tolist() == [100, 120, 120, 150]
    assert lowered["new"].tolist() == [100, 20, 0, 30]
    assert loaders.roll_out(path, total="people", corrections="hold")["total"].tolist() == [100, 130, 130, 150]


@pytest.mark.parametrize("nothing", ["", "NA", "NaN", "."])
def test_what_was_new_is_counted_from_the_last_report(file: Written, nothing: str) -> None:
    """However a day without a report is written: its successor's total is not all new, and a fall behind it is told."""
    path = file(f"date,people\n2021-01-01,100\n2021-01-02,{nothing}\n2021-01-03,120\n")
    assert loaders.roll_out(path, total="people")["new"].tolist() == [100, 20]
    path = file(f"date,people\n2021-01-01,100\n2021-01-02,{nothing}\n2021-01-03,90\n")
    assert letter(lambda: loaders.roll_out(path, total="people")).code == "D162"


def test_bands_are_the_same_in_any_order(file: Written) -> None:
    path = file(CASES)
    one, other = (loaders.line_list(path, day="report", age="age", bands=bands) for bands in ((0, 5, 15), (15, 0, 5)))
    assert one.equals(other)


def test_a_line_list_is_counted_with_its_zeros(file: Written) -> None:
    """A week without a case is a week with none, and who has no day of onset is refused until somebody decides."""
    path = file(CASES)
    assert letter(lambda: loaders.line_list(path, day="onset")).code == "D163"
    table = loaders.line_list(path, day=("onset", "report"), every="week", age="age", bands=(0, 5), by=["sex"])
    assert table["cases"].sum() == 4
    weeks = table.groupby("date")["cases"].sum()
    assert [f"{day:%Y-%m-%d}" for day in weeks.index] == ["2021-01-04", "2021-01-11", "2021-01-18"]
    assert weeks.tolist() == [2, 1, 1]
    assert len(table) == 3 * 3 * 3
    young = table[(table["age"] == "0-4") & (table["sex"] == "f")]
    assert young["cases"].tolist() == [1, 0, 0]
    daily = loaders.line_list(path, day="onset", undated="left out")
    assert (len(daily), daily["cases"].sum()) == (16, 3)


def sheet(rows: list[list[Any]], path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Malaysia"
    book.create_sheet("Philippines")
    for row in rows:
        book.active.append(row)
    kept = io.BytesIO()
    book.save(kept)
    path.write_bytes(kept.getvalue())
    return path


@pytest.mark.parametrize("titled", [True, False])
def test_a_row_of_a_matrix_is_who_reports(tmp_path: Path, titled: bool) -> None:
    """With names above the numbers or without, for the publisher has both; several numbers may be the same."""
    matrix = [[float(row) for _ in range(16)] for row in range(16)]
    rows: list[list[Any]] = [[f"X{k}" for k in range(1, 17)], *matrix] if titled else [*matrix]
    path = sheet(rows, tmp_path / "MUestimates_home_1.xlsx")
    table = loaders.contact_matrix(path, "Malaysia", "home")
    assert table[table["reports"] == "10-14"]["contacts"].tolist() == [2.0] * 16
    assert letter(lambda: loaders.contact_matrix(path, "Malaysa", "home")).code == "D119"
    assert letter(lambda: loaders.contact_matrix(sheet(rows[:-1], path), "Malaysia", "home")).code == "D164"


SPOILED: list[tuple[str, str, Callable[[Path], Any]]] = [
    (WPP, "D160", lambda path: loaders.un_population(path, "KR")),
    (WPP.replace("PopMale", "Men"), "D105", lambda path: loaders.un_population(path, "KIR")),
    (WPP.replace("7.5,7.25", '"7,500",7.25'), "D106", lambda path: loaders.un_population(path, "KIR")),
    (WPP.replace("5-9,5,", "0-4,0,"), "D161", lambda path: loaders.un_population(path, "KIR")),
    (WPP, "D165", lambda path: loaders.un_population(path, "KIR", bands=(0, 7))),
    (WPP, "D165", lambda path: loaders.un_population(path, "KIR", bands=(5, 10))),
    (WPP, "D160", lambda path: loaders.un_population(path, "KIR", years=(1990, 1991))),
    (GOOGLE.replace("02-16", "02-15"), "D161", lambda path: loaders.google_mobility(path, "MY")),
    (GOOGLE.replace(",-10,", ",-110,"), "D164", lambda path: loaders.google_mobility(path, "MY")),
    (GOOGLE.replace("2020-02-16", "16/02/2020"), "D108", lambda path: loaders.google_mobility(path, "MY")),
    (GOOGLE.replace("2020-02-16", ""), "D116", lambda path: loaders.google_mobility(path, "MY")),
    (GOOGLE, "D160", lambda path: loaders.google_mobility(path, "MYS")),
    (DOSES.replace("2021-01-03", "2021-01-02"), "D161", lambda path: loaders.roll_out(path, total="people")),
    (DOSES.replace(",130", ",-130"), "D164", lambda path: loaders.roll_out(path, total="people")),
    (DOSES.replace("2021-01-03", "soon"), "D108", lambda path: loaders.roll_out(path, total="people")),
    (OWID, "D105", lambda path: loaders.owid_vaccination(path, "MYS", measures=["people_vacinated"])),
    (BURDEN.replace("375", "475"), "D164", lambda path: loaders.who_tb_burden(path, "KIR")),
    (BURDEN, "D105", lambda path: loaders.who_tb_notifications(path, "KIR")),
    (CASES, "D161", lambda path: loaders.line_list(path, day="report", identity="sex")),
    (CASES.replace("2021-01-20", "20/01/2021"), "D108", lambda path: loaders.line_list(path, day="onset")),
    (CASES, "D165", lambda path: loaders.line_list(path, day="report", age="age", bands=(5, 10))),
    ("version https://git-lfs.github.com/spec/v1\n", "D104", lambda path: loaders.line_list(path, day="report")),
]  # fmt: skip


@pytest.mark.parametrize(("content", "code", "load"), SPOILED)
def test_nothing_wrong_goes_by(file: Written, content: str, code: str, load: Callable[[Path], Any]) -> None:
    path = file(content)
    assert letter(lambda: load(path)).code == code


def test_a_year_is_missing_where_nothing_was_reported(file: Written) -> None:
    table = loaders.who_tb_notifications(file("iso3,year,c_newinc,ret_rel\nKIR,2001,,3\nKIR,2000,5,1\n"), "KIR")
    assert table["year"].tolist() == [2000, 2001]
    assert np.isnan(table["notifications"][1])
    assert table["relapse"].tolist() == [1, 3]


def test_real_files_come_out_with_all_their_people(published: Path) -> None:
    """Against pandas reading the same files by itself."""
    people = loaders.un_population(
        published / "population_age_wpp2019.csv", "MYS", years=(2020, 2020), bands=(0, 5, 65)
    )
    raw = pd.read_csv(published / "population_age_wpp2019.csv").query("iso3 == 'MYS' and year == 2020")
    assert people["people"].sum() == raw["population"].sum()
    assert people["people"][0] == raw.query("sex == 'F' and age_start == 0")["population"].sum()

    found = loaders.contact_matrices(published / "contact_matrices_prem2017.csv", "MYS").groupby("setting")["contacts"]
    raw = pd.read_csv(published / "contact_matrices_prem2017.csv").query("iso3 == 'MYS' and setting == 'all'")
    assert found.sum().sum() == pytest.approx(raw["contacts_per_day"].sum(), rel=1e-9)

    mobility = loaders.google_mobility(published / "mobility_google_malaysia_daily.csv", "MYS", "Malaysia")
    assert mobility["date"].is_monotonic_increasing
    assert len(mobility) == 724

    doses = published / "covid_vaccination_australia_total.csv"
    assert letter(lambda: loaders.roll_out(doses, total="total_doses")).code == "D162"
    mended = loaders.roll_out(doses, total="total_doses", corrections="lower earlier")
    assert mended["new"].min() >= 0
    assert mended["new"].sum() == pd.read_csv(doses)["total_doses"].iloc[-1]

    burden = loaders.who_tb_burden(published / "tb_burden_estimates_who.csv", "KIR")
    assert (burden["incidence_per_100k_low"] <= burden["incidence_per_100k"]).all()
    notified = loaders.who_tb_notifications(published / "tb_notifications_who.csv", "KIR")
    assert notified.set_index("year")["notifications"][2016] == 518

    measles = published / "outbreak_measles_hagelloch_1861_linelist.csv"
    cases = loaders.line_list(measles, day="date_of_rash", every="week", by=["gender"], age="age", bands=(0, 5, 10))
    assert cases["cases"].sum() == 188
