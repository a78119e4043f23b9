"""Advisory locks of the database, by name, held until the transaction of their holder ends."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select


def hold(conn: Connection, name: str) -> None:
    """Wait for the exclusive lock ``name``, and hold it."""
    conn.execute(select(func.pg_advisory_xact_lock(_key(name))))


def hold_shared(conn: Connection, name: str) -> None:
    """Wait for the shared lock ``name``, and hold it."""
    conn.execute(select(func.pg_advisory_xact_lock_shared(_key(name))))


def try_hold(conn: Connection, name: str) -> bool:
    """Take the exclusive lock ``name`` if it is free; whether it was."""
    return bool(conn.scalar(select(func.pg_try_advisory_xact_lock(_key(name)))))


def _key(name: str) -> ColumnElement[int]:
    return func.hashtextextended(name, 0)
