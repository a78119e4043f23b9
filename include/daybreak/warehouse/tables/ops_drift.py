"""Histograms, figures and alarms of drift."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from daybreak.warehouse.tables.schema import Instant, metadata


def _of_generation() -> Column[Any]:
    return Column(
        "generation_id",
        BigInteger,
        ForeignKey("ops.generation.generation_id"),
        primary_key=True,
    )


drift_histogram = Table(
    "drift_histogram",
    metadata,
    Column(
        "generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), primary_key=True
    ),
    Column("kind", Text, primary_key=True, comment="key, feature, score or row"),
    Column("name", Text, primary_key=True),
    Column("bins", LargeBinary, nullable=False, comment="int16 keys of daybreak.histogram"),
    Column("counts", LargeBinary, nullable=False, comment="int64"),
    schema="ops",
)
"""What a generation was scored from, and what was scored. It follows from its rows alone."""

asked_histogram = Table(
    "asked_histogram",
    metadata,
    Column("asked_id", BigInteger, Identity(always=True), primary_key=True),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("name", Text, nullable=False, comment="feature of the engine"),
    Column("begun_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False, comment="when it was written, too"),
    Column("answers", BigInteger, nullable=False, comment="whose rows were counted"),
    Column(
        "counts",
        LargeBinary,
        nullable=False,
        comment="int64, by the bins of the row in the version's manifest",
    ),
    Index("asked_histogram_by_generation", "generation_id", "ended_at"),
    CheckConstraint("begun_at <= ended_at", name="asked_histogram_window"),
    schema="ops",
)
"""What one process of the endpoint was asked about a generation in a while. Only appended to, by
``ops.append_asked``; old generations are deleted."""

drift = Table(
    "drift",
    metadata,
    Column(
        "generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), primary_key=True
    ),
    Column("kind", Text, primary_key=True, comment="key, feature, score, size, quality or asked"),
    Column("name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("rows", BigInteger, nullable=False, comment="values that it is of"),
    Column("value", Double, comment="of a size or a measure of quality"),
    Column("value_training", Double, comment="what the version's backtest found"),
    Column("value_earlier", Double, comment="median of earlier nights"),
    Column("missing", Double, comment="share of the values"),
    Column("missing_earlier", Double, comment="usually, on nights of the same weekday"),
    Column("outside", Double, comment="share of the values that is outside of the training's"),
    Column("psi_training", Double),
    Column("ks_training", Double),
    Column(
        "psi_earlier",
        Double,
        comment="beside earlier nights of the same weekday; of asked: the night that answered",
    ),
    Column("ks_earlier", Double),
    Column(
        "psi_holiday",
        Double,
        comment="beside the nearest night of a public holiday in the last four weeks",
    ),
    Column("earlier_nights", SmallInteger, nullable=False),
    Column("usual_nights", SmallInteger, nullable=False, comment="that raise_at is learned from"),
    Column("distance", Double, comment="what raise_at is for"),
    Column("raise_at", Double, comment="null while nothing is usual"),
    Column("clear_at", Double),
    Column("noticed", Double, comment="smallest change that would be noticed within two nights"),
    Column("state", Text, nullable=False),
    Column("measured_at", Instant, nullable=False),
    Index("drift_by_day", "model", "business_date"),
    CheckConstraint("state IN ('quiet', 'over', 'alarm')", name="drift_state"),
    schema="ops",
)
"""How far a night is from earlier ones and from its version's training, by what is compared."""

drift_alarm = Table(
    "drift_alarm",
    metadata,
    Column("alarm_id", BigInteger, Identity(always=True), primary_key=True),
    Column("model", Text, nullable=False),
    Column("business_date", Date, nullable=False),
    Column("generation_id", BigInteger, ForeignKey("ops.generation.generation_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("distance", Double),
    Column("raise_at", Double),
    Column("recorded_at", Instant, nullable=False),
    CheckConstraint("event IN ('raised', 'cleared')", name="drift_alarm_event"),
    UniqueConstraint("model", "kind", "name", "business_date", "event", name="drift_alarm_once"),
    schema="ops",
)
"""Alarms that were raised and cleared. Append-only: the newest row of a name holds."""
