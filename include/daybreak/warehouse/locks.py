"""Advisory locks of the database, by name, held until the transaction of their holder ends."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, func, select


def hold(conn: Connection, name: str) -> None:
    """Wait until nobody else holds ``name``, and hold it."""
    conn.execute(select(func.pg_advisory_xact_lock(_key(name))))


def hold_shared(conn: Connection, name: str) -> None:
    """Hold ``name`` together with others who share it, apart from whoever has it alone."""
    conn.execute(select(func.pg_advisory_xact_lock_shared(_key(name))))


def try_hold(conn: Connection, name: str) -> bool:
    """Hold ``name`` if nobody does; whether it is held now."""
    return bool(conn.scalar(select(func.pg_try_advisory_xact_lock(_key(name)))))


def _key(name: str) -> ColumnElement[int]:
    return func.hashtextextended(name, 0)
