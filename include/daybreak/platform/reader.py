"""The analysts' access to the warehouse: a URL of their own role, without a password."""

from __future__ import annotations

import shutil

from sqlalchemy.engine import URL, make_url

from daybreak.errors import PlatformError
from daybreak.platform.postgres import embedded_binary
from daybreak.platform.status import embedded_server
from daybreak.settings import Settings
from daybreak.warehouse.tables import READER_ROLE

_WHO = frozenset({"user", "password", "passfile"})


def reader_url(settings: Settings, user: str | None = None) -> str:
    """URL of the warehouse for libpq, pandas and the like, as ``user`` or ``daybreak_reader``.

    On the embedded server that role may log in; on a server of one's own, ``user`` is a member of
    it. There is never a password in the URL: clients take it from ``PGPASSWORD`` or ``~/.pgpass``.
    """
    known = make_url(settings.warehouse_dsn)
    url = URL.create(
        "postgresql",
        username=user or READER_ROLE,
        host=known.host,
        port=known.port,
        database=known.database,
        query={name: value for name, value in known.query.items() if name not in _WHO},
    )
    address, mark, query = url.render_as_string().partition("?")
    return f"{address}{mark}{query.replace('+', '%20')}"  # libpq reads a plus as a plus


def psql_command(settings: Settings, user: str | None = None) -> list[str]:
    """The program psql and its first argument, the URL.

    Raises ``PlatformError`` where the embedded server does not run, or where there is no psql.
    """
    if settings.warehouse_url is None and embedded_server(settings).pid() is None:
        raise PlatformError(
            "The embedded warehouse does not run.",
            remedy="Start it with `daybreak up`, or `daybreak up --only postgres`.",
        )
    own = embedded_binary("psql")
    program = str(own) if own else shutil.which("psql")
    if program is None:
        raise PlatformError(
            "There is no psql on this machine.",
            remedy="Install PostgreSQL's client, or give the URL of `daybreak warehouse url` to "
            "another one.",
        )
    return [program, reader_url(settings, user)]
