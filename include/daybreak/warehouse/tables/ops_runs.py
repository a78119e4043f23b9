"""Runs, their steps and their SLA, and the reports of periods."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Double,
    Identity,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

run = Table(
    "run",
    metadata,
    Column("run_key", Text, primary_key=True, comment="dag_id/run_id, or cli/…"),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("run_type", Text, nullable=False),
    Column("queued_at", Instant),
    Column("started_at", Instant, nullable=False),
    Column("interval", Text, comment="when the model was scored then, such as weekly:sunday"),
    schema="ops",
)

step = Table(
    "step",
    metadata,
    Column("run_key", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("shard", Integer, primary_key=True, comment="-1 where the step is not sharded"),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("rows", BigInteger),
    Column("processor_seconds", Double, comment="of the process, PostgreSQL's not counted"),
    schema="ops",
)
"""How long each step of a run took, the last try of each."""

period_report = Table(
    "period_report",
    metadata,
    Column("report_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("period", Text, nullable=False, comment="2026-07-20, 2026-W30 or 2026-07"),
    Column("name", Text, nullable=False, comment="knowledge time, and a hash of the content"),
    Column("first_date", Date, nullable=False),
    Column("last_date", Date, nullable=False),
    Column("known_at", Instant, nullable=False, comment="knowledge time of all its numbers"),
    Column("nights", Integer, nullable=False, comment="published business dates of the period"),
    Column("uri", Text, nullable=False),
    Column("files", JSONB, nullable=False, comment="file name to sha256"),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("model", "period", "name", name="period_report_once"),
    schema="ops",
)
"""Reports of models over periods. A row is written after all of its files."""

sla = Table(
    "sla",
    metadata,
    Column("model", Text, primary_key=True),
    Column("business_date", Date, primary_key=True),
    Column("run_key", Text, primary_key=True),
    Column("run_type", Text, nullable=False),
    Column("generation_id", BigInteger),
    Column("due_at", Instant, nullable=False),
    Column("landed_at", Instant),
    Column("slack_seconds", Double, comment="due minus landed; negative is late"),
    Column("status", Text, nullable=False),
    Column("queue_seconds", Double),
    Column("wait_seconds", Double),
    Column("score_seconds", Double),
    Column("publish_seconds", Double),
    Column("rows", BigInteger),
    Column("rows_per_second", Double),
    Column("recorded_at", Instant, nullable=False),
    Column("deadline_fired_at", Instant, comment="when Airflow's deadline alert said so"),
    CheckConstraint("status IN ('met', 'missed', 'not_counted')", name="sla_status"),
    schema="ops",
)
"""``not_counted`` is a backfill: neither a miss nor fresh."""
