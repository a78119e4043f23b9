-- How long answers about events took, by day and hour in the time zone of their stream.
--
-- The days are listed first, and the decisions of each are looked for between its two moments: so
-- a question about a day reads the partitions of that day alone.
CREATE VIEW report.fraud_latency AS
SELECT
    log.stream,
    day.business_date,
    took.hour,
    took.decisions,
    took.recorded,
    took.stale,
    took.percentiles[1] AS p50_ms,
    took.percentiles[2] AS p90_ms,
    took.percentiles[3] AS p99_ms,
    took.max_ms,
    took.within_40_ms
FROM ops.stream AS log
CROSS JOIN LATERAL (
    SELECT
        midnight::date AS business_date,
        midnight AT TIME ZONE log.timezone AS begins,
        (midnight + interval '1 day') AT TIME ZONE log.timezone AS ends
    FROM (
        SELECT
            min(decided_at) AT TIME ZONE log.timezone AS first,
            max(decided_at) AT TIME ZONE log.timezone AS last
        FROM ops.decision
    ) AS span
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', span.first), span.last, interval '1 day'
    ) AS midnight
) AS day
CROSS JOIN LATERAL (
    SELECT
        extract(hour FROM decided_at AT TIME ZONE log.timezone)::int AS hour,
        count(*) AS decisions,
        count(*) FILTER (WHERE recorded) AS recorded,
        count(*) FILTER (WHERE stale) AS stale,
        percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY ms) AS percentiles,
        max(ms) AS max_ms,
        avg((ms <= 40)::int)::float8 AS within_40_ms
    FROM (
        -- What the recording of a decision took is not known when it is recorded; that of the one
        -- before stands in for it.
        SELECT
            decision.decided_at,
            decision.recorded,
            decision.stale,
            decision.latency_ms::float8 + decision.commit_ms AS ms
        FROM ops.decision AS decision
        WHERE decision.model = 'fraud'
            AND decision.stream = log.stream
            AND decision.decided_at >= day.begins
            AND decision.decided_at < day.ends
    ) AS one
    GROUP BY 1
) AS took;

COMMENT ON VIEW report.fraud_latency IS
    'How long answers about events took, by day and hour at which they were given';

COMMENT ON COLUMN report.fraud_latency.stream IS 'stream of the events';
COMMENT ON COLUMN report.fraud_latency.business_date IS
    'day of the answers in the time zone of the stream, which need not be that of their events';
COMMENT ON COLUMN report.fraud_latency.hour IS
    'hour of that day, 0 to 23; the one that comes twice when clocks go back is one row';
COMMENT ON COLUMN report.fraud_latency.decisions IS 'answers';
COMMENT ON COLUMN report.fraud_latency.recorded IS
    'of these, answers that were recorded together with their event';
COMMENT ON COLUMN report.fraud_latency.stale IS
    'of these, answers that were given without the warehouse';
COMMENT ON COLUMN report.fraud_latency.p50_ms IS
    'ms; half of the answers took no longer. An estimate: from the request to its recording as '
    'measured, and for the recording what the one before it took in the same process';
COMMENT ON COLUMN report.fraud_latency.p90_ms IS 'ms, likewise; 90 % took no longer';
COMMENT ON COLUMN report.fraud_latency.p99_ms IS 'ms, likewise; 99 % took no longer';
COMMENT ON COLUMN report.fraud_latency.max_ms IS 'ms, likewise; the longest';
COMMENT ON COLUMN report.fraud_latency.within_40_ms IS
    'fraction, likewise; answers that took 40 ms or less';
