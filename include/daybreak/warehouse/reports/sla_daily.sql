-- Whether each model's scores were out in time, one row a business date.
--
-- Of the runs that count, the one that landed first speaks for the day. A day that only runs
-- which do not count brought (backfills, later replays) has the status not_counted.
CREATE VIEW report.sla_daily AS
SELECT DISTINCT ON (model, business_date)
    model,
    business_date,
    status,
    due_at,
    landed_at,
    slack_seconds,
    run_key,
    run_type,
    queue_seconds,
    wait_seconds,
    score_seconds,
    publish_seconds,
    rows,
    rows_per_second,
    max(deadline_fired_at) OVER (PARTITION BY model, business_date) AS deadline_fired_at,
    count(*) OVER (PARTITION BY model, business_date) AS runs
FROM ops.sla
ORDER BY model, business_date, status = 'not_counted', landed_at NULLS LAST, recorded_at;

COMMENT ON VIEW report.sla_daily IS
    'Whether the scores of each model and business date were out in time';
