"""Which stream of a data set the model is about."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.signals.stream import Stream, read_stream
from daybreak.warehouse.tables import label


def stream_of_frauds(conn: Connection, as_of: AsOf) -> Stream:
    """The stream with the most known frauds. Raises ``NoData`` where there are none."""
    c = label.c
    query = (
        select(c.stream)
        .where(c.fraud, c.loaded_at <= as_of.cutoff, c.business_date <= as_of.business_date)
        .group_by(c.stream)
        .order_by(func.count().desc(), c.stream)
        .limit(1)
    )
    name = conn.scalar(query)
    if name is None:
        raise NoData(
            f"No fraud is known of any stream up to {as_of.business_date}.",
            remedy="Load `labels`, or choose a later business date.",
            business_date=as_of.business_date.isoformat(),
        )
    return read_stream(conn, name)
