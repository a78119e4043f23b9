"""Streams: the log of events and labels, its one way in, and tiles.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
KEYS = tuple(f"key_{slot}" for slot in range(1, 7))
AMOUNTS = tuple(f"amount_{slot}" for slot in range(1, 5))


def upgrade() -> None:
    """Add the tables, and two functions that append to the log with their owner's rights."""
    _tables()
    _indexes()
    op.execute(_KNOWN_FROM)
    op.execute(_ENSURE_DAY)
    op.execute(_APPEND_EVENTS)
    op.execute(_APPEND_LABELS)
    op.execute(_DROP_DAY)
    op.execute("REVOKE ALL ON FUNCTION ops.ensure_day(text, date) FROM PUBLIC")
    op.execute("REVOKE ALL ON FUNCTION ops.drop_day(date) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION ops.drop_day(date) TO daybreak_writer")
    for function in ("append_events", "append_labels"):
        signature = f"ops.{function}(text, jsonb, timestamptz, bigint)"
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO daybreak_writer, daybreak_service")


def _tables() -> None:
    op.create_table(
        "stream",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("keys", sa.ARRAY(sa.Text()), nullable=False, comment="in the order of key_1 …"),
        sa.Column(
            "amounts", sa.ARRAY(sa.Text()), nullable=False, comment="in the order of amount_1 …"
        ),
        sa.Column(
            "decimals", sa.SmallInteger(), nullable=False, comment="that amounts have at most"
        ),
        sa.Column("attributes", postgresql.JSONB(), nullable=False, comment="name to kind"),
        sa.Column("timezone", sa.Text(), nullable=False, comment="in which its days begin"),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="of the newest entry"),
        sa.Column("watermark", INSTANT, comment="no entry is known later; null: it has none"),
        sa.Column(
            "live",
            sa.Boolean(),
            nullable=False,
            comment="whether every new entry has to be known after the watermark",
        ),
        sa.Column("tiled_through", INSTANT, comment="what is known by then is in the tiles"),
        sa.Column("declared_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("stream"),
        schema="ops",
    )
    op.create_table(
        "event_id",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("stream", "event_id"),
        schema="raw",
    )
    op.create_table(
        "event",
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_at", INSTANT, nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False, comment="of event_at"),
        *(sa.Column(name, sa.Text()) for name in KEYS),
        *(sa.Column(name, sa.BigInteger()) for name in AMOUNTS),
        sa.Column("attributes", postgresql.JSONB()),
        sa.Column("load_id", sa.BigInteger(), comment="null where it came over HTTP"),
        sa.PrimaryKeyConstraint("loaded_at", "stream", "sequence"),
        schema="raw",
        postgresql_partition_by="RANGE (loaded_at)",
    )
    op.create_table(
        "label",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("fraud", sa.Boolean(), nullable=False),
        sa.Column("was_fraud", sa.Boolean(), nullable=False, comment="as was known before"),
        sa.Column("event_at", INSTANT, comment="of its event; null while that is not known"),
        sa.Column("business_date", sa.Date()),
        *(sa.Column(name, sa.Text()) for name in KEYS),
        sa.Column("load_id", sa.BigInteger(), comment="null where it came over HTTP"),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("stream", "sequence"),
        schema="raw",
    )
    op.create_table(
        "tile",
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False, comment="1 is key_1"),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("through", INSTANT, nullable=False, comment="the newest entry that was folded"),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("frauds", sa.BigInteger(), nullable=False, comment="more known than before"),
        sa.Column("last_at", INSTANT, comment="of its events"),
        *(
            sa.Column(name.replace("amount", column), sa.BigInteger())
            for column in ("sum", "most", "given")
            for name in AMOUNTS
        ),
        *(sa.Column(name.replace("key", "others"), sa.ARRAY(sa.BigInteger())) for name in KEYS),
        sa.PrimaryKeyConstraint("business_date", "stream", "slot", "key", "through"),
        schema="feature",
        postgresql_partition_by="RANGE (business_date)",
    )


def _indexes() -> None:
    for table in ("event", "label"):
        for name in KEYS:
            op.create_index(
                f"{table}_by_{name}",
                table,
                ["stream", name, "loaded_at"],
                schema="raw",
                postgresql_where=sa.text(f"{name} IS NOT NULL"),
            )
    op.create_index("label_by_event", "label", ["stream", "event_id", "sequence"], schema="raw")
    op.create_index("event_id_by_time", "event_id", ["loaded_at"], schema="raw")
    op.create_index("label_by_time", "label", ["loaded_at"], schema="raw")
    op.create_index("tile_by_key", "tile", ["stream", "slot", "key"], schema="feature")


