"""Which price was in force where and when, and since when that was known.

Revision ID: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the ledger, and what of the sales was taken into it. Both are only appended to."""
    op.create_table(
        "price",
        sa.Column("entry_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), comment="minor units; null: not on sale from here on"),
        sa.Column("currency", sa.Text(), nullable=False, comment="ISO 4217"),
        sa.Column("decimals", sa.SmallInteger(), nullable=False, comment="of the currency"),
        sa.Column("valid_from", INSTANT, nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False, comment="whose days it counts for"),
        sa.Column("known_at", INSTANT, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("generation_id", sa.BigInteger(), comment="whose price it is; null: observed"),
        sa.CheckConstraint("source IN ('observed', 'published', 'withdrawn')", name="price_source"),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.PrimaryKeyConstraint("entry_id"),
        schema="ops",
    )
    op.create_index(
        "price_by_series",
        "price",
        ["store_id", "item_id", "valid_from", "known_at", "entry_id"],
        schema="ops",
    )
    op.create_index(
        "price_by_generation",
        "price",
        ["generation_id"],
        schema="ops",
        postgresql_where=sa.text("generation_id IS NOT NULL"),
    )
    op.create_table(
        "price_reading",
        sa.Column("reading_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False, comment="of the newest sales"),
        sa.Column("cutoff", INSTANT, nullable=False, comment="and what was known by then"),
        sa.Column("timezone", sa.Text(), nullable=False, comment="in which business dates begin"),
        sa.Column("entries", sa.BigInteger(), nullable=False, comment="that were appended"),
        sa.PrimaryKeyConstraint("reading_id"),
        schema="ops",
    )
    for table in ("price", "price_reading"):
        op.execute(
            f"""
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.{table}
            FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
            """
        )
    op.execute(_START_OF_DAY)


_START_OF_DAY = """
    -- The first moment at which clocks of a time zone show the day. Where they go back from 1:00
    -- they show midnight twice, and the first counts; where they go forward at midnight the day
    -- begins at 1:00. Of a day that a zone left out, the moment at which it would have begun.
    CREATE FUNCTION ops.start_of_day(day date, zone text) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(
            min(moment) FILTER (WHERE (moment AT TIME ZONE zone)::date = day),
            day::timestamp AT TIME ZONE zone
        )
        FROM (VALUES
            (day::timestamp AT TIME ZONE zone),
            -- By the clocks of the day before.
            ((day - interval '12 hours') AT TIME ZONE zone + interval '12 hours')
        ) AS candidate (moment)
    $$
    """
