"""Snapshots and tiles."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
)

from daybreak.warehouse.tables.raw_streams import AMOUNT_SLOTS, KEY_SLOTS
from daybreak.warehouse.tables.schema import Instant, metadata

snapshot_context = Table(
    "context",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column("arrays", LargeBinary, nullable=False, comment="an .npz of named arrays, no pickle"),
    schema="feature",
)
"""What all entities of a snapshot share."""

snapshot_part = Table(
    "snapshot_part",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("array", LargeBinary, nullable=False, comment="an .npy, no pickle"),
    schema="feature",
    prefixes=["UNLOGGED"],
)
"""What shards keep until their snapshot is whole. Lost in a crash of the server, and made again."""

tile = Table(
    "tile",
    metadata,
    Column("business_date", Date, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("slot", SmallInteger, primary_key=True, comment="1 is key_1"),
    Column("key", Text, primary_key=True),
    Column("through", Instant, primary_key=True, comment="the newest entry that was folded"),
    Column("events", BigInteger, nullable=False),
    Column("frauds", BigInteger, nullable=False, comment="more known than before"),
    Column("last_at", Instant, comment="of its events"),
    *(
        Column(slot.replace("amount", column), BigInteger)
        for column in ("sum", "most", "given")
        for slot in AMOUNT_SLOTS
    ),
    *(Column(slot.replace("key", "others"), ARRAY(BigInteger)) for slot in KEY_SLOTS),
    Index("tile_by_key", "stream", "slot", "key"),
    schema="feature",
    postgresql_partition_by="RANGE (business_date)",
)
"""The entries of a log about one key and one day that became known between two builds, folded."""
