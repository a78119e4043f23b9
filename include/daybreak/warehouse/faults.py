"""What an error of PostgreSQL means: one of ours where we know the remedy, and never a value.

The server repeats rows and values in DETAIL and CONTEXT, and some messages quote one. They may be
anybody's data, and an error ends in logs, in Airflow's UI and on terminals.
"""

from __future__ import annotations

import errno
import os
import re

import psycopg
from sqlalchemy.exc import DBAPIError

from daybreak.errors import DaybreakError, StorageFull, WarehouseOverloaded, WarehouseUnavailable

UNAVAILABLE = (
    "Start it with `daybreak up`, or see that DAYBREAK_WAREHOUSE_URL is right; "
    "`daybreak doctor` says what is wrong."
)
_FULL = (
    "Free space where the server keeps its data: `daybreak warehouse status` shows what is large, "
    "`daybreak warehouse prune` drops what nothing needs. Then run it again: what had begun was "
    "rolled back."
)
_SHARED_MEMORY = (
    "Give the server more shared memory (shm_size of its container, or the size of /dev/shm), "
    "then run it again."
)
_LIMIT = "Raise the limit that it names in the server's configuration, then run it again."
_BUSY = (
    "Wait until other work is done and run it again; where it happens often, give the server more "
    "memory, raise its max_connections, or run fewer tasks and workers at a time."
)

_GONE = {"57P01", "57P02", "57P03"}  # shut down by an administrator or a crash, or starting
_NO_SPACE = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
# The server refuses a connection without an SQLSTATE that libpq would pass on.
_NO_CONNECTION_LEFT = re.compile(r"too many (connections|clients)|connection slots")
_QUOTED = re.compile(r"""["'«„“].*["'»“”]""", re.DOTALL)
_WHERE = re.compile(r"^COPY [^,:]+, line \d+(, column [^,:]+)?", re.MULTILINE)


def explained(database: str | None, error: Exception) -> DaybreakError | None:
    """The error of ours for ``error`` of SQLAlchemy or psycopg; None for any other SQL error.

    ``WarehouseUnavailable`` where the connection broke, ``StorageFull`` where the server found no
    space (tables, log, temporary files), ``WarehouseOverloaded`` where it ran out of the rest.
    """
    cause = _driver_error(error)
    if cause is None:
        return None
    state, said = cause.sqlstate or "", without_values(cause)
    if state == "53100" or any(text in said for text in _NO_SPACE):
        remedy = _SHARED_MEMORY if "shared memory" in said else _FULL
        return StorageFull(f"The warehouse {database!r} has no space left: {said}.", remedy=remedy)
    if state == "53400":
        message = f"A statement exceeds a limit of the warehouse {database!r}: {said}."
        return StorageFull(message, remedy=_LIMIT)
    if state.startswith("53"):
        return WarehouseOverloaded(
            f"The warehouse {database!r} is short of resources: {said}.", remedy=_BUSY
        )
    if _lost(error, cause):
        return WarehouseUnavailable(
            f"The warehouse {database!r} does not answer: {said}.", remedy=UNAVAILABLE
        )
    return None


def refused(database: str | None, error: Exception, password: str = "") -> DaybreakError:
    """The error of ours for a connection that could not be opened."""
    cause = _driver_error(error) or error
    reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    if password:
        reason = reason.replace(password, "***")
    message = f"The warehouse {database!r} does not answer: {reason}."
    if _NO_CONNECTION_LEFT.search(reason):
        return WarehouseOverloaded(message, remedy=_BUSY)
    return WarehouseUnavailable(message, remedy=UNAVAILABLE)


def hide_values(error: Exception) -> None:
    """Take rows and values out of the text of an error of SQLAlchemy or psycopg, in place."""
    cause = _driver_error(error)
    if cause is None:
        return
    cause.args = (without_values(cause), *cause.args[1:])
    if isinstance(error, DBAPIError):
        kind = type(cause)
        error.args = (f"({kind.__module__}.{kind.__qualname__}) {cause.args[0]}",)


def without_values(error: psycopg.Error) -> str:
    """What the server said, its hint and the place within a COPY, without any value."""
    said = error.diag.message_primary
    if said is None:  # not from the server: psycopg's own words
        return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    if (error.sqlstate or "").startswith("22"):  # data_exception: the message quotes the value
        said = _QUOTED.sub("…", said)
    where = _WHERE.search(error.diag.context or "")
    parts = (said, error.diag.message_hint, where and where[0])
    return "; ".join(part.rstrip(".") for part in parts if part)


def _driver_error(error: Exception) -> psycopg.Error | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause if isinstance(cause, psycopg.Error) else None


def _lost(error: Exception, cause: psycopg.Error) -> bool:
    """Whether the connection broke, rather than that a statement was refused."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or cause.sqlstate in _GONE
    # COPY runs on the driver's connection, where SQLAlchemy does not translate errors.
    without_state = isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None
    return without_state or cause.sqlstate in _GONE
