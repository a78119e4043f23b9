"""The ledger of prices, and the rules that they keep."""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Double,
    Identity,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.warehouse.tables.schema import Instant, metadata

price = Table(
    "price",
    metadata,
    Column("entry_id", BigInteger, Identity(always=True), primary_key=True),
    Column("store_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("price", BigInteger, comment="minor units; null: not on sale from here on"),
    Column("currency", Text, nullable=False, comment="ISO 4217"),
    Column("decimals", SmallInteger, nullable=False, comment="of the currency"),
    Column("valid_from", Instant, nullable=False),
    Column("timezone", Text, nullable=False, comment="whose days it counts for"),
    Column("known_at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("generation_id", BigInteger, comment="whose price it is; null: observed"),
    CheckConstraint(
        "source IN ('observed', 'published', 'withdrawn', 'live')", name="price_source"
    ),
    CheckConstraint("price >= 0", name="price_not_negative"),
    Index("price_by_series", "store_id", "item_id", "valid_from", "known_at", "entry_id"),
    Index(
        "price_by_generation",
        "generation_id",
        postgresql_where=text("generation_id IS NOT NULL"),
    ),
    schema="ops",
)
"""Which price is in force from when on, said when. Append-only: of entries with one ``valid_from``
the one known last holds."""

price_moment = Table(
    "price_moment",
    metadata,
    Column("generation_id", BigInteger, primary_key=True, autoincrement=False),
    Column("store_id", Text, primary_key=True),
    Column("item_id", Text, primary_key=True),
    Column("slot_at", Instant, primary_key=True, comment="from when on it is in force"),
    Column("price", BigInteger, nullable=False, comment="minor units"),
    Column("published", BigInteger, nullable=False, comment="price of the night"),
    Column("demand", REAL, comment="a multiple of what was expected; null: not known"),
    Column("units", Double, comment="sold since the day began"),
    Column("expected", REAL, comment="to be sold by then"),
    Column("competitor", BigInteger, comment="minor units; null: none is known"),
    Column("known_by", Instant, nullable=False, comment="it knows nothing later"),
    Column("recorded_at", Instant, nullable=False),
    CheckConstraint("price >= 0", name="price_moment_not_negative"),
    schema="ops",
)
"""Changes of prices during a day, and what moved them. Append-only; ``ops.keep_price_moments`` is
the way in, which puts them into the ledger."""

price_reading = Table(
    "price_reading",
    metadata,
    Column("reading_id", BigInteger, Identity(always=True), primary_key=True),
    Column("business_date", Date, nullable=False, comment="of the newest sales"),
    Column("cutoff", Instant, nullable=False, comment="and what was known by then"),
    Column("timezone", Text, nullable=False, comment="in which business dates begin"),
    Column("entries", BigInteger, nullable=False, comment="that were appended"),
    schema="ops",
)
"""Which sales were taken into the ledger of prices. Append-only."""

price_rules = Table(
    "price_rules",
    metadata,
    Column("rules_id", BigInteger, Identity(always=True), primary_key=True),
    Column("sha256", Text, nullable=False, comment="of their canonical JSON"),
    Column("rules", JSONB, nullable=False),
    Column("decimals", SmallInteger, nullable=False, comment="of the currency"),
    Column("timezone", Text, nullable=False, comment="in which business dates begin"),
    Column("known_from", Instant, nullable=False, comment="in force for cutoffs from here on"),
    UniqueConstraint("known_from", name="price_rules_once"),
    schema="ops",
)
"""The rules that prices keep, as the data set had them when. Append-only."""
