"""An analyst who looks at the forecast while it is being replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from daybreak.errors import WarehouseUnavailable
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import connect

LOOK = text(
    "SELECT business_date, generation_id, count(*) AS rows, "
    "count(DISTINCT (store_id, item_id, target_date)) AS cells "
    "FROM report.forecast GROUP BY business_date, generation_id"
)
Seen = tuple[tuple[date, int, int, int], ...]
"""Of each generation in force: business date, id, rows, different cells."""


@dataclass
class Reader(threading.Thread):
    """Asks again and again what is in force, and notes every answer that differs from others."""

    runtime: Runtime
    looks: int = 0
    seen: set[Seen] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.done.is_set():
            try:
                with connect(self.runtime.engine) as conn:
                    self._look(conn)
            except (WarehouseUnavailable, SQLAlchemyError):
                if self.looks:
                    raise
            self.done.wait(0.5)

    def _look(self, conn: Connection) -> None:
        while not self.done.is_set():
            self.seen.add(tuple(sorted(tuple(row) for row in conn.execute(LOOK))))
            conn.rollback()
            self.looks += 1
            self.done.wait(0.05)  # leaves the cores to what is being watched


@contextmanager
def reading(runtime: Runtime) -> Iterator[Reader]:
    """A reader at work during the block, from the moment on at which there is a warehouse."""
    reader = Reader(runtime)
    reader.start()
    try:
        yield reader
    finally:
        reader.done.set()
        reader.join(30)
