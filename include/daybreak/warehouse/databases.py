"""Create the warehouse's database where it is missing and its user may."""

from __future__ import annotations

import psycopg
from psycopg import errors, sql
from sqlalchemy.engine import URL, make_url

from daybreak.errors import ConfigError
from daybreak.warehouse.engine import CONNECT_TIMEOUT_SECONDS, connect, make_engine

MAINTENANCE = ("postgres", "template1")
"""Databases that every server has, to connect to before ours exists."""


def create_database(dsn: str) -> bool:
    """Create the database of a ``postgresql+psycopg://`` URL. False where it is there already.

    Raises ``WarehouseUnavailable`` where the server does not answer or lets the user in nowhere,
    ``ConfigError`` where the database is missing and the user may not create it.
    """
    url = make_url(dsn)
    name = url.database or ""
    # Whether it is missing stands in the message only, which is in the server's language.
    if _opens(url):
        return False
    for other in MAINTENANCE:
        if _opens(url.set(database=other)):
            return _create(url.set(database=other), name) or _explain(dsn)
    return _explain(dsn)


def _opens(url: URL) -> bool:
    try:
        _connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _create(url: URL, name: str) -> bool:
    """False where it is there and does not open for another reason."""
    with _connect(url) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is not None:
            return False
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except errors.DuplicateDatabase:
            return False  # by another command, in this moment
        except errors.InsufficientPrivilege:
            raise ConfigError(
                f"The database {name!r} does not exist, and {url.username!r} may not create it.",
                remedy=f'Let an administrator run: CREATE DATABASE "{name}" OWNER '
                f'"{url.username}"; or give the user the right CREATEDB.',
                database=name,
            ) from None
    return True


def _explain(dsn: str) -> bool:
    """Raise what stands in the way; False where it opens by now."""
    engine = make_engine(dsn)
    try:
        with connect(engine):
            return False
    finally:
        engine.dispose()


def _connect(url: URL) -> psycopg.Connection[tuple[object, ...]]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS)
