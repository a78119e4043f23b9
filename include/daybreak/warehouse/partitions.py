"""Monthly partitions of the tables that are partitioned by business date."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, Table, func, select, text


def partition_name(table: Table, business_date: date) -> str:
    """Name of the partition that holds a business date, such as ``sales_forecast_2026_03``."""
    return f"{table.name}_{business_date:%Y_%m}"


def ensure_partition(conn: Connection, table: Table, business_date: date) -> None:
    """Make sure that ``table`` can take rows of ``business_date``, in the caller's transaction.

    Who comes second waits until the first one commits, and finds the partition there. The jobs
    own no table: a function of the database makes it, with the rights of whoever migrated.
    """
    name = partition_name(table, business_date)
    if _exists(conn, table, name):
        return
    conn.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{table}/{name}", 0))))
    if not _exists(conn, table, name):
        conn.execute(select(func.ops.create_partition(table.schema, table.name, business_date)))


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
