"""What prices are set by beside sales: costs, prices of competitors, stock.

Each reader is one statement for all series, bounded on both clocks, whose answer the server packs
into one value. Of several rows of a key and a day the one loaded last holds. Series come in the
bytewise order of (store, item), as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.rows import Series
from daybreak.warehouse.engine import driver_of
from daybreak.warehouse.tables import ALL_STORES

Floats = NDArray[np.float64]

# Looked up one by one, each by the index that ends with the clocks: a table of years of daily rows
# costs a series no more than one of a week. The second look-up is made where the first finds none.
_COSTS = b"""
    SELECT string_agg(
        float8send(
            coalesce(
                (
                    SELECT cost FROM raw.cost
                    WHERE store_id = asked.store AND item_id = asked.item
                        AND business_date <= %(day)s AND loaded_at <= %(cutoff)s
                    ORDER BY business_date DESC, loaded_at DESC, load_id DESC LIMIT 1
                ),
                (
                    SELECT cost FROM raw.cost
                    WHERE store_id = %(everywhere)s AND item_id = asked.item
                        AND business_date <= %(day)s AND loaded_at <= %(cutoff)s
                    ORDER BY business_date DESC, loaded_at DESC, load_id DESC LIMIT 1
                ),
                'NaN'::float8
            )
        ),
        ''::bytea ORDER BY n
    )
    FROM unnest(%(stores)s::text[], %(items)s::text[]) WITH ORDINALITY AS asked (store, item, n)
"""

_STOCK = b"""
    SELECT string_agg(
        float8send(
            coalesce(
                (
                    SELECT units FROM raw.stock
                    WHERE store_id = asked.store AND item_id = asked.item
                        AND business_date <= %(day)s AND loaded_at <= %(cutoff)s
                    ORDER BY business_date DESC, loaded_at DESC, load_id DESC LIMIT 1
                ),
                'NaN'::float8
            )
        ),
        ''::bytea ORDER BY n
    )
    FROM unnest(%(stores)s::text[], %(items)s::text[]) WITH ORDINALITY AS asked (store, item, n)
"""

# What holds for all stores is found once an item, and not once a series.
_COMPETITORS = b"""
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(%(stores)s::text[], %(items)s::text[])
            WITH ORDINALITY AS asked (store, item, n)
    ),
    visible AS NOT MATERIALIZED (
        SELECT * FROM raw.competitor_price
        WHERE business_date BETWEEN %(first)s AND %(day)s AND loaded_at <= %(cutoff)s
    ),
    near AS MATERIALIZED (
        SELECT DISTINCT ON (n, competitor) n, competitor, business_date, price
        FROM asked JOIN visible ON store_id = asked.store AND item_id = asked.item
        ORDER BY n, competitor, business_date DESC, loaded_at DESC, load_id DESC
    ),
    everywhere AS MATERIALIZED (
        SELECT DISTINCT ON (item_id, competitor) item_id, competitor, business_date, price
        FROM visible
        WHERE store_id = %(everywhere)s AND item_id IN (SELECT item FROM asked)
        ORDER BY item_id, competitor, business_date DESC, loaded_at DESC, load_id DESC
    ),
    of_series AS (
        SELECT n, business_date, price FROM near
        UNION ALL
        SELECT asked.n, everywhere.business_date, everywhere.price
        FROM asked JOIN everywhere ON everywhere.item_id = asked.item
            LEFT JOIN near ON near.n = asked.n AND near.competitor = everywhere.competitor
        WHERE near.n IS NULL
    ),
    found AS (
        SELECT n, max(business_date) AS newest,
            CASE WHEN %(lowest)s THEN min(price)
                ELSE percentile_cont(0.5) WITHIN GROUP (ORDER BY price)
            END AS price
        FROM of_series GROUP BY n
    )
    SELECT string_agg(
        int8send(n) || float8send(price) || int8send(%(day)s::date - newest), ''::bytea
    )
    FROM found
"""
_FOUND = np.dtype([("n", ">i8"), ("price", ">f8"), ("age", ">i8")])


def read_costs(conn: Connection, as_of: AsOf, series: Sequence[Series]) -> Floats:
    """What one unit costs in each of ``series``, in the currency: float64 (n,), NaN unknown.

    The newest row that holds on ``as_of.business_date``. One of the store goes before one of all
    stores whenever there is any, also an older one: who gives a store costs of its own keeps them
    up to date.
    """
    return _values(conn, _COSTS, as_of, series)


def read_stock(conn: Connection, as_of: AsOf, series: Sequence[Series]) -> Floats:
    """Units at the close of the newest day that says it: float64 (n,), NaN unknown."""
    return _values(conn, _STOCK, as_of, series)


def read_competitors(
    conn: Connection,
    as_of: AsOf,
    series: Sequence[Series],
    *,
    newest_days: int,
    of: Literal["lowest", "median"],
) -> tuple[Floats, NDArray[np.int64]]:
    """What competitors ask: price, float64 (n,), NaN unknown; age, int64 (n,), days, -1 unknown.

    Of each competitor the newest row that is at most ``newest_days`` days older than
    ``as_of.business_date``, one of the store before one of all stores; of these prices the lowest,
    or the median (of an even number the mean of the two in the middle). Age is that of the newest
    row among them.
    """
    first = as_of.business_date - timedelta(days=newest_days)
    packed = _ask(conn, _COMPETITORS, as_of, series, first=first, lowest=of == "lowest")
    found = np.frombuffer(packed, _FOUND)
    price = np.full(len(series), np.nan)
    age = np.full(len(series), -1, np.int64)
    place = found["n"].astype(np.int64) - 1
    price[place] = found["price"]
    age[place] = found["age"]
    return price, age


def _values(conn: Connection, query: bytes, as_of: AsOf, series: Sequence[Series]) -> Floats:
    packed = _ask(conn, query, as_of, series)
    return np.frombuffer(packed, ">f8").astype(np.float64)


def _ask(
    conn: Connection, query: bytes, as_of: AsOf, series: Sequence[Series], **more: Any
) -> bytes:
    """The one packed value of the answer, fetched in binary; no bytes where nothing is found."""
    asked = {
        "stores": [store for store, _ in series],
        "items": [item for _, item in series],
        "day": as_of.business_date,
        "cutoff": as_of.cutoff,
        "everywhere": ALL_STORES,
    }
    with driver_of(conn).cursor(binary=True) as cursor:
        cursor.execute(query, asked | more)
        row = cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else b""
