"""A warehouse of random facts: as many series and days as asked for, the same for every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from daybreak.clock import AsOf
from daybreak.models import model_relations
from daybreak.platform.postgres import Postgres
from daybreak.settings import Settings
from daybreak.warehouse.bulk import copy_in
from daybreak.warehouse.engine import begin, make_engine
from daybreak.warehouse.migrate import migrate
from daybreak.warehouse.tables import calendar, item, plan, sales

BUSINESS_DATE = date(2026, 6, 30)
CUTOFF = datetime(2026, 7, 1, 2, tzinfo=UTC)
AS_OF = AsOf(BUSINESS_DATE, CUTOFF)
AHEAD = 28

Days = NDArray[np.int64]


@contextmanager
def temporary_warehouse() -> Iterator[Engine]:
    """The warehouse of a `temporary_server`."""
    with temporary_server() as (_, engine):
        yield engine


@contextmanager
def temporary_server() -> Iterator[tuple[Postgres, Engine]]:
    """An embedded server as ``daybreak up`` starts it, gone afterwards, and its warehouse."""
    # Right under /tmp: the path of a socket may have 107 bytes.
    with TemporaryDirectory(prefix="dbk-bench-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        settings = Settings(home=Path(folder), dataset="bench", warehouse_url=None)
        server = Postgres(
            settings.postgres_dir, settings.postgres_socket_dir, Path(folder) / "postgres.log"
        )
        server.start()
        try:
            server.create_databases(settings.warehouse_database)
            engine = make_engine(settings.dsn_for("migrations"))
            migrate(engine, relations=model_relations())
            yield server, engine
            engine.dispose()
        finally:
            server.stop()


@dataclass(frozen=True)
class Prices:
    """What prices do. ``elasticity``: of units, by the price beside the item's usual one. ``lag``:
    days by which the prices of an item change after those of the item before it. ``promoted``:
    whether promotions have a price of their own, to which nothing that is sold answers."""

    elasticity: float = 0.0
    lag: int = 0
    promoted: bool = True


PLAIN = Prices()


def fill(engine: Engine, stores: int, items: int, days: int, prices: Prices = PLAIN) -> int:
    """Write sales, plans, items and the calendar; returns the number of sales."""
    rng = np.random.default_rng(1)
    with begin(engine) as conn:
        rows = sum(
            _fill_store(conn, rng, store, items, days, prices=prices) for store in range(stores)
        )
        names = _names("item", np.arange(items))
        categories = _names("category", np.arange(items) % 20)
        copy_in(
            conn, item, {"item_id": names, "category": categories, **_known(_days(names, -days))}
        )
        span = np.arange(1 - days, AHEAD + 1)
        is_holiday = span % 50 == 0
        copy_in(
            conn,
            calendar,
            {
                "business_date": _dates(span),
                "open": ~is_holiday,
                "holiday": np.where(is_holiday, "Holiday", None),
            },
        )
    # As autovacuum does within a minute of a load. Whoever reads a row before that marks it as
    # committed, and a server with page checksums logs the page.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM (ANALYZE)"))
    return rows


def _fill_store(
    conn: Connection,
    rng: np.random.Generator,
    store: int,
    items: int,
    days: int,
    *,
    prices: Prices,
) -> int:
    day, number = (
        grid.ravel()
        for grid in np.meshgrid(np.arange(1 - days, 1), np.arange(items), indexing="ij")
    )
    sold = rng.random(len(day)) < 0.85
    day, number = day[sold], number[sold]
    usual = usual_price(number)
    price = usual + 0.25 * ((day - prices.lag * number) // 50 % 3)
    answer = (price / usual) ** prices.elasticity
    rows = copy_in(
        conn,
        sales,
        {
            "business_date": _dates(day),
            "store_id": _names("store", np.full(len(day), store)),
            "item_id": _names("item", number),
            "units": rng.poisson((1 + number % 9) * answer).astype(float),
            "price": price,
            **_known(day + 1),
        },
    )
    day, number = (
        grid.ravel()
        for grid in np.meshgrid(np.arange(1 - days, AHEAD + 1), np.arange(items), indexing="ij")
    )
    promoted = rng.random(len(day)) < 0.1
    day, number = day[promoted], number[promoted]
    price = np.ma.masked_array(0.8 * usual_price(number), mask=not prices.promoted)
    copy_in(
        conn,
        plan,
        {
            "business_date": _dates(day),
            "store_id": _names("store", np.full(len(day), store)),
            "item_id": _names("item", number),
            "promotion": np.ones(len(day)),
            "price": price,
            **_known(day - 30),
        },
    )
    span = np.arange(1 - days, AHEAD + 1)
    copy_in(
        conn,
        plan,
        {
            "business_date": _dates(span),
            "store_id": _names("store", np.full(len(span), store)),
            "item_id": np.full(len(span), ""),
            "open": span % 7 != 3,
            "holiday": (span % 90 < 10) * 1.0,
            **_known(span - 40),
        },
    )
    return rows


def usual_price(number: Days) -> Days:
    """The least price that items of these numbers have outside of promotions."""
    return 1 + number % 17


def _names(kind: str, numbers: Days) -> NDArray[np.str_]:
    return np.char.add(f"{kind}-", np.char.zfill(numbers.astype("U6"), 6))


def _dates(days: Days) -> NDArray[np.datetime64]:
    return np.datetime64(BUSINESS_DATE, "D") + days


def _days(like: NDArray[Any], day: int) -> Days:
    return np.full(len(like), day)


def _known(days: Days) -> dict[str, NDArray[Any]]:
    """Known from midnight on, two hours before the cutoff."""
    return {
        "load_id": np.ones(len(days), np.int64),
        "loaded_at": _dates(days).astype("datetime64[us]"),
    }
