"""Loads, and the snapshots that were made of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

load = Table(
    "load",
    metadata,
    Column("load_id", BigInteger, Identity(always=True), primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("source", Text, nullable=False, comment="section of the data set file"),
    Column("uri", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("reading", Text, nullable=False, comment="hash of how the section reads its files"),
    Column("rows_read", BigInteger, nullable=False),
    Column("rows_loaded", BigInteger, nullable=False),
    Column("rows_quarantined", BigInteger, nullable=False),
    Column("lines_read", BigInteger, comment="of a text file: header, rows, blank and merged"),
    Column("lines_blank", BigInteger),
    Column("lines_merged", BigInteger, comment="lines of rows beyond their first"),
    Column("lines_bad", BigInteger, comment="lines of bad rows"),
    Column("rules", JSONB, nullable=False, comment="rule -> rows it dropped or changed"),
    Column("first_date", Date),
    Column("last_date", Date),
    Column("finished_at", Instant, nullable=False),
    UniqueConstraint("dataset", "source", "sha256", "reading", name="load_once"),
    schema="ops",
)
"""One row a file that was loaded wholly; the same bytes are never loaded in the same way again. And
one for each live stream, which says from which day on it covers days without files."""

snapshot = Table(
    "snapshot",
    metadata,
    Column("snapshot_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("cutoff", Instant, nullable=False),
    Column("layout", Text, nullable=False, comment="hash of the names of the values, in order"),
    Column("rows", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False, comment="over keys and bytes, in key order"),
    Column("built_at", Instant, nullable=False),
    Column("pruned_at", Instant, comment="its rows went; scoring the day makes them again"),
    Column("options", JSONB, comment="that its shards are made with"),
    Column("finished_at", Instant, comment="null while shards are missing"),
    UniqueConstraint("model", "business_date", "cutoff", "layout", name="snapshot_once"),
    schema="ops",
)

snapshot_upstream = Table(
    "snapshot_upstream",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column(
        "generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), primary_key=True
    ),
    schema="ops",
)
"""Generations of other models whose scores a snapshot was made from."""

snapshot_shard = Table(
    "snapshot_shard",
    metadata,
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), primary_key=True),
    Column("shard", Integer, primary_key=True),
    Column("first", BigInteger, nullable=False, comment="position of its first row in key order"),
    Column("entities", BigInteger, comment="null where nobody counted them"),
    Column("keys", LargeBinary, nullable=False, comment="of its entities, UTF-8, ended by NUL"),
    Column("rows", BigInteger, comment="null while they are not written"),
    schema="ops",
)
"""How an unfinished snapshot is cut. Gone when it is whole."""
