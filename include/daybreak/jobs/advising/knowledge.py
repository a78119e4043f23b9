"""What was known at a moment in the past: the newest closed day, and up to which load of facts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Table, select

from daybreak.clock import AsOf
from daybreak.warehouse.tables import day_closed, metadata

OF_STREAMS = frozenset({"event", "event_id", "label"})
"""Tables of ``raw`` whose facts come one by one, and that no snapshot of a day is made from."""


@dataclass(frozen=True)
class Knowledge:
    """Business dates and when each was closed; moments at which any fact became known. In order."""

    closed: Sequence[tuple[date, datetime]]
    loaded: Sequence[datetime]

    def at(self, moment: datetime, through: date) -> AsOf | None:
        """The newest day up to ``through`` that was closed at a moment, with the last load before
        it as cutoff: two moments between which nothing became known are the same ``AsOf``.

        None where no day was.
        """
        days = [day for day, closed in self.closed if closed <= moment and day <= through]
        if not days:
            return None
        day = max(days)
        place = bisect_right(self.loaded, moment)
        # A day that is closed was loaded, and the cutoff of a replay is not before its closing.
        closed = dict(self.closed)[day]
        return AsOf(day, max(self.loaded[place - 1], closed) if place else closed)


def read_knowledge(conn: Connection, first: datetime, last: datetime) -> Knowledge:
    """When facts became known from ``first`` to ``last``; one pass over each table of facts."""
    c = day_closed.c
    closed = conn.execute(select(c.business_date, c.closed_at).order_by(c.business_date))
    moments: set[datetime] = set()
    for table in metadata.tables.values():
        if _has_facts(table):
            known = table.c.loaded_at
            moments |= set(conn.scalars(select(known).distinct().where(known.between(first, last))))
    return Knowledge([(day, moment) for day, moment in closed], sorted(moments))


def _has_facts(table: Table) -> bool:
    return table.schema == "raw" and "loaded_at" in table.c and table.name not in OF_STREAMS
