"""Decisions about events: what was answered and from what, and what the night says of it.

Revision ID: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
_SIGNATURE = "ops.record_decisions(text, jsonb, timestamptz)"


def upgrade() -> None:
    """Add the tables, and the function that appends an event together with its decision."""
    op.create_table(
        "decision",
        sa.Column("decided_at", INSTANT, nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False, comment="of event_at"),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_at", INSTANT, nullable=False),
        sa.Column(
            "sequence",
            sa.BigInteger(),
            comment="of its event in the log; null: it was not there yet, and comes after all of "
            "its moment",
        ),
        sa.Column("recorded", sa.Boolean(), nullable=False, comment="its event was asked to be"),
        sa.Column(
            "known",
            postgresql.JSONB(),
            nullable=False,
            comment="by key: the watermark that its signals were read at; null: nothing was",
        ),
        sa.Column("stale", sa.Boolean(), nullable=False, comment="answered without the warehouse"),
        sa.Column("request", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("features", sa.LargeBinary(), nullable=False, comment="little-endian float32"),
        sa.Column("answer", sa.Text(), nullable=False, comment="JSON, but for latency_ms"),
        sa.Column(
            "latency_ms", sa.REAL(), nullable=False, comment="from the request to its recording"
        ),
        sa.Column(
            "commit_ms",
            sa.REAL(),
            nullable=False,
            comment="that the recording before it took in the same process",
        ),
        sa.PrimaryKeyConstraint("decided_at", "decision_id"),
        schema="ops",
        postgresql_partition_by="RANGE (decided_at)",
    )
    op.create_index(
        "decision_by_day", "decision", ["model", "business_date", "decided_at"], schema="ops"
    )
    op.create_index("decision_by_event", "decision", ["stream", "event_id"], schema="ops")
    op.create_table(
        "proof",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False),
        sa.Column("decisions", sa.BigInteger(), nullable=False),
        sa.Column("differing", sa.BigInteger(), nullable=False),
        sa.Column("wrong_tiles", sa.BigInteger(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False, comment="the first of what is wrong; ''"),
        sa.Column("proven_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("model", "business_date", "run_key"),
        schema="ops",
    )
    op.execute("CREATE SEQUENCE ops.decision_id")
    op.execute(_ENSURE_DAY)
    op.execute(_ENSURE_DAY_OF_RAW)
    op.execute(_DROP_DAY)
    op.execute(_RECORD)
    op.execute("REVOKE ALL ON FUNCTION ops.ensure_day(text, text, date) FROM PUBLIC")
    for signature in ("text, date", "text, text, date"):  # for days to come
        op.execute(f"GRANT EXECUTE ON FUNCTION ops.ensure_day({signature}) TO daybreak_writer")
    op.execute(f"REVOKE ALL ON FUNCTION {_SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {_SIGNATURE} TO daybreak_writer, daybreak_service")


_ENSURE_DAY = """
    CREATE FUNCTION ops.ensure_day(of_schema text, table_name text, day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        name text := table_name || to_char(day, '_YYYY_MM_DD');
    BEGIN
        IF (of_schema, table_name) NOT IN (('raw', 'event'), ('ops', 'decision')) THEN
            RAISE EXCEPTION '%.% has no days', of_schema, table_name;
        END IF;
        IF EXISTS (SELECT FROM pg_class WHERE relname = name
                   AND relnamespace = of_schema::regnamespace) THEN
            RETURN;
        END IF;
        -- Another stream may be making it. Looked up as a row: what a cache of names says is not
        -- refreshed by having waited for an advisory lock.
        PERFORM pg_advisory_xact_lock(
            hashtextextended('make ' || of_schema || '.' || name, 0)
        );
        IF EXISTS (SELECT FROM pg_class WHERE relname = name
                   AND relnamespace = of_schema::regnamespace) THEN
            RETURN;
        END IF;
        -- Attached rather than created as a partition: that takes a lock which lets readers
        -- and writers of the other days go on.
        EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING ALL)',
                       of_schema, name, table_name);
        EXECUTE format(
            'ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (%4$L) TO (%5$L)',
            of_schema, table_name, name, day::timestamp AT TIME ZONE 'UTC',
            (day + 1)::timestamp AT TIME ZONE 'UTC'
        );
    END
    $$
    """

_ENSURE_DAY_OF_RAW = """
    CREATE OR REPLACE FUNCTION ops.ensure_day(table_name text, day date) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        SELECT ops.ensure_day('raw', table_name, day)
    $$
    """

_DROP_DAY = """
    CREATE OR REPLACE FUNCTION ops.drop_day(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        since timestamptz := day::timestamp AT TIME ZONE 'UTC';
        until timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    BEGIN
        EXECUTE format('DROP TABLE IF EXISTS raw.%I', 'event' || to_char(day, '_YYYY_MM_DD'));
        EXECUTE format('DROP TABLE IF EXISTS ops.%I', 'decision' || to_char(day, '_YYYY_MM_DD'));
        DELETE FROM raw.event_id WHERE loaded_at >= since AND loaded_at < until;
        DELETE FROM raw.label WHERE loaded_at >= since AND loaded_at < until;
        DELETE FROM feature.tile WHERE business_date < day;
    END
    $$
    """

_RECORD = """
    -- Appends events together with the decisions about them, and decisions about events that are
    -- not to be recorded. An event that has a recorded decision by the same model keeps it: the
    -- answer of that one comes back.
    CREATE FUNCTION ops.record_decisions(the_stream text, given jsonb, now timestamptz)
    RETURNS TABLE (number bigint, outcome text, answer text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        events jsonb;
        places bigint[];
        outcomes text[];
    BEGIN
        PERFORM ops.ensure_day('ops', 'decision', day) FROM (
            SELECT DISTINCT (
                coalesce((one ->> 'decided_at')::timestamptz, now) AT TIME ZONE 'UTC'
            )::date AS day
            FROM jsonb_array_elements(given) AS one
        ) AS days;
        SELECT jsonb_agg(one -> 'event' ORDER BY place), array_agg(place ORDER BY place)
        INTO events, places
        FROM jsonb_array_elements(given) WITH ORDINALITY AS it (one, place)
        WHERE jsonb_typeof(one -> 'event') = 'object';
        IF events IS NOT NULL THEN
            SELECT array_agg(receipt.outcome ORDER BY receipt.number) INTO outcomes
            FROM ops.append_events(the_stream, events, now, NULL) AS receipt;
        END IF;
        RETURN QUERY
        WITH one AS (
            SELECT it.*, coalesce(outcomes[array_position(places, number)], 'alone') AS outcome
            FROM ROWS FROM (jsonb_to_recordset(given) AS (
                model text, version text, business_date date, event_id text,
                event_at timestamptz, sequence bigint, known jsonb, stale boolean,
                request text, features text, answer text, latency_ms real, commit_ms real,
                decided_at timestamptz
            )) WITH ORDINALITY AS it (
                model, version, business_date, event_id, event_at, sequence, known, stale,
                request, features, answer, latency_ms, commit_ms, decided_at, number
            )
        ), held AS (
            SELECT one.number, old.answer
            FROM one, LATERAL (
                SELECT decision.answer FROM ops.decision AS decision
                WHERE decision.stream = the_stream AND decision.event_id = one.event_id
                    AND decision.model = one.model AND decision.recorded
                ORDER BY decision.decided_at, decision.decision_id LIMIT 1
            ) AS old
            WHERE one.outcome = 'repeat'
        ), kept AS (
            INSERT INTO ops.decision (
                decided_at, decision_id, model, version, stream, business_date, event_id,
                event_at, sequence, recorded, known, stale, request, features, answer,
                latency_ms, commit_ms
            )
            SELECT
                coalesce(decided_at, now), nextval('ops.decision_id'), model, version,
                the_stream, business_date, event_id, event_at, sequence,
                outcome <> 'alone', known, stale, request, decode(features, 'base64'), answer,
                latency_ms, commit_ms
            FROM one
            WHERE outcome <> 'conflict' AND number NOT IN (SELECT number FROM held)
                AND NOT EXISTS (
                    -- Of a spool file that was written before, and not deleted.
                    SELECT FROM ops.decision AS same
                    WHERE same.decided_at = one.decided_at AND same.model = one.model
                        AND same.event_id = one.event_id
                )
            ORDER BY number
        )
        SELECT one.number, one.outcome, held.answer
        FROM one LEFT JOIN held ON held.number = one.number;
    END
    $$
    """
