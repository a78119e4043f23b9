"""Monthly partitions of the tables that are partitioned by business date.

The jobs own no table: functions of the database make and drop months, with the rights of
their owner. A lock on the month keeps writers apart from what would drop it.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, Table, func, select, text

from daybreak.warehouse.locks import hold, hold_shared, try_hold

DROP_PATIENCE = "200ms"
"""Dropping a month locks its table for a moment; no query waits longer."""


def partition_name(table: Table, business_date: date) -> str:
    """Name of the partition that holds a business date, such as ``score_2026_03``."""
    return f"{table.name}_{business_date:%Y_%m}"


def first_and_after(business_date: date) -> tuple[date, date]:
    """The first day of the month of a business date, and of the month after."""
    first = business_date.replace(day=1)
    return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)


def ensure_partition(conn: Connection, table: Table, business_date: date) -> None:
    """Make sure that ``table`` can take rows of ``business_date``, in the caller's transaction.

    Until that ends the month is not dropped. A second caller waits until the first one commits,
    and finds the partition.
    """
    name = partition_name(table, business_date)
    hold_shared(conn, f"{table}/{name}")
    if _exists(conn, table, name):
        return
    hold(conn, f"make {table}/{name}")
    if not _exists(conn, table, name):
        conn.execute(select(func.ops.create_partition(table.schema, table.name, business_date)))


def try_month(conn: Connection, table: Table, business_date: date) -> bool:
    """Lock a month against writers until this transaction ends; False where it has one."""
    return try_hold(conn, f"{table}/{partition_name(table, business_date)}")


def drop_partition(conn: Connection, table: Table, business_date: date) -> None:
    """Drop the month of a business date, if there is one. The caller has it by ``try_month``.

    Raises SQLAlchemy's error of ``LockNotAvailable`` where a reader holds the table for longer
    than ``DROP_PATIENCE``.
    """
    conn.execute(text(f"SET LOCAL lock_timeout = '{DROP_PATIENCE}'"))
    conn.execute(select(func.ops.drop_partition(table.schema, table.name, business_date)))
    conn.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def _exists(conn: Connection, table: Table, name: str) -> bool:
    # Read as a row, not by to_regclass: that answers from a cache, which is not refreshed
    # by having waited for an advisory lock, and misses what the one before us created.
    found = conn.scalar(
        text(
            "SELECT TRUE FROM pg_class WHERE relname = :name"
            " AND relnamespace = to_regnamespace(:schema) AND relispartition"
        ),
        {"name": name, "schema": table.schema},
    )
    return bool(found)
