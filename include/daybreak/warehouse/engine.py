"""Connections to the warehouse: one engine, two ways to open it, one error when it is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from daybreak.errors import ConfigError, WarehouseUnavailable

CONNECT_TIMEOUT_SECONDS = 10

REMEDY = (
    "Start it with `daybreak up`, or see that DAYBREAK_WAREHOUSE_URL is right; "
    "`daybreak doctor` says what is wrong."
)


def make_engine(dsn: str) -> Engine:
    """Engine on a ``postgresql+psycopg://`` URL. Nothing connects before first use.

    Sessions speak UTC, so that a timestamp never depends on the server's own time zone.
    Raises ``ConfigError`` where the URL cannot be read; the URL itself is never repeated.
    """
    try:
        url = make_url(dsn)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "The warehouse URL cannot be read.",
            remedy="Write it as postgresql://user:password@host:5432/database.",
            field="DAYBREAK_WAREHOUSE_URL",
        ) from None
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "application_name": "daybreak",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": "-c timezone=UTC",
        },
    )


@contextmanager
def connect(engine: Engine) -> Iterator[Connection]:
    """A connection to read with; what was not committed is rolled back at the end.

    Raises ``WarehouseUnavailable`` where no connection can be opened, and where it breaks.
    """
    connection = _open(engine)
    try:
        with connection:
            yield connection
    except (DBAPIError, psycopg.OperationalError) as error:
        if _lost(error):
            raise _unavailable(engine, error) from None
        raise


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back by any exception.

    Raises ``WarehouseUnavailable`` where no connection can be opened, and where it breaks.
    """
    with connect(engine) as connection, connection.begin():
        yield connection


def _open(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except (DBAPIError, psycopg.Error) as error:
        raise _unavailable(engine, error) from None


def _lost(error: Exception) -> bool:
    """Whether the connection broke, rather than that a statement was refused."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    # COPY runs on the driver's connection, where SQLAlchemy does not translate errors.
    return isinstance(error, psycopg.OperationalError) and error.sqlstate in (None, "57P01")


def _unavailable(engine: Engine, error: Exception) -> WarehouseUnavailable:
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    reason = lines[0]
    password = engine.url.password
    if password:
        reason = reason.replace(str(password), "***")
    return WarehouseUnavailable(
        f"The warehouse {engine.url.database!r} does not answer: {reason}.", remedy=REMEDY
    )