_KNOWN_FROM = """
    -- Since when an entry is known: as it was given, where nobody can have relied on its absence.
    CREATE FUNCTION ops.known_from(
        known_at timestamptz, earliest timestamptz, moment timestamptz, log ops.stream
    ) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE
            WHEN known_at IS NULL OR known_at > moment
                OR (log.live AND known_at <= log.watermark) THEN moment
            ELSE greatest(known_at, earliest)
        END
    $$
    """

_ENSURE_DAY = """
    CREATE FUNCTION ops.ensure_day(table_name text, day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        name text := table_name || to_char(day, '_YYYY_MM_DD');
    BEGIN
        IF EXISTS (SELECT FROM pg_class WHERE relname = name
                   AND relnamespace = 'raw'::regnamespace) THEN
            RETURN;
        END IF;
        -- Another stream may be making it. Looked up as a row: what a cache of names says is not
        -- refreshed by having waited for an advisory lock.
        PERFORM pg_advisory_xact_lock(hashtextextended('make raw.' || name, 0));
        IF EXISTS (SELECT FROM pg_class WHERE relname = name
                   AND relnamespace = 'raw'::regnamespace) THEN
            RETURN;
        END IF;
        -- Attached rather than created as a partition: that takes a lock which lets readers
        -- and writers of the other days go on.
        EXECUTE format('CREATE TABLE raw.%I (LIKE raw.%I INCLUDING ALL)', name, table_name);
        EXECUTE format('ALTER TABLE raw.%I ATTACH PARTITION raw.%I FOR VALUES FROM (%L) TO (%L)',
                       table_name, name, day::timestamp AT TIME ZONE 'UTC',
                       (day + 1)::timestamp AT TIME ZONE 'UTC');
    END
    $$
    """

_DROP_DAY = """
    CREATE FUNCTION ops.drop_day(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        since timestamptz := day::timestamp AT TIME ZONE 'UTC';
        until timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    BEGIN
        EXECUTE format('DROP TABLE IF EXISTS raw.%I', 'event' || to_char(day, '_YYYY_MM_DD'));
        DELETE FROM raw.event_id WHERE loaded_at >= since AND loaded_at < until;
        DELETE FROM raw.label WHERE loaded_at >= since AND loaded_at < until;
        DELETE FROM feature.tile WHERE business_date < day;
    END
    $$
    """

