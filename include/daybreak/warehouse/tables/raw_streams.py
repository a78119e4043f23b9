"""Events and labels, in slots that a stream gives names to."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

KEY_SLOTS = tuple(f"key_{slot}" for slot in range(1, 7))

AMOUNT_SLOTS = tuple(f"amount_{slot}" for slot in range(1, 5))
"""Columns that the keys and the amounts of a stream go to, in the order of ``ops.stream``."""


def _by_key(table: str) -> list[Index]:
    return [
        Index(
            f"{table}_by_{slot}",
            "stream",
            slot,
            "loaded_at",
            postgresql_where=text(f"{slot} IS NOT NULL"),
        )
        for slot in KEY_SLOTS
    ]


stream = Table(
    "stream",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("keys", ARRAY(Text), nullable=False, comment="in the order of key_1 …"),
    Column("amounts", ARRAY(Text), nullable=False, comment="in the order of amount_1 …"),
    Column("decimals", SmallInteger, nullable=False, comment="that amounts have at most"),
    Column("attributes", JSONB, nullable=False, comment="name to kind"),
    Column("timezone", Text, nullable=False, comment="in which its days begin"),
    Column("sequence", BigInteger, nullable=False, comment="of the newest entry"),
    Column("watermark", Instant, comment="no entry is known later; null: it has none"),
    Column(
        "live",
        Boolean,
        nullable=False,
        comment="whether every new entry has to be known after the watermark",
    ),
    Column("tiled_through", Instant, comment="what is known by then is in the tiles"),
    Column("declared_at", Instant, nullable=False),
    schema="ops",
)
"""A log of events and labels. Its row is locked by who appends, so that there is one writer.

The watermark moves with entries, and to the closing of a day, so that none is known by then later.
"""

event_id = Table(
    "event_id",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Index("event_id_by_time", "loaded_at"),
    schema="raw",
)
"""Where each event is: an id counts once, whichever day it comes again."""

event = Table(
    "event",
    metadata,
    Column("loaded_at", Instant, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event_at", Instant, nullable=False),
    Column("business_date", Date, nullable=False, comment="of event_at"),
    *(Column(slot, Text) for slot in KEY_SLOTS),
    *(Column(slot, BigInteger) for slot in AMOUNT_SLOTS),
    Column("attributes", JSONB),
    Column("load_id", BigInteger, comment="null where it came over HTTP"),
    *_by_key("event"),
    schema="raw",
    postgresql_partition_by="RANGE (loaded_at)",
)
"""By the day (UTC) on which they became known. ``ops.append_events`` is the one way in."""

label = Table(
    "label",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("fraud", Boolean, nullable=False),
    Column("was_fraud", Boolean, nullable=False, comment="as was known before"),
    Column("event_at", Instant, comment="of its event; null while that is not known"),
    Column("business_date", Date),
    *(Column(slot, Text) for slot in KEY_SLOTS),
    Column("load_id", BigInteger, comment="null where it came over HTTP"),
    Column("loaded_at", Instant, nullable=False),
    *_by_key("label"),
    Index("label_by_event", "stream", "event_id", "sequence"),
    Index("label_by_time", "loaded_at"),
    schema="raw",
)
"""What was said of events, with the keys of each. ``ops.append_labels`` is the one way in.

One that comes before its event waits, and is written again when that comes.
"""
