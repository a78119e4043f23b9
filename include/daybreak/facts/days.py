"""Which business days are closed: all their facts are known."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection, func, select

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
