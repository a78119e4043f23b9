"""What the words of a CSV file mean: numbers of other countries, and which mean absent."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daybreak.sources.check import check_dataset
from daybreak.sources.contract.section import Csv
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.reading.number_text import NumberText
from daybreak.sources.report import FileReport

CONTRACT = Path(__file__).parents[3] / "docs" / "data-contract.md"
CONTINENTAL = 'csv: {delimiter: ";", decimal: ",", thousands: "."}'


@given(
    number=st.floats(-(10.0**12), 10.0**12).map(lambda number: round(number, 3)),
    signs=st.sampled_from(
        [(",", "."), (",", None), (",", " "), (".", ","), (".", "'"), (".", "_")]
    ),
    places=st.integers(0, 3),
)
def test_a_number_written_in_another_country(
    number: float, signs: tuple[str, str | None], places: int
) -> None:
    decimal, thousands = signs
    plain = f"{number:.{places}f}"
    grouped = f"{number:,.{places}f}".translate({ord(","): thousands or "", ord("."): decimal})

    read = NumberText(decimal, thousands).plain(pa.array([grouped, plain.replace(".", decimal)]))

    assert read.to_pylist() == [plain, plain]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.299", "1299"),
        ("1.299,5", "1299.5"),
        (" -1.234.567,25 ", "-1234567.25"),
        ("+7", "+7"),
        (",5", ".5"),
        ("5,", "5."),
        ("1234,5", "1234.5"),
        ("1,5e3", "1.5e3"),
        ("inf", "inf"),
        ("NaN", "NaN"),
        ("", ""),
        (None, None),
        ("1.29", "?"),
        ("1.2999", "?"),
        ("12.34.567", "?"),
        ("1234.567", "?"),
        ("0.299", "?"),
        (".299", "?"),
        ("1,299.5", "?"),
        ("1,2,3", "?"),
        ("1,234.567", "?"),
        ("1.", "?"),
        ("many", "?"),
    ],
)
def test_a_mark_groups_threes_or_it_is_no_number(text: str | None, number: str | None) -> None:
    (read,) = NumberText(",", ".").plain(pa.array([text], pa.string())).to_pylist()

    assert read == number


def test_a_space_is_any_space_that_spreadsheets_write() -> None:
    texts = pa.array(["1 299,5", "1\u00a0299,5", "1\u202f299,5", "1  299,5"])

    assert NumberText(",", " ").plain(texts).to_pylist() == [*["1299.5"] * 3, "?"]


def check(folder: Path, yaml: str, **files: str) -> list[FileReport]:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(dedent(text))
    file = folder / "mine.yaml"
    file.write_text(dedent(yaml).replace("DIR", str(folder)).replace("CSV", CONTINENTAL))
    return check_dataset(load_spec(file), now=datetime(2026, 1, 1, tzinfo=UTC)).files


def test_a_sign_of_numbers_may_be_the_delimiter_where_values_are_quoted(tmp_path: Path) -> None:
    yaml = """\
    name: mine
    sales:
      files: DIR/sales.csv
      csv: {thousands: ","}
      max_bad_share: 0.5
      columns: {business_date: day, store_id: store, item_id: sku, units: qty}
    """
    sales = """\
    day,store,sku,qty
    2025-12-01,S1,A,"1,299.50"
    2025-12-02,S1,A,1,299.50
    2025-12-03,S1,A,7
    """

    (file,) = check(tmp_path, yaml, sales=sales)

    assert [row["units"] for row in file.first_rows] == [1299.5, 7.0]
    assert file.quarantined == 1


def test_every_section_reads_its_numbers_so(tmp_path: Path) -> None:
    yaml = """\
    name: mine
    sales:
      files: DIR/sales.csv
      CSV
      columns: {business_date: day, store_id: store, item_id: sku, units: qty, price: price,
                promotion: depth, open: open, holiday: rest, wind: wind}
      covariates: [wind]
      filters: [{name: dear, drop: {column: price, above: 2000}}]
    plan:
      files: DIR/plan.csv
      CSV
      columns: {business_date: day, store_id: store, price: price, wind: wind}
      covariates: [wind]
      known_ahead: 7d
    interactions:
      files: DIR/events.csv
      CSV
      columns: {event_at: at, user_id: who, item_id: sku, kind: kind, quantity: qty, price: price}
    """
    sales, plan, events = check(
        tmp_path,
        yaml,
        sales="""\
        day;store;sku;qty;price;depth;open;rest;wind
        2025-01-01;1.299;1.299;1.299;1.299,5;0,25;1;0,5;-3,25
        2025-01-01;s;dear;1;2.000,01;0;yes;0;0
        """,
        plan="""\
        day;store;price;wind
        2025-02-01;s;1.299,5;12,5
        """,
        events="""\
        at;who;sku;kind;qty;price
        2025-01-01T10:00:00;u;x;purchase;1.000;1.299,5
        """,
    )

    wanted: dict[str, Any] = {
        "business_date": date(2025, 1, 1),
        "store_id": "1.299",  # a name is not a number
        "item_id": "1.299",
        "units": 1299.0,
        "price": 1299.5,
        "promotion": 0.25,
        "open": True,
        "holiday": 0.5,
        "wind": -3.25,
    }
    assert sales.first_rows == [wanted]
    assert sales.rules == {"dear": 1}
    assert (plan.first_rows[0]["price"], plan.first_rows[0]["wind"]) == (1299.5, 12.5)
    assert (events.first_rows[0]["quantity"], events.first_rows[0]["price"]) == (1000.0, 1299.5)


SALES = """\
    name: mine
    sales:
      files: DIR/sales.csv
      max_bad_share: 1
      columns: {business_date: day, store_id: store, item_id: ITEM, units: qty, price: price}
    """


def test_a_number_in_the_other_way_of_writing_is_bad(tmp_path: Path) -> None:
    yaml = SALES.replace("max_bad_share", "CSV\n      max_bad_share").replace("ITEM", "sku")

    (report,) = check(tmp_path, yaml, sales="day;store;sku;qty;price\n2025-01-01;s;x;1;2.5\n")

    assert report.examples[0]["reason"] == "is not a number"
    assert report.examples[0]["row"]["price"] == "2.5"


WORDS = Csv().null_values


@pytest.mark.docs
def test_the_contract_names_every_word_that_means_absent() -> None:
    (listing,) = re.findall(
        r"\*\*Absent\*\* in CSV is a blank value, or one of (.*?):", _contract()
    )

    assert ["", *re.findall(r"`(.*?)`", listing)] == WORDS


def _contract() -> str:
    return " ".join(CONTRACT.read_text().split())


def test_those_words_are_absent_in_every_column(tmp_path: Path) -> None:
    rows = "".join(
        f"2025-01-01,s,{word},1,{word}\n2025-01-01,s,x{word},1,{word}\n" for word in WORDS
    )

    (report,) = check(
        tmp_path, SALES.replace("ITEM", "sku"), sales=f"day,store,sku,qty,price\n{rows}"
    )

    assert (report.kept, report.quarantined) == (len(WORDS), len(WORDS))
    assert {(row["field"], row["reason"]) for row in report.examples} == {("item_id", "is absent")}


def test_a_key_keeps_such_a_word_where_the_file_says_so(tmp_path: Path) -> None:
    yaml = SALES.replace("ITEM", "{column: sku, null_values: [none]}")
    rows = (
        "2025-01-01,s,NA,1,NA\n2025-01-01,s,nan,1,nan\n2025-01-01,s,none,1,2\n2025-01-01,s,,1,2\n"
    )

    (report,) = check(tmp_path, yaml, sales=f"day,store,sku,qty,price\n{rows}")

    assert [(row["item_id"], row["price"]) for row in report.first_rows] == [
        ("NA", None),
        ("nan", None),
    ]
    assert [row["row_number"] for row in report.examples] == [3, 4]


def test_a_whole_number_written_as_a_float_is_whole_in_text() -> None:
    texts = pa.array(["7,0", "-12,0", "7,5", "7.0", "a,0", None])

    read = NumberText(",", None).plain_where_whole(texts)

    assert read.to_pylist() == ["7.0", "-12.0", "7,5", "7.0", "a,0", None]
