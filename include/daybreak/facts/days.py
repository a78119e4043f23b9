"""Which business days are closed: all their facts are known, and since when."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from daybreak.facts.rows import Bounds
from daybreak.warehouse.tables import calendar, day_closed


def closed_at(conn: Connection, day: date) -> datetime | None:
    """When all facts of ``day`` were known (UTC); None where they are not yet."""
    return conn.scalar(select(day_closed.c.closed_at).where(day_closed.c.business_date == day))


def newest_closed_day(conn: Connection, through: date | None = None) -> date | None:
    """The latest business date (not after ``through``) that is closed; None where none is."""
    query = select(func.max(day_closed.c.business_date))
    if through is not None:
        query = query.where(day_closed.c.business_date <= through)
    newest: date | None = conn.scalar(query)
    return newest


def first_closed_day(conn: Connection) -> date | None:
    """The earliest business date that is closed; None where none is."""
    first: date | None = conn.scalar(select(func.min(day_closed.c.business_date)))
    return first


def days_of_period(conn: Connection) -> int:
    """How many days a business date stands for: 7 where the data set has weeks, else 1."""
    return conn.scalar(select(calendar.c.days).limit(1)) or 1


def end_of_period(conn: Connection, day: date) -> date:
    """The business date that ``day`` belongs to; itself where the calendar does not say."""
    ends = select(func.min(calendar.c.business_date)).where(calendar.c.business_date >= day)
    end: date | None = conn.scalar(ends)
    return end or day


def closed_moments(conn: Connection, bounds: Bounds) -> NDArray[np.int64]:
    """When each period was closed (periods,), in microseconds since 1970, never falling.

    Of one that is not closed, the midnight (UTC) after it.
    """
    ends = np.datetime64(bounds.first, "D") + np.arange(bounds.periods) * bounds.step
    moments = (ends + 1).astype("M8[us]").astype(np.int64)
    c = day_closed.c
    query = select(c.business_date, c.closed_at)
    query = query.where(c.business_date.between(bounds.first, bounds.last))
    for day, moment in conn.execute(query):
        column = (day - bounds.first).days // bounds.step
        moments[column] = np.datetime64(moment.replace(tzinfo=None), "us").astype(np.int64)
    return np.maximum.accumulate(moments)
