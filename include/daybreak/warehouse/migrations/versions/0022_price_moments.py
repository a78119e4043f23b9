"""Prices that moved during a day: each change with what moved it, and its place in the ledger.

Revision ID: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table, the source ``live`` of the ledger, and two functions with the rights of their
    owner: one keeps changes, the other lets a log be relied on up to a moment."""
    op.create_table(
        "price_moment",
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("slot_at", INSTANT, nullable=False, comment="from when on it is in force"),
        sa.Column("price", sa.BigInteger(), nullable=False, comment="minor units"),
        sa.Column("published", sa.BigInteger(), nullable=False, comment="price of the night"),
        sa.Column("demand", sa.REAL(), comment="a multiple of what was expected; null: not known"),
        sa.Column("units", sa.Double(), comment="sold since the day began"),
        sa.Column("expected", sa.REAL(), comment="to be sold by then"),
        sa.Column("competitor", sa.BigInteger(), comment="minor units; null: none is known"),
        sa.Column("known_by", INSTANT, nullable=False, comment="it knows nothing later"),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.CheckConstraint("price >= 0", name="price_moment_not_negative"),
        sa.PrimaryKeyConstraint("generation_id", "store_id", "item_id", "slot_at"),
        schema="ops",
    )
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.price_moment
        FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_change()
        """
    )
    op.drop_constraint("price_source", "price", schema="ops", type_="check")
    op.create_check_constraint(
        "price_source",
        "price",
        "source IN ('observed', 'published', 'withdrawn', 'live')",
        schema="ops",
    )
    op.execute(_SEAL)
    op.execute(_KEEP)
    for signature in (
        "ops.seal_stream(text, timestamptz)",
        "ops.keep_price_moments(bigint, jsonb, timestamptz)",
    ):
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO daybreak_writer, daybreak_service")


_SEAL = """
    -- Whatever comes from now on is known after a moment, which has passed: what the log of a live
    -- stream says by then does not change any more. Waits for who appends now.
    CREATE FUNCTION ops.seal_stream(the_stream text, moment timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        UPDATE ops.stream SET watermark = moment
        WHERE stream = the_stream AND live AND coalesce(watermark < moment, true)
    $$
    """

_KEEP = """
    -- Keeps changes of prices during the day of a generation, each once, and puts them into the
    -- ledger: from its slot on a price is in force, and from the end of the day, or of the
    -- generation, that which was before. Returns what is kept of the items given, in any slot.
    CREATE FUNCTION ops.keep_price_moments(the_generation bigint, given jsonb, now timestamptz)
    RETURNS TABLE (number bigint, slot_at timestamptz, price bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    #variable_conflict use_column
    DECLARE
        of_series record;
        change record;
        held ops.price%ROWTYPE;
        base ops.price%ROWTYPE;
        is_published boolean;
        back_at timestamptz;
        fresh boolean;
    BEGIN
        -- A rollback waits for this, or this for it: who comes second sees what the first did.
        PERFORM FROM ops.generation WHERE generation_id = the_generation FOR SHARE;
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('prices.moments', 0));
        is_published := EXISTS (
            SELECT FROM ops.published WHERE generation_id = the_generation
        );
        FOR of_series IN
            SELECT one.* FROM jsonb_to_recordset(given) AS one (
                store_id text, item_id text, currency text, decimals smallint, timezone text,
                day_ends timestamptz, changes jsonb
            )
            ORDER BY store_id COLLATE "C", item_id COLLATE "C"
        LOOP
            PERFORM pg_advisory_xact_lock(hashtextextended(
                jsonb_build_array('prices.moments', of_series.store_id, of_series.item_id)::text, 0
            ));
            fresh := false;
            FOR change IN
                SELECT one.* FROM jsonb_to_recordset(of_series.changes) AS one (
                    slot_at timestamptz, price bigint, published bigint, demand real, units float8,
                    expected real, competitor bigint, known_by timestamptz
                )
                ORDER BY slot_at
            LOOP
                INSERT INTO ops.price_moment (
                    generation_id, store_id, item_id, slot_at, price, published, demand, units,
                    expected, competitor, known_by, recorded_at
                ) VALUES (
                    the_generation, of_series.store_id, of_series.item_id, change.slot_at,
                    change.price, change.published, change.demand, change.units, change.expected,
                    change.competitor, change.known_by, now
                ) ON CONFLICT DO NOTHING;
                CONTINUE WHEN NOT FOUND;
                fresh := true;
                SELECT * INTO held FROM ops.price AS entry
                WHERE entry.store_id = of_series.store_id AND entry.item_id = of_series.item_id
                    AND entry.valid_from <= change.slot_at
                ORDER BY entry.valid_from DESC, entry.known_at DESC, entry.entry_id DESC LIMIT 1;
                IF (held.price, held.currency)
                    IS DISTINCT FROM (change.price, of_series.currency)
                THEN
                    INSERT INTO ops.price (
                        store_id, item_id, price, currency, decimals, valid_from, timezone,
                        known_at, source, generation_id
                    ) VALUES (
                        of_series.store_id, of_series.item_id, change.price, of_series.currency,
                        of_series.decimals, change.slot_at, of_series.timezone, now, 'live',
                        the_generation
                    );
                END IF;
            END LOOP;
            CONTINUE WHEN NOT fresh;
            back_at := CASE WHEN is_published THEN of_series.day_ends ELSE now END;
            SELECT * INTO base FROM ops.price AS entry
            WHERE entry.store_id = of_series.store_id AND entry.item_id = of_series.item_id
                AND entry.valid_from <= back_at
                AND NOT (entry.source = 'live' AND entry.generation_id = the_generation)
            ORDER BY entry.valid_from DESC, entry.known_at DESC, entry.entry_id DESC LIMIT 1;
            SELECT * INTO held FROM ops.price AS entry
            WHERE entry.store_id = of_series.store_id AND entry.item_id = of_series.item_id
                AND entry.valid_from <= back_at
            ORDER BY entry.valid_from DESC, entry.known_at DESC, entry.entry_id DESC LIMIT 1;
            -- Where something else came into force meanwhile, it ended the moments.
            IF held.source = 'live' AND held.generation_id = the_generation
                AND (base.price, base.currency) IS DISTINCT FROM (held.price, held.currency)
            THEN
                INSERT INTO ops.price (
                    store_id, item_id, price, currency, decimals, valid_from, timezone, known_at,
                    source, generation_id
                )
                SELECT of_series.store_id, of_series.item_id,
                    CASE WHEN base.entry_id IS NULL THEN moment.published ELSE base.price END,
                    coalesce(base.currency, of_series.currency),
                    coalesce(base.decimals, of_series.decimals), back_at, of_series.timezone, now,
                    'live', the_generation
                FROM ops.price_moment AS moment
                WHERE moment.generation_id = the_generation
                    AND moment.store_id = of_series.store_id
                    AND moment.item_id = of_series.item_id
                ORDER BY moment.slot_at LIMIT 1;
            END IF;
        END LOOP;
        RETURN QUERY
        SELECT it.number, kept.slot_at, kept.price
        FROM ROWS FROM (jsonb_to_recordset(given) AS (store_id text, item_id text))
            WITH ORDINALITY AS it (store_id, item_id, number)
        JOIN ops.price_moment AS kept
            ON kept.generation_id = the_generation AND kept.store_id = it.store_id
            AND kept.item_id = it.item_id
        ORDER BY it.number, kept.slot_at;
    END
    $$
    """
