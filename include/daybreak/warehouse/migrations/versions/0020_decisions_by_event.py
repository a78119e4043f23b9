"""Decisions are found by their event, also while their day has just begun.

A plan that is made on the first rows of a day and kept for the rest of it takes every index for as
good as another. Two of them read all decisions of the day: a join with those that were spooled, and
the earliest answer by an index on the time.

Revision ID: 0020
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave the plan no other way."""
    op.execute(_RECORD)


_RECORD = """
    -- Appends events together with the decisions about them, and decisions about events that are
    -- not to be recorded. An event that has a recorded decision by the same model keeps it: the
    -- answer of that one comes back.
    CREATE OR REPLACE FUNCTION ops.record_decisions(the_stream text, given jsonb, now timestamptz)
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
                SELECT (array_agg(decision.answer ORDER BY decided_at, decision_id))[1] AS answer
                FROM ops.decision AS decision
                WHERE decision.stream = the_stream AND decision.event_id = one.event_id
                    AND decision.model = one.model AND decision.recorded
                HAVING count(*) > 0
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
                -- Of a spool file that was written before, and not deleted.
                AND CASE WHEN decided_at IS NULL THEN true ELSE (
                    -- Counted, as what only has to exist may be hashed: all that there are.
                    SELECT count(*) FROM ops.decision AS same
                    WHERE same.stream = the_stream AND same.event_id = one.event_id
                        AND same.decided_at = one.decided_at AND same.model = one.model
                ) = 0 END
            ORDER BY number
        )
        SELECT one.number, one.outcome, held.answer
        FROM one LEFT JOIN held ON held.number = one.number;
    END
    $$
    """
