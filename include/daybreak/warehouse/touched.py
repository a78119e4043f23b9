"""What PostgreSQL itself says of who reads and writes what: no list of tables has to be kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection, Table, text

_TOUCHED = """
    SELECT namespace.nspname || '.' || whole.relname AS name,
        bool_or(coalesce(part.seq_scan, 0) + coalesce(part.idx_scan, 0) > 0) AS read,
        bool_or(part.n_tup_ins + part.n_tup_upd > 0) AS written
    FROM pg_stat_xact_user_tables AS part
    JOIN pg_class AS whole ON whole.oid = coalesce(pg_partition_root(part.relid), part.relid)
    JOIN pg_namespace AS namespace ON namespace.oid = whole.relnamespace
    WHERE namespace.nspname = ANY (%s)
    GROUP BY 1
"""

_STANDS_ON = text(
    """
    WITH RECURSIVE stands AS (
        SELECT rule.ev_class AS view, depends.refobjid AS on_it
        FROM pg_rewrite AS rule
        JOIN pg_depend AS depends
            ON depends.classid = 'pg_rewrite'::regclass
            AND depends.objid = rule.oid
            AND depends.refclassid = 'pg_class'::regclass
            AND depends.refobjid <> rule.ev_class
    ),
    found AS (
        SELECT view FROM stands WHERE on_it = to_regclass(:name)
        UNION
        SELECT stands.view FROM stands JOIN found ON stands.on_it = found.view
    )
    SELECT 'report.' || pg_class.relname
    FROM found
    JOIN pg_class ON pg_class.oid = found.view
    WHERE pg_class.relnamespace = 'report'::regnamespace
    """
)


class Touched(NamedTuple):
    """Tables as ``schema.name``; a partition counts as its table.

    Written is what got or changed rows: to delete some makes no data.
    """

    read: frozenset[str]
    written: frozenset[str]


def touched(driver: psycopg.Connection[Any], schemas: tuple[str, ...]) -> Touched:
    """What the transaction in progress has scanned and changed so far, as the server counted.

    A transaction that follows within a second on the same connection has the counts of the one
    before as well, which the server has not collected yet. Asked in a savepoint of its own: where
    that fails, the transaction goes on. Raises ``psycopg.Error``.
    """
    with driver.transaction():
        rows = driver.execute(_TOUCHED, [list(schemas)]).fetchall()
    return Touched(
        frozenset(name for name, read, _ in rows if read),
        frozenset(name for name, _, written in rows if written),
    )


def views_on(conn: Connection, table: Table) -> frozenset[str]:
    """The report views that stand on a table, directly or through others."""
    return frozenset(conn.scalars(_STANDS_ON, {"name": table.fullname}))
