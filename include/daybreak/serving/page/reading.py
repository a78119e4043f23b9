"""Questions to the report views: read-only, as the reader, and not longer than a person waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from daybreak.errors import NotReady, WarehouseOverloaded
from daybreak.runtime import REPORT_SECONDS, Runtime
from daybreak.serving.turn import pass_on
from daybreak.warehouse.reports.reading import begin_reading
from daybreak.warehouse.tables import READER_ROLE

Row = dict[str, Any]
Ask = Callable[..., list[Row]]
"""A question as SQL with its values by name, to the rows of the answer."""


@contextmanager
def reading(runtime: Runtime) -> Iterator[Ask]:
    """Ask within one transaction: all answers are of one moment. Raises what ``connected`` does."""
    with connected(runtime) as conn:

        def ask(question: str, **values: Any) -> list[Row]:
            found = conn.execute(text(question), values)
            return [dict(row) for row in found.mappings()]

        yield ask


@contextmanager
def connected(runtime: Runtime) -> Iterator[Connection]:
    """A connection that reads reports, in one transaction.

    Raises ``WarehouseUnavailable``, ``WarehouseOverloaded`` where a question takes too long, and
    ``NotReady`` where the views are not there or may not be read.
    """
    pass_on()
    try:
        with runtime.reports.connect() as conn:
            begin_reading(conn, REPORT_SECONDS)
            yield conn
    except DBAPIError as error:
        raise _explained(error) from error


def _explained(error: DBAPIError) -> Exception:
    match error.orig:
        case psycopg.errors.QueryCanceled():
            return WarehouseOverloaded(
                f"This question takes the warehouse longer than {REPORT_SECONDS} seconds.",
                remedy="Ask for less: one store, one category, fewer days.",
            )
        case psycopg.errors.InsufficientPrivilege():
            return NotReady(
                "The user that the page connects as may not read the reports.",
                remedy="DAYBREAK_WAREHOUSE_READER_URL names one that may: a member of "
                f"{READER_ROLE}.",
            )
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return NotReady(
                "The warehouse does not have the reports of this release.",
                remedy="`daybreak warehouse migrate` puts them in place.",
            )
    return error
