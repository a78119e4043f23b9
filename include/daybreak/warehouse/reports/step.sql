-- What each step of each run took: one row a run and step, its shards added up.
CREATE VIEW report.step AS
SELECT
    run.model,
    run.business_date,
    run.run_key,
    run.run_type,
    step.step,
    count(*) AS shards,
    min(step.started_at) AS started_at,
    max(step.ended_at) AS ended_at,
    sum(extract(epoch FROM step.ended_at - step.started_at))::float8 AS seconds,
    sum(step.processor_seconds) AS processor_seconds,
    sum(step.rows)::bigint AS rows
FROM ops.run AS run
JOIN ops.step AS step USING (run_key)
GROUP BY run.model, run.business_date, run.run_key, run.run_type, step.step;

COMMENT ON VIEW report.step IS 'What each step of each run took, shards added up';

COMMENT ON COLUMN report.step.model IS 'model';
COMMENT ON COLUMN report.step.business_date IS 'last day whose facts the run knows';
COMMENT ON COLUMN report.step.run_key IS
    'run: the DAG and its run in Airflow, with a slash between them, or cli/ and an id';
COMMENT ON COLUMN report.step.run_type IS
    'how the run was started: scheduled, manual, backfill, asset or cli';
COMMENT ON COLUMN report.step.step IS 'step, such as score_shard';
COMMENT ON COLUMN report.step.shards IS 'tasks of the step: 1 where it is not sharded';
COMMENT ON COLUMN report.step.started_at IS 'when the first of them began';
COMMENT ON COLUMN report.step.ended_at IS 'when the last of them ended';
COMMENT ON COLUMN report.step.seconds IS 'seconds by the clock, of all shards together';
COMMENT ON COLUMN report.step.processor_seconds IS
    'seconds of a processor, of all shards together and their last try; PostgreSQL''s are not '
    'counted; null where nobody measured';
COMMENT ON COLUMN report.step.rows IS 'rows that it wrote or read; null where it counts none';
