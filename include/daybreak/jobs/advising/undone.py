"""Work on the warehouse that is rolled back, so that nobody ever sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from sqlalchemy import Connection, Engine, Table

from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import ensure_partition


@contextmanager
def undone(engine: Engine, day: date, *tables: Table) -> Iterator[Connection]:
    """A connection for work on a business date of ``tables``.

    Months that are missing are made before, and stay: made within the work, their locks would stop
    everybody who reads these tables until it is rolled back.
    """
    with begin(engine) as conn:
        for table in tables:
            ensure_partition(conn, table, day)
    with connect(engine) as conn:
        yield conn
