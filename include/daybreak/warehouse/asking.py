"""What requests read in the warehouse: where it hangs, some wait for it and the others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TypeVar

from sqlalchemy import Connection, Engine

from daybreak.errors import WarehouseUnavailable
from daybreak.warehouse.engine import connect, repeatable
from daybreak.warehouse.faults import UNAVAILABLE

T = TypeVar("T")

MOST = 2
"""Threads of a process that ask at a time."""
LONGEST_WAIT = 1.0
"""Seconds that a request waits until fewer ask."""


class Asking:
    """Of the threads of a process `MOST` ask at a time; the others answer what is in memory.

    One more waits for ``LONGEST_WAIT``; and if that did not help, the next ones are refused at
    once, until the warehouse has answered. Else requests about what is not in memory would soon
    wait in every thread.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._free = BoundedSemaphore(MOST)
        self._hangs = False

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """As ``warehouse.engine.connect``. Raises ``WarehouseUnavailable`` also where as many as
        may wait for it."""
        with self._turn(), connect(self._engine()) as conn:
            self._hangs = False  # a connection of the pool was tried, or is new
            yield conn
            conn.commit()  # after a rollback, psycopg forgets its prepared statements

    def repeatable(self, work: Callable[[Connection], T]) -> T:
        """As ``warehouse.engine.repeatable``, within the same limits."""
        with self._turn():
            found = repeatable(self._engine(), work)
            self._hangs = False
            return found

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._free.acquire(timeout=0 if self._hangs else LONGEST_WAIT):
            self._hangs = True
            raise WarehouseUnavailable(
                "The warehouse has not answered those who asked before.", remedy=UNAVAILABLE
            )
        try:
            yield
        finally:
            self._free.release()
