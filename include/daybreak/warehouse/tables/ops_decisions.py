"""Decisions on events, and the proof that a night gives of them."""

from __future__ import annotations

from sqlalchemy import REAL, BigInteger, Boolean, Column, Date, Index, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

decision = Table(
    "decision",
    metadata,
    Column("decided_at", Instant, primary_key=True),
    Column("decision_id", BigInteger, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("business_date", Date, nullable=False, comment="of event_at"),
    Column("event_id", Text, nullable=False),
    Column("event_at", Instant, nullable=False),
    Column(
        "sequence",
        BigInteger,
        comment="of its event in the log; null: it was not there yet, and comes after all of its "
        "moment",
    ),
    Column("recorded", Boolean, nullable=False, comment="its event was asked to be"),
    Column(
        "known",
        JSONB,
        nullable=False,
        comment="by key: the watermark that its signals were read at; null: nothing was",
    ),
    Column("stale", Boolean, nullable=False, comment="answered without the warehouse"),
    Column("request", Text, nullable=False, comment="JSON"),
    Column("features", LargeBinary, nullable=False, comment="little-endian float32"),
    Column("answer", Text, nullable=False, comment="JSON, but for latency_ms"),
    Column("latency_ms", REAL, nullable=False, comment="from the request to its recording"),
    Column(
        "commit_ms",
        REAL,
        nullable=False,
        comment="that the recording before it took in the same process",
    ),
    Index("decision_by_day", "model", "business_date", "decided_at"),
    Index("decision_by_event", "stream", "event_id"),
    schema="ops",
    postgresql_partition_by="RANGE (decided_at)",
)
"""Answers about events, by the day (UTC) of the answer. ``ops.record_decisions`` is the way in."""

proof = Table(
    "proof",
    metadata,
    Column("model", Text, primary_key=True),
    Column("business_date", Date, primary_key=True),
    Column("run_key", Text, primary_key=True),
    Column("decisions", BigInteger, nullable=False),
    Column("differing", BigInteger, nullable=False),
    Column("wrong_tiles", BigInteger, nullable=False),
    Column("finding", Text, nullable=False, comment="the first of what is wrong; ''"),
    Column("proven_at", Instant, nullable=False),
    schema="ops",
)
"""What the night found when it made the decisions of a day again."""
