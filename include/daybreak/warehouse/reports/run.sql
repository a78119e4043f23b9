-- What became of each run: one row a run, with the generation that it opened last.
--
-- Runs are few (some a day and model); steps and generation are looked up for those that are asked
-- about.
CREATE VIEW report.run AS
SELECT
    run.run_key,
    run.model,
    run.business_date,
    run.run_type,
    run.queued_at,
    run.started_at,
    step.name AS last_step,
    step.ended_at AS last_step_at,
    generation.generation_id,
    generation.version,
    generation.rows,
    generation.published_at,
    CASE
        WHEN generation.state IN ('published', 'superseded', 'rejected', 'rolled_back')
            THEN generation.state
        WHEN generation.state = 'audited' AND approval.generation_id IS NULL THEN 'audited'
        ELSE 'unfinished'
    END AS outcome,
    coalesce(generation.reason, '') AS reason,
    generation.audited_at
FROM ops.run AS run
LEFT JOIN LATERAL (
    SELECT done.step AS name, done.ended_at
    FROM ops.step AS done
    WHERE done.run_key = run.run_key
    ORDER BY done.ended_at DESC
    LIMIT 1
) AS step ON TRUE
LEFT JOIN LATERAL (
    SELECT *
    FROM ops.generation AS opened
    WHERE opened.run_key = run.run_key
    ORDER BY opened.generation_id DESC
    LIMIT 1
) AS generation ON TRUE
LEFT JOIN ops.approval AS approval ON approval.generation_id = generation.generation_id;

COMMENT ON VIEW report.run IS 'What became of each run of a model';

COMMENT ON COLUMN report.run.run_key IS
    'run: the DAG and its run in Airflow, with a slash between them, or cli/ and an id';
COMMENT ON COLUMN report.run.model IS 'model';
COMMENT ON COLUMN report.run.business_date IS 'last day whose facts the run knows';
COMMENT ON COLUMN report.run.run_type IS
    'how it was started: scheduled, manual, backfill, asset or cli';
COMMENT ON COLUMN report.run.queued_at IS 'when it was due to start; null where nobody knows';
COMMENT ON COLUMN report.run.started_at IS 'when its first step began';
COMMENT ON COLUMN report.run.last_step IS 'step that ended last; null while none has';
COMMENT ON COLUMN report.run.last_step_at IS 'when that step ended';
COMMENT ON COLUMN report.run.generation_id IS
    'generation that it opened last; null where it came to none';
COMMENT ON COLUMN report.run.version IS 'model version of that generation';
COMMENT ON COLUMN report.run.rows IS 'rows that it scored';
COMMENT ON COLUMN report.run.published_at IS 'when they became visible; null where they never did';
COMMENT ON COLUMN report.run.outcome IS
    'published; superseded by a later one of the day; rejected; rolled_back; audited: scored and '
    'checked, waits to be published or for who agrees; unfinished: it goes on, or failed';
COMMENT ON COLUMN report.run.reason IS 'why it was rejected; '''' for nothing';
COMMENT ON COLUMN report.run.audited_at IS 'when its scores passed the audit; null: not yet';
