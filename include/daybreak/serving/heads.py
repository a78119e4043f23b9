"""What was read of keys lately: what a decision is made from while the warehouse is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from sys import getsizeof
from threading import Lock

from cachetools import LRUCache
from psycopg.rows import TupleRow

from daybreak.signals.reading import Head, Moment, Read

CAPACITY = 32 << 20
"""Bytes of heads held a worker: some 2,500 of 20 rows."""
OVERHEAD = 1000
"""Bytes of a head without its rows: its tuples, its key, its place in the cache."""
PLACE = 8
"""Bytes of a row's place in its tuple."""

Address = tuple[str, str, str]
"""Version, name and value of the key."""


class Heads:
    """The newest head of each key, the most recently asked ones. Safe for many threads.

    Losing them does no harm: they are never read while the warehouse answers.
    """

    def __init__(
        self,
        seconds: float,
        capacity: int = CAPACITY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._held: LRUCache[Address, tuple[Head, float]] = LRUCache(capacity, getsizeof=_size)
        self._lock = Lock()

    def keep(self, version: str, moment: Moment, heads: Mapping[str, Head]) -> None:
        """Keep what was read of the keys of a moment."""
        now = self._monotonic()
        with self._lock:
            for key, head in heads.items():
                with suppress(ValueError):  # it is larger than all that may be held
                    # As tuples: a list that grew has room for more.
                    exact = head._replace(read=Read(*map(tuple, head.read)))
                    self._held[version, key, moment.keys[key]] = exact, now

    def of(self, version: str, moment: Moment) -> dict[str, Head]:
        """What is held of the keys of a moment and is not too old.

        A head that was read for a later moment lacks what is before it, and is left out.
        """
        oldest = self._monotonic() - self._seconds
        found = {}
        with self._lock:
            for key, value in moment.keys.items():
                head, read_at = self._held.get((version, key, value), (None, 0.0))
                if head is not None and read_at >= oldest and head.moment <= moment.at:
                    found[key] = head
        return found


def _size(held: tuple[Head, float]) -> int:
    """Bytes of a head, its rows taken to be as large as the first of their kind."""
    read = held[0].read
    return OVERHEAD + sum(len(rows) * (PLACE + _of_row(rows[0])) for rows in read if rows)


def _of_row(row: TupleRow) -> int:
    return getsizeof(row) + sum(map(getsizeof, row))
