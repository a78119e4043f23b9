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

COMMENT ON COLUMN report.sla_daily.model IS 'model';
COMMENT ON COLUMN report.sla_daily.business_date IS 'last day whose facts the scores know';
COMMENT ON COLUMN report.sla_daily.status IS
    'met, missed, or not_counted: only backfills and replays brought the day';
COMMENT ON COLUMN report.sla_daily.due_at IS 'when the scores had to be visible';
COMMENT ON COLUMN report.sla_daily.landed_at IS 'when they were; null where nothing was published';
COMMENT ON COLUMN report.sla_daily.slack_seconds IS
    'seconds; due_at minus landed_at, negative is late';
COMMENT ON COLUMN report.sla_daily.run_key IS
    'run that speaks for the day: of those that count, the one that landed first';
COMMENT ON COLUMN report.sla_daily.run_type IS
    'how that run was started: scheduled, manual, backfill, asset or cli';
COMMENT ON COLUMN report.sla_daily.queue_seconds IS
    'seconds from when the run was due to start until it did';
COMMENT ON COLUMN report.sla_daily.wait_seconds IS
    'seconds that it waited for the day to be closed';
COMMENT ON COLUMN report.sla_daily.score_seconds IS
    'seconds from the start of the snapshot until the last shard was scored';
COMMENT ON COLUMN report.sla_daily.publish_seconds IS
    'seconds from the start of the audit until it was published';
COMMENT ON COLUMN report.sla_daily.rows IS 'rows that it scored';
COMMENT ON COLUMN report.sla_daily.rows_per_second IS 'rows by score_seconds';
COMMENT ON COLUMN report.sla_daily.deadline_fired_at IS
    'when the deadline alert of any run of the day fired; null where none did';
COMMENT ON COLUMN report.sla_daily.runs IS 'runs of the day with a record, the uncounted included';
