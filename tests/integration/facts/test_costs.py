"""Costs, prices of competitors and stock as readers see them, against rows looked at one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Table, insert

from daybreak.clock import AsOf
from daybreak.facts.costs import read_competitors, read_costs, read_stock
from daybreak.warehouse.tables import competitor_price, cost, stock

DAY = date(2026, 3, 10)
STORES, ITEMS, COMPETITORS = ("", "a", "b"), ("x", "y", "ä"), ("north", "south", "west")
NIGHT = datetime(2026, 3, 11, 2, tzinfo=UTC)
ASKED = [(store, item) for store in (*STORES[1:], "c") for item in (*ITEMS, "z")]


class Row(NamedTuple):
    """A row of any of the three tables; ``competitor`` of one of them alone."""

    business_date: date
    store_id: str
    item_id: str
    competitor: str
    value: float
    loaded_at: datetime
    load_id: int


ROWS = st.lists(
    st.builds(
        Row,
        st.integers(-9, 2).map(lambda back: DAY + timedelta(days=back)),
        st.sampled_from(STORES),
        st.sampled_from(ITEMS),
        st.sampled_from(COMPETITORS),
        st.integers(0, 400).map(lambda quarters: quarters / 4),
        st.integers(-30, 6).map(lambda hours: NIGHT + timedelta(hours=hours)),
        st.integers(1, 3),
    ),
    max_size=40,
    # Loads do not write two rows of one key at one moment: a correction is known later.
    unique_by=lambda row: (*row[:4], row.loaded_at, row.load_id),
)


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    with warehouse.connect() as connection:
        yield connection


def fill(conn: Connection, table: Table, value: str, rows: list[Row]) -> None:
    """In place of what is there; rolled back by the next one."""
    conn.rollback()
    for row in rows:
        named: dict[str, Any] = {**row._asdict(), value: row.value}
        conn.execute(insert(table), {name: named[name] for name in map(str, table.c.keys())})


def visible(rows: list[Row], as_of: AsOf) -> list[Row]:
    """What may be seen, in the order in which the last one of a key holds."""
    seen = [
        row
        for row in rows
        if row.business_date <= as_of.business_date and row.loaded_at <= as_of.cutoff
    ]
    return sorted(seen, key=lambda row: (row.business_date, row.loaded_at, row.load_id))


def newest(rows: list[Row], store: str, item: str) -> float | None:
    found = [row.value for row in rows if (row.store_id, row.item_id) == (store, item)]
    return found[-1] if found else None


def one_of_a_key(rows: list[Row]) -> list[Row]:
    """Without competitors, rows that differ in them alone would be one row twice."""
    return list({(*row[:3], row.loaded_at, row.load_id): row for row in rows}.values())


property_test = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@property_test
@given(ROWS, st.integers(-30, 8))
def test_costs_are_the_newest_of_the_store_or_else_of_all_stores(
    conn: Connection, rows: list[Row], hours: int
) -> None:
    rows = one_of_a_key(rows)
    fill(conn, cost, "cost", rows)
    as_of = AsOf(DAY, NIGHT + timedelta(hours=hours))
    seen = visible(rows, as_of)

    expected = []
    for store, item in ASKED:
        own = newest(seen, store, item)
        expected.append(newest(seen, "", item) if own is None else own)

    found = read_costs(conn, as_of, ASKED)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, np.array(expected, float))


@property_test
@given(ROWS, st.integers(-30, 8))
def test_stock_is_that_of_the_newest_day(conn: Connection, rows: list[Row], hours: int) -> None:
    rows = one_of_a_key(rows)
    fill(conn, stock, "units", rows)
    as_of = AsOf(DAY, NIGHT + timedelta(hours=hours))
    expected = [newest(visible(rows, as_of), store, item) for store, item in ASKED]

    np.testing.assert_array_equal(read_stock(conn, as_of, ASKED), np.array(expected, float))


@property_test
@given(ROWS, st.integers(-30, 8), st.integers(0, 10), st.sampled_from(["lowest", "median"]))
def test_competitors_count_with_their_newest_price_each(
    conn: Connection, rows: list[Row], hours: int, days: int, of: Literal["lowest", "median"]
) -> None:
    fill(conn, competitor_price, "price", rows)
    as_of = AsOf(DAY, NIGHT + timedelta(hours=hours))
    first = DAY - timedelta(days=days)
    seen = [row for row in visible(rows, as_of) if row.business_date >= first]

    price, age = read_competitors(conn, as_of, ASKED, newest_days=days, of=of)

    assert (price.dtype, age.dtype) == (np.float64, np.int64)
    for place, (store, item) in enumerate(ASKED):
        held: dict[str, Row] = {}
        for where in ("", store):  # what is of the store replaces what holds everywhere
            held |= {r.competitor: r for r in seen if (r.store_id, r.item_id) == (where, item)}
        if not held:
            assert np.isnan(price[place])
            assert age[place] == -1
            continue
        prices = [row.value for row in held.values()]
        assert price[place] == (min(prices) if of == "lowest" else median(prices))
        assert age[place] == min((DAY - row.business_date).days for row in held.values())


def test_no_series_and_an_empty_warehouse(conn: Connection) -> None:
    as_of = AsOf(DAY, NIGHT)

    assert read_costs(conn, as_of, []).shape == read_stock(conn, as_of, []).shape == (0,)
    price, age = read_competitors(conn, as_of, [], newest_days=3, of="lowest")
    assert price.shape == age.shape == (0,)
    assert np.isnan(read_costs(conn, as_of, ASKED)).all()
    assert np.isnan(read_stock(conn, as_of, ASKED)).all()
    price, age = read_competitors(conn, as_of, ASKED, newest_days=3, of="median")
    assert np.isnan(price).all()
    assert (age == -1).all()
