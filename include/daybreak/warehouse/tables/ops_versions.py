"""Versions of models, and which of them is champion."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    Identity,
    Index,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

model_version = Table(
    "model_version",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("uri", Text, nullable=False),
    Column("files", JSONB, nullable=False, comment="file name -> sha256"),
    Column("manifest", JSONB, nullable=False),
    Column("trained_through", Date, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("pruned_at", Instant, comment="its files went"),
    schema="ops",
)

champion = Table(
    "champion",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("effective_from", Instant, nullable=False, comment="in force for cutoffs from here on"),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSONB, nullable=False, comment="what the gate measured"),
    Column(
        "serve_from",
        Instant,
        comment="requests know of it from here on; null: from effective_from",
    ),
    Index("champion_by_model", "model", "effective_from", "entry_id"),
    schema="ops",
)
"""Append-only: a trigger refuses UPDATE and DELETE."""

verdict = Table(
    "verdict",
    metadata,
    Column("verdict_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("judged_at", Instant, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("measure", Text, comment="what the gate goes by first, such as WAPE"),
    Column("value", Double, comment="of the version"),
    Column("baseline", Text, comment="the best baseline by that measure"),
    Column("baseline_value", Double),
    Column("evidence", JSONB, nullable=False, comment="all that the gate measured"),
    Column("actor", Text, nullable=False),
    Index("verdict_by_version", "model", "version", "verdict_id"),
    schema="ops",
)
"""What the gate said of a version, the refused ones too; the newest row holds. Append-only."""

trial = Table(
    "trial",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False, comment="canary or shadow"),
    Column("version", Text, comment="null: what was tried ends"),
    Column("share", Double, comment="of the entities, 0 to 1"),
    Column("serve_from", Instant, nullable=False, comment="by the clock of this server"),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("kind IN ('canary', 'shadow')", name="trial_kind"),
    Index("trial_by_model", "model", "kind", "entry_id"),
    schema="ops",
)
"""Versions tried beside the one in force. Append-only."""