_APPEND_EVENTS = """
    CREATE FUNCTION ops.append_events(
        the_stream text, given jsonb, now timestamptz, the_load bigint
    )
    RETURNS TABLE (number bigint, outcome text, sequence bigint, loaded_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- The log is looked up by keys, always: a log that is being loaded has no statistics, and plans
    -- that were made while it was empty are kept for the session. So lookups are LATERAL … LIMIT 1,
    -- which no plan turns into a join of all with all: 190,000 events took 340 s, and take 6.
    SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        log ops.stream%ROWTYPE;
        moment timestamptz;
        appended bigint;
    BEGIN
        -- Who holds this row is the one writer: entries become visible in the order of their
        -- sequence, so that what was known at a watermark never grows.
        SELECT * INTO log FROM ops.stream WHERE stream = the_stream FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no stream %', the_stream USING ERRCODE = 'no_data_found';
        END IF;
        moment := greatest(now, log.watermark + interval '1 microsecond');
        PERFORM ops.ensure_day('event', day) FROM (
            SELECT DISTINCT (
                ops.known_from(one.known_at, one.event_at, moment, log) AT TIME ZONE 'UTC'
            )::date AS day
            FROM jsonb_to_recordset(given) AS one (event_at timestamptz, known_at timestamptz)
        ) AS days;
        RETURN QUERY
        WITH one AS (
            SELECT *,
                row_number() OVER (PARTITION BY event_id ORDER BY number) = 1 AS is_first,
                ops.known_from(known_at, event_at, moment, log) AS loaded_at
            FROM ROWS FROM (jsonb_to_recordset(given) AS (
                event_id text, event_at timestamptz, business_date date, known_at timestamptz,
                key_1 text, key_2 text, key_3 text, key_4 text, key_5 text, key_6 text,
                amount_1 bigint, amount_2 bigint, amount_3 bigint, amount_4 bigint,
                attributes jsonb
            )) WITH ORDINALITY AS it (
                event_id, event_at, business_date, known_at,
                key_1, key_2, key_3, key_4, key_5, key_6,
                amount_1, amount_2, amount_3, amount_4, attributes, number
            )
        ), fresh AS (
            SELECT *, log.sequence
                + row_number() OVER (ORDER BY loaded_at, event_at, number) AS sequence
            FROM one
            WHERE is_first AND (
                SELECT known.sequence FROM raw.event_id AS known
                WHERE known.stream = the_stream AND known.event_id = one.event_id
            ) IS NULL
        ), ids AS (
            INSERT INTO raw.event_id (stream, event_id, sequence, loaded_at)
            SELECT the_stream, event_id, sequence, loaded_at FROM fresh
        ), events AS (
            INSERT INTO raw.event (
                loaded_at, stream, sequence, event_id, event_at, business_date,
                key_1, key_2, key_3, key_4, key_5, key_6,
                amount_1, amount_2, amount_3, amount_4, attributes, load_id
            )
            SELECT
                loaded_at, the_stream, sequence, event_id, event_at, business_date,
                key_1, key_2, key_3, key_4, key_5, key_6,
                amount_1, amount_2, amount_3, amount_4, attributes, the_load
            FROM fresh
        ), waiting AS (
            SELECT fresh.*, newest.fraud, greatest(newest.loaded_at, fresh.loaded_at) AS known,
                row_number() OVER (ORDER BY fresh.sequence) AS place
            FROM fresh, LATERAL (
                SELECT label.fraud, label.loaded_at FROM raw.label AS label
                WHERE label.stream = the_stream AND label.event_id = fresh.event_id
                ORDER BY label.sequence DESC LIMIT 1
            ) AS newest
        ), labels AS (
            -- A label that came before its event counts from here on.
            INSERT INTO raw.label (
                stream, sequence, event_id, fraud, was_fraud, event_at, business_date,
                key_1, key_2, key_3, key_4, key_5, key_6, load_id, loaded_at
            )
            SELECT
                the_stream, log.sequence + (SELECT count(*) FROM fresh) + place,
                event_id, fraud, false, event_at, business_date,
                key_1, key_2, key_3, key_4, key_5, key_6, the_load, known
            FROM waiting
        ), moved AS (
            UPDATE ops.stream SET
                sequence = log.sequence + (SELECT count(*) FROM fresh)
                    + (SELECT count(*) FROM waiting),
                watermark = greatest(
                    log.watermark, (SELECT max(loaded_at) FROM fresh),
                    (SELECT max(known) FROM waiting),
                    CASE WHEN the_load IS NULL AND NOT log.live THEN moment END
                ),
                live = log.live OR the_load IS NULL
            WHERE stream = the_stream
                AND (EXISTS (SELECT FROM fresh) OR (the_load IS NULL AND NOT log.live))
        )
        SELECT number, 'new', sequence, loaded_at FROM fresh;
        GET DIAGNOSTICS appended = ROW_COUNT;
        IF appended = jsonb_array_length(given) THEN
            RETURN;
        END IF;
        RETURN QUERY
        WITH one AS (
            SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY number) = 1 AS is_first
            FROM ROWS FROM (jsonb_to_recordset(given) AS (
                event_id text, event_at timestamptz, business_date date, known_at timestamptz,
                key_1 text, key_2 text, key_3 text, key_4 text, key_5 text, key_6 text,
                amount_1 bigint, amount_2 bigint, amount_3 bigint, amount_4 bigint,
                attributes jsonb
            )) WITH ORDINALITY AS it (
                event_id, event_at, business_date, known_at,
                key_1, key_2, key_3, key_4, key_5, key_6,
                amount_1, amount_2, amount_3, amount_4, attributes, number
            )
        )
        SELECT one.number,
            CASE
                WHEN (
                    one.event_at,
                    one.key_1, one.key_2, one.key_3, one.key_4, one.key_5, one.key_6,
                    one.amount_1, one.amount_2, one.amount_3, one.amount_4, one.attributes
                ) IS NOT DISTINCT FROM (
                    held.event_at,
                    held.key_1, held.key_2, held.key_3, held.key_4, held.key_5, held.key_6,
                    held.amount_1, held.amount_2, held.amount_3, held.amount_4, held.attributes
                ) THEN 'repeat'
                ELSE 'conflict'
            END,
            held.sequence, held.loaded_at
        FROM one
        JOIN LATERAL (
            SELECT id.sequence, id.loaded_at FROM raw.event_id AS id
            WHERE id.stream = the_stream AND id.event_id = one.event_id
            LIMIT 1
        ) AS known ON true
        JOIN LATERAL (
            SELECT * FROM raw.event AS it
            WHERE it.loaded_at = known.loaded_at AND it.stream = the_stream
                AND it.sequence = known.sequence
            LIMIT 1
        ) AS held ON true
        WHERE NOT (one.is_first AND known.sequence > log.sequence);
    END
    $$
    """

