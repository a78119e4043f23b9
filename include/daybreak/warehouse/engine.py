"""Connections to the warehouse: one engine, two ways to open it, errors that say what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from daybreak.errors import ConfigError, WarehouseUnavailable
from daybreak.warehouse.faults import explained, hide_values, refused

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 10
QUICK = 0.5
"""Seconds within which a broken connection shows; who waited longer is not to wait again."""
_BY_KEYS = " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
"""Planned once: to plan a look into a table of a hundred days takes longer than the look. And by an
index, as a plan may be made on the day's first row and kept while it grows."""


def make_engine(
    dsn: str, *, within: float | None = None, alone: bool = False, by_keys: bool = True
) -> Engine:
    """Engine on a ``postgresql+psycopg://`` URL. Nothing connects before first use.

    ``within``: for a service, which looks rows up by their keys: seconds that the server may take
    for a statement; one that takes longer is taken for one that hangs, and the connection is
    closed. None: for a job, which may take any time. ``alone``: each statement is a transaction of
    its own, and is sent over a connection that was not tried before (see ``repeatable``).
    ``by_keys``: of a service, whether it does that alone; reports want plans of their own.

    Sessions are in UTC, so that a timestamp never depends on the server's own time zone.
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
    engine = create_engine(
        url,
        pool_pre_ping=not alone,
        isolation_level="AUTOCOMMIT" if alone else None,
        hide_parameters=True,  # errors show statements, never values
        connect_args={
            "application_name": "daybreak",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": "-c timezone=UTC" + (_BY_KEYS if within is not None and by_keys else ""),
        },
    )
    if within is not None:

        @event.listens_for(engine, "do_connect")
        def impatient(_dialect: Any, _record: Any, args: Any, options: Any) -> _Impatient:
            found = _Impatient.connect(*args, **options)
            found.seconds = within
            return found

    return engine


class _Impatient(psycopg.Connection[Any]):
    """Waits for its server so many ``seconds`` at a time: by the network alone, a server that hangs
    or was cut off is waited for without end, or for a quarter of an hour."""

    seconds: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.close()  # what the server says next would be taken for another answer
            raise


@contextmanager
def connect(engine: Engine) -> Iterator[Connection]:
    """A connection to read with; what was not committed is rolled back at the end.

    Raises ``WarehouseUnavailable`` where no connection can be opened and where it breaks,
    ``StorageFull`` and ``WarehouseOverloaded`` where the server has no space or nothing else left.
    Any other error of a statement passes, without the values that the server repeats in it.
    """
    connection = _open(engine)
    try:
        with connection:
            yield connection
    except (DBAPIError, psycopg.Error) as error:
        ours = explained(engine.url.database, error)
        if ours is not None:
            raise ours from None
        hide_values(error)
        raise


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction: committed at the end, rolled back by any exception.

    Raises what ``connect`` raises.
    """
    with connect(engine) as connection, connection.begin():
        yield connection


def repeatable(engine: Engine, work: Callable[[Connection], T]) -> T:
    """What ``work`` makes of a connection, on which it does what may be done twice.

    Where the connection broke before, as all of a pool do when their server starts anew, it is
    done over a new one. Raises what ``connect`` raises.
    """
    began = time.monotonic()
    try:
        with connect(engine) as conn:
            return work(conn)
    except WarehouseUnavailable:
        if time.monotonic() - began > QUICK:
            raise
    engine.dispose()
    with connect(engine) as conn:
        return work(conn)


def _open(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except (DBAPIError, psycopg.Error) as error:
        password = str(engine.url.password or "")
        raise refused(engine.url.database, error, password) from None


def driver_of(conn: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection, within the transaction that SQLAlchemy will end: only it has COPY and
    binary results.

    Raises ``TypeError`` for another driver.
    """
    driver = conn.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"COPY and binary results need psycopg 3, not {type(driver)}")
    if not conn.in_transaction():
        conn.begin()
    return driver
