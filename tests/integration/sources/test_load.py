"""Loading: whole files, once each, on two clocks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from sqlalchemy import Engine, text

from daybreak.errors import ConfigError, DatasetError
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.merging.quarantine import quarantined
from daybreak.sources.report import LoadReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
HEADER = "day,store,sku,qty,price\n"
FIRST_DAY = "2025-03-01,a,x,2,5\n2025-03-01,a,y,3,6\n"
SECOND_DAY = "2025-03-02,a,x,4,5\n"
D1, D2, MONDAY = date(2025, 3, 1), date(2025, 3, 2), date(2025, 3, 3)
D1_KNOWN = datetime(2025, 3, 2, 1, tzinfo=UTC)

Load = Callable[..., LoadReport]


@pytest.fixture
def load(warehouse: Engine, tmp_path: Path) -> Load:
    """Write a data set file and its sales, then load: ``load("rows", sales="more keys")``."""

    def run(rows: str | None = None, *, sales: str = "", more: str = "", **how: Any) -> LoadReport:
        if rows is not None:
            (tmp_path / "sales.csv").write_text(HEADER + rows)
        file = tmp_path / "mine.yaml"
        head = f"""\
        name: mine
        arrival_lag: 1h
        calendar: {{closed_weekdays: [monday], country: GB}}
        sales:
          files: {tmp_path}/sales*.csv
          columns: {{business_date: day, store_id: store, item_id: sku, units: qty, price: price}}
        """
        content = dedent(head) + sales + "\n" + dedent(more)
        if not file.exists() or file.read_text() != content:  # two loads at once share it
            file.write_text(content)
        given = {"now": NOW} | how
        return load_dataset(warehouse, load_spec(file), **given)

    return run


@pytest.fixture
def rows(warehouse: Engine) -> Callable[[str], list[tuple[Any, ...]]]:
    """Run a query on the warehouse."""

    def run(query: str) -> list[tuple[Any, ...]]:
        with warehouse.connect() as conn:
            return [tuple(row) for row in conn.execute(text(query))]

    return run


def empty(engine: Engine) -> None:
    with engine.begin() as conn:
        conn.execute(text("TRUNCATE raw.sales, raw.plan, raw.calendar, raw.day_closed, ops.load"))


Rows = Callable[[str], list[tuple[Any, ...]]]
SALES = (
    "SELECT business_date, item_id, units, price, loaded_at FROM raw.sales ORDER BY loaded_at, 1, 2"
)


def test_facts_are_known_at_the_end_of_their_day_and_a_lag(load: Load, rows: Rows) -> None:
    report = load(FIRST_DAY + SECOND_DAY)

    assert rows(SALES) == [
        (D1, "x", 2, 5, D1_KNOWN),
        (D1, "y", 3, 6, D1_KNOWN),
        (D2, "x", 4, 5, D1_KNOWN + timedelta(days=1)),
    ]
    assert rows("SELECT business_date, closed_at FROM raw.day_closed ORDER BY 1") == [
        (D1, D1_KNOWN),
        (D2, D1_KNOWN + timedelta(days=1)),
        (MONDAY, D1_KNOWN + timedelta(days=2)),  # shut: nothing more is awaited
    ]
    assert (report.loaded, report.days_closed, report.last_closed) == (3, 3, MONDAY)


def test_the_calendar_reaches_beyond_the_data(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)

    ((first, last, count, mondays, closed),) = rows(
        "SELECT min(business_date), max(business_date), count(*), "
        "count(*) FILTER (WHERE extract(isodow FROM business_date) = 1), "
        "count(*) FILTER (WHERE NOT open) FROM raw.calendar"
    )
    assert (first, last) == (D1 - timedelta(days=60), D1 + timedelta(days=400))
    assert count == 461
    assert closed == mondays
    assert rows("SELECT holiday FROM raw.calendar WHERE business_date = '2025-12-25'") == [
        ("Christmas Day",)
    ]


def test_the_same_bytes_are_loaded_once(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)
    before = rows(SALES)

    (file,) = load(FIRST_DAY, now=LATER).files

    assert file.already_loaded
    assert rows(SALES) == before
    assert rows("SELECT count(*) FROM ops.load") == [(1,)]


def test_other_rules_read_the_same_bytes_again(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)

    (file,) = load(sales="  filters: [{name: no_y, drop: {column: sku, equals: y}}]").files

    assert not file.already_loaded
    assert (file.rules, file.loaded) == ({"no_y": 1}, 0)


def test_a_correction_is_a_new_row_known_now(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)
    closed = rows("SELECT * FROM raw.day_closed")

    report = load("2025-03-01,a,x,7,5\n2025-03-01,a,y,3,6\n2025-03-01,a,z,1,1\n", now=LATER)

    assert report.loaded == 2
    assert rows(SALES)[2:] == [(D1, "x", 7, 5, LATER), (D1, "z", 1, 1, LATER)]
    assert rows("SELECT * FROM raw.day_closed") == closed


def test_a_correction_taken_back_is_a_third_row(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)
    load(FIRST_DAY.replace(",2,5", ",7,5"), now=LATER)
    load(FIRST_DAY + "\n", now=LATER)  # other bytes, same rows; the same moment

    assert [(units, at) for _, item, units, _, at in rows(SALES) if item == "x"] == [
        (2, D1_KNOWN),
        (7, LATER),
        (2, LATER + timedelta(microseconds=1)),
    ]


def test_a_changed_price_is_a_correction_too(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)

    assert load(FIRST_DAY.replace(",2,5", ",2,"), now=LATER).loaded == 1
    assert rows(SALES)[-1] == (D1, "x", 2, None, LATER)


def test_a_file_with_one_more_day_adds_that_day_only(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)

    report = load(FIRST_DAY + SECOND_DAY, now=LATER)

    assert (report.loaded, report.days_closed) == (1, 2)  # Sunday, and Monday is shut
    assert rows(SALES)[-1] == (D2, "x", 4, 5, D1_KNOWN + timedelta(days=1))


def test_a_day_that_is_not_over_stays_open(load: Load, rows: Rows) -> None:
    noon = datetime(2025, 3, 1, 12, tzinfo=UTC)
    report = load(FIRST_DAY, now=noon)
    assert (report.days_closed, report.last_closed) == (0, None)
    assert rows(SALES)[0][-1] == noon

    report = load(FIRST_DAY.replace(",2,5", ",9,5"), now=noon + timedelta(hours=12, minutes=30))

    assert rows(SALES)[-1] == (D1, "x", 9, 5, datetime(2025, 3, 2, 0, 30, tzinfo=UTC))
    assert rows("SELECT closed_at FROM raw.day_closed") == [
        (datetime(2025, 3, 2, 0, 30, tzinfo=UTC),)
    ]


def test_days_close_only_where_a_file_covers_them_or_the_shop_is_shut(
    load: Load, rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "sales2.csv").write_text(HEADER + "2025-03-04,a,x,1,1\n2025-03-06,a,x,1,1\n")
    load(SECOND_DAY)  # Sunday; Monday is shut; Tuesday to Thursday come in the second file

    closed = [day for (day,) in rows("SELECT business_date FROM raw.day_closed ORDER BY 1")]
    assert closed == [date(2025, 3, n) for n in (2, 3, 4, 5, 6)]

    (tmp_path / "sales2.csv").write_text(HEADER + "2025-03-08,a,x,1,1\n")
    load()

    closed = [day for (day,) in rows("SELECT business_date FROM raw.day_closed ORDER BY 1")]
    assert date(2025, 3, 7) not in closed  # Friday was not delivered
    assert date(2025, 3, 8) in closed


def test_a_shut_day_after_the_last_file_is_closed_once_it_is_over(load: Load, rows: Rows) -> None:
    monday_noon = datetime(2025, 3, 3, 12, tzinfo=UTC)
    assert load(SECOND_DAY, now=monday_noon).last_closed == D2

    assert load(now=monday_noon + timedelta(hours=13)).last_closed == date(2025, 3, 3)
    assert rows("SELECT max(closed_at) FROM raw.day_closed") == [
        (datetime(2025, 3, 4, 1, tzinfo=UTC),)
    ]
    assert load(now=monday_noon + timedelta(days=9)).days_closed == 0  # Tuesday's file is awaited


def test_a_file_loads_wholly_or_not_at_all(load: Load, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "sales2.csv").write_text(HEADER + "2025-03-02,a,x,1,1\nnever,a,x,1,1\n")

    with pytest.raises(DatasetError, match=r"sales2\.csv is refused: 1 of 2 rows are bad"):
        load(FIRST_DAY)

    assert [day for day, *_ in rows(SALES)] == [D1, D1]  # the good file before it
    assert rows("SELECT count(*) FROM raw.quarantine") == [(0,)]
    assert rows("SELECT count(*) FROM raw.day_closed") == [(0,)]  # D2 may have been complete in it
    assert rows("SELECT count(*) FROM ops.load") == [(1,)]

    (tmp_path / "sales2.csv").write_text(HEADER + "2025-03-02,a,x,1,1\n")
    assert load(now=LATER).days_closed == 3  # with Monday, which is shut
    assert rows(SALES)[-1][-1] == D1_KNOWN + timedelta(days=1)  # never closed: still history


def test_bad_rows_are_kept_with_their_reason(load: Load, rows: Rows, warehouse: Engine) -> None:
    (file,) = load(
        FIRST_DAY + "2025-03-01,a,z,-4,1\n2025-03-01,a,x\n", sales="  max_bad_share: 0.5"
    ).files

    assert (file.rows, file.quarantined, file.loaded) == (4, 2, 2)
    with warehouse.connect() as conn:
        found = quarantined(conn, load_id=file.load_id)
    assert [(r["row_number"], r["field"], r["reason"]) for r in found] == [
        (3, "units", "is negative"),
        (4, None, "has 3 values, the header 5"),
    ]
    assert found[0]["row"] == {
        "day": "2025-03-01",
        "store": "a",
        "sku": "z",
        "qty": "-4",
        "price": "1",
    }
    assert found[0]["uri"].endswith("sales.csv")
    assert rows("SELECT rows_read, rows_loaded, rows_quarantined FROM ops.load") == [(4, 2, 2)]
    lines = rows("SELECT lines_read, lines_blank, lines_merged, lines_bad FROM ops.load")
    assert lines == [(5, 0, 0, 2)]


def test_a_repeated_key_is_bad_and_the_first_row_stays(load: Load, rows: Rows) -> None:
    (file,) = load(FIRST_DAY + "2025-03-01,a,x,9,9\n", sales="  max_bad_share: 0.5").files

    assert [(item, units) for _, item, units, _, _ in rows(SALES)] == [("x", 2), ("y", 3)]
    (example,) = file.examples
    assert example["row_number"] == 3
    assert example["field"] == "business_date, store_id, item_id"
    assert "repeats the key" in example["reason"]
    assert rows("SELECT row_number FROM raw.quarantine") == [(3,)]


def test_repeated_keys_beyond_the_share_refuse_the_file(load: Load, rows: Rows) -> None:
    with pytest.raises(DatasetError, match="repeats the key"):
        load(FIRST_DAY + "2025-03-01,a,x,9,9\n")

    assert rows(SALES) == []


def test_a_key_that_disappears_stays_unless_days_are_complete(load: Load, rows: Rows) -> None:
    load(FIRST_DAY)
    gone = "2025-03-01,a,x,2,5\n"

    assert load(gone, now=LATER).loaded == 0

    (file,) = load(gone, sales="  complete_days: true", now=LATER).files
    assert file.rules == {"absent_set_to_zero": 1}
    assert rows(SALES)[-1] == (D1, "y", 0, 6, LATER)
    (file,) = load(gone + "\n", sales="  complete_days: true", now=LATER).files
    assert (file.loaded, file.rules) == (0, {"absent_set_to_zero": 0})


def test_complete_days_speak_for_their_stores_only(load: Load, rows: Rows) -> None:
    load(FIRST_DAY + "2025-03-01,b,x,1,1\n")

    load("2025-03-01,b,x,2,1\n", sales="  complete_days: true", now=LATER)

    assert rows("SELECT store_id, units FROM raw.sales WHERE loaded_at > '2025-12-01'") == [
        ("b", 2)
    ]


def test_sales_on_closed_days_are_counted(load: Load) -> None:
    (file,) = load("2025-03-03,a,x,1,1\n").files  # a Monday

    assert file.rules == {"sold_on_a_closed_day": 1}


def test_two_data_sets_never_mix(load: Load, warehouse: Engine) -> None:
    load(FIRST_DAY)

    with pytest.raises(DatasetError, match="holds the data set 'mine'") as caught:
        load_dataset(warehouse, load_spec("store_sales"), now=NOW + timedelta(days=365))

    assert "DAYBREAK_DATASET=store_sales" in caught.value.remedy
    assert "give its file a name of its own" in caught.value.remedy, "two folders, one file name"


def test_two_loads_at_once_add_one(load: Load, rows: Rows, tmp_path: Path) -> None:
    load(FIRST_DAY)
    (tmp_path / "sales.csv").write_text(HEADER + FIRST_DAY + SECOND_DAY)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: load(), range(4)))

    assert sorted(report.loaded for report in reports) == [0, 0, 0, 1]
    assert rows("SELECT count(*) FROM raw.sales") == [(3,)]


def test_loading_up_to_a_date_in_steps_is_loading_at_once(
    load: Load, rows: Rows, warehouse: Engine
) -> None:
    whole = "".join(
        f"2025-03-{day:02},a,{item},{day % (4 + n)},{5 + n}\n"
        for day in range(1, 29)
        for n, item in enumerate("xyz")
    )
    ahead = "  known_ahead: {price: 5d}"
    every = "SELECT business_date, item_id, {} loaded_at FROM raw.{} ORDER BY 1, 2, loaded_at"

    def found() -> list[Any]:
        plans = rows(every.format("price,", "plan"))
        return [rows(every.format("units,", "sales")), plans, rows("TABLE raw.calendar")]

    for day in (7, 8, 20):
        report = load(whole, sales=ahead, through=date(2025, 3, day))
        assert report.last_closed == date(2025, 3, day)
        last_sale, last_plan = rows(
            "SELECT max(business_date) FROM raw.sales UNION ALL "
            "SELECT max(business_date) FROM raw.plan"
        )
        assert last_sale == (date(2025, 3, day),)
        assert last_plan == (date(2025, 3, min(day + 5, 28)),)
    assert load(whole, sales=ahead, through=date(2025, 3, 20)).files[0].already_loaded
    load(whole, sales=ahead)
    in_steps = found()

    empty(warehouse)
    load(whole, sales=ahead)
    assert found() == in_steps


def test_a_file_after_the_asked_date_is_no_fault(load: Load) -> None:
    (file,) = load(SECOND_DAY, through=D1).files

    assert (file.loaded, file.rules) == (0, {"later_than_asked": 1})


def test_the_moment_of_a_load_needs_a_time_zone(load: Load) -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        load(FIRST_DAY, now=NOW.replace(tzinfo=None))


def test_progress_says_what_is_read(load: Load) -> None:
    said: list[str] = []

    load(FIRST_DAY, progress=said.append)

    assert any("sales.csv: 2 rows read" in message for message in said)
