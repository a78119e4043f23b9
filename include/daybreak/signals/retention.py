"""Events, labels and tiles past their time, a day of knowledge (UTC) at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import psycopg
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError

from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.partitions import DROP_PATIENCE
from daybreak.warehouse.tables import event_id, label
from daybreak.warehouse.tables import stream as streams

_DAYS = text(
    """
    SELECT to_date(right(relname, 10), 'YYYY_MM_DD') AS day
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'raw.event'::regclass
    UNION
    SELECT to_date(right(relname, 10), 'YYYY_MM_DD')
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'ops.decision'::regclass
    ORDER BY day
    """
)


def expired_days(conn: Connection, keep: timedelta) -> list[date]:
    """Days on which nothing became known within ``keep`` before the watermark of any stream.

    Counted from there rather than from now, so that history which was loaded stays as it is.
    """
    watermark: datetime | None = conn.scalar(select(func.min(streams.c.watermark)))
    if watermark is None:
        return []
    first_kept = (watermark - keep).astimezone(UTC).date()
    return [day for day in conn.scalars(_DAYS) if day < first_kept]


def prune_days(engine: Engine, keep: timedelta) -> list[date]:
    """Drop these days, with what was said then and tiles of earlier days; those that went.

    Each is a transaction. One that a long query reads waits for the next time.
    """
    with connect(engine) as conn:
        planned = expired_days(conn, keep)
    gone = []
    for day in planned:
        try:
            with begin(engine) as conn:
                conn.execute(text(f"SET LOCAL lock_timeout = '{DROP_PATIENCE}'"))
                conn.execute(select(func.ops.drop_day(day)))
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.LockNotAvailable):
                continue
            raise
        gone.append(day)
    return gone


def first_whole_day(conn: Connection, stream: str) -> date | None:
    """The first business date of which the log of a stream has whatever it ever had; None where
    nothing of the stream has gone.

    Of the days before it, tiles say more than what is left of the log.
    """
    c = streams.c
    appended = conn.scalar(select(c.sequence).where(c.stream == stream)) or 0
    kept = sum(
        conn.scalar(select(func.count()).where(table.c.stream == stream)) or 0
        for table in (event_id, label)
    )
    first: date | None = next(iter(conn.scalars(_DAYS)), None)
    if kept == appended or first is None:
        return None
    # What became known on the day (UTC) before may be of the next one where clocks are ahead.
    return first + timedelta(days=1)