_APPEND_LABELS = """
    CREATE FUNCTION ops.append_labels(
        the_stream text, given jsonb, now timestamptz, the_load bigint
    )
    RETURNS TABLE (number bigint, outcome text, sequence bigint, loaded_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- The log is looked up by keys, always: a log that is being loaded has no statistics, and plans
    -- that were made while it was empty are kept for the session. So lookups are LATERAL … LIMIT 1,
    -- which no plan turns into a join of all with all: 190,000 events took 340 s, and take 6.
    SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        log ops.stream%ROWTYPE;
        moment timestamptz;
    BEGIN
        SELECT * INTO log FROM ops.stream WHERE stream = the_stream FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no stream %', the_stream USING ERRCODE = 'no_data_found';
        END IF;
        moment := greatest(now, log.watermark + interval '1 microsecond');
        RETURN QUERY
        WITH one AS (
            SELECT it.*, event.event_at, event.business_date,
                event.key_1, event.key_2, event.key_3, event.key_4, event.key_5, event.key_6,
                newest.fraud AS last_fraud,
                newest.sequence AS last_sequence, newest.loaded_at AS last_known
            FROM ROWS FROM (jsonb_to_recordset(given) AS (
                event_id text, fraud boolean, known_at timestamptz
            )) WITH ORDINALITY AS it (event_id, fraud, known_at, number)
            LEFT JOIN LATERAL (
                SELECT id.sequence, id.loaded_at FROM raw.event_id AS id
                WHERE id.stream = the_stream AND id.event_id = it.event_id
                LIMIT 1
            ) AS known ON true
            LEFT JOIN LATERAL (
                SELECT * FROM raw.event AS one
                WHERE one.loaded_at = known.loaded_at AND one.stream = the_stream
                    AND one.sequence = known.sequence
                LIMIT 1
            ) AS event ON true
            LEFT JOIN LATERAL (
                SELECT label.fraud, label.sequence, label.loaded_at
                FROM raw.label AS label
                WHERE label.stream = the_stream AND label.event_id = it.event_id
                ORDER BY label.sequence DESC LIMIT 1
            ) AS newest ON true
        ), timed AS (
            -- Of one event a later label is known later.
            SELECT *, ops.known_from(
                known_at, greatest(event_at, last_known + interval '1 microsecond'), moment, log
            ) AS loaded_at
            FROM one
        ), placed AS (
            SELECT *, coalesce(
                lag(fraud) OVER (PARTITION BY event_id ORDER BY loaded_at, number), last_fraud
            ) AS before
            FROM timed
        ), fresh AS (
            SELECT *,
                log.sequence + row_number() OVER (ORDER BY loaded_at, number) AS sequence
            FROM placed
            WHERE before IS DISTINCT FROM fraud
        ), labels AS (
            INSERT INTO raw.label (
                stream, sequence, event_id, fraud, was_fraud, event_at, business_date,
                key_1, key_2, key_3, key_4, key_5, key_6, load_id, loaded_at
            )
            SELECT
                the_stream, sequence, event_id, fraud, coalesce(before, false), event_at,
                business_date, key_1, key_2, key_3, key_4, key_5, key_6, the_load, loaded_at
            FROM fresh
        ), moved AS (
            UPDATE ops.stream SET
                sequence = log.sequence + (SELECT count(*) FROM fresh),
                watermark = greatest(log.watermark, (SELECT max(loaded_at) FROM fresh)),
                live = log.live OR the_load IS NULL
            WHERE stream = the_stream AND EXISTS (SELECT FROM fresh)
        )
        SELECT placed.number,
            CASE
                WHEN fresh.number IS NULL THEN 'repeat'
                WHEN placed.event_at IS NULL THEN 'waits'
                ELSE 'new'
            END,
            coalesce(max(fresh.sequence) OVER before, placed.last_sequence),
            coalesce(max(fresh.loaded_at) OVER before, placed.last_known)
        FROM placed LEFT JOIN fresh ON fresh.number = placed.number
        WINDOW before AS (
            PARTITION BY placed.event_id ORDER BY placed.loaded_at, placed.number
        );
    END
    $$
    """
