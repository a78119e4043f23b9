"""Monthly partitions of the tables that are partitioned by business date."""

from __future__ import annotations

from datetime import date

from psycopg import sql
from sqlalchemy import Connection, Table, func, select, text


def partition_name(table: Table, business_date: date) -> str:
    """Name of the partition that holds a business date, such as ``sales_forecast_2026_03``."""
    return f"{table.name}_{business_date:%Y_%m}"


def ensure_partition(conn: Connection, table: Table, business_date: date) -> None:
    """Make sure that ``table`` can take rows of ``business_date``, in the caller's transaction.

    Who comes second waits until the first one commits, and finds the partition there. A new
    table is attached rather than created as a partition: that takes a lock which lets readers
    and writers of the other months go on, where CREATE ... PARTITION OF would stop them all.
    """
    name = partition_name(table, business_date)
    if _exists(conn, table, name):
        return
    conn.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{table}/{name}", 0))))
    if _exists(conn, table, name):
        return
    first = business_date.replace(day=1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    parent = sql.Identifier(str(table.schema), table.name)
    partition = sql.Identifier(str(table.schema), name)
    _execute(conn, sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(partition, parent))
    _execute(
        conn,
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            parent, partition, sql.Literal(first.isoformat()), sql.Literal(after.isoformat())
        ),
    )


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


def _execute(conn: Connection, statement: sql.Composed) -> None:
    conn.execute(text(statement.as_string()))
