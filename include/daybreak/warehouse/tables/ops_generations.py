"""Generations, who agreed to them, and which is published and served."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

generation = Table(
    "generation",
    metadata,
    Column("generation_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("run_key", Text, nullable=False, comment="the run that opened it"),
    Column("run_type", Text, nullable=False, comment="scheduled, manual, backfill, asset, cli"),
    Column("cutoff", Instant, nullable=False),
    Column("version", Text, nullable=False),
    Column("snapshot_id", BigInteger, ForeignKey("ops.snapshot.snapshot_id"), nullable=False),
    Column(
        "terms",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="numbers that a person set for it, by name",
    ),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("rows", BigInteger),
    Column("opened_at", Instant, nullable=False),
    Column("staged_at", Instant),
    Column("audited_at", Instant),
    Column("proven_at", Instant),
    Column("published_at", Instant),
    Column("ended_at", Instant, comment="superseded, rejected or rolled back"),
    Column("swept_at", Instant, comment="its score rows were deleted"),
    Index("generation_by_day", "model", "business_date"),
    Index("generation_by_run", "run_key"),
    Index("generation_by_snapshot", "snapshot_id"),
    Index(
        "generation_published_once",
        "model",
        "business_date",
        unique=True,
        postgresql_where=text("state = 'published'"),
    ),
    CheckConstraint(
        "state IN ('staging', 'staged', 'audited', 'proven', 'published', 'superseded', "
        "'rejected', 'rolled_back')",
        name="generation_state",
    ),
    schema="ops",
)
"""``ledger/generations.py`` is the only writer; docs/generations.md draws the states."""

approval = Table(
    "approval",
    metadata,
    Column("approval_id", BigInteger, Identity(always=True), primary_key=True),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column(
        "proposal",
        Text,
        nullable=False,
        comment="hash of the rows that were asked about; the same get the same answer",
    ),
    Column("figures", JSONB, nullable=False, comment="what was shown"),
    Column("outcome", Text, nullable=False),
    Column("terms", JSONB, nullable=False, comment="numbers that were set, by name"),
    Column("person", Text, nullable=False, comment="empty: nobody, in time"),
    Column("reason", Text, nullable=False),
    Column("decided_at", Instant, nullable=False),
    UniqueConstraint("generation_id", name="approval_once"),
    Index("approval_by_proposal", "model", "business_date", "proposal"),
    CheckConstraint(
        "outcome IN ('approved', 'capped', 'rejected', 'expired')", name="approval_outcome"
    ),
    schema="ops",
)
"""Append-only. Who agreed to what was proposed, and who did not."""

published = Table(
    "published",
    metadata,
    Column("model", Text, primary_key=True),
    Column("business_date", Date, primary_key=True),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("published_at", Instant, nullable=False),
    schema="ops",
)
"""The pointer. Report views see only generations named here, and the endpoint a moment later."""

serving = Table(
    "serving",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("generation_id", BigInteger, comment="null: nothing is published any more"),
    Column("serve_from", Instant, nullable=False, comment="by the clock of this server"),
    Column("recorded_at", Instant, nullable=False),
    Index("serving_by_model", "model", "entry_id"),
    schema="ops",
)
"""Which generation the endpoint answers from, from which moment on. Append-only."""
